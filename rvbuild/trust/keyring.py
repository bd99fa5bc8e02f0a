"""The public keys that a run trusts, and those that were revoked.

Knows: folders of keys, and what must not stand in them together. Must not know: envelopes, whose
word is enough.

The rules, for all folders together (the project's, which everybody who commits there agrees on, and
the user's own):

1. A name means one key: two files `ci.pub` with different keys are an error, which shows both.
2. A key has one name: else its owner would be two builders where two must agree.
3. A revocation holds for the key that it quotes, whatever folder it is in, and whatever that key is
   called there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from attrs import field, frozen

from rvbuild.core.errors import UsageError
from rvbuild.core.public_key import PublicKey
from rvbuild.core.revocation import Revocation
from rvbuild.trust.key_files import PUBLIC, REVOKED, names_in, read_key_file, refuse_other_name


@frozen
class KnownKey:
    """A public key and the files that it stands in."""

    public: PublicKey
    files: tuple[str, ...]


def _refuse_ambiguity(_: object, __: object, known: tuple[KnownKey, ...]) -> None:
    """Rules 1 and 2."""
    by_name: dict[str, KnownKey] = {}
    by_raw: dict[bytes, KnownKey] = {}
    for each in known:
        name, raw = each.public.name, each.public.raw
        former = by_name.setdefault(name, each)
        if former is not each:
            _refuse(f"two keys are called {name}", former, each, "keep one, or rename the other")
        former = by_raw.setdefault(raw, each)
        if former is not each:
            _refuse("one key has two names", former, each, "keep one of the two files")


def _refuse(what: str, one: KnownKey, other: KnownKey, hint: str) -> None:
    details = tuple(f"{each.public.key_id} in {', '.join(each.files)}" for each in (one, other))
    raise UsageError(what, where=other.files[0], details=details, hint=hint)


@frozen
class Keyring:
    """Public keys, of which some may be revoked.

    Attributes:
        known: Each key once, sorted by name.
        revocations: Also of keys that are not known any more.
    """

    known: tuple[KnownKey, ...] = field(default=(), validator=_refuse_ambiguity)
    revocations: tuple[Revocation, ...] = ()

    @classmethod
    def read(cls, folders: Sequence[str]) -> Keyring:
        """What stands in folders, which need not be there.

        Raises:
            UsageError: a file is not of its form, or breaks a rule; with its name and line.
        """
        files: dict[PublicKey, tuple[str, ...]] = {}
        for key, file in _public_keys(folders):
            files[key] = (*files.get(key, ()), file)
        keys = sorted(files, key=lambda key: key.name)
        known = tuple(KnownKey(key, files[key]) for key in keys)
        return cls(known, tuple(_revocations(folders)))

    @property
    def valid_ids(self) -> frozenset[str]:
        """The ids of the known keys that were not revoked."""
        keys = (each.public for each in self.known)
        return frozenset(key.key_id for key in keys if self.revocation(key) is None)

    def named(self, name: str) -> KnownKey | None:
        """The key of a name, also if it was revoked; None, if there is none."""
        return next((each for each in self.known if each.public.name == name), None)

    def revocation(self, key: PublicKey) -> Revocation | None:
        """Why a key is no longer good; None: it is (rule 3)."""
        return next((each for each in self.revocations if each.key.raw == key.raw), None)

    def candidates(self, key_id: str) -> tuple[PublicKey, ...]:
        """Which known keys a signature can be by: the one of the id, or any, if it says none.

        A revoked key is among them: what it signed has a reason of its own to be refused.
        """
        keys = (each.public for each in self.known)
        return tuple(key for key in keys if key_id in ("", key.key_id))


def _public_keys(folders: Sequence[str]) -> Iterator[tuple[PublicKey, str]]:
    for file in _files(folders, PUBLIC):
        key = PublicKey.read(read_key_file(file), file)
        refuse_other_name(file, key.name)
        yield key, file


def _revocations(folders: Sequence[str]) -> Iterator[Revocation]:
    for file in _files(folders, REVOKED):
        revocation = Revocation.read(read_key_file(file), file)
        refuse_other_name(file, revocation.key.name)
        yield revocation


def _files(folders: Sequence[str], ending: str) -> Iterator[str]:
    for folder in folders:
        yield from (os.path.join(folder, name + ending) for name in names_in(folder, ending))
