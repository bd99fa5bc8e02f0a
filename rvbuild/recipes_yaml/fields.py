"""Typed access to one mapping of a document; every error carries its place.

Knows: required, optional, unknown keys, and suggestions. Must not know: which keys exist.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Mapping as Table
from types import MappingProxyType
from typing import NoReturn

from rvbuild.core.errors import RecipeError, RvbuildError, closest, suggestion
from rvbuild.core.place import Place
from rvbuild.kinds.declaration import MAX_DIGITS
from rvbuild.recipes_yaml.document import Items, Mapping, Node, Scalar

Words = Table[str, tuple[str, str]]
"""Why there is no such key, and what to write instead of it."""


class Fields:
    """The keys of one mapping; ``finish`` refuses what is missing and what is too much.

    A missing text is an error of ``finish``: which of the keys that are there have no meaning is
    known once every other was asked for.
    """

    def __init__(
        self, node: Node, error: type[RvbuildError] = RecipeError, *, like: str = "key: value"
    ) -> None:
        if not isinstance(node, Mapping):
            msg = "a mapping (key: value) is expected here"
            raise error(msg, where=node.where, hint=f"for example: {like}")
        self.node = node
        self.error = error
        self._known: dict[str, None] = {}
        self._missing: list[str] = []

    @property
    def where(self) -> Place:
        """The place of the mapping."""
        return self.node.where

    def __contains__(self, key: str) -> bool:
        return key in self.node.nodes

    def at(self, key: str) -> Place:
        """The place of a key, or of the mapping."""
        return self.node.at(key)

    def take(self, key: str) -> Node | None:
        """The node under ``key``."""
        self._known[key] = None
        return self.node.nodes.get(key)

    def require(self, key: str) -> Node:
        """The node under ``key``, which must be there."""
        node = self.take(key)
        if node is None:
            raise self._lacks(key, None)
        return node

    def _lacks(self, key: str, otherwise: str | None) -> RvbuildError:
        """The error for a missing key; its hint names another that may be meant to be it."""
        near = closest(key, self._unknown())
        hint = f"is {near!r} meant to be it?" if near else otherwise
        return self.error(f"the key {key!r} is missing", where=self.where, hint=hint)

    def _unknown(self) -> list[str]:
        """The keys that nobody asked for yet."""
        return [key for key in self.node.nodes if key not in self._known]

    def text(self, key: str, default: str | None = None) -> str:
        """A scalar; without a default it must be there, see ``finish``."""
        node = self.take(key)
        if node is None:
            if default is None:
                self._missing.append(key)
            return default or ""
        return scalar_text(node, key, self.error)

    def maybe(self, key: str) -> str | None:
        """A scalar, or None if it is not there."""
        node = self.take(key)
        return None if node is None else scalar_text(node, key, self.error)

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A sequence of scalars without repetition."""
        items = _items(self, key)
        if key not in self:
            return default
        values = tuple(scalar_text(item, key, self.error) for item in items)
        earlier: set[str] = set()
        for item, value in zip(items, values, strict=True):
            if value in earlier:
                msg = f"{value!r} is listed twice in {key!r}"
                raise self.error(msg, where=item.where)
            earlier.add(value)
        return values

    def number(self, key: str, default: int | None = None) -> int:
        """A whole number, not negative; without a default it must be there, see ``finish``."""
        value = self.text(key, None if default is None else str(default))
        if key in self._missing:
            return 0
        if not (value.isascii() and value.isdecimal()) or len(value) > MAX_DIGITS:
            msg = f"{key!r} must be a whole number of at most {MAX_DIGITS} digits, not {value!r}"
            raise self.error(msg, where=self.at(key))
        return int(value)

    def fields(self, key: str, like: str = "NAME: value") -> Fields | None:
        """The mapping under ``key``; ``like`` is an example of what is in it."""
        node = self.take(key)
        return None if node is None else Fields(node, self.error, like=f"{key}: {{{like}}}")

    def finish(self, instead: Words = MappingProxyType({})) -> None:
        """Refuse a mapping without a text that must be there, and keys that nobody asked for.

        Args:
            instead: Of certain keys, why there is none, and what to write.
        """
        unknown = self._unknown()
        if self._missing:
            listed = f"unknown keys are here: {', '.join(unknown)}" if unknown else None
            raise self._lacks(self._missing[0], listed)
        for key in unknown:
            msg = f"unknown key {key!r}"
            hint = suggestion(key, self._known) or f"known here: {', '.join(self._known)}"
            if key in instead:
                why, hint = instead[key]
                msg = f"{msg}: {why}"
            raise self.error(msg, where=self.at(key), hint=hint)


def scalar_text(node: Node, key: str, error: type[RvbuildError] = RecipeError) -> str:
    """The text of the node of ``key``, which must be a scalar."""
    if not isinstance(node, Scalar):
        msg = f"{key!r} must be one value, not a list or mapping"
        raise error(msg, where=node.where)
    return node.text


def flag(fields: Fields, key: str, *, default: bool = False) -> bool:
    """``true`` or ``false``."""
    value = fields.text(key, "true" if default else "false")
    if value not in {"true", "false"}:
        msg = f"{key!r} must be true or false, not {value!r}"
        raise fields.error(msg, where=fields.at(key))
    return value == "true"


def words(fields: Fields, key: str) -> tuple[str, ...]:
    """A sequence of scalars, of which some may be the same."""
    return tuple(scalar_text(item, key, fields.error) for item in _items(fields, key))


def choice(fields: Fields, key: str, allowed: Collection[str], default: str) -> str:
    """One of a closed set of words, or the default."""
    value = fields.text(key, default)
    if key in fields and value not in allowed:
        _refuse_word(fields, key, value, allowed)
    return value


def choices(
    fields: Fields, key: str, allowed: Collection[str], default: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """A sequence of words out of a closed set."""
    values = fields.texts(key, default)
    for value in values:
        if value not in allowed:
            _refuse_word(fields, key, value, allowed)
    return values


def _items(fields: Fields, key: str) -> Sequence[Node]:
    node = fields.take(key)
    if node is None:
        return ()
    if not isinstance(node, Items):
        msg = f"{key!r} must be a list"
        like = node.text if isinstance(node, Scalar) else "a, b"
        raise fields.error(msg, where=node.where, hint=f"for example: {key}: [{like}]")
    return node.nodes


def _refuse_word(fields: Fields, key: str, value: str, allowed: Collection[str]) -> NoReturn:
    msg = f"{key!r} cannot be {value!r}"
    hint = suggestion(value, allowed) or f"one of: {', '.join(allowed)}"
    if " " in value and set(value.split()) <= set(allowed):
        hint = f"put ',' between them: {', '.join(value.split())}"
    raise fields.error(msg, where=fields.at(key), hint=hint)
