"""Puts one run together: recipes, lock, store and sources; `app.services` adds what builds.

Knows: the concrete adapters; this is where they are chosen. Must not know: what the run does
with them.
"""

from __future__ import annotations

import copy
import datetime as dt
import os
import platform
from functools import cached_property

from attrs import define, evolve, field

from rvbuild.app.choices import Choices
from rvbuild.app.folders import override_sources
from rvbuild.app.own_places import OwnPlaces
from rvbuild.app.refusals import refuse_unfit_mirrors
from rvbuild.app.settings import OPTION, Settings
from rvbuild.app.vouched import Vouched
from rvbuild.app.workspace import Workspace
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.architecture import of_machine
from rvbuild.core.contents import in_agreement, refuse_two_contents
from rvbuild.core.derivation import refuse_folders
from rvbuild.core.errors import LockError, SandboxError
from rvbuild.core.events import Reporter
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.link import Linked, Linker
from rvbuild.core.lock import Lock
from rvbuild.core.locked import Locked
from rvbuild.core.plan import Lookup, nothing_realised
from rvbuild.core.variants import Variants
from rvbuild.engine.lookup import StoreLookup
from rvbuild.kinds.clients import SourceClients
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.lock import MAX_BYTES, read_lock
from rvbuild.recipes_yaml.project_file import near_path, read_file
from rvbuild.stores.local import LocalStore
from rvbuild.transfers.fetch_settings import FetchSettings


def build_architecture() -> str:
    """This machine's architecture, by Go's name.

    Raises:
        SandboxError: rvbuild cannot build on it.
    """
    if platform.system() != "Linux":
        msg = f"steps run on Linux; this is {platform.system()}"
        raise SandboxError(msg, hint="use a Linux machine, virtual machine or container")
    return of_machine(platform.machine()).name


def _is_signature(key: bytes, signature: bytes, data: bytes) -> bool:
    from rvbuild.trust.ed25519 import is_signature  # noqa: PLC0415 - only where there is one

    return is_signature(key, signature, data)


def as_upstream(session: Session) -> Session:
    """The same run, with the same adapters, for recipes without overrides."""
    other = copy.copy(session)
    other.choices = evolve(session.choices, as_upstream=True)
    other.folder = RecipeCollection(session.folder.roots, as_upstream=True)
    return other


def day_in_utc() -> str:
    """Today, as YYYY-MM-DD."""
    return dt.datetime.now(tz=dt.UTC).date().isoformat()


