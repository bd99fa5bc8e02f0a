"""A web server that is asked for a cache's files.

Knows: requests, and what an answer's status means. Must not know: objects, records.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote, urlsplit, urlunsplit

from attrs import define, evolve, field, frozen

from rvbuild.caches.content import Content
from rvbuild.caches.names import MARK
from rvbuild.core.errors import CacheDown, CacheRefused, SourceError, Unreachable
from rvbuild.transfers.deadline import Deadline, Wait
from rvbuild.transfers.sender import Answer, HttpRequest
from rvbuild.transfers.transfer import Again
from rvbuild.transfers.transport import Transport
from rvbuild.transfers.urls import shown

_ABSENT = {404, 410}
_HELPLESS = {501, 505, 507}
"""Statuses of 5xx that stay, whenever one asks again."""


@define
class _Learned:
    """What an earlier answer taught, for all threads."""

    lock: threading.Lock = field(factory=threading.Lock)
    forbidden_is_absent: bool | None = None


@frozen
class WebServer:
    """What is below a URL.

    Rules:

    1. A question whose connection breaks before an answer began is asked once more: a server may
       close a connection that it kept just when it is used again. One whose wait ended is not.
    2. A login goes to the URL's own origin only. Reads follow redirects, writes do not (`Sender`).
    3. 404 and 410 say that something is not there. So does 403, if the mark can be read: a bucket
       that nobody may list says 403 for what it lacks.
    4. 408, 425, 429, most 5xx, silence and a cut are CacheDown, with the seconds of Retry-After.

    Attributes:
        address: The URL, without a slash at its end; it may have a user name and a password.
        transport: The network.
        wait: How long a caller waits.
    """

    address: str
    transport: Transport
    wait: Wait
    _learned: _Learned = field(factory=_Learned, init=False, repr=False, eq=False)

    def url(self, name: str) -> str:
        """The URL of a file, without a login."""
        parts = urlsplit(self._url(name))
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    def _url(self, name: str) -> str:
        return f"{self.address}/{quote(name)}"

    def shown(self, name: str) -> str:
        """The URL of a file, for messages."""
        return shown(self._url(name))

    @contextmanager
    def ask(
        self,
        method: str,
        name: str,
        headers: Mapping[str, str] | None = None,
        content: Content | None = None,
        query: str = "",
    ) -> Iterator[Answer]:
        """The answer to a question, which is closed at the end.

        Args:
            method: As HTTP has it.
            name: Of a file; empty for the whole cache.
            headers: Nothing secret.
            content: What is sent.
            query: What follows the ``?`` of the URL, encoded.

        Raises:
            CacheDown: there is none.
            CacheRefused: there will be none.
        """
        size = {} if content is None else {"Content-Length": str(content.digest.size)}
        request = HttpRequest(
            url=f"{self._url(name)}?{query}" if query else self._url(name),
            route=self.transport.route,
            method=method,
            headers={**(headers or {}), **size},
            body=content.pieces if content else None,
            login_headers=self.login_headers(method, name, query, content),
            login=self.asks_as_user,
        )
        with self.errors(name):
            answer = self._send_twice(request)
        with answer:
            yield answer

    @property
    def asks_as_user(self) -> bool:
        """Whether the login of the address, or of netrc, says who asks."""
        return True

    def login_headers(
        self,
        method: str,  # noqa: ARG002 - for servers that want each request signed
        name: str,  # noqa: ARG002
        query: str,  # noqa: ARG002
        content: Content | None,  # noqa: ARG002
    ) -> Mapping[str, str]:
        """What says who asks, instead of the login of the address or of netrc."""
        return {}

    def _send_twice(self, request: HttpRequest) -> Answer:
        """Rule 1."""
        try:
            return self._send(request)
        except Again as failure:
            if failure.late:
                raise
        return self._send(request)

    def _send(self, request: HttpRequest) -> Answer:
        deadline = Deadline(self.wait, self.transport.clock)
        return self.transport.send(evolve(request, deadline=deadline))

    def pieces(self, answer: Answer, name: str) -> Iterator[bytes]:
        """The body of an answer."""
        with self.errors(name):
            yield from answer.pieces()

    def is_absent(self, answer: Answer) -> bool:
        """Whether an answer says that something is not there (rule 3)."""
        if answer.status != 403:
            return answer.status in _ABSENT
        learned = self._learned
        with learned.lock:
            if learned.forbidden_is_absent is None:
                with self.ask("HEAD", MARK) as mark:
                    learned.forbidden_is_absent = mark.status == 200
            return learned.forbidden_is_absent

    def check(self, answer: Answer, wanted: Collection[int], name: str) -> None:
        """See that an answer has one of some statuses.

        Raises:
            CacheDown: it has another one, and may have one of them later.
            CacheRefused: it has another one for good.
        """
        if answer.status in _HELPLESS - set(wanted):
            msg = f"the server cannot do that (status {answer.status})"
            raise CacheRefused(msg, where=self.shown(name))
        if answer.status not in wanted:
            with self.errors(name):
                raise answer.refusal()

    @contextmanager
    def errors(self, name: str) -> Iterator[None]:
        """Make what transfers raise an error of caches."""
        where = self.shown(name)
        try:
            yield
        except Again as error:
            msg, hint = f"no usable answer: {error.cause}", error.hint or None
            raise CacheDown(
                msg, retry_after=error.wait, late=error.late, where=where, hint=hint
            ) from error
        except Unreachable as error:
            raise CacheDown(error.message, where=where, hint=error.hint) from error
        except SourceError as error:
            raise CacheRefused(error.message, where=where, hint=error.hint) from error
