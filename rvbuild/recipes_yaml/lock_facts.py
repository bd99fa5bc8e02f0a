"""Facts of a kind out of a mapping of a lock.

Knows: how declared facts stand in a mapping. Must not know: which kinds there are.
"""

from __future__ import annotations

from collections.abc import Mapping

from rvbuild.core.errors import LockError, RecipeError
from rvbuild.core.source import Source
from rvbuild.kinds.declaration import Kind
from rvbuild.recipes_yaml.fields import Fields


def values_in(declared: Kind, fields: Fields) -> dict[str, object]:
    """The value of each fact.

    Raises:
        LockError: one is missing, or cannot be so.
    """
    values = {}
    for fact in declared.facts:
        if fact.name not in fields and fact.optional:
            fields.take(fact.name)
            values[fact.name] = fact.form.parse(())
            continue
        fields_of = fields.texts if fact.form.many else fields.text
        try:
            fields.require(fact.name)
            values[fact.name] = fact.form.parse(fields_of(fact.name))
        except ValueError as cause:
            msg = f"{fact.name!r} {cause}"
            raise LockError(msg, where=fields.at(fact.name)) from cause
    return values


def made_of(declared: Kind, values: Mapping[str, object], fields: Fields) -> Source:
    """The source that has the values.

    Raises:
        LockError: no source can have them.
    """
    try:
        return declared.make(values)
    except RecipeError as error:  # the URL; the rest is read by its own rules
        raise LockError(error.message, where=fields.at("urls")) from error
