"""Small servers and folders for bytes of sources, and what can go wrong there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from attrs import define, field, frozen
from site_of_bytes import CLOSED, Asked, head, serve

from rvbuild.core.digest import Digest
from rvbuild.core.errors import SourceError, VerificationError
from rvbuild.core.ports.callbacks import Advance, no_progress
from rvbuild.core.ports.fetcher import AnyFetcher
from rvbuild.core.source import Source
from rvbuild.core.tree import Nested, Tree
from rvbuild.kinds.table import fetch_module
from rvbuild.transfers.fetch_services import FetchServices
from rvbuild.transfers.fetch_settings import FetchSettings
from rvbuild.transfers.transport import Patience

Refusal = type[SourceError] | type[VerificationError]


@frozen(kw_only=True)
class Goods:
    """A source, the fetcher that brings it, and its bytes where they are.

    Attributes:
        source: What to fetch.
        tree: What it must come to.
        fetcher: As the kind's package makes it.
        place: What a message must name if nothing is there.
        bytes: What is there.
        other: Bytes of the same form, with other content.
        write: Replace what is there.
        remove: Let nothing be there.
        cut: Let each transfer break in its middle; the callback to fetch with.
        hiccup: Let the next transfer break, and none afterwards; None where nothing travels.
        refusal: The error where ``other`` is there. Where git reads the bytes for us, or another
            transport is as good, bytes that are refused are a source that nobody has.
        unreadable: The same, where bytes without any form are there.
    """

    source: Source
    tree: Nested
    fetcher: AnyFetcher
    place: str
    bytes: bytes
    other: bytes
    write: Callable[[bytes], object]
    remove: Callable[[], object]
    cut: Callable[[], Advance]
    hiccup: Callable[[], object] | None = None
    refusal: Refusal = VerificationError
    unreadable: Refusal = VerificationError

    @property
    def root(self) -> Digest:
        return Tree.of(self.tree).root


# ---- where they are


@define
class _Site:
    """Serves pages; of those at ``weak`` each transfer ends early, ``breaks`` times."""

    pages: dict[str, bytes] = field(factory=dict)
    url: str = ""
    weak: str = ""
    breaks: int = 0

    def answer(self, asked: Asked, send: Callable[[bytes], None]) -> None:
        """With ranges, as a server of files has them."""
        data = self.pages.get(asked.path.partition("?")[0])
        if data is None:
            send(head("404 Not Found", "Content-Length: 0", CLOSED))
            return
        start, size = asked.start, len(data)
        lines = ['ETag: "x"', f"Content-Length: {size - start}", CLOSED]
        if start:
            lines.append(f"Content-Range: bytes {start}-{size - 1}/{size}")
        end = size // 2 if asked.path == self.weak and self._break() else size
        send(head("206 Partial Content" if start else "200 OK", *lines) + data[start:end])

    def _break(self) -> bool:
        self.breaks -= 1
        return self.breaks >= 0

    def goods(
        self,
        page: str,
        other: bytes,
        source: Source,
        tree: Nested,
        fetcher: AnyFetcher,
        **more: Refusal,
    ) -> Goods:
        """What is at a page."""

        def weaken(times: int) -> Advance:
            self.weak, self.breaks = page, times
            return no_progress

        return Goods(
            source=source,
            tree=tree,
            fetcher=fetcher,
            place=self.url,
            bytes=self.pages[page],
            other=other,
            write=lambda data: self.pages.update({page: data}),
            remove=lambda: self.pages.pop(page),
            cut=lambda: weaken(1 << 20),
            hiccup=lambda: weaken(1),
            **more,
        )


@frozen
class Place:
    """A server, and a folder for all that is on this machine.

    ``environment`` is what a user has set beside what the client needs. ``patience`` is that of
    the clients: they wait for nothing.
    """

    folder: Path
    site: _Site
    # one try more than breaks: a connection that was kept may be gone as well
    patience: Patience = field(default=Patience(tries=3, first=0.0, retry_after=0.0))
    environment: dict[str, str] = field(factory=dict)
    _opened: list[FetchServices] = field(factory=list, init=False)

    def client(self, kind: str, *mirrors: tuple[str, str], **environment: str) -> AnyFetcher:
        """The client of a kind's package."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        base = {"PATH": os.environ["PATH"], "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}
        base["NETRC"] = str(home / ".netrc")
        settings = FetchSettings(
            tmp=str(self.folder / "tmp"),
            mirrors=mirrors,
            environment=base | environment | self.environment,
        )
        services = FetchServices(settings, patience=self.patience)
        self._opened.append(services)
        return fetch_module(kind).client(services)

    def close(self) -> None:
        """Close the connections that are open."""
        for services in self._opened:
            services.close()


@contextmanager
def place(folder: Path, **settings: Patience) -> Iterator[Place]:
    """A place that ends with the context."""
    site = _Site()
    with serve(site.answer) as served:
        site.url = served.url
        with closing(Place(folder, site, **settings)) as at:
            yield at
