"""Names in recipes: of recipes and what is in them, and of variables.

Knows: which names there can be. Must not know: what they name.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from rvbuild.core.errors import suggestion
from rvbuild.recipes_yaml.fields import Fields

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}\Z")
NAME_HINT = "at most 100 lower-case letters, digits, '.', '_' and '-'"
RESERVED = (
    *("out", "name", "arch", "build_arch", "version", "date", "jobs"),
    *("HOME", "LC_ALL", "PATH", "SOURCE_DATE_EPOCH", "TMPDIR", "TZ"),
)
"""Variables that every step has from rvbuild."""

_VARIABLE = re.compile(r"[a-z_][a-z0-9_]*\Z", re.IGNORECASE)


def variables_of(fields: Fields, key: str, reserved: Collection[str]) -> dict[str, str]:
    """The table of variables under ``key``, or an empty one.

    Raises:
        RecipeError: a name is none of a variable, or one of ``reserved``.
    """
    table = fields.fields(key)
    if table is None:
        return {}
    refuse_no_variables(table, reserved)
    return {name: table.text(name) for name in table.node.nodes}


def refuse_no_variables(
    table: Fields, reserved: Collection[str], *, but: Collection[str] = ()
) -> None:
    """See that each key is a name that a shell takes for a variable, and none of ``reserved``.

    Keys of ``but`` are no variables.

    Raises:
        RecipeError: one is not.
    """
    for name, where in table.node.keys.items():
        if name in but:
            continue
        if not _VARIABLE.match(name):
            msg = f"{name!r} is not a variable name"
            hint = suggestion(name, but) or "letters, digits and _, no digit first"
            raise table.error(msg, where=where, hint=hint)
        if name in reserved:
            msg = f"{name!r} is set by rvbuild itself"
            raise table.error(msg, where=where, hint="give it another name")
