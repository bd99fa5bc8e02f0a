"""What a name, a path and a symbolic link's target may be in a tree.

Knows: text. Must not know: trees, archives, disks. Whoever takes a path from outside asks here:
archives, transfers, stores, recipes.

- A **name** is one component of a path: ``bin``, not ``..``, ``a/b`` or nothing.
- A **path** is names with ``/`` between them, from the root of a tree on: ``usr/bin/env``.
- A **target** is any text that symlink(2) takes: ``../lib/x``, ``/etc/mtab``.

All of them are UTF-8 and have no NUL. Lengths are in bytes.
"""

from __future__ import annotations

from collections.abc import Callable

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
    if name.isascii() and len(name) <= MAX_NAME:
        return
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


def followed(path: str, look: Callable[[str], str | bool], *, is_root: bool) -> str | None:
    """The path without links in it, from the top of a tree on.

    1. A link's target goes on from the folder that the link lies in.
    2. With ``is_root`` the tree is a whole file system: an absolute target begins at its top, and
       ``..`` stays there. Without, both leave the tree.
    3. What lies below something that is no folder is nowhere.

    Example: with ``lib -> lib64`` and ``lib64/a -> b``, ``lib/a`` leads to ``lib64/b``.

    Args:
        path: Relative to the top of the tree.
        look: Gives the target of a link; else whether a folder is there.
        is_root: See rule 2.

    Returns:
        The path, at which nothing has to be; None if it leaves the tree, leads below a file, or
        has more than `MAX_LINKS` links on its way.
    """
    here: list[str] = []
    ahead, links = _names_reversed(path), 0
    while ahead:
        name = ahead.pop()
        if name == "..":
            if not here and not is_root:
                return None
            here = here[:-1]
            continue
        there = look("/".join([*here, name]))
        if isinstance(there, str):
            links += 1
            absolute = there.startswith("/")
            if links > MAX_LINKS or (absolute and not is_root):
                return None
            here = [] if absolute else here
            ahead += _names_reversed(there)
        elif there or not ahead:
            here.append(name)
        else:
            return None
    return "/".join(here)


def _names_reversed(path: str) -> list[str]:
    return [name for name in reversed(path.split("/")) if name not in {"", "."}]
