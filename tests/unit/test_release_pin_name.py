"""Which values move, if somebody names a recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvbuild.core.errors import UsageError
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.committed_root import CommittedFile, CommittedRoot
from rvbuild.release.literal_pin import LiteralPin, literal_pins
from rvbuild.release.pin_name import pin_of, pins_of

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
    "suite": "version: '1'\nsources: {s: {debian: [a], suite: forky}}\nbuild: x\n",
    "beside": f"sources: {{u: {{url: 'https://e.org/f'}}, s: {{{GIT}, tag: v1}}}}\nbuild: x\n",
    "wheel": "version: '1'\nsources: {w: {pypi: w, version: '${version}'}, "
    "d: {debian: [a], suite: forky}}\nbuild: x\n",
    "more": "pins: {a: '1', b: '2'}\nsources: {s: {url: 'https://e.org/${a}/${b}'}}\nbuild: x\n",
    "mapped": "version: {literal: '1.2'}\n"
    f"sources: {{a: {{{GIT}, tag: '${{version}}'}}, b: {{{GIT}, tag: v1}}}}\nbuild: x\n",
    "mapped-own": "version: {literal: '1.2'}\nbuild: x\n",
    "instead": "version: {literal: '1.2', instead: {value: '1.3', because: [x], while: '1.2'}}\n"
    f"sources: {{s: {{{GIT}, tag: '${{version}}'}}}}\nbuild: x\n",
    "mapped-two": "pins: {a: {literal: v1}}\n"
    f"sources: {{s: {{{GIT}, tag: '${{a}}'}}, t: {{{GIT}, tag: v2}}}}\nbuild: x\n",
    "below": "version: '1.2'\npins: {repo: {from: source, line: 1, file: V}}\n"
    "sources: {s: {git: 'https://e.org/${repo}', tag: '${version}'}}\nbuild: x\n",
    "crossed": "pins: {a: v1, b: v2}\n"
    f"sources: {{a: {{{GIT}, tag: '${{b}}'}}, b: {{{GIT}, tag: '${{a}}'}}}}\nbuild: x\n",
    "same": "pins: {a: v1}\n"
    f"sources: {{a: {{{GIT}, tag: v2}}, b: {{{GIT}, tag: '${{a}}'}}}}\nbuild: x\n",
    "unused": f"pins: {{a: v1}}\nsources: {{a: {{{GIT}, tag: v2}}}}\nbuild: x\n",
    "round": "version: {from: round-b, line: 1, file: V}\nbuild: x\n",
    "round-b": "kind: source\nversion: {from: round, line: 1, file: V}\n"
    f"sources: {{s: {{{GIT}, tag: '${{version}}'}}}}\n",
}
MEANT = {
    "source": ("source", ("per-series", "2", "commit")),
    "plain": ("plain", ("sources", "s", "commit")),
    "tag": ("tag", ("version",)),
    "pin": ("pin", ("pins", "t")),
    "url": ("url", ("version",)),
    "fixed": ("fixed", ("sources", "s", "url")),
    "own": ("own", ("version",)),
    "derived": ("source", ("per-series", "2", "commit")),
    "twice": ("source", ("per-series", "2", "commit")),
    "derived-source": ("source", ("per-series", "2", "commit")),
    "lent": ("source", ("per-series", "2", "commit")),
    "through": ("plain", ("sources", "s", "commit")),
    "two/b": ("two", ("sources", "b", "tag")),
    "named": ("named", ("sources", "named", "tag")),
    "suite": ("suite", ("sources", "s", "suite")),
    "beside": ("beside", ("sources", "s", "tag")),
    "wheel": ("wheel", ("version",)),
    "wheel/d": ("wheel", ("sources", "d", "suite")),
    "wheel/version": ("wheel", ("version",)),
    "mapped": ("mapped", ("version", "literal")),
    "mapped/version": ("mapped", ("version", "literal")),
    "mapped-own": ("mapped-own", ("version", "literal")),
    "instead": ("instead", ("version", "literal")),
    "mapped-two/a": ("mapped-two", ("pins", "a", "literal")),
    "below": ("below", ("version",)),
    "crossed/a": ("crossed", ("pins", "a")),
    "crossed/b": ("crossed", ("pins", "b")),
    "same/a": ("same", ("pins", "a")),
    "same/sources.a.tag": ("same", ("sources", "a", "tag")),
    "same/b": ("same", ("pins", "a")),
    "unused/a": ("unused", ("sources", "a", "tag")),
}


def collection() -> RecipeCollection:
    files = {f"{name}/recipe.yaml": CommittedFile(text.encode()) for name, text in RECIPES.items()}
    return RecipeCollection((CommittedRoot("recipes", files),))


@pytest.mark.parametrize("name", MEANT)
def test_a_name_leads_to_the_value_that_its_version_follows_from(name: str):
    pins = pin_of(collection(), name)
    assert (pins[-1].recipe.base, pins[-1].key) == MEANT[name]
    assert [pin.series for pin in pins] == (["1", "2"] if pins[0].series else [""])
    for pin in pins:
        assert pin.value in RECIPES[pin.recipe.base]
        assert pin.place.line > 0


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("two", "name one: two/a, two/b"),
        ("both", "name one: plain, source"),
        ("more", "name one: more/a, more/b"),
        ("nothing", "that says it"),
        ("plain/x", "that says it"),
        ("round", "that says it"),
    ],
)
def test_what_nobody_can_say_is_refused(name: str, says: str):
    with pytest.raises(UsageError) as caught:
        pin_of(collection(), name)
    assert says in str(caught.value.hint)


ALL = {
    "two": ["two/sources.a.tag", "two/sources.b.tag"],
    "both": ["plain/sources.s.commit", "source@1/commit", "source@2/commit"],
    "wheel": ["wheel/sources.d.suite", "wheel/version"],
    "beside": ["beside/sources.s.tag"],
    "own": ["own/version"],
}


@pytest.mark.parametrize("name", ALL)
def test_without_a_version_a_name_means_all_that_it_follows(name: str):
    assert sorted(str(pin.ref) for pin in pins_of(collection(), name)) == ALL[name]


SHIPPED = RecipeCollection((str(Path(__file__).parents[2] / "recipes"),))


@pytest.mark.parametrize("recipes", [collection(), SHIPPED], ids=["here", "shipped"])
def test_each_pin_alone_is_meant_by_what_it_is_called(recipes: RecipeCollection):
    """In the series that it has by itself, or by what its recipe needs; as `outdated` reads it."""
    pins = set[tuple[str, str]]()
    for name in recipes.names():
        if name in {"round", "round-b", "derived-source"}:
            continue
        pins |= {(pin.address, str(pin.ref)) for pin in literal_pins(recipes.series.every(name))}
    assert len(pins) > 20
    for address, ref in pins:
        name, at, series = address.partition("@")
        meant = [pin for pin in pins_of(recipes, name) if not at or pin.series == series]
        assert [(pin.address, str(pin.ref)) for pin in meant] == [(address, ref)]
        assert meant[0].recipe in recipes.series.every(meant[0].recipe.base)
        assert len({pin.key[0] for pin in pin_of(recipes, name)}) == 1


def test_every_shipped_recipe_leads_somewhere_or_follows_nothing():
    for name in SHIPPED.names():
        try:
            pins: tuple[LiteralPin, ...] = pins_of(SHIPPED, name)
        except UsageError as error:
            assert "follows none" in error.message  # noqa: PT017 - of those that do not
        else:
            assert all(pin.value for pin in pins)
    assert {pin.recipe.base for pin in pin_of(SHIPPED, "k3s")} == {"k3s-source"}
