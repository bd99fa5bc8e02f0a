"""`audit`: draws what is to be said of results.

Knows: lines and documents. Must not know: rules, stores.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing

from rvbuild.app.audit import TargetAudit, audit_targets
from rvbuild.app.memo import Memo
from rvbuild.app.workspace import Workspace
from rvbuild.cli.json_text import error_row, print_answer
from rvbuild.cli.words import parse_targets, session_of
from rvbuild.core.events import silent
from rvbuild.core.printable import printable_line


def audit_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild audit TARGET…`: exit code 5 if a result has a fault."""

    def show(audit: TargetAudit) -> None:
        for line in () if arguments.json else _lines(audit):
            sys.stdout.write(printable_line(line) + "\n")

    with closing(session_of(arguments, workspace, silent)) as session:
        view = audit_targets(session, parse_targets(session, arguments.targets), show)
    if arguments.json:
        failures = [error_row(failure, arguments.store) for failure in view.failures]
        print_answer({"targets": [_entry(audit) for audit in view.audits], "failures": failures})
    view.refuse_failures()
    return 0


def _lines(audit: TargetAudit) -> Iterator[str]:
    yield f"{'fit' if audit.is_fit else 'UNFIT':<8}  {audit.target}"
    for finding in audit.findings:
        yield f"{finding.weight.value:<8}  {finding.path}: {finding.what}"


def _entry(audit: TargetAudit) -> dict[str, object]:
    rows = [
        {"weight": finding.weight.value, "path": finding.path, "problem": finding.what}
        for finding in audit.findings
    ]
    return {
        "target": str(audit.target),
        "output": audit.output,
        "fit": audit.is_fit,
        "findings": rows,
    }
