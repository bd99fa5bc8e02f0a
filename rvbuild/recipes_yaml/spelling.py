"""How a text and an entry are written as YAML, in the style of what stands beside them.

Knows: the styles of scalars and mappings. Must not know: files, where an entry is put.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TypeGuard, Union

import yaml

from rvbuild.recipes_yaml.recipe_layout import TEXT_TAG, type_of

Words = Union[str, tuple[str, ...], Mapping[str, "Words"]]
"""A text, a list of texts, or a mapping of these and mappings."""

Pair = tuple[yaml.Node | None, yaml.Node | None]
"""The key and the value of an entry that stands beside."""

_NULL_TAG = "tag:yaml.org,2002:null"
_HEADER = re.compile(r"([|>])([-+]?)([1-9]?)([-+]?)([^\r\n\x85\u2028\u2029]*)")
_PROBE = "k"


def scalar_spelling(
    text: str, like: yaml.Node | None = None, *, flow: bool, is_key: bool = False
) -> str:
    """A text on one line, in the style of another scalar if that can hold it.

    Text stays text: what a reader of YAML would take for a number, a date, a truth value or nothing
    goes in quotes, unless ``like`` is plain and of the same type.

    Args:
        text: What it says.
        like: What stands there now, or the same in an entry beside it.
        flow: Whether it stands in ``{…}`` or ``[…]``.
        is_key: Whether it is a key.
    """
    style = like.style if isinstance(like, yaml.ScalarNode) else ""
    if style == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    if style not in ("'", '"') and text.isprintable():
        kept = type_of(like) if isinstance(like, yaml.ScalarNode) else TEXT_TAG
        if _plain_type(text, flow=flow, is_key=is_key) in {TEXT_TAG, kept} - {_NULL_TAG}:
            return text
    return _double_quoted(text)


def _plain_type(text: str, *, flow: bool, is_key: bool) -> str:
    """The type that a text without quotes has; ``""``: it does not say itself without quotes."""
    probe = f"{text}: {_PROBE}" if is_key else f"{_PROBE}: {text}"
    try:
        root = yaml.compose(f"{{{probe}}}" if flow else probe, Loader=yaml.CLoader)
    except yaml.YAMLError:
        return ""
    if not isinstance(root, yaml.MappingNode) or len(root.value) != 1:
        return ""
    key, value = root.value[0]
    node, other = (key, value) if is_key else (value, key)
    return type_of(node) if (node.value, other.value) == (text, _PROBE) else ""


def _double_quoted(text: str) -> str:
    escaped = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped)


def block_spellings(old: str, text: str, column: int, line_break: str) -> Iterator[str]:
    """Spellings of a text as ``|`` or ``>``, the one most like ``old`` first; not all are right.

    Args:
        old: What stands there now, from ``|`` or ``>`` on.
        text: What it has to say.
        column: That of the mapping.
        line_break: The break of each line.

    Yields:
        The header with its comment and the lines, without the break of the last.
    """
    style, before, digit, after, comment = _header(old)
    indent = " " * (column + int(digit) if digit else _indent(old, column + 2))
    body = text.rstrip("\n")
    blank = len(text) - len(body) - 1
    chomp = {-1: "-", 0: ""}.get(blank, "+")
    for sign in dict.fromkeys((style, "|")):
        for mark in dict.fromkeys((before or after, chomp)):
            folded = re.sub("\n+", lambda found: found[0] + "\n", body) if sign == ">" else body
            lines = [indent + line if line else "" for line in folded.split("\n")]
            lines += [""] * (blank if mark == "+" else 0)
            yield line_break.join((f"{sign}{digit}{mark}{comment}", *lines))


def header_comment(old: str) -> str:
    """What stands behind ``|`` or ``>`` and its signs: spaces, a comment."""
    return _header(old)[-1]


def _header(old: str) -> tuple[str, ...]:
    found = _HEADER.match(old)
    return found.groups() if found else ("|", "", "", "", "")


def _indent(old: str, default: int) -> int:
    """How far the first line of a text in block style is indented, if it has any."""
    found = re.search(r"[\r\n\x85\u2028\u2029]( +)[^\s]", old)
    return len(found[1]) if found else default


def entry_lines(key: str, words: Words, like: Pair, column: int) -> list[str]:
    """The lines of an entry in block style, without the indentation of its key.

    Args:
        key: Its key.
        words: Its value.
        like: Key and value of an entry beside it.
        column: That of the key beside it.
    """
    head = scalar_spelling(key, like[0], flow=False, is_key=True)
    beside = like[1]
    if isinstance(words, (str, tuple)) or not words or not _is_block(beside):
        return [f"{head}: {flow_spelling(words, beside, flow=False)}"]
    inner = beside.start_mark.column
    lines = (
        line
        for name, value in words.items()
        for line in entry_lines(name, value, _like(beside, name), inner)
    )
    return [f"{head}:", *(" " * (inner - column) + line for line in lines)]


def flow_entry(key: str, words: Words, like: Pair) -> str:
    """An entry of ``{…}``; ``like`` is key and value of an entry beside it."""
    head = scalar_spelling(key, like[0], flow=True, is_key=True)
    return f"{head}: {flow_spelling(words, like[1], flow=True)}"


def flow_spelling(words: Words, like: yaml.Node | None, *, flow: bool) -> str:
    """A value on one line; ``like`` is the value of an entry beside it."""
    if isinstance(words, str):
        return scalar_spelling(words, like, flow=flow)
    if isinstance(words, tuple):
        return f"[{', '.join(scalar_spelling(each, flow=True) for each in words)}]"
    inner = (flow_entry(key, value, _like(like, key)) for key, value in words.items())
    pad = _pad(like) if words else ""
    return "{" + pad + ", ".join(inner) + pad + "}"


def _is_block(node: yaml.Node | None) -> TypeGuard[yaml.MappingNode]:
    return isinstance(node, yaml.MappingNode) and not node.flow_style


def _like(node: yaml.Node | None, key: str) -> Pair:
    """Key and value of the same name in a mapping; else a key of it, for the style of its keys."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    same = next((pair for pair in pairs if pair[0].value == key), None)
    return same or (pairs[0][0] if pairs else None, None)


def _pad(node: yaml.Node | None) -> str:
    """The space behind ``{``, if there is one."""
    if not isinstance(node, yaml.MappingNode) or not node.value or not node.flow_style:
        return ""
    return " " if node.value[0][0].start_mark.column == node.start_mark.column + 2 else ""
