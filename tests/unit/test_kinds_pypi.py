"""Wheels: whose index is asked, which wheel is taken, and what is believed."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from site_of_bytes import CLOSED, Asked, head, serve

from rvbuild.cli.remedies import hint_text
from rvbuild.core.digest import Digest
from rvbuild.core.errors import RecipeError, SourceError, VerificationError
from rvbuild.core.events import Event
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.core.tree import File, Nested, Tree
from rvbuild.kinds.pypi.fetch import PypiFetcher
from rvbuild.kinds.pypi.indexes import Indexes
from rvbuild.kinds.pypi.simple_index import index_name, parse_index
from rvbuild.kinds.pypi.source import Wheel
from rvbuild.kinds.pypi.spec import WheelSpec
from rvbuild.transfers.fetch_services import NoTransport
from rvbuild.transfers.pinned_files import PinnedFiles
from rvbuild.transfers.sinks import DigestSink
from rvbuild.transfers.transport import Patience, Transport
from rvbuild.transfers.urls import Credentials

Site = Any  # conftest.py has it; a test file imports no other
NewSite = Callable[[], Site]

NAME = "tool_x-1.2-py3-none-manylinux_2_17_x86_64.whl"


def wheel_bytes() -> bytes:
    """A wheel with a program and a plain file."""
    to = io.BytesIO()
    with zipfile.ZipFile(to, "w") as archive:
        for name, mode in (("tool/run", 0o100755), ("tool/data", 0o100644)):
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, name.encode())
    return to.getvalue()


WHEEL = wheel_bytes()
SHA256 = hashlib.sha256(WHEEL).hexdigest()
TREE: Nested = {
    "tool": {
        "run": File(Digest.of(b"tool/run"), executable=True),
        "data": File(Digest.of(b"tool/data")),
    }
}


def page(*rows: dict[str, Any]) -> bytes:
    return json.dumps({"meta": {"api-version": "1.1"}, "name": "tool-x", "files": rows}).encode()


def row(url: str, sha256: str = SHA256, filename: str = NAME) -> dict[str, Any]:
    return {"filename": filename, "url": url, "hashes": {"sha256": sha256} if sha256 else {}}


@pytest.fixture
def transport() -> Iterator[Transport]:
    with Transport(patience=Patience(tries=1), credentials=Credentials({})) as client:
        yield client


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def fetcher(tmp_path: Path, transport: Transport, told: list[Event]) -> Callable[..., PypiFetcher]:
    def make(
        *urls: str, offline: bool = False, links: tuple[object, ...] = (), ban: str = ""
    ) -> PypiFetcher:
        client = NoTransport() if offline else transport
        files = PinnedFiles(transport=client, temp=tmp_path / "temp", report=told.append)
        indexes = Indexes(
            links=tuple(map(str, links)), urls=urls, named_by=("the test",), forbidden_by=ban
        )
        return PypiFetcher(files=files, indexes=lambda: indexes)

    return make


SOURCE = Wheel(project="tool-x", version="1.2", filename=NAME, sha256=SHA256)


def fetched(fetcher: PypiFetcher, source: Wheel = SOURCE) -> Digest:
    sink = DigestSink()
    fetcher.fetch(source, sink, no_progress)
    return sink.tree.root


def test_a_wheel_is_resolved_and_fetched(site: Site, fetcher: Callable[..., PypiFetcher]):
    """JSON is asked for; links may be relative; executable bits come from the zip."""
    site.pages = {"/simple/tool-x/": page(row("../../files/x.whl")), "/files/x.whl": WHEEL}
    mine = fetcher(f"{site.address}/simple")
    assert mine.resolve("Tool_X", "1.2", "amd64") == SOURCE
    assert site.paths == ["/simple/tool-x/"]
    assert site.requests[0][1]["accept"].startswith("application/vnd.pypi.simple.v1+json")
    assert fetched(mine) == Tree.of(TREE).root


def test_an_html_index_serves_as_well(site: Site, fetcher: Callable[..., PypiFetcher]):
    link = f'<a href="/f/{NAME}#sha256={SHA256}" data-requires-python="&gt;=3">x</a>'
    site.pages = {
        "/tool-x/": f"<!DOCTYPE html><html><body>{link}</body></html>".encode(),
        f"/f/{NAME}": WHEEL,
    }
    mine = fetcher(site.address)
    assert mine.resolve("tool-x", "1.2", "amd64") == SOURCE
    assert fetched(mine) == Tree.of(TREE).root


def test_an_index_without_hashes_is_downloaded_to_pin_it(
    site: Site, fetcher: Callable[..., PypiFetcher]
):
    site.pages = {"/tool-x/": page(row("/w", sha256="")), "/w": WHEEL}
    assert fetcher(site.address).resolve("tool-x", "1.2", "amd64") == SOURCE


def test_the_next_index_is_asked_when_one_lacks_the_file(
    new_site: NewSite, fetcher: Callable[..., PypiFetcher]
):
    empty, full = new_site(), new_site()
    empty.pages = {"/tool-x/": page()}
    full.pages = {"/tool-x/": page(row("/w")), "/w": WHEEL}
    assert fetched(fetcher(empty.address, full.address)) == Tree.of(TREE).root
    with pytest.raises(SourceError) as caught:
        fetched(fetcher(empty.address, f"{empty.address}/none"))
    assert caught.value.details == (
        f"{empty.address}/tool-x/: it does not list the file",
        f"{empty.address}/none/tool-x/: not there (404 Not Found)",
    )


def test_a_link_that_is_no_http_does_not_hide_the_next(
    site: Site, fetcher: Callable[..., PypiFetcher]
):
    site.pages = {"/tool-x/": page(row("ftp://x.example/w"), row("/w")), "/w": WHEEL}
    assert fetched(fetcher(site.address)) == Tree.of(TREE).root


def test_other_bytes_are_passed_over_and_named(
    new_site: NewSite, fetcher: Callable[..., PypiFetcher], told: list[Event]
):
    """A lying index loses to an honest one, with a notice; alone it is a failed verification."""
    lying, honest = new_site(), new_site()
    lying.pages = {"/tool-x/": page(row("/w")), "/w": WHEEL[:-1] + b"?"}
    honest.pages = {"/tool-x/": page(row("/w")), "/w": WHEEL}
    assert fetched(fetcher(lying.address, honest.address)) == Tree.of(TREE).root
    assert f"{lying.address}/w: it has the SHA-256" in str(told[0])
    with pytest.raises(VerificationError):
        fetched(fetcher(lying.address))


def test_an_index_that_lists_another_hash_is_not_downloaded_from(
    site: Site, fetcher: Callable[..., PypiFetcher]
):
    site.pages = {"/tool-x/": page(row("/w", sha256="0" * 64)), "/w": WHEEL}
    with pytest.raises(VerificationError, match="other bytes"):
        fetched(fetcher(site.address))
    assert site.paths == ["/tool-x/"]


def test_credentials_go_to_the_indexes_own_origin_only(
    new_site: NewSite, fetcher: Callable[..., PypiFetcher]
):
    index, elsewhere = new_site(), new_site()
    index.pages = {"/tool-x/": page(row(f"{elsewhere.address}/w"), row("/w")), "/w": WHEEL}
    address = index.address.replace("://", "://user:s3cret@")
    assert fetched(fetcher(address)) == Tree.of(TREE).root
    expected = "Basic " + base64.b64encode(b"user:s3cret").decode()
    assert [h.get("authorization") for _, h in index.requests] == [expected, expected]
    assert [h.get("authorization") for _, h in elsewhere.requests] == [None]


PAGE = f'<a href="{NAME}">x</a> <a href="other-1-py3-none-any.whl">y</a>'


@pytest.mark.parametrize("form", ["folder", "URL of a folder", "short URL", "file", "page", "~"])
def test_links_of_this_machine_need_no_network(
    tmp_path: Path, fetcher: Callable[..., PypiFetcher], monkeypatch: pytest.MonkeyPatch, form: str
):
    """Whether a wheel is to be pinned or fetched."""
    folder = tmp_path / "my wheels"
    write(folder / "page.html", PAGE)
    write(folder / "notes.txt", "these are ours")
    (folder / NAME).write_bytes(WHEEL)
    monkeypatch.setenv("HOME", str(tmp_path))
    link = {
        "folder": str(folder),
        "URL of a folder": folder.as_uri(),
        "short URL": f"file:{folder}",
        "file": str(folder / NAME),
        "page": (folder / "page.html").as_uri(),
        "~": "~/my wheels",
    }[form]
    mine = fetcher(offline=True, links=(link,))
    assert mine.resolve("tool-x", "1.2", "amd64") == SOURCE
    assert fetched(mine) == Tree.of(TREE).root


def test_what_else_lies_in_a_folder_of_wheels_does_not_matter(
    tmp_path: Path, fetcher: Callable[..., PypiFetcher]
):
    """Folders are full of other things; a page that is named itself has to list something."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / NAME).write_bytes(WHEEL)
    for name, data in {
        "latin.html": b"<p>\xe4</p>",
        "empty.html": b"",
        "plain.htm": b"no page",
        "odd.html": b'{"files": 3}',
        "notes.txt": b"",
        "tool_x-1.2.tar.gz": b"",
        "bad.whl": b"",
    }.items():
        (folder / name).write_bytes(data)
    for name in ("folder.html", NAME.replace("1.2-", "1.2-7-")):
        (folder / name).mkdir()
    for name in ("nowhere.html", NAME.replace("1.2-", "1.2-8-")):
        (folder / name).symlink_to("nowhere")
    (folder / "loop").symlink_to("loop")
    mine = fetcher(links=(folder,), ban="the test")
    assert mine.resolve("tool-x", "1.2", "amd64") == SOURCE
    assert fetched(mine) == Tree.of(TREE).root
    with pytest.raises(SourceError) as caught:
        fetcher(links=(folder / "latin.html",)).resolve("tool-x", "1.2", "amd64")
    assert "no list of files" in caught.value.details[0]


