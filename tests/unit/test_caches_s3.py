"""Buckets on servers that answer what a test wants."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from attrs import evolve
from cache_places import services
from site_of_bytes import Answer, Asked, Served, head, serve

from rvbuild.caches.bucket import Bucket
from rvbuild.caches.s3 import S3Cache, open_cache
from rvbuild.core.digest import Digest
from rvbuild.core.errors import CacheDown, CacheError, CacheRefused
from rvbuild.core.ports.cache import CacheEntry
from rvbuild.transfers.urls import Credentials

TOKEN = "canary-token"  # noqa: S105 - of nobody
LOGIN = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "canary-secret",
    "AWS_SESSION_TOKEN": TOKEN,
}
ITEM = Digest.of(b"text")
NAME = "records/ci/targets/t"


def text(status: str, body: str = "", *headers: str) -> bytes:
    return head(status, f"Content-Length: {len(body)}", *headers) + body.encode()


def error(status: str, code: str, *headers: str) -> bytes:
    return text(status, f"<Error><Code>{code}</Code></Error>", *headers)


def always(data: bytes) -> Answer:
    return lambda _asked, send: send(data)


@contextmanager
def bucket(answer: Answer) -> Iterator[tuple[S3Cache, Served]]:
    with serve(answer) as server, services(environment=LOGIN) as given:
        cache = open_cache(f"s3://team/a/b?endpoint={server.url}", given)
        assert isinstance(cache, S3Cache)
        yield cache, server


@pytest.mark.parametrize(
    ("address", "environment", "url"),
    [
        ("s3://team", {}, "https://team.s3.us-east-1.amazonaws.com"),
        ("s3://team/", {}, "https://team.s3.us-east-1.amazonaws.com"),
        ("s3://team/a/b/", {}, "https://team.s3.us-east-1.amazonaws.com/a/b"),
        ("s3://team/a?region=eu-1", {}, "https://team.s3.eu-1.amazonaws.com/a"),
        ("s3://team", {"AWS_REGION": "eu-1"}, "https://team.s3.eu-1.amazonaws.com"),
        ("s3://team/a+b@c", {}, "https://team.s3.us-east-1.amazonaws.com/a%2Bb%40c"),
        ("s3://a.b", {}, "https://s3.us-east-1.amazonaws.com/a.b"),
        ("s3://team/a?endpoint=https://m.corp/", {}, "https://m.corp/team/a"),
        ("s3://team/a", {"AWS_ENDPOINT_URL": "http://m:9000"}, "http://m:9000/team/a"),
    ],
)
def test_addresses(address: str, environment: dict[str, str], url: str):
    with services(environment=environment) as given:
        cache = open_cache(address, given)
    assert isinstance(cache, S3Cache)
    assert cache.server.address == url


@pytest.mark.parametrize(
    ("endpoint", "own", "environment", "is_shown"),
    [
        ("", (), {}, True),
        ("http://m:9000", None, {}, True),
        ("http://m:9000", (), {}, False),
        ("http://m:9000", ("s3://mine/b?endpoint=http://m:9000/",), {}, True),
        ("http://M:9000/x", ("S3://mine?region=a&endpoint=http://m:9000",), {}, True),
        ("http://m:9000", ("s3://mine", "http://m:9000/a", "/endpoint=http://m:9000"), {}, False),
        ("http://m", ("s3://mine?endpoint=https://m",), {}, False),
        ("http://m:81", ("s3://mine?endpoint=http://m",), {}, False),
        ("http://m.evil", ("s3://mine?endpoint=http://m",), {}, False),
        ("http://m", ("s3://mine?endpoint=[", "s3://mine?endpoint=gopher://m"), {}, False),
        ("https://m", (), {"AWS_ENDPOINT_URL": "https://m:443/"}, True),
        ("https://m", (), {"AWS_ENDPOINT_URL_S3": "https://m"}, True),
        ("https://m", (), {"AWS_ENDPOINT_URL_S3": "https://n", "AWS_ENDPOINT_URL": "m"}, False),
    ],
)
def test_whose_servers_see_a_login(
    endpoint: str, own: tuple[str, ...] | None, environment: dict[str, str], *, is_shown: bool
):
    """Of a cache that the user did not set, only those that they named somewhere."""
    with services(environment={**LOGIN, **environment}) as given:
        address = f"s3://team/a?endpoint={endpoint}" if endpoint else "s3://team/a"
        cache = open_cache(address, evolve(given, own_addresses=own))
    assert isinstance(cache, S3Cache)
    assert isinstance(cache.server, Bucket)
    assert (cache.server.login is not None) == is_shown


@pytest.mark.parametrize(
    "address",
    [
        *("s3://", "s3:///a", "s3://T", "s3://a b", "s3://al:secret@team", "s3://team/../x"),
        *("s3://team/a#b", "s3://team?x=y", "s3://team?region=a.b/c", "s3://team/a%2fb"),
        *("s3://team?endpoint=ftp://x", "s3://team?endpoint=m.corp"),
        *("s3://team?endpoint=http://al:secret@m", "s3://team?endpoint=http://m/?a"),
    ],
)
def test_what_is_no_address(address: str):
    with services() as given, pytest.raises(CacheRefused) as caught:
        open_cache(address, given)
    assert "secret" not in str(caught.value)


def test_nobodys_requests_are_not_signed():
    with serve(always(text("404 Not Found"))) as server, services() as given:
        cache = open_cache(f"s3://team/a?endpoint={server.url}", given)
        assert cache.record(NAME) is None
    assert "authorization" not in server.asked[0].headers


ASKS: dict[str, Callable[[S3Cache], object]] = {
    "read": lambda cache: list(cache.read(ITEM)),
    "record": lambda cache: cache.record(NAME),
    "missing": lambda cache: cache.missing([ITEM]),
    "write": lambda cache: cache.write(ITEM, io.BytesIO(b"text")),
    "write a record": lambda cache: cache.write_record(NAME, b"text"),
    "entries": lambda cache: list(cache.entries("")),
    "remove": lambda cache: cache.remove(NAME),
}


def words_of(ask: Callable[[], object]) -> str:
    """What an error says, if there is one."""
    try:
        ask()
    except CacheError as failure:
        return f"{failure} {failure.hint} {failure.details}"
    return ""


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_no_part_of_a_login_goes_to_another_host(ask: Callable[[S3Cache], object], status: str):
    """A session's token is a header of its own, which HTTP libraries pass on with a redirect."""
    with serve(always(text("404 Not Found"))) as other:

        def answer(asked: Asked, send: Callable[[bytes], None]) -> None:
            assert asked.headers["x-amz-security-token"] == TOKEN
            send(text(status, "", f"Location: {other.url}/elsewhere"))

        with bucket(answer) as (cache, server):
            said = words_of(lambda: ask(cache))
    assert "canary" not in said
    assert server.asked
    for asked in other.asked:
        assert "canary" not in str(asked.headers)
        assert not {"authorization", "x-amz-security-token"} & set(asked.headers)


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
@pytest.mark.parametrize("environment", [LOGIN, {}], ids=["signed", "nobody"])
def test_netrc_says_nothing_of_who_asks_a_bucket(
    ask: Callable[[S3Cache], object], environment: dict[str, str]
):
    """Its login would take the place of the signature, or go where nobody in particular asks."""
    netrc = Credentials({"127.0.0.1": ("al", "canary-password")})
    with (
        serve(always(text("404 Not Found"))) as server,
        services(environment=environment, credentials=netrc) as given,
    ):
        cache = open_cache(f"s3://team/a/b?endpoint={server.url}", given)
        assert isinstance(cache, S3Cache)
        words_of(lambda: ask(cache))
    assert server.asked
    schemes = {each.headers.get("authorization", "").partition(" ")[0] for each in server.asked}
    assert schemes == {"AWS4-HMAC-SHA256" if environment else ""}


