"""The HTTP client against servers that misbehave: real sockets on the loopback device."""

from __future__ import annotations

import hashlib
import io
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import define
from site_of_bytes import Answer, Asked, Naps, client, head, serve

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import SourceError, StoreError, Unreachable, VerificationError
from rvbuild.core.printable import brief
from rvbuild.transfers.connections import Stall
from rvbuild.transfers.faults import NotThere
from rvbuild.transfers.transport import Patience
from rvbuild.transfers.urls import Credentials, shown

BODY = bytes(range(256)) * 1024  # 256 KiB, any shift of which differs


def plain(body: bytes) -> Answer:
    def answer(_asked: Asked, send: Callable[[bytes], None]) -> None:
        send(head("200 OK", f"Content-Length: {len(body)}") + body)

    return answer


def statuses(*replies: bytes) -> Answer:
    """One of ``replies`` after another, the last one for ever."""
    left = list(replies)

    def answer(_asked: Asked, send: Callable[[bytes], None]) -> None:
        send(left.pop(0) if len(left) > 1 else left[0])

    return answer


OK = head("200 OK", "Content-Length: 2") + b"ok"


def test_a_document_arrives_whole():
    with serve(plain(BODY)) as server, client() as http:
        assert http.get(server.url + "/a") == BODY
    assert server.asked[0].headers["accept-encoding"] == "identity"


def test_a_download_is_hashed_and_counted_on_the_way():
    seen: list[tuple[int, int]] = []
    to = io.BytesIO()
    with serve(plain(BODY)) as server, client() as http:
        got = http.download(
            server.url, to, hashed=True, expect_size=len(BODY), advance=lambda *a: seen.append(a)
        )
    assert (got.size, got.sha256) == (len(BODY), hashlib.sha256(BODY).hexdigest())
    assert to.getvalue() == BODY
    assert seen[-1] == (len(BODY), len(BODY))


def test_large_bodies_come_in_large_pieces():
    """Reads of 64 KiB would cost four times as much."""
    pieces: list[int] = []
    body = bytes(32 << 20)
    with serve(plain(body)) as server, client() as http:
        http.download(server.url, io.BytesIO(), advance=lambda done, _: pieces.append(done))
    assert len(pieces) < len(body) // (64 << 10)


def cutting(every: int, *, etag: str = '"one"') -> Answer:
    """Honours ranges, and hangs up after ``every`` bytes of the body."""

    def answer(asked: Asked, send: Callable[[bytes], None]) -> None:
        resumed = asked.start and asked.headers.get("if-range") == etag
        start = asked.start if resumed else 0
        first = (
            head(
                "206 Partial Content",
                f"ETag: {etag}",
                f"Content-Length: {len(BODY) - start}",
                f"Content-Range: bytes {start}-{len(BODY) - 1}/{len(BODY)}",
            )
            if resumed
            else head("200 OK", f"ETag: {etag}", f"Content-Length: {len(BODY)}")
        )
        send(first + BODY[start : start + every])

    return answer


@pytest.mark.parametrize("kib", [64, 68, 100, 128, 252])
def test_a_cut_download_goes_on_where_it_ended(kib: int):
    """However often it is cut, as long as it gets on."""
    to = io.BytesIO(b"kept")
    to.seek(4)
    with serve(cutting(kib << 10)) as server, client() as http:
        got = http.download(server.url, to, hashed=True)
    assert to.getvalue() == b"kept" + BODY
    assert got.sha256 == hashlib.sha256(BODY).hexdigest()
    assert [a.start for a in server.asked] == list(range(0, len(BODY), kib << 10))


def test_a_server_that_hardly_gets_on_is_given_up():
    with (
        serve(cutting(1000)) as server,
        client() as http,
        pytest.raises(SourceError, match="downloaded"),
    ):
        http.download(server.url, io.BytesIO())
    assert len(server.asked) == Patience().tries


