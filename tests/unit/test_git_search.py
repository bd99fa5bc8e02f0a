"""The search for a revision: the order of repositories, and what a person hears of each."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from attrs import define, evolve, field
from git_server import serving, smart_http
from misbehaviour import is_silent, listening, says

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import SourceError, VerificationError
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.git.clone_urls import check_url, host_of
from rvbuild.git.clones import Clones
from rvbuild.git.commit_reader import CommitReader
from rvbuild.git.process import Failed
from rvbuild.git.repositories import Repositories
from rvbuild.git.repository import Repository
from rvbuild.git.revision import Refspecs, Revision
from rvbuild.git.search import Search
from rvbuild.transfers.mirrors import Mirrors
from rvbuild.transfers.servers import PAUSE, Servers, Silence

URL = "http://127.0.0.1:1/name"
TAG = Revision(tag="v1")
EVERYTHING = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")


@define
class Clock:
    """Seconds that grow when told to."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@define
class World:
    """Repositories with one commit each, which has the tag ``v1``, and a user's git."""

    root: Path
    posts: list[str] = field(factory=list)

    def repository(self, name: str, form: str = "sha1") -> Path:
        folder = self.root / name
        folder.mkdir()
        environment = {"PATH": os.environ["PATH"], "HOME": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        for command in (
            ["init", "-q", f"--object-format={form}"],
            ["-c", "user.name=A", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-mx"],
            ["tag", "v1"],
        ):
            subprocess.run(["git", *command], cwd=folder, env=environment, check=True)
        return folder

    def commit(self, name: str) -> str:
        return (self.root / name / ".git/refs/tags/v1").read_text().strip()

    def settings(
        self, *mirrors: tuple[str, str], config: str = "", offline: bool = False, path: str = ""
    ) -> Repositories:
        (self.root / ".gitconfig").write_text(config)
        environment = {"PATH": path or os.environ["PATH"], "HOME": str(self.root)}
        return Repositories(
            mirrors=Mirrors(mirrors),
            clones=Clones(folder=self.root / "clones", temp=self.root / "temp"),
            environment=environment | {"GIT_CONFIG_NOSYSTEM": "1"},
            offline=offline,
        )

    def service(self) -> type[BaseHTTPRequestHandler]:
        """Git's own, which notes what is asked for."""
        base, posts = smart_http(self.root), self.posts

        class Noting(base):  # type: ignore[misc,valid-type]
            def do_POST(self) -> None:  # noqa: N802 - http.server's name
                posts.append(self.path)
                super().do_GET()

        return Noting


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def searched(settings: Repositories, revision: Revision, url: str = URL) -> str:
    """The commit that a search comes to."""
    search = Search(settings, url, revision)

    def read(repository: Repository) -> str:
        with CommitReader.opened(search.need_git(), repository, revision) as reader:
            return reader.commit(revision)

    commit = search.first(search.repositories(no_progress), read)
    if commit is None:
        raise search.error()
    return commit


# ---- what is asked for


@pytest.mark.parametrize(
    ("revision", "fetches"),
    [
        (
            Revision(tag="a/v1"),
            [
                Refspecs(("+refs/tags/a/v1:refs/tags/a/v1",), ("--depth=1",)),
                Refspecs(("+refs/tags/a/v1:refs/tags/a/v1",)),
            ],
        ),
        (
            Revision(commit="1" * 40),
            [Refspecs((f"+{'1' * 40}:refs/rvbuild/pin",), ("--depth=1",)), Refspecs(EVERYTHING)],
        ),
        (
            Revision(commit="1" * 64),
            [Refspecs((f"+{'1' * 64}:refs/rvbuild/pin",), ("--depth=1",)), Refspecs(EVERYTHING)],
        ),
        (Revision(commit="1" * 12), [Refspecs(EVERYTHING)]),
    ],
)
def test_how_git_is_asked_for_a_revision(revision: Revision, fetches: list[Refspecs]):
    assert list(revision.fetches) == fetches


@pytest.mark.parametrize("names", ["sha1", "sha256"])
@pytest.mark.parametrize("form", ["tag", "commit", "beginning"])
def test_each_form_of_a_revision_is_cloned(world: World, form: str, names: str):
    folder = world.repository("a", names)
    name = world.commit("a")
    forms = {"tag": TAG, "commit": Revision(commit=name), "beginning": Revision(commit=name[:12])}
    with serving(world.service()) as address:
        assert searched(world.settings(), forms[form], f"{address}/a/.git") == name
    assert searched(world.settings(offline=True), forms[form], f"{address}/a/.git") == name
    assert searched(world.settings((URL, str(folder)), offline=True), forms[form]) == name


@pytest.mark.parametrize("revision", [Revision(tag="v9"), Revision(commit="9" * 12)])
def test_a_clone_without_the_revision_is_not_kept(world: World, revision: Revision):
    world.repository("a")
    with serving(world.service()) as address, pytest.raises(SourceError) as caught:
        searched(world.settings(), revision, f"{address}/a/.git")
    (line,) = caught.value.details
    assert line.startswith(f"{address}/a/.git: ")
    assert not list((world.root / "clones").iterdir())
    assert not list((world.root / "temp").iterdir())


# ---- who is asked, in which order


def test_mirrors_here_come_before_instead_of_and_both_before_any_server(world: World):
    one, two = world.repository("one"), world.repository("two")
    lacking, lost = world.root / "lacking", world.root / "lost"
    (lacking / "objects").mkdir(parents=True)
    (lacking / "HEAD").write_text("ref: refs/heads/none\n")
    lost.mkdir()
    config = f'[url "{two}"]\n\tinsteadOf = {URL}\n'
    dead = (URL, "http://127.0.0.1:1/other")
    bad = ((URL, str(lacking)), (URL, str(lost)))
    assert searched(world.settings(dead, *bad, (URL, str(one)), config=config), TAG) == (
        world.commit("one")
    )
    assert searched(world.settings(dead, *bad, config=config), TAG) == world.commit("two")
    with pytest.raises(SourceError) as caught:
        searched(world.settings(dead, bad[0]), TAG)
    places = [line.partition(": ")[0] for line in caught.value.details]
    assert places == [str(lacking), dead[1], URL]
    with pytest.raises(SourceError, match="is not a git repository") as caught:
        searched(world.settings(dead, *bad), TAG)
    places = [line.partition(": ")[0] for line in caught.value.details]
    assert places == [str(lacking), str(lost)]


UNREADABLE = "/proc/self/mem"
"""A regular file whose first byte nobody can read, not even root."""


@pytest.mark.parametrize("file", ["refs/tags/v1", "packed-refs"])
def test_refs_that_cannot_be_read_lead_to_the_next(world: World, file: str):
    """What is wrong with somebody's folder is one line, and ends no run."""
    bad, good = world.repository("bad"), world.repository("good")
    (bad / ".git/refs/tags/v1").unlink()
    (bad / ".git" / file).symlink_to(UNREADABLE)
    assert searched(world.settings((URL, str(bad)), (URL, str(good))), TAG) == world.commit("good")
    with pytest.raises(SourceError) as caught:
        searched(world.settings((URL, str(bad)), offline=True), TAG)
    assert caught.value.details == (f"{bad}: its refs cannot be read: Input/output error",)


def test_a_tag_that_no_file_can_be_called_by(world: World):
    here = (URL, str(world.repository("a")))
    with pytest.raises(SourceError) as caught:
        searched(world.settings(here, offline=True), Revision(tag="v" * 300))
    assert caught.value.details == (f"{here[1]}: its refs cannot be read: File name too long",)


@pytest.mark.parametrize("file", [".git", "commondir"])
def test_a_folder_whose_way_to_its_objects_cannot_be_read(world: World, file: str):
    (world.root / "linked").mkdir()
    (world.root / "linked" / file).symlink_to(UNREADABLE)
    here = world.settings((URL, str(world.root / "linked")), offline=True)
    with pytest.raises(SourceError) as caught:
        searched(here, TAG)
    assert "it is not a git repository" in caught.value.details[0]


def test_where_instead_of_leads_to_a_folder_the_address_is_not_asked(world: World):
    folder = world.repository("a")
    with serving(world.service()) as address:
        url = f"{address}/a/.git"
        config = f'[url "{folder}"]\n\tinsteadOf = {url}\n'
        with pytest.raises(SourceError) as caught:
            searched(world.settings(config=config), Revision(tag="v9"), url)
        assert caught.value.details == (f"{folder}: it has no tag v9",)
        assert world.posts == []
        assert searched(world.settings(), TAG, url) == world.commit("a")
        assert world.posts


def test_a_clone_is_made_once_for_all_threads(world: World):
    world.repository("a")
    with serving(world.service()) as address, ThreadPoolExecutor(8) as pool:
        settings = world.settings()
        jobs = [pool.submit(searched, settings, TAG, f"{address}/a/.git") for _ in range(8)]
        assert {job.result() for job in jobs} == {world.commit("a")}
    alone = len(world.posts)
    with serving(world.service()) as address:
        searched(world.settings(), TAG, f"{address}/a/.git")
    assert len(world.posts) == 2 * alone


def test_a_clone_that_somebody_removed_is_made_again(world: World):
    world.repository("a")
    settings = world.settings()
    with serving(world.service()) as address:
        searched(settings, TAG, f"{address}/a/.git")
        alone = len(world.posts)
        (clone,) = settings.clones.folder.iterdir()
        kept = settings.clones.kept(f"{address}/a/.git", TAG)
        assert kept is not None
        settings.clones.discard(Repository("", clone / "objects"))
        assert clone.exists()
        settings.clones.discard(kept)
        assert not clone.exists()
        searched(settings, TAG, f"{address}/a/.git")
    assert clone.exists()
    assert len(world.posts) == 2 * alone


# ---- servers without an answer


@pytest.mark.parametrize("silent", [True, False])
def test_a_server_without_an_answer_costs_its_budget_once(world: World, silent: bool):  # noqa: FBT001
    """It refuses connections, or accepts them and says nothing."""
    settings = evolve(world.settings(), stall=0.3)
    with socket.create_server(("127.0.0.1", 0)) as at:
        address = f"http://127.0.0.1:{at.getsockname()[1] if silent else 1}"
        lines = []
        for number in range(3):
            with pytest.raises(SourceError) as caught:
                searched(settings, Revision(tag=f"v{number}"), f"{address}/{number}")
            lines += caught.value.details
    first = lines[0].partition(": ")[2]
    assert ("no progress for 0.3 s" if silent else "127.0.0.1 port 1") in first
    again = [f"{address}/{number}: not asked again: {first}" for number in (1, 2)]
    assert lines[1:] == again


def test_a_server_that_answers_no_is_asked_for_the_next(world: World):
    world.repository("a")
    settings = world.settings()
    with serving(world.service()) as address:
        with pytest.raises(SourceError):
            searched(settings, TAG, f"{address}/nothing/.git")
        assert searched(settings, TAG, f"{address}/a/.git") == world.commit("a")


def given_up(settings: Repositories, *servers: str) -> list[str]:
    """Those of servers that are given up now; this spends no try while their pause lasts."""
    return [each for each in servers if settings.servers.refusal(each)]


@pytest.mark.parametrize("name", ["a", "nothing"])
def test_an_answer_brings_a_server_back(world: World, name: str):
    """Also one that says no: afterwards the next commit is asked for, and the one after that."""
    world.repository("a")
    clock = Clock()
    settings = evolve(world.settings(), servers=Servers(clock))
    with serving(world.service()) as address:
        host = host_of(address)
        settings.servers.give_up(host, Silence("it was restarted"))
        with pytest.raises(SourceError) as caught:
            searched(settings, TAG, f"{address}/a/.git")
        (line,) = caught.value.details
        assert line.endswith(": not asked again: it was restarted")
        clock.now += PAUSE
        with suppress(SourceError):
            searched(settings, TAG, f"{address}/{name}/.git")
        assert given_up(settings, host) == []
        assert searched(settings, TAG, f"{address}/a/.git") == world.commit("a")


def test_a_dead_proxy_of_git_costs_its_time_once(world: World):
    """For all servers behind it; it is they who are asked when it runs again."""
    clock = Clock()
    config = "[http]\n\tproxy = http://127.0.0.1:1\n"
    settings = evolve(world.settings(config=config), servers=Servers(clock))
    lines = []
    for host in "abc":
        with pytest.raises(SourceError) as caught:
            searched(settings, TAG, f"http://{host}.example/r")
        lines += [line.partition(": ")[2] for line in caught.value.details]
    assert lines[1:] == [f"not asked again: {lines[0]}"] * 2
    proxy = "the proxy http://127.0.0.1:1"
    assert given_up(settings, proxy, "a.example", "b.example") == [proxy]


def wants_no_login(connection: socket.socket) -> None:
    """A SOCKS proxy (RFC 1928, 3) until it is asked for an address."""
    connection.recv(64)
    connection.sendall(b"\x05\x00")
    is_silent(connection)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_name_that_nobody_knows_is_no_fault_of_a_proxy(world: World, scheme: str):
    """Curl looks it up before it asks a SOCKS proxy, so each of them fails on its own."""
    clock = Clock()
    with listening(wants_no_login) as at:
        config = f"[http]\n\tproxy = socks5://{at}\n"
        settings = evolve(world.settings(config=config), servers=Servers(clock))
        for host in "abc":
            with pytest.raises(SourceError) as caught:
                searched(settings, TAG, f"{scheme}://{host}.invalid/r")
            assert f"Could not resolve host: {host}.invalid" in caught.value.details[0]
            assert "socks5h://" in hint_text(caught.value.hint)
    proxy = f"the proxy socks5://{at}"
    assert given_up(settings, proxy, "a.invalid", "b.invalid") == ["a.invalid", "b.invalid"]


@pytest.mark.parametrize("proxy", ["socks5://p.invalid:1", "http://p.invalid:1"])
def test_a_proxy_whose_name_nobody_knows_is_given_up(world: World, proxy: str):
    clock = Clock()
    settings = world.settings(config=f"[http]\n\tproxy = {proxy}\n")
    settings = evolve(settings, servers=Servers(clock))
    with pytest.raises(SourceError) as caught:
        searched(settings, TAG, "http://127.0.0.1:1/r")
    assert "see that the proxy runs" in hint_text(caught.value.hint)
    assert given_up(settings, f"the proxy {proxy}", "127.0.0.1:1") == [f"the proxy {proxy}"]


def test_a_silent_proxy_of_git_is_given_up_with_the_second_server(world: World):
    with listening(is_silent) as at:
        config = f"[http]\n\tproxy = http://{at}\n"
        settings = evolve(world.settings(config=config), stall=0.3)
        lines = []
        for host in "abc":
            with pytest.raises(SourceError) as caught:
                searched(settings, TAG, f"http://{host}.example/r")
            lines += [line.partition(": ")[2] for line in caught.value.details]
    line = f"no progress for 0.3 s, by the proxy http://{at}"
    assert lines == [line, line, f"not asked again: {line}"]


def test_a_proxy_of_git_that_answers_is_brought_back(world: World):
    clock = Clock()
    with listening(says("503 Service Unavailable")) as at:
        config = f"[http]\n\tproxy = http://{at}\n"
        settings = evolve(world.settings(config=config), servers=Servers(clock))
        settings.servers.give_up(f"the proxy http://{at}", Silence("it was restarted"))
        clock.now += PAUSE
        for host in "ab":
            with pytest.raises(SourceError) as caught:
                searched(settings, TAG, f"http://{host}.example/r")
            assert "503" in caught.value.details[0]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://me:pw@H.example/a/b", "h.example"),
        ("ssh://git@h.example:2222/a", "h.example:2222"),
        ("git@h.example:a/b", "h.example"),
        ("h.example:a", "h.example"),
    ],
)
def test_the_host_of_an_address(url: str, host: str):
    assert host_of(check_url(url)) == host


