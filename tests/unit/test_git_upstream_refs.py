"""The tags and the default branch of repositories: of a folder, and of a server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import define, field
from git_run import git_at
from git_server import serving, smart_http

from rvbuild.core.errors import SourceError
from rvbuild.core.source import LAST_DATE
from rvbuild.git.repositories import Repositories
from rvbuild.git.upstream_refs import RefReader, UpstreamRefs
from rvbuild.transfers.fetch_services import FetchServices
from rvbuild.transfers.fetch_settings import FetchSettings

URL = "https://git.invalid/up"
FIRST = 1_700_000_000
FORMATS = ("sha1", "sha256")


@define
class Upstream:
    """A repository, whose commits and tags are a second apart."""

    root: Path
    address: str = ""
    asked: list[str] = field(factory=list)
    now: int = FIRST

    @property
    def folder(self) -> Path:
        return self.root / "up"

    def git(self, *words: str) -> str:
        return git_at(self.folder, self.now, *words)

    def commit(self) -> str:
        self.now += 1
        self.git("commit", "-q", "--allow-empty", "-m", str(self.now))
        return self.git("rev-parse", "HEAD")

    def tag(self, name: str, *words: str) -> None:
        self.now += 1
        self.git("tag", *words, name)

    def reader(self, mirror: str | Path, *, offline: bool = False) -> RefReader:
        settings = FetchSettings(
            tmp=str(self.root / "tmp"),
            mirrors=((URL, str(mirror)),),
            environment={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
            offline=offline,
        )
        return RefReader(Repositories.of(FetchServices(settings)))


@pytest.fixture(params=FORMATS)
def upstream(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Upstream]:
    """Three commits; v1 names the first, and v2, by a tag object, the second."""
    (tmp_path / "up").mkdir()
    made = Upstream(tmp_path)
    made.git("init", "-q", "-b", "trunk", f"--object-format={request.param}", ".")
    made.commit()
    made.tag("v1")
    made.commit()
    made.tag("sub/v2", "-a", "-m", "two")
    made.commit()
    made.git("config", "uploadpack.allowFilter", "true")
    handler = smart_http(tmp_path)

    class Noting(handler):  # type: ignore[misc, valid-type]
        def do_GET(self) -> None:  # noqa: N802 - http.server's name
            made.asked.append(f"{self.command} {self.path}")
            super().do_GET()

        do_POST = do_GET  # noqa: N815 - as above

    with serving(Noting) as address:
        made.address = f"{address}/up"
        yield made


Ask = Callable[[Upstream], UpstreamRefs]
WAYS: dict[str, Ask] = {
    "a folder": lambda up: up.reader(up.folder).refs(URL),
    "a folder, offline": lambda up: up.reader(up.folder, offline=True).refs(URL),
    "a server": lambda up: up.reader(up.address).refs(URL),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("is_packed", [True, False])
def test_tags_and_the_branch(upstream: Upstream, way: str, *, is_packed: bool):
    if is_packed:
        upstream.git("pack-refs", "--all")
    names = upstream.git("rev-parse", "HEAD~2", "HEAD~1", "HEAD").split()
    refs = WAYS[way](upstream)
    assert refs.tags == {"v1": names[0], "sub/v2": names[1]}
    assert (refs.branch, refs.head) == ("trunk", names[2])


def test_a_server_is_asked_once(upstream: Upstream):
    reader = upstream.reader(upstream.address)
    refs = reader.refs(URL)
    assert [each.split("?")[0].split()[1] for each in upstream.asked] == [
        "/up/info/refs",
        "/up/git-upload-pack",
    ]
    upstream.asked.clear()
    assert reader.moments(refs, ["v1", "sub/v2"]) == {"v1": FIRST + 1, "sub/v2": FIRST + 4}
    assert len([each for each in upstream.asked if each.startswith("GET")]) == 1
    assert reader.commits_behind(refs, refs.tags["v1"]) is None


def test_a_folder_knows_times_and_distances(upstream: Upstream):
    reader = upstream.reader(upstream.folder)
    refs = reader.refs(URL)
    assert reader.moments(refs, ["v1", "sub/v2", "v3"]) == {"v1": FIRST + 1, "sub/v2": FIRST + 4}
    assert reader.commits_behind(refs, refs.tags["v1"]) == 2
    assert reader.commits_behind(refs, refs.head) == 0
    assert reader.commits_behind(refs, "0" * len(refs.head)) is None
    assert reader.commits_behind(refs, "v1") is None


def test_a_folder_that_follows_nobodys_branch(upstream: Upstream):
    """HEAD is detached, so that nobody says which branch is the default one."""
    upstream.git("checkout", "-q", "--detach")
    reader = upstream.reader(upstream.folder)
    refs = reader.refs(URL)
    assert (refs.branch, refs.head) == ("", "")
    assert reader.commits_behind(refs, refs.tags["v1"]) is None


def test_times_that_a_server_does_not_give_are_not_known(upstream: Upstream):
    reader = upstream.reader(upstream.address)
    refs = reader.refs(URL)
    upstream.folder.rename(upstream.root / "gone")
    assert reader.moments(refs, ["v1"]) == {}


@pytest.mark.parametrize("place", ["a folder", "a server"])
def test_a_time_that_is_none_is_not_known(upstream: Upstream, place: str):
    """Of a tag object, and of a commit, which a folder does not offer: no lock can have it."""
    upstream.now = 99_999_999_999_999
    upstream.tag("v3", "-a", "-m", "of the year 3170843")
    upstream.commit()
    upstream.tag("v4")
    reader = upstream.reader(upstream.folder if place == "a folder" else upstream.address)
    refs = reader.refs(URL)
    assert refs.tags.keys() - {"v1", "sub/v2"} == {"v3", *(("v4",) if place == "a server" else ())}
    assert reader.moments(refs, ["v1", "v3", "v4"]) == {"v1": FIRST + 1}


def test_a_repository_without_tags(upstream: Upstream):
    upstream.git("tag", "-d", "v1", "sub/v2")
    for way in WAYS.values():
        assert way(upstream).tags == {}


def test_nobody_has_the_repository(upstream: Upstream):
    with pytest.raises(SourceError, match="its tags could not be had from any") as caught:
        upstream.reader(f"{upstream.address}/none").refs(URL)
    assert caught.value.where == URL
    assert any("/up/none: " in line for line in caught.value.details)


def test_offline_only_folders_are_asked(upstream: Upstream):
    with pytest.raises(SourceError, match="not asked: this run is offline"):
        upstream.reader(upstream.address, offline=True).refs(URL)
    assert not upstream.asked


def test_a_folder_that_is_none_is_told(upstream: Upstream):
    with pytest.raises(SourceError, match="is not a git repository"):
        upstream.reader(upstream.root / "none").refs(URL)


def test_a_tag_of_what_is_not_there_ends_the_folder(upstream: Upstream):
    (upstream.folder / ".git/refs/tags/broken").write_text("1" * len(upstream.commit()) + "\n")
    with pytest.raises(SourceError):
        upstream.reader(upstream.folder, offline=True).refs(URL)


@pytest.mark.parametrize(
    ("date", "is_there"),
    [(0, True), (LAST_DATE, True), (LAST_DATE + 1, False), (10**14, False)],
)
def test_a_folder_has_no_tag_whose_commit_no_lock_can_hold(
    upstream: Upstream, date: int, *, is_there: bool
):
    """By itself, and by a tag object of a good day; a tag of no commit has no date."""
    tree = upstream.git("rev-parse", "HEAD^{tree}")
    who = "a <a@example.invalid>"
    text = f"tree {tree}\nauthor {who} {FIRST} +0000\ncommitter {who} {date} +0000\n\nm\n"
    (upstream.root / "commit").write_text(text)
    words = ("-t", "commit", "-w", "--literally", str(upstream.root / "commit"))
    name = upstream.git("hash-object", *words)
    upstream.git("tag", "v3", name)
    upstream.git("tag", "-a", "-m", "three", "also-v3", name)
    upstream.git("tag", "-a", "-m", "no commit", "tree", tree)
    tags = upstream.reader(upstream.folder).refs(URL).tags.keys()
    assert tags == {"v1", "sub/v2", "tree", *(("v3", "also-v3") if is_there else ())}
