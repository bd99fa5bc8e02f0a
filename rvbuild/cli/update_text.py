"""An update as a change log: each move with its reason, and what follows from it.

Knows: words and lines. Must not know: how a move is found out or written, JSON.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from rvbuild.app.update_view import StayedPin, UpdateView
from rvbuild.cli.diff_sections import DiffLine, DiffSection, pin_line, set_line, source_line
from rvbuild.cli.fact_text import UNUSED, fact_lines, patch_lines, unused_line
from rvbuild.cli.outdated_text import (
    UNASKED_WORDS,
    pin_name,
    short_value,
    table_lines,
    table_row,
    unasked_lines,
)
from rvbuild.core.lock_diff import PinChange, SourceChange
from rvbuild.core.pin_status import PinStatus, Unasked
from rvbuild.core.pin_step import PinStep, StepCause
from rvbuild.core.update_policy import UpdatePolicy, age_text

_ASKED = "you asked"
_UPSTREAM = "because it says Applied-Upstream, and the source has it"


def update_lines(view: UpdateView, *, dry_run: bool = False) -> Iterator[str]:
    """The lines for a terminal; of a dry run, that no file was written."""
    if view.steps and not view.is_change:
        yield f"{view.steps[0].recipe}: nothing is to be changed"
    elif view.steps:
        yield from _step_lines(view)
        yield from (f"{path}: not written" if dry_run else path for path in sorted(view.files))
        yield from (f"{path}: {UNUSED}" for path in view.unused)
    else:
        yield "nothing to move"
    yield from _rest(view)


def _step_lines(view: UpdateView) -> Iterator[str]:
    margin = "  " if len(view.steps) > 1 else ""
    for at, step in enumerate(view.steps):
        reason = f", because {_reason(step)}" if step.cause is not StepCause.ASKED else ""
        yield f"{_move_text(step)}{reason}"
        yield from (f"{margin}{_line(line)}" for line in _lines(view, at))
    others = [*_lines(view, None)]
    if others:
        yield "locked besides"
        yield from (f"  {_line(line)}" for line in others)


def _rest(view: UpdateView) -> Iterator[str]:
    """What does not move."""
    stayed = ["Not moved", *(f"  {name} {note}" for name, note in map(_stay_words, view.stayed))]
    held = [*table_lines("Held back", _held(view))]
    others = _others(view)
    silent = len(view.unasked) - len(others)
    counts = {"No list of versions": silent, "Came with rvbuild": view.shipped}
    blocks = [
        stayed if view.stayed else [],
        held,
        [*unasked_lines(others)],
        [f"{k}: {v}" for k, v in counts.items() if v],
    ]
    for block in blocks:
        if block:
            yield from ("", *block[: -1 if not block[-1] else None])


def _held(view: UpdateView) -> list[PinStatus]:
    """What is held back, without the move of one that stays."""
    stayed = {each.step.pin for each in view.stayed}
    return [
        evolve(pin, choice=evolve(pin.choice, allowed=None)) if pin.pin in stayed else pin
        for pin in view.held
    ]


def _others(view: UpdateView) -> list[PinStatus]:
    """Those that nobody asked about, without those that are only counted."""
    return [pin for pin in view.unasked if pin.unasked is not Unasked.NO_LISTING]


def _stay_words(stay: StayedPin) -> tuple[str, str]:
    """What stays, and at what, and why."""
    problems = "; ".join(map(str, stay.problems))
    words = f"stays at {short_value(stay.step.old)}: with {_version(stay.step)}, {problems}"
    return pin_name(stay.step.pin), words


def _stay_line(stay: StayedPin) -> DiffLine:
    name, words = _stay_words(stay)
    return DiffLine(name, note=words)


def _failures(view: UpdateView) -> Iterator[DiffLine]:
    """What went wrong beside those that stay."""
    known = {str(error) for stay in view.stayed for error in stay.problems}
    for error in map(str, view.failures):
        if error not in known:
            yield DiffLine(error)


def _unasked(pin: PinStatus) -> DiffLine:
    words = UNASKED_WORDS[pin.unasked] if pin.unasked else ""
    return DiffLine(pin_name(pin.pin), short_value(pin.current), note=words)


def update_title(view: UpdateView) -> str:
    """The title of a merge request's text."""
    if len(view.steps) == 1:
        return _move_text(view.steps[0])
    return f"{len(view.steps)} moves" if view.steps else "nothing to move"


