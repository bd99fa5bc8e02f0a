"""Takes over from another store the sources that the locks have.

Knows: which sources these are. Must not know: formats of stores.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping

from attrs import frozen

from rvbuild.app.session import Session
from rvbuild.app.settings import Settings
from rvbuild.app.workspace import Workspace
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.derivation import Fetch
from rvbuild.core.errors import Damaged, LockError, RecipeError, RvbuildError, UsageError
from rvbuild.core.events import Finished, Phase, Planned, Started
from rvbuild.core.graph import INDEPENDENT, RecipeGraph, Target
from rvbuild.core.link import Linker
from rvbuild.core.lock import Lock
from rvbuild.core.locked import Locked
from rvbuild.stores.former_store import FormerStore
from rvbuild.stores.shape import CAS
from rvbuild.stores.takeover import TakenOver, take_over

__all__ = ["RecipeProblem", "StoreImport", "TakenOver", "import_store"]


@frozen(kw_only=True)
class RecipeProblem:
    """Why nobody can tell which sources a recipe needs: it is not valid, or not in the lock."""

    recipe: str
    error: RvbuildError


@frozen(kw_only=True)
class StoreImport:
    """What came of an import.

    Attributes:
        store: The folder of the other store.
        counts: How many sources were taken over, and what became of the others.
        problems: Of each recipe whose sources the import did not look for, why; by name.
    """

    store: str
    counts: TakenOver
    problems: tuple[RecipeProblem, ...] = ()

    def refuse_left_out(self) -> None:
        """See that nothing of the other store was damaged, and that every recipe is valid.

        A recipe that is not in the lock is no error: the next `rvbuild lock` adds it.

        Raises:
            VerificationError: a source was left out.
            RecipeError: a recipe is not valid.
        """
        count = len(self.counts.left_out)
        if count:
            msg = f"{count} source{'s' * (count > 1)} left out: what is there is damaged"
            hint = "all else is taken over; the next build fetches these"
            raise Damaged(msg, where=self.store, hint=hint)
        for problem in self.problems:
            if isinstance(problem.error, RecipeError):
                raise problem.error


def import_store(session: Session, path: str, environment: Mapping[str, str]) -> StoreImport:
    """Take over, verified, each source of the locks that the store at ``path`` has.

    The session's reporter is told of each recipe, then of each source: many take minutes.

    Raises:
        UsageError: there is no store, or it is the very one that the session uses.
        StoreError: the session's store could not be written.
    """
    place = os.path.abspath(os.path.expanduser(path))
    if not os.path.isdir(os.path.join(place, CAS)):
        msg = "there is no store"
        raise UsageError(msg, where=place, hint=f"name the folder that has its {CAS}/ in it")
    other = Workspace(os.getcwd(), Settings.of_user(environment, {"store": place}))
    if os.path.realpath(other.store) == os.path.realpath(session.workspace.store):
        msg = "a store cannot be imported into itself"
        raise UsageError(msg, where=other.store, hint=advise(Remedy.STORE.of("the new one")))
    former = FormerStore.at(other.store)
    fetches, problems = _sources(session)
    counts = take_over(session.store, former, fetches.values(), session.report)
    return StoreImport(store=other.store, counts=counts, problems=tuple(problems))


def _sources(session: Session) -> tuple[dict[str, Fetch], list[RecipeProblem]]:
    """Every source of every recipe, by derivation digest; and the recipes that cannot be asked."""
    lock, report = session.lock(), session.report
    names = list(session.folder.names())
    report(Planned({Phase.RESOLVE: len(names)}, kept=0))
    fetches: dict[str, Fetch] = {}
    problems = []
    for name in names:
        began, how = time.monotonic(), "linked"
        report(Started(name, Phase.RESOLVE, "its sources may be in another store"))
        try:
            fetches.update(_fetches(session, lock, name))
        except (RecipeError, LockError, UsageError) as error:
            problems.append(RecipeProblem(recipe=name, error=error))
            how = "unknown"
        report(Finished(name, Phase.RESOLVE, how, time.monotonic() - began))
    return fetches, problems


def _fetches(session: Session, lock: Lock, name: str) -> dict[str, Fetch]:
    """Every source that a recipe needs on any architecture, by its derivation digest."""
    targets = tuple(_targets(session, name))
    graph = RecipeGraph(targets, session.folder.load, session.build_arch, checks=True)
    linker = Linker(graph, Locked(lock, graph, session.build_arch), session.build_arch)
    linked = linker.link(targets, checks=True)
    return {key: each for key, each in linked.derivations.items() if isinstance(each, Fetch)}


def _targets(session: Session, name: str) -> Iterator[Target]:
    for recipe in session.folder.series.every(name):
        machines = (INDEPENDENT,) if recipe.kind in {"tool", "source"} else recipe.architectures
        for machine in machines:
            yield Target(recipe.name, machine)
