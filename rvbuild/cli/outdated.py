"""`outdated`: draws what pins may move to.

Knows: a table of 80 columns, and JSON. Must not know: who is asked.
"""

from __future__ import annotations

import argparse
import sys

from rvbuild.app.memo import Memo
from rvbuild.app.outdated import outdated_pins
from rvbuild.app.workspace import Workspace
from rvbuild.cli.json_text import error_row, print_answer
from rvbuild.cli.outdated_text import day_text, outdated_lines
from rvbuild.cli.public import public
from rvbuild.cli.words import run_of
from rvbuild.core.candidate import Candidate, HeldBack
from rvbuild.core.component import ComponentChange
from rvbuild.core.lock_diff import PinOrigin
from rvbuild.core.override import Override
from rvbuild.core.pin_status import PinStatus
from rvbuild.core.printable import printable_line
from rvbuild.core.update_policy import UpdatePolicy


def outdated_command(
    arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None
) -> int:
    """`rvbuild outdated [NAME…]`."""
    with run_of(arguments, workspace) as session:
        view = outdated_pins(session, tuple(arguments.recipes))
    if arguments.json:
        print_answer({"pins": [status_row(each) for each in view.pins]})
    else:
        lines = outdated_lines(view.pins, every=arguments.all)
        sys.stdout.writelines(f"{printable_line(line)}\n" for line in lines)
    view.refuse_failures()
    if not arguments.exit_code or view.is_outdated:
        return int(arguments.exit_code)
    view.refuse_unanswered()
    return 0


def status_row(status: PinStatus) -> dict[str, object]:
    """A pin, for example.

    ::

    {"recipe": "nginx-source", "pin": "version",
     "name": "nginx-source/version", "place": "recipes/nginx-source/recipe.yaml:5:1",
     "state": "may-be-moved", "current": "1.30.4", "kind": "git",
     "upstream": "https://github.com/nginx/nginx", "label": null,
     "policy": {"update": "minor", "min-age": "7d"},
     "allowed": {"version": "1.30.6", "commit": "3f6f…", "published": "2026-09-01T10:00:00Z"},
     "held": {"version": "1.31.0", "commit": "…", "published": "…", "by": "min-age",
              "free": "2026-12-04T10:00:00Z"},
     "behind": null, "packages": [], "origin": null, "decided-by": null,
     "unasked": null, "error": null,
     "instead": {"value": "1.30.5", "because": ["CVE-…"], "while": "1.30.4",
                 "until": "2027-03-01", "ended": null}}
    """
    choice, behind = status.choice, status.behind
    return {
        "recipe": status.pin.recipe,
        "pin": status.pin.name,
        "name": status.name or None,
        "place": public(str(status.place)) if status.place else None,
        "state": status.state.value,
        "current": public(status.current),
        "kind": status.kind or None,
        "upstream": public(status.upstream) or None,
        "label": status.label or None,
        "policy": policy_row(status.policy) if status.policy else None,
        "allowed": _candidate(choice.allowed) if choice.allowed else None,
        "held": _held(choice.held) if choice.held else None,
        "behind": {"branch": behind.branch, "commits": behind.count} if behind else None,
        "packages": [_package(each) for each in status.packages],
        "origin": _origin(status.origin) if status.origin else None,
        "decided-by": str(status.decided_by) if status.decided_by else None,
        "unasked": status.unasked.value if status.unasked else None,
        "error": error_row(status.problem) if status.problem else None,
        "instead": _instead(status, status.instead) if status.instead else None,
    }


def policy_row(policy: UpdatePolicy) -> dict[str, object]:
    """What may be taken."""
    return {"update": policy.reach.value, "min-age": policy.age_text or None}


def _candidate(candidate: Candidate) -> dict[str, object]:
    return {
        "version": candidate.version,
        "commit": candidate.commit or None,
        "published": day_text(candidate.moment, whole=True) or None,
    }


def _held(held: HeldBack) -> dict[str, object]:
    free = day_text(held.free, whole=True) or None
    return {**_candidate(held.candidate), "by": held.hold.value, "free": free}


def _package(change: ComponentChange) -> dict[str, object]:
    return {
        "name": change.name,
        "change": change.move.value,
        "old": list(change.old),
        "new": list(change.new),
    }


def _instead(status: PinStatus, override: Override) -> dict[str, object]:
    return {
        "value": public(override.value),
        "because": [*map(public, override.because)],
        "while": public(override.upstream),
        "until": override.until or None,
        "ended": status.ended_by.value if status.ended_by else None,
    }


def _origin(origin: PinOrigin) -> dict[str, object]:
    return {
        "source": origin.source,
        "revision": origin.revision or None,
        "file": origin.file or None,
        "line": origin.line or None,
    }