def test_links_to_pages_and_files_of_a_server(site: Site, fetcher: Callable[..., PypiFetcher]):
    """One page for all projects, as ``--find-links`` has it; and a wheel by its address."""
    site.pages = {"/w/": PAGE.encode(), f"/w/{NAME}": WHEEL}
    for link in (f"{site.address}/w/", f"{site.address}/w/{NAME}"):
        mine = fetcher(links=(link,))
        assert mine.resolve("tool-x", "1.2", "amd64") == SOURCE
        assert fetched(mine) == Tree.of(TREE).root


def test_an_index_in_a_folder(tmp_path: Path, fetcher: Callable[..., PypiFetcher]):
    write(tmp_path / "simple/tool-x/index.html", f'<a href="../../{NAME}">x</a>')
    (tmp_path / NAME).write_bytes(WHEEL)
    mine = fetcher((tmp_path / "simple").as_uri(), offline=True)
    assert mine.resolve("tool-x", "1.2", "amd64") == SOURCE
    assert fetched(mine) == Tree.of(TREE).root


def test_links_come_before_indexes(site: Site, tmp_path: Path, fetcher: Callable[..., PypiFetcher]):
    """An index is asked only for what no link has."""
    site.pages = {"/tool-x/": page(row("/w")), "/w": WHEEL}
    (tmp_path / "wheels").mkdir()
    mine = fetcher(site.address, links=(tmp_path / "wheels",))
    assert fetched(mine) == Tree.of(TREE).root
    asked = len(site.requests)
    (tmp_path / "wheels" / NAME).write_bytes(WHEEL)
    assert fetched(mine) == Tree.of(TREE).root
    assert len(site.requests) == asked


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path, fetcher: Callable[..., PypiFetcher]):
    mine = fetcher(links=(tmp_path / "gone", "git@host:wheels"), ban="PIP_NO_INDEX")
    for call in (lambda: fetched(mine), lambda: mine.resolve("tool-x", "1.2", "amd64")):
        with pytest.raises(SourceError) as caught:
            call()
        assert caught.value.details == (
            f"{tmp_path}/gone: no such file or folder",
            "git@host:wheels: neither a file or folder of this machine nor an address",
            "PIP_NO_INDEX: it forbids package indexes",
        )
        assert "the test" in hint_text(caught.value.hint)