def test_a_download_that_changed_meanwhile_begins_again():
    """If-Range fails, the server sends all of the new bytes: nothing of the old ones stays."""
    new = BODY[::-1]
    first = head("200 OK", 'ETag: "old"', f"Content-Length: {len(BODY)}") + BODY[:100_000]
    second = head("200 OK", 'ETag: "new"', f"Content-Length: {len(new)}") + new
    to = io.BytesIO()
    with serve(statuses(first, second)) as server, client() as http:
        got = http.download(server.url, to, hashed=True)
    assert server.asked[1].headers["if-range"] == '"old"'
    assert to.getvalue() == new
    assert got.sha256 == hashlib.sha256(new).hexdigest()


@pytest.mark.parametrize(
    "lie",
    [
        ('ETag: "new"', "Content-Range: bytes 100000-262143/262144"),
        ('ETag: "old"', "Content-Range: bytes 99999-262143/262144"),
        ('ETag: "old"', "Content-Range: bytes 100000-262143/999999"),
        ('ETag: "old"', "Content-Range: nonsense"),
        ('ETag: "old"',),
    ],
)
def test_a_range_that_does_not_fit_is_not_joined(lie: tuple[str, ...]):
    """Another version, another place, another size: begin again."""
    first = head("200 OK", 'ETag: "old"', f"Content-Length: {len(BODY)}") + BODY[:100_000]
    rest = len(BODY) - 100_000
    wrong = head("206 Partial Content", f"Content-Length: {rest}", *lie) + bytes(rest)
    whole = head("200 OK", f"Content-Length: {len(BODY)}") + BODY
    to = io.BytesIO()
    with serve(statuses(first, wrong, whole)) as server, client() as http:
        http.download(server.url, to)
    assert to.getvalue() == BODY
    assert [a.start for a in server.asked] == [0, 100_000, 0]


def test_without_a_validator_a_cut_download_begins_again():
    """Two halves of two versions would otherwise be joined."""
    first = head("200 OK", 'ETag: W/"weak"', f"Content-Length: {len(BODY)}") + BODY[:100_000]
    whole = head("200 OK", f"Content-Length: {len(BODY)}") + BODY
    to = io.BytesIO()
    with serve(statuses(first, whole)) as server, client() as http:
        http.download(server.url, to)
    assert to.getvalue() == BODY
    assert [a.start for a in server.asked] == [0, 0]


def test_an_unsatisfiable_range_begins_again():
    first = head("200 OK", 'ETag: "e"', f"Content-Length: {len(BODY)}") + BODY[:70_000]
    none = head("416 Range Not Satisfiable", "Content-Length: 0")
    whole = head("200 OK", f"Content-Length: {len(BODY)}") + BODY
    to = io.BytesIO()
    with serve(statuses(first, none, whole)) as server, client() as http:
        http.download(server.url, to)
    assert to.getvalue() == BODY
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", ["500 Oops", "502 Bad", "503 Busy", "429 Slow", "408 Late"])
def test_passing_faults_are_tried_again_with_growing_pauses(status: str):
    naps = Naps()
    bad = head(status, "Content-Length: 0")
    with serve(statuses(bad, bad, bad, OK)) as server, client(naps) as http:
        assert http.get(server.url) == b"ok"
    assert naps.slept == sorted(naps.slept)
    assert len(naps.slept) == 3


def test_after_four_tries_each_attempt_is_told():
    with serve(statuses(head("500 Oops", "Content-Length: 0"))) as server, client() as http:
        url = server.url.replace("//", "//me:hunter2@") + "/x?token=sesame"
        with pytest.raises(SourceError) as caught:
            http.get(url)
    assert len(server.asked) == 4
    assert caught.value.details == (f"{server.url}/x?…: 4 times: 500 Oops",)
    told = f"{caught.value} {hint_text(caught.value.hint)} {caught.value.details}"
    assert "hunter2" not in told
    assert "sesame" not in told
    assert not isinstance(caught.value, NotThere)


