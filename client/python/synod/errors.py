# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, as a caller may need to act on it."""


class SynodError(Exception):
    """A request failed. `code` is the server's error_code, or "" if it gave none."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}" if code else message)
        self.code = code


class Conflict(SynodError):
    """Nothing was written: something the transaction read has changed. Run it again."""

    def __init__(self, message, detail):
        super().__init__("CONFLICT", message)
        self.detail = detail


class NotReady(SynodError):
    """Nothing was done: no server, no leader, or it is too busy. Try again."""


class OutcomeUnknown(SynodError):
    """Perhaps done, perhaps not: the answer was lost."""


_NOT_READY = {"BUSY", "NO_QUORUM", "NOT_LEADER", "TIMEOUT"}
_UNKNOWN = {"OUTCOME_UNKNOWN", "OUTCOME_FORGOTTEN"}


def error_of(reply):
    """The exception for a reply that reports failure."""
    code = getattr(reply, "error_code", None) or ""
    message = reply.error or "unspecified failure"
    if code == "CONFLICT":
        return Conflict(message, getattr(reply, "detail_code", None) or "")
    if code in _NOT_READY:
        return NotReady(code, message)
    if code in _UNKNOWN:
        return OutcomeUnknown(code, message)
    return SynodError(code, message)
