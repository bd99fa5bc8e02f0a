"""The files of a cache, made of a store when somebody asks for them.

Knows: what is served, and where it is made ready. Must not know: HTTP.

The rules:

1. Served is what would be pushed: the targets that somebody holds by a link and that would be built
   so now, with all steps below them, signed by the key that signs here. When links have changed,
   that is found out again, at most once for each change.
2. A result is packed when it is asked for, several side by side; targets are packed before. Packs
   are in a folder of their own, and the oldest go when they are more than `MOST` bytes: they are
   made again.
3. Whoever asks waits for that as long as `ReaderPatience` says. What is not ready then is not there
   yet, and is made ready all the same.
4. There are no records of targets' closures: to sign one, all below a target would have to be
   packed. Whoever lacks a target asks for what is below it, step by step.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial

from attrs import define, field, frozen

from rvbuild.app.former_targets import FormerTargets, former_targets
from rvbuild.app.pending_work import PendingWork
from rvbuild.app.pusher import PushTally, pusher_of
from rvbuild.app.run_caches import RunCache
from rvbuild.app.session import Session
from rvbuild.app.shipments import Packer, share_lookup
from rvbuild.caches.budget import StallBudget
from rvbuild.caches.cache_services import CacheServices
from rvbuild.caches.names import MARK, MARK_TEXT, OBJECTS, realisation_name
from rvbuild.caches.push import Pusher
from rvbuild.caches.reader_patience import ReaderPatience
from rvbuild.caches.shipment import Shipment
from rvbuild.caches.table import open_cache
from rvbuild.caches.verifying import VerifyingCache
from rvbuild.core.cache_text import CacheText
from rvbuild.core.errors import Interrupted, RvbuildError, StoreError
from rvbuild.core.events import Noticed, silent
from rvbuild.core.ports.roots import Root
from rvbuild.core.ports.signer import Signer
from rvbuild.files.folder import WrongKind, open_file
from rvbuild.files.way import entered
from rvbuild.stores.workroom import workroom
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.fetch_services import NoTransport

MOST = 20 << 30
"""Bytes of packs that are kept."""
_PATIENCE = 3600.0
_AGAIN = 30.0
"""Seconds after which targets that are no more what links show are linked again."""
_LINK = "link"


@frozen(kw_only=True)
class _Snapshot:
    """What links showed at a moment, and what that is made of.

    Attributes:
        session: Recipes, lock and store as they were then.
        roots: The links.
        former: The targets that they show.
        moment: On the clock of the server.
    """

    session: Session
    roots: tuple[Root, ...]
    former: FormerTargets
    moment: float

    @classmethod
    def of(cls, session: Session) -> _Snapshot:
        """The present one.

        Raises:
            StoreError: what the store keeps for people could not be read.
        """
        roots = session.store.roots.roots()  # first: what comes meanwhile is a change
        former = former_targets(session)
        return cls(session=session, roots=roots, former=former, moment=time.monotonic())

    @property
    def goals(self) -> tuple[str, ...]:
        """The derivations of the targets."""
        linked = self.former.linked
        return tuple(linked.results[each] for each in self.former.targets) if linked else ()

    def has(self, derivation: str) -> bool:
        """Whether it is a target's, or below one."""
        return self.former.linked is not None and derivation in self.former.linked.derivations

    def is_old(self) -> bool:
        """Whether links show something else by now, or may mean something again (rule 1)."""
        if self.former.others and time.monotonic() - self.moment > _AGAIN:
            return True
        try:
            return self.session.store.roots.roots() != self.roots
        except StoreError:  # whoever looks after the store is told
            return False

    def result(self, derivation: str) -> Shipment | None:
        """A result that the store has; None if it has none."""
        if self.former.linked is None:
            return None
        packer = Packer(self.session, self.former.linked, share_lookup(self.session))
        return packer.result(derivation)


