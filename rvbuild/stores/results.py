"""Results of former builds: realisations by derivation, outcomes by action.

Knows: where they are, and the form of an outcome's record. Must not know: trees, whether
outputs exist.
"""

from __future__ import annotations

import base64
import errno
import os
import time
from collections.abc import Iterator
from contextlib import suppress

from rvbuild.core.action import Outcome
from rvbuild.core.digest import Digest
from rvbuild.core.envelope import seal, unseal
from rvbuild.core.errors import Damaged, NewerRecord
from rvbuild.core.realisation import Realisation, derivation_of, record_name
from rvbuild.files.folder import WrongKind, open_file
from rvbuild.stores.layout import Layout, guarded
from rvbuild.stores.records import damage_at, put_record, read_all
from rvbuild.stores.shape import AC, REALISATIONS

USED_WITHIN = 3600
"""Seconds for which a use is not noted again: a no-op build stays a matter of reading."""


OUTCOME, OUTCOME_VERSION = "action-result", 1


def encode_outcome(action: str, outcome: Outcome) -> bytes:
    """The record of an action's outcome: the action's key, and its ``ActionResult`` message."""
    message = base64.b64encode(outcome.encode()).decode("ascii")
    return seal(OUTCOME, OUTCOME_VERSION, {"action": action, "result": message})


def decode_outcome(data: bytes, action: str) -> Outcome:
    """Read the record of an action's outcome.

    Raises:
        VerificationError: it is damaged, or of another action.
        NewerRecord: its version is newer.
    """
    body = unseal(data, OUTCOME, OUTCOME_VERSION)
    try:
        message = base64.b64decode(str(body["result"]), validate=True)
    except (ValueError, KeyError) as error:
        msg = f"not the outcome of an action: {error}"
        raise Damaged(msg) from error
    if body.get("action") != action:
        msg = "the outcome of another action"
        raise Damaged(msg)
    return Outcome.decode(message)


def decode_realisation(data: bytes, name: str, *, accelerated: bool) -> Realisation:
    """Read the realisation at ``name``, among the accelerated ones or the others.

    Raises:
        VerificationError: it is damaged, or belongs elsewhere.
        NewerRecord: its version is newer.
    """
    found = Realisation.decode(data)
    if (found.name, found.accelerated) != (name, accelerated):
        msg = "a realisation of another derivation"
        raise Damaged(msg)
    return found


class LocalResults:
    """The results in the store at ``layout``; ports ``Realisations``, ``ActionCache``.

    A damaged result is a VerificationError, not a missing one; one that a newer rvbuild wrote
    counts as missing, and is replaced when its own key is built here. Reading one notes that it
    was used (its modification time), for garbage collection.
    """

    def __init__(self, layout: Layout, *, durable: bool = True) -> None:
        self._layout = layout
        self._durable = durable

    def realisation(
        self, derivation: str, *, accelerated: bool = True, builder: str = ""
    ) -> Realisation | None:
        return next(self.realisations(derivation, accelerated=accelerated, builder=builder), None)

    def realisations(
        self, derivation: str, *, accelerated: bool = True, builder: str = ""
    ) -> Iterator[Realisation]:
        for apart in _apart(accelerated):
            for name in self._names(derivation, builder, accelerated=apart):
                found = self._realisation_at(name, accelerated=apart)
                if found is not None:
                    yield found

    def _realisation_at(self, name: str, *, accelerated: bool) -> Realisation | None:
        path = self._layout.record(REALISATIONS, name, accelerated=accelerated)
        data = self._used(path)
        with damage_at(path), suppress(NewerRecord):
            if data is not None:
                return decode_realisation(data, name, accelerated=accelerated)
        return None

    def _names(self, derivation: str, builder: str, *, accelerated: bool) -> Iterator[str]:
        """The records of a derivation; a folder is listed only if the first is not enough."""
        own = record_name(derivation, builder)
        yield own
        path = self._layout.record(REALISATIONS, derivation, accelerated=accelerated)
        names: list[str] = []
        with (
            guarded(path, "read"),
            suppress(FileNotFoundError),
            self._layout.above(path) as (at, _),
        ):
            names = sorted(os.listdir(at))
        yield from (name for name in names if derivation_of(name) == derivation and name != own)

    def register(self, realisation: Realisation) -> None:
        place = self._layout.record(
            REALISATIONS, realisation.name, accelerated=realisation.accelerated
        )
        self._put(place, realisation.encode())

    def outcome(self, action: Digest, *, accelerated: bool) -> Outcome | None:
        for apart in _apart(accelerated):
            path = self._layout.record(AC, action.hash, accelerated=apart)
            data = self._used(path)
            with damage_at(path), suppress(NewerRecord):
                if data is not None:
                    return decode_outcome(data, action.hash)
        return None

    def record(self, action: Digest, outcome: Outcome, *, accelerated: bool) -> None:
        place = self._layout.record(AC, action.hash, accelerated=accelerated)
        self._put(place, encode_outcome(action.hash, outcome))

    def _put(self, path: str, data: bytes) -> None:
        with guarded(path):
            if self._used(path) != data:
                put_record(self._layout, path, data, durable=self._durable, used=True)

    def _used(self, path: str) -> bytes | None:
        with guarded(path, "read"):
            try:
                with self._layout.above(path) as (at, name):
                    fd = open_file(name, at)
            except FileNotFoundError:
                return None
            except WrongKind as error:
                raise error.at(path) from error
            try:
                if time.time() - os.fstat(fd).st_mtime > USED_WITHIN:
                    _note_use(fd)
                return read_all(fd)
            finally:
                os.close(fd)


def _apart(accelerated: bool) -> tuple[bool, ...]:  # noqa: FBT001 - one of its own
    """Whether to look among accelerated results, in this order."""
    return (False, True) if accelerated else (False,)


def _note_use(fd: int) -> None:
    try:
        os.utime(fd)
    except OSError as error:
        if error.errno not in {errno.EROFS, errno.EACCES, errno.EPERM}:
            raise
