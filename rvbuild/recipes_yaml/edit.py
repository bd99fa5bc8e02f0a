"""A recipe file with one value or list changed, or with an entry more or less; all else stays.

Knows: what each change means, and the proof of it. Must not know: files on disk, what is changed
why.

Comments, order, quotes, indentation, line breaks and a byte order mark stay. A change is made in
the text, and the text is read again: if it does not say exactly what it said before, in the same
styles, with that one change, it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial

import yaml

from rvbuild.core.errors import RecipeError
from rvbuild.recipes_yaml.entry_splice import Splice, addition, removal, respelling, spliced
from rvbuild.recipes_yaml.list_splice import (
    emptying,
    item_addition,
    item_order,
    item_removal,
    items_of,
)
from rvbuild.recipes_yaml.recipe_layout import (
    BLOCK_STYLES,
    TEXT_TAG,
    KeyPath,
    MappingEntry,
    RecipeLayout,
    keeps_blank_lines,
    layout_of,
    path_text,
    type_of,
)
from rvbuild.recipes_yaml.spelling import (
    Words,
    block_spellings,
    header_comment,
    scalar_spelling,
)

_COLON = re.compile(r"\s*:")
_Leaf = tuple[KeyPath, tuple[str, ...]]
"""A node: the keys that lead to it, and its key's style, its own type, style and text."""


def set_text(data: bytes, file: str, path: KeyPath, text: str) -> bytes:
    """Change the value of an entry.

    Args:
        data: The bytes of the recipe file.
        file: Its name, for messages.
        path: The keys that lead to the entry.
        text: What its value has to be.

    Raises:
        RecipeError: with the place: the file is not valid, there is no such entry, its value is a
            list or mapping, or no spelling of the text can stand there.
    """
    layout = layout_of(data, file)
    entry = layout.entry(path)
    old = entry.value
    if not isinstance(old, yaml.ScalarNode):
        msg = f"{path_text(path)} is a list or mapping, not one value"
        raise layout.error(msg, old, "change it by hand")
    if old.value == text:
        return data
    others, types = list(_leaves(layout, path)), {TEXT_TAG, type_of(old)}
    head, tail = layout.text[: entry.key.end_mark.index], layout.text[old.end_mark.index :]

    def is_right(edited: RecipeLayout) -> bool:
        new = edited.entry(path).value
        is_same = edited.text.startswith(head) and edited.text.endswith(tail)
        is_same = is_same and list(_leaves(edited, path)) == others
        return is_same and new.value == text and type_of(new) in types

    otherwise = _unsafe(layout, path, entry.key)
    mapping = layout.mapping(path[:-1])
    write = _in_block if old.style in BLOCK_STYLES else _in_line
    attempts = ([each] for each in write(layout, mapping, entry, text))
    return _proved(layout, attempts, is_right, otherwise)


def set_items(data: bytes, file: str, path: KeyPath, items: Sequence[str]) -> bytes:
    """Change which texts a list has: those that stay keep their comments, spelling and form.

    Args:
        data: The bytes of the recipe file.
        file: Its name, for messages.
        path: The keys that lead to the list.
        items: What it has to have, each once. Without any the entry goes, with the comments that
            are its own; the only one of a mapping in block style has an empty list.

    Raises:
        RecipeError: with the place: the file is not valid, there is no such list of texts or it is
            empty, or it has a form in which nothing can be changed safely.
    """
    if not items:
        return _without_items(data, file, path)
    items = tuple(dict.fromkeys(items))
    there = _items(layout_of(data, file), path)
    for at, text in enumerate(items):
        if text not in there:
            index = there.index(items[at - 1]) + 1 if at else 0
            there.insert(index, text)
            data = _with_items(
                data, file, path, there, partial(item_addition, index=index, text=text)
            )
    for index in range(len(there) - 1, -1, -1):
        if there.count(there[index]) > items.count(there[index]):
            del there[index]
            data = _with_items(data, file, path, there, partial(item_removal, index=index))
    order = [there.index(text) for text in items]
    if order == sorted(order):
        return data
    return _with_items(data, file, path, items, partial(item_order, order=order))


