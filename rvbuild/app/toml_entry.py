"""One entry of a table in a TOML file, put there or taken away by changing one line.

Knows: TOML's lines. Must not know: files, settings.

Comments and order stay. An edit is made as a person would make it, and is then read again: if the
document does not say exactly what it said before, with that one change, it is refused. So whatever
form somebody chose for the table (dotted names, a table in one line, text over several lines),
nothing is lost; it may only have to be edited by hand.

Example: with ``team = "https://cache.corp"`` put into ``caches`` of ::

    jobs = 4  # the machine has more
    [caches]
    lab = "/mnt/lab"

    [accept]
    build = "ci"

a line follows ``lab``, and the rest is as it was.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ANY_TABLE = re.compile(r"\s*\[")


class CannotEdit(ValueError):
    """The document has a form in which nobody can change one line safely."""


def put_entry(text: str, table: str, name: str, value: str) -> str:
    """The document with an entry more, or with another value of it.

    Args:
        text: TOML.
        table: The name of a table at the top.
        name: The entry's.
        value: A text without control characters.

    Raises:
        CannotEdit: by hand only.
    """

    def change(document: dict[str, object]) -> None:
        entries = document.setdefault(table, {})
        if not isinstance(entries, dict):
            msg = f"{table} is no table"
            raise CannotEdit(msg)
        entries[name] = value

    return _checked(text, _with(text, table, name, value), change)


def drop_entry(text: str, table: str, name: str) -> str:
    """The document without an entry.

    Raises:
        CannotEdit: by hand only; or it has none.
    """

    def change(document: dict[str, object]) -> None:
        entries = document.get(table)
        if not isinstance(entries, dict) or name not in entries:
            msg = f"there is no {table}.{name}"
            raise CannotEdit(msg)
        del entries[name]

    return _checked(text, _without(text, table, name), change)


def entry_line(name: str, value: str) -> str:
    """The line of an entry, as ``team = "https://cache.corp"``."""
    key = name if _BARE.fullmatch(name) else json.dumps(name)
    return f"{key} = {json.dumps(value, ensure_ascii=False)}"


def _checked(text: str, edited: str, change: Callable[[dict[str, object]], None]) -> str:
    """The edited document, if it says what it should."""
    expected = tomllib.loads(text)
    change(expected)
    try:
        is_right = tomllib.loads(edited) == expected
    except tomllib.TOMLDecodeError:
        is_right = False
    if not is_right:
        msg = "its form is not one in which a line can be changed safely"
        raise CannotEdit(msg)
    return edited


def _with(text: str, table: str, name: str, value: str) -> str:
    lines = text.splitlines(keepends=True)
    span = _span(lines, table)
    line = entry_line(name, value) + "\n"
    if span is None:
        gap = "\n" if text.strip() else ""
        end = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{end}{gap}[{table}]\n{line}"
    at = _line_of(lines, span, name)
    if at is not None:
        lines[at] = line
        return "".join(lines)
    begin, end_at = span
    while end_at > begin and not lines[end_at - 1].strip():
        end_at -= 1
    if not lines[end_at - 1].endswith("\n"):
        lines[end_at - 1] += "\n"
    return "".join((*lines[:end_at], line, *lines[end_at:]))


def _without(text: str, table: str, name: str) -> str:
    lines = text.splitlines(keepends=True)
    span = _span(lines, table)
    at = None if span is None else _line_of(lines, span, name)
    return text if at is None else "".join((*lines[:at], *lines[at + 1 :]))


def _span(lines: list[str], table: str) -> tuple[int, int] | None:
    """The lines of a table, from its first entry on."""
    header = re.compile(rf"\s*\[\s*{re.escape(table)}\s*\]\s*(#.*)?\s*")
    for begin, line in enumerate(lines, 1):
        if header.fullmatch(line):
            ends = (at for at in range(begin, len(lines)) if _ANY_TABLE.match(lines[at]))
            return begin, next(ends, len(lines))
    return None


def _line_of(lines: list[str], span: tuple[int, int], name: str) -> int | None:
    """The line of an entry."""
    key = re.escape(name)
    entry = re.compile(rf"\s*(?:{key}|\"{key}\"|'{key}')\s*=")
    return next((at for at in range(*span) if entry.match(lines[at])), None)
