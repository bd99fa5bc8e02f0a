"""Files by their SHA-256: every address in its order, and what is believed."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import io
import re
import resource
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from site_of_bytes import Asked, head, serve

from rvbuild.cli.remedies import hint_text
from rvbuild.core.digest import Digest
from rvbuild.core.errors import (
    RecipeError,
    SourceError,
    StoreError,
    VerificationError,
    WrongContent,
)
from rvbuild.core.events import Event
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.core.tree import File, Nested, Tree
from rvbuild.kinds.url.fetch import UrlFetcher
from rvbuild.kinds.url.source import DebianFile, UrlSource
from rvbuild.transfers.addresses import Address, local_path
from rvbuild.transfers.apt_config import Archives, find_archives
from rvbuild.transfers.fetch_services import NoTransport
from rvbuild.transfers.mirrors import Mirrors
from rvbuild.transfers.pinned_files import PinnedFiles
from rvbuild.transfers.sinks import DigestSink
from rvbuild.transfers.transport import Patience, Transport
from rvbuild.transfers.urls import Credentials

Site = Any  # conftest.py has it; a test file imports no other
NewSite = Callable[[], Site]


def archive_bytes() -> bytes:
    to = io.BytesIO()
    with tarfile.open(fileobj=to, mode="w") as tar:
        info = tarfile.TarInfo("lib-1.0/configure")
        info.size, info.mode = 2, 0o755
        tar.addfile(info, io.BytesIO(b"#!"))
    return gzip.compress(to.getvalue(), mtime=0)


ARCHIVE = archive_bytes()
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()
TREE: Nested = {"configure": File(Digest.of(b"#!"), executable=True)}
DEBIAN = DebianFile(package="lib", file="lib_1.0.orig.tar.gz")
POOL = "/debian/pool/main/l/lib/lib_1.0.orig.tar.gz"
DEAD = "http://127.0.0.1:1"


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def transport() -> Iterator[Transport]:
    with Transport(patience=Patience(tries=1), credentials=Credentials({})) as client:
        yield client


@pytest.fixture
def fetcher(tmp_path: Path, transport: Transport, told: list[Event]) -> Callable[..., UrlFetcher]:
    def make(
        *mirrors: tuple[str, str], debian: str = "", snapshots: str = "off", offline: bool = False
    ) -> UrlFetcher:
        client = NoTransport() if offline else transport
        files = PinnedFiles(transport=client, temp=tmp_path / "temp", report=told.append)

        def archives() -> Archives:
            alone = {"RVBUILD_DEBIAN_SNAPSHOT": snapshots}
            return Archives((debian,)) if debian else find_archives(alone, tmp_path / "no-apt")

        return UrlFetcher(files=files, mirrors=Mirrors(mirrors), archives=archives)

    return make


def source(address: str) -> UrlSource:
    return UrlSource(urls=(f"{address}/dl/lib-1.0.tar.gz",), sha256=SHA256)


def fetched(fetcher: UrlFetcher, wanted: UrlSource) -> Digest:
    sink = DigestSink()
    fetcher.fetch(wanted, sink, no_progress)
    return sink.tree.root


def test_an_archive_is_unpacked(site: Site, fetcher: Callable[..., UrlFetcher]):
    site.pages = {"/dl/lib-1.0.tar.gz": ARCHIVE}
    assert fetched(fetcher(), source(site.address)) == Tree.of(TREE).root


PAGES = {
    "a page": b"<!DOCTYPE html><title>Welcome</title>",
    "in small letters": b"<!doctype html>\n<html>",
    "an old one": b"<HTML><HEAD>",
    "of another type": b'<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN">',
    "with spaces before it": b"\n\n  <html lang=en>",
    "with a mark before it": b"\xef\xbb\xbf<!DOCTYPE html>",
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_portals_page_is_not_what_a_lock_pins(
    site: Site, fetcher: Callable[..., UrlFetcher], page: bytes
):
    """A portal answers every question with 200. Of what has a pin, the page is told as well."""
    site.pages = {"/dl/lib-1.0.tar.gz": page}
    wanted = source(site.address)
    with pytest.raises(SourceError, match="no address had it") as caught:
        fetcher().resolve(evolve(wanted, sha256=""))
    assert "it is a web page, where a file was asked for" in caught.value.details[0]
    assert "wants a login" in hint_text(caught.value.hint)
    with pytest.raises(VerificationError, match="gave other bytes") as wrong:
        fetched(fetcher(), wanted)
    assert "it is a web page, and has the SHA-256" in wrong.value.details[0]
    assert "wants a login" in hint_text(wrong.value.hint)
    site.pages["/mirror/lib-1.0.tar.gz"] = ARCHIVE
    mirror = (f"{site.address}/dl/", f"{site.address}/mirror/")
    assert fetcher(mirror).resolve(evolve(wanted, sha256="")) == SHA256


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("lib.tar.gz", ARCHIVE),
        ("index.html", PAGES["a page"]),
        ("a.htm", PAGES["an old one"]),
        ("a.xml", b"<?xml version='1.0'?><htmlish/>"),
        ("a.md", b"# <html>"),
        ("a.txt", b"<htmlx>"),
        ("a.c", b""),
    ],
)
def test_what_is_no_portals_page_is_pinned(
    site: Site, fetcher: Callable[..., UrlFetcher], name: str, body: bytes
):
    site.pages = {f"/{name}": body}
    found = fetcher().resolve(UrlSource(urls=(f"{site.address}/{name}",), sha256="", unpack=False))
    assert found == hashlib.sha256(body).hexdigest()


def test_a_page_that_is_wanted_is_pinned_by_the_recipe(
    site: Site, fetcher: Callable[..., UrlFetcher]
):
    page = PAGES["a page"]
    site.pages = {"/dl/lib-1.0.tar.gz": page}
    sha256 = hashlib.sha256(page).hexdigest()
    wanted = evolve(source(site.address), sha256=sha256, unpack=False)
    kept: Nested = {"lib-1.0.tar.gz": File(Digest.of(page))}
    assert fetched(fetcher(), wanted) == Tree.of(kept).root


def test_a_file_may_stay_as_it_is(site: Site, fetcher: Callable[..., UrlFetcher]):
    site.pages = {"/dl/lib-1.0.tar.gz": ARCHIVE}
    kept: Nested = {"lib-1.0.tar.gz": File(Digest.of(ARCHIVE))}
    wanted = evolve(source(site.address), unpack=False)
    assert fetched(fetcher(), wanted) == Tree.of(kept).root


def tarred(name: bytes, kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    buffer = io.BytesIO()
    form = tarfile.GNU_FORMAT
    with tarfile.open(fileobj=buffer, mode="w", format=form, encoding="latin-1") as archive:
        info = tarfile.TarInfo(name.decode("latin-1"))
        info.type, info.linkname = kind, target
        archive.addfile(info)
    return buffer.getvalue()


PAGE = b"<html>login\tplease"
REFUSED = {
    "an absolute link": (tarred(b"p/l", tarfile.SYMTYPE, "/usr/lib"), "unpack: false"),
    "an absolute name": (tarred(b"/p/a"), "unpack: false"),
    "a device": (tarred(b"p/null", tarfile.CHRTYPE), "unpack: false"),
    "a name that is not UTF-8": (tarred(b"p/\xe4"), "unpack: false"),
    "lzip": (b"LZIP\1\x0c" + bytes(99), "unpack: false"),
    "no archive": (b"#!/bin/sh\n" * 100, "unpack: false"),
    "a cut": (ARCHIVE[:-9], "its end is missing"),
    "damage": (ARCHIVE[:-9] + bytes(9), "unpack: false"),
    "nothing": (b"", "may want a login"),
    "a page in gzip": (gzip.compress(b"<html>"), "may want a login"),
    "a bomb": (gzip.compress(bytes(70 << 20)), "unpack: false"),
    "no folder at its top": (tarred(b"configure"), "strip: 0"),
}


@pytest.mark.parametrize(("data", "hint"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_unpacked_can_be_kept(
    data: bytes, hint: str, site: Site, fetcher: Callable[..., UrlFetcher]
):
    """Whatever the reason: a step may have a program that takes it."""
    site.pages = {"/dl/lib-1.0.tar.gz": data}
    wanted = evolve(source(site.address), sha256=Digest.of(data).hash)
    with pytest.raises(VerificationError) as caught:
        fetched(fetcher(), wanted)
    assert hint in hint_text(caught.value.hint)
    with pytest.raises(VerificationError) as at_lock:
        fetcher().resolve(evolve(wanted, sha256=""))
    assert (str(at_lock.value), at_lock.value.hint) == (str(caught.value), caught.value.hint)
    kept = evolve(wanted, unpack=False)
    assert fetched(fetcher(), kept)
    assert fetcher().resolve(evolve(kept, sha256="")) == wanted.sha256


@pytest.mark.parametrize(
    ("data", "says", "begin"),
    [
        (PAGE, "a web page, neither", "it begins with <html>login\\tplease"),
        (b"", "an empty file, neither", ""),
        (b"RIFF\1\x0c\xff", "neither", "it begins with RIFF\\x01\\x0c\\xff"),
    ],
)
def test_what_is_no_archive_is_shown(
    data: bytes, says: str, begin: str, site: Site, fetcher: Callable[..., UrlFetcher]
):
    site.pages = {"/dl/lib-1.0.tar.gz": data}
    with pytest.raises(VerificationError) as caught:
        fetched(fetcher(), evolve(source(site.address), sha256=Digest.of(data).hash))
    assert caught.value.message.startswith(says)
    assert caught.value.details[:1] == ((begin,) if begin else ())


def test_bytes_that_changed_can_be_locked_again(site: Site, fetcher: Callable[..., UrlFetcher]):
    """The hint says how; a place that is not there has nothing to take."""
    wanted = source(site.address)
    site.pages = {"/dl/lib-1.0.tar.gz": b"other"}
    with pytest.raises(WrongContent) as caught:
        fetched(fetcher(), wanted)
    assert "delete its entry from rvbuild.lock" in hint_text(caught.value.hint)
    site.pages = {}
    with pytest.raises(SourceError) as absent:
        fetched(fetcher(), wanted)
    assert "delete" not in hint_text(absent.value.hint)


def test_its_own_sha256_is_found(site: Site, fetcher: Callable[..., UrlFetcher]):
    site.pages = {"/dl/lib-1.0.tar.gz": ARCHIVE}
    assert fetcher().resolve(evolve(source(site.address), sha256="")) == SHA256


def test_every_address_in_its_order(site: Site, fetcher: Callable[..., UrlFetcher]):
    """Mirrors before each URL, Debian's pool last; each attempt is named."""
    mine = fetcher((f"{DEAD}/dl", f"{site.address}/mirror"), debian=f"{site.address}/debian")
    wanted = evolve(
        source(DEAD), urls=(f"{DEAD}/dl/lib-1.0.tar.gz", f"{site.address}/b.tgz"), debian=DEBIAN
    )
    with pytest.raises(SourceError) as caught:
        fetched(mine, wanted)
    assert site.paths == ["/mirror/lib-1.0.tar.gz", "/b.tgz", POOL]
    attempts = [line for line in caught.value.details if not line.startswith(" ")]
    assert [line.split(": ")[0] for line in attempts] == [
        f"{site.address}/mirror/lib-1.0.tar.gz",
        f"{DEAD}/dl/lib-1.0.tar.gz",
        f"{site.address}/b.tgz",
        f"{site.address}{POOL}",
    ]
    site.pages = {POOL: ARCHIVE}
    assert fetched(mine, wanted) == Tree.of(TREE).root


