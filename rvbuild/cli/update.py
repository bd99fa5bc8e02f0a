"""`update`, as people call it.

Knows: its options, and JSON. Must not know: how a move is found out, written or told to people.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from rvbuild.app.lock_gaps import lock_gaps
from rvbuild.app.memo import Memo
from rvbuild.app.session import Session
from rvbuild.app.update import update
from rvbuild.app.update_view import UpdateRequest, UpdateView
from rvbuild.app.workspace import LOCK, Workspace
from rvbuild.cli.diff import module_row, pin_row, set_row, source_row
from rvbuild.cli.diff_text import markdown_lines
from rvbuild.cli.json_text import error_row, print_answer
from rvbuild.cli.outdated import policy_row, status_row
from rvbuild.cli.public import public
from rvbuild.cli.update_text import update_lines, update_sections, update_title
from rvbuild.cli.words import run_of
from rvbuild.core.errors import UsageError
from rvbuild.core.events import Noticed
from rvbuild.core.lock_diff import ModuleChange, PinChange
from rvbuild.core.names import RecipeName, Ref
from rvbuild.core.pin_step import FactStep, PinStep
from rvbuild.core.printable import brief, printable_line


def update_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild update [NAME… | NAME --to REF]`."""
    request = UpdateRequest(
        names=tuple(arguments.names),
        to=_word(arguments, "to"),
        series=_word(arguments, "series"),
        former=_word(arguments, "from"),
        values=_values(arguments.set),
        drop=arguments.drop,
    )
    with run_of(arguments, workspace) as session:
        view = update(session, request)
        if not arguments.dry_run:
            view.write()
            _tell_of_gaps(session, view)
    _write(arguments, view)
    view.refuse_failures()
    return 0


def _tell_of_gaps(session: Session, view: UpdateView) -> None:
    """Tell which recipes somebody edited, before or meanwhile, and did not lock."""
    failed = {RecipeName.parse(name).base for name in (view.lock.failures if view.lock else ())}
    gaps = [name for name in lock_gaps(session) if name not in failed] if view.is_change else []
    if gaps:
        names = ", ".join(map(brief, gaps))
        text = f"is no answer to {names}, which this update did not lock: run `rvbuild lock`"
        session.report(Noticed(LOCK, text))


def _word(arguments: argparse.Namespace, name: str) -> str:
    """What an option says; empty without it.

    Raises:
        UsageError: it says nothing, as where a variable is not set.
    """
    word = getattr(arguments, name)
    if word == "":
        msg = f"--{name} says nothing"
        raise UsageError(msg, hint="give it a value, or leave it out")
    return word or ""


def _values(words: Iterable[str]) -> dict[str, str]:
    """Read ``NAME=VALUE``; an empty value says that there is none.

    Raises:
        UsageError: a word has another form, or two disagree.
    """
    values: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals) or values.setdefault(name, value) != value:
            msg = f"--set {word}: not of the form NAME=VALUE, or said twice"
            raise UsageError(msg, hint="for example --set end-of-support=2027-02-28")
    return values


def _write(arguments: argparse.Namespace, view: UpdateView) -> None:
    if arguments.json:
        print_answer(_document(view, written=not arguments.dry_run))
    elif arguments.markdown:
        lines = markdown_lines(update_title(view), update_sections(view))
        sys.stdout.writelines(f"{line}\n" for line in lines)
    else:
        sys.stdout.writelines(
            f"{printable_line(line)}\n" for line in update_lines(view, dry_run=arguments.dry_run)
        )


def _document(view: UpdateView, *, written: bool) -> dict[str, object]:
    """One JSON document, for example.

    ::

    {"version": 1, "written": true, "lock": true, "files": ["recipes/k3s-source/recipe.yaml"],
     "moves": [{"recipe": "k3s-source", "pin": "commit", "place": "recipes/k3s-source/…:9:5",
                "old-series": "1.35", "series": "1.35", "old": "46…", "new": "c5…",
                "upstream-version": null, "because": "asked", "policy": null, "left-out": [],
                "facts": [{"name": "end-of-support", "old": "20…", "new": "20…", "said": true}]}],
     "pins": [{"recipe": "go", "pin": "version", …, "because": "derived", "move": 0}],
     "sources": [{"source": "k3s-source/k3s", …, "because": "asked", "move": 0}],
     "modules": [{"set": "k3s-source/k3s", "module": "golang.org/x/net", …, "because": "override",
                  "move": 0}],
     "sets": [{"set": "k3s-source/k3s", …, "move": 0}],
     "stayed": [], "held-back": [], "not-asked": [], "came-with-rvbuild": 0, "failures": []}
    """
    diff, move = view.diff, view.origins.get
    return {
        "written": written and view.is_change,
        "lock": view.is_lock_changed,
        "files": sorted(view.files),
        "unused-patches": list(view.unused),
        "moves": list(map(_step_row, view.steps)),
        "pins": [
            {**pin_row(each), "because": _pin_cause(view, each), "move": move(each.pin)}
            for each in diff.pins
        ],
        "sources": [
            {**source_row(each), "because": _cause(view, each.source), "move": move(each.source)}
            for each in diff.sources
        ],
        "modules": [
            {**module_row(each), "because": _module_cause(view, each), "move": move(each.name)}
            for each in diff.modules
        ],
        "sets": [{**set_row(each), "move": move(each.name)} for each in diff.sets],
        "stayed": [
            {"tried": _step_row(each.step), "problems": list(map(error_row, each.problems))}
            for each in view.stayed
        ],
        "held-back": [status_row(each) for each in view.held],
        "not-asked": [status_row(each) for each in view.unasked],
        "came-with-rvbuild": view.shipped,
        "failures": [error_row(each) for each in view.failures],
    }


def _step_row(step: PinStep) -> dict[str, object]:
    """A pin that moves."""
    return {
        "recipe": step.recipe,
        "pin": step.pin.name,
        "place": public(str(step.place)),
        "old-series": step.old_series or None,
        "series": step.series or None,
        "old": public(step.old),
        "new": public(step.new) or None,
        "upstream-version": step.version or None,
        "because": step.cause.value,
        "policy": policy_row(step.policy) if step.policy else None,
        "left-out": list(step.left_out),
        "facts": list(map(_fact_row, step.facts)),
    }


def _fact_row(fact: FactStep) -> dict[str, object]:
    """A fact beside it; of patches the files, as a person says them."""
    return {
        "name": fact.name,
        "old": public(fact.old) or None,
        "new": public(fact.new) or None,
        "said": fact.is_said,
    }


def _pin_cause(view: UpdateView, change: PinChange) -> str:
    """Why a value changes."""
    if change.override:
        return "override"
    return "derived" if change.origin else _cause(view, change.pin)


def _module_cause(view: UpdateView, change: ModuleChange) -> str:
    """Why another version stands instead of go.mod's."""
    return "override" if change.override else _cause(view, change.name)


def _cause(view: UpdateView, ref: Ref) -> str:
    """Why something of a recipe changes."""
    cause = view.cause(ref)
    return cause.value if cause else "follows"