def test_retry_after_is_obeyed():
    naps = Naps()
    wait = head("429 Slow", "Retry-After: 17", "Content-Length: 0")
    date = head(
        "503 Busy",
        "Date: Wed, 21 Oct 2015 07:28:00 GMT",
        "Retry-After: Wed, 21 Oct 2015 07:28:42 GMT",
        "Content-Length: 0",
    )
    with serve(statuses(wait, date, OK)) as server, client(naps) as http:
        assert http.get(server.url) == b"ok"
    assert naps.slept == [17, 42]


def test_a_server_that_asks_to_wait_too_long_is_left():
    naps = Naps()
    wait = head("429 Slow", "Retry-After: 86400", "Content-Length: 0")
    with (
        serve(statuses(wait)) as server,
        client(naps) as http,
        pytest.raises(SourceError, match="86400 s"),
    ):
        http.get(server.url)
    assert naps.slept == []


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
def test_what_is_not_there_is_told_apart_and_not_tried_again(status: str):
    body = b"not found: \x1b[31mred\x1b[0m\r\nmore"
    reply = head(status, "Content-Type: text/plain", f"Content-Length: {len(body)}") + body
    with (
        serve(statuses(reply)) as server,
        client() as http,
        pytest.raises(NotThere, match="not found") as caught,
    ):
        http.get(server.url)
    assert len(server.asked) == 1
    assert "\x1b" not in str(caught.value)
    assert "\\x1b" in str(caught.value)


@pytest.mark.parametrize("status", ["401 Who", "403 No", "400 What", "451 Law", "204 Empty"])
def test_other_refusals_are_final(status: str):
    with (
        serve(statuses(head(status, "Content-Length: 0"))) as server,
        client() as http,
        pytest.raises(SourceError, match=status),
    ):
        http.get(server.url)
    assert len(server.asked) == 1


def test_nobody_listening_is_an_error_after_four_tries():
    naps = Naps()
    with serve(plain(b"")) as server:
        pass
    with client(naps) as http, pytest.raises(SourceError, match="refused"):
        http.get(server.url)
    assert len(naps.slept) == 3


def test_a_short_body_is_noticed():
    """Content-Length promises more than comes, every time."""
    short = head("200 OK", "Content-Length: 10") + b"short"
    with serve(statuses(short)) as server, client() as http, pytest.raises(SourceError):
        http.get(server.url)
    assert len(server.asked) == 4


