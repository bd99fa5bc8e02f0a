"""Each override of a recipe's file has a place at which it is decided again, or goes."""

from __future__ import annotations

from random import Random

import pytest
import yaml
from attrs import evolve

from rvbuild.core.override import Override
from rvbuild.core.recipe import Recipe
from rvbuild.recipes_yaml.edit import remove_entry, set_text
from rvbuild.recipes_yaml.recipe import read_recipe
from rvbuild.release.override_place import WHILE, OverridePlace, override_places

Said = dict[tuple[str, str], Override]


def override(number: int) -> dict[str, object]:
    return {"value": f"v9.0.{number}", "because": ["CVE-1"], "while": "v1.0.0"}


def document(chance: Random) -> dict[str, object]:
    """A recipe with overrides of every form, none or several of each."""

    def some(*names: str) -> list[str]:
        return chance.sample(names, chance.randint(0, len(names)))

    def overridden(names: list[str]) -> dict[str, object]:
        return {name: override(number) for number, name in enumerate(names)}

    pin = {"from": "x", "line": 1, "file": "f"}
    modules = ("golang.org/x/net", "e.org/a.b/v2")
    series = dict[str, object]()
    for name in ("1.0", "2"):
        sets = {each: overridden(some(*modules)) for each in some("k/k", "a-b/c:d")}
        sets = {each: words for each, words in sets.items() if words}
        pins = overridden(some("lib/version", "a-b/c.d"))
        both = {key: words for key, words in (("pins", pins), ("go-modules", sets)) if words}
        series[name] = {"update": "minor"} | ({"instead": both} if both else {})
    own = overridden(some(*modules))
    common = {
        "version": pin | ({"instead": override(3)} if chance.random() < 0.5 else {}),
        "pins": {"p": pin | ({"instead": override(4)} if chance.random() < 0.5 else {})},
        "sources": {"x": {"git": "https://e.org/x", "commit": "1" * 40}},
    }
    if chance.random() < 0.5:
        return {"kind": "source"} | common | {"per-series": series}
    sets = {"from": "x", "packages": ["./a"]} | ({"instead": own} if own else {})
    inputs = {"build": ["go"], "go-modules": sets}
    outputs = {"o": {"path": "o"}}
    return {"kind": "tool"} | common | {"inputs": inputs, "build": "x", "outputs": outputs}


def said(recipe: Recipe) -> Said:
    """What each override says, by its series and what it is of."""
    return {(each.series, each.of): each.override for each in override_places([recipe])}


def read(data: bytes) -> Recipe:
    return read_recipe(data, "r", "r.yaml")


@pytest.mark.parametrize("seed", range(120))
def test_each_alone_is_decided_again_or_goes(seed: int):
    """All others stay, in block style and in a mapping on one line."""
    chance = Random(seed)  # noqa: S311 - an example, no secret
    flow = chance.choice([True, False, None])
    data = yaml.safe_dump(document(chance), default_flow_style=flow, sort_keys=False).encode()
    recipe = read(data)
    before = said(recipe)
    assert len(before) == data.count(b"while:")
    for place in override_places([recipe]):
        edited = set_text(data, "r.yaml", (*place.key, WHILE), "v1.0.7")
        again = evolve(place.override, upstream="v1.0.7")
        assert said(read(edited)) == before | {(place.series, place.of): again}
    while places := [*override_places([read(data)])]:
        gone: OverridePlace = chance.choice(places)
        data = remove_entry(data, "r.yaml", gone.alone)
        del before[gone.series, gone.of]
        assert said(read(data)) == before
    assert b"instead" not in data
