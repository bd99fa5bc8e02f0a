"""Builds: a plan, carried out.

Knows: plan, scheduler, realiser. Must not know: recipes, concrete adapters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import frozen

from rvbuild.core.derivation import Derivation, refuse_folders
from rvbuild.core.errors import Interrupted, raise_failures
from rvbuild.core.events import Planned
from rvbuild.core.plan import Plan, make_plan
from rvbuild.core.realisation import Realisation
from rvbuild.engine.realise import Realiser, Services
from rvbuild.engine.schedule import Scheduler


@frozen(kw_only=True)
class Built:
    """What a build gave: realisations and errors, both by derivation digest."""

    plan: Plan
    realised: Mapping[str, Realisation]
    errors: Mapping[str, Exception]

    @property
    def failures(self) -> tuple[Exception, ...]:
        """The errors in the order of the plan."""
        return tuple(self.errors[digest] for digest in self.plan.tasks if digest in self.errors)

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

    Raises:
        Interrupted: the person pressed ^C; everything that ran has been killed.
        UsageError: a release would be made of a folder of this machine.
    """
    if services.release:
        refuse_folders(derivations.values())
    with services.store.locks.shared():
        realiser = Realiser(services)
        plan = make_plan(derivations, wanted, realiser.lookup)
        services.report(Planned(plan.counts(), len(plan.kept)))
        realiser.realised.update(plan.kept)
        if plan.tasks:  # before any result names one, and at once: each alone costs a sync
            services.store.cas.write_all(task.derivation.encode() for task in plan.tasks.values())
        scheduler = Scheduler(plan, realiser, jobs=jobs, keep_going=keep_going)
        try:
            errors = scheduler.run(realiser.stop)
        except KeyboardInterrupt as error:
            msg = "interrupted; what was finished is kept"
            raise Interrupted.by(error, msg) from None
        return Built(plan=plan, realised=realiser.realised, errors=errors)
