"""The lock: every source with its content, every derived pin with the place it was read from.

Knows: what a lock holds and whether it fits a recipe. Must not know: how it is written down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar, Union

from attrs import evolve, field, frozen

from rvbuild.core.errors import LockError
from rvbuild.core.go_mod_changes import UNCHANGED, GoModChanges, UpstreamModule
from rvbuild.core.go_source import GoModule
from rvbuild.core.names import PinRef, Ref, SetRef, SourceRef
from rvbuild.core.override import Override
from rvbuild.core.place import Place
from rvbuild.core.snapshot import Snapshot
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec
from rvbuild.core.trace import Trace


class _Entry:
    """What an entry of any section has."""

    __slots__ = ()

    spec: str
    where: Place | None

    @property
    def descriptions(self) -> tuple[str, ...]:
        """What recipes ask, in their own words, that it answers."""
        return (self.spec,)

    def place(self, part: int | None, fact: str) -> Place | None:  # noqa: ARG002 - of some
        """Where a fact of a part stands in the lock, or the entry."""
        return self.where


@frozen(kw_only=True)
class PinValue(_Entry):
    """A pin's value; for a derived one with source, file and line (else empty and 0).

    ``value`` is what is built. Where the recipe says it ``instead`` of upstream's, ``upstream`` is
    what the place has; else both are empty. ``spec`` says the override, too.
    ``trace``: what it was read from; None where a lock of version 1 did not say it.
    ``where`` is the entry's place in the lock, here and below.
    """

    value: str
    spec: str
    source: str = ""
    file: str = ""
    line: int = 0
    upstream: str = ""
    instead: Override | None = field(default=None, eq=False)
    trace: Trace | None = ()
    where: Place | None = field(default=None, eq=False, repr=False)

    @property
    def origin(self) -> str:
        """Where it was read: ``k3s-source go.mod:124``."""
        return f"{self.source} {self.file}:{self.line}" if self.file else self.source


@frozen(kw_only=True)
class LockedSource(_Entry):
    """A source by content: one, or for ``debian`` every package of the closure.

    ``at`` has the place of each fact of each part in the lock. ``snapshot`` is that of the
    Debian packages: one index named all of them.
    """

    spec: str
    parts: tuple[Source, ...]
    trace: Trace | None = ()
    snapshot: Snapshot | None = field(init=False)
    where: Place | None = field(default=None, eq=False, repr=False)
    at: tuple[Mapping[str, Place], ...] = field(default=(), eq=False, repr=False)

    @snapshot.default
    def _snapshot(self) -> Snapshot | None:
        return next((part.snapshot for part in self.parts if part.snapshot), None)

    def place(self, part: int | None, fact: str) -> Place | None:
        known = self.at[part] if part is not None and part < len(self.at) else {}
        return known.get(fact, self.where)


@frozen(kw_only=True)
class GoModuleSet(_Entry):
    """The modules that all ``specs`` of one source's module need.

    ``modules`` are (path, version, h1 of the zip), sorted. ``go_sum`` is the SHA-256 of the
    source's go.sum, in hex: it says which go.mod files the module graph has. It is empty where a
    lock of version 1 was read, which did not have it. ``changes`` is what stands instead of what
    the main module's files say, and ``upstream`` what go.mod says of each module that another one
    stands for: ``golang.org/x/net v0.26.0 go.mod:120``. ``unvouched`` names, sorted, those lines of
    ``changes.sums`` that no checksum database was asked about: ``golang.org/x/net v0.38.0/go.mod``.
    """

    specs: tuple[str, ...]
    modules: tuple[tuple[str, str, str], ...]
    go_sum: str
    changes: GoModChanges = UNCHANGED
    upstream: tuple[UpstreamModule, ...] = ()
    unvouched: tuple[str, ...] = ()
    trace: Trace | None = ()
    where: Place | None = field(default=None, eq=False, repr=False)

    @property
    def descriptions(self) -> tuple[str, ...]:
        return self.specs

    @property
    def unvouched_modules(self) -> tuple[str, ...]:
        """The modules that ``unvouched`` names, each once: ``golang.org/x/net@v0.38.0``."""
        names = (name.removesuffix("/go.mod").replace(" ", "@") for name in self.unvouched)
        return tuple(sorted({*names}))

    def sources(self) -> Iterator[GoModule]:
        """Each module as a source."""
        for path, version, h1 in self.modules:
            yield GoModule(path=path, version=version, h1=h1)


Entry = Union[PinValue, LockedSource, GoModuleSet]
AnyEntry = TypeVar("AnyEntry", PinValue, LockedSource, GoModuleSet)


def source_ref(recipe: str, name: str, spec: SourceSpec, build_arch: str) -> SourceRef:
    """The lock's name of a source; sources for the build machine have one for each."""
    return SourceRef(recipe, name, build_arch if spec.per_machine else "")