def order(fetcher: UrlFetcher, source: UrlSource) -> list[str]:
    """The addresses of a source, as they would be asked now."""
    return [each.text for each in fetcher.files._doubted_last(map(Address, source.urls))]


def test_a_dead_server_is_asked_last_from_then_on(
    site: Site, fetcher: Callable[..., UrlFetcher], told: list[Event]
):
    """Its stall budget is paid once, not for every source."""
    site.pages = {"/dl/lib-1.0.tar.gz": ARCHIVE}
    mine = fetcher()
    wanted = evolve(source(site.address), urls=(f"{DEAD}/x.tgz", *source(site.address).urls))
    assert order(mine, wanted) == list(wanted.urls)
    assert fetched(mine, wanted) == Tree.of(TREE).root
    assert order(mine, wanted) == list(wanted.urls[::-1])
    assert told == []


def test_a_circle_of_redirects_is_one_address_that_refuses(fetcher: Callable[..., UrlFetcher]):
    """Its server answers, and may have another file."""
    mine = fetcher()

    def round_and_round(_asked: Asked, send: Callable[[bytes], None]) -> None:
        send(head("302 Found", "Location: /round", "Content-Length: 0"))

    with serve(round_and_round) as server:
        with pytest.raises(SourceError, match="no address had it"):
            fetched(mine, evolve(source(server.url), urls=(f"{server.url}/x.tgz",)))
        assert not mine.files.doubted(Address(f"{server.url}/y.tgz"))


