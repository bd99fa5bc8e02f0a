"""Sections of a change log as text for a terminal, and as Markdown for a merge request.

Knows: how both are written. Must not know: what a section is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rvbuild.cli.diff_sections import DiffLine, DiffSection
from rvbuild.core.printable import printable_line

_FOLDED = 15
"""Lines of a long section from which on Markdown folds it."""


def text_lines(title: str, sections: Sequence[DiffSection]) -> Iterator[str]:
    """Lines for a terminal; nothing in them steers it."""
    yield printable_line(title if sections else f"{title}: nothing differs")
    for section in sections:
        yield ""
        yield section.title
        width = max((len(line.mark) for line in section.lines), default=0)
        yield from (printable_line(f"  {_text(line, width)}".rstrip()) for line in section.lines)


def _text(line: DiffLine, width: int) -> str:
    mark = f"{line.mark or ' ':<{width}} " if width else ""
    values = " -> ".join(filter(None, (line.old, line.new)))
    note = f"({line.note})" if line.note and values else line.note
    subject = f"{line.subject}:" if note and not values else line.subject
    text = "  ".join(filter(None, (subject, values, note)))
    return f"{mark}{text}{f', {line.reason}' if line.reason else ''}"


def markdown_lines(title: str, sections: Sequence[DiffSection]) -> Iterator[str]:
    """Lines of Markdown; what is from outside stands in code, where nothing means anything."""
    yield f"## {_code(title)}"
    if not sections:
        yield from ("", "Nothing differs.")
    for section in sections:
        yield ""
        is_folded = section.is_long and len(section.lines) > _FOLDED
        yield from _folded(section) if is_folded else _open(section)


def _open(section: DiffSection) -> Iterator[str]:
    yield from (f"### {section.title}", "")
    yield from _items(section.lines)


def _folded(section: DiffSection) -> Iterator[str]:
    yield from (f"### {section.title}", "", "<details>")
    yield from (f"<summary>{len(section.lines)} changes</summary>", "")
    yield from _items(section.lines)
    yield from ("", "</details>")


def _items(lines: Iterable[DiffLine]) -> Iterator[str]:
    for line in lines:
        word = {"+": "new: ", "-": "gone: "}.get(line.mark, "")
        values = " → ".join(_code(text) for text in (line.old, line.new) if text)
        note = f"({_code(line.note)})" if line.note else ""
        text = " ".join(filter(None, (_code(line.subject), values, note)))
        yield f"- {word}{text}{f', {_code(line.reason)}' if line.reason else ''}"


def _code(text: str) -> str:
    """A code span, which ends only where it is to end (CommonMark, 6.1)."""
    return f"`{printable_line(text).replace('`', chr(39))}`"
