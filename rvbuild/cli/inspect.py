"""`plan` and `log`: look, change nothing.

Knows: what people ask about a target. Must not know: how anything is built.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys

from rvbuild.app.memo import Memo
from rvbuild.app.session import Session
from rvbuild.app.workspace import Workspace
from rvbuild.cli.plan_text import plan_text
from rvbuild.cli.words import parse_targets, session_of
from rvbuild.core.digest import Digest
from rvbuild.core.errors import UsageError
from rvbuild.core.events import silent
from rvbuild.core.plan import make_plan
from rvbuild.core.ports.store import Store
from rvbuild.core.printable import printable


def plan_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild plan TARGET…`."""
    session = session_of(arguments, workspace, silent)
    _, linked = session.link(parse_targets(session, arguments.targets), checks=True)
    wanted = [*linked.results.values()]
    wanted += [check for checks in linked.checks.values() for check in checks]
    plan = make_plan(linked.derivations, wanted, session.lookup())
    if arguments.json:
        tasks = [
            {
                "label": task.derivation.label,
                "phase": task.phase.value,
                "derivation": digest,
                "reason": task.reason,
            }
            for digest, task in plan.tasks.items()
        ]
        print_json({"keep": len(plan.kept), "tasks": tasks})
        return 0
    sys.stdout.write(plan_text(plan))
    return 0


def log_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild log TARGET`: of what failed last, else of the step that made the result."""
    session = session_of(arguments, workspace, silent)
    steps = _steps(session, arguments.target)
    log = _log(session.store, steps) if workspace.has_store else None
    if log is None:
        msg = "no step of it has run here"
        if workspace.has_store and os.path.isdir(session.store.layout.damaged):
            msg += ", or `rvbuild store repair` has set its result aside"
        hint = f"`rvbuild {arguments.target}` builds it"
        raise UsageError(msg, where=arguments.target, hint=hint)
    try:
        text = session.store.read(log).decode(errors="replace")
    except KeyError:
        msg = "the log is not in the store any more"
        hint = f"`rvbuild {arguments.target}` writes one when its step runs"
        raise UsageError(msg, where=arguments.target, hint=hint) from None
    if not text:
        sys.stderr.write("the step ran, and wrote nothing\n")
    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    return 0


def _log(store: Store, steps: list[str]) -> Digest | None:
    failed = (store.failed(step) for step in steps)
    made = (store.realisation(step) for step in steps[:1])
    logs = [*failed, *(found.log for found in made if found)]
    return next((log for log in logs if log), None)


def _steps(session: Session, name: str) -> list[str]:
    """The derivations of a target's step and its checks; or the one that ``name`` is."""
    if re.fullmatch(r"[0-9a-f]{64}", name):
        return [name]
    targets = parse_targets(session, [name])
    _, linked = session.link(targets, checks=True)
    return [linked.results[targets[0]], *linked.checks[targets[0]]]


def print_json(value: object) -> None:
    """Write what a program reads."""
    sys.stdout.write(json.dumps(value, indent=2, sort_keys=True) + os.linesep)