def test_forbidden_indexes_and_no_link(fetcher: Callable[..., PypiFetcher]):
    with pytest.raises(SourceError) as caught:
        fetched(fetcher(ban="PIP_NO_INDEX"))
    note = "PIP_NO_INDEX: it forbids package indexes, and no find-links names another place"
    assert caught.value.details == (note,)


def test_offline_says_so(fetcher: Callable[..., PypiFetcher]):
    mine = fetcher("http://127.0.0.1:1", offline=True)
    for call in (lambda: fetched(mine), lambda: mine.resolve("x", "1", "amd64")):
        with pytest.raises(SourceError) as caught:
            call()
        assert "this run is offline" in caught.value.details[0]


def test_links_are_relative_to_where_an_index_leads(fetcher: Callable[..., PypiFetcher]):
    """An index may move a page: to the name with a slash, or into another folder."""
    login = "user:secret@"

    def answer(asked: Asked, send: Callable[[bytes], None]) -> None:
        moved = {"/simple/tool-x/": "/mirror/deep/tool-x/", "/flat": "/flat/"}
        pages = {
            "/mirror/deep/tool-x/": page(row("../files/x.whl")),
            "/mirror/deep/files/x.whl": WHEEL,
            "/flat/": f'<a href="{NAME}#sha256={SHA256}">x</a>'.encode(),
            f"/flat/{NAME}": WHEEL,
        }
        if asked.path in moved:
            send(head("302 Found", f"Location: {moved[asked.path]}", CLOSED, "Content-Length: 0"))
            return
        is_there = asked.path in pages and "authorization" in asked.headers
        body = pages[asked.path] if is_there else b""
        status = "200 OK" if is_there else "404 Not Found"
        send(head(status, f"Content-Length: {len(body)}", CLOSED) + body)

    with serve(answer) as site:
        address = site.url.replace("//", f"//{login}")
        for mine in (fetcher(f"{address}/simple"), fetcher(links=(f"{address}/flat",))):
            assert mine.resolve("tool-x", "1.2", "amd64") == SOURCE
            assert fetched(mine) == Tree.of(TREE).root


