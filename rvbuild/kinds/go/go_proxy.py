"""A client of the GOPROXY protocol (https://go.dev/ref/mod#goproxy-protocol).

Knows: a module's files at a proxy, and which entry of GOPROXY is asked next.
Must not know: what the files mean, how bytes travel, how a module is made from its repository.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from attrs import field, frozen

from rvbuild.core.advice import Hint, advise, joined
from rvbuild.core.errors import SourceError, Unreachable
from rvbuild.core.gomod import check_module, escape_path
from rvbuild.core.ports.callbacks import Advance, no_progress
from rvbuild.kinds.go.commit_module import MAX_GO_MOD, MAX_ZIP
from rvbuild.kinds.go.direct import Direct
from rvbuild.kinds.go.go_settings import DIRECT, OFF, GoSettings
from rvbuild.kinds.go.import_root import mirror_advice
from rvbuild.kinds.go.toolchain_module import TOOLCHAIN
from rvbuild.transfers.addresses import local_path
from rvbuild.transfers.attempts import Attempts
from rvbuild.transfers.faults import NotThere
from rvbuild.transfers.fetch_settings import OFFLINE_HINT
from rvbuild.transfers.transfer import DOCUMENT_LIMIT
from rvbuild.transfers.transport import Transport
from rvbuild.transfers.urls import shown

_IN_MEMORY = 32 << 20

_LIST, _INFO = "list", "info"
_WORDS = {"mod": "go.mod", "zip": "zip", _LIST: "list of versions", _INFO: "time"}

_HINT = "check path and version, or add a proxy that has it to GOPROXY"


def _spool() -> BinaryIO:
    return cast("BinaryIO", tempfile.SpooledTemporaryFile(_IN_MEMORY))


@frozen
class _File:
    """A file of a module.

    Attributes:
        path, version: The module; of a list no version.
        kind: ``mod``, ``zip``, ``info`` or ``list``.
        limit: Bytes; what is larger is none.
        h1: The pinned hash; empty for none.
    """

    path: str
    version: str
    kind: str
    limit: int
    h1: str

    @property
    def label(self) -> str:
        """What it is of, for messages."""
        return f"{self.path}@{self.version}" if self.version else self.path

    @property
    def tail(self) -> str:
        """Its path below a proxy's address."""
        if self.kind == _LIST:
            return f"{escape_path(self.path)}/@v/list"
        return f"{escape_path(self.path)}/@v/{escape_path(self.version)}.{self.kind}"


