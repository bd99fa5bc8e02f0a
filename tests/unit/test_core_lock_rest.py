"""What a lock of some recipes leaves of the lock before it."""

from __future__ import annotations

import pytest

from rvbuild.core.lock import GoModuleSet, Lock, LockedSource, PinValue
from rvbuild.core.lock_rest import LockRest
from rvbuild.core.names import PinRef, SetRef, SourceRef
from rvbuild.core.recipe import Recipe
from rvbuild.core.spec_text import spec_text
from rvbuild.recipes_yaml.recipe import read_recipe

GO = "inputs: {build: [go], go-modules: {from: tree, packages: [./%s]}}\nbuild: x\n"


def recipe(name: str, text: str = "build: x\n") -> Recipe:
    return read_recipe(text.encode(), name, f"{name}.yaml")


APP = recipe("app", GO % "app")
TREE = Recipe(name="tree@1", file="t.yaml", kind="source")
TOOL = recipe("tool", GO % "tool")
RECIPES = (APP, TREE, recipe("other"), recipe("zlib"), TOOL)


def lock(*names: str) -> Lock:
    """A lock of sources (``a/x``), pins (``a.x``), and sets of Go modules (``a/x=PACKAGE``)."""
    pins = [PinRef.parse(name.replace(".", "/")) for name in names if "." in name]
    sets = [name.split("=") for name in names if "=" in name]
    sources = [SourceRef.parse(name) for name in names if not set(".=") & set(name)]
    specs = {package: recipe("u", GO % package).go_modules for _, package in sets}
    return Lock(
        pins={
            ref: PinValue(spec="", value="", source="", file="", line=1, trace=()) for ref in pins
        },
        sources={ref: LockedSource(spec="", parts=()) for ref in sources},
        go_modules={
            SetRef.parse(ref): GoModuleSet(
                specs=(spec_text(spec) if (spec := specs[package]) else "",), modules=(), go_sum=""
            )
            for ref, package in sets
        },
    )


def names(of: Lock) -> set[str]:
    return {*map(str, of.pins), *map(str, of.sources), *(f"{ref}=" for ref in of.go_modules)}


@pytest.mark.parametrize(
    ("old", "stays"),
    [
        ("other/x", True),
        ("other.version", True),
        ("tree@1/t", True),
        ("nobody/x", True),  # its recipe may be one that cannot be read
        ("nobody@7/x", True),
        ("tree@2/t", False),
        ("tree@2.version", False),
        ("tree/t", False),
        ("zlib@1/z", False),
        ("app/mine", True),
        ("app/mine@riscv64", True),
        ("app/gone", False),
        ("app/gone@riscv64", False),
        ("app.gone", False),
        ("tree@1/t=app", False),  # `app` was resolved, and asks for it no more
        ("tree@1/t=tool", True),
        ("tree@2/t=app", False),
        ("tree@1/t=another", False),
    ],
)
def test_what_no_recipe_can_ask_for_goes(old: str, *, stays: bool):
    """A lock of `app`, which has one source `mine`."""
    new = lock("app/mine")
    rest = LockRest(new=new, resolved=["app"], recipes=RECIPES, is_complete=True)
    united = rest.united(lock(old))
    assert names(united) == names(new) | (names(lock(old)) if stays else set())


def test_a_recipe_that_cannot_be_read_may_ask_for_any_set():
    old = lock("tree@1/t=another")
    rest = LockRest(new=Lock(), resolved=[], recipes=RECIPES, is_complete=False)
    assert names(rest.united(old)) == names(old)


def test_the_new_answer_is_the_answer():
    old, new = lock("app/mine", "tree@1/t=app"), lock("app/mine", "tree@1/t=app")
    rest = LockRest(new=new, resolved=["app"], recipes=RECIPES, is_complete=True)
    assert rest.united(old) == new
