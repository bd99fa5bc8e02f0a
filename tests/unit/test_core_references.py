"""A recipe names others without a series, wherever it names them."""

from __future__ import annotations

import re

import pytest

from rvbuild.core.errors import RecipeError
from rvbuild.core.references import references
from rvbuild.recipes_yaml.recipe import read_recipe

EVERY = """\
kind: image
version:
  first-of:
    - {from: r01, line: 1, file: V}
    - {from: r02, go-module: m}
date: {from: r03, git: date}
pins: {one: {one-of: [{from: r04, line: 1, file: V}]}}
sources:
  s: {from: r05}
  c: {crates: r06}
  m: {go-module: e.org/m, version: v1.0.0, go-sum: r07}
toolbox: r08
inputs:
  build: [r09]
  target: [r10]
  go-modules: {from: r11}
options:
  o: {input: r10, choices: {x: r10, y: r12}}
exports: {toolbox: r13}
checked-by: [r14]
image:
  name: localhost/it
  tag: a
  from: r15
  copy: {/bin: r16/bin/x, /lib: [r17/lib/y, recipe/z]}
build: x
"""
NAMES = [f"r{number:02}" for number in range(1, 18)]
FILES = (("z", b"", False),)
WORDS = {
    "toolchain": "sources: {s: {url: u}}\ngo: {toolchain: %s}\n",
    "more tools": "sources: {s: {url: u}}\ninputs: {build: [a, %s]}\ngo: {}\n",
    "libraries": "sources: {s: {url: u}}\ninputs: {target: [%s]}\nautotools: {}\n",
    "from": "kind: image\nimage: {name: localhost/it, tag: a, from: [a, %s]}\n",
}


def read(text: str):
    return read_recipe(text.encode(), "it", "it.yaml", FILES)


def test_each_place_that_names_a_recipe_is_known():
    recipe = read(EVERY)
    lines = EVERY.splitlines()
    places = {name: place for name, place in references(recipe) if name in NAMES}
    assert sorted(places) == NAMES
    for name, place in places.items():
        assert place is not None
        assert name in lines[place.line - 1]


@pytest.mark.parametrize("name", NAMES)
def test_none_of_them_says_a_series(name: str):
    """A recipe of two series would be of neither: nobody could say what it is built from."""
    with pytest.raises(RecipeError, match=f"{name}@1.34") as caught:
        read(re.sub(rf"\b{name}\b", f"{name}@1.34", EVERY))
    assert str(caught.value.where).startswith("it.yaml:")
    assert caught.value.where.line == next(
        number for number, line in enumerate(EVERY.splitlines(), 1) if name in line
    )


@pytest.mark.parametrize("text", WORDS.values(), ids=WORDS)
@pytest.mark.parametrize("name", ["go@1.34", "@1.34", "go@"])
def test_a_short_word_says_none_either(text: str, name: str):
    with pytest.raises(
        RecipeError, match=f"'{name}' names a series, and a recipe cannot"
    ) as caught:
        read(text % f"'{name}'")
    assert caught.value.where.line == 2
    assert "the recipe's own series" in str(caught.value.hint)
