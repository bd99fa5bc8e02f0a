"""The key `instead` of a recipe: values that it has instead of upstream's.

Knows: the keys of an override, and of those of a series. Must not know: whether one holds.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from rvbuild.core.errors import RecipeError
from rvbuild.core.gomod import FOLDER_MARKS, is_module_path, is_module_version
from rvbuild.core.names import AnyRef, PinRef, SetRef
from rvbuild.core.override import Override, SeriesOverrides
from rvbuild.recipes_yaml.document import Node
from rvbuild.recipes_yaml.fields import Fields
from rvbuild.recipes_yaml.spelling import Words

KEY = "instead"
_LIKE = "value: v1.2.8, because: [CVE-2025-31133], while: v1.2.5"


def override_in(fields: Fields) -> Override | None:
    """What is under `instead` of a pin, if anything is."""
    node = fields.take(KEY)
    return None if node is None else override_of(node)


def module_overrides(fields: Fields, key: str = KEY) -> dict[str, Override]:
    """What is under ``key`` for the modules of a set, by module."""
    table = fields.fields(key, f"golang.org/x/net: {{{_LIKE}}}")
    return dict(_modules(table)) if table else {}


def series_overrides(fields: Fields) -> SeriesOverrides:
    """What is under `instead` of a series."""
    table = fields.fields(KEY, f"pins: {{runc/version: {{{_LIKE}}}}}")
    if table is None:
        return SeriesOverrides()
    pins = table.fields("pins", f"runc/version: {{{_LIKE}}}")
    sets = table.fields("go-modules", f"runc/runc: {{golang.org/x/net: {{{_LIKE}}}}}")
    table.finish()
    return SeriesOverrides(
        pins=dict(_pins(pins)) if pins else {},
        modules=dict(_sets(sets)) if sets else {},
    )


def overrides_words(overrides: SeriesOverrides) -> Words:
    """What `series_overrides` reads."""
    pins = {str(ref): _words(each) for ref, each in overrides.pins.items()}
    sets = {
        str(ref): {module: _words(each) for module, each in modules.items()}
        for ref, modules in overrides.modules.items()
    }
    return {key: words for key, words in (("pins", pins), ("go-modules", sets)) if words}


def _words(override: Override) -> Words:
    until = {"until": override.until} if override.until else {}
    return {
        "value": override.value,
        "because": override.because,
        "while": override.upstream,
        **until,
    }


def is_day(text: str) -> bool:
    """Whether a text is a day in just this form; Python's own reader takes several others."""
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _pins(table: Fields) -> Iterator[tuple[PinRef, Override]]:
    for key, node in table.node.nodes.items():
        yield _named(table, PinRef, key), override_of(node)


def _sets(table: Fields) -> Iterator[tuple[SetRef, dict[str, Override]]]:
    for key in table.node.nodes:
        yield _named(table, SetRef, key), module_overrides(table, key)


def _named(table: Fields, kind: type[AnyRef], key: str) -> AnyRef:
    """The name that a key is, without a series: that is said by where the key stands."""
    ref = kind.parse(key)
    if str(ref) == key and all(key.partition("/")) and "@" not in key:
        return ref
    msg = f"{key!r} is no name as the lock has it, without @SERIES"
    hint = "RECIPE/PIN under `pins`, RECIPE/SOURCE under `go-modules`"
    raise RecipeError(msg, where=table.at(key), hint=hint)


def _modules(table: Fields) -> Iterator[tuple[str, Override]]:
    for module, node in table.node.nodes.items():
        override = override_of(node)
        for key, text in (("value", override.value), ("while", override.upstream)):
            path, _, version = text.rpartition(" ")
            if key == "while" and text.startswith(FOLDER_MARKS):
                continue
            if not (is_module_version(version) and is_module_path(path or module)):
                msg = f"{key!r} is not a module's version: {text!r}"
                hint = "all of it, as v1.2.3; of another module, as `e.org/other v1.2.3`"
                raise RecipeError(msg, where=override.where, hint=hint)
        yield module, override


def override_of(node: Node) -> Override:
    """An override.

    Raises:
        RecipeError: it is not valid.
    """
    fields = Fields(node, like=_LIKE)
    override = Override(
        value=fields.text("value"),
        because=fields.texts("because"),
        upstream=fields.text("while"),
        until=fields.text("until", ""),
        where=fields.where,
    )
    fields.finish()
    if not all((*override.because, override.because)):
        msg = "'because' is missing: a value that stands instead of upstream's has a reason"
        raise RecipeError(msg, where=fields.at("because"), hint="because: [CVE-2025-31133]")
    if override.until and not is_day(override.until):
        msg = f"'until' must be a day, not {override.until!r}"
        raise RecipeError(msg, where=fields.at("until"), hint="YYYY-MM-DD, for example 2027-03-01")
    if override.value == override.upstream:
        msg = f"'value' and 'while' are the same: {override.value}"
        raise RecipeError(msg, where=fields.at("value"), hint="then leave `instead` out")
    return override
