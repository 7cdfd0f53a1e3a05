# SPDX-License-Identifier: Apache-2.0
"""Reads at one version, buffered writes, one commit."""

from synod_api.ttypes import AtomicCommitRequest, Operation, ReadConflictKey, ReadConflictRange

_STAMP_BYTES = 10


class Transaction:
    """Made by Client.begin(); most programs use Client.transact() or @client.transactional.

    Reads see the state at `read_version` with this transaction's own sets and deletes on top.
    Everything read is named in the commit, which raises Conflict if any of it has changed.
    A key that was incremented, appended to, stamped or cleared by range cannot be read any more.
    """

    def __init__(self, client, read_version):
        self._client = client
        self.read_version = read_version
        self._operations = []
        self._overlay = {}  # (namespace, key) -> value, or None if deleted
        self._unreadable = set()
        self._cleared = []
        self._keys_read = set()
        self._ranges_read = set()
        self._request = None

    def get(self, key, namespace=None):
        """The value, or None."""
        name = (_namespace(namespace), _bytes(key))
        self._check_readable(*name)
        if name in self._overlay:
            return self._overlay[name]
        value = self._client.get_at(self.read_version, name[1], name[0])
        self._keys_read.add(name)
        return value

    def range(self, begin=b"", end=None, limit=0, namespace=None):
        """The rows of [begin, end) as a list of (key, value), own writes included."""
        space, begin = _namespace(namespace), _bytes(begin)
        end = None if end is None else _bytes(end)

        def inside(key):
            return begin <= key and (end is None or key < end)

        if self._cleared or any(n == space and inside(k) for n, k in self._unreadable):
            raise ValueError("the range holds keys that only the commit will know")
        own = {k: v for (n, k), v in self._overlay.items() if n == space and inside(k)}
        fetched = limit + len(own) if limit else 0
        merged = dict(self._client.range_at(self.read_version, begin, end, fetched, space))
        merged.update(own)
        rows = [(key, merged[key]) for key in sorted(merged) if merged[key] is not None]
        rows = rows[:limit] if limit else rows
        full = limit and len(rows) == limit
        looked_until = rows[-1][0] + b"\0" if full else (end or b"")
        if full or end != b"":
            self._ranges_read.add((space, begin, looked_until))
        return rows

    def set(self, key, value, ttl=None, namespace=None):
        step = self._add("set", key, namespace, value=_bytes(value))
        if ttl is not None:
            step.ttl_ms = int(ttl * 1000)
        self._overlay[(_namespace(namespace), step.key)] = step.value
        self._unreadable.discard((_namespace(namespace), step.key))

    def delete(self, key, namespace=None):
        step = self._add("delete", key, namespace)
        self._overlay[(_namespace(namespace), step.key)] = None
        self._unreadable.discard((_namespace(namespace), step.key))

    def increment(self, key, delta, namespace=None):
        """Adds to the decimal number in key without reading it."""
        step = self._add("INCREMENT", key, namespace, value=str(int(delta)).encode("ascii"))
        self._unreadable.add((_namespace(namespace), step.key))

    def append(self, key, suffix, namespace=None):
        step = self._add("APPEND", key, namespace, value=_bytes(suffix))
        self._unreadable.add((_namespace(namespace), step.key))

    def clear_range(self, begin, end=None, namespace=None):
        """Removes [begin, end)."""
        end = None if end is None else _bytes(end)
        self._add("CLEAR_RANGE", begin, namespace, end_key=end)
        self._cleared.append((_namespace(namespace), _bytes(begin), end))

    def check_version(self, key, version, namespace=None):
        """Conflict unless the key's last write has this version; 0: it must be missing."""
        self._add("CHECK_VERSION", key, namespace, expected_version=version)

    def set_versionstamped_key(self, prefix, value, namespace=None):
        """The key is prefix + the commit's versionstamp."""
        self._add(
            "SET_VERSIONSTAMPED_KEY", _bytes(prefix) + bytes(_STAMP_BYTES), namespace,
            value=_bytes(value),
        )
        self._cleared.append((_namespace(namespace), _bytes(prefix), _successor(_bytes(prefix))))

    def set_versionstamped_value(self, key, prefix, namespace=None):
        """The value is prefix + the commit's versionstamp."""
        step = self._add(
            "SET_VERSIONSTAMPED_VALUE", key, namespace, value=_bytes(prefix) + bytes(_STAMP_BYTES)
        )
        self._unreadable.add((_namespace(namespace), step.key))

    def commit(self):
        """Returns the committed version (a read-only transaction's read version)."""
        if self._request is not None:
            raise ValueError("a transaction commits once")
        if not self._operations:
            return self.read_version
        client_id, sequence = self._client._next_token()
        self._request = AtomicCommitRequest(
            read_version=self.read_version,
            operations=self._operations,
            read_conflict_keys=[],
            read_conflicts=[
                ReadConflictKey(key, namespace or "default") for namespace, key in self._keys_read
            ],
            read_conflict_ranges=[
                ReadConflictRange(begin, end, namespace or "default")
                for namespace, begin, end in self._ranges_read
            ],
            client_id=client_id,
            sequence=sequence,
        )
        return self.commit_again()

    def commit_again(self):
        """Repeats the very same commit after OutcomeUnknown; it takes effect at most once."""
        return self._client._write("atomicCommit", self._request).committed_version

    def _add(self, kind, key, namespace, **fields):
        step = Operation(kind, _bytes(key), column_family=_namespace(namespace), **fields)
        self._operations.append(step)
        return step

    def _check_readable(self, namespace, key):
        hidden = (namespace, key) in self._unreadable
        for space, begin, end in self._cleared:
            inside = space == namespace and begin <= key and (end is None or key < end)
            hidden = hidden or (inside and (namespace, key) not in self._overlay)
        if hidden:
            raise ValueError("the key can be read again only after the commit")


def _bytes(data):
    from synod.client import to_bytes  # At call time: client imports this module.

    return to_bytes(data)


def _namespace(name):
    """None and "default" are one namespace."""
    return None if name in (None, "", "default") else name


def _successor(prefix):
    """The smallest key above every key with this prefix; None if there is none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else None