@frozen
class GoProxy:
    """Asks the entries of the user's GOPROXY, in their order, for files of modules.

    Args:
        transport: For those that are not folders.
        settings: Gives the user's settings; asked once something has to be fetched.
        direct: Makes modules from their repositories; None: only proxies are asked.
        spool: Makes a temporary file for a zip.
    """

    transport: Transport
    settings: Callable[[], GoSettings]
    direct: Direct | None = None
    spool: Callable[[], BinaryIO] = field(default=_spool)

    def go_mod(self, path: str, version: str, h1: str = "") -> tuple[bytes, str]:
        """The go.mod of a module and the URL that it came from (fit for messages).

        Args:
            path: The module's.
            version: The module's.
            h1: The pinned hash, for `Direct`; whoever asks compares it with what came.

        Raises:
            SourceError: no proxy has it; ``details`` has each one's answer.
            VerificationError: it was made from its repository, and has another hash.
        """
        to = io.BytesIO()
        url = self._first(_File(path, version, "mod", MAX_GO_MOD, h1), to, no_progress)
        return to.getvalue(), url

    def list(self, path: str) -> bytes:
        """The versions of a module, one a line, without pseudo-versions.

        Raises:
            SourceError: no proxy says it; ``details`` has each one's answer.
        """
        return self._document(_File(path, "", _LIST, DOCUMENT_LIMIT, ""))

    def info(self, path: str, version: str) -> bytes:
        """What a proxy says of a version: a JSON object with its ``Time``.

        Raises: as ``list``.
        """
        return self._document(_File(path, version, _INFO, DOCUMENT_LIMIT, ""))

    def _document(self, file: _File) -> bytes:
        to = io.BytesIO()
        self._first(file, to, no_progress)
        return to.getvalue()

    @contextmanager
    def zip(
        self, path: str, version: str, advance: Advance = no_progress, h1: str = ""
    ) -> Iterator[tuple[BinaryIO, str]]:
        """The zip of a module, at its beginning, and the URL that it came from.

        Raises: as ``go_mod``.
        """
        with self.spool() as to:
            url = self._first(_File(path, version, "zip", MAX_ZIP, h1), to, advance)
            to.seek(0)
            yield to, url

    def _first(self, file: _File, to: BinaryIO, advance: Advance) -> str:
        """Write the first proxy's answer; the next is asked as GOPROXY's separators say."""
        if file.kind != _LIST:
            check_module(file.path, file.version, "module")
        attempts, hints = Attempts(file.label), dict[Hint, None]()
        for proxy in self.settings().proxies_of(file.path):
            to.seek(0)
            to.truncate()
            try:
                return self._ask(proxy.url, file, to, advance)
            except SourceError as exc:
                attempts.add(_place(proxy.url, file), exc)
                if proxy.url not in {OFF, DIRECT} and not isinstance(exc, Unreachable):
                    hints[_private(file.path)] = None
                if not proxy.on_any_error and not isinstance(exc, NotThere):
                    break
        hint = OFFLINE_HINT if self.transport.offline else joined([_HINT, *hints]) or _HINT
        raise attempts.error(hint, f"no module proxy gave its {_WORDS[file.kind]}")

    def _ask(self, proxy: str, file: _File, to: BinaryIO, advance: Advance) -> str:
        """Write what one entry of GOPROXY has; where it came from."""
        if proxy == OFF:
            msg = "GOPROXY=off: nothing may be downloaded"
            raise SourceError(msg, where=OFF)
        if proxy == DIRECT:
            return self._make(file, to, advance)
        url = f"{proxy}/{file.tail}"
        self._write(url, to, file.limit, advance)
        return shown(url)

    def document(self, url: str, limit: int) -> bytes:
        """What is at an address; at most ``limit`` bytes.

        Raises:
            SourceError: nothing is there, or its server does not give it.
        """
        to = io.BytesIO()
        self._write(url, to, limit, no_progress)
        return to.getvalue()

    def _write(self, url: str, to: BinaryIO, limit: int, advance: Advance) -> None:
        """Write what is at an address, which may be a file of this machine."""
        path = local_path(url)
        if path is not None:
            self.transport.local.copy(path, to, limit=limit, advance=advance)
        else:
            self.transport.download(url, to, limit=limit, advance=advance)

    def _make(self, file: _File, to: BinaryIO, advance: Advance) -> str:
        """Write what is made from the module's repository."""
        direct = self.direct
        if direct is None:
            msg = "it cannot be made from a repository: only proxies have it"
            raise SourceError(msg, where=DIRECT)
        proxy = direct.proxy_of(file.path)
        if proxy:
            return self._ask(proxy, file, to, advance)
        module = file.path, file.version
        if file.kind == _LIST:
            return direct.versions.list(file.path, to)
        if file.kind == _INFO:
            return direct.versions.info(*module, to)
        if file.kind == "zip":
            return direct.zip(*module, to, advance, file.h1)
        return direct.go_mod(*module, to, file.h1)


def _private(path: str) -> Hint:
    """What to do about a module that a proxy refuses."""
    if path == TOOLCHAIN:
        return ""
    way = "if it is private, let GOPRIVATE have the beginning of its path, and if its page does not"
    return advise(f"{way} name its repository, ", mirror_advice(path))


def _place(entry: str, file: _File) -> str:
    """Where an entry of GOPROXY has a file, for messages."""
    return entry if entry in {OFF, DIRECT} else f"{entry}/{file.tail}"
