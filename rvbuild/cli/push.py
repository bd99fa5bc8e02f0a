"""`push`: draws what caches took, and what they lack.

Knows: lines and documents. Must not know: how results travel.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from attrs import asdict

from rvbuild.app.memo import Memo
from rvbuild.app.push import PushView, push_former, push_targets
from rvbuild.app.push_check import PushCheck, check_pushed
from rvbuild.app.workspace import Workspace
from rvbuild.cli.json_text import error_row, print_answer
from rvbuild.cli.messages import count_text, size_text
from rvbuild.cli.words import parse_targets, run_of
from rvbuild.core.errors import raise_failures
from rvbuild.core.printable import printable_line


def push_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild push TARGET…`, `--all`, `--built-since DAYS`; `--check` only looks."""
    names = tuple(arguments.to)
    if arguments.check:
        with run_of(arguments, workspace) as session:
            checks = check_pushed(session, parse_targets(session, arguments.targets), names)
        _answer_checks(checks, as_json=arguments.json)
        return 0
    with run_of(arguments, workspace) as session:
        if arguments.all or arguments.built_since is not None:
            view = push_former(session, arguments.built_since, names)
        else:
            view = push_targets(session, parse_targets(session, arguments.targets), names)
    if arguments.json:
        print_answer(_row(view, arguments.store))
    else:
        _write_lines(view)
    view.refuse_failures()
    return 0


def _write_lines(view: PushView) -> None:
    for each in view.pushes:
        line = (
            f"{each.cache}  {count_text(each.results, 'result')}: {size_text(each.sent)} sent, "
            f"{size_text(each.there)} there before"
        )
        sys.stdout.write(printable_line(line) + "\n")
    for target, problem in view.others:
        sys.stderr.write(printable_line(f"not pushed: {target}: {problem}") + "\n")


def _row(view: PushView, store: str | None) -> dict[str, object]:
    """The members of an answer, for example.

    ::

    {"pushes": [{"cache": "team", "results": 41, "sent": 73400320, "there": 0}],
     "failures": [],
     "others": [{"target": "runc-arm64", "problem": "it would be built otherwise now"}]}
    """
    return {
        "pushes": [asdict(each) for each in view.pushes],
        "failures": [error_row(each, store) for each in view.failures],
        "others": [{"target": target, "problem": problem} for target, problem in view.others],
    }


# ---- whether it is there


def _answer_checks(checks: list[PushCheck], *, as_json: bool) -> None:
    """Say what caches lack.

    Raises:
        CacheFault: something is lacking.
    """
    if as_json:
        rows = [asdict(each, filter=lambda fact, _: fact.name != "hint") for each in checks]
        print_answer({"caches": rows})
    for line in () if as_json else _check_lines(checks):
        sys.stdout.write(printable_line(line) + "\n")
    raise_failures([each.fault for each in checks if each.fault])


def _check_lines(checks: list[PushCheck]) -> Iterator[str]:
    for each in checks:
        yield from (f"{each.cache}  lacks {lack.label}: {lack.problem}" for lack in each.lacks)
        if not each.lacks:
            yield f"{each.cache}  has {count_text(each.results, 'record')} and all that they name"
