"""Where a login ends: no transport shows it, and one that can be read in two ways asks nobody."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import define, evolve
from error_words import words
from made_crates import cargo_home
from site_of_bytes import CLOSED, Asked, Served, client, head, serve

from rvbuild.app.refusals import refuse_unfit_mirrors
from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import RecipeError, SourceError, UsageError
from rvbuild.core.go_source import GoModule
from rvbuild.core.login import TWO_WAYS
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.core.ports.fetcher import AnyFetcher
from rvbuild.core.source import Source
from rvbuild.kinds.crates.source import Crate
from rvbuild.kinds.debian.fetch import DebianFetcher
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.go.go_settings import go_settings
from rvbuild.kinds.go.import_root import root_by_page
from rvbuild.kinds.pypi.indexes import find_indexes
from rvbuild.kinds.pypi.source import Wheel
from rvbuild.kinds.table import fetch_module
from rvbuild.kinds.url.source import UrlSource
from rvbuild.transfers.apt_config import Archives, find_archives
from rvbuild.transfers.fetch_services import FetchServices
from rvbuild.transfers.fetch_settings import FetchSettings
from rvbuild.transfers.sinks import DigestSink
from rvbuild.transfers.transport import Patience

# ---- transports

LOGINS = {
    "a slash": "alice:S3c/retWord",
    "digits and a slash": "alice:12/S3cretWord",
    "a slash at the end": "alice:12/S3cretWord/",
    "a hash": "alice:S3c#retWord",
    "a question mark": "alice:12?S3cretWord",
    "two at signs": "alice:S3c@retWord",
    "an address for a name": "alice@corp.com:S3cretWord",
    "an at sign and a slash": "alice:S3c@ret/Word",
    "a slash in the name": "al/ice:S3cretWord",
    "nothing before a slash": "/alice:S3cretWord",
    "escaped": "alice%40corp.com:S3c%2FretWord",
    "plain": "alice:S3cretWord",
}
SHOWN_NEVER = ("alice", "ice:", "al/", "corp.com", "S3c", "ret", "Word")
ONE_READING = ("escaped", "plain")
SHA = "0" * 64


@define
class Company:
    """A server, a folder for what a user has, and the answers of the server by path."""

    folder: Path
    served: Served
    pages: dict[str, bytes]

    def address(self, login: str) -> str:
        return self.served.url.replace("://", f"://{login}@")

    def client(self, kind: str, *mirrors: tuple[str, str], **more: str) -> AnyFetcher:
        """A kind's client for this user."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        base = {"PATH": os.environ["PATH"], "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}
        environment = base | {"NETRC": str(home / "none")} | more
        settings = FetchSettings(tmp=str(home), mirrors=mirrors, environment=environment)
        once = Patience(tries=1, first=0.0, retry_after=0.0)
        return fetch_module(kind).client(FetchServices(settings, patience=once))


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    pages: dict[str, bytes] = {}
    absent = head("404 Not Found", "Content-Length: 0", CLOSED)

    def answer(asked: Asked, send: Callable[[bytes], None]) -> None:
        send(pages.get(asked.path, absent))

    with serve(answer) as served:
        yield Company(tmp_path, served, pages)


Transport = Callable[[Company, str], tuple[AnyFetcher, Source]]
"""A client, and what it fetches from the address."""


def url(at: Company, address: str) -> tuple[AnyFetcher, Source]:
    return at.client("url"), UrlSource(urls=(f"{address}/x.tgz",), sha256=SHA)


def mirror(at: Company, address: str) -> tuple[AnyFetcher, Source]:
    client = at.client("url", ("http://127.0.0.1:1/", f"{address}/"))
    return client, UrlSource(urls=("http://127.0.0.1:1/foo@1.tgz",), sha256=SHA)


def goproxy(at: Company, address: str) -> tuple[AnyFetcher, Source]:
    client = at.client("go-module", GOPROXY=address, GOENV="off")
    return client, GoModule(path="example.org/m", version="v1.0.0", h1=f"h1:{'A' * 43}=")


def index(at: Company, address: str) -> tuple[AnyFetcher, Source]:
    more = {"PIP_INDEX_URL": f"{address}/simple", "PIP_CONFIG_FILE": os.devnull}
    wheel = Wheel(project="x", version="1", filename="x-1-py3-none-any.whl", sha256=SHA)
    return at.client("pypi", **more), wheel


def registry(at: Company, address: str) -> tuple[AnyFetcher, Source]:
    home = cargo_home(at.folder / "cargo", f'registry = "sparse+{address}/index/"')
    return at.client("crate", CARGO_HOME=str(home)), Crate(name="x", version="1.0.0", sha256=SHA)


