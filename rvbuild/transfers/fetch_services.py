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
from rvbuild.transfers.sender import HttpRequest
from rvbuild.transfers.transport import Patience, Transport
from rvbuild.transfers.urls import Credentials, shown
from rvbuild.transfers.waits import Waits

_IN_MEMORY = 8 << 20


class NoTransport(Transport):
    """What stands for the network where ``--offline`` forbids it."""

    offline = True

    def __init__(self, cancellation: Cancellation | None = None) -> None:
        super().__init__(connections=1, credentials=Credentials({}), cancellation=cancellation)

    def download(self, url: str, *_: object, **__: object) -> NoReturn:
        """Refuse.

        Raises:
            SourceError: always.
        """
        raise offline_error(shown(url))

    def send(self, request: HttpRequest) -> NoReturn:
        """Refuse.

        Raises:
            SourceError: always.
        """
        raise offline_error(shown(request.url))


class FetchServices:
    """What a kind's client is made of.

    Args:
        settings: Those of the run.
        cancellation: Ends whatever waits for a server; nobody's by default.
        patience: How long a server is tried; by default as long as for a build.

    Attributes:
        settings: As given.
        tmp: The folder for temporary files.
        patience: How long a server is tried.
        transport: The network, or what refuses it.
        files: Downloads of files with a known hash.
        mirrors: Asked before an address itself.
        cancellation: As given.
        waits: Says for whom the run waits.
    """

    def __init__(
        self,
        settings: FetchSettings,
        *,
        cancellation: Cancellation | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.settings = settings
        self.tmp = Path(settings.tmp)
        self.cancellation = cancellation or Cancellation()
        self.patience = patience or Patience()
        self.waits = Waits(settings.notice)
        self.transport = (
            NoTransport(self.cancellation)
            if settings.offline
            else Transport(
                environment=settings.environment,
                cancellation=self.cancellation,
                patience=self.patience,
                waits=self.waits,
            )
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