def _without(lock: Lock, damaged: Mapping[Ref, LockError]) -> dict[Ref, LockError]:
    """Those of the entries that a lock does not have."""
    own = {*lock.pins, *lock.sources, *lock.go_modules}
    return {ref: error for ref, error in damaged.items() if ref not in own}


@frozen(kw_only=True)
class Lock:
    """Everything that `rvbuild lock` found out; see docs/format.md.

    When a project's lock is laid over the shipped one, both may hold a module set under one key.
    ``shadowed_sets`` keeps the shipped one, so that shipped recipes are still served.
    ``damaged`` has what is wrong with entries that were left out: nothing stands for them.
    ``upstream`` has the entries that are others for recipes without overrides.
    """

    pins: Mapping[PinRef, PinValue] = field(factory=dict)
    sources: Mapping[SourceRef, LockedSource] = field(factory=dict)
    go_modules: Mapping[SetRef, GoModuleSet] = field(factory=dict)
    shadowed_sets: Mapping[SetRef, GoModuleSet] = field(factory=dict)
    damaged: Mapping[Ref, LockError] = field(factory=dict, eq=False)
    upstream: Lock | None = None
    file: str = field(default="rvbuild.lock", eq=False)

    @property
    def as_upstream(self) -> Lock:
        """The answers for recipes without overrides."""
        if self.upstream is None:
            return self
        return evolve(
            self,
            pins={**self.pins, **self.upstream.pins},
            sources={**self.sources, **self.upstream.sources},
            go_modules={**self.go_modules, **self.upstream.go_modules},
            damaged={**_without(self.upstream, self.damaged), **self.upstream.damaged},
            upstream=None,
        )

    def other_than(self, lock: Lock) -> Lock | None:
        """The entries that ``lock`` does not have so; None if there are none."""
        pins = {ref: each for ref, each in self.pins.items() if lock.pins.get(ref) != each}
        sources = {ref: e for ref, e in self.sources.items() if lock.sources.get(ref) != e}
        sets = {ref: e for ref, e in self.go_modules.items() if lock.go_modules.get(ref) != e}
        if not (pins or sources or sets):
            return None
        return Lock(pins=pins, sources=sources, go_modules=sets)

    def layered_over(self, shipped: Lock) -> Lock:
        """These facts, and those of ``shipped`` that they do not replace.

        What ``shipped`` read from a source that is another here is there too, and not used: its
        trace does not hold (`core.question`).
        """
        return evolve(
            self,
            pins={**shipped.pins, **self.pins},
            sources={**shipped.sources, **self.sources},
            go_modules={**shipped.go_modules, **self.go_modules},
            shadowed_sets={
                key: entry for key, entry in shipped.go_modules.items() if key in self.go_modules
            },
            damaged={**_without(self, shipped.damaged), **self.damaged},
        )

    def with_machines_of(self, old: Lock, build_arch: str) -> Lock:
        """Also what ``old`` has for other build machines, if this one has it so described."""
        kept = {}
        for ref, source in old.sources.items():
            mine = self.sources.get(evolve(ref, machine=build_arch))
            if ref.machine and mine is not None and mine.spec == source.spec:
                kept[ref] = source
        return evolve(self, sources={**kept, **self.sources})

    def with_marks_of(self, old: Lock) -> Lock:
        """The same sums, with ``unvouched`` of sets that ``old`` has so but for fewer words.

        Somebody vouches now for what ``old`` has: that it does not say so yet makes it no other
        lock for who builds.
        """
        kept = {}
        for ref, entry in self.go_modules.items():
            former = old.go_modules.get(ref, entry)
            fewer = set(entry.unvouched) <= set(former.unvouched)
            if fewer and evolve(entry, unvouched=former.unvouched) == former:
                kept[ref] = former
        return evolve(self, go_modules={**self.go_modules, **kept})

    def recipes(self) -> set[str]:
        """The names of the recipes that it has pins or sources of."""
        return {ref.recipe for ref in self.pins} | {ref.recipe for ref in self.sources}

    def set_for(self, ref: SetRef, spec: str) -> GoModuleSet | None:
        """The set of Go modules for who asks with ``spec``; see ``shadowed_sets``."""
        entry, shadowed = self.go_modules.get(ref), self.shadowed_sets.get(ref)
        if entry is None or spec in entry.specs or shadowed is None:
            return entry
        return shadowed if spec in shadowed.specs else entry
