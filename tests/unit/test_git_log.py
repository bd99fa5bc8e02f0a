"""The commits between two: out of a mirror, out of a clone, and where they are not."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve
from git_run import git_at
from git_server import serving, smart_http

from rvbuild.core.errors import SourceError
from rvbuild.core.upstream_log import UpstreamCommit
from rvbuild.git.clones import Clones
from rvbuild.git.repositories import Repositories
from rvbuild.kinds.git.fetch import GitFetcher
from rvbuild.kinds.git.source import GitSource
from rvbuild.transfers.mirrors import Mirrors
from rvbuild.transfers.sinks import DigestSink

URL = "https://forge.example/owner/name"


class Upstream:
    """A repository with commits by name, and a fetcher that has it as a mirror."""

    def __init__(self, root: Path, object_format: str = "sha1") -> None:
        self.root, self.folder = root, root / "up"
        self.folder.mkdir()
        self.names: dict[str, str] = {}
        self.date = 1_700_000_000
        self.git("init", "-q", "-b", "main", f"--object-format={object_format}", ".")
        self.git("config", "uploadpack.allowFilter", "true")
        self.git("config", "uploadpack.allowAnySHA1InWant", "true")

    def git(self, *words: str) -> str:
        return git_at(self.folder, self.date, *words)

    def commit(self, subject: str, **files: str) -> None:
        """Commit files; ``__`` in a name is a folder."""
        self.date += 60
        for name, text in files.items():
            path = self.folder / name.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        self.git("add", ".")
        self.git("commit", "-q", "--allow-empty", "-m", subject)
        self.names[subject.partition("\n")[0]] = self.git("rev-parse", "HEAD")

    def fetcher(self, *mirrors: str, offline: bool = False) -> GitFetcher:
        return GitFetcher(
            repositories=Repositories(
                mirrors=Mirrors(tuple((URL, each) for each in mirrors)),
                clones=Clones(folder=self.root / "tmp/git", temp=self.root / "tmp"),
                environment={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
                offline=offline,
            )
        )

    def source(self, name: str) -> GitSource:
        commit = self.names[name]
        tree = self.git("rev-parse", f"{commit}^{{tree}}")
        return GitSource(url=URL, commit=commit, tree=tree, date=0)


@pytest.fixture(params=["sha1", "sha256"])
def upstream(tmp_path: Path, request: pytest.FixtureRequest) -> Upstream:
    """A line of commits, a branch of it, and a merge."""
    upstream = Upstream(tmp_path, request.param)
    upstream.commit("first", a="1")
    upstream.commit("second\n\nwith a text", a="2", deep__b="1")
    upstream.git("checkout", "-q", "-b", "side")
    upstream.commit("aside", side="1")
    upstream.git("checkout", "-q", "main")
    upstream.commit("empty")
    upstream.commit("odd names", **{":c d\ne": "1", "ä": "1", "docs__a": "1", "README.md": "1"})
    upstream.git("merge", "-q", "--no-ff", "--no-edit", "-m", "merged", "side")
    upstream.names["merged"] = upstream.git("rev-parse", "HEAD")
    return upstream


def told(commits: tuple[UpstreamCommit, ...]) -> dict[str, tuple[str, ...]]:
    return {f"{'-' * each.is_gone}{each.subject}": tuple(sorted(each.files)) for each in commits}


BETWEEN = {
    "merged": (),
    "odd names": (":c d\ne", "ä"),
    "empty": (),
    "aside": ("side",),
    "second": ("a", "deep/b"),
}


def test_commits_and_their_files_out_of_a_mirror(upstream: Upstream):
    log = upstream.fetcher(str(upstream.folder), offline=True).log
    commits = log(upstream.source("first"), upstream.source("merged"))
    assert told(commits) == BETWEEN
    assert [each.commit for each in commits if each.subject == "second"] == [
        upstream.names["second"]
    ]
    dates = {each.subject: each.date for each in commits}
    assert dates["odd names"] - dates["second"] == 180


def test_what_the_old_side_alone_has_is_gone(upstream: Upstream):
    log = upstream.fetcher(str(upstream.folder)).log
    commits = log(upstream.source("aside"), upstream.source("odd names"))
    assert told(commits) == {"odd names": (":c d\ne", "ä"), "empty": (), "-aside": ("side",)}
    only = evolve(upstream.source("odd names"), paths=("deep",))
    files = {"second": ("deep/b",), "empty": (), "odd names": ()}
    assert told(log(upstream.source("first"), only)) == files
    back = log(upstream.source("merged"), upstream.source("first"))
    assert told(back) == {f"-{name}": files for name, files in BETWEEN.items()}
    assert log(upstream.source("first"), upstream.source("first")) == ()


def test_a_time_that_is_none_is_not_known(upstream: Upstream):
    upstream.date = 99_999_999_999_999
    upstream.commit("of the year 3170843", a="9")
    log = upstream.fetcher(str(upstream.folder)).log
    (commit,) = log(upstream.source("merged"), upstream.source("of the year 3170843"))
    assert commit.date is None


@pytest.fixture
def address(upstream: Upstream) -> Iterator[str]:
    with serving(smart_http(upstream.root)) as server:
        yield f"{server}/up/.git"


def test_a_clone_without_files_is_kept_for_the_next_time(upstream: Upstream, address: str):
    ends = upstream.source("first"), upstream.source("merged")
    online = upstream.fetcher(address)
    assert told(online.log(*ends)) == BETWEEN
    (clone,) = (upstream.root / "tmp/git").iterdir()
    kinds = subprocess.run(
        ["git", "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)"],
        cwd=clone,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert set(kinds) == {"commit", "tree"}
    assert told(upstream.fetcher(address, offline=True).log(*ends)) == BETWEEN


def test_a_clone_of_a_commit_alone_is_not_taken_for_its_history(upstream: Upstream, address: str):
    """Nor does the look for a history take it from those who need the commit."""
    ends = upstream.source("first"), upstream.source("merged")
    fetcher = upstream.fetcher(address)
    fetcher.fetch(ends[1], DigestSink(), lambda *_: None)
    assert told(fetcher.log(*ends)) == BETWEEN
    upstream.fetcher(address, offline=True).fetch(ends[1], DigestSink(), lambda *_: None)


def test_a_mirror_that_lacks_commits_between_is_passed_over(upstream: Upstream, address: str):
    shallow = upstream.root / "shallow"
    upstream.git("clone", "-q", "--bare", "--depth=1", f"file://{upstream.folder}", str(shallow))
    ends = upstream.source("first"), upstream.source("merged")
    assert told(upstream.fetcher(str(shallow), address).log(*ends)) == BETWEEN
    with pytest.raises(SourceError) as caught:
        upstream.fetcher(str(shallow), offline=True).log(*ends)
    assert any("does not have all commits between" in line for line in caught.value.details)
    assert shallow.exists()


def test_a_commit_that_nobody_has(upstream: Upstream, address: str):
    ends = upstream.source("first"), upstream.source("merged")
    gone = evolve(ends[0], commit="0" * len(ends[0].commit))
    with pytest.raises(SourceError, match="could not be had from any repository"):
        upstream.fetcher(address).log(gone, ends[1])
