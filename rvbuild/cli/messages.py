"""What people read when something goes wrong, and the numbers and texts in between.

Knows: how errors, sizes, times and foreign text become lines. Must not know: commands, live
displays; imports no rich.

Everything that comes from outside (names, logs, servers' answers) goes through ``core.printable``
on its way to a terminal, and the words of an error through `cli.public`.
"""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TextIO

from rvbuild.cli.excerpt import excerpt
from rvbuild.cli.public import details_cut, public
from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import Interrupted, LockError, RecipeError, RvbuildError
from rvbuild.core.place import Place
from rvbuild.core.printable import printable, printable_line

LONGEST_DETAIL = 1000
"""Characters of one line of a message or its details; the log that a hint names has whole lines."""

_MOST_NOTES = 20
_BOLD, _RED, _YELLOW, _BLUE, _CYAN = "1", "1;31", "1;33", "1;34", "1;36"
_DUMB = frozenset({"", "dumb", "unknown"})


def is_screen(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether the stream is a terminal that understands more than lines."""
    try:
        terminal = stream.isatty()
    except ValueError:  # closed
        return False
    return terminal and environ.get("TERM", "") not in _DUMB


def wants_color(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """A terminal that can, and nobody set NO_COLOR (no-color.org: to anything but nothing)."""
    return is_screen(stream, environ) and not environ.get("NO_COLOR")


# ---- numbers


def size_text(count: int) -> str:
    """Bytes for people: ``512 B``, ``1.2 MiB``, ``769 MiB``."""
    if count < 1024:
        return f"{count} B"
    units = iter(("KiB", "MiB", "GiB", "TiB"))
    value, unit = count / 1024, next(units)
    while value >= 1023.5 and unit != "TiB":
        value, unit = value / 1024, next(units)
    return f"{value:.0f} {unit}" if value >= 99.95 else f"{value:.1f} {unit}"


def count_text(count: int, what: str) -> str:
    """``1 source``, ``2 sources``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def duration_text(seconds: float) -> str:
    """Seconds for people: ``12.3 s``, ``4 min 05 s``, ``1 h 02 min``."""
    if seconds < 59.95:
        return f"{max(seconds, 0):.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours} h {minutes_left:02d} min" if hours else f"{minutes} min {rest:02d} s"


# ---- errors


def render_error(error: RvbuildError, *, color: bool, store: str | None = None) -> str:
    """What happened, where, why, and what to do next; ends with a newline.

    ``store`` is the one that the command line named, for commands that the hint names.
    """
    lines = [_headline(error, color=color)]
    if error.where:
        where = _shortened(printable_line(public(str(error.where))))
        lines.append(f"  {_paint('-->', _BLUE, color=color)} {where}")
    body = _shown_source(error, color=color)
    if body and error.details:
        body.append("")
    cut = details_cut(error)
    body += [_detail(cut(line)) for text in error.details for line in text.split("\n")]
    lines += _gutter(body, color=color)
    lines += _notes(error, color=color)
    if error.hint:
        # a path in it may hold anything
        hint = _shortened(printable_line(public(hint_text(error.hint, store))))
        lines.append(f"{_paint('hint', _CYAN, color=color)}: {hint}")
    return "\n".join(lines) + "\n"


def render_bug(error: BaseException, *, color: bool, folder: str | None = None) -> str:
    """An exception that nobody foresaw: short, with the whole traceback in a file.

    Args:
        error: The exception.
        color: Whether to use colors.
        folder: Where the file goes; default: the folder for temporary files.
    """
    trace = "".join(traceback.format_exception(error))
    details: list[str] = [f"{type(error).__qualname__}: {error}"]
    try:
        path = _save(trace, folder)
    except OSError as failure:
        details = trace.splitlines()
        hint = f"report it with these lines (they could not be written: {failure.strerror})"
    else:
        hint = f"report it with what you ran and this file: {path}"
    report = RvbuildError(
        "this is a bug in rvbuild",
        where=_last_frame(error.__traceback__),
        details=tuple(details),
        hint=hint,
    )
    return render_error(report, color=color)


def _save(trace: str, folder: str | None) -> str:
    descriptor, path = tempfile.mkstemp(".txt", "rvbuild-bug-", folder)
    with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(trace)
    return path


def _last_frame(trace: TracebackType | None) -> str | None:
    frames = traceback.extract_tb(trace)
    if not frames:
        return None
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    last = frames[-1]
    return f"{last.filename.removeprefix(package + os.sep)}:{last.lineno}, in {last.name}"


def _headline(error: RvbuildError, *, color: bool) -> str:
    if isinstance(error, Interrupted):  # asked for, so no error
        return _paint(_hanging(error.message, 0), _YELLOW, color=color)
    message = _paint(_hanging(error.message, 7), _BOLD, color=color)
    return f"{_paint('error', _RED, color=color)}: {message}"


def _shown_source(error: RvbuildError, *, color: bool) -> list[str]:
    """The line of the file that the error is about, with a mark below the place."""
    if not (isinstance(error.where, Place) and isinstance(error, RecipeError | LockError)):
        return []
    parts = excerpt(error.where)
    if parts is None:
        return []
    before, marked, after = (printable_line(part) for part in parts)
    mark = " " * len(before) + "^" * max(len(marked), 1)
    return [before + marked + after, _paint(mark, _RED, color=color)]


def _gutter(body: list[str], *, color: bool) -> list[str]:
    if not body:
        return []
    bar = _paint("|", _BLUE, color=color)
    return [f"   {bar}", *(f"   {bar} {line}".rstrip() for line in body), f"   {bar}"]


def _notes(error: RvbuildError, *, color: bool) -> Iterable[str]:
    """What else failed (other errors of the same run are the notes of the first one)."""
    notes: list[str] = getattr(error, "__notes__", [])
    also = _paint("also", _RED, color=color)
    yield from (f"{also}: {_hanging(note, 6)}" for note in notes[:_MOST_NOTES])
    if len(notes) > _MOST_NOTES:
        yield f"{also}: {len(notes) - _MOST_NOTES} more"


def _detail(line: str) -> str:
    return _shortened(printable(line.rstrip("\r")))


def _shortened(text: str) -> str:
    hidden = len(text) - LONGEST_DETAIL
    return text if hidden <= 0 else f"{text[:LONGEST_DETAIL]} [{hidden} more characters]"


def _hanging(text: str, indent: int) -> str:
    """A message whose further lines stand below the first; each may hold anything."""
    lines = printable(public(text.rstrip())).split("\n")
    return ("\n" + " " * indent).join(map(_shortened, lines))


def _paint(text: str, code: str, *, color: bool) -> str:
    """The text between a color's codes (ECMA-48 SGR), or as it is."""
    return f"\x1b[{code}m{text}\x1b[0m" if color else text
