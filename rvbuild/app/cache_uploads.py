"""What a build brings into caches while it runs, and afterwards.

Knows: results, targets, and what is owed. Must not know: threads, how anything travels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

from attrs import define, field, frozen

from rvbuild.app.cache_notes import note_push, owed_targets
from rvbuild.app.owed import owed_shipments
from rvbuild.app.pusher import PushTally, pusher_of
from rvbuild.app.run_caches import RunCache
from rvbuild.app.session import Session
from rvbuild.app.shipments import Packer, Unfit, share_lookup
from rvbuild.caches.push import Pusher
from rvbuild.caches.turn import after_collection
from rvbuild.caches.uploader import Uploader
from rvbuild.core.errors import CacheBusy, Interrupted, RvbuildError
from rvbuild.core.events import Noticed, silent
from rvbuild.core.graph import Target
from rvbuild.core.link import Linked
from rvbuild.core.ports.signer import Signer

Tell = Callable[[str, str], None]
"""Called with a cache's name, and a line about it."""


def _tell_nobody(_cache: str, _text: str) -> None: ...


@frozen(kw_only=True)
class UploadView:
    """What one cache took of a build.

    Attributes:
        cache: Its name.
        results: How many results are there now.
        sent: Bytes that were sent.
        others: Targets that are not shared, each with the reason.
        owed: Targets that the next build or push brings.
        failure: Why; None if nothing failed.
    """

    cache: str
    results: int
    sent: int
    others: tuple[tuple[str, str], ...]
    owed: tuple[str, ...]
    failure: RvbuildError | None


@define
class _Upload:
    """One cache's part."""

    cache: RunCache
    pusher: Pusher
    tally: PushTally
    uploader: Uploader
    owed: set[str] = field(factory=set)
    brought: set[str] = field(factory=set)
    others: dict[str, str] = field(factory=dict)
    wait: str = ""
    is_wait_known: bool = False

    def wait_for(self, why: str) -> None:
        """Note what the upload waits for."""
        self.wait = why

    def tell_wait(self, tell: Tell) -> None:
        """Say once what the upload waits for, if it does."""
        if self.wait and not self.is_wait_known:
            self.is_wait_known = True
            tell(self.cache.name, f"waits: {self.wait}")


@define
class CacheUploads:
    """The uploads of a run, into each cache that is written.

    Attributes:
        session: Whose run it is.
        required: Whether all has to be brought, also where nothing was made.
    """

    session: Session
    required: bool
    _uploads: tuple[_Upload, ...]
    _linked: Linked | None = field(default=None, init=False)
    _any_made: bool = field(default=False, init=False)

    @classmethod
    def into(
        cls, session: Session, caches: Iterable[RunCache], signer: Signer, *, required: bool
    ) -> CacheUploads:
        """Uploads into caches."""
        uploads = []
        for cache in caches:
            tally = PushTally(silent)
            pusher = pusher_of(session, cache, signer, tally)
            uploader = Uploader(session.store.locks.shared)
            uploads.append(_Upload(cache, pusher, tally, uploader))
        return cls(session, required, tuple(uploads))

    def begin(self, linked: Linked) -> None:
        """Say what the run builds.

        Raises:
            CacheError: uploads are required, and a cache takes nothing.
        """
        self._linked = linked
        for upload in self._uploads if self.required else ():
            try:
                with upload.pusher.lease.taken():
                    pass  # it lets us write, which is known now rather than after the build
            except CacheBusy as error:  # it took the lease, before anybody looked who collects
                text = f"{error.message}; what is made here is brought there afterwards"
                self.session.report(Noticed(upload.cache.name, text))

    def made(self, derivation: str) -> None:
        """Bring a step that was made here; a target waits for its checks, and a check for it."""
        linked, self._any_made = self._linked, True
        if linked is None or derivation in linked.results.values():
            return
        if not any(derivation in checks for checks in linked.checks.values()):
            for upload in self._uploads:
                upload.uploader.add(partial(self._bring_step, upload, linked, derivation))

    def results(self, targets: Iterable[Target]) -> None:
        """Bring targets that are built and checked, and what is owed from former runs.

        Where nothing was made, the targets are left alone, unless uploads are required.
        """
        linked = self._linked
        wanted = tuple(targets) if self._any_made or self.required else ()
        for upload in self._uploads:
            if linked and (wanted or owed_targets(self.session, upload.cache)):
                upload.owed.update(map(str, wanted))
                upload.uploader.add(partial(self._bring_targets, upload, linked, wanted))

    def finish(self, tell: Tell = _tell_nobody) -> tuple[UploadView, ...]:
        """Wait for what is under way, as long as there is progress, and note what is owed.

        Where uploads are required, that also waits until a collection ends (`after_collection`).

        Args:
            tell: Told of a cache's name what is waited for there, once.

        Raises:
            RvbuildError: uploads are required, and one failed.
        """
        works = [upload for upload in self._uploads if upload.uploader.has_work]
        views = tuple(self._view(upload, tell) for upload in works)
        for view in views if self.required else ():
            if view.failure:
                raise view.failure
        return views

    def _bring_step(self, upload: _Upload, linked: Linked, derivation: str) -> None:
        shipment = Packer(self.session, linked, share_lookup(self.session)).result(derivation)
        if shipment is not None:
            with suppress(CacheBusy):  # who collects may be done before the target is
                upload.pusher.push_result(shipment)

    def _bring_targets(self, upload: _Upload, linked: Linked, targets: tuple[Target, ...]) -> None:
        packer = Packer(self.session, linked, share_lookup(self.session))
        shipments = []
        for target in targets:
            packed = packer.target(target)
            if isinstance(packed, Unfit):
                upload.others[packed.target] = packed.problem
                upload.owed.discard(packed.target)
            else:
                shipments.append(packed)
        for shipment in (*shipments, *owed_shipments(self.session, upload.cache, shipments)):
            push = partial(upload.pusher.push, (shipment,))
            if self.required:
                after_collection(push, upload.wait_for)
            else:
                push()
            upload.brought.add(shipment.target)

    def _view(self, upload: _Upload, tell: Tell) -> UploadView:
        """Wait for one cache, and note what came of it."""
        try:
            upload.uploader.finish(partial(upload.tell_wait, tell))
        finally:  # also if somebody does not want to wait
            failure = upload.uploader.failure
            owed = upload.owed - upload.brought
            is_done = failure is None and not owed
            with self.session.store.locks.shared():
                note_push(
                    self.session,
                    upload.cache,
                    upload.tally.sent,
                    brought=upload.brought,
                    owed=None if is_done else owed,
                )
        if failure is not None and not isinstance(failure, RvbuildError):
            raise failure
        return UploadView(
            cache=upload.cache.name,
            results=upload.tally.count,
            sent=upload.tally.sent,
            others=tuple(upload.others.items()),
            owed=tuple(sorted(owed)),
            failure=None if isinstance(failure, Interrupted) else failure,
        )