def archive(at: Company, address: str) -> tuple[AnyFetcher, Source]:
    client = at.client("debian")
    assert isinstance(client, DebianFetcher)
    package = DebianPackage(
        name="x", version="1", architecture="amd64", pool="pool/x.deb", sha256=SHA, size=1
    )
    return evolve(client, archives=lambda: Archives((f"{address}/debian",))), package


def _git_source(address: str) -> Source:
    return GitSource(url=f"{address}/r", commit="1" * 40, tree="1" * 40, date=0)


def git(at: Company, address: str) -> tuple[AnyFetcher, Source]:
    return at.client("git"), _git_source(address)


def git_mirror(at: Company, address: str) -> tuple[AnyFetcher, Source]:
    return at.client("git", ("http://127.0.0.1:1", address)), _git_source("http://127.0.0.1:1")


def instead_of(at: Company, address: str) -> tuple[AnyFetcher, Source]:
    text = f'[url "{address}/"]\n\tinsteadOf = http://127.0.0.1:1/\n'
    (at.folder / "config").write_text(text)
    client = at.client("git", GIT_CONFIG_GLOBAL=str(at.folder / "config"))
    return client, _git_source("http://127.0.0.1:1")


TRANSPORTS: dict[str, Transport] = {
    "url": url,
    "mirror": mirror,
    "GOPROXY": goproxy,
    "index": index,
    "registry": registry,
    "archive": archive,
    "git": git,
    "git's mirror": git_mirror,
    "insteadOf": instead_of,
}


def refused(transport: Transport, at: Company, address: str) -> str:
    """All that a person is told, and an answer in JSON has."""

    def fetch() -> None:
        client, source = transport(at, address)
        client.fetch(source, DigestSink(), no_progress)

    with pytest.raises((SourceError, RecipeError)) as caught:
        fetch()
    return words(caught.value)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize("form", LOGINS)
@pytest.mark.parametrize("transport", TRANSPORTS.values(), ids=TRANSPORTS)
def test_no_transport_shows_a_login_or_asks_a_part_of_it(
    company: Company, transport: Transport, form: str
):
    said = refused(transport, company, company.address(LOGINS[form]))
    assert not [part for part in SHOWN_NEVER if part in said.replace("secret", "")], said
    if form in ONE_READING:
        assert company.served.asked, said
    else:
        assert "two ways" in said
        assert "%2F" in said
        assert company.served.asked == []


@pytest.mark.parametrize("form", LOGINS)
def test_a_mirror_that_can_be_read_in_two_ways_ends_the_run_before_it_begins(form: str):
    rules = [("https://files.example/", f"https://{LOGINS[form]}@127.0.0.1:1/")]
    if form in ONE_READING:
        refuse_unfit_mirrors(rules)
        return
    with pytest.raises(UsageError, match=TWO_WAYS) as caught:
        refuse_unfit_mirrors(rules)
    assert not [part for part in SHOWN_NEVER if part in words(caught.value)]


@pytest.mark.parametrize("variable", ["RVBUILD_DEBIAN_MIRROR", "RVBUILD_DEBIAN_SNAPSHOT"])
def test_a_variable_that_can_be_read_in_two_ways_is_refused(tmp_path: Path, variable: str):
    address = "http://alice:12/S3cretWord@b.example/debian"
    with pytest.raises(SourceError, match="two ways") as caught:
        find_archives({"PATH": "", variable: address}, tmp_path)
    assert "'http://…@b.example/debian'" in words(caught.value)
    assert not [part for part in SHOWN_NEVER if part in words(caught.value)]


def test_an_address_of_apt_that_can_be_read_in_two_ways_is_not_passed_over(tmp_path: Path):
    """Whoever asks it is told so, as the archive of the table above."""
    address = "http://alice:12/S3cretWord@127.0.0.1:1/debian"
    (tmp_path / "sources.list").write_text(f"deb {address} bookworm main\n")
    assert address in find_archives({"PATH": ""}, tmp_path).bases


# ---- what is no address at all

NO_ADDRESS = ("al:S3c ret@h.example", "al:[S3cret@h.example", "al:S3c\tret@h.example:1")


def of_go(text: str) -> object:
    return go_settings({"GOPROXY": text, "GOENV": "off", "PATH": ""})


def of_pip(text: str) -> object:
    return find_indexes({"PIP_INDEX_URL": text, "HOME": os.devnull})


def of_debian(text: str) -> object:
    return find_archives({"RVBUILD_DEBIAN_MIRROR": text}, Path(os.devnull))


@pytest.mark.parametrize("scheme", ["https://", ""])
@pytest.mark.parametrize("text", NO_ADDRESS)
@pytest.mark.parametrize("ask", [of_debian, of_go, of_pip])
def test_an_address_with_a_bad_login_says_how_to_write_it(
    ask: Callable[[str], object], text: str, scheme: str
):
    """No part of the login is shown, also where a space cuts it in two."""
    with pytest.raises(SourceError) as caught:
        ask(f"{scheme}{text}/simple")
    said = f"{caught.value} {hint_text(caught.value.hint)}"
    assert "%40" in said
    assert not [part for part in ("al:", "S3c", "ret") if part in said], said


