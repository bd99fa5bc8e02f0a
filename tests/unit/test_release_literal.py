"""Which value moves, if somebody names a recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvbuild.core.errors import UsageError
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.committed_root import CommittedFile, CommittedRoot
from rvbuild.release.literal import literal_of

GIT = "git: 'https://e.org/g'"
COMMIT = "1" * 40
SERIES = f"per-series: {{'1': {{commit: {COMMIT}}}, '2': {{commit: {'2' * 40}}}}}\n"
RECIPES = {
    "source": f"kind: source\nsources: {{s: {{{GIT}, commit: '${{commit}}'}}}}\n{SERIES}",
    "plain": f"kind: source\nsources: {{s: {{{GIT}, commit: {COMMIT}}}}}\n",
    "tag": f"kind: source\nversion: '1.2'\nsources: {{s: {{{GIT}, tag: 'v${{version}}'}}}}\n",
    "pin": f"kind: source\npins: {{t: v1}}\nsources: {{s: {{{GIT}, tag: '${{t}}'}}}}\n",
    "url": "version: '1.2'\nsources: {s: {url: 'https://e.org/f-${version}.tar.gz'}}\nbuild: x\n",
    "fixed": "sources: {s: {url: 'https://e.org/f-1.tar.gz'}}\nbuild: x\n",
    "own": "version: '1.2'\nbuild: x\n",
    "derived": "version: {from: source, line: 1, file: V}\nbuild: x\n",
    "twice": "version: {first-of: [{literal: a}, {from: derived-source, line: 1, file: V}]}\n"
    "build: x\n",
    "derived-source": f"kind: source\nversion: {{from: source, line: 1, file: V}}\n"
    f"sources: {{s: {{{GIT}, tag: '${{version}}'}}}}\n",
    "lent": "sources: {s: {from: source}}\nbuild: x\n",
    "through": "version: {from: m, line: 1, file: V}\nsources: {m: {from: plain}}\nbuild: x\n",
    "two": f"sources: {{a: {{{GIT}, tag: v1}}, b: {{{GIT}, tag: v2}}}}\nbuild: x\n",
    "named": f"sources: {{named: {{{GIT}, tag: v1}}, b: {{{GIT}, tag: v2}}}}\nbuild: x\n",
    "both": "sources: {a: {from: source}, b: {from: plain}}\nbuild: x\n",
    "nothing": "build: x\n",
}
MEANT = {
    "source": ("source", ("per-series", "2", "commit")),
    "plain": ("plain", ("sources", "s", "commit")),
    "tag": ("tag", ("version",)),
    "pin": ("pin", ("pins", "t")),
    "url": ("url", ("version",)),
    "own": ("own", ("version",)),
    "derived": ("source", ("per-series", "2", "commit")),
    "twice": ("source", ("per-series", "2", "commit")),
    "derived-source": ("source", ("per-series", "2", "commit")),
    "lent": ("source", ("per-series", "2", "commit")),
    "through": ("plain", ("sources", "s", "commit")),
    "two/b": ("two", ("sources", "b", "tag")),
    "named": ("named", ("sources", "named", "tag")),
}


def collection() -> RecipeCollection:
    files = {f"{name}/recipe.yaml": CommittedFile(text.encode()) for name, text in RECIPES.items()}
    return RecipeCollection((CommittedRoot("recipes", files),))


@pytest.mark.parametrize("name", MEANT)
def test_a_name_leads_to_the_value_that_its_version_follows_from(name: str):
    literal = literal_of(collection(), name)
    assert (literal.recipe.name, literal.path("2")) == MEANT[name]
    assert literal.text("1") in RECIPES[literal.recipe.name]
    assert literal.at("2").line > 0


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("two", "name one: two/a, two/b"),
        ("both", "name one: plain, source"),
        ("nothing", "that says it"),
        ("fixed", "that says it"),
        ("plain/x", "that says it"),
    ],
)
def test_what_nobody_can_say_is_refused(name: str, says: str):
    with pytest.raises(UsageError) as caught:
        literal_of(collection(), name)
    assert says in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "word", "value", "tag"),
    [
        ("tag", "v1.3", "1.3", "v1.3"),
        ("tag", "1.3", "1.3", "v1.3"),
        ("tag", "v", "v", "vv"),
        ("pin", "v2", "v2", "v2"),
        ("url", "1.3", "1.3", "https://e.org/f-1.3.tar.gz"),
    ],
)
def test_a_tag_is_known_with_and_without_what_stands_beside_the_version(
    name: str, word: str, value: str, tag: str
):
    literal = literal_of(collection(), name)
    assert (literal.value(word), literal.tag(word)) == (value, tag)


def test_every_shipped_recipe_leads_somewhere_or_follows_nothing():
    recipes = RecipeCollection((str(Path(__file__).parents[2] / "recipes"),))
    for name in recipes.names():
        try:
            literal = literal_of(recipes, name)
        except UsageError as error:
            assert "follows none" in error.message  # noqa: PT017 - of those that do not
        else:
            assert literal.text("1.32")
    assert literal_of(recipes, "k3s").recipe.name == "k3s-source"
