"""What differs between two locks, and between what their recipes say themselves.

Knows: which entries meet, and what of one is another. Must not know: kinds of sources, what is
built again, how a difference is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain

from attrs import field, frozen

from rvbuild.core.component import Component, ComponentChange, Move, compare_components
from rvbuild.core.lock import PinValue
from rvbuild.core.names import PinRef, RecipeName, Ref, SetRef, SourceRef
from rvbuild.core.override import Override
from rvbuild.core.side import Side
from rvbuild.core.source import Source

Describe = Callable[[Source], Component]
"""What a source is, by the declaration of its kind."""


@frozen(kw_only=True)
class PinOrigin:
    """Where a derived pin was read.

    Attributes:
        source: The recipe of the source.
        revision: Which one that is: its version, its tag, or its commit.
        file: The file.
        line: The line in it.
    """

    source: str
    revision: str
    file: str
    line: int


@frozen
class PinOverride:
    """Why a value stands instead of upstream's.

    Attributes:
        upstream: What the place has.
        instead: The decision.
    """

    upstream: str
    instead: Override


@frozen(kw_only=True)
class ValueChange:
    """A value on both sides; or its override differs alone.

    Attributes:
        old: The former value; None if there was none.
        new: The value now; None if there is none.
        old_origin: Where the former one was read, or upstream's, where the former stood instead of
            it; None if the recipe said it.
        origin: The same of the value now.
        old_override: Why the former one stood instead of upstream's; None if it was upstream's.
        override: The same of the value now.
    """

    old: str | None
    new: str | None
    old_origin: PinOrigin | None
    origin: PinOrigin | None
    old_override: PinOverride | None = None
    override: PinOverride | None = None


@frozen(kw_only=True)
class PinChange(ValueChange):
    """A recipe's version, or another value of it.

    Attributes:
        pin: The name, as both sides have it.
    """

    pin: PinRef


@frozen(kw_only=True)
class ModuleChange(ValueChange):
    """The version of a Go module that has, or had, another one instead of go.mod's.

    Where it has none, nobody says where go.mod names it.

    Attributes:
        name: The set, as both sides have it.
        module: The path.
    """

    name: SetRef
    module: str


@frozen
class FactChange:
    """A fact of a source: its name, and its texts; None where it has none."""

    name: str
    old: str | None
    new: str | None


@frozen(kw_only=True)
class SourceChange:
    """A source that is one thing, on both sides.

    Attributes:
        source: The name, as both sides have it.
        kind: The tag of its kind; the one now, if there is one.
        move: What became of it; it has no order, so that is added, removed, or replaced.
        facts: Those that differ, in the order of the lock.
        is_same_content: Whether only what leads to the content differs.
    """

    source: SourceRef
    kind: str
    move: Move
    facts: tuple[FactChange, ...]
    is_same_content: bool


@frozen(kw_only=True)
class SetChange:
    """Things that are needed together, on both sides: Go modules, crates, packages.

    Attributes:
        name: That of the entry, as both sides have it.
        kind: The tag of its kind.
        old: How many there were.
        new: How many there are.
        changes: What became of them.
    """

    name: Ref
    kind: str
    old: int
    new: int
    changes: tuple[ComponentChange, ...]


@frozen(kw_only=True)
class LockDiff:
    """All that differs, each list sorted by name.

    ``modules`` has the Go modules of which somebody decided otherwise than before. ``overall`` has
    what became of things of any set: one that left one set and is in another on both sides did not
    come or go.
    """

    pins: tuple[PinChange, ...]
    sources: tuple[SourceChange, ...]
    sets: tuple[SetChange, ...]
    overall: tuple[ComponentChange, ...]
    modules: tuple[ModuleChange, ...] = ()

    @property
    def refs(self) -> tuple[Ref, ...]:
        """The names of pins, sources and sets, as both sides have them."""
        pins = [each.pin for each in self.pins]
        sources = [each.source for each in self.sources]
        sets = [each.name for each in self.sets]
        modules = [each.name for each in self.modules]
        return tuple(dict.fromkeys((*pins, *sources, *sets, *modules)))


def compare_locks(old: Side, new: Side, describe: Describe) -> LockDiff:
    """What differs.

    A source that is many things on one side is taken for a set on both.

    Args:
        old: The former side.
        new: The side now.
        describe: Says what a source is.
    """
    former, current = _sources(old, describe), _sources(new, describe)
    many = {ref for side in (former, current) for ref, things in side.items() if len(things) > 1}
    then: _Sets = {**_modules(old, describe), **{ref: former.pop(ref, ()) for ref in many}}
    now: _Sets = {**_modules(new, describe), **{ref: current.pop(ref, ()) for ref in many}}
    single = sorted({*former, *current})
    changes = (_source_change(ref, former.get(ref), current.get(ref)) for ref in single)
    return LockDiff(
        pins=tuple(_pin_changes(old, new)),
        sources=tuple(change for change in changes if change.facts),
        sets=tuple(_set_changes(then, now)),
        overall=compare_components(
            chain.from_iterable(then.values()), chain.from_iterable(now.values())
        ),
        modules=tuple(_module_changes(old, new)),
    )


# ---- pins


def _pin_changes(old: Side, new: Side) -> Iterator[PinChange]:
    literals = old.recipes is not None and new.recipes is not None
    then, now = _values(old, literals=literals), _values(new, literals=literals)
    unreadable = old.unreadable | new.unreadable
    for pin in sorted({*then, *now}):
        former, current = then.get(pin, _NONE), now.get(pin, _NONE)
        if former != current and RecipeName.parse(pin.recipe).base not in unreadable:
            yield PinChange(
                pin=pin,
                old=former.text,
                new=current.text,
                old_origin=former.origin,
                origin=current.origin,
                old_override=former.override,
                override=current.override,
            )


@frozen(kw_only=True)
class _Value:
    """A pin's value; the same one read at another place is no other."""

    text: str | None = None
    origin: PinOrigin | None = field(default=None, eq=False)
    override: PinOverride | None = None


