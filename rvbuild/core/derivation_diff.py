"""Why a result is another than a former one: what causes that, and what follows from each cause.

Knows: how two closures are walked side by side. Must not know: where a former one is kept, how a
cause is told.

The rules:

1. Derivations are compared where they stand at the same place, from the two results down. Where
   digests are equal, nothing below is looked at.
2. A difference in anything but the digests of inputs is a cause, and belongs to the derivation that
   has it. A derivation with no other difference follows from what is below it.
3. An input that is another recipe, or another kind of thing, is no new version of the former one.
   That it was chosen is the cause, at whoever chose it, and nothing below it is looked at.
4. The same difference in several derivations is one cause with several places.
5. Causes come in the order of the work: what is below before what is above.
6. Derivations with other digests have a cause. Where all parts and inputs are the same, it is the
   order of the inputs, and else whatever the canonical bytes say otherwise.

For example, zlib's archive was replaced, and K3s' script has one line more. K3s has the input zlib,
and a bundle has K3s. The causes are the archive, from which zlib, K3s and the bundle follow, and
the script, from which the bundle follows.
"""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from attrs import define, field, frozen

from rvbuild.core.derivation import Derivation
from rvbuild.core.derivation_facts import Aspect, Facts, Slot
from rvbuild.core.errors import Malformed

ReadDerivation = Callable[[str], "bytes | None"]
"""The canonical bytes of a derivation, by its digest; None where nobody has them any more."""

Pair = tuple[str, str]
"""The digests of a former derivation, and of the one that stands in its place."""


@frozen
class Change:
    """One difference of one derivation.

    Attributes:
        aspect: What of it differs.
        name: The name in that: of a variable, an output; an input's place. Empty if it needs none.
        old: The former text; None if there was none.
        new: The text now; None if there is none.
    """

    aspect: Aspect
    name: str = ""
    old: str | None = None
    new: str | None = None

    @property
    def diff(self) -> tuple[str, ...]:
        """The lines that differ, as ``-`` and ``+`` of a unified diff, with one around each."""
        return _diff(self.old, self.new, 1)

    @property
    def essence(self) -> tuple[object, ...]:
        """What is equal where the same was changed."""
        return self.aspect, self.name, _diff(self.old, self.new, 0)


@frozen(kw_only=True)
class Cause:
    """A change, and what comes of it.

    Attributes:
        change: What differs; if at several places, as at the first.
        places: The derivations of now that have the change, in the order of the work.
        followers: All others that are above one of them.
    """

    change: Change
    places: tuple[Derivation, ...]
    followers: tuple[Derivation, ...]


def compare(
    former: str, result: str, read: ReadDerivation, derivations: Mapping[str, Derivation]
) -> tuple[Cause, ...]:
    """Why a result is not what it was; empty if it is.

    Args:
        former: The digest of the former result.
        result: The digest of the result as it is now.
        read: Has the bytes of what is below the former one.
        derivations: All that is below the result now, by digest.
    """
    return compare_all([(former, result)], read, derivations)


def compare_all(
    pairs: Iterable[Pair], read: ReadDerivation, derivations: Mapping[str, Derivation]
) -> tuple[Cause, ...]:
    """Why several results are not what they were; a cause of many is one.

    Args:
        pairs: The digests of each former result, and of the result as it is now.
        read: Has the bytes of what is below the former ones.
        derivations: All that is below the results now, by digest.
    """
    walk = _Walk(read, derivations)
    for pair in pairs:
        walk.down(pair)
    return tuple(walk.causes())


def by_derivation(causes: Iterable[Cause]) -> dict[str, tuple[Cause, ...]]:
    """The causes of each derivation that differs: its own, else those that it follows from."""
    own: dict[str, tuple[Cause, ...]] = {}
    others: dict[str, tuple[Cause, ...]] = {}
    for cause in causes:
        for derivations, reasons in ((cause.places, own), (cause.followers, others)):
            for each in derivations:
                reasons[each.digest] = (*reasons.get(each.digest, ()), cause)
    return others | own


