"""Builds: a plan, carried out.

Knows: plan, scheduler, realiser. Must not know: recipes, concrete adapters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Self

from attrs import frozen

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.derivation import Derivation, Step, refuse_folders
from rvbuild.core.errors import Interrupted, SubstituteError, raise_failures
from rvbuild.core.events import Planned
from rvbuild.core.plan import NO_OFFERS, Lookup, Plan, Task, make_plan, tried_by
from rvbuild.core.realisation import Realisation
from rvbuild.engine.lookup import SteadyLookup
from rvbuild.engine.offers import OfferSearch
from rvbuild.engine.realise import Realiser, Services
from rvbuild.engine.schedule import Scheduler

_MOST_MADE = 10
"""How many steps an error names that would have to be made."""


@frozen(kw_only=True)
class Built:
    """What a build gave: realisations and errors, both by derivation digest."""

    plan: Plan
    realised: Mapping[str, Realisation]
    errors: Mapping[str, Exception]

    @property
    def failures(self) -> tuple[Exception, ...]:
        """The errors in the order of the plan; last of what a lost offer added to it."""
        order = dict.fromkeys((*self.plan.tasks, *self.errors))
        return tuple(self.errors[digest] for digest in order if digest in self.errors)

    def refuse_failures(self) -> None:
        """See that nothing failed.

        Raises:
            Exception: the only failure.
            RunFailed: there are several.
        """
        raise_failures(self.failures, self.realised, kept=True)


def build(
    derivations: Mapping[str, Derivation],
    wanted: Iterable[str],
    services: Services,
    *,
    jobs: int,
    keep_going: bool = False,
) -> Built:
    """Realise ``wanted``; nothing in the store goes away meanwhile.

    What others offer is taken instead of being made. An offer that is lost meanwhile is no failure:
    what it would have saved is done then.

    Args:
        derivations: By digest.
        wanted: The digests of what is asked for.
        services: The adapters.
        jobs: How many steps run at once.
        keep_going: Whether to go on with what does not depend on a failure.

    Raises:
        SubstituteError: results are only to be pulled, no cache has one, and ``keep_going`` is not
            set; nothing was pulled.
        Interrupted: the person pressed ^C; everything that ran has been killed.
        UsageError: a release would be made of a folder of this machine.
    """
    if services.release:
        refuse_folders(derivations.values())
    with services.store.locks.shared():
        planner = _Planner.of(derivations, Realiser(services))
        wanted = tuple(wanted)
        planner.ask(wanted)
        lacking: Mapping[str, Exception] = {}
        if services.pull:
            wanted, lacking = planner.pullable(wanted)
        if lacking and not keep_going:
            raise next(iter(lacking.values()))
        plan = planner.plan(wanted)
        if plan.tasks:
            planner.keep_derivations()
        services.report(Planned(plan.counts(), len(plan.kept)))
        replan = None if services.pull else planner.replan
        realiser = planner.realiser
        scheduler = Scheduler(plan, realiser, jobs=jobs, keep_going=keep_going, replan=replan)
        try:
            errors = scheduler.run(realiser.stop)
        except KeyboardInterrupt as error:
            msg = "interrupted; what was finished is kept"
            raise Interrupted.by(error, msg) from None
        return Built(plan=plan, realised=realiser.realised, errors={**lacking, **errors})


@frozen
class _Planner:
    """Plans a build, and what is done instead of what was lost.

    Attributes:
        derivations: By digest.
        realiser: Knows what is kept.
        lookup: Finds that; it stays, since the store is shared.
        search: Finds what others offer; None: there are no others.
    """

    derivations: Mapping[str, Derivation]
    realiser: Realiser
    lookup: Lookup
    search: OfferSearch | None

    @classmethod
    def of(cls, derivations: Mapping[str, Derivation], realiser: Realiser) -> Self:
        """The planner of a run."""
        substitutes = realiser.services.substitutes
        lookup = SteadyLookup(realiser.lookup, realiser.realised)
        search = OfferSearch(derivations, lookup, substitutes) if substitutes else None
        return cls(derivations, realiser, lookup, search)

    def ask(self, wanted: Iterable[str]) -> None:
        """Ask others for what is wanted."""
        if self.search:
            self.search.find(wanted)

    def plan(self, wanted: Iterable[str]) -> Plan:
        """What has to be done for ``wanted``."""
        plan = self._make_plan(wanted)
        self.realiser.realised.update(plan.kept)
        return plan

    def keep_derivations(self) -> None:
        """Write the bytes of all derivations, before any result names one.

        Also of what is not made: they say what a result was made of, when the next one differs. At
        once, since each alone would cost a sync.
        """
        cas = self.realiser.services.store.cas
        cas.write_all(each.encode() for each in self.derivations.values())

    def replan(self, lost: str) -> Mapping[str, Task]:
        """What has to be done instead of taking what was offered."""
        if self.search:
            self.search.lose(lost)
        return self.plan((lost,)).tasks

    def pullable(self, wanted: Iterable[str]) -> tuple[tuple[str, ...], Mapping[str, Exception]]:
        """What of ``wanted`` nothing has to be made for; and the errors of the rest.

        A check has none of its own if what it tries has one.
        """
        good, bad, errors = [], set[str](), dict[str, Exception]()
        for digest in wanted:
            made = [task for task in self._make_plan((digest,)).tasks.values() if not task.offer]
            if not made:
                good.append(digest)
                continue
            if tried_by(self.derivations[digest]) not in bad:
                errors[digest] = self._nobody_has(digest, made)
            bad.add(digest)
        return tuple(good), errors

    def _nobody_has(self, digest: str, made: Sequence[Task]) -> SubstituteError:
        """The error for a result that would have to be made."""
        services, derivation = self.realiser.services, self.derivations[digest]
        is_check = bool(tried_by(derivation))
        what = "says that its check passed" if is_check else "has it as it would be built now"
        left_out = services.substitutes.left_out if services.substitutes else ()
        msg = f"no cache{' that answers' if left_out else ''} {what}"
        if services.unasked:
            msg = f"no cache is asked: {services.unasked}"
        is_step = isinstance(derivation, Step)  # whose label is its target
        build = Remedy.BUILD.of(derivation.label) if is_step else Remedy.BUILD
        hint = advise("see which caches are set, and whose keys are trusted; or ", build)
        if is_check:
            hint = advise("have it pushed with its checks; or ", Remedy.NO_CHECKS)
        details = (*left_out, *_work_lines(made))
        return SubstituteError(msg, where=derivation.label, details=details, hint=hint)

    def _make_plan(self, wanted: Iterable[str]) -> Plan:
        offers = self.search.offers if self.search else NO_OFFERS
        return make_plan(self.derivations, wanted, self.lookup, offers)


def _work_lines(made: Sequence[Task]) -> Iterator[str]:
    """The last of what would have to be made, and how much more there is."""
    more = len(made) - _MOST_MADE
    if more > 0:
        yield f"{more} more tasks, and" if more > 1 else "1 more task, and"
    yield from (f"{each.phase.value} {each.derivation.label}" for each in made[-_MOST_MADE:])
