"""The configuration in cargo's home: its file, and the files that it includes.

Knows: where cargo keeps them and how it puts them together ("Configuration" of cargo's reference,
https://doc.rust-lang.org/cargo/reference/config.html). Must not know: what they configure.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rvbuild.core.errors import SourceError

_DEPTH = 3  # [source.NAME] key
_PATHS = ("local-registry", "directory", "cainfo")


def read_home(environment: Mapping[str, str]) -> tuple[Mapping[str, Any], str]:
    """The tables of the configuration, and its file; empty if there is none.

    ``config`` hides ``config.toml``, as for cargo. What a file says is stronger than what it
    includes, and what it includes later than what it includes earlier. Paths are absolute.

    Raises:
        SourceError: a file cannot be read, or includes itself.
    """
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    folder = Path(environment.get("CARGO_HOME") or home / ".cargo")
    for path in (folder / "config", folder / "config.toml"):
        if path.exists():
            return _read(path, ()), str(path)
    return {}, ""


def _read(path: Path, above: tuple[Path, ...]) -> Mapping[str, Any]:
    if path in above:
        msg = "the configuration file includes itself"
        raise SourceError(msg, where=str(path), details=tuple(map(str, above)))
    try:
        own = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, error) from None
    tables: Mapping[str, Any] = {}
    for file in _included(own, path):
        tables = _over(_read(file, (*above, path)), tables)
    return _over(_absolute(own, path), tables)


def _included(tables: Mapping[str, Any], path: Path) -> Iterator[Path]:
    """The files that a file includes; one that is optional need not be there."""
    entries = tables.get("include", [])
    for entry in entries if isinstance(entries, list) else [entries]:
        table = entry if isinstance(entry, dict) else {"path": entry}
        name = table.get("path")
        if not isinstance(name, str):
            msg = "'include' must list paths"
            raise SourceError(msg, where=str(path))
        file = Path(os.path.normpath(path.parent / name))
        if file.exists() or table.get("optional") is not True:
            yield file


def _absolute(tables: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """Relative paths start at the folder above the file's own."""
    sources = tables.get("source")
    for table in (*(sources.values() if isinstance(sources, dict) else ()), tables.get("http")):
        for key in _PATHS if isinstance(table, dict) else ():
            if isinstance(table.get(key), str) and table[key]:
                table[key] = str(path.parent.parent / table[key])
    return tables


def _over(
    upper: Mapping[str, Any], lower: Mapping[str, Any], depth: int = _DEPTH
) -> Mapping[str, Any]:
    """What ``upper`` says, and what ``lower`` says beside it."""
    both = dict(lower)
    for key, value in upper.items():
        there = both.get(key)
        tables = depth > 1 and isinstance(value, dict) and isinstance(there, dict)
        both[key] = _over(value, there, depth - 1) if tables and there is not None else value
    return both


def _unreadable(path: Path, error: Exception) -> SourceError:
    """What is wrong, and in which line: a parser's own message may quote a password."""
    if isinstance(error, OSError):
        cause = error.strerror or type(error).__name__
    else:
        line = re.search(r"line (\d+)", str(error))
        cause = f"not valid in line {line[1]}" if line else "not valid"
    return SourceError(f"not a readable configuration file: {cause}", where=str(path))
