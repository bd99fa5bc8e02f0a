"""What an update is said to change: of a series that moves, of one that is new, of everything."""

from __future__ import annotations

import pytest

from rvbuild.app.update_view import difference
from rvbuild.core.go_source import GoModule
from rvbuild.core.lock import GoModuleSet, Lock, LockedSource, PinValue
from rvbuild.core.lock_diff import LockDiff
from rvbuild.core.names import PinRef, SetRef, SourceRef
from rvbuild.core.recipe import Recipe
from rvbuild.core.side import Side
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.git.source import GitSource

GIT = GitSource(url="https://example.org/a.git", commit="a" * 40, tree="1" * 40, date=0, tag="v1")
MODULE = GoModule(path="e.org/m", version="v1", h1="h1:")
BOX = tuple(
    DebianPackage(name=name, version="1", architecture="amd64", pool="", sha256="1", size=1)
    for name in ("a", "b")
)


def _lock(recipe: str) -> Lock:
    """An entry of each section, of a recipe."""
    set_ = GoModuleSet(specs=(), go_sum="", modules=((MODULE.path, MODULE.version, MODULE.h1),))
    return Lock(
        pins={PinRef(recipe, "version"): PinValue(value="1", spec="", source=recipe, file="f")},
        sources={
            SourceRef(recipe, "tree"): LockedSource(spec="", parts=(GIT,)),
            SourceRef(recipe, "box", "amd64"): LockedSource(spec="", parts=BOX),
        },
        go_modules={SetRef(SourceRef(recipe, "tree")): set_},
    )


def _side(*names: str, lacking_set: str = "") -> Side:
    locks = [_lock(name) for name in names]
    sets = {ref: each for lock in locks for ref, each in lock.go_modules.items()}
    lock = Lock(
        pins={ref: each for lock in locks for ref, each in lock.pins.items()},
        sources={ref: each for lock in locks for ref, each in lock.sources.items()},
        go_modules={ref: e for ref, e in sets.items() if ref.source.recipe != lacking_set},
    )
    recipes = {name: Recipe(name=name, file="r.yaml") for name in names}
    return Side(name="", lock=lock, recipes=recipes)


NOTHING = LockDiff(pins=(), sources=(), sets=(), overall=())
OLD = ("app@1", "other@1")


@pytest.mark.parametrize("lacking_set", ["", "app@2"])
def test_a_new_series_lacks_nothing_that_another_recipe_has(lacking_set: str):
    """Nor the modules of a recipe that it has, which only the other's user needs."""
    new = _side(*OLD, "app@2", lacking_set=lacking_set)
    assert difference(_side(*OLD), new, ("1", "2")) == NOTHING


@pytest.mark.parametrize("series", [("1", "1"), ("", "")])
def test_what_goes_elsewhere_is_gone(series: tuple[str, str]):
    diff = difference(_side(*OLD), _side("app@1"), series)
    other = "other" if series[0] else "other@1"
    assert [str(each.pin) for each in diff.pins] == [f"{other}/version"]
    assert [str(each.source) for each in diff.sources] == [f"{other}/tree"]
    assert [str(each.name) for each in diff.sets] == [f"{other}/box@amd64", f"{other}/tree"]


@pytest.mark.parametrize("kept", [(), ("app@1",)])
def test_the_first_series_comes_from_what_has_none(kept: tuple[str, ...]):
    new = _side(*kept, "app@2", "other")
    assert difference(_side("app", "other"), new, ("", "2")) == NOTHING


def test_what_a_new_series_has_more_came():
    diff = difference(_side(*OLD), _side(*OLD, "app@2", "more@2"), ("1", "2"))
    assert {str(each).partition("/")[0] for each in diff.refs} == {"more"}
