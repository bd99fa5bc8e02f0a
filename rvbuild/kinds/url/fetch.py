"""Single files by their SHA-256: archives from their project's site, mirrors, Debian's pool.

Knows: the order of a file's addresses. Must not know: formats, how bytes travel.

A file whose bytes changed and whose tree did not (a forge that compresses anew) is refused;
accepting it by the tree's digest needs that digest in the lock, which it does not hold yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO

from attrs import frozen

from rvbuild.archives.unpack import unpack
from rvbuild.core.advice import Remedy, advise, joined
from rvbuild.core.errors import RecipeError, SourceError, VerificationError, WrongContent
from rvbuild.core.ports.callbacks import Advance, no_progress
from rvbuild.core.ports.sink import TreeSink
from rvbuild.kinds.url.source import DebianFile, UrlSource
from rvbuild.transfers.addresses import Address
from rvbuild.transfers.apt_config import APT, Archives, find_archives, no_archive, source_path
from rvbuild.transfers.attempts import Attempts
from rvbuild.transfers.fetch_services import FetchServices
from rvbuild.transfers.mirrors import Mirrors
from rvbuild.transfers.once import Once
from rvbuild.transfers.pinned_files import Pin, PinnedFiles
from rvbuild.transfers.sinks import DigestSink
from rvbuild.transfers.urls import shown

_CHUNK = 1 << 20
_HINT = advise("check the network and the recipe's URL, ", Remedy.MIRROR, ", or ", Remedy.OVERRIDE)
_ANEW = advise("if it was published anew and you trust that: ", Remedy.RELOCK)
_KEEP_HINT = (
    "`unpack: false` keeps the file as it is, and a step can unpack it with a program of its own"
)


@frozen(kw_only=True)
class UrlFetcher:
    """Fetches ``UrlSource`` values, and finds their SHA-256 for the lock.

    Args:
        files: Downloads.
        mirrors: Asked before each URL.
        archives: Gives the Debian archives; called when all else failed.
    """

    files: PinnedFiles
    mirrors: Mirrors
    archives: Callable[[], Archives]

    def fetch(self, source: UrlSource, into: TreeSink, advance: Advance) -> None:
        """See `rvbuild.core.ports.fetcher.Fetcher`."""
        name = source.name
        lookup = partial(self._addresses, source.urls, source.debian)
        pin = Pin(label=name, sha256=source.sha256)
        try:
            with self.files.search(pin, lookup, advance, hint=_HINT) as download:
                if source.unpack:
                    _unpack(download.file, source, into)
                else:
                    into.file(name, iter(lambda: download.file.read(_CHUNK), b""))
        except WrongContent as error:
            error.hint = joined([error.hint, _ANEW])
            raise

    def resolve(self, source: UrlSource) -> str:
        """The SHA-256 of what the first address gives that has anything.

        What the build is to unpack is unpacked, and forgotten: a page that wants a login, an empty
        or a cut file is not locked.

        Args:
            source: Without a SHA-256.

        Raises:
            SourceError: no address has it.
            VerificationError: it cannot be unpacked as the source says.
        """
        pin = Pin(label=source.name, sha256="")
        lookup = partial(self._addresses, source.urls, source.debian)
        with self.files.search(pin, lookup, no_progress, hint=_HINT) as download:
            if source.unpack:
                _unpack(download.file, source, DigestSink())
            return download.sha256

    def _addresses(
        self, urls: tuple[str, ...], debian: DebianFile | None, attempts: Attempts
    ) -> Iterator[Address]:
        for url in urls:
            yield from map(Address, self.mirrors.of(url))
            yield Address(_http(url))
        if debian is None:
            return
        path = source_path(debian.package, debian.file)
        try:
            archives = self.archives()
        except SourceError as error:  # a variable that holds no address
            attempts.add(str(error.where), error)
            return
        if not archives.bases:
            attempts.add(str(APT), no_archive())
        for base in (*archives.bases, *archives.of_now()):
            address = f"{base}/{path}"
            yield from map(archives.address, (*self.mirrors.of(address), address))


def _unpack(file: BinaryIO, source: UrlSource, into: TreeSink) -> None:
    """Unpack what a recipe can also keep as it is: no archive, or one that is refused."""
    try:
        unpack(file, source.name, into, strip=source.strip)
    except VerificationError as error:
        error.hint = error.hint or _KEEP_HINT
        raise


def _http(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        msg = f"not an http or https URL: {shown(url)}"
        raise RecipeError(msg, hint=advise("for a file of this machine ", Remedy.MIRROR))
    return url


def client(services: FetchServices) -> UrlFetcher:
    """See `rvbuild.kinds.modules.FetchModule`."""
    archives = Once(partial(find_archives, services.settings.environment))
    return UrlFetcher(files=services.files, mirrors=services.mirrors, archives=archives)
