"""Every kind of source behind one door: fetched for builds, resolved for the lock.

Knows: that each kind has a client, made when the first source of it is asked for.
Must not know: how any of them works.

Importing this costs next to nothing; the clients, and the HTTP client under them, are imported
when they are needed, each kind's alone.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from rvbuild.core.errors import RecipeError, StoreError
from rvbuild.core.ports.callbacks import Advance
from rvbuild.core.ports.fetcher import Fetcher
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.renewal import Renewal
from rvbuild.core.source import Files, Source
from rvbuild.core.spec import SourceSpec
from rvbuild.core.system_fault import Site, hint_for
from rvbuild.core.upstream_log import UpstreamCommit
from rvbuild.core.upstream_revision import UpstreamRevision
from rvbuild.core.version_listing import VersionListing
from rvbuild.kinds.modules import LogClient, RevisionClient
from rvbuild.kinds.table import candidates_module, fetch_module, package, resolve_module
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.fetch_settings import FetchSettings

if TYPE_CHECKING:
    from rvbuild.transfers.fetch_services import FetchServices


class SourceClients:
    """Fetches and resolves sources of every kind; any number of threads may ask at once."""

    def __init__(self, settings: FetchSettings) -> None:
        self._settings = settings
        self._cancellation = Cancellation()
        self._lock = threading.Lock()
        self._services: FetchServices | None = None
        self._clients: dict[str, Fetcher[Any]] = {}

    def _client(self, kind: str) -> Fetcher[Any]:
        """The client of a kind's package, made once.

        Raises:
            Interrupted: nothing more is to be fetched.
        """
        self._cancellation.refuse()
        with self._lock:
            if self._services is None:
                # late on purpose: the HTTP client costs 0.2 s, a build with nothing to do none
                module = importlib.import_module("rvbuild.transfers.fetch_services")
                self._services = module.FetchServices(
                    self._settings, cancellation=self._cancellation
                )
            name = package(kind)
            if name not in self._clients:
                self._clients[name] = fetch_module(kind).client(self._services)
            return self._clients[name]

    def cancel(self) -> None:
        """See `rvbuild.core.ports.fetcher.Sources`."""
        self._cancellation.cancel()

    def close(self) -> None:
        """Close the connections that are open."""
        if self._services is not None:
            self._services.close()

    def fetch(self, source: Source, into: TreeSink, advance: Advance) -> None:
        """See `rvbuild.core.ports.fetcher.Fetcher`."""
        if isinstance(source, Files):  # they came with the recipe
            for path, data, executable in source.files:
                into.file(path, (data,), executable=executable)
        elif isinstance(source, Source):
            client = self._client(source.kind)
            with _keeping():
                client.fetch(source, into, advance)
        else:
            msg = f"no way to fetch a {type(source).__name__}"
            raise RecipeError(msg)

    def log(self, old: Source, new: Source) -> tuple[UpstreamCommit, ...]:
        """The commits of an upstream between two sources that are commits of it.

        Raises:
            SourceError: no repository has all of them.
        """
        client = cast("LogClient", self._client(new.kind))  # its sources are commits
        with _keeping():
            return client.log(old, new)

    def candidates(self, spec: SourceSpec, context: ResolveContext) -> VersionListing | Renewal:
        """What the upstream of a description has, whose kind has a list.

        Raises: as `rvbuild.core.ports.registries.Registries`.
        """
        module = candidates_module(spec.answer.kind)
        if module is None:
            msg = f"{spec.answer.kind} has no list of what there is"
            raise TypeError(msg)
        client = self._client(spec.answer.kind)
        with _keeping():
            return module.ask(spec, context, client)

    def revision(self, spec: SourceSpec, name: str) -> UpstreamRevision:
        """What a name of a revision means today in the repository of a description.

        Args:
            spec: One that has revisions; only where its repository is matters.
            name: A tag, a commit, or the beginning of a commit's name.

        Raises:
            SourceError: no repository that can be asked has it.
        """
        client = cast("RevisionClient", self._client(spec.answer.kind))
        with _keeping():
            return client.revision(spec, name)

    def resolve(self, spec: SourceSpec, context: ResolveContext) -> tuple[Source, ...]:
        """See `rvbuild.core.ports.registries.Registries`."""
        kind = spec.answer.kind
        client = self._client(kind)
        with _keeping():
            return resolve_module(kind).resolve(spec, context, client)


@contextmanager
def _keeping() -> Iterator[None]:
    """While a client works: what it cannot keep had to be in the store, whatever it says."""
    try:
        yield
    except StoreError as error:
        if error.hint is None and isinstance(error.__cause__, OSError):
            error.hint = hint_for(error.__cause__.errno, Site.STORE)
        raise