def test_an_address_without_a_login_needs_no_word_of_one():
    for ask in (of_debian, of_pip):
        with pytest.raises(SourceError, match=r"'h\.example/simple'") as caught:
            ask("h.example/simple")
        assert "%40" not in hint_text(caught.value.hint)


def test_a_comma_cuts_a_login_of_goproxy():
    with pytest.raises(SourceError, match="no URL") as caught:
        of_go("https://al:S3c,ret@h.example/")
    assert "%40" in hint_text(caught.value.hint)


# ---- what a server wrote

LOCATIONS = (
    "{url}real?GoogleAccessId=svc@proj.example&Signature=S3cret",
    "{url}team/x@corp/real?user=svc@proj.example",
    "{login}real",
)


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_redirect_has_the_reading_of_our_own_client(location: str):
    """Its login is sent to nobody."""
    other: list[Asked] = []

    def answer(asked: Asked, send: Callable[[bytes], None]) -> None:
        if "real" in asked.path:
            other.append(asked)
            send(head("200 OK", "Content-Length: 2", CLOSED) + b"ok")
        else:
            login = served.url.replace("://", "://al:S3cret@")
            to = location.format(url=f"{served.url}/", login=f"{login}/")
            send(head("302 Found", f"Location: {to}", "Content-Length: 0", CLOSED))

    with serve(answer) as served, client() as http:
        assert http.get(f"{served.url}/begin") == b"ok"
    assert [asked.headers.get("authorization") for asked in other] == [None]


WAYS = {
    "ftp://al:S3cret@b.example/x?key=S3cret": "not an http or https URL",
    "http://al:S3c/ret@b.example/x": "not a valid URL",
    "http://b..example/x@y?key=S3cret": "its host is no name of a server",
    "http://[bad/S3cret@": "not a valid URL",
}


@pytest.mark.parametrize(("location", "reason"), WAYS.items(), ids=WAYS)
def test_a_redirect_that_cannot_be_followed_is_refused_with_the_reason(location: str, reason: str):
    def answer(_asked: Asked, send: Callable[[bytes], None]) -> None:
        send(head("302 Found", f"Location: {location}", "Content-Length: 0", CLOSED))

    with serve(answer) as served, client() as http, pytest.raises(SourceError) as caught:
        http.get(f"{served.url}/begin")
    said = words(caught.value)
    assert reason in said
    assert "S3c" not in said
    assert "ret@" not in said


def test_a_link_of_an_index_has_the_reading_of_our_own_client(company: Company):
    """The address of the link, with the port before and a name after its @, could be a person's."""
    page = b'<a href="/team@corp/x-1-py3-none-any.whl">x</a>'
    company.pages["/simple/x/"] = head("200 OK", f"Content-Length: {len(page)}", CLOSED) + page
    client, source = index(company, company.served.url)
    with pytest.raises(SourceError):
        client.fetch(source, DigestSink(), no_progress)
    assert company.served.asked[-1].path == "/team@corp/x-1-py3-none-any.whl"


def test_a_registry_may_have_its_crates_at_such_an_address(company: Company):
    page = f'{{"dl":"{company.served.url}/team@corp/{{crate}}"}}'.encode()
    answer = head("200 OK", f"Content-Length: {len(page)}", CLOSED) + page
    company.pages["/index/config.json"] = answer
    client, source = registry(company, company.served.url)
    with pytest.raises(SourceError):
        client.fetch(source, DigestSink(), no_progress)
    assert company.served.asked[-1].path == "/team@corp/x"


def test_a_page_of_go_may_name_no_repository_that_git_reads_otherwise():
    html = '<meta name="go-import" content="a.example/m git https://b.example:80/team@corp/x">'
    with pytest.raises(SourceError, match=TWO_WAYS) as caught:
        root_by_page("a.example/m", lambda _url: html.encode())
    assert "https://…@corp/x" in caught.value.message


@pytest.mark.parametrize("form", LOGINS)
def test_a_place_of_find_links_is_what_a_person_wrote(company: Company, form: str):
    more = {"PIP_FIND_LINKS": company.address(LOGINS[form]), "PIP_NO_INDEX": "1"}
    client = company.client("pypi", PIP_CONFIG_FILE=os.devnull, **more)
    said = refused(lambda _at, _address: (client, index(company, "")[1]), company, "")
    assert ("two ways" in said) is (form not in ONE_READING), said
    assert bool(company.served.asked) is (form in ONE_READING)
    assert not [part for part in SHOWN_NEVER if part in said.replace("secret", "")], said
