"""A cache in a bucket of S3, of AWS or of another server that speaks its language.

Knows: addresses of buckets, their lists, conditional writes. Must not know: signatures.

The address is ``s3://BUCKET/PREFIX``, with ``?region=…&endpoint=…`` where the user's environment
does not say it. Who only reads a public bucket needs none of this: ``https://`` to the same files
is a cache, too.

Example: ``s3://team-cache/rvbuild?region=eu-central-1`` is asked at
``https://team-cache.s3.eu-central-1.amazonaws.com/rvbuild``, and with an ``endpoint`` of
``https://minio.corp`` at ``https://minio.corp/team-cache/rvbuild``.

The user's login goes to AWS, and to an endpoint that the user named: in the environment, or in the
address of a cache that they set themselves. An endpoint that only a project's file names is asked
by nobody in particular: whoever wrote that file could read a session's token, or repeat a request
(ADR 38).
"""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import parse_qsl, quote, urlsplit

from attrs import define, field, frozen

from rvbuild.caches.aws_settings import LOGIN_HINT, find_endpoint, find_login, find_region
from rvbuild.caches.bucket import Bucket
from rvbuild.caches.cache_services import CacheServices
from rvbuild.caches.content import Content
from rvbuild.caches.names import check_name, is_name
from rvbuild.caches.signature import query_of
from rvbuild.caches.web_cache import DONE, WebCache
from rvbuild.core.errors import CacheDown, CacheRefused, SourceError
from rvbuild.core.ports.cache import CacheEntry, CollectableCache
from rvbuild.transfers.urls import Origin, origin, shown

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION = re.compile(r"[a-z0-9-]{1,40}")
_HINT = "write s3://BUCKET/PREFIX?region=REGION&endpoint=URL; prefix, region and endpoint may lack"
_UNKNOWN_HINT = (
    "only the project's file names this server, so your login is not shown to it: if you trust it, "
    "set AWS_ENDPOINT_URL_S3 to its URL, or set the cache for yourself"
)
_THERE_ALREADY = 412
_CONFLICT = 409
"""Of several who write at once, or remove, none may have won: one looks, and writes again."""
_NO_CONDITIONS = 501
_TRIES = 3
_PAGE_LIMIT = 16 << 20
_MOST_PAGES = 20_000
"""A page has up to 1,000 files. A server that is broken, or means no good, has always one more."""
_CONTENTS = re.compile(r"<Contents>(.*?)</Contents>", re.DOTALL)


def open_cache(address: str, services: CacheServices) -> CollectableCache:
    """The cache in a bucket; see `rvbuild.caches.table`."""
    parts = urlsplit(address)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    bucket, prefix = parts.netloc, parts.path.strip("/")
    region = query.pop("region", "") or find_region(services.environment)
    endpoint = query.pop("endpoint", "") or find_endpoint(services.environment)
    is_right = _BUCKET.fullmatch(bucket) and _REGION.fullmatch(region)
    if query or parts.fragment or not is_right or (prefix and not is_name(prefix)):
        msg = "not the address of a bucket"
        raise CacheRefused(msg, where=shown(address), hint=_HINT)
    root = _root(bucket, region, endpoint)
    is_known = _is_known(endpoint, services)
    return S3Cache(
        Bucket(
            address=f"{root}/{quote(prefix)}" if prefix else root,  # as it is signed
            transport=services.transport,
            wait=services.wait,
            root=root,
            region=region,
            login=find_login(services.environment) if is_known else None,
            login_hint=LOGIN_HINT if is_known else _UNKNOWN_HINT,
        ),
        f"{prefix}/" if prefix else "",
    )


def _is_known(endpoint: str, services: CacheServices) -> bool:
    """Whether the user's login may go to an endpoint: it is AWS, or the user named it."""
    if not endpoint or services.own_addresses is None:
        return True
    queries = (parse_qsl(urlsplit(each).query) for each in services.own_addresses if _is_s3(each))
    named = [value for query in queries for name, value in query if name == "endpoint"]
    return _origin(endpoint) in map(_origin, (*named, find_endpoint(services.environment)))


def _is_s3(address: str) -> bool:
    return address.lower().startswith("s3://")


def _origin(endpoint: str) -> Origin | str:
    """Scheme, host and port: the same host without TLS is another server; text that is no URL."""
    with suppress(SourceError):
        return origin(endpoint)
    return endpoint


