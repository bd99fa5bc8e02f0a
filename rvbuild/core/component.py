"""Things of which a source or a set has many, each in some version; and what became of one.

Knows: when one is the other in another version, and which is higher. Must not know: kinds, how
versions are ordered, locks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from itertools import groupby
from typing import Any, Protocol

from attrs import field, frozen

from rvbuild.core.canonical import Json


class Rank(Protocol):
    """The place of a version among others of its kind."""

    def __lt__(self, other: Any, /) -> bool: ...  # noqa: ANN401 - of its own type


class Move(Enum):
    """What became of a thing; the value is its word in JSON."""

    ADDED = "added"
    REMOVED = "removed"
    UP = "up"
    DOWN = "down"
    REPLACED = "replaced"
    """By what is neither higher nor lower: the same version of another content, another thing."""


@frozen(kw_only=True)
class Component:
    """A thing in one version.

    Attributes:
        kind: Its kind's tag.
        name: What it is called in every version; empty if its entry's name is all it has.
        version: Its version; empty if it has none.
        rank: The version's place among others of the name.
        content: Its identity.
        facts: All that the lock says of it, by name.
    """

    kind: str
    name: str
    version: str = ""
    rank: Rank = field(default="", eq=False, repr=False)
    content: Json = None
    facts: Mapping[str, str] = field(factory=dict, eq=False, repr=False)


@frozen(kw_only=True)
class ComponentChange:
    """What became of all versions of a thing.

    Attributes:
        kind: Its kind's tag.
        name: Its name.
        old: The former versions, the lowest first; empty if there were none.
        new: The versions now.
        move: In a word. Of several versions the highest decides, and where that stays, the lowest.
    """

    kind: str
    name: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    move: Move


def compare_components(
    old: Iterable[Component], new: Iterable[Component]
) -> tuple[ComponentChange, ...]:
    """What became of each thing of two lists, sorted by kind and name; what stays is left out."""
    former, current = _by_name(old), _by_name(new)
    changes = (
        _change(*key, former.get(key, ()), current.get(key, ()))
        for key in sorted({*former, *current})
    )
    return tuple(change for change in changes if change is not None)


def move_of(old: tuple[Component, ...], new: tuple[Component, ...]) -> Move:
    """What became of a thing; both lists are sorted, and differ."""
    if not old or not new:
        return Move.REMOVED if old else Move.ADDED
    for at in (-1, 0):
        if old[at].rank < new[at].rank:
            return Move.UP
        if new[at].rank < old[at].rank:
            return Move.DOWN
    return Move.REPLACED


def _by_name(
    components: Iterable[Component],
) -> Mapping[tuple[str, str], tuple[Component, ...]]:
    """Each thing's versions, each once, the lowest first."""
    keyed = sorted(components, key=_key)
    return {key: tuple(_once(each)) for key, each in groupby(keyed, key=_key)}


def _key(component: Component) -> tuple[str, str]:
    return component.kind, component.name


def _once(components: Iterable[Component]) -> Iterator[Component]:
    distinct = {(each.version, str(each.content)): each for each in components}
    yield from sorted(distinct.values(), key=lambda each: each.rank)


def _change(
    kind: str, name: str, old: tuple[Component, ...], new: tuple[Component, ...]
) -> ComponentChange | None:
    if old == new:
        return None
    return ComponentChange(
        kind=kind,
        name=name,
        old=tuple(each.version for each in old),
        new=tuple(each.version for each in new),
        move=move_of(old, new),
    )
