"""The doors between the core and the adapters.

Knows: what the engine needs from a store, a fetcher and an executor, and no more.
Must not know: any adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from attrs import frozen

from rvbuild.core.action import Action, Outcome
from rvbuild.core.audit import Finding
from rvbuild.core.derivation import OutputRule
from rvbuild.core.digest import Digest
from rvbuild.core.realisation import Realisation
from rvbuild.core.source import Source
from rvbuild.core.tree import Extent, Tree

S_contra = TypeVar("S_contra", contravariant=True)

Advance = Callable[[int, int], None]
"""Called with (bytes done, bytes in total or 0)."""


def no_progress(_done: int, _total: int) -> None:
    """An ``Advance`` for work whose progress is not shown."""


Taken = Callable[[int, int], None]
"""Called with (entries, bytes) taken since the last call, for each entry and each MiB at
least; may raise, to end the taking."""


Wanted = Callable[[], None]
"""Called often during long work; raises if nobody wants what comes of it any more."""


class TreeSink(Protocol):
    """Takes the files of one new tree, in any order.

    Paths are relative, ``/``-separated, in normal form (no ``.``, ``..``, empty part,
    NUL or leading ``/``); parents are made as needed. An invalid path, a path whose
    parent is a file or a symlink, or a name given twice is a VerificationError.
    """

    def directory(self, path: str) -> None: ...

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        """Write a file; return the SHA-256 of its content in hex."""
        ...

    def symlink(self, path: str, target: str) -> None: ...

    def copy(self, path: str, of: str) -> None:
        """The file ``path`` has the content and mode of the earlier ``of`` (a tar hard link)."""
        ...


class TreeWriter(TreeSink, Protocol):
    """A sink that can be made permanent."""

    def commit(self) -> Digest:
        """Register the tree: durable and verified once this returns its root digest."""
        ...


class TreeStore(Protocol):
    """Blobs and trees by content."""

    def read(self, blob: Digest) -> bytes:
        """The bytes of ``blob``, verified.

        Raises:
            KeyError: it is missing.
            VerificationError: it is there and damaged.
        """
        ...

    def write(self, data: bytes) -> Digest: ...

    def write_all(self, blobs: Iterable[bytes]) -> None:
        """Write many at the price of one."""
        ...

    def has_tree(self, root: Digest) -> bool: ...

    def refuse_changed(self, root: Digest) -> None:
        """See that a tree which people have links to is as it was written; by cheap signs.

        Raises:
            VerificationError: somebody changed a file of it.
        """
        ...

    def tree(self, root: Digest) -> Tree:
        """Every directory of the tree.

        Raises:
            KeyError: it is missing.
        """
        ...

    def extent(self, root: Digest) -> Extent:
        """How many files the tree has, and their bytes.

        Raises:
            KeyError: it is missing.
        """
        ...

    def new_tree(self) -> AbstractContextManager[TreeWriter]:
        """A writer; what is not committed when the context ends is gone."""
        ...

    def merge(self, parts: Sequence[tuple[str, Digest]]) -> Digest:
        """Register the union of trees, each laid at its path (``""`` is the root)."""
        ...

    def path(self, root: Digest) -> str:
        """Where the ready-to-mount tree is on this machine."""
        ...


class Results(Protocol):
    """What was built before, by the two keys.

    With ``accelerated`` false, results that a compile cache helped to make stay unseen.
    """

    def realisation(
        self, derivation: str, *, accelerated: bool = True, builder: str = ""
    ) -> Realisation | None:
        """That of ``builder``, else of the first other one by name; accelerated ones come last.

        Raises:
            VerificationError: one is damaged.
        """
        ...

    def register(self, realisation: Realisation) -> None:
        """Replace its builder's realisation of the derivation.

        Durable once this returns; register the output's tree, and write the derivation's bytes,
        before.
        """
        ...

    def outcome(self, action: Digest, *, accelerated: bool) -> Outcome | None: ...

    def record(self, action: Digest, outcome: Outcome, *, accelerated: bool) -> None: ...


@frozen(kw_only=True)
class Root:
    """A result that a person holds by ``link``, an absolute path that leads into the store."""

    name: str
    derivation: str
    link: str


class Roots(Protocol):
    """What garbage collection keeps."""

    def add_root(self, name: str, derivation: str, link: str) -> None: ...

    def roots(self) -> tuple[Root, ...]: ...


class Locks(Protocol):
    """Locks between processes and threads; a lock ends with the process that holds it."""

    def lock(
        self, name: str, waiting: Callable[[], None] | None = None
    ) -> AbstractContextManager[None]:
        """Alone among those that lock the same ``name``; waits.

        Args:
            name: What is locked.
            waiting: Called now and then while somebody else has it; to raise ends the wait.
        """
        ...

    def shared(self) -> AbstractContextManager[None]:
        """Held for a whole build: nothing in the store goes away meanwhile."""
        ...


class Failures(Protocol):
    """The logs of steps that failed, by derivation."""

    def failed(self, derivation: str) -> Digest | None: ...

    def record_failure(self, derivation: str, log: Digest) -> None: ...

    def forget_failure(self, derivation: str) -> None: ...


class Store(TreeStore, Results, Failures, Locks, Protocol):
    """What realising needs of a store."""


class Capturer(Protocol):
    """Takes a folder of this machine into the store, as a tree."""

    def capture(self, directory: str, taken: Taken) -> Digest:
        """Copy what is in the folder, of which files may be gone afterwards; the tree's root.

        Nobody can have open for writing what is in the tree: not who holds a descriptor of
        the folder's files, nor another name of one.

        Raises:
            VerificationError: it holds what a tree cannot (a socket, a device, a FIFO).
            StoreError: it could not be read, or the store could not be written.
        """
        ...


class Fetcher(Protocol[S_contra]):
    """Brings one kind of source into a sink, having checked its identity.

    Raises:
        SourceError: no transport had it; every attempt is in ``details``.
        VerificationError: bytes arrived that are not the pinned ones.
    """

    def fetch(self, source: S_contra, into: TreeSink, advance: Advance) -> None: ...


class Executor(Protocol):
    """Runs one action sealed, and captures its outputs into the store."""

    def run(
        self,
        action: Action,
        label: str,
        log: Callable[[str], None],
        accelerators: Mapping[str, str],
    ) -> Outcome:
        """Run it; a step's own failure is an Outcome, not an exception.

        Args:
            action: What to run.
            label: For messages.
            log: Takes each line that the step writes.
            accelerators: Folders of this machine by path in the sandbox (``tmp/go-cache``);
                the outcome says whether they could be used.

        Raises:
            SandboxError: this machine cannot run it.
        """
        ...

    def stop(self) -> None:
        """Kill everything that runs; nothing runs afterwards."""
        ...


class ImageAudit(Protocol):
    """Everything wrong with the images of a folder or an archive."""

    def __call__(
        self, rule: OutputRule, place: str, forbidden: Sequence[bytes], wanted: Wanted, /
    ) -> Sequence[Finding]:
        """Look; ``wanted`` is called before each part that is read."""
        ...


class Clock(Protocol):
    """Seconds that only grow."""

    def __call__(self) -> float: ...


AnyFetcher = Fetcher[Source]
