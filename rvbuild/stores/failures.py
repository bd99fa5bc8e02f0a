"""Which log a failed step left: the only trace of a failure in the store.

Knows: where it is noted. Must not know: what failed, or why.
"""

from __future__ import annotations

from contextlib import suppress

from rvbuild.core.digest import Digest
from rvbuild.core.envelope import seal, unseal
from rvbuild.core.errors import Damaged, NewerRecord
from rvbuild.stores.layout import Layout, guarded
from rvbuild.stores.records import damage_at, forget_record, put_record, read_record
from rvbuild.stores.shape import FAILED

KIND, VERSION = "failure", 1


class LocalFailures:
    """The failures of the store at ``layout``; ``core.ports.Failures``.

    Not durable on purpose: a failure that is forgotten in a crash costs a log, no more.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def failed(self, derivation: str) -> Digest | None:
        """The log of the derivation's last run, if that failed.

        Raises:
            VerificationError: the record of it is damaged.
            StoreError: it could not be read.
        """
        path = self._layout.record(FAILED, derivation, accelerated=False)
        with guarded(path, "read"):
            try:
                data = read_record(self._layout, path)
            except FileNotFoundError:
                return None
        with damage_at(path), suppress(NewerRecord):
            return decode_failure(data, derivation)
        return None

    def record_failure(self, derivation: str, log: Digest) -> None:
        """Note the log of a run that failed."""
        path = self._layout.record(FAILED, derivation, accelerated=False)
        with guarded(path):
            data = seal(KIND, VERSION, {"derivation": derivation, "log": str(log)})
            put_record(self._layout, path, data, durable=False, used=True)

    def forget_failure(self, derivation: str) -> None:
        """The derivation has a result now."""
        path = self._layout.record(FAILED, derivation, accelerated=False)
        with guarded(path):
            forget_record(self._layout, path)


def decode_failure(data: bytes, derivation: str) -> Digest | None:
    """The log that a derivation's failure left; None where a crash left the record empty.

    Raises:
        VerificationError: the record is damaged, or of another derivation.
        NewerRecord: its version is newer.
    """
    if not data.strip(b"\0"):  # it is not durable on purpose
        return None
    body = unseal(data, KIND, VERSION)
    if body.get("derivation") != derivation:
        msg = "the failure of another derivation"
        raise Damaged(msg)
    try:
        return Digest.parse(str(body["log"]))
    except (ValueError, KeyError) as error:
        msg = f"not the record of a failure: {error}"
        raise Damaged(msg) from error
