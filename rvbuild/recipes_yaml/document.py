"""Strict YAML: text to nodes with places, over the C parser's events.

Knows: YAML's events and what is refused. Must not know: recipes or locks.
Every scalar stays text; whoever reads it decides what type it must have. Refused with
file, line and column: aliases and anchors, tags, duplicate keys, keys that are not text,
NUL in recipes, more than one document, depth beyond 64, files beyond 1 MiB, tabs that indent, and
bytes that are not UTF-8.
"""

from __future__ import annotations

from typing import Any, Union

import yaml
from attrs import define

from rvbuild.core.advice import Hint
from rvbuild.core.errors import RecipeError, RvbuildError
from rvbuild.core.place import Place
from rvbuild.recipes_yaml.yaml_errors import Mark, explained

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
_NODES, _SCALAR = yaml.NodeEvent, yaml.ScalarEvent
_ENDS = yaml.SequenceEndEvent, yaml.MappingEndEvent
_BEGIN = yaml.Mark("", 0, 0, 0, "", 0)


# Nodes are not frozen: nobody changes them, and a lock has thousands, which are read before
# each build; attrs' guard would take as long as all else that is done for a scalar. For the same
# reason a node has the parser's mark, and makes a place of it only when somebody asks.


@define
class _Marked:
    """What begins at a place of a file."""

    file: str
    mark: Mark

    @property
    def where(self) -> Place:
        return _place(self.file, self.mark)


@define
class Scalar(_Marked):
    """Text."""

    text: str


@define
class Items(_Marked):
    """A sequence."""

    nodes: list[Node]


@define
class Mapping(_Marked):
    """A mapping; ``marks`` are those of the keys."""

    nodes: dict[str, Node]
    marks: dict[str, Mark]

    @property
    def keys(self) -> dict[str, Place]:
        """The place of each key."""
        return {key: self.at(key) for key in self.marks}

    def at(self, key: str) -> Place:
        """The place of a key, or of the mapping if it does not have that."""
        return _place(self.file, self.marks.get(key, self.mark))


Node = Union[Scalar, Items, Mapping]

_CONFLICT = b"\n<<<<<<< "
_RESOLVE = "edit it: keep what is right of both, and remove the lines <<<<<<<, ======= and >>>>>>>"


def parse(  # noqa: PLR0913 - all but two have a default
    data: bytes,
    file: str,
    *,
    error: type[RvbuildError] = RecipeError,
    max_bytes: int = MAX_BYTES,
    if_empty: Hint | None = None,
    conflict: Hint = _RESOLVE,
) -> Mapping:
    """Read one document whose root is a mapping.

    Args:
        data: The file's bytes.
        file: Its name, for messages.
        error: What to raise.
        max_bytes: The largest file that is read.
        if_empty: What to do about a file with nothing in it.
        conflict: What to do about a file that git has not merged.
    """
    _refuse_conflicts(data, file, error, conflict)
    return _Parser(file, error, if_empty).document(_text(data, file, error, max_bytes))


def _refuse_conflicts(data: bytes, file: str, error: type[RvbuildError], hint: Hint) -> None:
    """See that git has merged all of a file.

    Raises:
        RvbuildError: ``error``, with ``hint``: two sides are in it.
    """
    before, mark, _ = (b"\n" + data).partition(_CONFLICT)
    if mark:
        msg = "git has not merged this file: both sides of a conflict are in it"
        raise error(msg, where=Place(file, before.count(b"\n") + 1, 1), hint=hint)


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


def _place(file: str, mark: Mark | None) -> Place:
    return Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)


class _Parser:
    """One parse: the events' stream and where the error goes."""

    def __init__(self, file: str, error: type[RvbuildError], if_empty: Hint | None) -> None:
        self.file = file
        self.if_empty = if_empty
        self.error = error

    def document(self, text: str) -> Mapping:
        try:
            return self._root(text)
        except yaml.MarkedYAMLError as cause:
            if "nesting depth" in (cause.problem or ""):  # libyaml stops by itself, above our limit
                msg = f"nested deeper than {MAX_DEPTH} levels"
                raise self.error(msg, where=_place(self.file, cause.problem_mark)) from cause
            found = explained(cause, text)
            where = _place(self.file, found.mark)
            raise self.error(found.message, where=where, hint=found.hint) from cause
        except yaml.reader.ReaderError as cause:
            line = text.count("\n", 0, text.find(chr(cause.character))) + 1
            msg = f"the character U+{cause.character:04X} cannot stand in YAML"
            raise self.error(msg, where=Place(self.file, line), hint="remove it") from cause

    def _fail(self, message: str, event: yaml.Event, hint: str | None = None) -> RvbuildError:
        return self.error(message, where=_place(self.file, event.start_mark), hint=hint)

    def _root(self, text: str) -> Mapping:
        roots = Items(self.file, _BEGIN, [])
        into: Items | Mapping = roots
        stack: list[Items | Mapping] = []
        key: str | None = None
        for event in iter(yaml.CLoader(text).get_event, None):
            if isinstance(event, _ENDS):
                into = stack.pop()
            elif isinstance(event, _NODES):
                if event.anchor or getattr(event, "tag", None) or len(stack) >= MAX_DEPTH:
                    raise self._not_allowed(event)
                if key is None and isinstance(into, Mapping):
                    key = self._key(event, into)
                    continue
                node = self._node(event)
                if isinstance(into, Items):
                    into.nodes.append(node)
                else:
                    into.nodes[str(key)] = node
                    key = None
                if not isinstance(node, Scalar):
                    stack.append(into)
                    into = node
        return self._only_mapping(roots.nodes)

    def _only_mapping(self, roots: list[Node]) -> Mapping:
        if not roots:
            msg = "there is nothing in the file"
            raise self.error(msg, where=Place(self.file), hint=self.if_empty)
        if len(roots) > 1:
            msg = "a second document: only one is allowed"
            raise self.error(msg, where=roots[1].where)
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

    def _key(self, event: yaml.NodeEvent, mapping: Mapping) -> str:
        if not isinstance(event, _SCALAR):
            msg = "a key must be text"
            raise self._fail(msg, event)
        key: str = event.value
        self._refuse_nul(event)
        if key in mapping.marks:
            msg = f"the key {key!r} is given twice"
            raise self._fail(msg, event, f"first given at {mapping.at(key)}")
        mapping.marks[key] = event.start_mark  # type: ignore[assignment]  # it always has one
        return key

    def _refuse_nul(self, event: yaml.ScalarEvent) -> None:
        """See that a recipe's text has no NUL; a lock has whatever a source says."""
        if "\0" in event.value and issubclass(self.error, RecipeError):
            msg = "a NUL is in this text"
            raise self._fail(msg, event, "no path, variable or script can hold one")

    def _node(self, event: yaml.NodeEvent) -> Node:
        mark: Any = event.start_mark  # libyaml always has one
        if isinstance(event, _SCALAR):
            self._refuse_nul(event)
            return Scalar(self.file, mark, event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            return Items(self.file, mark, [])
        return Mapping(self.file, mark, {}, {})