def _root(bucket: str, region: str, endpoint: str) -> str:
    """The URL of a bucket."""
    if not endpoint:
        host = f"s3.{region}.amazonaws.com"  # a name with dots fits no certificate
        return f"https://{host}/{bucket}" if "." in bucket else f"https://{bucket}.{host}"
    try:
        origin(endpoint)
    except SourceError as error:
        raise CacheRefused(error.message, where=error.where, hint=_HINT) from error
    parts = urlsplit(endpoint)
    if parts.query or parts.fragment or "@" in parts.netloc:
        msg = "the endpoint of a bucket has no login, ? or #"
        raise CacheRefused(msg, where=shown(endpoint), hint=_HINT)
    return f"{endpoint.rstrip('/')}/{bucket}"


@define
class _Conditions:
    """Whether the server knows conditional writes."""

    work: bool = True


@frozen
class S3Cache(WebCache):
    """A cache in a bucket.

    Attributes:
        server: The bucket.
        prefix: Of all names; empty, or with a slash at its end.
        most_pages: Of a list.
    """

    prefix: str
    most_pages: int = _MOST_PAGES
    _conditions: _Conditions = field(factory=_Conditions, init=False, repr=False, eq=False)

    def put(self, name: str, content: Content, *, is_new: bool = False) -> None:
        """Of two who write one object at once, one does: a bucket may keep every version."""
        is_tried = is_new and self._conditions.work
        status = self._put_if_new(name, content) if is_tried else _NO_CONDITIONS
        if status == _NO_CONDITIONS:
            self._conditions.work = self._conditions.work and not is_tried
            super().put(name, content)
        elif status == _CONFLICT:
            msg = "the server says again and again that somebody else writes it"
            raise CacheDown(msg, where=self.server.shown(name))

    def _put_if_new(self, name: str, content: Content) -> int:
        """The status of the last try; a conflict only if the object is still not there whole."""
        status = _CONFLICT
        for _ in range(_TRIES):
            with self.server.ask("PUT", name, {"If-None-Match": "*"}, content) as answer:
                status = answer.status
                if status not in {_CONFLICT, _NO_CONDITIONS}:
                    self.server.check(answer, {*DONE, _THERE_ALREADY}, name)
            if status != _CONFLICT:
                return status
            if not self.missing([content.digest]):
                return _THERE_ALREADY
        return status

    def entries(self, prefix: str) -> Iterator[CacheEntry]:
        for contents in self._contents(prefix):
            if is_name(self._name(contents)):
                yield self._entry(contents)

    def strangers(self, prefix: str) -> Iterator[str]:
        names = map(self._name, self._contents(prefix))
        return (name for name in names if name and not is_name(name) and not name.startswith("."))

    def _contents(self, prefix: str) -> Iterator[str]:
        """What a list says of each key below the prefix."""
        if prefix:
            check_name(prefix.removesuffix("/"))
        tokens = {""}
        token = ""
        while page := self._page(prefix, token):
            yield from _CONTENTS.findall(page)
            if _text("IsTruncated", page) != "true":
                return
            token = _text("NextContinuationToken", page)
            if token in tokens or len(tokens) >= self.most_pages:
                break
            tokens.add(token)
        msg = "the list of a bucket has no end"
        raise CacheDown(msg, where=self.server.shown(""))

    def _page(self, prefix: str, token: str) -> str:
        pairs = {"list-type": "2", "prefix": self.prefix + prefix, "continuation-token": token}
        query = query_of((name, value) for name, value in pairs.items() if value)
        data = bytearray()
        with self.server.ask("GET", "", query=query) as answer:
            self.server.check(answer, {200}, "")
            for piece in self.server.pieces(answer, ""):
                data += piece
                if len(data) > _PAGE_LIMIT:
                    break
        page = data.decode("utf-8", "replace")
        if "<ListBucketResult" not in page or len(data) > _PAGE_LIMIT:
            msg = "the list of a bucket cannot be read"
            raise CacheDown(msg, where=self.server.shown(""))
        return page

    def _name(self, contents: str) -> str:
        return _text("Key", contents).removeprefix(self.prefix)

    def _entry(self, contents: str) -> CacheEntry:
        name = self._name(contents)
        try:
            modified = dt.datetime.fromisoformat(_text("LastModified", contents))
            return CacheEntry(name, int(_text("Size", contents)), modified.timestamp())
        except ValueError as error:
            msg = "the list of a bucket cannot be read"
            raise CacheDown(msg, where=self.server.shown(name)) from error


def _text(tag: str, xml: str) -> str:
    """The text of the first element of that name; empty if there is none."""
    found = re.search(rf"<{tag}>([^<]*)</{tag}>", xml)
    return html.unescape(found[1]) if found else ""
