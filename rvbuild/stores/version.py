"""Which version of the format a store has: the number in its file ``version``.

Knows: how a store begins, and that one of another version is not touched. Must not know: what the
versions differ in.

The rules:

1. A store of this version has ``version`` with ``2`` and a newline in it.
2. A folder without that file in which no folder of a store has anything is no store yet: it gets
   its folders, and then the file. So whoever is killed between leaves what the next one begins.
3. A folder without that file that has content is a store of version 1, from before the file. That
   one, and one of a later version, is an error: not one byte of it changes, whoever asks.
"""

from __future__ import annotations

import os
import re
import shlex
from contextlib import suppress

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import StoreError
from rvbuild.files.folder import WrongKind
from rvbuild.stores.layout import Layout, guarded
from rvbuild.stores.records import create, put_record, read_or_none
from rvbuild.stores.top import FOLDERS, VERSION, VERSION_FILE

CONTENT = b"%d\n" % VERSION
"""What the file holds in a store of this version."""

_NOT_FOR_GIT = b"*\n!.gitignore\n!README.md\n!keys/\n!keys/**\n"
"""All but what a project has a reason to keep there."""
_FORM = re.compile(rb"([1-9][0-9]{0,8})\n")
_PASSING = {"locks", "tmp"}
"""What is in these is no content."""


def begin(layout: Layout, *, durable: bool) -> None:
    """See that a store has this version; make one of a folder that is none yet.

    Raises:
        StoreError: it has another one, nobody can tell, or it could not be made.
    """
    found = version_of(layout)
    if found not in {None, VERSION}:
        _refuse(layout.root, found or 0)
    with guarded(layout.root):
        make_whole(layout, durable=durable)


def make_whole(layout: Layout, *, durable: bool) -> None:
    """Make what every store of this version has, where it is missing.

    Raises:
        OSError: the disk could not take it.
    """
    layout.make_folders()
    path = f"{layout.root}/{VERSION_FILE}"
    if read_or_none(layout, path) is None:
        with suppress(FileExistsError):  # a project's store is in a clone, and not for git
            create(".gitignore", _NOT_FOR_GIT, 0o644, layout.fd, durable=durable)
        put_record(layout, path, CONTENT, durable=durable)


def version_of(layout: Layout) -> int | None:
    """The version of the store at ``layout``; None: it is no store yet.

    Raises:
        StoreError: its file is damaged, or could not be read.
    """
    found = _written(layout)
    if found is None and _has_content(layout):
        found = _written(layout) or 1  # another process may have begun it meanwhile
    return found


def _written(layout: Layout) -> int | None:
    path = f"{layout.root}/{VERSION_FILE}"
    with guarded(path, "read"):
        data = read_or_none(layout, path)
    if data is None:
        return None
    number = _FORM.fullmatch(data)
    if number is None:
        msg = "the store's version is damaged"
        hint = f"where it was this rvbuild's: echo {VERSION} > {shlex.quote(path)}"
        raise StoreError(msg, where=path, hint=hint)
    return int(number[1])


def _has_content(layout: Layout) -> bool:
    return any(_has_something(layout, name) for name in {*FOLDERS, "inputs"} - _PASSING)


def _has_something(layout: Layout, name: str) -> bool:
    path = f"{layout.root}/{name}"
    with (
        guarded(path, "read"),
        suppress(FileNotFoundError, WrongKind),
        layout.folder(path) as at,
        os.scandir(at) as entries,
    ):
        return next(entries, None) is not None
    return False


def _refuse(root: str, found: int) -> None:
    if found > VERSION:
        msg = f"a newer rvbuild made this store (version {found}; this one knows {VERSION})"
        raise StoreError(msg, where=root, hint=advise("use that rvbuild, or ", Remedy.STORE))
    old = shlex.quote(f"{root}.old")
    msg = f"an earlier rvbuild made this store (version {found}); it is left as it is"
    hint = advise(f"`mv {shlex.quote(root)} {old}`, then ", Remedy.IMPORT.of(old))
    raise StoreError(msg, where=root, hint=hint)
