"""The plan: what has to be done, in which order, and why.

Knows: *must it run?* Must not know: *when* and *where* it runs (engine.schedule).

The rules:

1. The plan goes down from the wanted results.
2. A derivation that has a usable realisation is kept, and nothing below it is looked at: its inputs
   need not even be there. Usable is what `engine.lookup` returns: registered, whole, unedited, and
   for a release made without accelerators.
3. One that others offer is a task without inputs: to take it. Nothing below it is looked at either.
4. A check counts for one output of what it tries. It is kept if it passed for the output that is
   kept. It is taken if those whose word on that output is enough say so: the output that is kept,
   or is to be taken, which comes first, for it may be lost and be made another.
5. Every other derivation is a task, and comes after all of its inputs.
6. A task says why it is one, and who asked for it first.

For example, K3s is wanted and has no realisation, its Go toolchain has one, and one of its sources
is not in the store. The tasks are that source and then K3s; the toolchain is kept, and the archive
that it was unpacked from takes no part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from attrs import evolve, frozen

from rvbuild.core.derivation import Derivation, Fetch, Merge, Step
from rvbuild.core.derivation_diff import Cause
from rvbuild.core.digest import Digest
from rvbuild.core.events import Phase
from rvbuild.core.offer import Offer, Offers
from rvbuild.core.realisation import Realisation


@frozen(kw_only=True)
class Task:
    """One derivation that has no usable result, and the reason.

    With an ``offer``, its result is taken from a cache, and its inputs are not needed. ``causes``
    are what made it another derivation than the last one in its place, if that is known.
    """

    derivation: Derivation
    phase: Phase
    reason: str
    offer: Offer | None = None
    causes: tuple[Cause, ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        """The derivations whose results it needs."""
        if self.offer is None:
            return self.derivation.inputs
        return tuple(filter(None, (tried_by(self.derivation),)))


@frozen(kw_only=True)
class Plan:
    """``kept`` are realised already; ``tasks`` (by digest) come after all their inputs."""

    kept: Mapping[str, Realisation]
    tasks: Mapping[str, Task]

    def counts(self) -> dict[Phase, int]:
        """How many tasks of each phase."""
        counts: dict[Phase, int] = {}
        for task in self.tasks.values():
            counts[task.phase] = counts.get(task.phase, 0) + 1
        return counts

    def with_causes(self, causes: Mapping[str, tuple[Cause, ...]]) -> Plan:
        """The same, whose tasks have causes, which are by derivation digest."""
        tasks = {
            digest: evolve(task, causes=causes.get(digest, ()))
            for digest, task in self.tasks.items()
        }
        return evolve(self, tasks=tasks)


NO_OFFERS: Offers = {}


class Lookup(Protocol):
    """Finds a usable realisation of a derivation digest."""

    def __call__(self, digest: str, tried: Digest | None = None, /) -> Realisation | None:
        """One that made use of the tree ``tried``, if that is said."""
        ...


def nothing_realised(_digest: str, _tried: Digest | None = None, /) -> Realisation | None:
    """The lookup where there is no store."""
    return None


def tried_by(derivation: Derivation) -> str:
    """The derivation digest of what a check tries; empty for anything else."""
    return derivation.tries if isinstance(derivation, Step) else ""


def find_result(derivation: Derivation, lookup: Lookup) -> Realisation | None:
    """What there is of a derivation; of a check, if it passed for the output that there is."""
    tries = tried_by(derivation)
    if not tries:
        return lookup(derivation.digest)
    tried = lookup(tries)
    return None if tried is None else lookup(derivation.digest, tried.output)


def find_offer(derivation: Derivation, offers: Offers, lookup: Lookup) -> Offer | None:
    """The offer of a derivation; of a check, if it is of the output that is there or is offered."""
    tries = tried_by(derivation)
    if not tries:
        return offers.get(derivation.digest)
    offer, there = offers.get(tries), lookup(tries)
    if offer is None or (there is not None and there.output != offer.output):
        return None
    return offer.checks.get(derivation.digest)


def phase_of(derivation: Derivation) -> Phase:
    """The kind of work that a derivation stands for."""
    if isinstance(derivation, Fetch):
        return Phase.FETCH
    if isinstance(derivation, Merge):
        return Phase.MERGE
    return Phase.CHECK if derivation.is_check else Phase.BUILD


def make_plan(
    derivations: Mapping[str, Derivation],
    wanted: Iterable[str],
    lookup: Lookup,
    offers: Offers = NO_OFFERS,
) -> Plan:
    """Decide from the wanted results down; below a kept one nothing is looked at.

    Args:
        derivations: By digest.
        wanted: Digests of the results that are asked for.
        lookup: Finds realisations.
        offers: Results that others have, by derivation digest.
    """
    kept: dict[str, Realisation] = {}
    tasks: dict[str, Task] = {}
    asked_by: dict[str, str] = dict.fromkeys(wanted, "")
    stack: list[tuple[str, Task | None]] = [(digest, None) for digest in reversed(list(asked_by))]
    while stack:  # depth first without recursion: chains may be long
        digest, ready = stack.pop()
        derivation = derivations[digest]
        if ready is not None:
            tasks[digest] = ready
            continue
        if digest in kept or digest in tasks:
            continue
        found = find_result(derivation, lookup)
        if found is not None:
            kept[digest] = found
            continue
        task = _task(derivation, asked_by[digest], find_offer(derivation, offers, lookup))
        stack.append((digest, task))
        for given in reversed(task.inputs):
            if given not in kept and given not in tasks:
                asked_by.setdefault(given, derivation.label)
                stack.append((given, None))
    return Plan(kept=kept, tasks=tasks)


def _task(derivation: Derivation, asked_by: str, offer: Offer | None = None) -> Task:
    phase = Phase.SUBSTITUTE if offer else phase_of(derivation)
    what = {
        Phase.SUBSTITUTE: f"{offer.cache if offer else 'nobody'} has it",
        Phase.FETCH: "not in the store",
        Phase.MERGE: "not laid together yet",
        Phase.CHECK: "not checked yet",
    }.get(phase, "no result for this recipe, its pins and its inputs")
    reason = f"{what}; {asked_by} needs it" if asked_by else what
    return Task(derivation=derivation, phase=phase, reason=reason, offer=offer)
