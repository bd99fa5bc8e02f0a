"""A lock of version 1 to a Lock, for `rvbuild lock` to write again.

Knows: the form that rvbuild wrote before the first release. Must not know: recipes.
Entries were held to a SHA-256 of their lines; those that do not fit are found again. Version 1 had
no traces: pins and modules of a go.sum are read again, from the locked source. A set of
Go modules did not have the digest of its go.sum, but every line of it: `rvbuild lock` reads the
digest from the locked source.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from itertools import chain
from typing import Any

from attrs import evolve

from rvbuild.core.errors import LockError
from rvbuild.core.lock import AnyEntry, GoModuleSet, Lock, LockedSource, PinValue
from rvbuild.core.names import AnyRef, PinRef, SetRef, SourceRef
from rvbuild.core.place import Place
from rvbuild.core.recipe import GoModulesSpec, Ladder, Reading
from rvbuild.core.source import Source
from rvbuild.core.spec_text import spec_text
from rvbuild.core.trace import Trace, content_digest
from rvbuild.kinds.table import kind, spec_of
from rvbuild.recipes_yaml.document import Items, Mapping, Node
from rvbuild.recipes_yaml.fields import Fields, choice
from rvbuild.recipes_yaml.lock_facts import made_of, refs_in, values_in

VERSION = 1
_TAGS = {
    **{tag: tag for tag in ("url", "git", "go-module", "go-toolchain", "path")},
    "wheel": "pypi",
    "deb": "debian",
}
_SPECS = {
    "GitSpec": "git",
    "GoModuleSpec": "go-module",
    "GoToolchainSpec": "go-toolchain",
    "WheelSpec": "pypi",
    "DebianSpec": "debian",
    "UrlSpec": "url",
    "PathSpec": "path",
}
"""The kinds by the names that descriptions had."""
_OTHERS: dict[str, Callable[..., Any]] = {
    each.__name__: each for each in (GoModulesSpec, Reading, Ladder)
}


def read(top: Fields, data: bytes, file: str) -> Lock:
    """The lock without entries that were changed by hand.

    Raises:
        LockError: with file, line and column.
    """
    lines = data.decode().split("\n")
    pins = _entries(top, "pins", lines, PinRef.parse, _pin)
    sources = _entries(top, "sources", lines, SourceRef.parse, _source)
    sets = _entries(top, "go-modules", lines, SetRef.parse, _modules)
    top.finish()
    traced = {
        ref: evolve(entry, trace=_set_trace(ref, entry, sources)) for ref, entry in sets.items()
    }
    return Lock(pins=pins, sources=sources, go_modules=traced, file=file)


def _set_trace(
    ref: SetRef, entry: GoModuleSet, sources: dict[SourceRef, LockedSource]
) -> Trace | None:
    """What a set was read from: its source, and the go command if packages were listed."""
    whole = any("packages: []" in spec for spec in entry.specs)
    digests = {
        source.on_any_machine: content_digest(source, locked.spec, locked.parts)
        for source, locked in sources.items()
        if source.on_any_machine == ref.source or (source.recipe == "go" and not whole)
    }
    return tuple(sorted(digests.items())) if ref.source in digests else None


def _entries(
    top: Fields,
    section: str,
    lines: list[str],
    parse: Callable[[str], AnyRef],
    read: Callable[[Fields], AnyEntry],
) -> dict[AnyRef, AnyEntry]:
    node = top.require(section)
    if not isinstance(node, Mapping):
        msg = f"{section!r} must be a mapping"
        raise LockError(msg, where=node.where)
    checked = _has_checks(top)
    entries: dict[AnyRef, AnyEntry] = {}
    for key, ref in refs_in(node, parse).items():
        fields = Fields(node.nodes[key], LockError)
        entry = read(fields)
        check = fields.maybe("check")
        fields.finish()
        text = "\n".join(lines[node.at(key).line - 1 : fields.at("check").line - 1])
        if check == hashlib.sha256(text.encode()).hexdigest() or not (checked or check):
            entries[ref] = entry
    return entries


def _has_checks(top: Fields) -> bool:
    sections = (node for node in top.node.nodes.values() if isinstance(node, Mapping))
    entries = chain(*(section.nodes.values() for section in sections))
    return any(isinstance(each, Mapping) and "check" in each.nodes for each in entries)


def _spec(text: str, where: Place) -> str:
    """What was asked for, in the words of today."""
    try:
        facts = json.loads(text)
        name = facts.pop("is")
        asked = _OTHERS[name] if name in _OTHERS else spec_of(_SPECS[name])
        return spec_text(asked(**{key: _value(value) for key, value in facts.items()}))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as cause:
        msg = f"not what a recipe can ask for: {text[:80]!r}"
        raise LockError(msg, where=where) from cause


def _value(value: object) -> object:
    if isinstance(value, list):
        return tuple(map(_value, value))
    return Reading(**value) if isinstance(value, dict) else value


def _pin(fields: Fields) -> PinValue:
    return PinValue(
        value=fields.text("value"),
        spec=_spec(fields.text("spec"), fields.at("spec")),
        source=fields.text("source"),
        file=fields.text("file"),
        line=fields.number("line"),
        trace=None,
        where=fields.where,
    )


def _source(fields: Fields) -> LockedSource:
    node = fields.require("parts")
    if not isinstance(node, Items) or not node.nodes:
        msg = "'parts' must be a list with at least one source"
        raise LockError(msg, where=node.where)
    spec = _spec(fields.text("spec"), fields.at("spec"))
    parts = tuple(map(_part, node.nodes))
    trace = None if "go-sum: " in spec else ()
    return LockedSource(spec=spec, parts=parts, trace=trace, where=fields.where)


def _part(node: Node) -> Source:
    fields = Fields(node, LockError)
    fields.require("kind")
    declared = kind(_TAGS[choice(fields, "kind", _TAGS, "")])
    part = made_of(declared, values_in(declared.facts, fields), fields)
    fields.finish()
    return part


def _modules(fields: Fields) -> GoModuleSet:
    specs = (_spec(text, fields.at("specs")) for text in fields.texts("specs"))
    fields.texts("mods")
    return GoModuleSet(
        specs=tuple(sorted(specs)),
        modules=_triples(fields, "modules"),
        go_sum="",
        where=fields.where,
    )


def _triples(fields: Fields, key: str) -> tuple[tuple[str, str, str], ...]:
    triples = []
    for text in fields.texts(key):
        words = text.split(" ")
        if len(words) != 3:
            msg = f"not 'path version h1:…': {text!r}"
            raise LockError(msg, where=fields.at(key))
        triples.append((words[0], words[1], words[2]))
    return tuple(triples)