def listed(*names: str, more: str = "") -> str:
    contents = "".join(
        f"<Contents><Key>a/b/{name}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>"
        f"<ETag>&quot;x&quot;</ETag><Size>7</Size></Contents>"
        for name in names
    )
    token = f"<NextContinuationToken>{more}</NextContinuationToken>" if more else ""
    is_truncated = "true" if more else "false"
    return (
        f"<ListBucketResult><IsTruncated>{is_truncated}</IsTruncated>{token}{contents}"
        "</ListBucketResult>"
    )


def test_a_list_has_pages():
    pages = {"": listed("x", "y", more="1&amp;2"), "1%262": listed("z@1")}

    def answer(asked: Asked, send: Callable[[bytes], None]) -> None:
        token = asked.path.partition("continuation-token=")[2].partition("&")[0]
        send(text("200 OK", pages[token]))

    with bucket(answer) as (cache, server):
        entries = list(cache.entries(""))
    assert entries == [CacheEntry(name, 7, 1767323045.0) for name in ("x", "y", "z@1")]
    assert server.asked[0].path == "/team/?list-type=2&prefix=a%2Fb%2F"


def test_files_of_others_are_not_listed():
    with bucket(always(text("200 OK", listed("x", "", "../y", "a b", "&lt;", ".z")))) as (cache, _):
        assert [entry.name for entry in cache.entries("")] == ["x"]


