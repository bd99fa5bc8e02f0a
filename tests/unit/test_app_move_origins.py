"""Which of several moves an entry follows: the one of what it is read from, or chosen by."""

from __future__ import annotations

import pytest

from rvbuild.app.move_origins import MoveOrigins
from rvbuild.core.names import PinRef, Ref, SetRef, SourceRef
from rvbuild.core.pin_step import PinStep
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.committed_root import CommittedFile, CommittedRoot
from rvbuild.release.literal_pin import chosen_sources, literal_pins

GIT = "git: 'https://e.org/g'"
RECIPES = {
    # three values that move, and what each chooses
    "two": "build: x\nversion: '1'\n"
    "pins: {b: '2', sum: 'x', read: {from: a, line: 1, file: V}}\n"
    f"sources: {{two: {{{GIT}, tag: '${{version}}'}}, a: {{{GIT}, tag: v1}}, "
    f"b: {{{GIT}, tag: 'v${{b}}'}}, c: {{url: 'https://e.org/${{b}}-${{sum}}'}}, "
    f"d: {{url: 'https://e.org/d'}}}}\n",
    "one": f"kind: source\nversion: '1'\nsources: {{one: {{{GIT}, tag: 'v${{version}}'}}}}\n",
    "app": "version: {from: t, line: 1, file: V}\npins: {o: {from: one, line: 1, file: V}, "
    "p: {first-of: [{literal: x}, {from: o, line: 1, file: V}]}}\n"
    "sources: {t: {from: two}, o: {from: one}}\nbuild: x\n",
    "far": f"kind: source\nversion: {{from: one, line: 1, file: V}}\n"
    f"sources: {{far: {{{GIT}, tag: '${{version}}'}}}}\n",
    "other": f"kind: source\nversion: '1'\nsources: {{other: {{{GIT}, tag: 'v${{version}}'}}}}\n",
    "half": "sources: {t: {from: two}}\n"
    "pins: {x: {from: t, line: 1, file: V}, y: 'x'}\nbuild: x\n",
}  # fmt: skip
MOVES = ("two/version", "two/b", "two/sources.a.tag", "one/version")
FOLLOWED: dict[Ref, str | None] = {
    PinRef("two", "version"): "two/version",
    PinRef("two", "b"): "two/b",
    PinRef("two", "sum"): "two/b",
    PinRef("two", "read"): "two/sources.a.tag",
    SourceRef("two", "two"): "two/version",
    SourceRef("two", "a"): "two/sources.a.tag",
    SourceRef("two", "b"): "two/b",
    SourceRef("two", "c", "amd64"): "two/b",
    SetRef(SourceRef("two", "b"), "cmd"): "two/b",
    PinRef("app", "version"): "two/version",
    PinRef("app", "o"): "one/version",
    PinRef("app", "p"): "one/version",
    SetRef(SourceRef("one", "one")): "one/version",
    PinRef("far", "version"): "one/version",
    SourceRef("far", "far"): "one/version",
    PinRef("half", "x"): "two/version",
    PinRef("other", "version"): None,
    SourceRef("other", "other"): None,
    SourceRef("lost", "lost"): None,
}


def _recipes() -> RecipeCollection:
    files = {f"{name}/recipe.yaml": CommittedFile(text.encode()) for name, text in RECIPES.items()}
    return RecipeCollection((CommittedRoot("recipes", files),))


def _steps(recipes: RecipeCollection) -> list[PinStep]:
    pins = {str(pin.ref): pin for pin in literal_pins(map(recipes.load, RECIPES))}
    moving = [pins[name] for name in MOVES]
    return [
        PinStep(pin=pin.ref, place=pin.place, old="1", new="2", sources=chosen_sources(pin))
        for pin in moving
    ]


@pytest.mark.parametrize("ref", FOLLOWED, ids=str)
@pytest.mark.parametrize("backwards", [False, True])
def test_an_entry_follows_the_nearest_move(ref: Ref, *, backwards: bool):
    """In whatever order they are."""
    recipes = _recipes()
    steps = _steps(recipes)[:: -1 if backwards else 1]
    at = MoveOrigins(recipes, steps).of([ref]).get(ref)
    followed = None if at is None else str(steps[at].pin)
    assert followed == FOLLOWED[ref]


def test_what_is_read_from_nothing_that_moves_follows_its_recipe():
    recipes = _recipes()
    steps = _steps(recipes)
    text = PinRef("half", "y")
    assert MoveOrigins(recipes, steps).of([text]) == {text: 0}
