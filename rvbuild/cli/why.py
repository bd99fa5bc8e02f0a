"""`why`: draws what caused a target to be another than it was.

Knows: lines and documents. Must not know: recipes, stores, caches.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing

from rvbuild.app.memo import Memo
from rvbuild.app.why import WhyView, explain_target
from rvbuild.app.workspace import Workspace
from rvbuild.cli.cause_text import cause_row, causes_lines
from rvbuild.cli.json_text import print_answer
from rvbuild.cli.words import parse_targets, session_of
from rvbuild.core.events import silent
from rvbuild.core.printable import printable_line

_MOST_CAUSES = 60


def why_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild why TARGET`."""
    with closing(session_of(arguments, workspace, silent)) as session:
        (target,) = parse_targets(session, [arguments.target])
        view = explain_target(session, target, arguments.against or "")
    if arguments.json:
        print_answer(_document(view))
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(view))
    return 0


def _lines(view: WhyView) -> Iterator[str]:
    former = printable_line(f"{view.former.place} ({view.former.derivation[:12]})")
    if not view.causes:
        yield f"{view.target} is as it was: {former}"
        return
    yield f"{view.target} is not what it was: {former}"
    yield from causes_lines(view.causes[:_MOST_CAUSES])
    if len(view.causes) > _MOST_CAUSES:
        yield f"\n… {len(view.causes) - _MOST_CAUSES} more causes: see --json"


def _document(view: WhyView) -> dict[str, object]:
    """One JSON document, for example.

    ::

    {"version": 1, "target": "app-riscv64", "derivation": "5f1c…",
     "former": {"derivation": "9a0c…", "place": "team/ci"},
     "causes": [{"kind": "environment", "name": "GOFLAGS", "old": null, "new": "-x",
                 "diff": ["+-x"], "places": [{"label": "app-riscv64", "derivation": "5f1c…"}],
                 "followers": []}]}
    """
    return {
        "target": view.target,
        "derivation": view.derivation,
        "former": {"derivation": view.former.derivation, "place": view.former.place},
        "causes": [cause_row(cause) for cause in view.causes],
    }
