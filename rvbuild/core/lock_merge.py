"""Two locks that began as one, put together: what a merge of two branches does.

Knows: which facts depend on which. Must not know: git, files, recipes.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping

from attrs import evolve, field, frozen

from rvbuild.core.contents import two_contents
from rvbuild.core.lock import AnyEntry, GoModuleSet, Lock, LockedSource, PinValue
from rvbuild.core.names import AnyRef, PinRef, Ref, SetRef, SourceRef
from rvbuild.core.trace import content_digest, moved

UPSTREAM = "as-upstream"
"""What a lock calls the entries that are others for recipes without overrides."""

_Section = Callable[[Lock], Mapping[AnyRef, AnyEntry]]


@frozen
class Merged:
    """A lock, and the keys that it is without because nobody can say what they are now."""

    lock: Lock
    lost: tuple[str, ...]


def merge_locks(base: Lock, ours: Lock, theirs: Lock) -> Merged:
    """What both sides changed since ``base``.

    Rules, for each entry:

    1. Only one side changed it: it is as on that side. Example: ours locks a new recipe, theirs
       gives another one a new version; both stand.
    2. Both sides changed it alike: it is as on both.
    3. Both changed a set of Go modules, with the same trace: the specs of both sides, and every
       module that either side has. One too many does no harm, nor does asking once more about a
       sum that one side has as unvouched. (Specs are not counted: where one
       side's last recipe with a spec goes and the other side's first one comes, builds refuse.)
    4. A side changed it, and a source of its trace is another in the lock of both: nobody can
       say what it is. Example: theirs moves ``k3s-source`` to another commit, ours locks a
       new recipe that reads its version there.
    5. Both changed a source to the same packages of Debian, from indexes of two moments: the
       earlier moment. The snapshot archive has them at either.
    6. A side dropped a source, and an entry of the other side was read from it: the source stays,
       with the pins of its recipe, and with what these were read from. Example: the last recipe
       with Go modules goes on ours, and with it the source of ``go`` and its version; theirs adds
       a recipe with Go modules. Rule 4 holds for what stays so, and for all that reads it.
    7. What is for comparison with upstream stands as a whole as one side has it. If both sides
       changed it, it goes.
    8. Anything else that both changed, and two contents of one thing: nobody can say either.

    Entries of rules 4, 7 and 8 are left out. `rvbuild lock` finds them again.
    """
    sides = _Sides(base, ours, theirs)
    sets = sides.merged(_sets, sides.union)
    lock = Lock(
        pins=sides.merged(_pins),
        sources=sides.merged(_sources, sides.earlier),
        go_modules={key: entry for key, entry in sets.items() if entry.specs},
        file=ours.file,
    )
    lock = sides.standing(sides.with_sources_read(lock))
    wrong = {word[1] for _, *words in two_contents(lock) for word in words}
    lock = evolve(
        lock,
        sources=_without(wrong, lock.sources),
        go_modules=_without(wrong, lock.go_modules),
    )
    lost = {str(ref) for ref in (*sides.lost, *wrong)}
    if sides.is_upstream_lost:
        lost.add(UPSTREAM)
    return Merged(evolve(lock, upstream=sides.upstream), tuple(sorted(lost)))


def _pins(lock: Lock) -> Mapping[PinRef, PinValue]:
    return lock.pins


def _sources(lock: Lock) -> Mapping[SourceRef, LockedSource]:
    return lock.sources


def _sets(lock: Lock) -> Mapping[SetRef, GoModuleSet]:
    return lock.go_modules


def _no_union(_base: object, _ours: object, _theirs: object) -> None:
    return None


@frozen
class _Sides:
    """The three locks.

    Attributes:
        lost: The entries of which nobody can say what they are.
    """

    base: Lock
    ours: Lock
    theirs: Lock
    lost: set[Ref] = field(factory=set, init=False)

    @property
    def upstream(self) -> Lock | None:
        """See rule 7."""
        was, ours, theirs = self.base.upstream, self.ours.upstream, self.theirs.upstream
        if self.is_upstream_lost:
            return None
        return theirs if ours == was else ours

    @property
    def is_upstream_lost(self) -> bool:
        """Whether both sides changed what is for comparison with upstream, each in its way."""
        was, ours, theirs = self.base.upstream, self.ours.upstream, self.theirs.upstream
        return was not in (ours, theirs) and ours != theirs

    def merged(
        self,
        entries: _Section[AnyRef, AnyEntry],
        union: Callable[
            [AnyEntry | None, AnyEntry | None, AnyEntry | None], AnyEntry | None
        ] = _no_union,
    ) -> dict[AnyRef, AnyEntry]:
        """The entries of one section, by rules 1 to 3 and 5.

        Args:
            entries: The section of a lock.
            union: Both sides' entry, if there is one that is right for both.
        """
        base: Mapping[AnyRef, AnyEntry] = entries(self.base)
        ours: Mapping[AnyRef, AnyEntry] = entries(self.ours)
        theirs: Mapping[AnyRef, AnyEntry] = entries(self.theirs)
        known: dict[AnyRef, AnyEntry] = {}
        for key in sorted({*ours, *theirs}):
            was, mine, other = base.get(key), ours.get(key), theirs.get(key)
            entry = other if mine == was else mine
            if was not in (mine, other) and mine != other:
                entry = union(was, mine, other)
                if entry is None:
                    self.lost.add(key)
            if entry is not None:
                known[key] = entry
        return known

    def dropped(self, entries: _Section[AnyRef, AnyEntry]) -> dict[AnyRef, AnyEntry]:
        """The entries of one section that one side dropped, and the other has unchanged."""
        ours, theirs = entries(self.ours), entries(self.theirs)
        return {
            key: entry
            for key, entry in entries(self.base).items()
            if (key in ours) != (key in theirs) and entry in (ours.get(key), theirs.get(key))
        }

    def with_sources_read(self, lock: Lock) -> Lock:
        """See rule 6."""
        dropped = self.dropped(_sources)
        dropped_pins = self.dropped(_pins)
        while True:
            sections = (lock.sources.values(), lock.pins.values(), lock.go_modules.values())
            traces = [entry.trace or () for section in sections for entry in section]
            names = {asked for trace in traces for asked, _ in trace}
            sources = {
                ref: source
                for ref, source in dropped.items()
                if ref not in lock.sources and ref.on_any_machine in names
            }
            if not sources:
                return lock
            recipes = {ref.recipe for ref in sources}
            pins = {ref: pin for ref, pin in dropped_pins.items() if ref.recipe in recipes}
            lock = evolve(lock, sources={**sources, **lock.sources}, pins={**pins, **lock.pins})

    def standing(self, lock: Lock) -> Lock:
        """Without what was read from something else than the lock has, to the last consequence."""
        while True:
            digests = {
                ref.on_any_machine: content_digest(ref, source.spec, source.parts)
                for ref, source in lock.sources.items()
            }
            stale = {
                *self._stale(_sources, lock, digests),
                *self._stale(_pins, lock, digests),
                *self._stale(_sets, lock, digests),
            }
            if not stale:
                return lock
            self.lost.update(stale)
            lock = evolve(
                lock,
                sources=_without(stale, lock.sources),
                pins=_without(stale, lock.pins),
                go_modules=_without(stale, lock.go_modules),
            )

    def _stale(
        self, entries: _Section[AnyRef, AnyEntry], lock: Lock, digests: Mapping[SourceRef, str]
    ) -> Iterator[Ref]:
        """The keys of a section's entries that rule 4 is about. What no side touched stays."""
        base, ours, theirs = entries(self.base), entries(self.ours), entries(self.theirs)
        for key, entry in entries(lock).items():
            untouched = entry == base.get(key) == ours.get(key) == theirs.get(key)
            if not untouched and any(moved(entry.trace, digests.get)):
                yield key

    def earlier(
        self, _base: LockedSource | None, ours: LockedSource | None, theirs: LockedSource | None
    ) -> LockedSource | None:
        """See rule 5."""
        if ours is None or theirs is None or ours.trace != theirs.trace:
            return None
        if (ours.spec, ours.parts) != (theirs.spec, theirs.parts):
            return None
        dated = [side for side in (ours, theirs) if side.snapshot is not None]
        return min(dated, key=lambda side: str(side.snapshot), default=None)

    def union(
        self, base: GoModuleSet | None, ours: GoModuleSet | None, theirs: GoModuleSet | None
    ) -> GoModuleSet | None:
        """See rule 3; a side without the set is one whose last user of it went."""
        sets = [side for side in (ours, theirs) if side is not None]
        if len({(side.go_sum, side.trace) for side in sets}) != 1:
            return None
        was = {*base.specs} if base else set()
        mine, other = ({*side.specs} if side else set() for side in (ours, theirs))
        specs = (mine & other) | ((mine ^ other) - was)
        modules = {module for side in sets for module in side.modules}
        unvouched = {name for side in sets for name in side.unvouched}
        return evolve(
            sets[0],
            specs=tuple(sorted(specs)),
            modules=tuple(sorted(modules)),
            unvouched=tuple(sorted(unvouched)),
        )


def _without(keys: Container[Ref], entries: Mapping[AnyRef, AnyEntry]) -> dict[AnyRef, AnyEntry]:
    return {key: entry for key, entry in entries.items() if key not in keys}
