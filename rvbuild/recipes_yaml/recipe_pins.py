"""The pins of a recipe: values, and the places where they are read.

Knows: each reader's keys. Must not know: how a file is read.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from rvbuild.core.errors import RecipeError
from rvbuild.core.overridden import pin_with
from rvbuild.core.recipe import Alternatives, DerivedPin, Ladder, Pin, Reading
from rvbuild.recipes_yaml.document import Items, Node, Scalar
from rvbuild.recipes_yaml.fields import Fields, choice
from rvbuild.recipes_yaml.recipe_instead import KEY, override_in
from rvbuild.recipes_yaml.recipe_names import refuse_no_variables

READERS = ("go-module", "yaml", "shell", "regex", "line", "git")
ALWAYS_THERE = ("literal", "git")
"""Readers of what no source can lack."""

GIT_FACTS = ("commit", "short", "date", "iso-date")


def pins_of(top: Fields, reserved: Collection[str]) -> dict[str, Pin]:
    """What is under ``pins``; each name is a variable of the recipe's steps."""
    table = top.fields("pins")
    if table is None:
        return {}
    refuse_no_variables(table, reserved)
    return {name: pin_of(table.take(name), name) for name in table.node.nodes}


def pin_of(node: Node | None, key: str) -> Pin:
    """The pin under ``key``: a text, or where it is read; empty if there is none."""
    if node is None:
        return ""
    if isinstance(node, Scalar):
        return node.text
    fields = Fields(node)
    instead = override_in(fields)
    pin = _derived(fields, key)
    return pin_with(key, pin, instead, fields.at(KEY)) if instead else pin


def _derived(fields: Fields, key: str) -> DerivedPin:
    if "one-of" in fields:
        rungs = _rungs(fields, "one-of", key)
        fields.finish()
        _refuse_present(rungs)
        return Alternatives(rungs=rungs, where=fields.where)
    if "first-of" not in fields:
        return _reading(fields)
    rungs = _rungs(fields, "first-of", key)
    prefer = fields.number("prefer", 0)
    fields.finish()
    if prefer > len(rungs):
        msg = f"'prefer' is the number of a pin under 'first-of', not {prefer}"
        raise RecipeError(msg, where=fields.at("prefer"), hint=f"from 1 to {len(rungs)}")
    return Ladder(rungs=rungs, prefer=prefer or None, where=fields.where)


def _rungs(fields: Fields, word: str, key: str) -> tuple[Reading, ...]:
    rungs = fields.require(word)
    if not isinstance(rungs, Items) or not rungs.nodes:
        msg = f"{key!r}: {word!r} must be a list of pins"
        raise RecipeError(msg, where=rungs.where)
    return tuple(_reading(Fields(rung)) for rung in rungs.nodes)


def _refuse_present(rungs: tuple[Reading, ...]) -> None:
    """See that each of some alternatives may be missing: else it hides that all others are.

    Raises:
        RecipeError: one is always there.
    """
    for rung in rungs:
        if rung.reader in ALWAYS_THERE:
            msg = f"'one-of' has a '{rung.reader}', which is there whatever else is"
            hint = "`first-of` holds every other place to it"
            raise RecipeError(msg, where=rung.where, hint=hint)


def _reading(fields: Fields) -> Reading:
    if "literal" in fields:  # a rung that holds the others to what somebody saw
        literal = Reading(
            source="", reader="literal", argument=fields.text("literal"), where=fields.where
        )
        fields.finish()
        return literal
    source = fields.text("from")
    readers = [reader for reader in READERS if reader in fields]
    if len(readers) != 1:
        msg = "a pin needs exactly one reader"
        hint = f"one of: {', '.join(READERS)}"
        raise RecipeError(msg, where=fields.where, hint=hint)
    reader = readers[0]
    argument = choice(fields, "git", GIT_FACTS, "") if reader == "git" else fields.text(reader)
    for other in READERS:
        fields.take(other)
    default_file = {"go-module": "go.mod", "git": ""}.get(reader)
    pin = Reading(
        source=source,
        reader=reader,
        argument=argument,
        file=fields.text("file", default_file),
        prefix=fields.text("prefix", ""),
        strip_prefix=fields.text("strip-prefix", ""),
        strip_suffix=_pattern(fields, "strip-suffix", groups=None),
        where=fields.where,
    )
    if reader == "regex":
        _pattern(fields, "regex", groups=1)
    fields.finish()
    return pin


def _pattern(fields: Fields, key: str, groups: int | None) -> str:
    text = fields.text(key, "")
    try:
        compiled = re.compile(text)
    except re.error as cause:
        msg = f"{key!r} is not a regular expression: {cause}"
        raise RecipeError(msg, where=fields.at(key)) from cause
    if groups is not None and compiled.groups != groups:
        msg = f"{key!r} must have exactly {groups} group"
        raise RecipeError(msg, where=fields.at(key))
    return text
