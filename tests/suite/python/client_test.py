# SPDX-License-Identifier: Apache-2.0
"""Reads, writes and transacts through the Python client and through bare generated code.

    client_test.py PYTHON_PATH SERVER_BINARY [ARGUMENT ...]

starts the server with the arguments, in which {port}, {peers} (the first of three ports) and {dir}
are replaced, and runs against it.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, sys.argv[1])

import synod  # noqa: E402
from synod_api import TransactionalKV  # noqa: E402
from synod_api import ttypes  # noqa: E402
from thrift.protocol import TBinaryProtocol  # noqa: E402
from thrift.transport import TSocket, TTransport  # noqa: E402

PORT = 0
START_SECONDS = 60


class GeneratedCode(unittest.TestCase):
    """As a program that knows nothing but kvstore.thrift."""

    def setUp(self):
        self.transport = TTransport.TBufferedTransport(TSocket.TSocket("127.0.0.1", PORT))
        self.transport.open()
        protocol = TBinaryProtocol.TBinaryProtocol(self.transport)
        self.api = TransactionalKV.Client(protocol)

    def tearDown(self):
        self.transport.close()

    def test_set_and_get(self):
        reply = self.api.setKey(ttypes.SetRequest(b"gen/k\0\xff", b"v\0\xff"))
        self.assertTrue(reply.success)
        self.assertIsNone(reply.error)
        self.assertIsNone(reply.error_code)
        reply = self.api.get(ttypes.GetRequest(b"gen/k\0\xff"))
        self.assertTrue(reply.found)
        self.assertEqual(reply.value, b"v\0\xff")
        self.assertIsNone(reply.error)

    def test_missing_key(self):
        reply = self.api.get(ttypes.GetRequest(b"gen/missing"))
        self.assertFalse(reply.found)
        self.assertEqual(reply.value, b"")
        self.assertIsNone(reply.error)

    def test_default_range(self):
        for i in range(3):
            self.api.setKey(ttypes.SetRequest(b"gen/r%d" % i, b"v"))
        reply = self.api.getRange(ttypes.GetRangeRequest(b"gen/r", b"gen/s"))
        self.assertTrue(reply.success)
        self.assertEqual([row.key for row in reply.key_values], [b"gen/r0", b"gen/r1", b"gen/r2"])
        self.assertFalse(reply.has_more)

    def test_conflict(self):
        version = self.api.getReadVersion(ttypes.GetReadVersionRequest()).read_version
        self.api.setKey(ttypes.SetRequest(b"gen/c", b"v"))
        request = ttypes.AtomicCommitRequest(
            version, [ttypes.Operation("set", b"gen/d", b"v")], [b"gen/c"]
        )
        reply = self.api.atomicCommit(request)
        self.assertFalse(reply.success)
        self.assertEqual(reply.error_code, "CONFLICT")
        self.assertIsNone(reply.committed_version)
        self.assertFalse(self.api.get(ttypes.GetRequest(b"gen/d")).found)


class Client(unittest.TestCase):
    def setUp(self):
        self.db = synod.connect("127.0.0.1", PORT)

    def tearDown(self):
        self.db.close()

    def test_single_operations(self):
        first = self.db.set("py/k", "v")
        self.assertEqual(self.db.get("py/k"), b"v")
        second = self.db.delete("py/k")
        self.assertGreater(second, first)
        self.assertIsNone(self.db.get("py/k"))
        self.assertEqual(self.db.get_at(first, "py/k"), b"v")
        self.assertEqual(self.db.ping(b"\0\xff"), b"\0\xff")

    def test_ranges_reach_the_last_key(self):
        for key in (b"a", b"b", b"\xff\xff"):
            self.db.set(key, b"v", namespace="py.range")
        rows = self.db.range(namespace="py.range")
        self.assertEqual([key for key, _ in rows], [b"a", b"b", b"\xff\xff"])
        self.assertEqual(len(self.db.range(limit=2, namespace="py.range")), 2)
        self.assertEqual(self.db.range(namespace="py.never"), [])

    def test_reading_an_empty_key_is_an_error(self):
        with self.assertRaises(synod.SynodError):
            self.db.get(b"")

    def test_own_writes_are_read(self):
        self.db.set("py/own/a", "old")
        txn = self.db.begin()
        txn.set("py/own/a", "new")
        txn.set("py/own/b", "new")
        self.assertEqual(txn.get("py/own/a"), b"new")
        rows = txn.range("py/own/", "py/own0")
        self.assertEqual([k for k, _ in rows], [b"py/own/a", b"py/own/b"])
        txn.increment("py/own/n", 1)
        with self.assertRaises(ValueError):
            txn.get("py/own/n")
        txn.commit()
        self.assertEqual(self.db.get("py/own/n"), b"1")

    def test_a_phantom_conflicts(self):
        txn = self.db.begin()
        self.assertEqual(txn.range("py/phantom/", "py/phantom0"), [])
        txn.set("py/phantom/mine", "1")
        self.db.set("py/phantom/theirs", "1")
        with self.assertRaises(synod.Conflict) as caught:
            txn.commit()
        self.assertEqual(caught.exception.detail, "READ")

    def test_a_repeated_commit_counts_once(self):
        txn = self.db.begin()
        txn.increment("py/once", 1)
        version = txn.commit()
        self.assertEqual(txn.commit_again(), version)
        self.assertEqual(self.db.get("py/once"), b"1")

    def test_transfers_of_many_clients_keep_the_sum(self):
        accounts = [b"py/account/%d" % i for i in range(4)]
        for account in accounts:
            self.db.set(account, 100)

        def move(number):
            with synod.connect("127.0.0.1", PORT) as db:

                @db.transactional
                def transfer(txn, source, target, amount):
                    balance = int(txn.get(source))
                    txn.set(source, balance - amount)
                    txn.set(target, int(txn.get(target)) + amount)

                for i in range(20):
                    source = accounts[(number + i) % 4]
                    target = accounts[(number + i + 1 + i % 3) % 4]
                    if source != target:
                        transfer(source, target, i)

        threads = [threading.Thread(target=move, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        total = sum(int(value) for _, value in self.db.range("py/account/", "py/account0"))
        self.assertEqual(total, 400)

    def test_an_exception_in_the_body_writes_nothing(self):
        def body(txn):
            txn.set("py/nothing", "v")
            raise KeyError("no")

        with self.assertRaises(KeyError):
            self.db.transact(body)
        self.assertIsNone(self.db.get("py/nothing"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(server, port):
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if server.poll() is not None:
            sys.exit(f"the server ended while starting, code {server.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    sys.exit(f"nothing listens on port {port}")


def free_row_of_ports():
    """The first of three free ports, below those that the system gives to connections."""
    for first in range(10000 + os.getpid() * 4 % 20000, 32000, 4):
        try:
            for port in range(first, first + 3):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
    raise RuntimeError("no three free ports in a row")


def main():
    global PORT
    PORT = free_port()
    directory = tempfile.mkdtemp(prefix="python-", dir=os.getcwd())
    peers = free_row_of_ports()
    command = [a.format(port=PORT, peers=peers, dir=directory) for a in sys.argv[2:]]
    with open(os.path.join(directory, "server.log"), "wb") as log:
        server = subprocess.Popen(command, cwd=directory, stdout=log, stderr=log)
    try:
        wait_for(server, PORT)
        outcome = unittest.main(argv=sys.argv[:1], exit=False, verbosity=2)
    finally:
        server.terminate()
        server.wait()
    if not outcome.result.wasSuccessful():
        sys.exit(f"failed; see {directory}")
    shutil.rmtree(directory)


if __name__ == "__main__":
    main()
