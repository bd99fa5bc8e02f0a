"""What a page of a package index may list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvbuild.core.errors import SourceError
from rvbuild.kinds.pypi.listing import listed_by_link
from rvbuild.kinds.pypi.simple_index import parse_index
from rvbuild.transfers.addresses import Address, is_http
from rvbuild.transfers.fetch_services import NoTransport

GOOD = "tool-1.2-py3-none-any.whl"
SERVER = "https://index.example/simple/tool/"
LOGIN = "https://me:secret@index.example/simple/tool/"
HERE = "file:///srv/index/tool/index.html"
ODD = [
    "mailto:somebody@index.example",
    "javascript:void(0)",
    "http://[x",
    "http://[::1",
    "https://",
    "https:///x.whl",
    "http://host:port/x.whl",
    "http://host:99999/x.whl",
    "ftp://index.example/x.whl",
    "data:,x",
    "//",
    "\x00",
    "http://a\nb/",
]
LOCAL = ["file:///etc/hostname", "file:/dev/zero", "FILE:///dev/zero", "file://localhost/etc/x.whl"]


def json_page(links: list[str]) -> bytes:
    rows = [{"filename": f"{n}.whl", "url": link} for n, link in enumerate(links)]
    return json.dumps({"files": [*rows, {"filename": GOOD, "url": GOOD}]}).encode()


def html_page(links: list[str]) -> bytes:
    anchors = [f'<a href="{link}">x</a>' for link in links]
    return "\n".join(["<html>", *anchors, f'<a href="{GOOD}">x</a>']).encode()


PAGES = {"json": json_page, "html": html_page}


@pytest.mark.parametrize("form", PAGES)
@pytest.mark.parametrize("page", [SERVER, LOGIN, HERE])
@pytest.mark.parametrize("link", ODD)
def test_an_odd_link_does_not_hide_the_others(link: str, page: str, form: str):
    """Nothing can be asked for there."""
    files = parse_index(PAGES[form]([link]), page)
    assert [file.filename for file in files][-1:] == [GOOD]
    assert all(is_http(file.url) or page == HERE for file in files)
    assert files[-1].url == page.rpartition("/")[0] + "/" + GOOD


@pytest.mark.parametrize("form", PAGES)
@pytest.mark.parametrize("link", LOCAL)
def test_only_a_page_of_this_machine_names_files_of_it(link: str, form: str):
    for page in (SERVER, LOGIN):
        assert [file.filename for file in parse_index(PAGES[form]([link]), page)] == [GOOD]
    assert len(parse_index(PAGES[form]([link]), HERE)) == 2


@pytest.mark.parametrize("base", [*LOCAL, "file:///etc/", "http://[x"])
def test_a_base_does_not_lead_to_this_machine(base: str):
    """The base of a page is a link of it like any other."""
    page = f'<base href="{base}">'.encode() + html_page([])
    assert [file.url for file in parse_index(page, SERVER)] == [SERVER + GOOD]
    elsewhere = b'<base href="https://files.example/d/">' + html_page([])
    assert [file.url for file in parse_index(elsewhere, LOGIN)] == [
        "https://files.example/d/" + GOOD
    ]


@given(st.lists(st.text(max_size=30) | st.sampled_from([*ODD, *LOCAL]), max_size=5))
def test_whatever_a_server_lists_is_of_a_server(links: list[str]):
    for page in (SERVER, LOGIN):
        files = parse_index(json_page(links), page)
        assert files[-1].filename == GOOD
        assert all(Address(file.url).path is None for file in files)


def test_a_page_of_find_links_has_what_is_beside_it(tmp_path: Path):
    """Control: the user's own page names a file by its path, and by a URL."""
    (tmp_path / "page.html").write_bytes(html_page([(tmp_path / "w.whl").as_uri()]))
    transport = NoTransport()
    files = listed_by_link(transport, str(tmp_path / "page.html"))
    assert [Address(file.url).path for file in files] == [tmp_path / "w.whl", tmp_path / GOOD]
    with pytest.raises(SourceError):
        listed_by_link(transport, "https://index.example/page.html")
