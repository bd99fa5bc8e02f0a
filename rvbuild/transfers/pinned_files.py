"""One file by its SHA-256, from the first address that has it.

Knows: the order of attempts, the error when all fail. Must not know: what is in the file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import urlsplit

from attrs import frozen

from rvbuild.core.advice import Hint
from rvbuild.core.errors import SourceError, StoreError, VerificationError, WrongContent
from rvbuild.core.events import Noticed, Reporter, silent
from rvbuild.core.ports.callbacks import Advance, no_progress
from rvbuild.core.web_page import LOOK, is_web_page
from rvbuild.transfers.addresses import Address
from rvbuild.transfers.attempts import Attempts
from rvbuild.transfers.fetch_settings import CHECK_OR_MIRROR, OFFLINE_HINT, OFFLINE_LOCK_HINT
from rvbuild.transfers.transport import Transport
from rvbuild.transfers.urls import refuse_ambiguous, shown

_PORTAL = "see whether this network wants a login first, or a proxy answers instead of the server"


@frozen(kw_only=True)
class Pin:
    """What the file must be.

    ``sha256`` is empty where `rvbuild lock` learns it: then every file is the right one.
    """

    label: str
    sha256: str
    size: int | None = None


@frozen(kw_only=True)
class Download:
    """A verified file: open at its start, with its SHA-256, and the address it came from."""

    file: BinaryIO
    sha256: str
    address: str


Lookup = Callable[[Attempts], Iterable[Address]]
"""Gives addresses in the order to try; see `PinnedFiles.search`."""


@frozen(kw_only=True)
class PinnedFiles:
    """Gets pinned files into temporary ones, from the first address that has them.

    What an address answers decides what comes next:

    - The pinned bytes: the file is taken, and no further address is asked.
    - Absence (404, 410) or a refusal (a status of 4xx that another try does not change, a circle of
      redirects, a certificate that is not trusted, ``--offline``): the next address is asked.
    - No answer (no such host, a closed port, silence), a cut, 408, 425, 429 or a 5xx: the
      transport tries the address again (see ``Patience``). Then the next address is asked, and
      for the rest of the run every address of that server stands behind all others (`Servers`).
    - A web page where nobody knows the bytes yet, and the address is no page's: a portal sends one
      for everything. The next address is asked.
    - Other bytes, another size: the next address is asked. If one has the pinned bytes, a notice
      names those that had others; if none has, this is a ``VerificationError``.
    - Nobody had the file: a ``SourceError`` with a line for each address.
    - The bytes cannot be kept (no disk): a ``StoreError`` at once. No address is to blame.

    Example: of ``[a, b, c]`` the server of ``a`` says 404, ``b`` sends other bytes and ``c`` the
    right ones. The file of ``c`` is taken, and a notice names ``b``.

    Args:
        transport: For http and https.
        temp: The folder of the temporary files.
        report: Told when an address gave wrong bytes and another one the right ones.
    """

    transport: Transport
    temp: Path
    report: Reporter = silent

    def opened(
        self,
        pin: Pin,
        addresses: Iterable[Address],
        advance: Advance,
        *,
        hint: Hint = CHECK_OR_MIRROR,
    ) -> AbstractContextManager[Download]:
        """The file, until the context ends.

        Args:
            pin: What it must be.
            addresses: Tried in order.
            advance: Told of every piece.
            hint: What to do when nothing has it, and the network was asked.

        Raises:
            SourceError: no address has it.
            VerificationError: at least one gave other bytes, and none the right ones.
        """
        return self.search(pin, lambda _: addresses, advance, hint=hint)

    @contextmanager
    def search(
        self, pin: Pin, lookup: Lookup, advance: Advance, *, hint: Hint
    ) -> Iterator[Download]:
        """The same, from addresses that have to be looked up.

        Args:
            pin: What the file must be.
            lookup: Gives the addresses, each when those before it did not have the file; it adds
                to the attempts what it learns on the way (an index does not list the file).
            advance: Told of every piece.
            hint: What to do when nothing has it, and the network was asked.

        Raises: as ``opened``.
        """
        attempts = Attempts(pin.label)
        with self._temporary() as file:
            for address in self._doubted_last(lookup(attempts)):
                try:
                    sha256 = self._get(pin, address, file, advance)
                except (SourceError, VerificationError) as error:
                    attempts.add(address.text, error)
                    continue
                self._report_wrong(attempts, address.text)
                file.seek(0)
                yield Download(file=file, sha256=sha256, address=address.text)
                return
            raise attempts.error(hint if attempts.wrong else self.advice(pin, hint))

    def document(self, address: Address, limit: int) -> bytes:
        """What one address has, of at most ``limit`` bytes; nothing is said of other addresses.

        Raises:
            NotThere: it says that there is no such thing.
            SourceError: it does not have it, or gives no answer.
        """
        with self._temporary() as file:
            self._get(Pin(label=address.text, sha256=""), address, file, no_progress)
            file.seek(0)
            return file.read(limit)

    def advice(self, pin: Pin, hint: Hint) -> Hint:
        """What to do when nothing has the file: ``hint``, unless the network was not asked."""
        if not self.transport.offline:
            return hint
        return OFFLINE_HINT if pin.sha256 else OFFLINE_LOCK_HINT

    def doubted(self, address: Address) -> bool:
        """Whether the server of an address gave no usable answer in this run."""
        return bool(address.server) and self.transport.servers.doubted(address.server)

    def _doubted_last(self, addresses: Iterable[Address]) -> Iterator[Address]:
        """Each address once. Addresses of servers in doubt come after all others."""
        earlier: set[str] = set()
        later: list[Address] = []
        for address in addresses:
            if address.text in earlier:
                continue
            earlier.add(address.text)
            if self.doubted(address):
                later.append(address)
            else:
                yield address
        yield from later

    def _temporary(self) -> BinaryIO:
        try:
            self.temp.mkdir(parents=True, exist_ok=True)
            return cast("BinaryIO", tempfile.TemporaryFile(dir=self.temp))
        except OSError as error:
            msg = f"cannot make a temporary file: {error.strerror}"
            raise StoreError(msg, where=str(self.temp)) from error

    def _report_wrong(self, attempts: Attempts, address: str) -> None:
        if attempts.wrong:
            text = f"other bytes than the pinned ones were passed over; {shown(address)} was right"
            notice = "; ".join([text, *attempts.lines])
            self.report(Noticed(attempts.label, notice, security=True))

    def _get(self, pin: Pin, address: Address, file: BinaryIO, advance: Advance) -> str:
        file.seek(0)
        file.truncate()
        if address.path is not None:
            sha256 = self.transport.local.copy(
                address.path, file, expect_size=pin.size, advance=advance
            ).sha256
        else:
            if not address.linked:
                refuse_ambiguous(address.text)
            sha256 = self.transport.download(
                address.text,
                file,
                expect_size=pin.size,
                hashed=True,
                route=address.route,
                login=address.login,
                advance=advance,
            ).sha256
        if sha256 == pin.sha256:
            return sha256
        is_page = address.path is None and _is_page(address.text, file)
        if pin.sha256:
            what = "it is a web page, and has" if is_page else "it has"
            msg = f"{what} the SHA-256 {sha256}, not {pin.sha256}"
            raise WrongContent(msg, hint=_PORTAL if is_page else None)
        if is_page:
            msg = "it is a web page, where a file was asked for"
            raise SourceError(msg, hint=f"{_PORTAL}; if it is the right one, pin its SHA-256")
        return sha256


def _is_page(address: str, file: BinaryIO) -> bool:
    """Whether a server sent a web page for what has not the name of one."""
    if urlsplit(address).path.endswith((".html", ".htm", ".xhtml")):
        return False
    file.seek(0)
    return is_web_page(file.read(LOOK))
