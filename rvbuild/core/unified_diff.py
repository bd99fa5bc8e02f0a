"""Unified diffs, as far as the names of the files that they change.

Knows: how diff and git write a name, and what GNU patch takes for one. Must not know: recipes,
sources, how a diff is applied.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

_INDENT = r"[ \tX]*"
"""What GNU patch passes over before a header; mails have it."""

_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_NAMED = re.compile(rf"{_INDENT}(?:--- |\+\+\+ |\*\*\* |Index:)[ \t]*(\S.*)")
_BOTH = re.compile(rf"{_INDENT}diff --git (.+)")
_MOVED = re.compile(rf"{_INDENT}(?:rename|copy) (?:from|to) (\S.*)")

_BINARY = re.compile(r"GIT binary patch|Binary files .+ differ")

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_PART = re.compile(r'\\([0-3][0-7]{2})|\\(["\\abfnrtv])|([^"\\]+)')
_ESCAPED = dict(zip('"\\abfnrtv', b'"\\\a\b\f\n\r\t\v', strict=True))


def named_files(lines: Iterable[str]) -> Iterator[str]:
    """The files that a diff names, each without the first part of its path.

    They may be more than it changes: of a name with a blank, GNU patch takes the first word where
    no tab ends it. The lines of a hunk are counted: what a diff takes out may look like a name.

    Raises:
        ValueError: one is quoted and nobody can read it.
    """
    for line in _headers(lines):
        if moved := _MOVED.match(line):
            yield from map(posixpath.normpath, _spelled(moved[1]))
        elif named := _NAMED.match(line):
            yield from map(_stripped, _spelled(named[1]))
        elif both := _BOTH.match(line):
            yield from (_stripped(name) for word in _words(both[1]) for name in _spelled(word))


def names_without_folder(lines: Iterable[str]) -> Iterator[str]:
    """For each file of a diff that ``patch -p1`` finds by no name: one that the diff has for it."""
    names: list[str] = []
    for line in _headers(lines):
        if _HUNK.match(line):
            if names and not any("/" in name for name in names):
                yield names[0]
            names = []
        elif named := _NAMED.match(line):
            names += [name for name in _spelled(named[1]) if name != "/dev/null"]


def binary_changes(lines: Iterable[str]) -> Iterator[str]:
    """The lines that say a file which is no text differs: GNU patch does nothing about one."""
    yield from (line for line in _headers(lines) if _BINARY.match(line))


def _headers(lines: Iterable[str]) -> Iterator[str]:
    """The lines of a diff but for those that are in hunks; the first line of each hunk is there."""
    old = new = 0
    for line in lines:
        if old > 0 or new > 0:
            old -= line[:1] != "+" and line[:1] != "\\"
            new -= line[:1] != "-" and line[:1] != "\\"
            continue
        if hunk := _HUNK.match(line):
            old, new = (int(count or 1) for count in hunk.groups())
        yield line


def _words(text: str) -> Iterator[str]:
    """Names side by side; one with a blank is quoted, or has a line of its own."""
    quoted = [each[0] for each in _QUOTED.finditer(text)]
    yield from quoted
    yield from _QUOTED.sub("", text).split()


def _spelled(text: str) -> Iterator[str]:
    """What GNU patch may take for the name at the begin of a text."""
    if text.startswith('"'):
        yield _unquoted(text)
        return
    names = (text.partition("\t")[0].rstrip(), text.split(maxsplit=1)[0])
    yield from (name for name in dict.fromkeys(names) if name != "/dev/null")


def _unquoted(text: str) -> str:
    """A name in the quotes of C.

    Raises:
        ValueError: there is no such name.
    """
    data, at = b"", 1
    while part := _PART.match(text, at):
        octal, letter, plain = part.groups()
        data += (
            bytes([int(octal, 8) if octal else _ESCAPED[letter]]) if not plain else plain.encode()
        )
        at = part.end()
    msg = f"a name in quotes that nobody can read: {text}"
    if text[at : at + 1] != '"':
        raise ValueError(msg)
    try:
        return data.decode()
    except UnicodeDecodeError as cause:
        raise ValueError(msg) from cause


def _stripped(name: str) -> str:
    """A path as ``patch -p1`` has it."""
    first, slash, rest = name.partition("/")
    return posixpath.normpath(rest.lstrip("/") if slash else first)