@pytest.mark.parametrize(
    "page",
    [
        listed("x", more="the same for ever"),
        listed("x").replace(">false<", ">true<"),
        listed("x").replace("2026", "never"),
        listed("x").replace(">7<", ">many<"),
        *("", "<html>sorry</html>"),
    ],
)
def test_a_list_that_is_none_is_an_error(page: str):
    with bucket(always(text("200 OK", page))) as (cache, _), pytest.raises(CacheDown, match="list"):
        list(cache.entries(""))


def test_a_list_that_goes_on_and_on_is_an_error():
    """Each page has a name and a token that no other had."""
    numbers = iter(range(1000))

    def answer(_asked: Asked, send: Callable[[bytes], None]) -> None:
        at = next(numbers)
        send(text("200 OK", listed(f"x{at}", more=f"token{at}")))

    with bucket(answer) as (cache, server), pytest.raises(CacheDown, match="no end"):
        list(evolve(cache, most_pages=5).entries(""))
    assert len(server.asked) == 5


def refusing(refusals: dict[str, bytes]) -> Answer:
    """By method; of reads, that there is nothing."""

    def answer(asked: Asked, send: Callable[[bytes], None]) -> None:
        conditional = "if-none-match" in asked.headers
        is_write = "content-length" in asked.headers
        kind = "conditional" if conditional else "write" if is_write else "read"
        send(refusals.get(kind, text("404 Not Found")))

    return answer


def conflicting(conflicts: int, comes_after: int) -> Answer:
    """A bucket that has so many conflicts, and the object of somebody else after so many of them.

    Each conflict is one of a writer that may not win: AWS says to write again.
    """
    seen = 0

    def answer(asked: Asked, send: Callable[[bytes], None]) -> None:
        nonlocal seen
        if "if-none-match" in asked.headers:
            seen += 1
            is_conflict = seen <= conflicts
            send(error("409 Conflict", "ConditionalRequestConflict") if is_conflict else OK)
        else:
            send(head("200 OK", "Content-Length: 4") if 0 < comes_after <= seen else GONE)

    return answer


OK, GONE = text("200 OK"), text("404 Not Found")


@pytest.mark.parametrize(
    ("conflicts", "comes_after", "written"),
    [(0, 0, 1), (1, 0, 2), (2, 0, 3), (1, 1, 1), (9, 1, 1), (9, 2, 2), (9, 0, None)],
)
def test_a_conflict_is_no_object(conflicts: int, comes_after: int, written: int | None):
    """Who takes a conflict for "there already" writes a record of what is not there."""
    with bucket(conflicting(conflicts, comes_after)) as (cache, server):
        said = words_of(lambda: cache.write(ITEM, io.BytesIO(b"text")))
    writes = [asked for asked in server.asked if "if-none-match" in asked.headers]
    assert bool(said) == (written is None)
    assert len(writes) == (written or 3)


def test_who_is_second_to_write_an_object_is_content():
    answers = {"conditional": error("412 Precondition Failed", "PreconditionFailed")}
    with bucket(refusing(answers)) as (cache, server):
        cache.write(ITEM, io.BytesIO(b"text"))
    assert len(server.asked) == 2


def test_a_server_without_conditions_is_written_all_the_same():
    answers = {"conditional": error("501 Not Implemented", "NotImplemented")}
    with bucket(refusing({**answers, "write": text("200 OK")})) as (cache, server):
        for _ in range(2):
            cache.write(ITEM, io.BytesIO(b"text"))
    assert len(server.asked) == 5  # of the first object three, of the second two


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (error("403 Forbidden", "AccessDenied"), "AWS_ACCESS_KEY_ID"),
        (error("403 Forbidden", "RequestTimeTooSkewed", "Date: Mon"), "set the clock.*Mon"),
        (error("400 Bad Request", "X", "x-amz-bucket-region: eu-9"), "eu-9"),
        (error("301 Moved", "PermanentRedirect", "x-amz-bucket-region: eu-9"), "eu-9"),
        (error("307 Temporary", "TemporaryRedirect", "Location: https://e.invalid"), "region"),
        (error("404 Not Found", "NoSuchBucket"), "make the bucket"),
    ],
)
def test_a_refusal_says_what_to_do(answer: bytes, word: str):
    with bucket(always(answer)) as (cache, _), pytest.raises(CacheRefused) as caught:
        cache.write_record(NAME, b"")
    assert re.search(word, str(caught.value.hint))


def test_a_bucket_that_is_not_there_is_no_empty_cache():
    answer = error("404 Not Found", "NoSuchBucket")
    with bucket(always(answer)) as (cache, _), pytest.raises(CacheRefused, match="NoSuchBucket"):
        cache.record(NAME)
