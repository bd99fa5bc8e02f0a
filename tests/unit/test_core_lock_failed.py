"""Of a recipe that could not be locked nothing new is in the lock."""

from __future__ import annotations

from random import Random

import pytest
from attrs import evolve

from rvbuild.core.lock import GoModuleSet, Lock, LockedSource, PinValue
from rvbuild.core.lock_failed import LockFailed
from rvbuild.core.names import PinRef, SetRef, SourceRef
from rvbuild.core.recipe import Recipe
from rvbuild.core.spec_text import spec_text
from rvbuild.core.trace import Trace, content_digest
from rvbuild.kinds.git.source import GitSource
from rvbuild.recipes_yaml.recipe import read_recipe

RECIPES = "abcd"
GO = "inputs: {build: [go], go-modules: {from: %s, packages: [./%s]}}\nbuild: x\n"


def recipe(name: str, module: str = "") -> Recipe:
    text = GO % (module, name) if module else "build: x\n"
    return read_recipe(text.encode(), name, f"{name}.yaml")


def source(version: str, trace: Trace = ()) -> LockedSource:
    commit = (version * 40)[:40]
    part = GitSource(url="https://e.org/x", commit=commit, tree=commit, date=1)
    return LockedSource(spec=version, parts=(part,), trace=trace)


def digest(of: LockedSource) -> str:
    return content_digest(SourceRef("x", "s"), of.spec, of.parts)


def read(lock: Lock, *recipes: str) -> Trace:
    """What an answer was read from: the sources of recipes."""
    return tuple(
        (SourceRef(each, "s"), digest(lock.sources[SourceRef(each, "s")])) for each in recipes
    )


def lock(version: str, readers: dict[str, str], sets: dict[str, str]) -> Lock:
    """A lock in which each recipe has a source, and a pin out of its own or another's."""
    sources = {SourceRef(each, "s"): source(version) for each in RECIPES}
    new = Lock(sources=sources)
    return evolve(
        new,
        pins={
            PinRef(name, "p"): PinValue(
                spec="", value=version, source="", file="", line=1, trace=read(new, owner)
            )
            for name, owner in readers.items()
        },
        go_modules={
            SetRef(SourceRef(owner, "s")): GoModuleSet(
                specs=(spec_text(recipe(user, owner).go_modules),),  # type: ignore[arg-type]
                modules=(),
                go_sum=version,
                trace=read(new, owner),
            )
            for user, owner in sets.items()
        },
    )


def versions(of: Lock) -> dict[str, str]:
    """What is in a lock."""
    pins = {str(ref): pin.value for ref, pin in of.pins.items()}
    sources = {str(ref): each.spec for ref, each in of.sources.items()}
    return pins | sources | {f"{ref}=": each.go_sum for ref, each in of.go_modules.items()}


READERS = {"b": "a", "c": "b"}
"""Only b is read from a; c is read from b's source, which is not."""


@pytest.mark.parametrize(
    ("failed", "same", "causes"),
    [
        ("", "", {}),
        ("d", "", {}),
        ("a", "", {"b": "a", "c": "b"}),
        ("a", "a", {}),
        ("b", "", {"c": "b"}),
        ("a", "b", {"b": "a"}),
    ],
)
def test_who_is_read_from_what_the_lock_has_not_fails_too(
    failed: str, same: str, causes: dict[str, str]
):
    """Not if the source is as it was."""
    old, new = lock("1", READERS, {}), lock("2", READERS, {})
    kept = {ref: each for ref, each in old.sources.items() if ref.recipe in same}
    new = evolve(new, sources={**new.sources, **kept})
    run = LockFailed(old=old, new=new, recipes={})
    assert run.causes(set(failed)) == causes


def test_a_recipe_is_locked_as_a_whole_or_stays_as_it_was():
    old, new = (
        lock("1", {"a": "a"}, {"c": "a"}),
        lock("2", {"a": "a", "b": "b"}, {"c": "a", "d": "b"}),
    )
    recipes = {"c": recipe("c", "a"), "d": recipe("d", "b")}
    run = LockFailed(old=old, new=new, recipes=recipes)
    assert run.causes({"a"}) == {"c": "a"}
    assert versions(run.joined({"a", "c"})) == {
        "a/p": "1",
        "a/s": "1",
        "c/s": "1",
        "a/s=": "1",
        "b/p": "2",
        "b/s": "2",
        "d/s": "2",
        "b/s=": "2",
    }
    nothing = LockFailed(old=Lock(), new=new, recipes=recipes)
    assert nothing.causes({"b"}) == {"d": "b"}
    assert versions(nothing.joined({"a", "b", "c", "d"})) == {}


@pytest.mark.parametrize("seed", range(200))
def test_no_answer_is_of_a_source_that_the_lock_has_otherwise(seed: int):
    """Whoever reads whom, and whoever fails: what is new fits what is there."""
    chance = Random(seed)  # noqa: S311 - an example, no secret
    readers = {each: chance.choice(RECIPES) for each in RECIPES}
    sets = {each: chance.choice(RECIPES) for each in chance.sample(RECIPES, chance.randint(0, 4))}
    old, new = lock("1", readers, sets), lock("2", readers, sets)
    if chance.random() < 0.3:
        old = Lock()
    recipes = {user: recipe(user, owner) for user, owner in sets.items()}
    failed = set(chance.sample(RECIPES, chance.randint(1, 4)))
    run = LockFailed(old=old, new=new, recipes=recipes)
    failed |= run.causes(failed).keys()
    joined = run.joined(failed)
    for ref, pin in joined.pins.items():
        before = old.pins.get(ref)
        assert pin == (before if ref.recipe in failed else new.pins[ref])
        if ref.recipe not in failed:
            assert all(digest(joined.sources[asked]) == had for asked, had in pin.trace or ())
    assert {str(ref) for ref in new.pins if ref.recipe not in failed} <= versions(joined).keys()
    for ref, modules in joined.go_modules.items():
        if modules.go_sum == "2":
            assert all(digest(joined.sources[asked]) == had for asked, had in modules.trace or ())
        assert modules in (old.go_modules.get(ref), new.go_modules[ref])
