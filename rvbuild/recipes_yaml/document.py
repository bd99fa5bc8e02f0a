"""Strict YAML: text to nodes with places, over the C parser's events.

Knows: YAML's events and what is refused. Must not know: recipes or locks.
Every scalar stays text; whoever reads it decides what type it must have. Refused with
file, line and column: aliases and anchors, tags, duplicate keys, keys that are not text,
more than one document, depth beyond 64, files beyond 1 MiB, tabs that indent, and bytes
that are not UTF-8.
"""

from __future__ import annotations

from typing import Union

import yaml
from attrs import define

from rvbuild.core.errors import RecipeError, RvbuildError
from rvbuild.core.place import Place
from rvbuild.recipes_yaml.yaml_errors import Mark, explained

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
_NODES, _SCALAR = yaml.NodeEvent, yaml.ScalarEvent
_ENDS = yaml.SequenceEndEvent, yaml.MappingEndEvent


# Nodes are not frozen: nobody changes them, and a lock has thousands, which are read before
# each build; attrs' guard would take as long as all else that is done for a scalar.


@define
class Scalar:
    """Text."""

    text: str
    where: Place


@define
class Items:
    """A sequence."""

    nodes: list[Node]
    where: Place


@define
class Mapping:
    """A mapping; ``keys`` has the place of each key."""

    nodes: dict[str, Node]
    keys: dict[str, Place]
    where: Place


Node = Union[Scalar, Items, Mapping]


def parse(
    data: bytes,
    file: str,
    *,
    error: type[RvbuildError] = RecipeError,
    max_bytes: int = MAX_BYTES,
    if_empty: str | None = None,
) -> Mapping:
    """Read one document whose root is a mapping.

    Args:
        data: The file's bytes.
        file: Its name, for messages.
        error: What to raise.
        max_bytes: The largest file that is read.
        if_empty: What to do about a file with nothing in it.
    """
    return _Parser(file, error, if_empty).document(_text(data, file, error, max_bytes))


def _text(data: bytes, file: str, error: type[RvbuildError], max_bytes: int) -> str:
    if len(data) > max_bytes:
        msg = f"the file has {len(data)} bytes; at most {max_bytes} are read"
        raise error(msg, where=Place(file))
    try:
        text = data.decode()
    except UnicodeDecodeError as cause:
        line = data.count(b"\n", 0, cause.start) + 1
        column = cause.start - (data.rfind(b"\n", 0, cause.start) + 1) + 1
        msg = "not UTF-8"
        hint = "save the file as UTF-8"
        raise error(msg, where=Place(file, line, column), hint=hint) from cause
    return text


class _Parser:
    """One parse: the events' stream and where the error goes."""

    def __init__(self, file: str, error: type[RvbuildError], if_empty: str | None) -> None:
        self.file = file
        self.if_empty = if_empty
        self.error = error

    def document(self, text: str) -> Mapping:
        try:
            return self._root(text)
        except yaml.MarkedYAMLError as cause:
            if "nesting depth" in (cause.problem or ""):  # libyaml stops by itself, above our limit
                msg = f"nested deeper than {MAX_DEPTH} levels"
                raise self.error(msg, where=self._place(cause.problem_mark)) from cause
            found = explained(cause, text)
            where = self._place(found.mark)
            raise self.error(found.message, where=where, hint=found.hint) from cause
        except yaml.reader.ReaderError as cause:
            line = text.count("\n", 0, text.find(chr(cause.character))) + 1
            msg = f"the character U+{cause.character:04X} cannot stand in YAML"
            raise self.error(msg, where=Place(self.file, line), hint="remove it") from cause

    def _place(self, mark: Mark | None) -> Place:
        return Place(self.file, mark.line + 1, mark.column + 1) if mark else Place(self.file)

    def _fail(self, message: str, event: yaml.Event, hint: str | None = None) -> RvbuildError:
        return self.error(message, where=self._place(event.start_mark), hint=hint)

    def _root(self, text: str) -> Mapping:
        roots: list[Node] = []
        stack: list[Items | Mapping] = []
        key: str | None = None
        for event in yaml.parse(text, Loader=yaml.CLoader):
            if isinstance(event, _ENDS):
                stack.pop()
                continue
            if not isinstance(event, _NODES):
                continue
            if event.anchor or getattr(event, "tag", None) or len(stack) >= MAX_DEPTH:
                raise self._not_allowed(event)
            into = stack[-1] if stack else None
            if key is None and isinstance(into, Mapping):
                key = self._key(event, into)
                continue
            node = self._node(event)
            if isinstance(into, Items):
                into.nodes.append(node)
            elif into is not None:
                into.nodes[str(key)] = node
            else:
                roots.append(node)
                self._refuse_second(roots, event)
            key = None
            if not isinstance(node, Scalar):
                stack.append(node)
        return self._only_mapping(roots)

    def _only_mapping(self, roots: list[Node]) -> Mapping:
        if not roots:
            msg = "there is nothing in the file"
            raise self.error(msg, where=Place(self.file), hint=self.if_empty)
        if not isinstance(roots[0], Mapping):
            msg = "a mapping (key: value) is expected here"
            hint = "the file is lines of `key: value`, each key in the first column"
            raise self.error(msg, where=roots[0].where, hint=hint)
        return roots[0]

    def _not_allowed(self, event: yaml.NodeEvent) -> RvbuildError:
        if isinstance(event, yaml.AliasEvent):
            msg = f"alias *{event.anchor}: aliases are not allowed"
            return self._fail(msg, event, "write the value out")
        if event.anchor:
            msg = f"anchor &{event.anchor}: anchors are not allowed"
            return self._fail(msg, event, "write the value out where it is needed")
        tag = getattr(event, "tag", None)  # aliases have none
        if tag:
            return self._fail(f"tag {tag}: tags are not allowed", event)
        return self._fail(f"nested deeper than {MAX_DEPTH} levels", event)

    def _refuse_second(self, roots: list[Node], event: yaml.NodeEvent) -> None:
        if len(roots) > 1:
            msg = "a second document: only one is allowed"
            raise self._fail(msg, event)

    def _key(self, event: yaml.NodeEvent, mapping: Mapping) -> str:
        if not isinstance(event, _SCALAR):
            msg = "a key must be text"
            raise self._fail(msg, event)
        key: str = event.value
        if key in mapping.keys:
            msg = f"the key {key!r} is given twice"
            raise self._fail(msg, event, f"first given at {mapping.keys[key]}")
        mapping.keys[key] = self._place(event.start_mark)
        return key

    def _node(self, event: yaml.NodeEvent) -> Node:
        where = self._place(event.start_mark)
        if isinstance(event, _SCALAR):
            return Scalar(event.value, where)
        return (
            Items([], where)
            if isinstance(event, yaml.SequenceStartEvent)
            else Mapping({}, {}, where)
        )
