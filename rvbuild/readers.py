"""Readers of derived pins: a file's bytes to one value and the line that it stands on.

Knows: go.mod, YAML and JSON, shell assignments, regular expressions, lines.
Must not know: where the bytes come from, what the value is for.
"""

from __future__ import annotations

import re

import jmespath
import jmespath.exceptions
import yaml
from attrs import frozen

from rvbuild.core.errors import LockError
from rvbuild.core.gomod import parse_go_mod
from rvbuild.core.recipe import Reading

MAX_BYTES = 8 << 20


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
        LockError: nothing was found, or more than one thing.
    """
    if len(data) > MAX_BYTES:
        msg = f"{len(data)} bytes; pins are read out of files up to {MAX_BYTES}"
        raise LockError(msg, where=file)
    text = data.decode(errors="replace")
    found = _READERS[reading.reader](reading.argument, text, file, reading.where)
    return Found(adjust(reading, found.value), found.line)


def adjust(reading: Reading, value: str) -> str:
    """Strip and add what the pin says."""
    value = value.removeprefix(reading.strip_prefix)
    if reading.strip_suffix:
        value = re.sub(f"(?:{reading.strip_suffix})\\Z", "", value)
    return reading.prefix + value


def _nothing(what: str, file: str, asked_at: str) -> LockError:
    msg = f"no {what}"
    return LockError(msg, where=file, hint=f"asked for at {asked_at}")


def _go_module(module: str, text: str, file: str, asked_at: str) -> Found:
    effective = parse_go_mod(text, file).effective(module)
    if effective is None:
        raise _nothing("module " + module, file, asked_at)
    return Found(effective.version, effective.line)


def _shell(name: str, text: str, file: str, asked_at: str) -> Found:
    pattern = re.compile(
        rf"^\s*(?:export\s+)?{re.escape(name)}=(['\"]?)([^'\"\s$`#;]+)\1\s*(?:#.*)?$"
    )
    found = [
        Found(match.group(2), number)
        for number, line in enumerate(text.splitlines(), 1)
        if (match := pattern.match(line))
    ]
    return _only(found, f"plain assignment of {name}", file, asked_at)


def _regex(pattern: str, text: str, file: str, asked_at: str) -> Found:
    found = [
        Found(match.group(1), text.count("\n", 0, match.start(1)) + 1)
        for match in re.finditer(pattern, text, re.MULTILINE)
    ]
    return _only(found, f"match of {pattern!r}", file, asked_at)


def _only(found: list[Found], what: str, file: str, asked_at: str) -> Found:
    """The one value; the same value several times is fine."""
    if not found:
        raise _nothing(what, file, asked_at)
    if len({each.value for each in found}) > 1:
        places = tuple(f"{file}:{each.line}: {each.value}" for each in found)
        msg = f"more than one {what}"
        raise LockError(msg, where=file, hint=f"asked for at {asked_at}", details=places)
    return found[0]


def _line(number: str, text: str, file: str, asked_at: str) -> Found:
    lines = text.splitlines()
    if not number.isdecimal() or not 1 <= int(number) <= len(lines):
        raise _nothing("line " + number, file, asked_at)
    return Found(lines[int(number) - 1].strip(), int(number))


class _Placed(str):
    """Text that remembers its line through a query."""

    __slots__ = ("line",)
    line: int


def _yaml(query: str, text: str, file: str, asked_at: str) -> Found:
    try:
        document = yaml.compose(text, Loader=yaml.CSafeLoader)
        found = jmespath.search(query, _plain(document))
    except (yaml.YAMLError, RecursionError) as cause:
        msg = f"not YAML: {cause}".replace("\n", " ")
        raise LockError(msg, where=file) from cause
    except jmespath.exceptions.JMESPathError as cause:
        msg = f"not a JMESPath query: {query!r}"
        raise LockError(msg, where=asked_at) from cause
    if not isinstance(found, _Placed):
        raise _nothing("single text at " + query, file, asked_at)
    return Found(str(found), found.line)


def _plain(node: yaml.Node | None) -> object:
    if isinstance(node, yaml.ScalarNode):
        placed = _Placed(node.value)
        placed.line = node.start_mark.line + 1
        return placed
    if isinstance(node, yaml.SequenceNode):
        return [_plain(inner) for inner in node.value]
    if isinstance(node, yaml.MappingNode):
        return {str(_plain(key)): _plain(value) for key, value in node.value}
    return None


_READERS = {
    "go-module": _go_module,
    "yaml": _yaml,
    "shell": _shell,
    "regex": _regex,
    "line": _line,
}