def _without_items(data: bytes, file: str, path: KeyPath) -> bytes:
    layout = layout_of(data, file)
    mapping = layout.mapping(path[:-1])
    if mapping.flow_style or len(mapping.value) > 1:
        return remove_entry(data, file, path)
    node, others = _list(layout, path), list(_others(layout, path))

    def is_right(edited: RecipeLayout) -> bool:
        new = edited.entry(path).value
        is_empty = isinstance(new, yaml.SequenceNode) and not new.value
        return is_empty and list(_others(edited, path)) == others

    splices = emptying(layout, layout.entry(path), node)
    return _proved(layout, [splices], is_right, _unsafe(layout, path, node))


def _items(layout: RecipeLayout, path: KeyPath) -> list[str]:
    return [each.key.value for each in items_of(layout, _list(layout, path))]


def _list(layout: RecipeLayout, path: KeyPath) -> yaml.SequenceNode:
    node = layout.entry(path).value
    if isinstance(node, yaml.SequenceNode) and node.value:
        return node
    msg = f"{path_text(path)} is no list that has anything"
    raise layout.error(msg, node, "change it by hand")


def _with_items(
    data: bytes,
    file: str,
    path: KeyPath,
    items: Sequence[str],
    splices: Callable[[RecipeLayout, yaml.SequenceNode], list[Splice]],
) -> bytes:
    """The bytes after a change of a list, which has some items then, and its style."""
    layout = layout_of(data, file)
    node, others = _list(layout, path), list(_others(layout, path))
    style = node.flow_style

    def is_right(edited: RecipeLayout) -> bool:
        is_same = list(_others(edited, path)) == others
        is_same = is_same and _list(edited, path).flow_style == style
        return is_same and _items(edited, path) == list(items)

    return _proved(layout, [splices(layout, node)], is_right, _unsafe(layout, path, node))


def add_entry(data: bytes, file: str, path: KeyPath, words: Words, like: str = "") -> bytes:
    """Put an entry beside others, in their style and order.

    Args:
        data: The bytes of the recipe file.
        file: Its name, for messages.
        path: The keys that lead to the entry; all but the last are there.
        words: What its value has to be.
        like: The key of an entry there whose style it has; empty: of the one beside it.

    Raises:
        RecipeError: with the place: the file is not valid, there is such an entry or no such
            mapping, or the entries there have a form beside which nothing can be put safely.
    """
    layout = layout_of(data, file)
    mapping = layout.mapping(path[:-1])
    for key, _ in mapping.value:
        if key.value == path[-1]:
            msg = f"{path_text(path)} is there already"
            raise layout.error(msg, key, "change its value")
    others = list(_leaves(layout))

    def is_right(edited: RecipeLayout) -> bool:
        is_same = list(_others(edited, path)) == others
        return is_same and _words(edited.entry(path).value) == words

    splices = addition(layout, mapping, path[-1], words, like)
    return _proved(layout, [splices], is_right, _unsafe(layout, path, mapping))


def remove_entry(data: bytes, file: str, path: KeyPath) -> bytes:
    """Take an entry away, with the comments that are its own.

    Args:
        data: The bytes of the recipe file.
        file: Its name, for messages.
        path: The keys that lead to the entry.

    Raises:
        RecipeError: with the place: the file is not valid, there is no such entry, it is the only
            one of a mapping in block style, or it has a form that cannot be taken away safely.
    """
    layout = layout_of(data, file)
    entry = layout.entry(path)
    others = list(_others(layout, path))

    def is_right(edited: RecipeLayout) -> bool:
        return list(_leaves(edited)) == others

    splices = removal(layout, layout.mapping(path[:-1]), path[-1])
    return _proved(layout, [splices], is_right, _unsafe(layout, path, entry.key))


def copy_spelling(data: bytes, file: str, source: KeyPath, target: KeyPath) -> bytes:
    """Write an entry as another is written that says the same: with its comments, in its style.

    Where that cannot be done safely, as in ``{…}``, the file stays.

    Args:
        data: The bytes of the recipe file.
        file: Its name, for messages.
        source: The keys that lead to the other entry.
        target: The keys that lead to the entry.

    Raises:
        RecipeError: with the place: the file is not valid, or there is no such entry.
    """
    layout = layout_of(data, file)
    splice, entry = respelling(layout, source, target), layout.entry(target)
    others, words = list(_others(layout, target)), _words(entry.value)

    def is_right(edited: RecipeLayout) -> bool:
        is_same = list(_others(edited, target)) == others
        return is_same and _words(edited.entry(target).value) == words

    attempts = [[splice]] if splice else []
    with suppress(RecipeError):
        return _proved(layout, attempts, is_right, _unsafe(layout, target, entry.key))
    return data


