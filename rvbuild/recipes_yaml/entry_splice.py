"""Where the text of an entry is put into a file, and what text leaves with one.

Knows: block and flow style, comments, blank lines. Must not know: whether the change is right.

To take away what was put there gives the bytes from before. Example, with 1.34 put into ::

    per-series:
      # the first with riscv64
      "1.33": {commit: 5a1c…}

a line stands above the comment, which is of 1.33.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import yaml
from attrs import frozen

from rvbuild.recipes_yaml.recipe_layout import KeyPath, MappingEntry, RecipeLayout
from rvbuild.recipes_yaml.spelling import Words, entry_lines, flow_entry

_LONE = re.compile(r"[ \t]*(,?)[ \t]*(#.*)?")
_DIGITS = re.compile("([0-9]+)")


@frozen
class Splice:
    """Text in the place of the characters from ``begin`` to ``end``."""

    begin: int
    end: int
    text: str = ""


def spliced(text: str, splices: Sequence[Splice]) -> str:
    """The text with each change; these do not overlap."""
    for each in sorted(splices, key=lambda splice: splice.begin, reverse=True):
        text = text[: each.begin] + each.text + text[each.end :]
    return text


def addition(
    layout: RecipeLayout, mapping: yaml.MappingNode, key: str, words: Words, like: str = ""
) -> list[Splice]:
    """What puts an entry into a mapping, in the order of the others.

    Its style is that of the entry beside it, or of another one: ``like``.

    Raises:
        RecipeError: an entry beside it has a form that nobody can change safely.
    """
    entries = layout.entries(mapping)
    if not entries:
        begin = mapping.start_mark.index + 1
        return [Splice(begin, begin, flow_entry(key, words, (None, None)))]
    index = position([entry.key.value for entry in entries], key)
    beside = entries[min(index, len(entries) - 1)]
    styled = next((each for each in entries if each.key.value == like), beside)
    pair = styled.key, styled.value
    if mapping.flow_style:
        return into_flow(layout, entries, index, flow_entry(key, words, pair))
    indent = len(layout.lines.prefix(beside.begin))
    return [into_block(layout, entries, index, entry_lines(key, words, pair, indent))]


def removal(layout: RecipeLayout, mapping: yaml.MappingNode, key: str) -> list[Splice]:
    """What takes an entry out of a mapping that has it, with the comments that are its own.

    Raises:
        RecipeError: it has a form that nobody can change safely.
    """
    entries = layout.entries(mapping)
    index = next(at for at, entry in enumerate(entries) if entry.key.value == key)
    if mapping.flow_style:
        return _out_of_flow(layout, entries, index)
    return [out_of_block(layout, entries, index)]


def respelling(layout: RecipeLayout, source: KeyPath, target: KeyPath) -> Splice | None:
    """What writes an entry as another is written; None: one shares its lines with others.

    Lines and the comments that are its own get the indentation of the target's key.

    Raises:
        RecipeError: there is no such entry.
    """
    old, new = _own_lines(layout, source), _own_lines(layout, target)
    if old is None or new is None:
        return None
    (first, last, column), (begin, end, indent) = old, new
    texts = [_indented(layout, number, indent - column) for number in range(first, last + 1)]
    line_break = layout.lines.break_near(layout.lines[first].begin)
    return Splice(layout.lines[begin].begin, layout.lines[end].end, line_break.join(texts))


def _own_lines(layout: RecipeLayout, path: KeyPath) -> tuple[int, int, int] | None:
    """The first and the last line of an entry, and the column of its key."""
    mapping = layout.mapping(path[:-1])
    entry, entries = layout.entry(path), layout.entries(mapping)
    if mapping.flow_style or layout.lines.prefix(entry.begin).strip():
        return None
    return layout.first_line(entries, entries.index(entry)), layout.last_line(entry), entry.column


def _indented(layout: RecipeLayout, number: int, more: int) -> str:
    """A line with more spaces before it, or less; a blank one stays."""
    line = layout.lines[number]
    text = layout.text[line.begin : line.end]
    indent = len(text) - len(text.lstrip(" "))
    return " " * max(indent + more, 0) + text[indent:] if text.strip() else text


def position(keys: Sequence[str], key: str) -> int:
    """Where a key goes: as the others are sorted, up or down; else it is the last.

    Numbers in keys count as such. One series alone could be either: the newer one is the first.
    """
    order = [_order(each) for each in keys]
    if len(keys) > 1 or not key[:1].isdigit():
        if order == sorted(order):
            return sum(each < _order(key) for each in order)
        if order != sorted(order, reverse=True):
            return len(keys)
    return sum(each > _order(key) for each in order)


def _order(key: str) -> list[tuple[int, str]]:
    """Pieces of text, and numbers between them; more digits are more."""
    pieces = _DIGITS.split(key)
    return [
        (len(piece.lstrip("0")), piece.lstrip("0")) if at % 2 else (0, piece)
        for at, piece in enumerate(pieces)
    ]


def into_block(
    layout: RecipeLayout, entries: Sequence[MappingEntry], index: int, texts: Sequence[str]
) -> Splice:
    """What puts lines between entries in block style, as the one at ``index``.

    Raises:
        RecipeError: something stands before the entry beside it.
    """
    beside = entries[min(index, len(entries) - 1)]
    _refuse_odd_line(layout, beside)
    prefix = layout.lines.prefix(beside.begin)
    lines = [prefix + line for line in texts]
    line_break = layout.lines.break_near(beside.begin)
    apart = [""] if _are_apart(layout, entries, index) else []
    if index < len(entries):
        begin = layout.lines[layout.first_line(entries, index)].begin
        return Splice(begin, begin, line_break.join((*lines, *apart, "")))
    end = layout.lines[layout.last_line(beside)].end
    return Splice(end, end, line_break.join(("", *apart, *lines)))


def _are_apart(layout: RecipeLayout, entries: Sequence[MappingEntry], index: int) -> bool:
    """Whether a blank line goes between an entry and the one beside it, as between those two."""
    lower = min(max(index, 1), len(entries) - 1)
    return _blank_above(layout, entries, lower)


def _blank_above(layout: RecipeLayout, entries: Sequence[MappingEntry], index: int) -> bool:
    """Whether a blank line stands between an entry, with its comments, and the one above."""
    above = layout.first_line(entries, index) - 1
    return (
        index > 0
        and above > layout.lines.number(entries[index - 1].end)
        and layout.lines.is_blank(above)
    )


def out_of_block(layout: RecipeLayout, entries: Sequence[MappingEntry], index: int) -> Splice:
    """The lines that leave with an entry in block style.

    Raises:
        RecipeError: it is the only one, or something stands before it.
    """
    entry = entries[index]
    _refuse_odd_line(layout, entry)
    if len(entries) == 1:
        msg = f"{entry.key.value!r} is the only entry of its mapping"
        raise layout.error(msg, entry.key, "take the whole mapping away by hand")
    first, last = layout.first_line(entries, index), layout.last_line(entry)
    above = _blank_above(layout, entries, index)
    if index == len(entries) - 1:
        first -= above
    elif (above or index == 0) and layout.lines.is_blank(last + 1):
        last += 1
    return without_lines(layout, first, last)


def without_lines(layout: RecipeLayout, first: int, last: int) -> Splice:
    """Lines that go; where the last has no break, that of the line above goes instead."""
    begin, end = layout.lines[first], layout.lines[last]
    if end.after == end.end:
        return Splice(layout.lines[first - 1].end, end.end)
    return Splice(begin.begin, end.after)


def into_flow(
    layout: RecipeLayout, entries: Sequence[MappingEntry], index: int, text: str
) -> list[Splice]:
    """What puts a text between entries in flow style, as the one at ``index``."""
    beside = entries[min(index, len(entries) - 1)]
    prefix = layout.lines.prefix(beside.begin)
    line_break = layout.lines.break_near(beside.begin)
    if index < len(entries):
        if prefix.strip():
            return [Splice(beside.begin, beside.begin, f"{text}, ")]
        begin = layout.lines[layout.first_line(entries, index)].begin
        return [Splice(begin, begin, f"{prefix}{text},{line_break}")]
    alone = lone(layout, beside)
    if not alone:
        return [Splice(beside.end, beside.end, f", {text}")]
    end = layout.lines[layout.last_line(beside)].end
    comma = [] if alone[1] else [Splice(beside.end, beside.end, ",")]
    # in this order: at one place, what is spliced later stands before what was there
    return [Splice(end, end, f"{line_break}{prefix}{text}{alone[1]}"), *comma]


def _out_of_flow(layout: RecipeLayout, entries: Sequence[MappingEntry], index: int) -> list[Splice]:
    entry, is_last = entries[index], index == len(entries) - 1
    alone = lone(layout, entry)
    if not alone or len(entries) == 1:
        return [_out_of_flow_line(layout, entries, index)]
    first = layout.first_line(entries, index)
    lines = without_lines(layout, first, layout.last_line(entry))
    if not is_last or alone[1]:
        return [lines]
    before = entries[index - 1].end
    comma = layout.text.find(",", before)
    return [lines, Splice(comma, comma + 1)]


def _out_of_flow_line(layout: RecipeLayout, entries: Sequence[MappingEntry], index: int) -> Splice:
    """What leaves with an entry that shares its line with others, or with a bracket."""
    entry = entries[index]
    begin, end = entry.begin, entry.end
    if index < len(entries) - 1:
        end = entries[index + 1].begin
    elif index > 0:
        begin = entries[index - 1].end
    if "#" in layout.text[begin : entry.begin] + layout.text[entry.end : end]:
        msg = f"a comment stands between {entry.key.value!r} and the entry beside it"
        raise layout.error(msg, entry.key, "take the entry away by hand")
    return Splice(begin, end)


def lone(layout: RecipeLayout, entry: MappingEntry) -> re.Match[str] | None:
    """The comma and comment behind an entry of ``{…}`` whose lines have nothing else."""
    alone = _LONE.fullmatch(layout.lines.rest(entry.end))
    return alone if not layout.lines.prefix(entry.begin).strip() else None


def _refuse_odd_line(layout: RecipeLayout, entry: MappingEntry) -> None:
    """See that nothing but spaces stands before a key in its line.

    Raises:
        RecipeError: something does, such as ``? ``.
    """
    if layout.lines.prefix(entry.begin).strip():
        msg = "an entry beside this one cannot come or go: something stands before its key"
        raise layout.error(msg, entry.key, "write it as `key: value` on a line of its own")
