"""Derived pins: values read out of sources, and ladders of places that should agree.

Knows: how a pin's places are read and compared. Must not know: how sources are found.
"""

from __future__ import annotations

from attrs import evolve

from rvbuild.core.errors import Absent, LockError
from rvbuild.core.lock import PinValue
from rvbuild.core.pinned import git_fact
from rvbuild.core.recipe import Alternatives, DerivedPin, Ladder, Reading, Recipe
from rvbuild.core.spec_text import spec_text
from rvbuild.engine.source_files import SourceFiles
from rvbuild.pin_readers import read_pin


def pin_value(files: SourceFiles, recipe: Recipe, name: str, pin: DerivedPin) -> PinValue:
    """The value of a recipe's pin, with the place that it was read from.

    Raises:
        LockError: a place that must have it does not, none has it, or two places disagree.
    """
    spec = spec_text(pin)
    if isinstance(pin, Alternatives):
        values = _there(files, recipe, name, pin)
    else:
        values = [(rung, _read(files, recipe, rung, spec)) for rung in pin.rungs]
    prefer = pin.prefer if isinstance(pin, Ladder) else None
    if len({value.value for _, value in values}) > 1 and prefer is None:
        msg = f"the places that declare {recipe.name}/{name} disagree"
        rungs = tuple(_shown(rung, value) for rung, value in values)
        hint = "say `first-of`, and `prefer: N` beside it, if one of them is right"
        raise LockError(msg, where=pin.where, details=rungs, hint=hint)
    return _overridden(pin, values[(prefer or 1) - 1][1])


def _overridden(pin: DerivedPin, value: PinValue) -> PinValue:
    """With what the recipe has instead, if that is there, whether it holds or not."""
    if pin.instead is None:
        return value
    return evolve(value, value=pin.instead.value, upstream=value.value, instead=pin.instead)


def _there(
    files: SourceFiles, recipe: Recipe, name: str, pin: Alternatives
) -> list[tuple[Reading, PinValue]]:
    """What the places have that have the value.

    Raises:
        LockError: none has it.
    """
    values, absences = [], []
    for rung in pin.rungs:
        try:
            values.append((rung, _read(files, recipe, rung, spec_text(pin))))
        except Absent as absence:
            absences.append(str(absence))
    if not values:
        msg = f"none of the places has {recipe.name}/{name}"
        raise LockError(msg, where=pin.where, details=tuple(absences))
    return values


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
