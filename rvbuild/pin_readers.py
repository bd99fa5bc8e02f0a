"""Readers of derived pins: a file's bytes to one value and the line that it stands on.

Knows: go.mod, YAML and JSON, shell assignments, regular expressions, lines.
Must not know: where the bytes come from, what the value is for.
"""

from __future__ import annotations

import re
from typing import NoReturn

import jmespath
import jmespath.exceptions
import yaml
from attrs import define, field, frozen

from rvbuild.core.errors import Absent, LockError
from rvbuild.core.gomod import parse_go_mod
from rvbuild.core.place import Place
from rvbuild.core.recipe import Reading

MAX_BYTES = 8 << 20
MAX_DEPTH = 200
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@frozen
class Found:
    """A value and its line, counted from 1."""

    value: str
    line: int


def read_pin(reading: Reading, data: bytes, file: str) -> Found:
    """Read the value that ``reading`` describes.

    Args:
        reading: Reader, argument, and how the text is adjusted.
        data: The file.
        file: Its name, for messages.

    Raises:
        Absent: nothing was found.
        LockError: more than one thing was found.
    """
    if len(data) > MAX_BYTES:
        msg = f"{len(data)} bytes; pins are read out of files up to {MAX_BYTES}"
        raise LockError(msg, where=file)
    text = data.decode(errors="replace")
    found = _READERS[reading.reader](reading.argument, text, file, reading.where)
    return Found(reading.adjusted(found.value), found.line)


def _nothing(what: str, file: str, asked_at: Place | None) -> Absent:
    msg = f"no {what}"
    return Absent(msg, where=file, hint=f"asked for at {asked_at}")


def _go_module(module: str, text: str, file: str, asked_at: Place | None) -> Found:
    effective = parse_go_mod(text, file).effective(module)
    if effective is None:
        raise _nothing("module " + module, file, asked_at)
    return Found(effective.version, effective.line)


def _lines(text: str) -> list[str]:
    """The lines as an editor counts them; ``str.splitlines`` also splits at form feeds."""
    return text.removesuffix("\n").split("\n")


def _shell(name: str, text: str, file: str, asked_at: Place | None) -> Found:
    pattern = re.compile(
        rf"\s*(?:export\s+)?{re.escape(name)}=(['\"]?)([^'\"\s$`#;]+)\1\s*(?:\s#.*)?\Z"
    )
    found = [
        Found(match.group(2), number)
        for number, line in enumerate(_lines(text), 1)
        if (match := pattern.match(line))
    ]
    return _only(found, f"plain assignment of {name}", file, asked_at)


def _regex(pattern: str, text: str, file: str, asked_at: Place | None) -> Found:
    found = [
        Found(match.group(1), text.count("\n", 0, match.start(1)) + 1)
        for match in re.finditer(pattern, text, re.MULTILINE)
        if match.group(1)  # a group may take no part in a match
    ]
    return _only(found, f"match of {pattern!r}", file, asked_at)


def _only(found: list[Found], what: str, file: str, asked_at: Place | None) -> Found:
    """The one value; the same value several times is fine."""
    if not found:
        raise _nothing(what, file, asked_at)
    if len({each.value for each in found}) > 1:
        places = tuple(f"{Place(file, each.line)}: {each.value}" for each in found)
        msg = f"more than one {what}"
        raise LockError(msg, where=file, hint=f"asked for at {asked_at}", details=places)
    return found[0]


def _line(number: str, text: str, file: str, asked_at: Place | None) -> Found:
    lines = _lines(text)
    known = number.isascii() and number.isdecimal() and 1 <= int(number) <= len(lines)
    value = lines[int(number) - 1].strip() if known else ""
    if not value:
        raise _nothing("text on line " + number, file, asked_at)
    return Found(value, int(number))


# ---- YAML and JSON


class _Placed(str):
    """Text that remembers its line through a query."""

    __slots__ = ("line",)
    line: int


_Placed.__name__ = "str"  # JMESPath's functions tell types by their names


def _yaml(query: str, text: str, file: str, asked_at: Place | None) -> Found:
    document = _document(text, file)
    try:
        found = jmespath.search(query, document)
    except (jmespath.exceptions.JMESPathError, ValueError, RecursionError) as cause:
        msg = f"the JMESPath query {query!r} does not work here: {cause}".replace("\n", " ")
        raise LockError(msg, where=asked_at, details=(f"asked of {file}",)) from cause
    if not isinstance(found, _Placed):
        raise _nothing("single text at " + query, file, asked_at)
    return Found(str(found), found.line)


def _document(text: str, file: str) -> object:
    """The one document; every scalar but null is a ``_Placed``.

    Made of the parser's events: PyYAML's own composer recurses in C, and dies of depth.
    """
    maker = _Maker(file)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            maker.take(event)
    except yaml.YAMLError as cause:
        msg = f"not YAML: {cause}".replace("\n", " ")
        if "nesting depth" in msg:  # libyaml stops by itself, above our limit
            msg = f"nested deeper than {MAX_DEPTH} levels"
        raise LockError(msg, where=file) from cause
    return maker.root


@define
class _Open:
    """A list or mapping that is not closed yet; ``key`` waits for its value."""

    node: list[object] | dict[str, object]
    key: str | None = None


@define
class _Maker:
    """Events to plain lists and dictionaries; what an alias names is shared, not copied."""

    file: str
    root: object = field(default=None, init=False)
    _documents: int = field(default=0, init=False)
    _open: list[_Open] = field(factory=list, init=False)
    _anchors: dict[str, object] = field(factory=dict, init=False)

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            self._open.pop()
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._refuse("a second document: pins are read out of one", event)
        elif isinstance(event, yaml.AliasEvent):
            self._place(self._anchors.get(str(event.anchor)), event)
        elif isinstance(event, yaml.NodeEvent):
            node = _made(event)
            self._place(node, event)
            if isinstance(node, (list, dict)):
                self._open.append(_Open(node))
            if event.anchor:
                self._anchors[event.anchor] = node

    def _place(self, node: object, event: yaml.Event) -> None:
        if len(self._open) >= MAX_DEPTH:
            self._refuse(f"nested deeper than {MAX_DEPTH} levels", event)
        if not self._open:
            self.root = node
            return
        above = self._open[-1]
        if isinstance(above.node, list):
            above.node.append(node)
        elif above.key is None:
            above.key = node if isinstance(node, str) else ""  # no query can name another key
        else:
            above.node[above.key] = node
            above.key = None

    def _refuse(self, message: str, event: yaml.Event) -> NoReturn:
        raise LockError(message, where=Place(self.file, _line_of(event)))


def _line_of(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _made(event: yaml.NodeEvent) -> object:
    if isinstance(event, yaml.ScalarEvent):
        if event.implicit[0] and event.value in _NULLS:
            return None
        placed = _Placed(event.value)
        placed.line = _line_of(event)
        return placed
    return [] if isinstance(event, yaml.SequenceStartEvent) else {}


_READERS = {
    "go-module": _go_module,
    "yaml": _yaml,
    "shell": _shell,
    "regex": _regex,
    "line": _line,
}