# ---- what comes of a repository that cannot be used


@pytest.fixture
def two(world: World) -> Iterator[tuple[World, Search, str]]:
    """A folder, and a server, that both have the tag."""
    folder = world.repository("here")
    world.repository("there")
    with serving(world.service()) as address:
        there = f"{address}/there/.git"
        settings = world.settings((URL, str(folder)), (URL, there))
        yield world, Search(settings, URL, TAG), there


def test_what_lacks_a_part_leads_to_the_next_and_a_clone_is_removed(
    two: tuple[World, Search, str],
):
    world, search, there = two
    places: list[str] = []

    def use(repository: Repository) -> None:
        places.append(repository.address)
        msg = "it lacks a file"
        raise Failed(msg)

    assert search.first(search.repositories(no_progress), use) is None
    assert places == [str(world.root / "here"), there]
    lines = search.error().details
    assert lines[:2] == tuple(f"{place}: it lacks a file" for place in places)
    assert (world.root / "here/.git/HEAD").exists()
    assert not list((world.root / "clones").iterdir())


def test_other_bytes_end_the_search(two: tuple[World, Search, str]):
    world, search, _ = two

    def use(_repository: Repository) -> None:
        msg = "other bytes"
        raise VerificationError(msg)

    with pytest.raises(VerificationError):
        search.first(search.repositories(no_progress), use)
    assert (world.root / "here/.git/HEAD").exists()
    with pytest.raises(VerificationError):
        search.first(search.elsewhere(no_progress), use)
    assert not list((world.root / "clones").iterdir())


