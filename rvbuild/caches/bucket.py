"""A bucket, which is a web server that wants each request signed, and says what is wrong with one.

Knows: S3's signatures and error codes. Must not know: objects, records.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

from attrs import frozen

from rvbuild.caches.aws_settings import LOGIN_HINT
from rvbuild.caches.content import Content
from rvbuild.caches.signature import BucketLogin, Signer
from rvbuild.caches.web_server import WebServer
from rvbuild.core.digest import EMPTY
from rvbuild.core.errors import CacheDown, CacheRefused
from rvbuild.core.printable import brief
from rvbuild.transfers.sender import Answer

_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,60})</Code>")
_ENOUGH = 4096
_SAID = {301, 307, 400, 401, 403, 404}
"""Statuses with an error of S3 in the body. AWS redirects where a bucket is in another region."""


def utc_now() -> dt.datetime:
    """The machine's clock."""
    return dt.datetime.now(dt.UTC)


@frozen(kw_only=True)
class Bucket(WebServer):
    """What is in a bucket below a prefix; ``address`` is the URL of both.

    Attributes:
        root: The URL of the bucket, without a slash at its end.
        region: Where the bucket is.
        login: Who asks; None for nobody.
        login_hint: What helps where it is not let in.
        now: The time.
    """

    root: str
    region: str
    login: BucketLogin | None
    login_hint: str = LOGIN_HINT
    now: Callable[[], dt.datetime] = utc_now

    def _url(self, name: str) -> str:
        return super()._url(name) if name else f"{self.root}/"

    @property
    def asks_as_user(self) -> bool:
        return False  # netrc's would take the signature's place, or name one where nobody asks

    def login_headers(
        self, method: str, name: str, query: str, content: Content | None
    ) -> Mapping[str, str]:
        if self.login is None:
            return {}
        sha256 = (content.digest if content else EMPTY).hash
        url = f"{self._url(name)}?{query}"
        return Signer(self.login, self.region).headers(method, url, sha256, self.now())

    def is_absent(self, answer: Answer) -> bool:
        if answer.status == 404 and (code := self._code(answer)) == "NoSuchBucket":
            raise self._refused(answer, code, "")
        return super().is_absent(answer)

    def check(self, answer: Answer, wanted: Collection[int], name: str) -> None:
        if answer.status in _SAID - set(wanted):
            raise self._refused(answer, self._code(answer), name)
        super().check(answer, wanted, name)

    def _code(self, answer: Answer) -> str:
        """What the body of a refusal calls it; empty if it has none."""
        data = b""
        with suppress(CacheDown, CacheRefused):
            for piece in self.pieces(answer, ""):
                data += piece
                if len(data) > _ENOUGH:
                    break
        found = _CODE.search(data[:_ENOUGH])
        return found[1].decode() if found else ""

    def _refused(self, answer: Answer, code: str, name: str) -> CacheRefused:
        msg = f"refused ({' '.join(filter(None, [str(answer.status), code]))})"
        region = brief(answer.headers.get("x-amz-bucket-region", ""), most=40)
        hint = self.login_hint if answer.status in {401, 403} else None
        if code == "RequestTimeTooSkewed":
            msg = f"{msg}: this machine's clock and the server's do not agree"
            hint = f"set the clock: the server's says {brief(answer.headers.get('date', ''))}"
        elif code == "NoSuchBucket":
            hint = "make the bucket, or correct its name"
        elif region and region != self.region:
            hint = f"give the bucket's region, which is {region}"
        elif answer.status in {301, 307}:
            hint = "give the bucket's region; if the bucket is new, try again in an hour"
        return CacheRefused(msg, where=self.shown(name), hint=hint)
