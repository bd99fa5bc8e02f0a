"""What differs between the recipes of two sides, of what is in no key.

Knows: which recipes came and went, and licences. Must not know: locks, what is built again.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from rvbuild.core.names import RecipeName
from rvbuild.core.side import Side


@frozen(kw_only=True)
class LicenceChange:
    """The licence of a recipe on both sides, as SPDX expressions."""

    recipe: str
    old: str
    new: str


@frozen(kw_only=True)
class RecipeDiff:
    """What differs.

    Attributes:
        added: The names of recipes that the new side alone has, sorted.
        removed: Those that the old side alone has.
        licences: Of recipes that both have, sorted by name.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    licences: tuple[LicenceChange, ...] = ()


def compare_recipes(old: Side, new: Side) -> RecipeDiff:
    """What differs; nothing where a side has a lock alone, or of a recipe that cannot be read."""
    if old.recipes is None or new.recipes is None:
        return RecipeDiff()
    unreadable = old.unreadable | new.unreadable
    then, now = dict(_licences(old, unreadable)), dict(_licences(new, unreadable))
    return RecipeDiff(
        added=tuple(sorted(now.keys() - then.keys())),
        removed=tuple(sorted(then.keys() - now.keys())),
        licences=tuple(
            LicenceChange(recipe=name, old=then[name], new=now[name])
            for name in sorted(then.keys() & now.keys())
            if then[name] != now[name]
        ),
    )


def _licences(side: Side, unreadable: frozenset[str]) -> Iterator[tuple[str, str]]:
    """The licence of each recipe, by the name that both sides have."""
    for name, recipe in (side.recipes or {}).items():
        if RecipeName.parse(name).base not in unreadable:
            yield side.common(name), recipe.license
