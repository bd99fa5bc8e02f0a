"""The table of `outdated`: what may be moved, what is held back, what nobody asked.

Knows: columns. Must not know: how a pin came to its state.
"""

from __future__ import annotations

import datetime as dt
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from rvbuild.cli.messages import count_text
from rvbuild.cli.pin_names import PinNames, pin_names
from rvbuild.core.candidate import HeldBack, Hold
from rvbuild.core.names import PinRef
from rvbuild.core.override import Override, OverrideEnd
from rvbuild.core.pin_status import PinState, PinStatus, Unasked
from rvbuild.core.snapshot import is_snapshot

_WIDTH = 80
_DIGITS = 12
_MOST_NAMES = 3
UNASKED_WORDS = {
    Unasked.OFFLINE: "offline",
    Unasked.NO_LISTING: "an address has no list of versions",
    Unasked.UNREACHABLE: "no answer",
    Unasked.NO_ORDER: "no version, and no branch here to compare with",
    Unasked.NOT_LOCKED: "not locked",
    Unasked.NO_SOURCE: "no source is chosen by it",
}
"""Why nobody knows what there is, for people."""


def outdated_lines(pins: Sequence[PinStatus], *, every: bool = False) -> Iterator[str]:
    """The table.

    Args:
        pins: All of them.
        every: Whether to list what is only counted else: what is up to date, and derived.
    """
    names = status_names(pins)
    groups = {state: [pin for pin in pins if pin.state is state] for state in PinState}
    yield from table_lines("May be moved", groups[PinState.MOVABLE], names)
    yield from table_lines("Held back", groups[PinState.HELD], names)
    yield from _row_lines("Overrides", [*_override_rows(pins, names)])
    yield from _counted("Up to date", groups[PinState.CURRENT], names, every=every)
    yield from _counted("Derived", groups[PinState.DERIVED], names, every=every)
    yield from unasked_lines(groups[PinState.UNASKED], names)
    if not pins:
        yield "no pin is there"


def status_names(pins: Iterable[PinStatus], others: Iterable[PinRef] = ()) -> PinNames:
    """What pins are called, beside others."""
    known = {pin.pin: pin for pin in pins}
    whole = {ref for ref, pin in known.items() if _is_other_value(pin)}
    return pin_names((*known, *others), whole)


def table_lines(title: str, pins: Sequence[PinStatus], names: PinNames) -> Iterator[str]:
    """A line for each pin, and what there is to say of it; none without pins."""
    yield from _row_lines(title, [table_row(pin, names) for pin in pins])


