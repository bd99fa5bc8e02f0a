"""Results of former builds: realisations by derivation, outcomes by action.

Knows: where they are and their encoding. Must not know: trees, whether outputs exist.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rvbuild.core.action import Outcome
from rvbuild.core.canonical import encode
from rvbuild.core.derivation import Realisation
from rvbuild.core.digest import Digest
from rvbuild.core.errors import VerificationError
from rvbuild.files.folder import WrongKind, open_file
from rvbuild.stores.inputs import encode_inputs
from rvbuild.stores.layout import Layout, guarded
from rvbuild.stores.records import put_record, read_all, read_or_none
from rvbuild.stores.shape import AC, INPUTS, REALISATIONS

USED_WITHIN = 3600
"""Seconds for which a use is not noted again: a no-op build stays a matter of reading."""


def encode_realisation(realisation: Realisation) -> bytes:
    """Canonical JSON of every field; digests as ``HASH/SIZE``."""
    return encode(
        {
            "accelerated": realisation.accelerated,
            "action": realisation.action,
            "derivation": realisation.derivation,
            "log": str(realisation.log) if realisation.log else None,
            "output": str(realisation.output),
            "signatures": realisation.signatures,
        }
    )


def decode_realisation(data: bytes) -> Realisation:
    """Read what ``encode_realisation`` wrote.

    Raises:
        VerificationError: it is anything else, to the byte.
    """
    try:
        fields = json.loads(data)
        fields["signatures"] = tuple(fields["signatures"])
        for name in ("log", "output"):
            fields[name] = None if fields[name] is None else Digest.parse(fields[name])
        realisation = Realisation(**fields)
        same = encode_realisation(realisation) == data
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        msg = f"not a realisation: {error}"
        raise VerificationError(msg) from error
    if not same:
        msg = "not a realisation in canonical form"
        raise VerificationError(msg)
    return realisation


class LocalResults:
    """The results in the store at ``layout``; ``core.ports.Results``.

    A damaged result is a VerificationError, not a missing one. Reading one notes that
    it was used (its modification time), for garbage collection.
    """

    def __init__(self, layout: Layout, *, durable: bool = True) -> None:
        self._layout = layout
        self._durable = durable

    def realisation(self, derivation: str, *, accelerated: bool = True) -> Realisation | None:
        for path, apart in self._places(REALISATIONS, derivation, accelerated=accelerated):
            data = self._used(path)
            if data is not None:
                with _damage_at(path):
                    found = decode_realisation(data)
                    if (found.derivation, found.accelerated) != (derivation, apart):
                        msg = "a realisation of another derivation"
                        raise VerificationError(msg)
                return found
        return None

    def register(self, realisation: Realisation) -> None:
        self._note_inputs(realisation)
        place = self._layout.record(
            REALISATIONS, realisation.derivation, accelerated=realisation.accelerated
        )
        self._put(place, encode_realisation(realisation))

    def _note_inputs(self, made: Realisation) -> None:
        """Before the realisation, and not durable: what is lost counts as unknown."""
        if made.inputs is None:
            return
        path = self._layout.record(INPUTS, made.derivation, accelerated=made.accelerated)
        with guarded(path):
            data = encode_inputs(made.derivation, made.inputs)
            if read_or_none(self._layout, path) != data:
                put_record(self._layout, path, data, durable=False)

    def outcome(self, action: Digest, *, accelerated: bool) -> Outcome | None:
        for path, _ in self._places(AC, action.hash, accelerated=accelerated):
            data = self._used(path)
            if data is not None:
                with _damage_at(path):
                    return Outcome.decode(data)
        return None

    def record(self, action: Digest, outcome: Outcome, *, accelerated: bool) -> None:
        place = self._layout.record(AC, action.hash, accelerated=accelerated)
        self._put(place, outcome.encode())

    def _places(self, kind: str, key: str, *, accelerated: bool) -> list[tuple[str, bool]]:
        return [
            (self._layout.record(kind, key, accelerated=apart), apart)
            for apart in ((False, True) if accelerated else (False,))
        ]

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


@contextmanager
def _damage_at(path: str) -> Iterator[None]:
    try:
        yield
    except VerificationError as error:
        hint = f"remove {path}: what it told is built again"
        raise VerificationError(error.message, where=path, hint=hint) from error


def _note_use(fd: int) -> None:
    try:
        os.utime(fd)
    except OSError as error:
        if error.errno not in {errno.EROFS, errno.EACCES, errno.EPERM}:
            raise
