"""Names of what is in a cache: the layout that a folder, a web server and a bucket share.

Knows: names. Must not know: how a cache is reached. The format's home is docs/caches.md.

::

    rvbuild-cache                                 the mark: what this is, in which version
    objects/ab/SHA256                             an object
    records/KEY/realisations/ab/DERIVATION        what the key KEY says of a derivation
    records/KEY/targets/TARGET                    what it says of a target and all below it
    leases/ID                                     a push in flight
    tmp/ID                                        a file that is being written
"""

from __future__ import annotations

import re
import secrets

from rvbuild.core.digest import Digest
from rvbuild.core.dsse import LARGEST

MARK = "rvbuild-cache"
"""The name of the file that says what this is."""
MARK_TEXT = b"1\n"
"""What the mark says: the version of the layout."""
OBJECTS, RECORDS, LEASES, TEMPORARY = "objects/", "records/", "leases/", "tmp/"

RECORD_LIMIT = LARGEST
"""Bytes of a record; nobody takes more, and nobody writes more."""

_LONGEST = 800
"""Letters of a name. The key of an object in a bucket has 1,024 at most, with its prefix."""
_PART = r"[A-Za-z0-9][A-Za-z0-9@._+-]{0,199}"
_NAME = re.compile(rf"{_PART}(?:/{_PART})*")
_HASH = r"([0-9a-f]{2})/\1[0-9a-f]{62}"
_OBJECT = re.compile(rf"{OBJECTS}{_HASH}")
_REALISATION = re.compile(rf"{RECORDS}{_PART}/realisations/{_HASH}")
_TARGET = re.compile(rf"{RECORDS}{_PART}/targets/{_PART}")
_FOLDER = re.compile(
    rf"{OBJECTS}[0-9a-f]{{2}}|{RECORDS}{_PART}(?:/targets|/realisations(?:/[0-9a-f]{{2}})?)?"
)
_LEASE = re.compile(rf"{LEASES}(?:collection|(?:push|ticket|trial)-[0-9a-f]{{16}})")
_TEMPORARY = re.compile(rf"{TEMPORARY}[0-9a-f]{{24}}")


def object_name(item: Digest) -> str:
    """Where an object is."""
    return f"{OBJECTS}{item.hash[:2]}/{item.hash}"


def realisation_name(key: str, derivation: str) -> str:
    """Where the record is that a key signed for a derivation (its SHA-256).

    Raises:
        ValueError: the key's name cannot be a part of a name.
    """
    return check_name(f"{RECORDS}{key}/realisations/{derivation[:2]}/{derivation}")


def target_name(key: str, target: str) -> str:
    """Where the record is that a key signed for a target: ``k3s-riscv64@1.34``.

    Raises:
        ValueError: one of them cannot be a part of a name.
    """
    return check_name(f"{RECORDS}{key}/targets/{target}")


def lease_name(identifier: str) -> str:
    """Where a lease is.

    Raises:
        ValueError: the identifier cannot be a part of a name.
    """
    return check_name(f"{LEASES}{identifier}")


def temporary_name() -> str:
    """A name that nobody has, for a file that is being written."""
    return f"{TEMPORARY}{secrets.token_hex(12)}"


def is_name(text: str) -> bool:
    """Whether something in a cache may have that name.

    Rules:

    1. A name is parts with ``/`` between them, at most 800 letters.
    2. A part has at most 200 letters: ASCII letters, digits and ``@._+-``. It begins with a letter
       or a digit, so none is ``..`` or hidden.

    Example: ``records/ci/targets/k3s-riscv64@1.34`` is a name; ``/etc/passwd``, ``a//b``,
    ``objects/../x`` and ``a b`` are none.
    """
    return len(text) <= _LONGEST and _NAME.fullmatch(text) is not None


def is_object(name: str) -> bool:
    """Whether an object has that name."""
    return _OBJECT.fullmatch(name) is not None


def is_realisation(name: str) -> bool:
    """Whether the record of a derivation has that name."""
    return _REALISATION.fullmatch(name) is not None


def is_record(name: str) -> bool:
    """Whether a record has that name."""
    return is_realisation(name) or _TARGET.fullmatch(name) is not None


def is_folder(name: str) -> bool:
    """Whether a folder of objects or records has that name."""
    return _FOLDER.fullmatch(name) is not None


def is_lease(name: str) -> bool:
    """Whether a lease has that name, or the record of a trial."""
    return _LEASE.fullmatch(name) is not None


def is_temporary(name: str) -> bool:
    """Whether a file that is being written has that name."""
    return _TEMPORARY.fullmatch(name) is not None


def check_name(text: str) -> str:
    """The same text, which is a name.

    Raises:
        ValueError: it is none: a mistake of who asks, not of the cache.
    """
    if not is_name(text):
        msg = f"not a name of something in a cache: {text!r}"
        raise ValueError(msg)
    return text