def test_without_git_a_repository_here_cannot_be_read(world: World):
    folder = world.repository("a")
    nowhere = world.root / "nowhere"
    for offline in (False, True):
        settings = world.settings((URL, str(folder)), offline=offline, path=str(nowhere))
        search = Search(settings, URL, TAG)
        with pytest.raises(SourceError) as caught:
            search.first(search.repositories(no_progress), lambda each: each)
        assert "without git" in "\n".join(caught.value.details)


def test_which_addresses_have_a_mirror(world: World):
    """Also below the mirror of many, and elsewhere, where each is asked once."""
    folder = world.repository("a")
    mirrors = [
        ("https://a.example/x.git", str(folder)),
        ("https://b.example/", f"file://{folder}"),
        ("https://c.example", str(world.root)),
    ]
    notes: list[str] = []

    def is_mirrored(settings: Repositories, url: str) -> bool:
        return settings.is_mirrored(url, lambda mirror, error: notes.append(f"{mirror}: {error}"))

    settings = world.settings(*mirrors)
    for url in ("https://a.example/x", "https://b.example", "https://c.example/a"):
        assert is_mirrored(settings, url)
    for url in ("https://c.example/b", "https://d.example/a", "https://a.example"):
        assert not is_mirrored(settings, url)
    assert not notes
    with serving(world.service()) as at:
        there = world.settings(("https://c.example", at))
        for _ in range(2):
            assert is_mirrored(there, "https://c.example/a/.git")
            assert not is_mirrored(there, "https://c.example/b")
        offline = world.settings(("https://c.example", at), offline=True)
        assert not is_mirrored(offline, "https://c.example/a/.git")
    assert len(set(notes)) == 1
    assert "not found" in notes[0]
    assert f"{at}/b" in notes[0]


def test_a_folder_that_is_no_repository_is_the_mirror_of_none(world: World):
    """It is told where it was named for that very repository, and never passed over."""
    world.repository("a")
    for settings in (world.settings((URL, str(world.root))), world.settings((URL, "/nowhere"))):
        with pytest.raises(SourceError, match=f"the mirror of {URL} is not a git rep") as caught:
            searched(settings, TAG)
        assert caught.value.where in {str(world.root), "/nowhere"}
        with pytest.raises(SourceError, match="is not a git repository"):
            settings.is_mirrored(URL, lambda *_: None)
    of_many = world.settings((URL.rpartition("/")[0], str(world.root)), offline=True)
    with pytest.raises(SourceError) as caught:
        searched(of_many, TAG)
    assert f"{world.root}/name: it is not a git repository" in caught.value.details