@define
class _Walk:
    """Both closures, and what was seen of them.

    Pairs are kept in the order of the work, each with its changes and with the pairs above it.
    """

    read: ReadDerivation
    derivations: Mapping[str, Derivation]
    _changes: dict[Pair, list[Change]] = field(factory=dict, init=False)
    _above: dict[Pair, list[Pair]] = field(factory=dict, init=False)
    _order: dict[Pair, int] = field(factory=dict, init=False)
    _old: dict[str, Facts | None] = field(factory=dict, init=False)
    _new: dict[str, Facts] = field(factory=dict, init=False)

    def down(self, top: Pair) -> None:
        """Compare a pair and all below it, without recursion."""
        stack = [(top, False)] if top[0] != top[1] else []
        while stack:
            pair, is_compared = stack.pop()
            if is_compared:
                self._order[pair] = len(self._order)
            elif pair not in self._changes:
                stack.append((pair, True))
                for below in reversed(self._compare(pair)):
                    self._above.setdefault(below, []).append(pair)
                    stack.append((below, False))

    def causes(self) -> Iterator[Cause]:
        """The changes with their places, and what follows."""
        places: dict[tuple[object, ...], list[Pair]] = {}
        first: dict[tuple[object, ...], Change] = {}
        for pair in self._order:
            for change in self._changes[pair]:
                first.setdefault(change.essence, change)
                places.setdefault(change.essence, []).append(pair)
        for essence, change in first.items():
            pairs = places[essence]
            own = dict.fromkeys(new for _, new in pairs)
            above = [new for new in self._with_all_above(pairs) if new not in own]
            yield Cause(
                change=change,
                places=tuple(self.derivations[each] for each in own),
                followers=tuple(self.derivations[each] for each in above),
            )

    def _with_all_above(self, pairs: Sequence[Pair]) -> dict[str, None]:
        """The digests of now of some pairs and of all above them, in the order of the work."""
        waiting, seen = deque(pairs), set(pairs)
        while waiting:
            for above in self._above.get(waiting.popleft(), ()):
                if above not in seen:
                    seen.add(above)
                    waiting.append(above)
        return dict.fromkeys(new for _, new in sorted(seen, key=self._order.__getitem__))

    def _compare(self, pair: Pair) -> list[Pair]:
        """Note what differs in a pair itself; the pairs below it that differ."""
        changes = self._changes[pair] = []
        old, new = self._facts_then(pair[0]), self._facts_now(pair[1])
        if old is None:
            changes.append(Change(Aspect.UNKNOWN))
            return []
        if _is_another(old, new):  # only of results: of inputs it is told where they are chosen
            changes.append(Change(Aspect.INPUT, "", old.title, self._title(pair[1])))
            return []
        inputs = list(self._matched(old, new))
        changes += _text_changes(old, new)
        changes += [self._choice(*each) for each in inputs if not self._is_version(*each)]
        below = [
            (then.derivation, now.derivation)
            for then, now in inputs
            if then and now and self._is_version(then, now)
        ]
        if not changes and not below:
            changes.append(self._rest(pair, old, new))
        return below

    def _rest(self, pair: Pair, old: Facts, new: Facts) -> Change:
        """What differs where all that was compared is the same (rule 6)."""
        if old.slots != new.slots:
            return Change(Aspect.INPUT, "order", self._titles(old.slots), self._titles(new.slots))
        then = (self.read(pair[0]) or b"").decode(errors="replace")
        return Change(Aspect.OTHER, "bytes", then, self.derivations[pair[1]].encode().decode())

    def _titles(self, slots: Iterable[Slot]) -> str:
        """Inputs that are also those of now, in their order, one a line."""
        return "\n".join(f"{each.place} {self._title(each.derivation)}".strip() for each in slots)

    def _is_version(self, then: Slot | None, now: Slot | None) -> bool:
        """Whether an input is another version of the former one, with causes below (rule 3)."""
        if then is None or now is None or then.derivation == now.derivation:
            return False
        old = self._facts_then(then.derivation)
        return old is None or not _is_another(old, self._facts_now(now.derivation))

    def _choice(self, then: Slot | None, now: Slot | None) -> Change:
        """That an input came, went, was replaced, or is elsewhere."""
        if then and now and then.derivation == now.derivation:
            return Change(Aspect.INPUT, now.place, then.place, now.place)
        old = self._title_then(then.derivation) if then else None
        new = self._title(now.derivation) if now else None
        return Change(Aspect.INPUT, (now or then or _NOWHERE).place, old, new)

    def _matched(self, old: Facts, new: Facts) -> Iterator[tuple[Slot | None, Slot | None]]:
        """Inputs that differ, the former ones with those that stand in their place now.

        A step sees inputs by their place. Of a merge, many parts may have one place: there a name
        decides (of a module, of a crate), and where there is none (packages), the order.
        """
        gone, come = _without(old.slots, new.slots), _without(new.slots, old.slots)
        for same in _STEP if new.form == "step" else _MERGE:
            keys_then = [same(slot, self._name_then(slot.derivation)) for slot in gone]
            keys_now = [same(slot, self._name_now(slot.derivation)) for slot in come]
            pairs = list(_paired(keys_then, keys_now))
            yield from ((gone[at], come[to]) for at, to in pairs)
            gone = _kept(gone, {at for at, _ in pairs})
            come = _kept(come, {to for _, to in pairs})
        yield from ((slot, None) for slot in gone)
        yield from ((None, slot) for slot in come)

    def _title_then(self, digest: str) -> str:
        facts = self._facts_then(digest)
        return facts.title if facts else digest[:12]

    def _title(self, digest: str) -> str:
        facts = self._facts_now(digest)
        is_recipe = facts.form == "step" and facts.name
        return facts.title if is_recipe else self.derivations[digest].label

    def _name_then(self, digest: str) -> str:
        facts = self._facts_then(digest)
        return facts.name if facts else ""

    def _name_now(self, digest: str) -> str:
        return self._facts_now(digest).name

    def _facts_then(self, digest: str) -> Facts | None:
        """What a former derivation said; None if nobody knows, or it cannot be read."""
        if digest not in self._old:
            data = self.read(digest)
            try:
                self._old[digest] = None if data is None else Facts.read(data)
            except Malformed:
                self._old[digest] = None
        return self._old[digest]

    def _facts_now(self, digest: str) -> Facts:
        if digest not in self._new:
            self._new[digest] = Facts.read(self.derivations[digest].encode())
        return self._new[digest]


