"""`store import`: takes over from another store the sources that the locks have.

Knows: which sources these are. Must not know: formats of stores.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress

from attrs import asdict

from rvbuild.app.session import Session
from rvbuild.app.settings import Settings
from rvbuild.app.workspace import Workspace
from rvbuild.cli.messages import count_text, size_text
from rvbuild.cli.words import session_of
from rvbuild.core.derivation import Fetch
from rvbuild.core.errors import LockError, RecipeError, UsageError, VerificationError
from rvbuild.core.events import silent
from rvbuild.core.graph import INDEPENDENT, RecipeGraph, Target
from rvbuild.core.link import Linker
from rvbuild.core.pinned import Locked
from rvbuild.core.printable import printable_line
from rvbuild.stores.former_store import FormerStore
from rvbuild.stores.takeover import TakenOver, take_over


def import_sources(arguments: argparse.Namespace, workspace: Workspace) -> None:
    """`rvbuild store import OLD`.

    Raises:
        UsageError: OLD is no store, or the very store that is used.
        VerificationError: a source was left out, because OLD has it damaged.
    """
    place = {"store": os.path.expanduser(arguments.old)}
    other = Workspace(os.getcwd(), Settings.of_user(os.environ, place))
    if not other.has_store:
        msg = "there is no store"
        raise UsageError(msg, where=other.store, hint="name the folder that has its cas/ in it")
    if os.path.realpath(other.store) == os.path.realpath(workspace.store):
        msg = "a store cannot be imported into itself"
        raise UsageError(msg, where=other.store, hint="name the new one with --store")
    former = FormerStore.at(other.store)
    session = session_of(arguments, workspace, silent)
    wanted = {fetch.digest: fetch for fetch in _fetches(session)}
    done = take_over(session.store, former, wanted.values())
    _tell(done, as_json=arguments.json)
    if done.left_out:
        msg = f"{count_text(len(done.left_out), 'source')} left out: what is there is damaged"
        hint = "all else is taken over; the next build fetches these"
        raise VerificationError(msg, where=other.store, hint=hint)


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


def _tell(done: TakenOver, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(asdict(done), indent=2) + "\n")
        return
    for each in done.left_out:
        at = f" ({each.path})" if each.path else ""
        sys.stdout.write(printable_line(f"left out  {each.label}: {each.problem}{at}") + "\n")
    sys.stdout.write(
        f"{count_text(done.taken, 'source')} taken over ({size_text(done.size)}), "
        f"{done.present} already here, {done.absent} not there, {len(done.left_out)} left out\n"
    )