def test_a_release_without_a_fitting_wheel_is_an_error(
    site: Site, fetcher: Callable[..., PypiFetcher]
):
    site.pages = {"/tool-x/": page(row("/w"))}
    with pytest.raises(SourceError) as caught:
        fetcher(site.address).resolve("tool-x", "1.2", "riscv64")
    assert f"no wheel of 1.2 for Linux on riscv64; of 1.2 it has {NAME}" in caught.value.details[0]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"files": 3}', b'{"files": [3]}', b"\xff", b"plain", b"{" * 9999]
)
def test_a_bad_answer_is_a_source_error(
    site: Site, fetcher: Callable[..., PypiFetcher], body: bytes
):
    site.pages = {"/tool-x/": body}
    with pytest.raises(SourceError) as caught:
        fetcher(site.address).resolve("tool-x", "1.2", "amd64")
    assert "no list of files" in caught.value.details[0]


def test_another_major_version_of_the_api_is_refused():
    with pytest.raises(SourceError, match="version 2"):
        parse_index(b'{"meta": {"api-version": "2.0"}, "files": []}', "http://x.example/p/")


def test_file_names_that_are_paths_are_dropped():
    rows = [row("/w", filename=name) for name in ("../x.whl", "a/b.whl", "", ".x", "a\x1b.whl")]
    assert parse_index(page(*rows), "http://x.example/p/") == []


@pytest.mark.parametrize("project", ["", "../x", "a/b", "-x", "x?", "ä"])
def test_impossible_projects_are_refused(project: str):
    with pytest.raises(RecipeError):
        index_name(project)


@pytest.mark.parametrize(("version", "fits"), [("v1.2.0", True), ("1.2", True), ("1.3", False)])
def test_a_lock_fits_a_recipe_that_spells_the_version_otherwise(version: str, fits: bool):  # noqa: FBT001
    rows = list(WheelSpec(project="Tool_X", version=version).compare(SOURCE, "amd64"))
    assert all(locked == expected for _, locked, expected in rows) is fits


@pytest.mark.parametrize("version", ["one", "", "1.0-x-y", "1/0"])
def test_what_is_no_version_is_refused(version: str, fetcher: Callable[..., PypiFetcher]):
    with pytest.raises(RecipeError, match="not the version of a Python project"):
        fetcher("http://127.0.0.1:1").resolve("p", version, "amd64")
