"""Derived pins: values read out of sources, and ladders of places that should agree.

Knows: how a pin's places are read and compared. Must not know: how sources are found.
"""

from __future__ import annotations

from rvbuild.core.errors import LockError
from rvbuild.core.lock import PinValue
from rvbuild.core.pinned import git_fact
from rvbuild.core.recipe import Ladder, Reading, Recipe
from rvbuild.core.spec_text import spec_text
from rvbuild.engine.source_files import SourceFiles
from rvbuild.pin_readers import read_pin


def pin_value(files: SourceFiles, recipe: Recipe, name: str, pin: Reading | Ladder) -> PinValue:
    """The value of a recipe's pin, with the place that it was read from.

    Raises:
        LockError: a place does not have it, or two places disagree.
    """
    spec = spec_text(pin)
    if isinstance(pin, Reading):
        return _read(files, recipe, pin, spec)
    values = [_read(files, recipe, rung, spec) for rung in pin.rungs]
    if len({value.value for value in values}) > 1 and pin.prefer is None:
        msg = f"the places that declare {recipe.name}/{name} disagree"
        rungs = tuple(_shown(rung, value) for rung, value in zip(pin.rungs, values, strict=True))
        hint = "say `prefer: N` beside 'first-of' if one of them is right"
        raise LockError(msg, where=pin.where, details=rungs, hint=hint)
    return values[(pin.prefer or 1) - 1]


def _read(files: SourceFiles, recipe: Recipe, pin: Reading, spec: str) -> PinValue:
    if pin.reader == "literal":
        return PinValue(value=pin.argument, spec=spec, source=recipe.name)
    owner, name = files.named(recipe, pin.source, pin.where)
    if pin.reader == "git":
        fact = git_fact(files.source(owner, name, pin.where)[0], pin)
        return PinValue(value=fact, spec=spec, source=owner.name)
    data = files.read(owner, name, pin.file, pin.where)
    found = read_pin(pin, data, f"{owner.name}:{pin.file}")
    return PinValue(value=found.value, spec=spec, source=owner.name, file=pin.file, line=found.line)


def _shown(rung: Reading, value: PinValue) -> str:
    """One rung's value, and where it stands."""
    if rung.reader == "literal":
        return f"{value.value}  {rung.where} (literal)"
    place = f"{value.file}:{value.line}" if value.file else f"git {rung.argument}"
    return f"{value.value}  {value.source} {place}"
