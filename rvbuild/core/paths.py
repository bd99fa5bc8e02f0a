"""What a name, a path and a symbolic link's target may be in a tree.

Knows: text. Must not know: trees, archives, disks. Whoever takes a path from outside asks here:
archives, transfers, stores, recipes.

- A **name** is one component of a path: ``bin``, not ``..``, ``a/b`` or nothing.
- A **path** is names with ``/`` between them, from the root of a tree on: ``usr/bin/env``.
- A **target** is any text that symlink(2) takes: ``../lib/x``, ``/etc/mtab``.

All of them are UTF-8 and have no NUL. Lengths are in bytes.
"""

from __future__ import annotations

from rvbuild.core.errors import Malformed

MAX_NAME = 255
"""NAME_MAX of every file system that rvbuild supports."""

MAX_PATH = 2048
"""Half of Linux' PATH_MAX, so that a mount's or a store's own path fits in front of it."""

MAX_TARGET = 4095
"""Linux' PATH_MAX, 4096, without the NUL that it counts. Nothing is put in front of a target."""

MAX_LINKS = 40
"""Links on the way of one path: Linux' MAXSYMLINKS, after which it says ELOOP."""


def is_component(text: str) -> bool:
    """Whether the text has a name's form; its length and encoding are not looked at."""
    return text not in {"", ".", ".."} and "/" not in text and "\0" not in text


def check_name(name: str) -> None:
    """Refuse what cannot be one path component.

    Raises:
        VerificationError: no component, not UTF-8, or over 255 bytes.
    """
    if not is_component(name):
        msg = f"not a file name: {name!r}"
        raise Malformed(msg)
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        msg = f"file name is not UTF-8: {name!r}"
        raise Malformed(msg) from None
    if length > MAX_NAME:
        msg = f"file name longer than {MAX_NAME} bytes: {name[:40]!r}…"
        raise Malformed(msg)


def path_problem(path: str) -> str:
    """Why the text is no path, whatever its names are; empty if it is one."""
    if not path:
        return "an empty name"
    if path[0] == "/":
        return "the path is absolute"
    if "\0" in path:
        return "the name has a NUL in it"
    # a character has at most four bytes
    if len(path) * 4 > MAX_PATH and len(path.encode(errors="replace")) > MAX_PATH:
        return f"the path is longer than {MAX_PATH} bytes"
    return ""


def is_target(text: str) -> bool:
    """Whether the text can be the target of a symbolic link."""
    try:
        return 0 < len(text.encode()) <= MAX_TARGET and "\0" not in text
    except UnicodeEncodeError:
        return False


def check_target(target: str) -> None:
    """Refuse what cannot be the target of a symbolic link.

    Raises:
        VerificationError: empty, with NUL, not UTF-8, or over 4,095 bytes.
    """
    if not is_target(target):
        msg = f"not the target of a symlink: {target[:80]!r}"
        raise Malformed(msg)
