"""A recipe file as text: where each of its entries stands.

Knows: characters, lines, comments. Must not know: what an entry means, how one is changed.

A file is read twice: by `document`, which refuses aliases, anchors, tags and repeated keys, and
then by PyYAML's composer, whose nodes have the characters with which each begins and ends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml
from attrs import frozen

from rvbuild.core.errors import RecipeError, suggestion
from rvbuild.core.place import Place
from rvbuild.recipes_yaml.document import parse
from rvbuild.recipes_yaml.text_lines import TextLines, lines_of

KeyPath = tuple[str, ...]
"""The keys that lead to an entry: ``("per-series", "1.35", "commit")``."""

_BOM = "\ufeff"
BLOCK_STYLES = ("|", ">")
TEXT_TAG = "tag:yaml.org,2002:str"
_NUMBER_TAG = "number of YAML 1.2"
_MERGE_TAG = "tag:yaml.org,2002:merge"
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
# What is a number in YAML 1.2, and to PyYAML, which reads 1.1, may be text: the commit 12e45678.
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+")


@frozen
class MappingEntry:
    """One ``key: value``: from the key's first character to what is behind the value's last.

    An item of a list is its own key; in block style it begins with its dash.

    The break of the last line of a text in block style is not within, nor are the blank lines
    below, unless they belong to the text (``|+``).
    """

    key: yaml.ScalarNode
    value: yaml.Node
    begin: int
    end: int

    @property
    def column(self) -> int:
        """How many characters stand before it in its line."""
        mark = self.key.start_mark
        return int(mark.column - (mark.index - self.begin))


@frozen
class RecipeLayout:
    """The text of a file, without a byte order mark, and its nodes.

    Attributes:
        file: Its name, for messages.
        mark: The byte order mark, or ``""``.
    """

    file: str
    mark: str
    lines: TextLines
    root: yaml.MappingNode

    @property
    def text(self) -> str:
        return self.lines.text

    def entry(self, path: KeyPath) -> MappingEntry:
        """The entry at a path.

        Raises:
            RecipeError: there is none, or a merge key hides what is there.
        """
        mapping = self.mapping(path[:-1])
        for entry in self.entries(mapping):
            if entry.key.value == path[-1]:
                return entry
        keys = [key.value for key, _ in mapping.value]
        hint = suggestion(path[-1], keys) or f"here are: {', '.join(keys) or 'none'}"
        msg = f"there is no {path_text(path)}"
        raise self.error(msg, mapping, hint)

    def mapping(self, path: KeyPath) -> yaml.MappingNode:
        """The mapping at a path, ``()`` for all of the file.

        Raises:
            RecipeError: as of `entry`; or it is no mapping.
        """
        node = self.entry(path).value if path else self.root
        if not isinstance(node, yaml.MappingNode):
            msg = f"{path_text(path)} is no mapping (key: value)"
            raise self.error(msg, node, "see whether its name is right")
        for key, _ in node.value:
            if key.tag == _MERGE_TAG:
                msg = "a merge key (<<): what this mapping has is not all written in it"
                raise self.error(msg, key, "write the values out")
        return node

    def entries(self, mapping: yaml.MappingNode) -> list[MappingEntry]:
        """The entries of a mapping, in their order."""
        return [
            MappingEntry(key, value, key.start_mark.index, self.end_of(value))
            for key, value in mapping.value
        ]

    def end_of(self, node: yaml.Node) -> int:
        """Where a node's text ends; a collection in block style ends with its last child."""
        if isinstance(node, yaml.CollectionNode) and not node.flow_style:
            last = node.value[-1]
            return self.end_of(last[1] if isinstance(node, yaml.MappingNode) else last)
        begin, end = node.start_mark.index, node.end_mark.index
        if isinstance(node, yaml.ScalarNode) and node.style in BLOCK_STYLES:
            keeps = keeps_blank_lines(self.text[begin:end])
            lines = self.lines
            return lines.before_break(end) if keeps else lines.before_blank_lines(end)
        return int(end)

    def first_line(self, entries: Sequence[MappingEntry], index: int) -> int:
        """The line where an entry begins, with the comments right above, which are its own.

        A comment that is indented deeper than the key belongs to what is above it.
        """
        floor = self.lines.number(entries[index - 1].end) + 1 if index else 0
        line, column = self.lines.number(entries[index].begin), entries[index].column
        while line > floor and 0 <= self.lines.comment(line - 1) <= column:
            line -= 1
        return line

    def last_line(self, entry: MappingEntry) -> int:
        """The line where an entry ends, or the last of the deeper comments right below."""
        line, column = self.lines.number(entry.end), entry.column
        while line + 1 < len(self.lines) and self.lines.comment(line + 1) > column:
            line += 1
        return line

    def encoded(self, text: str) -> bytes:
        """Another text as the bytes of such a file."""
        return (self.mark + text).encode()

    def error(self, message: str, node: yaml.Node, hint: str) -> RecipeError:
        """An error at the place of a node."""
        mark = node.start_mark
        where = Place(self.file, mark.line + 1, mark.column + 1)
        return RecipeError(message, where=where, hint=hint)


def layout_of(data: bytes, file: str) -> RecipeLayout:
    """Read a file.

    Args:
        data: Its bytes.
        file: Its name, for messages.

    Raises:
        RecipeError: it is not valid, with line and column.
    """
    parse(data, file)
    text = data.decode()
    mark = _BOM if text.startswith(_BOM) else ""
    text = text.removeprefix(mark)  # the parser does not count it
    root: Any = yaml.compose(text, Loader=yaml.CLoader)  # `parse` saw that it is a mapping
    return RecipeLayout(file, mark, lines_of(text), root)


def path_text(path: KeyPath) -> str:
    """A path for people: ``per-series."1.35".commit``."""
    return ".".join(key if _BARE.fullmatch(key) else f'"{key}"' for key in path)


def keeps_blank_lines(spelling: str) -> bool:
    """Whether the blank lines below a text in block style are part of it: ``|+``, ``>2+``."""
    return "+" in spelling[:3]


def type_of(node: yaml.Node) -> str:
    """The tag of what other readers of YAML take a node for: a text, a number, a date."""
    is_plain = isinstance(node, yaml.ScalarNode) and not node.style
    if is_plain and node.tag == TEXT_TAG and _NUMBER.fullmatch(node.value):
        return _NUMBER_TAG
    return str(node.tag)
