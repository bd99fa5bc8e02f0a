"""What differs between two results, as sections and as a document.

Knows: words. Must not know: how results are compared, how a section is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator

from rvbuild.app.diff_built import BuiltView
from rvbuild.cli.diff_sections import DiffLine, DiffSection, component_line, component_row
from rvbuild.core.program_facts import ProgramChange
from rvbuild.core.result_diff import FileChange, FileFacts, LayerChange

_SHORT = 12


def built_sections(view: BuiltView) -> tuple[DiffSection, ...]:
    """The sections in their order; those without a line are left out."""
    diff = view.diff
    size = DiffLine("all files", f"{diff.old_size:,}", f"{diff.new_size:,}", "bytes")
    sections = (
        DiffSection("Size", (size,) if diff.old_size != diff.new_size else ()),
        DiffSection("Files", tuple(map(_file_line, diff.files)), is_long=True),
        *(section for each in diff.programs for section in _program_sections(each)),
        DiffSection("Layers", tuple(map(_layer_line, diff.layers))),
    )
    return tuple(section for section in sections if section.lines)


def built_document(view: BuiltView) -> dict[str, object]:
    """One JSON document, for example.

    ::

    {"version": 1, "old": "app-riscv64@1", "new": "app-riscv64@2",
     "size": {"old": 1000, "new": 1100},
     "files": [{"path": "bin/app", "old": {"mode": "executable", "size": 1000, "content": "5f…"},
                "new": {…}}],
     "programs": [{"path": "bin/app", "go": {"old": "go1.24.11", "new": "go1.25.6"},
                   "sections": [{"name": ".text", "old": 500, "new": 600}],
                   "modules": [{"name": "m", "change": "up", "old": ["v1"], "new": ["v2"]}]}],
     "layers": [{"image": "example.org/app", "old": "ab…", "new": "cd…"}]}
    """
    diff = view.diff
    return {
        "old": view.old,
        "new": view.new,
        "size": {"old": diff.old_size, "new": diff.new_size},
        "files": [
            {"path": each.path, "old": _facts_row(each.old), "new": _facts_row(each.new)}
            for each in diff.files
        ],
        "programs": [_program_row(each) for each in diff.programs],
        "layers": [
            {"image": each.image, "old": each.old or None, "new": each.new or None}
            for each in diff.layers
        ],
    }


def _line(subject: str, old: str, new: str, note: str = "") -> DiffLine:
    return DiffLine(subject, old, new, note, "+" if not old else "" if new else "-")


def _layer_line(change: LayerChange) -> DiffLine:
    old, new = (digest.rpartition(":")[2][:_SHORT] for digest in (change.old, change.new))
    return _line(change.image, old, new)


def _file_line(change: FileChange) -> DiffLine:
    old, new = change.old, change.new
    then, now = _facts_text(old), _facts_text(new)
    return _line(change.path, then, now, "another content" if then == now else "")


def _facts_text(facts: FileFacts | None) -> str:
    if facts is None:
        return ""
    if facts.mode == "link":
        return f"link to {facts.content}"
    return f"{facts.mode}, {facts.size:,} byte{'' if facts.size == 1 else 's'}"


def _program_sections(change: ProgramChange) -> Iterator[DiffSection]:
    lines = [_line(each.name, _number(each.old), _number(each.new)) for each in change.sections]
    if change.old_go != change.new_go:
        lines.append(DiffLine("built by", change.old_go or "no Go", change.new_go or "no Go"))
    yield DiffSection(f"Sections of {change.path}, in bytes", tuple(lines), is_long=True)
    modules = tuple(map(component_line, change.modules))
    yield DiffSection(f"Go modules in {change.path}", modules, is_long=True)


def _number(size: int | None) -> str:
    return "" if size is None else f"{size:,}"


def _facts_row(facts: FileFacts | None) -> dict[str, object] | None:
    if facts is None:
        return None
    return {"mode": facts.mode, "size": facts.size, "content": facts.content}


def _program_row(change: ProgramChange) -> dict[str, object]:
    return {
        "path": change.path,
        "go": {"old": change.old_go or None, "new": change.new_go or None},
        "sections": [
            {"name": each.name, "old": each.old, "new": each.new} for each in change.sections
        ],
        "modules": [component_row(each) for each in change.modules],
    }
