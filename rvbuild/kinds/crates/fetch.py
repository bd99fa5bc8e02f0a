"""Crates from the user's registry.

Knows: how a crate is found, pinned and checked. Must not know: which registry there is (cargo's
configuration says so), formats of archives.

The lock holds no address: the registry's index says where its crates are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from attrs import field, frozen

from rvbuild.core.errors import LockError, RecipeError, SourceError
from rvbuild.core.ports.callbacks import Advance
from rvbuild.core.ports.sink import TreeSink
from rvbuild.kinds.crates.cargo_config import Registry, find_registry
from rvbuild.kinds.crates.cargo_route import cargo_route
from rvbuild.kinds.crates.crate_file import unpack_crate
from rvbuild.kinds.crates.source import Crate, VendoredCrate, crate_problem, name_problem
from rvbuild.kinds.crates.sparse_index import (
    CONFIG,
    IndexConfig,
    checksum,
    index_path,
    parse_config,
    published,
)
from rvbuild.kinds.crates.vendored import unpack_vendored
from rvbuild.transfers.addresses import Address, Route
from rvbuild.transfers.attempts import Attempts
from rvbuild.transfers.fetch_services import FetchServices
from rvbuild.transfers.once import Once
from rvbuild.transfers.pinned_files import Pin, PinnedFiles

_HINT = (
    "check [source] in $CARGO_HOME/config.toml: the configured registry does not have this crate"
)
_PAGE_LIMIT = 64 << 20


@frozen(kw_only=True)
class CrateFetcher:
    """Fetches ``Crate`` values, and finds the checksum of one for the lock.

    Args:
        files: Downloads.
        registry: Gives the user's registry; called when first needed.
        route: Gives how it is reached, in the same manner.
    """

    files: PinnedFiles
    registry: Callable[[], Registry]
    route: Callable[[], Route | None] = lambda: None
    _config: Once[IndexConfig | SourceError] = field(init=False, repr=False)

    @_config.default
    def _once(self) -> Once[IndexConfig | SourceError]:
        """A hundred crates ask the index for its configuration once."""
        return Once(self._read_config)

    def fetch(self, source: Crate | VendoredCrate, into: TreeSink, advance: Advance) -> None:
        """See `rvbuild.core.ports.fetcher.Fetcher`."""
        pin = Pin(label=source.label, sha256=source.sha256)
        lookup = partial(self._addresses, source)
        with self.files.search(pin, lookup, advance, hint=_HINT) as download:
            if isinstance(source, VendoredCrate):
                unpack_vendored(download.file, source, into)
            else:
                unpack_crate(download.file, source, into)

    def resolve(self, name: str, version: str) -> Crate:
        """Pin a crate: the registry's index has the checksum, trusted on first use.

        Raises:
            SourceError: the registry does not have it.
            RecipeError: no crate can be called so.
        """
        wrong = name_problem(name, version)
        if wrong:
            raise RecipeError(wrong)
        page = index_path(name)
        sha256 = checksum(self._page(page), name, version, f"{self._shown}/{page}")
        wrong = crate_problem(name, version, sha256)
        if wrong:
            msg = f"the index has no checksum: {wrong}"
            raise LockError(msg, where=f"{name} {version}")
        return Crate(name=name, version=version, sha256=sha256)

    def versions(self, name: str) -> dict[str, int | None]:
        """The versions of a crate that were not yanked, each with its time, if the index says it.

        Raises:
            SourceError: the registry does not have it.
            RecipeError: no crate can be called so.
        """
        wrong = name_problem(name, "1.0.0")
        if wrong:
            raise RecipeError(wrong)
        page = index_path(name)
        return published(self._page(page), name, f"{self._shown}/{page}")

    @property
    def _shown(self) -> str:
        registry = self.registry()
        return str(registry.folder) if registry.folder else registry.index.rstrip("/")

    def _addresses(self, crate: Crate | VendoredCrate, attempts: Attempts) -> Iterator[Address]:
        """Where the crate is. The index is asked when the first address is taken, not before."""
        registry = self.registry()
        if registry.folder is not None:
            yield Address(str(registry.folder / crate.label))
        elif isinstance(config := self._config(), SourceError):
            attempts.add(registry.index + CONFIG, config)
        else:
            if config.needs_token:
                attempts.note(f"{registry.named_by}: the registry wants a token: none is sent")
            yield Address(config.address(crate), self.route(), linked=True)

    def _read_config(self) -> IndexConfig | SourceError:
        """What the index says, or why it says nothing: a hundred crates ask it once."""
        try:
            return parse_config(self._page(CONFIG), self.registry().index + CONFIG)
        except SourceError as error:
            return error

    def _page(self, path: str) -> bytes:
        """A file of the index."""
        registry = self.registry()
        transport = self.files.transport
        if registry.folder is None:
            return transport.get(registry.index + path, limit=_PAGE_LIMIT, route=self.route())
        file = registry.folder / "index" / path
        try:
            return transport.local.read(file, limit=_PAGE_LIMIT)
        except SourceError as error:
            msg = f"the local registry cannot be read: {error.message}"
            raise SourceError(msg, where=str(file), hint=_HINT) from error


def client(services: FetchServices) -> CrateFetcher:
    """See `rvbuild.kinds.modules.FetchModule`."""
    registry = Once(partial(find_registry, services.settings.environment))
    route = Once(partial(cargo_route, services.settings.environment))
    return CrateFetcher(files=services.files, registry=registry, route=route)
