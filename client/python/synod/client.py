# SPDX-License-Identifier: Apache-2.0
"""One connection to a Synod server, and what can be asked over it."""

import functools
import os
import random
import time

from synod_api import TransactionalKV
from synod_api.ttypes import (
    DeleteRequest,
    GetReadVersionRequest,
    GetRequest,
    PingRequest,
    RequestOptions,
    SetRequest,
    SnapshotGetRangeRequest,
    SnapshotGetRequest,
)
from thrift.protocol.TBinaryProtocol import TBinaryProtocolAcceleratedFactory
from thrift.Thrift import TException
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TBufferedTransport, TTransportException

from synod.errors import Conflict, NotReady, OutcomeUnknown, error_of
from synod.transaction import Transaction

# The interface has no "to the last key": this many 0xFF bytes lie behind every sensible key.
_END_OF_KEYS = b"\xff" * 1024


def to_bytes(data):
    """Text as UTF-8, numbers as decimal text, bytes as they are."""
    if isinstance(data, str):
        return data.encode("utf-8")
    if isinstance(data, int):
        return str(data).encode("ascii")
    return bytes(data)


def connect(host="127.0.0.1", port=9090, timeout=10.0, auth_token=None):
    """Connects now; NotReady if nobody listens."""
    client = Client(host, port, timeout, auth_token)
    client._ensure_connected()
    return client


class Client:
    """A connection that is opened again when it is lost.

    A read on a lost connection is repeated; a write is not, because it may have happened, and
    raises OutcomeUnknown. Not for several threads at a time.
    """

    def __init__(self, host, port, timeout, auth_token):
        self._host = host
        self._port = port
        self._timeout_ms = int(timeout * 1000)
        self._auth_token = auth_token
        self._transport = None
        self._api = None
        self._client_id = os.urandom(16)
        self._sequence = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._transport is not None:
            self._transport.close()
        self._transport = None
        self._api = None

    # ---- single operations, each a transaction of its own

    def get(self, key, namespace=None):
        """The current value, or None."""
        reply = self._read("get", GetRequest(to_bytes(key), namespace))
        return reply.value if reply.found else None

    def set(self, key, value, ttl=None, namespace=None):
        """Returns the committed version. `ttl` in seconds."""
        ttl_ms = None if ttl is None else int(ttl * 1000)
        request = SetRequest(to_bytes(key), to_bytes(value), namespace, ttl_ms)
        return self._write("setKey", request).committed_version

    def delete(self, key, namespace=None):
        """Returns the committed version; a missing key is no error."""
        return self._write("deleteKey", DeleteRequest(to_bytes(key), namespace)).committed_version

    def range(self, begin=b"", end=None, limit=0, namespace=None):
        """The rows of [begin, end) at one version as a list of (key, value)."""
        return self.range_at(self.read_version(), begin, end, limit, namespace)

    def ping(self, message=b"pong"):
        return self._read("ping", PingRequest(to_bytes(message))).message

    # ---- reads at a version

    def read_version(self):
        return self._read("getReadVersion", GetReadVersionRequest()).read_version

    def get_at(self, version, key, namespace=None):
        request = SnapshotGetRequest(to_bytes(key), version, namespace)
        reply = self._read("snapshotGet", request, empty_namespace_is_fine=True)
        return reply.value if reply.found else None

    def range_at(self, version, begin=b"", end=None, limit=0, namespace=None):
        rows = []
        request = SnapshotGetRangeRequest(
            begin_key=to_bytes(begin),
            end_key=_END_OF_KEYS if end is None else to_bytes(end),
            end_or_equal=end is None,
            read_version=version,
            column_family=namespace,
        )
        while True:
            request.limit = limit - len(rows) if limit else 0
            reply = self._read("snapshotGetRange", request, empty_namespace_is_fine=True)
            rows.extend((row.key, row.value) for row in reply.key_values)
            if not reply.has_more or (limit and len(rows) >= limit):
                return rows
            request.begin_key = rows[-1][0]
            request.begin_or_equal = False

    # ---- transactions

    def begin(self):
        """A transaction that reads at the current version."""
        return Transaction(self, self.read_version())

    def transact(self, body, *args, attempts=20, **kwargs):
        """Runs body(txn, ...) and commits; on a conflict runs it again. Returns what it returns.

        A lost answer is settled by repeating the same commit, which takes effect at most once.
        An exception of body ends it without writing anything.
        """
        pause = 0.002
        for attempt in range(1, attempts + 1):
            try:
                txn = self.begin()
                result = body(txn, *args, **kwargs)
                self._settle(txn, attempts)
                return result
            except (Conflict, NotReady):
                if attempt == attempts:
                    raise
            time.sleep(random.uniform(0, pause))
            pause = min(pause * 2, 0.5)
        raise AssertionError("the last attempt returns or raises")

    def transactional(self, body):
        """Decorator: body(txn, ...) becomes a function that runs it in transact()."""

        @functools.wraps(body)
        def run(*args, **kwargs):
            return self.transact(body, *args, **kwargs)

        return run

    def _settle(self, txn, attempts):
        unknown = None
        for _ in range(attempts):
            try:
                return txn.commit() if unknown is None else txn.commit_again()
            except OutcomeUnknown as error:
                unknown = error
                if error.code == "OUTCOME_FORGOTTEN":
                    raise
            except NotReady:
                # Says nothing about an earlier sending of the same commit.
                if unknown is None:
                    raise
            time.sleep(random.uniform(0, 0.1))
        raise unknown

    # ---- the connection

    def _ensure_connected(self):
        if self._api is not None:
            return
        socket = TSocket(self._host, self._port)
        socket.setTimeout(self._timeout_ms)
        transport = TBufferedTransport(socket)
        try:
            transport.open()
        except TTransportException as error:
            raise NotReady("", f"cannot connect to {self._host}:{self._port}") from error
        self._transport = transport
        protocol = TBinaryProtocolAcceleratedFactory().getProtocol(transport)
        self._api = TransactionalKV.Client(protocol)

    def _call(self, method, request):
        self._ensure_connected()
        request.options = RequestOptions(
            deadline_ms=self._timeout_ms, auth_token=self._auth_token
        )
        return getattr(self._api, method)(request)

    def _read(self, method, request, empty_namespace_is_fine=False):
        try:
            try:
                reply = self._call(method, request)
            except (TTransportException, OSError):
                self.close()
                reply = self._call(method, request)
        except (TException, OSError) as error:
            self.close()
            raise NotReady("", f"{method}: {error}") from error
        unknown = getattr(reply, "error_code", None) == "UNKNOWN_NAMESPACE"
        if getattr(reply, "error", None) is not None and not (unknown and empty_namespace_is_fine):
            raise error_of(reply)
        return reply

    def _write(self, method, request):
        self._ensure_connected()
        try:
            reply = self._call(method, request)
        except (TException, OSError) as error:
            self.close()
            raise OutcomeUnknown("OUTCOME_UNKNOWN", f"{method}: {error}") from error
        if not reply.success:
            raise error_of(reply)
        return reply

    def _next_token(self):
        self._sequence += 1
        return self._client_id, self._sequence
