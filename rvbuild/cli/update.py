"""`update`: draws what moves, and why.

Knows: lines and documents. Must not know: how a move is found out or written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator

from rvbuild.app.memo import Memo
from rvbuild.app.update import update
from rvbuild.app.update_view import UpdateRequest, UpdateView
from rvbuild.app.workspace import Workspace
from rvbuild.cli.diff import pin_row, set_row, source_row
from rvbuild.cli.diff_sections import DiffLine, DiffSection, origin_text, set_line, source_line
from rvbuild.cli.diff_text import markdown_lines
from rvbuild.cli.json_text import print_answer
from rvbuild.cli.words import run_of
from rvbuild.core.errors import UsageError
from rvbuild.core.lock_diff import PinChange, SourceChange
from rvbuild.core.names import RecipeName
from rvbuild.core.printable import printable_line

_ASKED = "you asked"
_UPSTREAM = "because it says Applied-Upstream, and the source has its lines"
_SHORT = 12


def update_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild update NAME --to REF`."""
    if arguments.name is None:
        msg = "which recipe is to move?"
        raise UsageError(msg, hint="say `rvbuild update NAME --to REF`")
    request = UpdateRequest(
        name=arguments.name,
        to=arguments.to or "",
        series=arguments.series or "",
        former=getattr(arguments, "from") or "",
        values=_values(arguments.set),
        drop=arguments.drop,
    )
    with run_of(arguments, workspace) as session:
        view = update(session, request)
    if not arguments.dry_run:
        view.write()
    _write(arguments, view)
    return 0


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
        return
    sections = tuple(each for each in _sections(view) if each.lines)
    title = _title(view)
    if arguments.markdown:
        sys.stdout.writelines(f"{line}\n" for line in markdown_lines(title, sections))
        return
    lines = [title, *(_line(each) for section in sections for each in section.lines)]
    if not view.is_change:
        lines = [f"{view.moved}: nothing is to be changed"]
    sys.stdout.writelines(f"{printable_line(line)}\n" for line in lines)


def _title(view: UpdateView) -> str:
    old, new = (_version(view, text) for text in (view.old, view.new))
    series = f"@{view.old_series} -> {view.moved}@{view.series}"
    name = view.moved + (series if view.old_series != view.series else "")
    return f"{name}: {old} -> {new}" if new else f"{view.moved}: a series goes"


def _version(view: UpdateView, text: str) -> str:
    return text[:_SHORT] if view.variable == "commit" else text


def _line(line: DiffLine) -> str:
    values = " -> ".join(filter(None, (line.old, line.new)))
    mark = f"{line.mark} " if line.mark else ""
    text = f"{mark}{' '.join(filter(None, (line.subject, values)))}"
    return f"{text}, {line.note}" if line.note else text


def _sections(view: UpdateView) -> Iterator[DiffSection]:
    pins = tuple(DiffLine(*_pin_texts(each), note=_because_pin(view, each), mark=_mark(each))
                 for each in view.diff.pins)  # fmt: skip
    yield DiffSection("Versions", pins)
    yield DiffSection("Sources", tuple(_source(view, each) for each in view.diff.sources))
    yield DiffSection("By set", tuple(map(set_line, view.diff.sets)))
    yield DiffSection("Patches", tuple(DiffLine(each, note=_UPSTREAM, mark="-")
                                       for each in view.left_out))  # fmt: skip
    yield DiffSection("Files", tuple(DiffLine(path) for path in sorted(view.files)))


def _mark(change: PinChange) -> str:
    return "+" if not change.old else "-" if not change.new else ""


def _pin_texts(change: PinChange) -> tuple[str, str, str]:
    is_version = change.pin.name == "version"
    name = change.pin.recipe if is_version else str(change.pin)
    return name, change.old or "", change.new or ""


def _because_pin(view: UpdateView, change: PinChange) -> str:
    origin = change.origin or change.old_origin
    if origin is None:
        return f"because {_ASKED}" if _is_moved(view, change.pin.recipe) else ""
    verb = "says so" if change.origin else "said so"
    return f"because {origin_text(origin)} {verb}"


def _source(view: UpdateView, change: SourceChange) -> DiffLine:
    line = source_line(change)
    asked = _is_moved(view, change.source.recipe)
    reason = _ASKED if asked else f"{change.source.recipe} follows" if line.old else ""
    note = "; ".join(filter(None, (f"because {reason}" if reason else "", line.note)))
    return DiffLine(line.subject, line.old, line.new, note, line.mark)


def _is_moved(view: UpdateView, recipe: str) -> bool:
    return RecipeName.parse(recipe).base == view.moved


def _document(view: UpdateView, *, written: bool) -> dict[str, object]:
    """One JSON document, for example.

    ::

    {"version": 1, "recipe": "k3s-source", "variable": "commit", "old": "46…", "new": "c5…",
     "old-series": "1.35", "series": "1.35", "written": true,
     "left-out": [], "files": ["recipes/k3s-source/recipe.yaml"], "lock": true,
     "pins": [{"recipe": "go", "pin": "version", …, "because": "derived"}],
     "sources": [{"source": "k3s-source/k3s", …, "because": "asked"}], "sets": […]}
    """
    return {
        "recipe": view.moved,
        "variable": view.variable,
        "old": view.old or None,
        "new": view.new or None,
        "old-series": view.old_series or None,
        "series": view.series or None,
        "written": written and view.is_change,
        "left-out": list(view.left_out),
        "files": sorted(view.files),
        "lock": view.is_lock_changed,
        "pins": [
            {**pin_row(each), "because": _kind(view, each.pin.recipe, derived=bool(each.origin))}
            for each in view.diff.pins
        ],
        "sources": [
            {**source_row(each), "because": _kind(view, each.source.recipe, derived=False)}
            for each in view.diff.sources
        ],
        "sets": [set_row(each) for each in view.diff.sets],
    }


def _kind(view: UpdateView, recipe: str, *, derived: bool) -> str:
    if derived:
        return "derived"
    return "asked" if _is_moved(view, recipe) else "follows"