_NOWHERE = Slot("", "")

_Same = Callable[[Slot, str], object]
"""A key of an input, given its name, that the former one has, too; None: it has none."""


def _by_digest(slot: Slot, _: str) -> object:
    return slot.derivation


_STEP: tuple[_Same, ...] = (lambda slot, _: slot.place, _by_digest)
_MERGE: tuple[_Same, ...] = (
    lambda slot, name: (slot.place, name),
    _by_digest,
    lambda _, name: name or None,
)


def _paired(then: Sequence[object], now: Sequence[object]) -> Iterator[tuple[int, int]]:
    """The indices of those with the same key, in their order, if as many have it then as now."""
    places: dict[object, list[int]] = {}
    for at, key in enumerate(now):
        places.setdefault(key, []).append(at)
    former: dict[object, list[int]] = {}
    for at, key in enumerate(then):
        former.setdefault(key, []).append(at)
    for key, ats in former.items():
        if key is not None and len(ats) == len(places.get(key, ())):
            yield from zip(ats, places[key], strict=True)


def _without(slots: Iterable[Slot], others: Iterable[Slot]) -> list[Slot]:
    known = set(others)
    return [slot for slot in slots if slot not in known]


def _kept(slots: Sequence[Slot], gone: set[int]) -> list[Slot]:
    return [slot for at, slot in enumerate(slots) if at not in gone]


def _is_another(old: Facts, new: Facts) -> bool:
    """Whether it is no other version of the same (rule 3)."""
    return old.form != new.form or (new.form == "step" and old.name != new.name)


def _text_changes(old: Facts, new: Facts) -> Iterator[Change]:
    for part in dict.fromkeys((*old.texts, *new.texts)):
        then, now = old.texts.get(part), new.texts.get(part)
        if then != now:
            yield Change(*part, then, now)


def _diff(old: str | None, new: str | None, context: int) -> tuple[str, ...]:
    """A unified diff without its headers; ``…`` stands between parts that are not adjacent."""
    then, now = ([] if text is None else text.split("\n") for text in (old, new))
    lines = list(difflib.unified_diff(then, now, n=context, lineterm=""))[3:]
    return tuple("…" if line.startswith("@@") else line for line in lines)