def _row_lines(title: str, rows: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    if not rows:
        return
    yield title
    widths = [max(len(row[at]) for row in rows) for at in range(2)]
    for name, values, note in rows:
        line = f"  {name:<{widths[0]}}  {values:<{widths[1]}}  {note}".rstrip()
        if len(line) <= _WIDTH:
            yield line
        else:
            yield f"  {name:<{widths[0]}}  {values}".rstrip()
            yield f"      {note}"
    yield ""


def table_row(pin: PinStatus, names: PinNames) -> tuple[str, str, str]:
    """Its name, its values, and what there is to say of it."""
    return names[pin.pin], _values(pin), _note(pin)


def _override_rows(pins: Iterable[PinStatus], names: PinNames) -> Iterator[tuple[str, str, str]]:
    """What recipes have instead of values, with its end and its reasons."""
    for pin in pins:
        if pin.instead is not None:
            value, upstream = short_value(pin.instead.value), short_value(pin.current)
            values, note = f"{value} instead of {upstream}", ""
            if not upstream:  # nobody knows what is upstream's now
                values = f"{value} while {short_value(pin.instead.upstream)}"
                note = UNASKED_WORDS[Unasked.NOT_LOCKED]
            notes = note, _end(pin.instead, pin.ended_by), pin.instead.reason
            yield names[pin.pin], values, "; ".join(filter(None, notes))


def _end(override: Override, ended_by: OverrideEnd | None) -> str:
    if ended_by is OverrideEnd.UPSTREAM:
        return f"ended: it is for {short_value(override.upstream)}"
    if ended_by is OverrideEnd.DAY:
        return f"ended: it was until {override.until}"
    return f"until {override.until}" if override.until else ""


def _counted(
    title: str, pins: Sequence[PinStatus], names: PinNames, *, every: bool
) -> Iterator[str]:
    if pins and every:
        yield from table_lines(title, pins, names)
    elif pins:
        yield f"{title}: {len(pins)}"
        yield ""


def unasked_lines(pins: Sequence[PinStatus], names: PinNames) -> Iterator[str]:
    """Why nobody knows what there is, and of which pins; none without pins."""
    if not pins:
        return
    yield "Not asked"
    for why, words in UNASKED_WORDS.items():
        these = [pin for pin in pins if pin.unasked is why]
        if not these:
            continue
        yield f"  {words}: {len(these)}"
        values = ", ".join(f"{names[pin.pin]} {short_value(pin.current)}" for pin in these)
        yield from textwrap.wrap(
            values,
            _WIDTH,
            initial_indent="    ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        errors = {str(pin.problem): pin.problem for pin in these if pin.problem}
        for text, error in errors.items():
            yield from (f"      {text}", *(f"        {line}" for line in error.details))
    yield ""


def _is_other_value(pin: PinStatus) -> bool:
    is_chosen = pin.state is not PinState.DERIVED and pin.unasked is not Unasked.NO_SOURCE
    return not is_chosen and pin.pin.name != "version"


def _values(pin: PinStatus) -> str:
    current = short_value(pin.label or pin.current)
    allowed = pin.choice.allowed
    return f"{current} -> {short_value(allowed.version)}" if allowed else current


def _note(pin: PinStatus) -> str:
    if pin.state is PinState.DERIVED:
        return _origin(pin)
    notes = [_held(pin, pin.choice.held)] if pin.choice.held else []
    if pin.behind and pin.behind.count:
        notes.append(f"{count_text(pin.behind.count, 'commit')} behind {pin.behind.branch}")
    if pin.packages:
        notes.append(_packages(pin))
    return "; ".join(notes)


def _origin(pin: PinStatus) -> str:
    if pin.origin is None:
        return "not locked"
    line = f":{pin.origin.line}" if pin.origin.line else ""
    return f"{pin.origin.source} {pin.origin.file}{line}".rstrip()


def _held(pin: PinStatus, held: HeldBack) -> str:
    version = short_value(held.candidate.version)
    reach = pin.policy.reach.value if pin.policy else ""
    return {
        Hold.POLICY: f"{version}: update is {reach}",
        Hold.MIN_AGE: f"{version}: from {day_text(held.free)} on",
        Hold.NO_MOMENT: f"{version}: nobody says its age",
        Hold.PRERELEASE: f"{version} is a pre-release",
    }[held.hold]


def _packages(pin: PinStatus) -> str:
    names = [change.name.partition(" ")[0] for change in pin.packages]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{', '.join(names[:_MOST_NAMES])}{more}"


def short_value(text: str) -> str:
    """As much of a commit's name as people compare, an index by its day, an address by its end."""
    if is_snapshot(text):
        return f"{text[:4]}-{text[4:6]}-{text[6:8]}"
    if "://" in text:
        return text.rpartition("/")[2]
    is_commit = len(text) in {40, 64} and all(digit in "0123456789abcdef" for digit in text)
    return text[:_DIGITS] if is_commit else text


def day_text(moment: int | None, *, whole: bool = False) -> str:
    """A day as ``2026-12-04`` (UTC), or with its time; empty for none."""
    if moment is None:
        return ""
    form = "%Y-%m-%dT%H:%M:%SZ" if whole else "%Y-%m-%d"
    return dt.datetime.fromtimestamp(moment, dt.UTC).strftime(form)
