"""How the texts of a source get their values, and what has none."""

from __future__ import annotations

import pytest

from rvbuild.core.errors import RecipeError
from rvbuild.core.lock import GoModuleSet
from rvbuild.core.pinned import described
from rvbuild.core.recipe import GoModulesSpec, Recipe
from rvbuild.core.source import Source
from rvbuild.recipes_yaml.recipe import read_recipe


class Pins:
    """A pin that is read somewhere has no text there."""

    def pin(self, recipe: Recipe, name: str) -> str:
        value = recipe.all_pins[name]
        return value if isinstance(value, str) else ""

    def source(self, recipe: Recipe, name: str) -> tuple[Source, ...]:
        raise AssertionError(recipe, name)

    def modules(self, recipe: Recipe, spec: GoModulesSpec) -> GoModuleSet:
        raise AssertionError(recipe, spec)


TEXTS = {
    "url": "{url: 'https://e.org/a-%s.tar'}",
    "tag": "{git: 'https://e.org/a', tag: 'v%s'}",
    "commit": "{git: 'https://e.org/a', commit: '%s'}",
    "paths": "{git: 'https://e.org/a', tag: v1, paths: [a, 'b%s']}",
    "go-module": "{go-module: e.org/a, version: 'v%s'}",
    "crate": "{crate: a, version: '%s'}",
    "pypi": "{pypi: a, version: '%s'}",
    "go-toolchain": "{go-toolchain: '%s'}",
    "debian": "{debian: ['a%s'], suite: s}",
}


@pytest.mark.parametrize("source", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize(
    ("more", "name", "lacks"),
    [
        ("", "version", "has no `version`"),
        ("", "date", "has no `date`"),
        ("pins: {p: ''}\n", "p", "has no `p`"),
        ("pins: {p: {from: k, line: 1, file: f}}\n", "p", "has none"),
    ],
)
def test_what_is_empty_is_no_part_of_a_source(source: str, more: str, name: str, lacks: str):
    text = f"{more}build: x\nsources:\n  s: {source % f'${{{name}}}'}\n"
    recipe = read_recipe(text.encode(), "r", "r.yaml")
    with pytest.raises(RecipeError) as caught:
        described(recipe, "s", Pins(), "amd64")
    assert caught.value.message == f"`${{{name}}}` is used here, and the recipe {lacks}"
    assert caught.value.where == recipe.sources["s"].where
    assert (caught.value.hint is not None) == (name == "version")


def test_an_unknown_name_is_told_as_one():
    recipe = read_recipe(b"build: x\nsources: {s: {url: 'u/${versoin}'}}\n", "r", "r.yaml")
    with pytest.raises(RecipeError, match=r"nothing is called \$\{versoin\} here"):
        described(recipe, "s", Pins(), "amd64")
