"""Builds: a plan, carried out.

Knows: plan, scheduler, realiser. Must not know: recipes, concrete adapters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import frozen

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.derivation import Derivation, refuse_folders
from rvbuild.core.errors import Interrupted, SubstituteError, raise_failures
from rvbuild.core.events import Planned
from rvbuild.core.offer import Offers
from rvbuild.core.plan import Plan, Task, make_plan
from rvbuild.core.realisation import Realisation
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
        SubstituteError: results are only to be pulled, and no cache has one.
        Interrupted: the person pressed ^C; everything that ran has been killed.
        UsageError: a release would be made of a folder of this machine.
    """
    if services.release:
        refuse_folders(derivations.values())
    with services.store.locks.shared():
        realiser = Realiser(services)
        wanted = tuple(wanted)
        offers = realiser.offers(derivations, wanted)
        plan = _plan(derivations, wanted, realiser, offers)
        services.report(Planned(plan.counts(), len(plan.kept)))

        def replan(lost: str) -> Mapping[str, Task]:
            del offers[lost]
            offers.update(realiser.offers(derivations, derivations[lost].inputs))
            return _plan(derivations, (lost,), realiser, offers).tasks

        scheduler = Scheduler(plan, realiser, jobs=jobs, keep_going=keep_going, replan=replan)
        try:
            errors = scheduler.run(realiser.stop)
        except KeyboardInterrupt as error:
            msg = "interrupted; what was finished is kept"
            raise Interrupted.by(error, msg) from None
        return Built(plan=plan, realised=realiser.realised, errors=errors)


def _plan(
    derivations: Mapping[str, Derivation],
    wanted: Iterable[str],
    realiser: Realiser,
    offers: Offers,
) -> Plan:
    """What has to be done for ``wanted``; the realiser knows what is kept, the store what it is."""
    plan = make_plan(derivations, wanted, realiser.lookup, offers)
    if realiser.services.pull:
        _refuse_making(plan.tasks)
    realiser.realised.update(plan.kept)
    if plan.tasks:  # before any result names one, and at once: each alone costs a sync
        cas = realiser.services.store.cas
        cas.write_all(task.derivation.encode() for task in plan.tasks.values())
    return plan


def _refuse_making(tasks: Mapping[str, Task]) -> None:
    """See that a plan only takes results from caches."""
    made = [task for task in tasks.values() if not task.offer]
    if made:
        msg = "no cache has it as it would be built now"
        details = tuple(
            f"{each.phase.value} {each.derivation.label}" for each in made[-_MOST_MADE:]
        )
        hint = advise("see which caches are set, and whose keys are trusted; or ", Remedy.BUILD)
        raise SubstituteError(msg, where=made[-1].derivation.label, details=details, hint=hint)