def test_a_broken_chunk_is_noticed():
    broken = head("200 OK", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n5\r\nhe"
    good = head("200 OK", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n"
    with serve(statuses(broken, good)) as server, client() as http:
        assert http.get(server.url) == b"hello"
    assert len(server.asked) == 2


@pytest.mark.parametrize("size", [9, 11])
def test_another_size_than_the_expected_one_is_refused(size: int):
    """Announced or not, shorter or longer."""
    announced = head("200 OK", f"Content-Length: {size}") + bytes(size)
    silent = head("200 OK", "Connection: close") + bytes(size)
    for reply in (announced, silent):
        to = io.BytesIO()
        with (
            serve(statuses(reply)) as server,
            client() as http,
            pytest.raises(VerificationError, match=r"10( bytes)? (bytes came|were|was)|10 bytes"),
        ):
            http.download(server.url, to, expect_size=10)


def endless(_asked: Asked, send: Callable[[bytes], None]) -> None:
    send(head("200 OK", "Connection: close"))
    while True:
        send(bytes(65536))


def test_an_endless_body_ends_at_the_limit():
    with (
        serve(endless) as server,
        client() as http,
        pytest.raises(SourceError, match="more than 1000000 bytes"),
    ):
        http.get(server.url, limit=1_000_000)


def test_a_body_announced_over_the_limit_is_not_read():
    to = io.BytesIO()
    with (
        serve(plain(BODY)) as server,
        client() as http,
        pytest.raises(SourceError, match="more than 1000"),
    ):
        http.download(server.url, to, limit=1000)
    assert to.getvalue() == b""


@define
class Ticking:
    """Ten seconds pass whenever somebody looks."""

    now: float = 0.0

    def __call__(self) -> float:
        self.now += 10
        return self.now


@pytest.mark.parametrize("headers_too", [False, True])
def test_a_slow_drip_is_given_up(headers_too: bool):  # noqa: FBT001 - a parameter of the test
    """Every read brings a byte, so no read times out: only the stall budget ends it."""

    def drip(_asked: Asked, send: Callable[[bytes], None]) -> None:
        send(head("200 OK", "Content-Length: 100000")[: -2 if headers_too else None])
        pause = threading.Event()
        while True:
            send(b"x")
            pause.wait(0.001)

    patience = Patience(tries=2, stall=Stall(seconds=60, least=4096))
    with (
        serve(drip) as server,
        client(clock=Ticking(), patience=patience) as http,
        pytest.raises(SourceError, match=r"only \d+ bytes in \d+ s"),
    ):
        http.get(server.url)
    assert len(server.asked) == 2


def test_silence_ends_at_the_read_timeout():
    done = threading.Event()

    def silent(_asked: Asked, _send: Callable[[bytes], None]) -> None:
        done.wait(10)

    with (
        serve(silent) as server,
        client(patience=Patience(tries=2, read=0.05)) as http,
        pytest.raises(SourceError, match="timed out"),
    ):
        http.get(server.url)
    done.set()


def redirect(to: str, status: str = "302 Found") -> bytes:
    return head(status, f"Location: {to}", "Content-Length: 0")


def test_credentials_stay_with_their_origin():
    """Another port is another origin, and so is every further hop but the way home."""
    login = Credentials({"127.0.0.1": ("netrc-user", "netrc-word")})
    with serve(statuses(OK)) as other, client(credentials=login) as http:
        with serve(statuses(redirect("/again"), redirect(other.url + "/b?x=1"))) as home:
            assert http.get(home.url + "/a") == b"ok"
        assert all("authorization" in a.headers for a in home.asked)
        assert len(home.asked) == 2
    assert "authorization" not in other.asked[0].headers
    assert other.asked[0].path == "/b?x=1"


def test_a_login_that_was_not_sent_is_not_said_to_be_refused():
    """The server that refuses is another one than that which the login is for."""
    with serve(statuses(head("401 No", "Content-Length: 0"))) as other, client() as http:
        with (
            serve(statuses(redirect(other.url))) as home,
            pytest.raises(SourceError, match=r"refused \(401 No\)") as caught,
        ):
            http.get(home.url.replace("//", "//me:secret@"))
        with pytest.raises(SourceError, match="refused with the user name and password of its"):
            http.get(other.url.replace("//", "//me:secret@"))
    assert "it refused" not in str(caught.value.hint)


def test_a_login_in_the_url_goes_to_its_origin_only():
    with serve(statuses(OK)) as other, client() as http:
        with serve(statuses(redirect(other.url))) as home:
            assert http.get(home.url.replace("//", "//me:p%40ss@")) == b"ok"
        assert home.asked[0].headers["authorization"] == "Basic bWU6cEBzcw=="
    assert "authorization" not in other.asked[0].headers


def test_cookies_are_not_kept():
    reply = head("200 OK", "Set-Cookie: id=1; Path=/", "Content-Length: 0")
    with serve(statuses(reply)) as server, client() as http:
        http.get(server.url)
        http.get(server.url)
    assert "cookie" not in server.asked[1].headers


def test_redirects_end_after_ten():
    with (
        serve(statuses(redirect("/round"))) as server,
        client() as http,
        pytest.raises(SourceError, match="10 redirects"),
    ):
        http.get(server.url)
    assert len(server.asked) == 11


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://x/y", "gopher:x", "http://[bad/"])
def test_a_redirect_away_from_http_is_refused(to: str):
    with serve(statuses(redirect(to))) as server, client() as http, pytest.raises(SourceError):
        http.get(server.url)
    assert len(server.asked) == 1


@pytest.mark.parametrize("url", ["file:///etc/passwd", "x", "http://", "http://a:b:c/", "//h/p"])
def test_what_is_no_http_url_is_refused(url: str):
    with client() as http, pytest.raises(SourceError):
        http.get(url)


def test_bytes_encoded_unasked_are_refused():
    reply = head("200 OK", "Content-Encoding: gzip", "Content-Length: 2") + b"ok"
    with serve(statuses(reply)) as server, client() as http:
        with pytest.raises(SourceError, match="gzip-encoded"):
            http.get(server.url + "/a.zip")
        assert http.get(server.url + "/a.tar.gz") == b"ok"


def test_a_full_disk_is_no_fault_of_the_server():
    class Full(io.BytesIO):
        def write(self, _data: object) -> int:
            raise OSError(28, "No space left on device")

    with (
        serve(plain(BODY)) as server,
        client() as http,
        pytest.raises(StoreError, match="No space left"),
    ):
        http.download(server.url, Full())
    assert len(server.asked) == 1


def test_a_connection_is_used_again():
    """A module cache of 1,436 small files must not mean 1,436 handshakes."""
    peers: set[tuple[str, int]] = set()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            peers.add(self.client_address)
            while self.rfile.readline().strip():
                while self.rfile.readline().strip():
                    pass
                self.wfile.write(OK)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server, client() as http:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        for _ in range(5):
            assert http.get(f"http://127.0.0.1:{server.server_address[1]}/") == b"ok"
        server.shutdown()
    assert len(peers) == 1


def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch):
    """With its own password, and not for what no_proxy names."""
    monkeypatch.delenv("no_proxy", raising=False)
    with serve(plain(b"from the proxy")) as proxy, serve(plain(b"from itself")) as server:
        monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//me:secret@"))
        with client() as http:
            assert http.get("http://nowhere.example/x") == b"from the proxy"
        monkeypatch.setenv("no_proxy", "127.0.0.0/8")
        with client() as http:
            assert http.get(server.url) == b"from itself"
    assert proxy.asked[0].path == "http://nowhere.example/x"
    assert proxy.asked[0].headers["proxy-authorization"] == "Basic bWU6c2VjcmV0"
    assert "proxy-authorization" not in server.asked[0].headers


@pytest.mark.parametrize("url", ["gopher://x:pw@h", "http://h:port", "socks4://h:1"])
def test_a_proxy_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch, url: str):
    monkeypatch.setenv("http_proxy", url)
    with client() as http, pytest.raises(SourceError, match="proxy") as caught:
        http.get("http://nowhere.example/")
    assert "pw" not in str(caught.value)


