"""The lock: every source with its content, every derived pin with the place it was read from.

Knows: what a lock holds and whether it fits a recipe. Must not know: how it is written down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from attrs import evolve, field, frozen

from rvbuild.core.agreement import Contradiction, set_contradiction, source_contradiction
from rvbuild.core.errors import LockError
from rvbuild.core.go_source import GoModule
from rvbuild.core.names import PinRef, SetRef, SourceRef
from rvbuild.core.place import Place
from rvbuild.core.recipe import GoModulesSpec, Ladder, Reading
from rvbuild.core.snapshot import Snapshot
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec
from rvbuild.core.spec_text import spec_text
from rvbuild.core.trace import Trace

_T = TypeVar("_T")
_RELOCK = "run `rvbuild lock` and look at what changes in rvbuild.lock"


@frozen(kw_only=True)
class PinValue:
    """A pin's value; for a derived one with source, file and line (else empty and 0).

    ``trace``: what it was read from; None where a lock of version 1 did not say it.
    ``where`` is the entry's place in the lock, here and below.
    """

    value: str
    spec: str
    source: str = ""
    file: str = ""
    line: int = 0
    trace: Trace | None = ()
    where: Place | None = field(default=None, eq=False, repr=False)


@frozen(kw_only=True)
class LockedSource:
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
        """Where a fact of a part stands in the lock, or the entry."""
        known = self.at[part] if part is not None and part < len(self.at) else {}
        return known.get(fact, self.where)


@frozen(kw_only=True)
class GoModuleSet:
    """The modules that all ``specs`` of one source's module need.

    ``modules`` are (path, version, h1 of the zip), sorted. ``go_sum`` is the SHA-256 of the
    source's go.sum, in hex: it says which go.mod files the module graph has. It is empty where a
    lock of version 1 was read, which did not have it.
    """

    specs: tuple[str, ...]
    modules: tuple[tuple[str, str, str], ...]
    go_sum: str
    trace: Trace | None = ()
    where: Place | None = field(default=None, eq=False, repr=False)

    def sources(self) -> Iterator[GoModule]:
        """Each module as a source."""
        for path, version, h1 in self.modules:
            yield GoModule(path=path, version=version, h1=h1)


def source_key(recipe: str, name: str, spec: SourceSpec, build_arch: str) -> str:
    """The lock's name of a source; sources for the build machine have one for each."""
    return str(SourceRef(recipe, name, build_arch if spec.per_machine else ""))


def modules_key(recipe: str, name: str, directory: str) -> str:
    """The lock's name of a set of Go modules, by its source and the folder of its go.mod."""
    return str(SetRef(SourceRef(recipe, name), directory))


@frozen(kw_only=True)
class Lock:
    """Everything that `rvbuild lock` found out; see docs/format.md.

    When a project's lock is laid over the shipped one, both may hold a module set under one key.
    ``shadowed_sets`` keeps the shipped one, so that shipped recipes are still served.
    """

    pins: Mapping[str, PinValue] = field(factory=dict)
    sources: Mapping[str, LockedSource] = field(factory=dict)
    go_modules: Mapping[str, GoModuleSet] = field(factory=dict)
    shadowed_sets: Mapping[str, GoModuleSet] = field(factory=dict)
    file: str = field(default="rvbuild.lock", eq=False)

    def layered_over(self, shipped: Lock) -> Lock:
        """These facts, and those of ``shipped`` that they do not replace.

        What ``shipped`` read from a source that is another here is there too, and not used: its
        trace does not hold (`core.pinned.Locked`).
        """
        return evolve(
            self,
            pins={**shipped.pins, **self.pins},
            sources={**shipped.sources, **self.sources},
            go_modules={**shipped.go_modules, **self.go_modules},
            shadowed_sets={
                key: entry for key, entry in shipped.go_modules.items() if key in self.go_modules
            },
        )

    def with_machines_of(self, old: Lock, build_arch: str) -> Lock:
        """Also what ``old`` has for other build machines, if this one has it so described."""
        kept = {}
        for key, held in old.sources.items():
            ref = SourceRef.parse(key)
            mine = self.sources.get(str(evolve(ref, machine=build_arch)))
            if ref.machine and mine is not None and mine.spec == held.spec:
                kept[key] = held
        return evolve(self, sources={**kept, **self.sources})

    def recipes(self) -> set[str]:
        """The names of the recipes that it has pins or sources of."""
        pins = (PinRef.parse(key).recipe for key in self.pins)
        return {*pins, *(SourceRef.parse(key).recipe for key in self.sources)}

    def pin(self, key: str, pin: Reading | Ladder) -> PinValue:
        """The value of a pin, by RECIPE/NAME; see core.agreement for what it must fit.

        Raises:
            LockError: it is not in the lock, or the recipe now reads it elsewhere.
        """
        held = self.pins.get(key)
        return self._fitting(key, held, held.spec if held else "", spec_text(pin), pin.where)

    def source(self, key: str, spec: SourceSpec, where: Place | None) -> LockedSource:
        """The content of a source.

        Raises:
            LockError: it is not in the lock, or a fact of it cannot be what the recipe asks for.
        """
        held = self.sources.get(key)
        if held is None:
            name = evolve(SourceRef.parse(key), machine="")
            hint = f"run `rvbuild lock {name.recipe}`, or say --override {name}=FOLDER"
            raise self._lacks(key, where, hint)
        self._fitting(key, held, held.spec, spec_text(spec), where)
        found = source_contradiction(spec, held.parts, SourceRef.parse(key).machine)
        if found is not None:
            raise self.contradicts(key, found, held.place(found.part, found.fact), where)
        return held

    def modules(self, key: str, spec: GoModulesSpec) -> GoModuleSet:
        """A set of Go modules; the same errors as ``source``."""
        wanted = spec_text(spec)
        held, shadowed = self.go_modules.get(key), self.shadowed_sets.get(key)
        if shadowed and wanted in shadowed.specs and not (held and wanted in held.specs):
            held = shadowed
        found = wanted if held and wanted in held.specs else "; ".join(held.specs if held else ())
        held = self._fitting(key, held, found, wanted, spec.where)
        wrong = set_contradiction(held.modules, held.go_sum)
        if wrong is not None:
            raise self.contradicts(key, wrong, held.where, spec.where)
        return held

    def moved(self, key: str, source: str, place: Place | None, where: Place | None) -> LockError:
        """The error for an entry that was read from what ``source`` was once."""
        msg = f"{self.file} has {key} as it was read from another {source} than there is now"
        return LockError(msg, where=place or where, hint=_RELOCK, details=(f"recipe: {where}",))

    def contradicts(
        self, key: str, found: Contradiction, place: Place | None, where: Place | None
    ) -> LockError:
        """The error for a fact of ``key`` at ``place`` that the recipe at ``where`` rules out."""
        msg = f"{self.file} has {key} with another {found.fact} than the recipe asks for"
        details = (f"locked: {found.locked}", f"recipe: {found.wanted}  {where}")
        return LockError(msg, where=place or where, hint=_RELOCK, details=details)

    def _fitting(
        self, key: str, held: _T | None, found: str, wanted: str, where: Place | None
    ) -> _T:
        if held is None:
            raise self._lacks(key, where, _RELOCK)
        if found != wanted:
            msg = f"{self.file} has {key} for another recipe than this one"
            details = (f"locked: {found}", f"recipe: {wanted}")
            raise LockError(msg, where=where, hint=_RELOCK, details=details)
        return held

    def _lacks(self, key: str, where: Place | None, hint: str) -> LockError:
        return LockError(f"{self.file} does not have {key}", where=where, hint=hint)
