"""Values that stand instead of upstream's, as a lock's specs say them.

Knows: where they stand in a spec. Must not know: what else a lock has.
"""

from __future__ import annotations

from collections.abc import Iterable

from rvbuild.core.errors import LockError, RecipeError
from rvbuild.core.override import Override
from rvbuild.recipes_yaml import document
from rvbuild.recipes_yaml.document import Node
from rvbuild.recipes_yaml.recipe_instead import KEY as INSTEAD
from rvbuild.recipes_yaml.recipe_instead import override_of


def pin_override(spec: Node) -> Override | None:
    """What stands instead of upstream's value, as a spec has it."""
    node = spec.nodes.get(INSTEAD) if isinstance(spec, document.Mapping) else None
    return None if node is None else _override(node)


def set_overrides(specs: Iterable[Node]) -> dict[str, Override]:
    """What stands instead of modules, as the specs of a set have it: all the same."""
    tables = (spec.nodes.get(INSTEAD) for spec in specs if isinstance(spec, document.Mapping))
    table = next((each for each in tables if isinstance(each, document.Mapping)), None)
    return {path: _override(node) for path, node in table.nodes.items()} if table else {}


def _override(node: Node) -> Override:
    try:
        return override_of(node)
    except RecipeError as error:
        raise LockError(error.message, where=error.where) from error
