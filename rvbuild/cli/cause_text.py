"""Causes of differences as text for people, and for programs.

Knows: words for each aspect of a derivation. Must not know: how causes are found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from rvbuild.core.derivation import Derivation
from rvbuild.core.derivation_diff import Cause, Change
from rvbuild.core.derivation_facts import Aspect
from rvbuild.core.events import Phase
from rvbuild.core.plan import Task
from rvbuild.core.printable import brief, printable_line

_MOST_LABELS = 6
_MOST_LINES = 16
"""What people see of a cause; a program gets all."""

_WORDS = {
    Aspect.SOURCE: "content",
    Aspect.EXPECT: "what its output must say",
    Aspect.TIMEOUT: "time limit",
    Aspect.OTHER: "its form:",
    Aspect.UNKNOWN: "what it was is not known (collected, or never kept); try --against CACHE",
}
_DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{20,}\b")


def causes_lines(causes: Iterable[Cause]) -> Iterator[str]:
    """Causes with what changed, and what follows; those of the same derivations together."""
    groups: dict[tuple[str, ...], list[Cause]] = {}
    for cause in causes:
        groups.setdefault(tuple(each.digest for each in cause.places), []).append(cause)
    for group in groups.values():
        yield ""
        yield labels(group[0].places)
        for cause in group:
            yield f"  {change_text(cause.change)}"
            yield from _diff_lines(cause.change)
        yield f"  {followers_text(group[0].followers)}"


def change_text(change: Change) -> str:
    """A change in one line, as ``environment GOFLAGS: -x -> -y``."""
    words = _WORDS.get(change.aspect, change.aspect.value)
    subject = " ".join(filter(None, (words, change.name)))
    old, new = _lines_of(change, "-"), _lines_of(change, "+")
    if change.aspect is Aspect.UNKNOWN:
        return subject
    if old and sorted(old) == sorted(new):
        return printable_line(f"{subject}: the same in another order")
    if _is_long(change):
        return printable_line(f"{subject}: {len(old) + len(new)} lines differ")
    if change.old is None or change.new is None:
        return printable_line(f"{subject} {'is new' if new else 'is gone'}: {(new or old)[0]}")
    if not old or not new:  # a line of several came or went
        return printable_line(f"{subject}: {'+' if new else '-'} {(new or old)[0]}")
    return printable_line(f"{subject}: {old[0] or 'nothing'} -> {new[0] or 'nothing'}")


def task_reason(task: Task) -> str:
    """Why a task of a plan is one: what made it another than it was, if that is known."""
    causes = [each for each in task.causes if each.change.aspect is not Aspect.UNKNOWN]
    if task.phase is not Phase.BUILD or not causes:
        return task.reason
    first, digest = causes[0], task.derivation.digest
    is_own = any(each.digest == digest for each in first.places)
    text = change_text(first.change)
    text = text if is_own else f"follows from {labels(first.places)}: {text}"
    more = f", and {len(causes) - 1} more" if len(causes) > 1 else ""
    _, needs, user = task.reason.partition("; ")
    return f"{text}{more}{needs}{user}"


def cause_row(cause: Cause) -> dict[str, object]:
    """A cause for programs; texts are whole, and null where there is or was none."""
    change = cause.change
    return {
        "kind": change.aspect.value,
        "name": change.name,
        "old": change.old,
        "new": change.new,
        "diff": list(change.diff),
        "places": [_row(each) for each in cause.places],
        "followers": [_row(each) for each in cause.followers],
    }


def _row(derivation: Derivation) -> dict[str, str]:
    return {"label": derivation.label, "derivation": derivation.digest}


def _lines_of(change: Change, sign: str) -> list[str]:
    """The lines that came or went, without the sign, each in short."""
    return [_short(line[1:]) for line in change.diff if line.startswith(sign)]


def _is_long(change: Change) -> bool:
    """Whether more than one line was, or is now."""
    return len(_lines_of(change, "-")) > 1 or len(_lines_of(change, "+")) > 1


def _diff_lines(change: Change) -> Iterator[str]:
    """A change of several lines, or a line with its neighbours, as a diff."""
    if not _is_long(change) and len(change.diff) <= 2:
        return
    yield from (f"    {_short(line)}".rstrip() for line in change.diff[:_MOST_LINES])
    if len(change.diff) > _MOST_LINES:
        yield f"    … {len(change.diff) - _MOST_LINES} more lines"


def _short(text: str) -> str:
    """A line of any length, with digests as people compare them."""
    return brief(_DIGEST.sub(r"\1…", text))


def followers_text(followers: Sequence[Derivation]) -> str:
    """How many steps follow, and the labels of the first."""
    if not followers:
        return "no other step follows"
    steps = "1 step follows" if len(followers) == 1 else f"{len(followers)} steps follow"
    return f"{steps}: {labels(followers)}"


def labels(derivations: Sequence[Derivation]) -> str:
    """The first labels, and how many more there are."""
    names = [printable_line(each.label) for each in derivations[:_MOST_LABELS]]
    more = len(derivations) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
