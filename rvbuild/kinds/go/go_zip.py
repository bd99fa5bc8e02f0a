"""Which files a module's zip may hold, as golang.org/x/mod/zip and module.CheckFilePath say.

Knows: names. Must not know: zip's format, hashes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rvbuild.core.errors import Malformed
from rvbuild.core.printable import brief

_ASCII_NAME = re.compile(r"[-!#$%&()+,.=@\[\]^_{}~ /0-9A-Za-z]*")
_MARK = re.compile(r"[-!#$%&()+,.=@\[\]^_{}~ 0-9A-Za-z]")
_WINDOWS = re.compile(
    r"(?:^|/)(?:con|com[1-9]|nul|prn|aux|lpt[1-9])(?:\.[^/]*)?(?:/|$)", re.IGNORECASE
)
_DOTTED = re.compile(r"(?:^|/)[^/]*\.(?:/|$)")


def check_names(names: Iterable[str], where: str) -> None:
    """Check the names of a module's files, folders with a ``/`` at the end.

    Args:
        names: Relative to the module, without duplicates.
        where: The zip, for messages.

    Raises:
        VerificationError: one is not allowed, or two differ in case alone.
    """
    folded: dict[str, str] = {}
    for name in names:
        path = name.removesuffix("/")
        wrong = _wrong(path)
        if not name.endswith("/") and path.lower().rpartition("/")[2] == "go.mod":
            wrong = wrong or ("" if path == "go.mod" else "only the root has a go.mod")
        if wrong:
            msg = f"not the zip of a module: {wrong}"
            raise Malformed(msg, where=f"{where}: {brief(name)}")
        _claim(folded, path, where)


def _claim(folded: dict[str, str], path: str, where: str) -> None:
    """Take ``path`` and every folder above it, in one spelling."""
    while path:
        first = folded.setdefault(path.casefold(), path)
        if first != path:
            msg = f"not the zip of a module: {brief(first)} differs in case alone"
            raise Malformed(msg, where=f"{where}: {brief(path)}")
        path = path.rpartition("/")[0]
        if folded.get(path.casefold()) == path:
            return


def _wrong(path: str) -> str:
    if not _ASCII_NAME.fullmatch(path) and not all(
        c == "/" or _MARK.match(c) or (not c.isascii() and c.isalpha()) for c in path
    ):
        return "a character in the name that Go does not allow"
    if "//" in path or path.startswith("/"):
        return "an empty part in the name"
    if _DOTTED.search(path):
        return "part of the name ends with a dot"
    if _WINDOWS.search(path):
        return "part of the name is reserved on Windows"
    return ""