def _in_line(
    layout: RecipeLayout, mapping: yaml.MappingNode, entry: MappingEntry, text: str
) -> Iterator[Splice]:
    """The one way to write a value that is not in block style."""
    spelling = scalar_spelling(text, entry.value, flow=bool(mapping.flow_style))
    begin = entry.value.start_mark.index
    if entry.end > begin:
        yield Splice(begin, entry.end, spelling)
    else:
        yield _first(layout, entry, spelling)


def _in_block(
    layout: RecipeLayout, mapping: yaml.MappingNode, entry: MappingEntry, text: str
) -> Iterator[Splice]:
    """Ways to write a value that is in block style, the one most like the present one first."""
    begin = entry.value.start_mark.index
    whole_end = layout.lines.before_break(entry.value.end_mark.index)
    whole = layout.text[begin:whole_end]
    column, line_break = mapping.start_mark.column, layout.lines.break_near(begin)
    for spelling in block_spellings(whole, text, column, line_break):
        has_blank = keeps_blank_lines(whole) or keeps_blank_lines(spelling)
        yield Splice(begin, whole_end if has_blank else entry.end, spelling)
    yield Splice(begin, entry.end, scalar_spelling(text, flow=False) + header_comment(whole))


def _first(layout: RecipeLayout, entry: MappingEntry, spelling: str) -> Splice:
    """A value behind a key that has none, with its colon if that is not there either."""
    key_end = entry.key.end_mark.index
    colon = _COLON.match(layout.text, key_end)
    end = colon.end() if colon else key_end
    return Splice(end, end, f" {spelling}" if colon else f": {spelling}")


def _proved(
    layout: RecipeLayout,
    attempts: Iterable[list[Splice]],
    is_right: Callable[[RecipeLayout], bool],
    otherwise: RecipeError,
) -> bytes:
    """The bytes of the first attempt that, read again, is right.

    Raises:
        RecipeError: ``otherwise``: none is.
    """
    for splices in attempts:
        edited = layout.encoded(spliced(layout.text, splices))
        with suppress(RecipeError):
            if is_right(layout_of(edited, layout.file)):
                return edited
    raise otherwise


def _unsafe(layout: RecipeLayout, path: KeyPath, node: yaml.Node) -> RecipeError:
    msg = f"{path_text(path)} cannot be changed here without changing something else"
    return layout.error(msg, node, "change it by hand, or write what is around it more simply")


def _leaves(layout: RecipeLayout, hole: KeyPath | None = None) -> Iterator[_Leaf]:
    """All nodes, in their order; of the one at ``hole`` only that it is there."""
    for path, facts in _below(layout.root, (), ""):
        yield path, facts[:1] if path == hole else facts


def _others(layout: RecipeLayout, path: KeyPath) -> Iterator[_Leaf]:
    """All nodes but those at a path and below."""
    return (leaf for leaf in _leaves(layout) if leaf[0][: len(path)] != path)


def _below(node: yaml.Node, path: KeyPath, key: str) -> Iterator[_Leaf]:
    if isinstance(node, yaml.ScalarNode):
        yield path, (key, node.tag, node.style, node.value)
    elif isinstance(node, yaml.MappingNode):
        yield path, (key, node.tag, str(node.flow_style))
        for each, value in node.value:
            yield from _below(value, (*path, each.value), f"{each.tag} {each.style}")
    elif isinstance(node, yaml.SequenceNode):
        yield path, (key, node.tag, str(node.flow_style))
        for at, value in enumerate(node.value):
            yield from _below(value, (*path, f"[{at}]"), "")


def _words(node: yaml.Node) -> Words:
    """What a node says; a list has texts, if it was put here."""
    if isinstance(node, yaml.MappingNode):
        return {key.value: _words(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return tuple(str(each.value) for each in node.value)
    return str(node.value)
