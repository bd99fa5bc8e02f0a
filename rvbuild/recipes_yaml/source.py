"""A source's mapping in a recipe, to its description.

Knows: that each kind declares its keys. Must not know: which kinds there are, the rest of a recipe.
"""

from __future__ import annotations

from rvbuild.core.errors import RecipeError, suggestion
from rvbuild.core.recipe import FromSpec
from rvbuild.core.spec import SourceSpec
from rvbuild.kinds.declaration import Key, keys
from rvbuild.kinds.table import INSTEAD, TAGS, spec_of
from rvbuild.recipes_yaml.fields import Fields, choice

REFERENCE = "from"
"""The key of what is no source of its own, but a recipe's."""

WORDS = (*TAGS, REFERENCE)
"""The keys of which a source has exactly one, unless one of ``INSTEAD`` stands for it."""


def read_source(fields: Fields) -> SourceSpec:
    """The source that a mapping describes; keys that are for every kind stay unread.

    Raises:
        RecipeError: with the place of what is wrong.
    """
    tags = [word for word in WORDS if word in fields]
    tags = tags or [tag for word, tag in INSTEAD.items() if word in fields]
    if len(tags) != 1:
        _refuse_misspelled(fields)
        msg = "a source needs exactly one kind"
        raise RecipeError(msg, where=fields.where, hint=f"one of: {', '.join(WORDS)}")
    return _spec(fields, tags[0])


def _refuse_misspelled(fields: Fields) -> None:
    """See that no key is nearly the word for a kind.

    Raises:
        RecipeError: one is.
    """
    for key in fields.node.nodes:
        if key not in WORDS and (near := suggestion(key, (*WORDS, *INSTEAD))):
            msg = f"unknown key {key!r}"
            raise RecipeError(msg, where=fields.at(key), hint=near)


def _spec(fields: Fields, tag: str) -> SourceSpec:
    """The description of a kind; a key that it does not have is the first thing to be wrong."""
    if tag == REFERENCE:
        reference = FromSpec(recipe=fields.text(REFERENCE))
        fields.finish()
        return reference
    spec = spec_of(tag)
    for each in keys(spec):
        fields.take(each.word)
    fields.finish(spec.instead)
    values = {each.attribute: _value(fields, each) for each in keys(spec) if _stands(fields, each)}
    return spec(**values)


def _stands(fields: Fields, key: Key) -> bool:
    """Whether a key is there."""
    if key.word in fields:
        return True
    if key.required and key.unless not in fields:
        if key.form.missing:
            raise RecipeError(key.form.missing, where=fields.where, hint=key.form.hint)
        fields.require(key.word)
    return False


def _value(fields: Fields, key: Key) -> object:
    form = key.form
    if form.choices:
        return choice(fields, key.word, form.choices, "")
    if form.members:
        return form.parse(_members(fields, key))
    text = fields.texts(key.word) if form.many else fields.text(key.word)
    try:
        return form.parse(text)
    except ValueError as cause:
        msg = f"{key.word!r} {cause}"
        raise RecipeError(msg, where=fields.at(key.word), hint=form.hint or None) from cause


def _members(fields: Fields, key: Key) -> tuple[str, ...]:
    inner = Fields(fields.require(key.word))
    texts = tuple(inner.text(member) for member in key.form.members)
    inner.finish()
    return texts
