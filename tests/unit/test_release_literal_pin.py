"""Which values of recipes choose sources: where they stand, and how upstream spells them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from recipe_texts import RecipeTexts

from rvbuild.core.names import PinRef
from rvbuild.core.recipe import Recipe
from rvbuild.core.update_policy import Reach, UpdatePolicy, policy_of
from rvbuild.core.version_listing import VersionTemplate
from rvbuild.release.literal_pin import (
    LiteralPin,
    chooser,
    file_pins,
    literal_pins,
    pin_policy,
    tag_for,
    text_key,
    value_for,
)

HEX = "1" * 40
INSTEAD = "instead: {value: 1.3, because: [x], while: 1.2}"
TAGGED = "sources: {s: {git: 'https://e.org/r', tag: '%s'}}\n"
BARE = f"sources: {{s: {{git: 'https://e.org/r', commit: {HEX}}}}}\n"
SERIES = f"""kind: source
sources: {{k: {{git: 'https://e.org/k', commit: '${{commit}}'}}}}
per-series:
  2: {{commit: {HEX}}}
  1: {{commit: {HEX[:-1]}2, update: patch}}
"""

ONE: Mapping[str, tuple[str, str, int, str, VersionTemplate | None]] = {
    "a version": (f"version: 1.2\n{TAGGED % '${version}'}", "version", 1, "1.2", VersionTemplate()),
    "with words around": (
        f"version: 1.2\n{TAGGED % 'v${version}-x'}", "version", 1, "1.2",
        VersionTemplate(prefix="v", suffix="-x"),
    ),
    "with the recipe's name": (
        f"version: 1.2\n{TAGGED % '${name}-${version}'}", "version", 1, "1.2",
        VersionTemplate(prefix="r-"),
    ),
    "another name": (f"pins:\n  tag: v3\n{TAGGED % '${tag}'}", "tag", 2, "v3", VersionTemplate()),
    "with another instead": (
        f"version: {{literal: 1.2, {INSTEAD}}}\n{TAGGED % '${version}'}", "version", 1, "1.2",
        VersionTemplate(),
    ),
    "another name with another instead": (
        f"pins:\n  tag: {{literal: 1.2, {INSTEAD}}}\n{TAGGED % '${tag}'}", "tag", 2, "1.2",
        VersionTemplate(),
    ),
    "as a mapping": (
        f"pins: {{literal: {{literal: v3}}}}\n{TAGGED % '${literal}'}", "literal", 1, "v3",
        VersionTemplate(),
    ),
    "in the source": (TAGGED % "v1.2", "sources.s.tag", 1, "v1.2", VersionTemplate()),
    "braces": (TAGGED % "$${v}1.2", "sources.s.tag", 1, "$${v}1.2", VersionTemplate()),
    "a bare commit": (
        f"sources:\n  s: {{git: 'https://e.org/r', commit: {HEX}}}\n", "sources.s.commit", 2, HEX,
        VersionTemplate(),
    ),
    "a module": (
        "version: v1.0.0\nsources: {s: {go-module: e.org/m, version: '${version}+incompatible'}}\n",
        "version", 1, "v1.0.0", VersionTemplate(suffix="+incompatible"),
    ),
    "a toolchain": (
        "version: 1.26.1\nsources: {s: {go-toolchain: '${version}'}}\n", "version", 1, "1.26.1",
        VersionTemplate(),
    ),
    "a suite": (
        "sources: {s: {debian: [a], suite: forky}}\n", "sources.s.suite", 1, "forky",
        VersionTemplate(),
    ),
    "an address with a version": (
        "version: 1.2\nsources: {s: {url: 'https://e.org/s-${version}.tar.gz'}}\n", "version", 1,
        "1.2", None,
    ),
    "an address": (
        "sources: {s: {url: 'https://e.org/s-1.tar.gz'}}\n", "sources.s.url", 1,
        "https://e.org/s-1.tar.gz", None,
    ),
    "a file of Debian": (
        "sources: {s: {debian-source: {package: s, file: s_1.orig.tar.gz}}}\n",
        "sources.s.debian-source", 1, "s/s_1.orig.tar.gz", None,
    ),
    "a value said twice": (
        f"version: 1.2\n{TAGGED % '${version}-${version}'}", "version", 1, "1.2", None,
    ),
}  # fmt: skip


def pins_of(**texts: str) -> list[LiteralPin]:
    return [*literal_pins(RecipeTexts(texts).every())]


@pytest.mark.parametrize("name", ONE)
def test_a_pin_and_how_upstream_spells_it(name: str):
    text, called, line, value, template = ONE[name]
    (pin,) = pins_of(r=text)
    assert (str(pin.ref), pin.value, pin.place.line) == (f"r/{called}", value, line)
    assert [use.template for use in pin.uses] == [template]
    assert chooser(pin.recipe, "s") == pin.ref


NONE = {
    "nothing uses it": "version: 1\nbuild: x\n",
    "a folder": "version: 1\nsources: {s: {path: '${version}'}}\n",
    "another recipe's": "sources: {s: {from: k}}\n",
    "a Cargo.lock says it": "build: x\nsources: {s: {from: k}, c: {crates: s}}\n",
    "it is derived": f"version: {{from: k, line: 1, file: f}}\n{TAGGED % '${version}'}",
}


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_literal_pin(name: str):
    pins = pins_of(r=NONE[name], k="kind: source\n" + TAGGED % "v1")
    assert [str(pin.ref) for pin in pins] == ["k/sources.s.tag"]


def test_two_values_that_choose_together():
    pins = pins_of(r=f"version: 1\npins: {{more: 2}}\n{TAGGED % '${version}.${more}'}")
    assert [(str(pin.ref), pin.uses[0].template) for pin in pins] == [
        ("r/more", None),
        ("r/version", None),
    ]
    assert chooser(pins[0].recipe, "s") is None


def test_one_value_that_chooses_several_sources():
    sources = [
        "version: 1.2\nbuild: x\nsources:\n  s: {git: 'https://e.org/r', tag: '${version}'}\n",
        "  t: {go-module: e.org/m, version: 'v${version}'}\n",
        "  u: {url: 'https://e.org/${version}'}\n",
    ]
    (pin,) = pins_of(r="".join(sources))
    templates = [VersionTemplate(), VersionTemplate(prefix="v"), None]
    assert [use.template for use in pin.uses] == templates


def test_a_value_of_a_series_is_a_pin_of_that_series():
    user = "sources: {a: {from: k}, s: {git: 'https://e.org/r', tag: '${version}'}}\n"
    pins = pins_of(k=SERIES, r=f"version: 1.2\nbuild: x\n{user}")
    assert [str(pin.ref) for pin in pins] == ["k@2/commit", "k@1/commit", "r/version"]
    assert [pin.place.line for pin in pins] == [4, 5, 1]
    assert [pin.address for pin in pins] == ["k/commit@2", "k/commit@1", "r/version"]
    assert [pin.is_commit for pin in pins] == [True, True, False]
    assert [chooser(pin.recipe, pin.uses[0].source) for pin in pins] == [pin.ref for pin in pins]


WEAKEST = policy_of("minor", "7d")
POLICIES = [
    (f"version: 1.2\n{TAGGED % '${version}'}", WEAKEST),
    (f"version: 1.2\nupdate: major\n{TAGGED % '${version}'}", policy_of("major", "7d")),
    (f"version: 1.2\nmin-age: 0d\n{TAGGED % '${version}'}", policy_of("minor", "")),
    (BARE, policy_of("none", "7d")),
    (f"update: patch\n{BARE}", policy_of("patch", "7d")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "policy"), POLICIES)
def test_what_a_recipe_says_is_stronger_than_what_holds_for_all(text: str, policy: UpdatePolicy):
    (pin,) = pins_of(r=text)
    assert pin_policy(pin, WEAKEST) == policy


def test_what_a_series_says_is_stronger_than_what_its_recipe_says():
    two, one = pins_of(k="update: major\n" + SERIES)
    assert pin_policy(two, WEAKEST).reach is Reach.MAJOR
    assert pin_policy(one, WEAKEST).reach is Reach.PATCH


def test_what_stands_instead_in_one_series_is_a_pin_of_that_series():
    """It is the same value of the file."""
    tagged = (TAGGED % "${version}").replace("{s:", "{a: {from: k}, s:")
    user = f"version: {{literal: 1.2}}\nbuild: x\n{tagged}"
    other = f"{{commit: {HEX[:-1]}2, instead: {{pins: {{r/version: {INSTEAD[9:]}}}}}}}"
    family = SERIES.replace(f"{{commit: {HEX[:-1]}2, update: patch}}", other)
    pins = [pin for pin in pins_of(k=family, r=user) if pin.recipe.base == "r"]
    assert {str(pin.ref): pin.instead and pin.instead.value for pin in pins} == {
        "r/version": None,
        "r@1/version": "1.3",
    }
    assert {pin.key for pin in pins} == {("version", "literal")}
    assert [chooser(pin.recipe, "s") for pin in pins] == [pin.ref for pin in pins]


def test_a_file_has_a_value_once():
    text = f"version: {{literal: 1.2, {INSTEAD}}}\n{SERIES}".replace(
        "'${commit}'", "'${commit}', tag: '${version}'"
    )
    pins = file_pins(RecipeTexts({"k": text}).every())
    assert [str(pin.ref) for pin in pins] == ["k@2/version"]


def test_the_chooser_of_a_derived_version():
    texts = {"k": SERIES, "r": f"version: {{from: k, line: 1, file: f}}\n{TAGGED % '${version}'}"}
    recipe: Recipe = RecipeTexts(texts).recipe("r@1")
    assert chooser(recipe, "s") == PinRef("r@1", "version")


@pytest.mark.parametrize(
    ("tag", "word", "value", "spelled"),
    [
        ("v${version}", "v1.3", "1.3", "v1.3"),
        ("v${version}", "1.3", "1.3", "v1.3"),
        ("v${version}", "v", "v", "vv"),
        ("${version}", "v2", "v2", "v2"),
        ("${version}-${version}", "1.3", "1.3", "1.3"),
    ],
)
def test_a_word_is_known_with_and_without_what_stands_beside_the_version(
    tag: str, word: str, value: str, spelled: str
):
    (pin,) = pins_of(r=f"version: 1.2\n{TAGGED % tag}")
    assert (value_for(pin, word), tag_for(pin, word)) == (value, spelled)


def test_where_the_other_texts_of_a_source_stand():
    text = f"""kind: source
version: 1.2
pins: {{c: {HEX}, u: e.org}}
sources: {{s: {{git: 'https://${{u}}/r', tag: 'v${{version}}', commit: '${{c}}', paths: [a]}}}}
"""
    (pin,) = pins_of(r=text)
    assert [text_key(pin.recipe, "s", word) for word in ("commit", "git", "paths", "tag")] == [
        ("pins", "c"),
        None,
        ("sources", "s", "paths"),
        None,
    ]
