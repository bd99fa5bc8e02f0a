"""The lines that events leave behind.

Knows: which events are worth a line. Must not know: where lines are written.
"""

from __future__ import annotations

from rvbuild.cli.audit_notes import finding_lines
from rvbuild.cli.cache_rows import cache_row, shortfall_row
from rvbuild.cli.loss_text import loss_text
from rvbuild.cli.messages import duration_text
from rvbuild.cli.public import public
from rvbuild.cli.row import Row
from rvbuild.cli.tally import word_for
from rvbuild.core.events import (
    Audited,
    CacheUsed,
    Event,
    Finished,
    Noticed,
    Phase,
    Planned,
    Shortfall,
    Started,
    Wrote,
)
from rvbuild.core.printable import printable, printable_line

LONG_MERGE = 2.0
"""Seconds from which a merge is worth a line."""

_STEPS = frozenset({Phase.SUBSTITUTE, Phase.BUILD, Phase.CHECK, Phase.PUSH})
_WALKS = frozenset({Phase.COUNT, Phase.COLLECT, Phase.VERIFY})
_TEXT_COLUMN = 20


def lines_for(event: Event, *, verbose: bool, starts: bool) -> list[Row | str]:
    """The lines that an event leaves behind.

    Args:
        event: What happened.
        verbose: Whether reasons and step's lines are wanted.
        starts: Whether the begin of a step is worth a line.
    """
    if isinstance(event, Wrote):
        return [f"{printable_line(event.label)} | {_log_line(event.line)}"] if verbose else []
    if isinstance(event, Noticed | Audited | CacheUsed | Shortfall):
        return _remarks(event)
    if isinstance(event, Started):
        has_line = starts or verbose
        is_worth = event.phase in _STEPS | _WALKS
        return [_started(event, verbose=verbose)] if has_line and is_worth else []
    if isinstance(event, Finished):
        return [_finished(event)] if _is_worth_a_line(event) else []
    if isinstance(event, Planned) and starts and any(event.counts.values()):
        return [Row("plan", "", _plan(event))]
    return []


def _is_worth_a_line(event: Finished) -> bool:
    if event.how == "stopped":  # the person stopped it, and knows
        return False
    long = event.phase is Phase.MERGE and event.seconds >= LONG_MERGE
    return event.how == "failed" or event.phase in _STEPS | _WALKS or long


def _started(event: Started, *, verbose: bool) -> Row:
    reason = f": {printable_line(event.reason)}" if verbose and event.reason else ""
    return Row(event.phase.value, "", printable_line(event.label) + reason)


def _finished(event: Finished) -> Row:
    why = f": made instead: {printable_line(loss_text(event.loss))}" if event.loss else ""
    return Row(word_for(event), duration_text(event.seconds), printable_line(event.label) + why)


def _plan(event: Planned) -> str:
    counts = ", ".join(
        f"{phase.value} {event.counts[phase]}" for phase in Phase if event.counts.get(phase)
    )
    return f"{counts}; keep {event.kept}" if event.kept else counts


def _remarks(event: Noticed | Audited | CacheUsed | Shortfall) -> list[Row | str]:
    """What a person should know: something is amiss, or only worth a note."""
    if isinstance(event, CacheUsed):
        return [cache_row(event.use)] if event.use.requests else []
    if isinstance(event, Shortfall):
        return [shortfall_row(event)]
    if isinstance(event, Noticed):
        return [Row("warning", "", _notice(event.label, event.text))]
    texts = finding_lines(event.findings)
    return [Row("note", "", _notice(event.label, text)) for text in texts]


def _notice(label: str, text: str) -> str:
    whose = f"{printable_line(public(label))}: " if label else ""
    return whose + printable(public(text.rstrip())).replace("\n", "\n" + " " * _TEXT_COLUMN)


def _log_line(line: str) -> str:
    return printable(line.rstrip("\r\n")).replace("\n", "\\n")