@define(slots=False)
class Session:
    """The adapters of one run.

    Attributes:
        workspace: The folders, and what is set there.
        report: Takes what happens.
        choices: What is asked for in this run only.
        today: The day, as YYYY-MM-DD, in UTC.
    """

    workspace: Workspace
    report: Reporter
    choices: Choices = field(factory=Choices)
    today: str = field(factory=day_in_utc)
    build_arch: str = field(factory=build_architecture, init=False)
    folder: RecipeCollection = field(init=False)
    sources: SourceClients = field(init=False)

    accepts: Vouched = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.accepts = Vouched(self.workspace, self.choices)
        refuse_unfit_mirrors(self.workspace.settings.mirrors)
        self.folder = RecipeCollection(self.workspace.recipes, as_upstream=self.choices.as_upstream)
        settings = FetchSettings(
            mirrors=self.workspace.settings.mirrors,
            offline=self.workspace.settings.offline,
            tmp=os.path.join(self.workspace.store, "tmp"),
            environment={**os.environ, **self.workspace.settings.debian_variables()},
            notice=self.report,
            is_signature=_is_signature,
        )
        self.sources = SourceClients(settings)

    @property
    def own(self) -> OwnPlaces:
        """What the run writes by itself, which cannot be a source."""
        return OwnPlaces(lock=self.workspace.locks[0], store=self.workspace.store)

    def lookup(self) -> Lookup:
        """Finds what is realised, without making a store: who only looks must not make one."""
        if not self.workspace.has_store:
            return nothing_realised
        return StoreLookup(
            self.store,
            release=self.choices.release,
            builder=self.workspace.settings.builder,
            accepts=self.accepts,
        )

    @cached_property
    def store(self) -> LocalStore:
        """The store, made when it is first asked for."""
        return LocalStore(self.workspace.store)

    def close(self) -> None:
        """Close what was opened."""
        self.sources.close()

    def lock(self, *, partly: bool = False) -> Lock:
        """What the locks say.

        Args:
            partly: Whether damaged entries are left out; who needs one gets what is wrong with it.

        Raises:
            LockError: there is none, or one is not valid.
        """
        if not any(map(os.path.lexists, self.workspace.locks)):
            msg = "there is no lock"
            where = near_path(self.workspace.locks[0])
            raise LockError(msg, where=where, hint=advise(Remedy.LOCK))
        return self.known(partly=partly)

    def known(
        self, *, include_project: bool = True, mend: bool = False, partly: bool = False
    ) -> Lock:
        """What the locks say, if there are any; an earlier lock hides a later one's facts.

        Args:
            include_project: Whether the first counts, which is the project's own.
            mend: Without what somebody changed in them.
            partly: See `lock`.
        """
        locks = Lock()
        for path in reversed(self.workspace.locks[0 if include_project else 1 :]):
            if os.path.lexists(path):
                lock = lock_at(path, mend=mend, partly=partly)
                lock = lock.as_upstream if self.choices.as_upstream else lock
                locks = lock.layered_over(locks)
        return evolve(locks, file=os.path.basename(self.workspace.locks[0]))

    def link(
        self, targets: tuple[Target, ...], *, checks: bool, partly: bool = False
    ) -> tuple[RecipeGraph, Linked]:
        """Derivations for targets and their checks; ``partly``: see `lock`.

        Raises:
            UsageError: a release would be made of a folder of this machine.
        """
        graph = self.graph(targets, checks=checks)
        locked = Locked(self.lock(partly=partly), graph, self.build_arch)
        linker = self._linker(graph, locked)
        linked = linker.link(targets, checks=checks)
        if self.choices.release:
            refuse_folders(linked.derivations.values())
        folders = {
            ref: source
            for ref, source in locked.folders.items()
            if linker.overrides.keys().isdisjoint(ref.overrides)
        }
        return graph, evolve(linked, folders=folders)

    def graph(self, targets: tuple[Target, ...], *, checks: bool) -> RecipeGraph:
        """The recipes that targets need, with those that stand for others.

        Raises:
            UsageError: nothing has an option or an input that somebody set.
        """
        variants = variants_of(self.workspace.settings)
        graph = RecipeGraph(
            targets, self.folder.load, self.build_arch, checks=checks, variants=variants
        )
        if variants.absent(graph.recipes.values()):
            self._refuse_unknown(variants)
        return graph

    def _refuse_unknown(self, variants: Variants) -> None:
        """See that some recipe has each entry of a file; one that cannot be read may have it.

        Raises:
            UsageError: none has one.
        """
        recipes = [self.folder.series.readable(name) for name in self.folder.names()]
        readable = [each for each in recipes if each is not None]
        if len(readable) == len(recipes):
            variants.refuse_unknown(readable)

    def linker(self, graph: RecipeGraph) -> Linker:
        """A linker with what the locks say, and the folders that stand for sources."""
        return self._linker(graph, Locked(self.lock(), graph, self.build_arch))

    def _linker(self, graph: RecipeGraph, locked: Locked) -> Linker:
        overrides = override_sources(self.choices, self.folder, self.own)
        return Linker(graph, locked, self.build_arch, overrides)

    def jobs(self) -> int:
        """How many steps run at once."""
        return self.workspace.settings.jobs or cores()


def with_recipes(session: Session, recipes: RecipeCollection) -> Session:
    """The same run with other recipes; it shares what is open."""
    other = copy.copy(session)
    other.folder = recipes
    return other


def variants_of(settings: Settings) -> Variants:
    """The recipes that stand for others, as somebody says."""
    entries = [each for name in ("replace", "options") for each in settings.origins(name)]
    files = {entry: origin.where for entry, origin in entries if origin.where != OPTION}
    return Variants(replace=settings.replace, options=settings.options, files=files)


def lock_at(path: str, *, mend: bool = False, partly: bool = False) -> Lock:
    """Read one lock; ``mend`` leaves out what somebody changed in it, as `lock` does.

    ``partly`` leaves out damaged entries, and keeps what is wrong with each.

    Raises:
        LockError: it is not valid, contradicts itself, or cannot be read.
    """
    file = read_file(path, near_path(path), limit=MAX_BYTES, error=LockError)
    return locked_text(file.data, near_path(path), mend=mend, partly=partly)


def locked_text(data: bytes, label: str, *, mend: bool = False, partly: bool = False) -> Lock:
    """Read the text of a lock, which messages call ``label``; see `lock_at`."""
    try:
        lock = read_lock(data, label, mend=mend, partly=partly)
    except LockError as error:
        _advise(error)
        raise
    for damage in lock.damaged.values():
        _advise(damage)
    if mend:
        return in_agreement(lock)
    refuse_two_contents(lock)
    if lock.upstream is not None:
        refuse_two_contents(lock.as_upstream)
    return lock


def _advise(error: LockError) -> None:
    error.hint = error.hint or "take it from version control, or remove it and lock again"


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))
