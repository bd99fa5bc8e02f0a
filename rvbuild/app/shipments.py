"""Which results belong to a target, and which of them may be brought to others.

Knows: the store, derivations, and what was set about sharing. Must not know: caches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import NoReturn

from attrs import define, field, frozen

from rvbuild.app.session import Session
from rvbuild.caches.shipment import Shipment, TargetShipment
from rvbuild.core.advice import Hint, Remedy, advise
from rvbuild.core.derivation import Step
from rvbuild.core.digest import Digest
from rvbuild.core.errors import UsageError
from rvbuild.core.graph import Target
from rvbuild.core.link import Linked
from rvbuild.core.plan import Lookup, find_result
from rvbuild.core.realisation import Realisation
from rvbuild.engine.lookup import StoreLookup


def share_lookup(session: Session) -> StoreLookup:
    """Finds what the store has and others may have, too."""
    settings = session.workspace.settings
    return StoreLookup(
        session.store,
        release=not settings.share_accelerated,
        builder=settings.builder,
        accepts=session.accepts,
    )


@frozen(kw_only=True)
class Unfit:
    """A target that is not brought to others, and why.

    Attributes:
        target: ``runc-riscv64``.
        problem: Why not.
        hint: What to do about it.
    """

    target: str
    problem: str
    hint: Hint

    def refuse(self) -> NoReturn:
        """Say so.

        Raises:
            UsageError: always.
        """
        raise UsageError(self.problem, where=self.target, hint=self.hint)


@define(slots=False)
class Packer:
    """Finds what the store has of targets.

    Attributes:
        session: Whose store it is.
        linked: Targets, with their checks.
        lookup: Finds results that may be shared.
    """

    session: Session
    linked: Linked
    lookup: Lookup
    _made: dict[tuple[str, Digest | None], Realisation | None] = field(factory=dict)

    def target(self, target: Target) -> TargetShipment | Unfit:
        """A target, its checks, and every step below that was made.

        What running a check needs is below, too: whoever changes the target runs its checks anew.
        """
        goal, checks = self.linked.results[target], self.linked.checks[target]
        if self._realisation(goal) is None:
            return self._unfit(target, goal)
        below = [each for each in self._below(goal, *checks) if each not in checks]
        results = map(self.result, below)
        return TargetShipment(
            target=str(target),
            derivation=goal,
            results=tuple(each for each in results if each),
            derivations=tuple(self.linked.derivations[each].encode() for each in (*below, *checks)),
        )

    def result(self, digest: str) -> Shipment | None:
        """A step that was made, with its checks if it is a target; None for anything else."""
        made = self._step(digest)
        if made is None:
            return None
        goals = {goal: target for target, goal in self.linked.results.items()}
        checks = self.linked.checks[goals[digest]] if digest in goals else ()
        return Shipment(
            label=self.linked.derivations[digest].label,
            realisation=made,
            closure_milliseconds=self._milliseconds(digest),
            checks=self._checks(checks),
        )

    def _checks(self, checks: Iterable[str]) -> Mapping[str, Realisation]:
        made = {each: self._realisation(each) for each in checks}
        return {self.linked.derivations[c].label: each for c, each in made.items() if each}

    def _below(self, *goals: str) -> Iterator[str]:
        """Goals and all derivations below them, each once, without recursion."""
        stack, seen = [*goals], {*goals}
        while stack:
            digest = stack.pop()
            yield digest
            for given in self.linked.derivations[digest].inputs:
                if given not in seen:
                    seen.add(given)
                    stack.append(given)

    def _milliseconds(self, goal: str) -> int:
        """How long it and all below it took: sources, too, which whoever makes it has to fetch."""
        made = map(self._realisation, self._all_below[goal])
        return sum(each.milliseconds for each in made if each)

    @cached_property
    def _all_below(self) -> Mapping[str, frozenset[str]]:
        """Each derivation and all below it, in one walk: inputs come first."""
        below: dict[str, frozenset[str]] = {}
        for digest, derivation in self.linked.derivations.items():
            below[digest] = frozenset((digest,)).union(*map(below.__getitem__, derivation.inputs))
        return below

    def _step(self, digest: str) -> Realisation | None:
        if not isinstance(self.linked.derivations[digest], Step):
            return None
        return self._realisation(digest)

    def _realisation(self, digest: str) -> Realisation | None:
        return find_result(self.linked.derivations[digest], self._lookup)

    def _lookup(self, digest: str, tried: Digest | None = None, /) -> Realisation | None:
        """Look for each once: a check is said to have passed for the result that is brought."""
        if (digest, tried) not in self._made:
            self._made[digest, tried] = self.lookup(digest, tried)
        return self._made[digest, tried]

    def _unfit(self, target: Target, goal: str) -> Unfit:
        also = self.session.store.realisations.realisation(goal)
        if also is not None and also.accelerated:
            return Unfit(
                target=str(target),
                problem="a compile cache helped to make it, and such results are not shared",
                hint="build it as a release does, without one, or set `share-accelerated`",
            )
        return Unfit(
            target=str(target),
            problem="it has not been built here as it is now",
            hint=advise(Remedy.BUILD.of(str(target))),
        )
