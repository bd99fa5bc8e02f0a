"""Names and facts out of a mapping of a lock.

Knows: how names and declared facts stand in a mapping. Must not know: which kinds there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from rvbuild.core.errors import LockError, RecipeError
from rvbuild.core.names import AnyRef
from rvbuild.core.printable import brief
from rvbuild.core.source import Source
from rvbuild.kinds.declaration import Fact, Kind
from rvbuild.recipes_yaml import document
from rvbuild.recipes_yaml.fields import Fields, scalar_text


def values_in(facts: Iterable[Fact], fields: Fields) -> dict[str, object]:
    """The value of each fact.

    Raises:
        LockError: one is missing, or cannot be so.
    """
    values = {}
    for fact in facts:
        node = fields.take(fact.name) if fact.optional else fields.require(fact.name)
        if node is None:  # the source's own default stands for it
            continue
        text = (
            fields.texts(fact.name)
            if fact.form.many
            else scalar_text(node, fact.name, fields.error)
        )
        try:
            values[fact.name] = fact.form.parse(text)
        except ValueError as cause:
            msg = f"{fact.name!r} {cause}"
            raise LockError(msg, where=fields.at(fact.name)) from cause
    return values


def made_of(declared: Kind, values: Mapping[str, object], fields: Fields) -> Source:
    """The source that has the values.

    Raises:
        LockError: no source can have them.
    """
    for name in declared.former:
        fields.take(name)
    try:
        return declared.make(values)
    except RecipeError as error:  # the URL; the rest is read by its own rules
        raise LockError(error.message, where=fields.at("urls")) from error


def refs_in(section: document.Mapping, parse: Callable[[str], AnyRef]) -> dict[str, AnyRef]:
    """The names of a section's entries, by their keys.

    Raises:
        LockError: a key is no such name.
    """
    refs = {key: parse(key) for key in section.nodes}
    for key, ref in refs.items():
        if str(ref) != key:
            msg = f"not the name of an entry, which is RECIPE/NAME: {brief(key)!r}"
            raise LockError(msg, where=section.at(key))
    return refs
