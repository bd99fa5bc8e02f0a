"""A Lock to the text of `rvbuild.lock`: sorted YAML, one fact a line, each fact once.

Knows: the file's form (docs/format.md). Must not know: recipes, how pins are found.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from rvbuild.core.canonical import Json, encode
from rvbuild.core.lock import AnyEntry, Entry, GoModuleSet, Lock, LockedSource, PinValue
from rvbuild.core.lock_merge import UPSTREAM
from rvbuild.core.names import AnyRef, Ref
from rvbuild.core.source import Source
from rvbuild.core.spec_text import flow_scalar
from rvbuild.kinds.declaration import Kind
from rvbuild.kinds.table import SECTIONS, kind_of

VERSION = 2
CHECK_DIGITS = 16
CHANGES = ("upstream", "go-mod", "first-seen", "unvouched")
"""Of a set of Go modules: what go.mod says, what stands instead, sums that nobody had, and those
of them that nobody vouches for.
"""
_HEAD = "# Written by rvbuild: every source with its content. Change recipes, not this.\n"
_PLAIN = re.compile(r"[A-Za-z0-9/][A-Za-z0-9_./@+~%=,:!*-]*(?<!:)\Z")
_WORDS = re.compile(
    r"[A-Za-z0-9/][A-Za-z0-9_./@+~%=,:!*-]*(?<!:)(?: [A-Za-z0-9_./@+~%=,:!*-]+(?<!:))*\Z"
)


def write_lock(lock: Lock) -> str:
    """The text of a lock; the same lock always gives the same text."""
    return _HEAD + "\n".join(_lines(lock)) + "\n"


def check_of(ref: Ref, entry: Entry) -> str:
    """Tells an entry from one with any other fact, those that stand in shared lines too.

    So a shared line needs no check of its own, and two branches that add one do not meet there.
    """
    trace = ([str(asked), digest] for asked, digest in entry.trace or ())
    facts = encode([str(ref), _meaning(entry), *trace])
    return hashlib.sha256(facts).hexdigest()[:CHECK_DIGITS]


def _meaning(entry: Entry) -> Json:
    if isinstance(entry, PinValue):
        upstream = [entry.upstream] if entry.upstream else []
        return [entry.value, entry.source, entry.file, entry.line, entry.spec, *upstream]
    if isinstance(entry, GoModuleSet):
        more = [*_changes(entry)] if entry.changes else []
        if not entry.unvouched:  # as in locks that did not say it
            more = more[:-1]
        return [entry.specs, entry.go_sum, [*map(" ".join, entry.modules)], *more]
    parts = ((kind_of(part), part) for part in entry.parts)
    meaning: list[Json] = [entry.spec, [[each.tag, each.show(part)] for each, part in parts]]
    return [*meaning, *_facts_of_all(entry).values()]


def _lines(lock: Lock) -> Iterator[str]:
    yield f"lock: {VERSION}"
    yield from _section("pins", lock.pins, _pin_lines)
    yield from _section("sources", lock.sources, _source_lines)
    yield from _section("module-sets", lock.go_modules, _set_lines)
    if lock.upstream is not None:  # most locks have nothing instead of upstream's
        yield f"{UPSTREAM}:"
        yield from (f"  {line}" for line in _upstream_lines(lock.upstream))
    locks = [each for each in (lock, lock.upstream) if each is not None]
    for name, tag in SECTIONS.items():
        lines = sorted({line for each in locks for line in _shared_lines(_things(each, tag))})
        if lines:  # a kind that nobody uses leaves no trace in a lock
            yield f"{name}:"
            yield from lines


def _upstream_lines(lock: Lock) -> Iterator[str]:
    """The sections that have an entry."""
    if lock.pins:
        yield from _section("pins", lock.pins, _pin_lines)
    if lock.sources:
        yield from _section("sources", lock.sources, _source_lines)
    if lock.go_modules:
        yield from _section("module-sets", lock.go_modules, _set_lines)


def _section(
    name: str, entries: Mapping[AnyRef, AnyEntry], lines_of: Callable[[AnyEntry], Iterable[str]]
) -> Iterator[str]:
    yield f"{name}:" if entries else f"{name}: {{}}"
    for ref in sorted(entries):
        yield f"  {_scalar(str(ref))}:"
        yield from lines_of(entries[ref])
        yield f"    check: {_scalar(check_of(ref, entries[ref]))}"


def _scalar(text: str) -> str:
    return flow_scalar(text, _PLAIN)


def _pin_lines(pin: PinValue) -> Iterator[str]:
    facts = {"value": pin.value, "source": pin.source, "file": pin.file}
    if pin.upstream:
        facts = {"value": pin.value, "upstream": pin.upstream, **facts}
    yield from (f"    {name}: {_scalar(text)}" for name, text in facts.items())
    yield f"    line: {pin.line}"
    yield f"    spec: {pin.spec}"
    yield from _trace_lines(pin)


def _source_lines(source: LockedSource) -> Iterator[str]:
    yield f"    spec: {source.spec}"
    yield from (f"    {name}: {_scalar(text)}" for name, text in _facts_of_all(source).items())
    yield "    parts:"
    declared = kind_of(source.parts[0])
    if declared.section is not None:  # all parts are of one kind
        yield f"      {declared.tag}: |"
        yield from (f"        {_name(declared, part)}" for part in source.parts)
    else:
        for part in source.parts:
            yield from _part_lines(part)
    if source.trace:  # few sources are read from others
        yield from _trace_lines(source)


def _facts_of_all(source: LockedSource) -> dict[str, str]:
    """What the entry says once for all its parts."""
    facts = ((fact, fact.of(part)) for part in source.parts[:1] for fact in kind_of(part).entry)
    return {fact.name: str(text) for fact, text in facts if text}


def _part_lines(part: Source) -> Iterator[str]:
    declared = kind_of(part)
    yield f"      - kind: {declared.tag}"
    for name, value in declared.show(part).items():
        if isinstance(value, tuple):
            yield f"        {name}:"
            yield from (f"          - {_scalar(text)}" for text in value)
        else:
            yield f"        {name}: {_scalar(value)}"


def _name(declared: Kind, part: Source) -> str:
    """The name of a thing in the section of its kind."""
    facts = declared.show(part)
    key = declared.section.key if declared.section else ()
    return " ".join(str(facts[name]) for name in key)


def _set_lines(modules: GoModuleSet) -> Iterator[str]:
    yield "    specs:" if modules.specs else "    specs: []"
    yield from (f"      - {spec}" for spec in modules.specs)
    yield f"    go-sum: {_scalar(modules.go_sum)}"
    yield "    modules: |" if modules.modules else "    modules: ''"
    yield from (f"      {path} {version}" for path, version, _ in modules.modules)
    for name, lines in zip(CHANGES, _changes(modules), strict=True):
        if lines:
            yield f"    {name}: |"
            yield from (f"      {line}" for line in lines)
    yield from _trace_lines(modules)


def _changes(modules: GoModuleSet) -> tuple[tuple[str, ...], ...]:
    upstream = tuple(map(str, modules.upstream))
    return upstream, modules.changes.statements, modules.changes.sums, modules.unvouched


def _trace_lines(entry: Entry) -> Iterator[str]:
    words = " ".join(f"{asked} {digest}" for asked, digest in entry.trace or ())
    yield f"    trace: {flow_scalar(words, _WORDS)}"


def _things(lock: Lock, tag: str) -> Iterator[Source]:
    """Everything of a kind that any entry names."""
    for source in lock.sources.values():
        yield from (part for part in source.parts if kind_of(part).tag == tag)
    if tag == "go-module":
        for each in lock.go_modules.values():
            yield from each.sources()


def _shared_lines(things: Iterable[Source]) -> Iterator[str]:
    for thing in things:
        declared = kind_of(thing)
        facts = (fact.of(thing) for fact in declared.shared)
        texts = " ".join(str(text) for text in facts)
        name = flow_scalar(_name(declared, thing), _WORDS)
        yield f"  {name}: {flow_scalar(texts, _WORDS)}"
