"""A plan as text for people: hundreds of fetches for one merge are one line.

Knows: how tasks become lines. Must not know: how a plan is made. ``--json`` has every task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rvbuild.cli.cause_text import task_reason
from rvbuild.core.derivation import Fetch, Merge
from rvbuild.core.plan import Plan
from rvbuild.core.printable import printable_line


def plan_text(plan: Plan) -> str:
    """A line for each task or group of fetches, and the counts of all tasks."""
    lines = [printable_line(line) for line in _lines(plan)]
    counts = [f"{count} to {phase.value}" for phase, count in plan.counts().items()]
    lines.append(", ".join([*counts, f"{len(plan.kept)} to keep"]))
    return "".join(f"{line}\n" for line in lines)


def _lines(plan: Plan) -> Iterator[str]:
    groups = _groups(plan)
    sizes: dict[str, int] = {}
    for group in groups.values():
        sizes[group] = sizes.get(group, 0) + 1
    for digest, task in plan.tasks.items():
        group = groups.get(digest, "")
        size = sizes.get(group, 1)
        if size == 1:
            yield f"{task.phase.value:<6} {task.derivation.label}: {task_reason(task)}"
        elif size:
            why = task.reason.partition(";")[0]  # the group's name says who needs them
            yield f"{task.phase.value:<6} {size} {group}: {why}"
            sizes[group] = 0  # said, where its first is


def _groups(plan: Plan) -> Mapping[str, str]:
    """``go modules of k3s-source/k3s`` for each fetch of one that a merge of the plan needs."""
    groups: dict[str, str] = {}
    for task in plan.tasks.values():
        if isinstance(task.derivation, Merge):
            user = task.derivation.label.removeprefix("go-modules of ")
            for given in task.derivation.inputs:
                fetch = plan.tasks[given].derivation if given in plan.tasks else None
                many = fetch.source.many if isinstance(fetch, Fetch) else ""
                if many:
                    groups.setdefault(given, f"{many} of {user}")
    return groups