@define
class ServedStore:
    """What a server serves; any number of threads ask it.

    Attributes:
        session: Whose store it is.
        signer: Who signs.
        folder: Where packs and records are made ready; nobody else uses it.
        most: Bytes of packs that are kept.
        patience: How long those who ask wait.
    """

    session: Session
    signer: Signer
    folder: str
    most: int = MOST
    patience: ReaderPatience = field(factory=lambda: ReaderPatience(time.monotonic))
    _snapshot: _Snapshot = field(init=False)
    _cache: VerifyingCache = field(init=False)
    _work: PendingWork = field(factory=PendingWork, init=False)
    _ready: set[str] = field(factory=set, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _end: Cancellation = field(factory=Cancellation, init=False)

    def __attrs_post_init__(self) -> None:
        services = CacheServices(
            transport=NoTransport(self._end),
            wait=lambda: _PATIENCE,
            cancellation=self._end,
            durable=False,
        )
        self._cache = open_cache(self.folder, services)
        self._cache.write_record(MARK, MARK_TEXT)
        self._snapshot = _Snapshot.of(self.session)
        self._pack_targets()

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets that are served, sorted."""
        return tuple(map(str, self._snapshot.former.targets))

    def close(self) -> None:
        """End what is made ready."""
        self._end.cancel()
        self._work.close()

    def find(self, name: str) -> int | None:
        """The descriptor of a file; one of our records is made ready, within a reader's time."""
        derivation = name.rpartition("/")[2]
        if self._is_ours(name, derivation):
            self._make_ready(derivation)
        return self._opened(name)

    def _is_ours(self, name: str, derivation: str) -> bool:
        try:
            return name == realisation_name(self.signer.public.name, derivation)
        except ValueError:  # a name that none of ours can be
            return False

    def _make_ready(self, derivation: str) -> None:
        """Rules 1 to 3."""
        if not self._snapshot.has(derivation) and self._snapshot.is_old():
            self.patience.wait_for(self._work.ask(_LINK, self._link))
        snapshot = self._snapshot
        if snapshot.has(derivation) and derivation not in self._ready:
            pack = partial(self._pack, snapshot, derivation)
            self.patience.wait_for(self._work.ask(derivation, pack))

    def _link(self) -> None:
        """Look again what links show; recipes and lock are read again, too."""
        former = self._snapshot.session
        session = Session(former.workspace, former.report, former.choices)
        try:
            self._snapshot = _Snapshot.of(session)
        except StoreError as error:
            self._tell("links", error)
        self._pack_targets()

    def _pack_targets(self) -> None:
        """Make targets ready before somebody waits for them."""
        snapshot = self._snapshot
        for goal in snapshot.goals:
            if goal not in self._ready:
                self._work.prepare(goal, partial(self._pack, snapshot, goal))

    def _pack(self, snapshot: _Snapshot, derivation: str) -> None:
        """Pack and sign a result, if there is one; what is wrong with it is reported."""
        try:
            with snapshot.session.store.locks.shared():
                shipment = snapshot.result(derivation)
                if shipment is not None:
                    self._pusher(snapshot.session).push_result(shipment)
        except Interrupted:  # the server ends
            return
        except RvbuildError as error:
            self._tell(derivation[:12], error)
            return
        with self._lock:
            if shipment is not None:
                self._ready.add(derivation)
            self._trim()

    def _pusher(self, session: Session) -> Pusher:
        text = CacheText(self.folder, reads=True, writes=True)
        budget = StallBudget(_PATIENCE, lambda: 0.0)
        cache = RunCache(name="served", text=text, cache=self._cache, budget=budget)
        return pusher_of(session, cache, self.signer, PushTally(silent))

    def _tell(self, label: str, error: RvbuildError) -> None:
        self.session.report(Noticed(label, f"not served: {error}"))

    def _opened(self, name: str) -> int | None:
        *folders, last = name.split("/")
        with suppress(OSError, WrongKind):
            root = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                with entered(root, folders, path=self.folder) as at:
                    return open_file(last, at)
            finally:
                os.close(root)
        return None

    def _trim(self) -> None:
        """Let the oldest packs go, if there are too many; then nobody knows what is whole."""
        size = 0
        for entry in sorted(self._cache.entries(OBJECTS), key=lambda entry: -entry.modified):
            size += entry.size
            if size > self.most:
                self._cache.remove(entry.name)
                self._ready.clear()


@contextmanager
def served_store(session: Session, signer: Signer) -> Iterator[ServedStore]:
    """What a server serves, until the end.

    Raises:
        StoreError: the store cannot be read or written.
    """
    with workroom(session.store) as folder, closing(ServedStore(session, signer, folder)) as store:
        yield store
