"""`push`: draws what caches took.

Knows: lines and documents. Must not know: how results travel.
"""

from __future__ import annotations

import argparse
import sys

from rvbuild.app.memo import Memo
from rvbuild.app.push import PushView, push_targets
from rvbuild.app.workspace import Workspace
from rvbuild.cli.json_text import answer_text, error_row
from rvbuild.cli.messages import size_text
from rvbuild.cli.words import parse_targets, run_of
from rvbuild.core.printable import printable_line


def push_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild push TARGET…`."""
    with run_of(arguments, workspace) as session:
        targets = parse_targets(session, arguments.targets)
        view = push_targets(session, targets, tuple(arguments.to))
    sys.stdout.write(_document(view, arguments.store) if arguments.json else _lines(view))
    view.refuse_failures()
    return 0


def _lines(view: PushView) -> str:
    return "".join(
        printable_line(
            f"{each.cache}  {each.results} results: {size_text(each.sent)} sent, "
            f"{size_text(each.there)} there before"
        )
        + "\n"
        for each in view.pushes
    )


def _document(view: PushView, store: str | None) -> str:
    """One JSON document, for example.

    ::

    {"version": 1,
     "pushes": [{"cache": "team", "results": 41, "sent": 73400320, "there": 0}],
     "failures": []}
    """
    rows = [
        {"cache": each.cache, "results": each.results, "sent": each.sent, "there": each.there}
        for each in view.pushes
    ]
    failures = [error_row(each, store) for each in view.failures]
    return answer_text({"pushes": rows, "failures": failures})
