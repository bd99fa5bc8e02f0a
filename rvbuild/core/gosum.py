"""go.sum files: the ``h1:`` of modules and of their go.mod files.

Knows: https://go.dev/ref/mod (go.sum files) and the directory hash ``h1:``
(golang.org/x/mod/sumdb/dirhash). Must not know: where the files and the modules are.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping

from attrs import frozen

from rvbuild.core.errors import LockError, Where
from rvbuild.core.gomod import MODULE, check_module
from rvbuild.core.place import Place

_H1 = re.compile(r"h1:[A-Za-z0-9+/]{43}=")
_LINE = re.compile(f"{MODULE} {_H1.pattern}")
_GO_MOD_SUFFIX = "/go.mod"


@frozen(kw_only=True)
class GoSum:
    """A parsed go.sum: the ``h1:`` by (path, version), of module zips and of go.mod files."""

    modules: Mapping[tuple[str, str], str]
    mods: Mapping[tuple[str, str], str]


def parse_go_sum(text: str, file: str = "go.sum") -> GoSum:
    """Parse a go.sum file; hashes of another kind than ``h1:`` are skipped.

    Of several lines for one module the first counts, as for the go command. A second hash may stand
    in a line that nothing needs any more; where it matters, what is fetched is held to the first.

    Raises:
        LockError: it is not valid; ``where`` is ``file:line``.
    """
    modules: dict[tuple[str, str], str] = {}
    mods: dict[tuple[str, str], str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        if not words:
            continue
        where = Place(file, number)
        if len(words) != 3:
            msg = "not a module path, a version and a hash"
            raise LockError(msg, where=where)
        path, version, h1 = words
        if not h1.startswith("h1:"):
            continue
        check_h1(h1, where)
        into = mods if version.endswith(_GO_MOD_SUFFIX) else modules
        key = path, version.removesuffix(_GO_MOD_SUFFIX)
        check_module(*key, where)
        into.setdefault(key, h1)
    return GoSum(modules=modules, mods=mods)


def check_h1(h1: str, where: Where | None) -> None:
    """See that ``h1`` is ``h1:`` and a SHA-256 in base64.

    Raises:
        LockError: it is not.
    """
    if not is_h1(h1):
        msg = f"{h1[:80]!r} is not a hash as h1:BASE64"
        raise LockError(msg, where=where)


def is_h1(text: str) -> bool:
    """Whether it is ``h1:`` and a SHA-256 in base64."""
    return _H1.fullmatch(text) is not None


def is_go_sum_line(path: str, version: str, h1: str) -> bool:
    """Whether a go.sum can say this; as `check_module` and `check_h1`, for thousands of lines."""
    return _LINE.fullmatch(f"{path} {version} {h1}") is not None


def hash1(files: Mapping[str, str]) -> str:
    """The ``h1:`` of a set of files.

    Args:
        files: SHA-256 in hex by name; in a module zip names are ``PATH@VERSION/FILE``.
    """
    lines = "".join(f"{files[name]}  {name}\n" for name in sorted(files))
    return "h1:" + base64.b64encode(hashlib.sha256(lines.encode()).digest()).decode()


def hash1_go_mod(data: bytes) -> str:
    """The ``h1:`` of a go.mod file."""
    return hash1({"go.mod": hashlib.sha256(data).hexdigest()})
