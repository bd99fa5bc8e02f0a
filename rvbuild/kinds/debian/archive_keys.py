"""Which keys may sign an archive's index.

Knows: rvbuild's copy of Debian's keys, keyrings of this machine. Must not know: signatures.

The rules:

1. Where apt's entry of the archive names keys (`signed-by`), these alone count.
2. Any other archive of apt's: the keys of apt's own keyrings (`trusted.gpg.d`), and Debian's.
3. Any other archive, as the snapshot archive: Debian's.
4. The keyrings of the setting `debian-keys` count everywhere.

Debian's keys are those that rvbuild brings, and those of the package `debian-archive-keyring`.

For example, a mirror of a company that signs its index itself has its keyring in `signed-by`: an
index with Debian's own signature is refused there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import frozen

from rvbuild.core.errors import SourceError
from rvbuild.kinds.debian.signatures import Keys
from rvbuild.transfers.apt_config import ArchiveOptions

KEYS_OF = "debian-archive-keyring 2025.1"
"""The package that rvbuild's copy of Debian's keys is from; scripts/archive_keys.py renews it."""

SETTING = "debian-keys"
_INSTALLED = tuple(
    Path(f"/usr/share/keyrings/debian-archive-keyring.{ending}") for ending in ("pgp", "gpg")
)
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{16,64}!?\Z")


@frozen
class ArchiveKeys:
    """The keys of a machine.

    Args:
        keyrings: Files that the user trusts for every archive.
        installed: Where the machine may have Debian's keys.
    """

    keyrings: Sequence[Path] = ()
    installed: Sequence[Path] = _INSTALLED

    def of(self, options: ArchiveOptions | None, apt: Sequence[Path]) -> Keys:
        """The keys that count for an archive.

        Args:
            options: What apt's entry of it says; None if apt has no entry.
            apt: Apt's own keyrings.

        Raises:
            SourceError: a keyring that the user named cannot be read.
        """
        own = [_named(path, where=SETTING) for path in self.keyrings]
        if options is None:
            return Keys.union([*self._debian(), *own])
        known = Keys.union([*_readable(apt), *self._debian()])
        if not options.signed_by:
            return Keys.union([known, *own])
        return Keys.union([*_signers(options.signed_by, known), *own])

    def _debian(self) -> list[Keys]:
        files = sorted((Path(__file__).parent / "keys").glob("*.asc"))
        return [*map(_read, files), *_readable(self.installed)]


def _signers(signed_by: Iterable[str], known: Keys) -> list[Keys]:
    """The keys that ``signed-by`` means."""
    parts = []
    for word in signed_by:
        if word.startswith("/"):
            parts.append(_named(Path(word), where="signed-by"))
        elif "-----BEGIN PGP" in word:
            parts.append(_inline(word))
        elif _FINGERPRINT.match(word):
            parts.append(known.only([word]))
    return parts


def _inline(text: str) -> Keys:
    """A key that stands in apt's sources itself.

    Raises:
        SourceError: it is none.
    """
    try:
        return Keys.read(text.encode())
    except ValueError as error:
        msg = f"signed-by has a key that cannot be read: {error}"
        hint = "copy the whole key there, with a dot for its empty line, each line after a space"
        raise SourceError(msg, where="apt's sources", hint=hint) from error


def _read(path: Path) -> Keys:
    return Keys.read(path.read_bytes())


def _named(path: Path, where: str) -> Keys:
    """A keyring that the user named.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        return _read(path)
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else str(error)
        msg = f"{where} names a keyring that cannot be read: {cause}"
        hint = "write it with `gpg --export`; a keybox of gpg is no keyring of apt"
        raise SourceError(msg, where=str(path), hint=hint) from error


def _readable(paths: Iterable[Path]) -> list[Keys]:
    """Keyrings of the machine; apt passes over those that it cannot read, too."""
    parts = []
    for path in paths:
        try:
            parts.append(_read(path))
        except (OSError, ValueError):
            continue
    return parts
