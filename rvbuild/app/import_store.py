"""Takes over from another store the sources that the locks have.

Knows: which sources these are. Must not know: formats of stores.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress

from attrs import frozen

from rvbuild.app.session import Session
from rvbuild.app.settings import Settings
from rvbuild.app.workspace import Workspace
from rvbuild.core.derivation import Fetch
from rvbuild.core.errors import LockError, RecipeError, UsageError, VerificationError
from rvbuild.core.graph import INDEPENDENT, RecipeGraph, Target
from rvbuild.core.link import Linker
from rvbuild.core.locked import Locked
from rvbuild.stores.former_store import FormerStore
from rvbuild.stores.takeover import TakenOver, take_over

__all__ = ["StoreImport", "TakenOver", "import_store"]


@frozen(kw_only=True)
class StoreImport:
    """What came of an import.

    Attributes:
        store: The folder of the other store.
        counts: How many sources were taken over, and what became of the others.
    """

    store: str
    counts: TakenOver

    def refuse_left_out(self) -> None:
        """See that nothing of the other store was damaged.

        Raises:
            VerificationError: a source was left out.
        """
        count = len(self.counts.left_out)
        if count:
            msg = f"{count} source{'s' * (count > 1)} left out: what is there is damaged"
            hint = "all else is taken over; the next build fetches these"
            raise VerificationError(msg, where=self.store, hint=hint)


def import_store(session: Session, path: str, environment: Mapping[str, str]) -> StoreImport:
    """Take over, verified, each source of the locks that the store at ``path`` has.

    The session's reporter is told of each source: many take minutes.

    Raises:
        UsageError: there is no store, or it is the very one that the session uses.
        StoreError: the session's store could not be written.
    """
    place = {"store": os.path.expanduser(path)}
    other = Workspace(os.getcwd(), Settings.of_user(environment, place))
    if not other.has_store:
        msg = "there is no store"
        raise UsageError(msg, where=other.store, hint="name the folder that has its cas/ in it")
    if os.path.realpath(other.store) == os.path.realpath(session.workspace.store):
        msg = "a store cannot be imported into itself"
        raise UsageError(msg, where=other.store, hint="name the new one with --store")
    former = FormerStore.at(other.store)
    fetches = {fetch.digest: fetch for fetch in _fetches(session)}
    counts = take_over(session.store, former, fetches.values(), session.report)
    return StoreImport(store=other.store, counts=counts)


def _fetches(session: Session) -> Iterator[Fetch]:
    """Every source of every recipe that the locks have; where one is not locked, nothing of it."""
    lock = session.lock()
    for name in session.folder.names():
        with suppress(RecipeError, LockError, UsageError):
            targets = tuple(_targets(session, name))
            graph = RecipeGraph(targets, session.folder.load, session.build_arch, checks=True)
            linker = Linker(graph, Locked(lock, graph, session.build_arch), session.build_arch)
            linked = linker.link(targets, checks=True)
            yield from (each for each in linked.derivations.values() if isinstance(each, Fetch))


def _targets(session: Session, name: str) -> Iterator[Target]:
    recipe = session.folder.load(name)
    machines = (INDEPENDENT,) if recipe.kind in {"tool", "source"} else recipe.architectures
    for machine in machines:
        yield Target(name, machine)