def test_a_full_disk_is_no_fault_of_a_mirror(tmp_path: Path, fetcher: Callable[..., UrlFetcher]):
    """Also where the mirror is a folder: nothing is asked of the next address."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here/big").write_bytes(bytes(1 << 20))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    wanted = evolve(source("http://e.org"), urls=("http://e.org/big", f"{DEAD}/big"))
    mine = fetcher(("http://e.org/", f"{tmp_path}/here/"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(StoreError, match="cannot keep the download"):
            fetched(mine, wanted)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not mine.files.doubted(Address(DEAD))


def test_a_machine_without_apt_still_names_every_attempt(fetcher: Callable[..., UrlFetcher]):
    with pytest.raises(SourceError) as caught:
        fetched(fetcher(), evolve(source(DEAD), debian=DEBIAN))
    assert "apt on this machine knows no archive" in caught.value.details[-1]


def test_a_machine_without_apt_asks_what_the_snapshot_archive_has_now(
    site: Site, fetcher: Callable[..., UrlFetcher]
):
    """Nobody notes when a file of a source package was there."""
    mine = fetcher(snapshots=f"{site.address}/archive")
    with pytest.raises(SourceError):
        fetched(mine, evolve(source(DEAD), debian=DEBIAN))
    (path,) = site.paths
    match = re.fullmatch(r"/archive/(\d{8}T\d{6}Z)/pool/main/l/lib/lib_1.0.orig.tar.gz", path)
    assert match
    age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(match[1])
    assert dt.timedelta(0) <= age < dt.timedelta(minutes=10)


def test_a_variable_that_holds_no_address_is_one_of_the_attempts(
    fetcher: Callable[..., UrlFetcher], tmp_path: Path
):
    """The URL was tried before: neither hides the other."""
    environment = {"RVBUILD_DEBIAN_MIRROR": "deb.example"}
    mine = evolve(fetcher(), archives=lambda: find_archives(environment, tmp_path))
    with pytest.raises(SourceError) as caught:
        fetched(mine, evolve(source(DEAD), debian=DEBIAN))
    assert caught.value.details[0].startswith(f"{DEAD}/dl/lib-1.0.tar.gz: ")
    assert caught.value.details[-1] == (
        "RVBUILD_DEBIAN_MIRROR: not the address of an archive of Debian: 'deb.example'"
    )


def test_a_mirror_on_this_machine(tmp_path: Path, fetcher: Callable[..., UrlFetcher]):
    (tmp_path / "lib-1.0.tar.gz").write_bytes(ARCHIVE)
    for to in (str(tmp_path), f"file://{tmp_path}"):
        mine = fetcher((f"{DEAD}/dl", str(to)), offline=True)
        assert fetched(mine, source(DEAD)) == Tree.of(TREE).root


def test_offline_says_so(fetcher: Callable[..., UrlFetcher]):
    with pytest.raises(SourceError) as caught:
        fetched(fetcher(offline=True), source(DEAD))
    assert "this run is offline" in caught.value.details[0]
    assert hint_text(caught.value.hint).startswith("first run `rvbuild fetch TARGET` online")


def test_wrong_bytes_fall_to_the_next_address_with_a_notice(
    site: Site, fetcher: Callable[..., UrlFetcher], told: list[Event]
):
    site.pages = {"/dl/lib-1.0.tar.gz": ARCHIVE[:-1], POOL: ARCHIVE}
    wanted = evolve(source(site.address), debian=DEBIAN)
    assert fetched(fetcher(debian=f"{site.address}/debian"), wanted) == Tree.of(TREE).root
    assert "other bytes" in str(told[0])
    with pytest.raises(VerificationError) as caught:
        fetched(fetcher(), source(site.address))
    assert f"not {SHA256}" in caught.value.details[0]


def test_nothing_reaches_the_sink_of_a_wrong_file(site: Site, fetcher: Callable[..., UrlFetcher]):
    site.pages = {"/dl/lib-1.0.tar.gz": ARCHIVE + b"\0"}
    sink = DigestSink()
    with pytest.raises(VerificationError):
        fetcher().fetch(source(site.address), sink, no_progress)
    assert sink.nested == {}


@pytest.mark.parametrize("url", ["file:///etc/passwd", "/etc/passwd", "ftp://x/y", "-x/y", "a b/c"])
def test_only_http_is_a_url(fetcher: Callable[..., UrlFetcher], url: str):
    with pytest.raises(RecipeError):
        fetched(fetcher(), UrlSource(urls=(url,), sha256=SHA256))


def test_credentials_in_a_url_stay_out_of_errors(fetcher: Callable[..., UrlFetcher]):
    url = "http://user:s3cret@127.0.0.1:1/x.tgz?token=s3cret"
    with pytest.raises(SourceError) as caught:
        fetched(fetcher(), UrlSource(urls=(url,), sha256=SHA256))
    assert "s3cret" not in repr(caught.value) + "".join(caught.value.details)


# ---- mirrors


@pytest.mark.parametrize(
    ("rule", "url", "found"),
    [
        (("https://f.example/a", "/srv"), "https://f.example/a/b.tgz", "/srv/b.tgz"),
        (("https://f.example/a/", "/srv/"), "https://f.example/a/b/c", "/srv/b/c"),
        (("https://f.example/k3s", "/m"), "https://f.example/k3s", "/m"),
        (("https://f.example/k3s", "/m"), "https://f.example/k3s.git", "/m"),
        (("https://f.example/k3s.git", "/m"), "https://f.example/k3s", "/m"),
        (("https://f.example/k3s", "/m"), "https://f.example/k3s-charts", None),
        (
            ("https://f.example", "http://c.example/p"),
            "https://f.example/x",
            "http://c.example/p/x",
        ),
        (("https://f.example", "/m"), "https://f.example.evil/x", None),
    ],
)
def test_prefixes_end_at_path_components(rule: tuple[str, str], url: str, found: str | None):
    assert Mirrors((rule,)).of(url) == ((found,) if found else ())


def test_what_is_local():
    """As for git: a colon before the first slash is another machine's."""
    assert local_path("/a/b") == Path("/a/b")
    assert local_path("file:///a%20b") == Path("/a b")
    assert local_path("a/b") == Path("a/b").absolute()
    for remote in ("https://h/x", "git@h:x", "ext::sh", "ssh://h/x"):
        assert local_path(remote) is None
