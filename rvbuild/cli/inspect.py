"""`plan` and `log`: draws a plan, and what a step wrote.

Knows: lines and documents. Must not know: how a plan is made, where logs are.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import closing

from rvbuild.app.log import is_derivation, read_log
from rvbuild.app.memo import Memo
from rvbuild.app.plan import plan_targets
from rvbuild.app.workspace import Workspace
from rvbuild.cli.cause_text import task_reason
from rvbuild.cli.json_text import print_answer
from rvbuild.cli.plan_text import plan_text
from rvbuild.cli.progress import PlainProgress
from rvbuild.cli.words import parse_targets, session_of
from rvbuild.core.events import silent
from rvbuild.core.plan import Plan
from rvbuild.core.printable import printable


def plan_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild plan TARGET…`."""
    with (
        PlainProgress(sys.stderr) as report,  # what caches had to be told of
        closing(session_of(arguments, workspace, report)) as session,
    ):
        plan = plan_targets(session, parse_targets(session, arguments.targets))
    if arguments.json:
        print_answer(_document(plan))
    else:
        sys.stdout.write(plan_text(plan))
    return 0


def _document(plan: Plan) -> dict[str, object]:
    tasks = [
        {
            "label": task.derivation.label,
            "phase": task.phase.value,
            "derivation": digest,
            "reason": task_reason(task),
        }
        for digest, task in plan.tasks.items()
    ]
    return {"keep": len(plan.kept), "tasks": tasks}


def log_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild log TARGET`: of what failed last, else of the step that made the result."""
    word = arguments.target
    with closing(session_of(arguments, workspace, silent)) as session:
        subject = word if is_derivation(word) else parse_targets(session, [word])[0]
        text = read_log(session, subject).decode(errors="replace")
    if not text:
        sys.stderr.write("the step ran, and wrote nothing\n")
    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    return 0
