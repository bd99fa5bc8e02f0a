"""What a recipe asks for, as one canonical line of YAML in the recipe's own words.

Knows: that each field says its word. Must not know: kinds of sources, files, how YAML is read.
What is at its default is left out, so that a new field does not change old lines. Every scalar
is text. Two equal questions give equal lines: a lock is compared with a recipe by them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Union

from attrs import NOTHING, Attribute, fields

from rvbuild.core.recipe import GoModulesSpec, Pin, Reading
from rvbuild.core.spec import WORD, SourceSpec

Words = Union[str, Sequence["Words"], Mapping[str, "Words"]]

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


def _words(spec: Any) -> Words:  # noqa: ANN401 - any attrs class whose first field names it
    if isinstance(spec, Reading):
        return _reading(spec)
    first = fields(type(spec))[0]
    words: dict[str, Words] = {_word(first): _value(getattr(spec, first.name))}
    return {**words, **_others(spec, {first.name})}


def _word(attribute: Attribute[Any]) -> str:
    """What a recipe calls an attribute."""
    word: str = attribute.metadata.get(WORD) or attribute.name.replace("_", "-")
    return word


def _reading(spec: Reading) -> Words:
    if spec.reader == "literal":
        words: dict[str, Words] = {"literal": spec.argument}
    else:
        words = {"from": spec.source, spec.reader: spec.argument}
    return {**words, **_others(spec, {"source", "reader", "argument"})}


def _others(spec: Any, without: set[str]) -> dict[str, Words]:  # noqa: ANN401
    """The fields that are not at their default, by the recipe's words."""
    words: dict[str, Words] = {}
    for each in fields(type(spec)):
        value = getattr(spec, each.name)
        absent = each.default is not NOTHING and value == each.default
        if each.eq is True and each.name not in without and not absent:
            words[_word(each)] = _value(value)
    return words


def _value(value: Any) -> Words:  # noqa: ANN401
    if isinstance(value, tuple):
        return [_value(each) for each in value]
    if isinstance(value, Mapping):
        return {name: _value(each) for name, each in value.items()}
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int)) else _words(value)
