"""What the clients of every kind of source share: one transport, one set of settings.

Knows: how bytes are had from addresses. Must not know: kinds of sources.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.fetch_settings import FetchSettings, offline_error
from rvbuild.transfers.mirrors import Mirrors
from rvbuild.transfers.pinned_files import PinnedFiles
from rvbuild.transfers.transport import Transport
from rvbuild.transfers.urls import Credentials, shown

_IN_MEMORY = 8 << 20


class NoTransport(Transport):
    """What stands for the network where ``--offline`` forbids it."""

    offline = True

    def __init__(self) -> None:
        super().__init__(connections=1, credentials=Credentials({}))

    def download(self, url: str, *_: object, **__: object) -> NoReturn:
        """Refuse.

        Raises:
            SourceError: always.
        """
        raise offline_error(shown(url))


class FetchServices:
    """What a kind's client is made of.

    Attributes:
        settings: Those of the run.
        tmp: The folder for temporary files.
        transport: The network, or what refuses it.
        files: Downloads of files with a known hash.
        mirrors: Asked before an address itself.
        cancellation: Ends whatever waits for a server.
    """

    def __init__(self, settings: FetchSettings) -> None:
        self.settings = settings
        self.tmp = Path(settings.tmp)
        self.cancellation = Cancellation()
        self.transport = (
            NoTransport()
            if settings.offline
            else Transport(environment=settings.environment, cancellation=self.cancellation)
        )
        self.mirrors = Mirrors(settings.mirrors)
        self.files = PinnedFiles(transport=self.transport, temp=self.tmp, report=settings.notice)

    def spool(self) -> BinaryIO:
        """A temporary file that is in memory while it is small."""
        self.tmp.mkdir(parents=True, exist_ok=True)
        return cast("BinaryIO", tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(self.tmp)))

    def close(self) -> None:
        """Close the connections that are open."""
        self.transport.close()
