# SPDX-License-Identifier: Apache-2.0
"""Client for Synod, a replicated transactional key-value store.

    import synod

    with synod.connect("127.0.0.1", 9090) as db:
        db.set(b"greeting", b"hello")

        @db.transactional
        def transfer(txn, source, target, amount):
            balance = int(txn.get(source) or 0)
            if balance < amount:
                raise ValueError("not enough")
            txn.set(source, str(balance - amount))
            txn.increment(target, amount)

        transfer(b"account/1", b"account/2", 10)

Keys and values are bytes; text is encoded as UTF-8 on the way in.
"""

from synod.client import Client, connect
from synod.errors import Conflict, NotReady, OutcomeUnknown, SynodError
from synod.transaction import Transaction

__all__ = [
    "Client",
    "Conflict",
    "NotReady",
    "OutcomeUnknown",
    "SynodError",
    "Transaction",
    "connect",
]