_NONE = _Value()


def _values(side: Side, *, literals: bool) -> dict[PinRef, _Value]:
    """Each value that a recipe has, and where it was read; as the recipe says it, or of the lock.

    What the lock has of a pin that the recipe says itself now is nobody's. A lock alone does not
    have what recipes say themselves: without ``literals`` that is left out.
    """
    values = {side.pin(ref): _value(side, ref, entry) for ref, entry in side.lock.pins.items()}
    for recipe in (side.recipes or {}).values() if literals else ():
        for name, pin in recipe.all_pins.items():
            if isinstance(pin, str) and pin:
                values[side.pin(PinRef(recipe.name, name))] = _Value(text=pin)
    return values


def _value(side: Side, ref: PinRef, entry: PinValue) -> _Value:
    # a literal beside other places of a value, or a fact of the commit that the recipe has itself
    is_own = not entry.file and entry.source == ref.recipe
    return _Value(
        text=entry.value,
        origin=None if is_own else pin_origin(side, entry),
        override=PinOverride(entry.upstream, entry.instead) if entry.instead else None,
    )


def pin_origin(side: Side, entry: PinValue) -> PinOrigin | None:
    """Where a value of a lock was read; None if it was not read anywhere."""
    if not entry.source:
        return None
    return PinOrigin(
        source=side.common(entry.source),
        revision=_revision(side, entry.source),
        file=entry.file,
        line=entry.line,
    )


def _revision(side: Side, recipe: str) -> str:
    """The version of a source, else the beginning of its commit's name; empty if it has neither."""
    ref = PinRef(recipe, "version")
    if ref in side.lock.pins:
        return side.lock.pins[ref].value
    declared = side.recipes.get(recipe) if side.recipes else None
    if declared and isinstance(declared.version, str) and declared.version:
        return declared.version
    entries = (entry for ref, entry in side.lock.sources.items() if ref.recipe == recipe)
    commits = (part.commit_facts.get("short", "") for entry in entries for part in entry.parts)
    return next(filter(None, commits), "")


# ---- decisions about Go modules

_Module = tuple[SetRef, str]
"""A set, as both sides have it, and a path."""


def _module_changes(old: Side, new: Side) -> Iterator[ModuleChange]:
    then, now = _decided(old), _decided(new)
    for name, module in sorted({*then, *now}):
        former = then.get((name, module)) or _undecided(old, name, module)
        current = now.get((name, module)) or _undecided(new, name, module)
        if former != current:
            yield ModuleChange(
                name=name,
                module=module,
                old=former.text,
                new=current.text,
                old_origin=former.origin,
                origin=current.origin,
                old_override=former.override,
                override=current.override,
            )


def _decided(side: Side) -> dict[_Module, _Value]:
    """The versions that stand instead of go.mod's."""
    values: dict[_Module, _Value] = {}
    for ref, entry in side.lock.go_modules.items():
        for each in entry.upstream:
            if (override := entry.instead.get(each.module)) is not None:
                place = PinValue(
                    value="", spec="", source=ref.source.recipe, file=each.file, line=each.line
                )
                values[side.module_set(ref), each.module] = _Value(
                    text=override.value,
                    origin=pin_origin(side, place),
                    override=PinOverride(each.version, override),
                )
    return values


def _undecided(side: Side, name: SetRef, module: str) -> _Value:
    """What a set has of a module by itself."""
    entries = (each for ref, each in side.lock.go_modules.items() if side.module_set(ref) == name)
    versions = [v for entry in entries for path, v, _ in entry.modules if path == module]
    return _Value(text=", ".join(versions) or None)


# ---- sources and sets


def _sources(side: Side, describe: Describe) -> dict[SourceRef, tuple[Component, ...]]:
    """What each source is, by the name that both sides have."""
    entries = side.lock.sources.items()
    return {side.source(ref): tuple(map(describe, entry.parts)) for ref, entry in entries}


def _modules(side: Side, describe: Describe) -> dict[Ref, tuple[Component, ...]]:
    """What each set of Go modules has."""
    entries = side.lock.go_modules.items()
    return {side.module_set(ref): tuple(map(describe, each.sources())) for ref, each in entries}


def _source_change(
    ref: SourceRef, old: tuple[Component, ...] | None, new: tuple[Component, ...] | None
) -> SourceChange:
    """What became of a source; without facts, if nothing did."""
    (former,), (current,) = old or (_NOTHING,), new or (_NOTHING,)
    names = dict.fromkeys((*current.facts, *former.facts))
    pairs = ((name, former.facts.get(name), current.facts.get(name)) for name in names)
    return SourceChange(
        source=ref,
        kind=(current if new else former).kind,
        move=(Move.REPLACED if old else Move.ADDED) if new else Move.REMOVED,
        facts=tuple(FactChange(*each) for each in pairs if each[1] != each[2]),
        is_same_content=former.content == current.content,
    )


_NOTHING = Component(kind="", name="")


_Sets = Mapping[Ref, tuple[Component, ...]]
"""What entries have that are many things; empty where a side lacks the entry."""


def _set_changes(then: _Sets, now: _Sets) -> Iterator[SetChange]:
    for ref in sorted({*then, *now}, key=str):
        old, new = then.get(ref, ()), now.get(ref, ())
        changes = compare_components(old, new)
        if changes:
            yield SetChange(
                name=ref, kind=(new or old)[0].kind, old=len(old), new=len(new), changes=changes
            )
