"""Serves what was built here to others, as a cache that is only read.

Knows: what is served, and where it is made ready. Must not know: HTTP.

The rules:

1. Served is what would be pushed: the targets that somebody holds by a link and that would be built
   so now, with all steps below them, signed by the key that signs here.
2. A result is packed when it is asked for. Packs are kept in a folder of the store that goes at
   the end, and the oldest go when they are more than `MOST` bytes: they are made again.
3. There are no records of targets' closures: to sign one, all below a target would have to be
   packed. Whoever lacks a target asks for what is below it, step by step.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from attrs import define, field, frozen

from rvbuild.app.former_targets import FormerTargets, former_targets
from rvbuild.app.push import PushTally, push_signer, pusher_of
from rvbuild.app.run_caches import RunCache, opened
from rvbuild.app.session import Session
from rvbuild.app.shipments import Packer, share_lookup
from rvbuild.caches.budget import StallBudget
from rvbuild.caches.cache_services import CacheServices
from rvbuild.caches.file_server import CacheFileServer
from rvbuild.caches.names import MARK, MARK_TEXT, OBJECTS, realisation_name
from rvbuild.caches.push import Pusher
from rvbuild.caches.table import open_cache
from rvbuild.caches.verifying import VerifyingCache
from rvbuild.core.cache_text import CacheText
from rvbuild.core.errors import RvbuildError, SandboxError
from rvbuild.core.events import Noticed, Wrote, silent
from rvbuild.core.ports.signer import Signer
from rvbuild.files.folder import WrongKind, open_file
from rvbuild.files.way import entered
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.fetch_services import NoTransport

MOST = 20 << 30
"""Bytes of packs that are kept."""

_PATIENCE = 3600.0


@frozen(kw_only=True)
class ServeView:
    """What is served.

    Attributes:
        url: Where.
        key: The id of the key that signs.
        targets: The targets, sorted.
    """

    url: str
    key: str
    targets: tuple[str, ...]


@define
class ServedStore:
    """The files of a cache, made of a store when somebody asks for them.

    Attributes:
        session: Whose store it is.
        signer: Who signs.
        folder: Where packs and records are made ready.
        most: Bytes of packs that are kept.
    """

    session: Session
    signer: Signer
    folder: str
    most: int = MOST
    former: FormerTargets = field(init=False)
    _cache: VerifyingCache = field(init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        nobody = Cancellation()
        services = CacheServices(transport=NoTransport(nobody), wait=lambda: _PATIENCE)
        self._cache = open_cache(self.folder, services)
        self._cache.write_record(MARK, MARK_TEXT)
        self.former = former_targets(self.session)

    def find(self, name: str) -> int | None:
        """The descriptor of a file; it is made ready, if it is a record of ours."""
        derivation = name.rpartition("/")[2]
        try:
            if name == realisation_name(self.signer.public.name, derivation):
                self.make_ready(derivation)
        except ValueError:  # a name that none of ours can be
            return None
        return self._opened(name)

    def make_ready(self, derivation: str) -> None:
        """Pack and sign a result, if there is one; what is wrong with it is reported."""
        with self._lock:
            linked = self.former.linked
            if linked is None or derivation not in linked.derivations:
                self.session = Session(
                    self.session.workspace, self.session.report, self.session.choices
                )
                self.former = former_targets(self.session)  # somebody built meanwhile
                linked = self.former.linked
            if linked is None or derivation not in linked.derivations:
                return
            try:
                packer = Packer(self.session, linked, share_lookup(self.session))
                with self.session.store.locks.shared():
                    shipment = packer.result(derivation)
                    if shipment is not None:
                        self._pusher().push_result(shipment)
            except RvbuildError as error:
                self.session.report(Noticed(derivation[:12], f"not served: {error}"))
            self._trim()

    def _pusher(self) -> Pusher:
        text = CacheText(self.folder, reads=True, writes=True)
        budget = StallBudget(_PATIENCE, lambda: 0.0)
        cache = RunCache(name="served", text=text, cache=self._cache, budget=budget)
        return pusher_of(self.session, cache, self.signer, PushTally(silent))

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
        """Let the oldest packs go, if there are too many."""
        entries = sorted(self._cache.entries(OBJECTS), key=lambda entry: -entry.modified)
        size = 0
        for entry in entries:
            size += entry.size
            if size > self.most:
                self._cache.remove(entry.name)


@contextmanager
def served(session: Session, bind: str, port: int) -> Iterator[tuple[CacheFileServer, ServeView]]:
    """A server over the store of a session, which listens; whoever asked for it lets it serve.

    Args:
        session: Whose store it is.
        bind: An address of this machine.
        port: 0 for any that is free.

    Raises:
        UsageError: nobody signs, or nobody takes what is signed.
        SandboxError: nobody can listen there.
    """
    with opened(session) as caches:
        signer = push_signer(session, caches)
    folder = f"{session.store.layout.tmp}/serve-{os.getpid()}"
    try:
        store = ServedStore(session, signer, folder)
        with _listening(bind, port, store, session) as server:
            threading.Thread(target=_warm, args=(store,), daemon=True).start()
            names = tuple(str(target) for target in store.former.targets)
            yield server, ServeView(url=server.url, key=signer.public.key_id, targets=names)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _listening(bind: str, port: int, store: ServedStore, session: Session) -> CacheFileServer:
    def heard(line: str) -> None:
        session.report(Wrote("serve", line))

    try:
        return CacheFileServer(bind, port, store.find, heard)
    except OSError as error:
        msg = f"nobody can listen there: {error.strerror or error}"
        hint = "take another port, or an address of this machine"
        raise SandboxError(msg, where=f"{bind}:{port}", hint=hint) from error


def _warm(store: ServedStore) -> None:
    """Make targets ready before somebody waits for them."""
    former = store.former
    if former.linked is not None:
        for target in former.targets:
            store.make_ready(former.linked.results[target])