def test_an_untrusted_certificate_ends_it_before_anything_is_sent(certificate: Path):
    """No second attempt, and no password on the wire."""
    login = Credentials({"127.0.0.1": ("me", "secret")})
    with (
        serve(plain(BODY), tls=certificate) as server,
        client(credentials=login) as http,
        pytest.raises(SourceError, match="certificate is not trusted") as caught,
    ):
        http.get(server.url)
    assert "SSL_CERT_FILE" in hint_text(caught.value.hint)
    assert server.asked == []


def test_tls_with_a_trusted_certificate(certificate: Path, monkeypatch: pytest.MonkeyPatch):
    """A body of many records arrives whole, in fewer pieces than records."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    pieces: list[int] = []
    body = BODY * 64
    to = io.BytesIO()
    with serve(plain(body), tls=certificate) as server, client() as http:
        http.download(server.url, to, advance=lambda done, _: pieces.append(done))
    assert to.getvalue() == body
    assert len(pieces) < len(body) // (16 << 10)


def test_from_https_to_http_is_refused(certificate: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with (
        serve(plain(BODY)) as plainly,
        serve(statuses(redirect(plainly.url)), tls=certificate) as server,
        client() as http,
        pytest.raises(SourceError, match="plain http"),
    ):
        http.get(server.url)
    assert plainly.asked == []


def test_certificates_that_cannot_be_read_are_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/at/all.pem")
    with client() as http, pytest.raises(SourceError, match="trusted certificates"):
        http.get("https://nowhere.example/")


def test_certificates_are_read_only_where_something_is_encrypted(monkeypatch: pytest.MonkeyPatch):
    """Reading them takes longer than asking a near server."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/at/all.pem")
    with serve(plain(BODY)) as server, client() as http:
        assert http.get(server.url) == BODY
        with pytest.raises(SourceError, match="trusted certificates"):
            http.get(server.url.replace("http:", "https:"))


