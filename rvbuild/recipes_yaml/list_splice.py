"""Where an item is put into a list, what leaves with one, and how items change places.

Knows: block and flow style, commas, comments. Must not know: whether the change is right.

An item has the comments that an entry would have: those right above it, the one behind it, and
deeper ones right below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import yaml

from rvbuild.recipes_yaml.entry_splice import (
    Splice,
    into_block,
    into_flow,
    lone,
    out_of_block,
    without_lines,
)
from rvbuild.recipes_yaml.recipe_layout import MappingEntry, RecipeLayout
from rvbuild.recipes_yaml.spelling import scalar_spelling

_DASH = re.compile(r"[ \t]*(-)[ \t]+")
_NO_BREAK = "[^\r\n\x85\u2028\u2029]"
_COMMA = re.compile(rf"(?:\s|#{_NO_BREAK}*(?!{_NO_BREAK}))*(,)")


def items_of(layout: RecipeLayout, node: yaml.SequenceNode) -> list[MappingEntry]:
    """The items of a list, which are their own keys; in block style each begins with its dash.

    Raises:
        RecipeError: an item is no text, or its dash stands in another line.
    """
    return [_item(layout, each, flow=bool(node.flow_style)) for each in node.value]


def _item(layout: RecipeLayout, node: yaml.Node, *, flow: bool) -> MappingEntry:
    if not isinstance(node, yaml.ScalarNode):
        msg = "an item of this list is no text"
        raise layout.error(msg, node, "change the list by hand")
    begin = node.start_mark.index
    if not flow:
        prefix = layout.lines.prefix(begin)
        dash = _DASH.fullmatch(prefix)
        if dash is None:
            msg = f"{node.value!r} does not stand in the line of its dash"
            raise layout.error(msg, node, "write it as `- item` on a line of its own")
        begin -= len(prefix) - dash.start(1)
    return MappingEntry(node, node, begin, layout.end_of(node))


def item_addition(
    layout: RecipeLayout, node: yaml.SequenceNode, index: int, text: str
) -> list[Splice]:
    """What puts an item into a list that has some.

    Raises:
        RecipeError: an item beside it has a form that nobody can change safely.
    """
    items = items_of(layout, node)
    like = items[min(index, len(items) - 1)].value
    spelling = scalar_spelling(text, like, flow=bool(node.flow_style))
    if node.flow_style:
        return into_flow(layout, items, index, spelling)
    return [into_block(layout, items, index, [f"- {spelling}"])]


def item_removal(layout: RecipeLayout, node: yaml.SequenceNode, index: int) -> list[Splice]:
    """What takes an item out of a list that has others, with the comments that are its own.

    Raises:
        RecipeError: an item has a form that nobody can change safely.
    """
    items = items_of(layout, node)
    if not node.flow_style:
        return [out_of_block(layout, items, index)]
    if lone(layout, items[index]):
        return _lone_removal(layout, items, index)
    return _line_removal(layout, items, index)


def emptying(layout: RecipeLayout, entry: MappingEntry, node: yaml.SequenceNode) -> list[Splice]:
    """What leaves an entry with an empty list, in the line of its key.

    Raises:
        RecipeError: an item has a form that nobody can change safely.
    """
    if node.flow_style:
        return [Splice(node.start_mark.index, node.end_mark.index, "[]")]
    items = items_of(layout, node)
    colon = layout.text.index(":", entry.key.end_mark.index) + 1
    first, last = layout.first_line(items, 0), layout.last_line(items[-1])
    # in this order: where both are at one place, what is put there is not taken away
    return [without_lines(layout, first, last), Splice(colon, colon, " []")]


def _lone_removal(layout: RecipeLayout, items: Sequence[MappingEntry], index: int) -> list[Splice]:
    """Of an item whose lines have nothing else: these, and if no comma is left to it, the last."""
    item, lines = items[index], layout.lines
    first, last = layout.first_line(items, index), layout.last_line(item)
    splice = Splice(lines[first].begin, lines[last].after)
    if index < len(items) - 1 or _comma(layout, item.end, lines[last].end) is not None:
        return [splice]
    comma = _comma(layout, items[index - 1].end, item.begin)
    return [splice, *([] if comma is None else [Splice(comma, comma + 1)])]


def _line_removal(layout: RecipeLayout, items: Sequence[MappingEntry], index: int) -> list[Splice]:
    """Of an item that shares its line with others, or with a bracket."""
    item, lines = items[index], layout.lines
    before = items[index - 1] if index else None
    after = items[index + 1] if index < len(items) - 1 else None
    if after and lines.number(after.begin) == lines.number(item.end):
        return [Splice(item.begin, after.begin)]
    if before is None:
        return [_behind_bracket(layout, item, items[1])]
    text = layout.text
    if "#" not in text[before.end : item.begin] and after is None:
        return [Splice(before.end, item.end)]
    comma = _comma(layout, before.end, item.begin) or before.end
    if after:
        behind = _comma(layout, item.end, after.begin) or item.end
        return [Splice(comma, behind)]
    first = layout.first_line(items, index)
    own = Splice(lines[first].begin, item.end, lines.prefix(item.begin))
    return [own, Splice(comma, comma + 1)]


def _behind_bracket(layout: RecipeLayout, item: MappingEntry, after: MappingEntry) -> Splice:
    """Of the first item, in the line of the bracket, where the next is in another."""
    end = layout.lines[layout.last_line(item)].end
    has_comments = "#" in layout.text[end : after.begin]
    return Splice(item.begin, end if has_comments else after.begin)


def _comma(layout: RecipeLayout, begin: int, end: int) -> int | None:
    """Where the comma between two items stands, which is in no comment."""
    found = _COMMA.match(layout.text, begin, end)
    return found.start(1) if found else None


def item_order(layout: RecipeLayout, node: yaml.SequenceNode, order: Sequence[int]) -> list[Splice]:
    """What puts items into another order, each with its comments.

    Args:
        layout: The file.
        node: The list.
        order: For each place the item that is to stand there, by its place now.

    Raises:
        RecipeError: comments stand between items that share lines.
    """
    items = items_of(layout, node)
    pieces = [[*_pieces(layout, node, items, index)] for index in range(len(items))]
    return [
        Splice(*place, layout.text[slice(*piece)])
        for at, now in enumerate(order)
        for place, piece in zip(pieces[at], pieces[now], strict=True)
        if at != now
    ]


def _pieces(
    layout: RecipeLayout, node: yaml.SequenceNode, items: Sequence[MappingEntry], index: int
) -> Iterator[tuple[int, int]]:
    """Where an item and its comments stand, without a comma."""
    item, lines = items[index], layout.lines
    begin, end = lines[layout.first_line(items, index)].begin, lines[layout.last_line(item)].end
    if not node.flow_style:
        yield begin, end
    elif all(lone(layout, each) for each in items):
        comma = _comma(layout, item.end, end)
        yield begin, item.end
        yield item.end if comma is None else comma + 1, end
    else:
        _refuse_comments(layout, node, items)
        yield item.begin, item.end


def _refuse_comments(
    layout: RecipeLayout, node: yaml.SequenceNode, items: Sequence[MappingEntry]
) -> None:
    """See that nothing between items says which of them it is about.

    Raises:
        RecipeError: a comment does.
    """
    ends = [node.start_mark.index, *(item.end for item in items)]
    begins = [*(item.begin for item in items), node.end_mark.index]
    for begin, end in zip(ends, begins, strict=True):
        if "#" in layout.text[begin:end]:
            msg = "comments stand between the items of this list, whose order is to be another"
            raise layout.error(msg, node, "change the order by hand")
