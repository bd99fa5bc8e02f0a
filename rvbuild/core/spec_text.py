"""What a recipe asks for, as one canonical line of YAML in the recipe's own words.

Knows: the word of each field (docs/recipes.md). Must not know: files, how YAML is read.
What is at its default is left out, so that a new field does not change old lines. Every scalar
is text. Two equal questions give equal lines: a lock is compared with a recipe by them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Union

from attrs import NOTHING, fields

from rvbuild.core.recipe import (
    DebianSpec,
    FromSpec,
    GitSpec,
    GoModuleSpec,
    GoModulesSpec,
    GoToolchainSpec,
    Ladder,
    PathSpec,
    Pin,
    Reading,
    SourceSpec,
    UrlSpec,
    WheelSpec,
)

Words = Union[str, Sequence["Words"], Mapping[str, "Words"]]

_TAGS: Mapping[type, tuple[str, str]] = {
    GitSpec: ("git", "url"),
    GoModuleSpec: ("go-module", "path"),
    GoToolchainSpec: ("go-toolchain", "version"),
    WheelSpec: ("pypi", "project"),
    DebianSpec: ("debian", "packages"),
    UrlSpec: ("url", "url"),
    PathSpec: ("path", "path"),
    FromSpec: ("from", "recipe"),
    GoModulesSpec: ("from", "source"),
    Ladder: ("first-of", "rungs"),
}
"""The tag that stands first, and the field whose value it has."""

_PLAIN = re.compile(r"[A-Za-z0-9/][A-Za-z0-9_./@+~%=-]*\Z")


def spec_text(spec: SourceSpec | GoModulesSpec | Pin) -> str:
    """What was asked for; a pin that is no question is its own text."""
    return spec if isinstance(spec, str) else flow(_words(spec))


def flow(words: Words) -> str:
    """Canonical YAML on one line."""
    if isinstance(words, str):
        return flow_scalar(words)
    if isinstance(words, Mapping):
        return "{" + ", ".join(f"{flow_scalar(k)}: {flow(v)}" for k, v in words.items()) + "}"
    return "[" + ", ".join(map(flow, words)) + "]"


def flow_scalar(text: str, plain: re.Pattern[str] = _PLAIN) -> str:
    """A scalar: as it is if ``plain`` matches, else quoted."""
    if plain.match(text):
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character.isprintable() and character not in '"\\':
        return character
    return f"\\U{ord(character):08x}"


def _words(spec: Any) -> Words:  # noqa: ANN401 - any of the classes that have a tag
    if isinstance(spec, Reading):
        return _reading(spec)
    tag, first = _TAGS[type(spec)]
    words: dict[str, Words] = {tag: _value(getattr(spec, first))}
    return {**words, **_others(spec, {first})}


def _reading(spec: Reading) -> Words:
    if spec.reader == "literal":
        return {"literal": spec.argument}
    words: dict[str, Words] = {"from": spec.source, spec.reader: spec.argument}
    return {**words, **_others(spec, {"source", "reader", "argument"})}


def _others(spec: Any, without: set[str]) -> dict[str, Words]:  # noqa: ANN401
    """The fields that are not at their default, by the recipe's words."""
    words: dict[str, Words] = {}
    for each in fields(type(spec)):
        value = getattr(spec, each.name)
        absent = each.default is not NOTHING and value == each.default
        if each.eq is True and each.name not in without and not absent:
            word = "debian-source" if each.name == "debian" else each.name.replace("_", "-")
            words[word] = _value(value)
    return words


def _value(value: Any) -> Words:  # noqa: ANN401
    if isinstance(value, tuple):
        return [_value(each) for each in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int)) else _words(value)