def update_sections(view: UpdateView) -> tuple[DiffSection, ...]:
    """The change log in sections; those without a line are left out."""
    numbers = (*range(len(view.steps)), None)
    moves = [DiffLine(*_move_words(step), note=f"because {_reason(step)}") for step in view.steps]
    is_told = len(moves) > 1 or any(each.cause is not StepCause.ASKED for each in view.steps)
    held = [DiffLine(name, values, note=note) for name, values, note in map(table_row, _held(view))]
    sections = (
        DiffSection("Moves", tuple(moves if is_told else ())),
        DiffSection("Versions", tuple(line for at in numbers for line in _pins(view, at))),
        DiffSection("Sources", tuple(line for at in numbers for line in _sources(view, at))),
        DiffSection("By set", tuple(map(set_line, view.diff.sets))),
        DiffSection("Patches", tuple(line for step in view.steps for line in _patches(step))),
        DiffSection("Facts", tuple(line for step in view.steps for line in fact_lines(step))),
        DiffSection("Files", tuple(DiffLine(path) for path in sorted(view.files))),
        DiffSection("Unused files", tuple(map(unused_line, view.unused))),
        DiffSection("Not moved", tuple(_stay_line(each) for each in view.stayed)),
        DiffSection("Errors", tuple(_failures(view))),
        DiffSection("Held back", tuple(held)),
        DiffSection("Not asked", tuple(map(_unasked, _others(view)))),
    )
    return tuple(section for section in sections if section.lines)


# ---- a move


def _move_text(step: PinStep) -> str:
    name, old, new = _move_words(step)
    if not new:
        return f"{name}: a series goes"
    if step.old != step.new:
        return f"{name}: {old} -> {new}"
    return f"{name}: {old}, as before" if step.old_series == step.series else f"{name}: {old}"


def _move_words(step: PinStep) -> tuple[str, str, str]:
    """What moves, and its values as people compare them."""
    name = pin_name(step.pin)
    if step.cause is StepCause.ASKED:
        name = step.recipe
        if step.new and step.old_series != step.series:
            former = f"@{step.old_series}" if step.old_series else ""
            name = f"{name}{former} -> {name}@{step.series}"
    return name, short_value(step.old), short_value(step.new)


def _reason(step: PinStep) -> str:
    if step.policy is None:
        return _ASKED
    if step.cause is StepCause.RENEWAL:
        return f"{short_value(step.new)} is the newest index"
    return f"{_version(step)} is the newest that {_policy(step.policy)}"


def _version(step: PinStep) -> str:
    """The new value as people compare it: of a commit its tag."""
    version = short_value(step.new)
    return step.version if version != step.new and step.version else version


def _policy(policy: UpdatePolicy) -> str:
    reach = f"update: {policy.reach.value}"
    if not policy.min_age:
        return f"{reach} allows"
    return f"{reach} and min-age: {age_text(policy.min_age)} allow"


# ---- what follows from it


def _lines(view: UpdateView, at: int | None) -> Iterator[DiffLine]:
    """All that follows from one move; None: from none."""
    yield from _pins(view, at)
    yield from _sources(view, at)
    yield from (set_line(each) for each in view.diff.sets if view.origins.get(each.recipe) == at)
    if at is not None:
        yield from _patches(view.steps[at])
        yield from fact_lines(view.steps[at])


def _pins(view: UpdateView, at: int | None) -> Iterator[DiffLine]:
    for change in view.diff.pins:
        if view.origins.get(change.pin.recipe) == at and not _is_move(view, change):
            yield _pin(change)


def _is_move(view: UpdateView, change: PinChange) -> bool:
    """Whether it is the very pin that moves, of which the move's own line tells."""
    step = view.own_step(change.pin.recipe)
    return step is not None and not change.origin and change.pin.name == step.pin.name


def _pin(change: PinChange) -> DiffLine:
    """A value that follows: because of its source, or of a person's decision beside it."""
    line = pin_line(change)
    if line.reason or not line.note:
        return line
    return evolve(line, note=f"because {line.note} {'said' if change.new is None else 'says'} so")


def _sources(view: UpdateView, at: int | None) -> Iterator[DiffLine]:
    for change in view.diff.sources:
        if view.origins.get(change.source.recipe) == at:
            yield _source(view, change)


def _source(view: UpdateView, change: SourceChange) -> DiffLine:
    line, cause = source_line(change), view.cause(change.source.recipe)
    verb = "moves" if cause else "follows"
    reason = f"{change.source.recipe} {verb}" if line.old else ""
    if cause is StepCause.ASKED:
        reason = _ASKED
    note = "; ".join(filter(None, (f"because {reason}" if reason else "", line.note)))
    return DiffLine(line.subject, line.old, line.new, note, line.mark)


def _patches(step: PinStep) -> Iterator[DiffLine]:
    yield from (DiffLine(each, note=_UPSTREAM, mark="-") for each in step.left_out)
    yield from patch_lines(step)


def _line(line: DiffLine) -> str:
    values = " -> ".join(filter(None, (line.old, line.new)))
    mark = f"{line.mark} " if line.mark else ""
    text = f"{mark}{' '.join(filter(None, (line.subject, values)))}"
    if line.reason:
        return f"{text}{f' ({line.note})' if line.note else ''}, {line.reason}"
    return f"{text}, {line.note}" if line.note else text
