"""What the shipped recipes say of licences, and whose texts lie beside K3s in its bundle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rvbuild.core.recipe import FromSpec, Recipe
from rvbuild.recipes_yaml.collection import RecipeCollection

ROOT = Path(__file__).parents[2]
FOLDER = RecipeCollection((str(ROOT / "recipes"),))
IMAGES = [name for name in FOLDER.names() if FOLDER.load(name).kind == "image"]
# what takes iptables alone out of k3s-root
TAKES = {"klipper-lb-image": {"busybox", "image-base", "iptables"}}


def below(name: str) -> set[str]:
    """The recipes whose outputs are in that of one, and the libraries that are linked to them."""
    needed = {FOLDER.load(each).base for each in FOLDER.load(name).target_inputs}
    return needed.union(*map(below, needed))


def terms(recipe: Recipe) -> Iterator[set[str]]:
    """Each licence that holds, as the choice that it leaves."""
    plain = recipe.license.replace("(", "").replace(")", "")
    yield from (set(term.split(" OR ")) for term in plain.split(" AND "))


@pytest.mark.parametrize("name", ["k3s", "k3s-root", "k3s-root-nft", "k3s-bundle", *IMAGES])
def test_a_license_says_what_is_inside(name: str):
    said = set(FOLDER.load(name).license.split(" AND "))
    inside = below(name) & TAKES.get(name, below(name))
    lacks = {
        (part, " or ".join(sorted(choice)))
        for part in inside
        for choice in terms(FOLDER.load(part))
        if not choice & said
    }
    assert lacks == set()


def sources(recipe: Recipe) -> Iterator[str]:
    """The recipes whose sources one is built from."""
    for use in recipe.sources.values():
        yield use.spec.recipe if isinstance(use.spec, FromSpec) else recipe.base


def of_modules(recipe: Recipe) -> Iterator[str]:
    """The recipe whose source says which Go modules one is built from: they are one set."""
    if recipe.go_modules is not None:
        use = recipe.sources[recipe.go_modules.source]
        yield use.spec.recipe if isinstance(use.spec, FromSpec) else recipe.base


def bundled() -> tuple[list[Recipe], list[Recipe]]:
    """What is in the bundle, and the recipes that collect the texts."""
    parts = [FOLDER.load(name) for name in sorted(below("k3s-bundle"))]
    texts = [part for part in parts if part.base.endswith("-licenses")]
    return [part for part in parts if part not in texts], texts


def test_the_bundle_has_the_texts_of_all_that_it_is_built_from():
    parts, texts = bundled()
    lent = {name for each in texts for name in sources(each)}
    built_from = {name for part in parts for name in sources(part)}
    # K3s' own packaging of charts; what toolchains and images leave in their users' outputs
    assert built_from - lent == {"k3s-charts-source"}
    assert lent >= {"go", "zig-cc", "ca-certificates"}


def test_the_bundle_has_the_texts_of_all_go_modules():
    parts, texts = bundled()
    need, have = ({name for part in each for name in of_modules(part)} for each in (parts, texts))
    assert need
    assert need <= have


def test_a_root_with_nft_brings_the_texts_that_the_bundle_lacks():
    _, texts = bundled()
    lent = {name for each in texts for name in sources(each)}
    parts = map(FOLDER.load, below("k3s-root-nft"))
    need = {name for part in parts for name in sources(part)} - {"iptables-nft", "iproute2-mnl"}
    assert need <= lent | set(sources(FOLDER.load("k3s-root-nft")))
    assert {"iptables", "iproute2"} <= lent  # the same archives
