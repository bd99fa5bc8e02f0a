"""A client of the GOPROXY protocol (https://go.dev/ref/mod#goproxy-protocol).

Knows: a module's files at a proxy, and which proxy is asked next.
Must not know: what the files mean, how bytes travel.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, TypeVar, cast
from urllib.parse import unquote, urlsplit

from attrs import field, frozen

from rvbuild.core.errors import SourceError
from rvbuild.core.gomod import check_module, escape_path
from rvbuild.core.ports.callbacks import Advance, no_progress
from rvbuild.kinds.go.go_settings import DIRECT, OFF, GoSettings
from rvbuild.transfers.attempts import Attempts
from rvbuild.transfers.faults import NotThere
from rvbuild.transfers.fetch_settings import OFFLINE_HINT
from rvbuild.transfers.transfer import write_piece
from rvbuild.transfers.transport import Transport
from rvbuild.transfers.urls import shown

MAX_ZIP = 500 << 20
MAX_GO_MOD = 16 << 20
_IN_MEMORY = 32 << 20
_AT_ONCE = 1 << 20

_HINT = "check path and version, or add a proxy that has it to GOPROXY"
_T = TypeVar("_T")


def _spool() -> BinaryIO:
    return cast("BinaryIO", tempfile.SpooledTemporaryFile(_IN_MEMORY))


@frozen
class GoProxy:
    """Asks the user's proxies, in their order, for files of modules.

    Args:
        transport: For those that are not folders.
        settings: Gives the user's settings; asked once something has to be fetched.
        spool: Makes a temporary file for a zip.
    """

    transport: Transport
    settings: Callable[[], GoSettings]
    spool: Callable[[], BinaryIO] = field(default=_spool)

    def go_mod(self, path: str, version: str) -> tuple[bytes, str]:
        """The go.mod of a module and the URL that it came from (fit for messages).

        Raises:
            SourceError: no proxy has it; ``details`` has each one's answer.
        """

        def ask(url: str) -> tuple[bytes, str]:
            to = io.BytesIO()
            self._fetch(url, to, MAX_GO_MOD, no_progress)
            return to.getvalue(), shown(url)

        return self._first(path, version, "mod", ask)

    @contextmanager
    def zip(
        self, path: str, version: str, advance: Advance = no_progress
    ) -> Iterator[tuple[BinaryIO, str]]:
        """The zip of a module, at its beginning, and the URL that it came from.

        Raises:
            SourceError: as ``go_mod``.
        """
        with self.spool() as to:

            def ask(url: str) -> str:
                to.seek(0)
                to.truncate()
                self._fetch(url, to, MAX_ZIP, advance)
                return shown(url)

            url = self._first(path, version, "zip", ask)
            to.seek(0)
            yield to, url

    def _fetch(self, url: str, to: BinaryIO, limit: int, advance: Advance) -> None:
        if url.startswith("file://"):
            _copy(url, to, limit)
        else:
            self.transport.download(url, to, limit=limit, advance=advance)

    def _first(self, path: str, version: str, kind: str, ask: Callable[[str], _T]) -> _T:
        """The first proxy's answer; the next is asked as GOPROXY's separators say."""
        check_module(path, version, "module")
        settings = self.settings()
        name = f"{path}@{version}"
        if settings.is_private(path):
            raise _private(name)
        tail = f"{escape_path(path)}/@v/{escape_path(version)}.{kind}"
        attempts = Attempts(name)
        for proxy in settings.proxies:
            if proxy.url in {OFF, DIRECT}:
                attempts.add(proxy.url, _unsupported(proxy.url))
                break
            url = f"{proxy.url}/{tail}"
            try:
                return ask(url)
            except SourceError as exc:
                attempts.add(url, exc)
                if not proxy.on_any_error and not isinstance(exc, NotThere):
                    break
        what = "zip" if kind == "zip" else "go.mod"
        hint = OFFLINE_HINT if self.transport.offline else _HINT
        raise attempts.error(hint, f"no module proxy gave its {what}")


def _copy(url: str, to: BinaryIO, limit: int) -> None:
    """The same from a proxy that is a folder."""
    path = unquote(urlsplit(url).path)
    try:
        with open(path, "rb") as file:
            remaining = limit
            while data := file.read(_AT_ONCE):
                remaining -= len(data)
                if remaining < 0:
                    msg = f"more than {limit} bytes: refused"
                    raise SourceError(msg, where=shown(url))
                write_piece(data, to, url)
    except FileNotFoundError as exc:
        msg = "not there"
        raise NotThere(msg, where=shown(url)) from exc
    except OSError as exc:
        msg = f"cannot be copied: {exc.strerror}"
        raise SourceError(msg, where=shown(url)) from exc


def _unsupported(entry: str) -> SourceError:
    if entry == OFF:
        msg = "GOPROXY=off: nothing may be downloaded"
        return SourceError(msg, where=OFF)
    msg = "'direct' is not supported: modules come from a proxy, not from version control"
    return SourceError(msg, where=DIRECT)


def _private(name: str) -> SourceError:
    return SourceError(
        "GONOPROXY or GOPRIVATE keeps it from the module proxies, and version control is not asked",
        where=name,
        hint="let GOPROXY name a proxy that may have it, and GONOPROXY=none",
    )