def test_netrc_gives_only_what_names_the_machine(tmp_path: Path):
    """``default`` would send a password to whoever asks."""
    path = tmp_path / "netrc"
    path.write_text(
        "machine a.example login me password secret\ndefault login all password words\n"
    )
    path.chmod(0o600)
    known = Credentials.from_netrc({"NETRC": str(path)})
    assert known.for_url("https://a.example/x") == ("me", "secret")
    assert known.for_url("http://a.example/x") is None
    assert known.for_url("https://b.example/x") is None
    assert known.for_url("https://u:p@b.example/x") == ("u", "p")


def test_a_broken_netrc_is_told_when_it_matters_and_without_its_words(tmp_path: Path):
    """It may have nothing to do with this server: only a refusal brings it up."""
    path = tmp_path / "netrc"
    path.write_text("machine a.example login me passwort hunter2\n")
    path.chmod(0o600)
    broken = Credentials.from_netrc({"NETRC": str(path)})
    refused = head("401 Who", "Content-Length: 0")
    with (
        serve(statuses(refused)) as server,
        client(credentials=broken) as http,
        pytest.raises(SourceError) as caught,
    ):
        http.get(server.url)
    assert f"{path} is not valid" in hint_text(caught.value.hint)
    assert "hunter2" not in hint_text(caught.value.hint)
    assert Credentials.from_netrc({"NETRC": str(tmp_path / "none")}) == Credentials({})


def test_messages_carry_no_secrets_and_no_control_characters():
    assert shown("https://me:pw@h.example:8/p?token=1#f") == "https://h.example:8/p?…"
    assert brief("a\x1b]0;x\x07\u202eb\r\nc") == "a\\x1b]0;x\\x07\\u202eb\\r\\nc"
    assert brief("x" * 300) == "x" * 200 + "…"


def test_a_server_that_gives_no_answer_uses_up_its_tries_once():
    """The first of them waits between four tries; the others do not ask."""
    naps = Naps()
    with client(naps) as http:
        for number in range(20):
            with pytest.raises(Unreachable) as caught:
                http.get(f"http://127.0.0.1:1/{number}")
            again = "not asked again: " if number else "could not be downloaded: "
            assert caught.value.message == f"{again}[Errno 111] Connection refused"
    assert len(naps.slept) == 3


def test_a_dead_proxy_is_given_up_for_all_servers(monkeypatch: pytest.MonkeyPatch):
    naps = Naps()
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with client(naps) as http:
        for host in ("a.example", "b.example"):
            with pytest.raises(Unreachable, match=r"the proxy http://127\.0\.0\.1:1: "):
                http.get(f"http://{host}/")
    assert len(naps.slept) == 3


def test_a_busy_server_is_asked_again():
    """It answers: what it says of one file says nothing of the next."""
    naps = Naps()
    with serve(statuses(head("503 Busy", "Content-Length: 0"))) as server, client(naps) as http:
        for number in range(2):
            with pytest.raises(Unreachable, match="503 Busy"):
                http.get(f"{server.url}/{number}")
    assert len(server.asked) == 8


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://other.example/", "if it wants a password, put one"),
        ("https://host.example/", "it refused the user name and password that netrc has"),
        ("http://host.example/", "sent over https only"),
        (
            "http://me:secret@host.example/",
            "that stand in its address: correct them where it is set",
        ),
    ],
)
def test_what_to_do_about_a_refusal(url: str, says: str):
    assert says in Credentials({"host.example": ("me", "secret")}).advice(url)
