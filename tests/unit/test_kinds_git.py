"""Commits of git: from repositories on this machine and over the network, checked by name."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from git_server import serving, smart_http

from rvbuild.cli.remedies import hint_text
from rvbuild.core.digest import Digest
from rvbuild.core.errors import (
    Malformed,
    RecipeError,
    RvbuildError,
    SourceError,
    VerificationError,
    WrongContent,
)
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.core.tree import File, Nested, Symlink, Tree
from rvbuild.git import tree_walk
from rvbuild.git.clones import Clones
from rvbuild.git.objects import object_name
from rvbuild.git.process import Failed
from rvbuild.git.repositories import Repositories
from rvbuild.kinds.git.fetch import GitFetcher
from rvbuild.kinds.git.forges import archive_url
from rvbuild.kinds.git.git_archive import ForgeArchives
from rvbuild.kinds.git.git_sinks import GitNameSink
from rvbuild.kinds.git.source import GitSource
from rvbuild.transfers.mirrors import Mirrors
from rvbuild.transfers.pinned_files import PinnedFiles
from rvbuild.transfers.sinks import DigestSink
from rvbuild.transfers.transport import Patience, Transport
from rvbuild.transfers.urls import Credentials

URL = "https://forge.example/owner/name"

Site = Any  # conftest.py has it; a test file imports no other


def run_git(*arguments: str, cwd: Path, stdin: bytes = b"") -> str:
    """Git with an author and a clock of its own, and nobody's configuration."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "A",
        "GIT_AUTHOR_EMAIL": "a@b.example",
        "GIT_AUTHOR_DATE": "1700000000 +0100",
        "GIT_COMMITTER_NAME": "A",
        "GIT_COMMITTER_EMAIL": "a@b.example",
        "GIT_COMMITTER_DATE": "1700000000 +0100",
    }
    done = subprocess.run(
        ["git", *arguments], cwd=cwd, env=environment, input=stdin, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def make_repository(folder: Path, object_format: str = "sha1") -> tuple[Path, str]:
    """A repository with one of everything that a tree can hold."""
    folder.mkdir()
    run_git("init", "-q", f"--object-format={object_format}", ".", cwd=folder)
    (folder / "plain").write_bytes(b"plain\n")
    (folder / "empty").write_bytes(b"")
    (folder / "tool").write_bytes(b"#!/bin/sh\n")
    (folder / "tool").chmod(0o755)
    (folder / "link").symlink_to("../outside")
    (folder / ".gitattributes").write_text("kept export-ignore\nstamp export-subst\n")
    (folder / "kept").write_bytes(b"kept")
    (folder / "stamp").write_bytes(b"$Format:%H$")
    (folder / "lib").mkdir()
    (folder / "lib" / "a.c").write_bytes(b"a")
    (folder / "lib.c").write_bytes(b"sorts before lib/ in git")
    run_git("add", "-A", cwd=folder)
    module = "1" * (40 if object_format == "sha1" else 64)
    run_git("update-index", "--add", "--cacheinfo", f"160000,{module},module", cwd=folder)
    run_git("commit", "-q", "-m", "one", cwd=folder)
    return folder, run_git("rev-parse", "HEAD", cwd=folder)


def file(data: bytes, *, executable: bool = False) -> File:
    return File(Digest.of(data), executable)


EXPECTED: Nested = {
    "plain": file(b"plain\n"),
    "empty": file(b""),
    "tool": file(b"#!/bin/sh\n", executable=True),
    "link": Symlink("../outside"),
    ".gitattributes": file(b"kept export-ignore\nstamp export-subst\n"),
    "kept": file(b"kept"),
    "stamp": file(b"$Format:%H$"),
    "lib": {"a.c": file(b"a")},
    "lib.c": file(b"sorts before lib/ in git"),
    "module": {},
}


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Path, str]:
    return make_repository(tmp_path / "upstream")


@pytest.fixture
def fetcher(tmp_path: Path) -> Callable[..., GitFetcher]:
    """Makes fetchers with this test's folders; ``config`` becomes the user's git configuration."""

    def make(
        *mirrors: tuple[str, str], config: str = "", offline: bool = False, stall: float = 60.0
    ) -> GitFetcher:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        (home / ".gitconfig").write_text(config)
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}
        return GitFetcher(
            repositories=Repositories(
                mirrors=Mirrors(mirrors),
                clones=Clones(folder=tmp_path / "repositories", temp=tmp_path / "temp"),
                environment=environment,
                offline=offline,
                stall=stall,
            )
        )

    return make


def fetched(fetcher: GitFetcher, source: GitSource) -> Tree:
    sink = DigestSink()
    fetcher.fetch(source, sink, no_progress)
    return sink.tree


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_a_local_mirror_gives_the_tree_itself(
    tmp_path: Path, fetcher: Callable[..., GitFetcher], object_format: str
):
    """Attributes of git archive are not applied; a submodule is an empty folder."""
    folder, commit = make_repository(tmp_path / "upstream", object_format)
    mine = fetcher((URL, str(folder)))
    source = mine.resolve(URL, commit)
    assert source.tree == run_git("rev-parse", "HEAD^{tree}", cwd=folder)
    assert source.date == 1700000000
    assert fetched(mine, source).root == Tree.of(EXPECTED).root


def test_a_bare_mirror_of_someone_else_is_read_without_its_configuration(
    tmp_path: Path, repository: tuple[Path, str], fetcher: Callable[..., GitFetcher]
):
    """Nothing that a repository configures is run, and its owner does not matter."""
    folder, commit = repository
    bare, canary = tmp_path / "bare.git", tmp_path / "canary"
    run_git("clone", "-q", "--bare", str(folder), str(bare), cwd=tmp_path)
    with (bare / "config").open("a") as config:
        config.write(f'[core]\n fsmonitor = touch {canary}\n[remote "origin"]\n promisor = true\n')
        config.write(f" url = ext::touch {canary}\n uploadpack = touch {canary}\n")
    os.chown(bare, 12345, 12345) if os.geteuid() == 0 else None
    mine = fetcher((URL, str(bare)))
    assert fetched(mine, mine.resolve(URL, commit)).root == Tree.of(EXPECTED).root
    assert not canary.exists()


def test_a_linked_work_tree_is_a_mirror_too(
    tmp_path: Path, repository: tuple[Path, str], fetcher: Callable[..., GitFetcher]
):
    folder, commit = repository
    run_git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"), cwd=folder)
    mine = fetcher((URL, str(tmp_path / "linked")))
    assert fetched(mine, mine.resolve(URL, commit)).root == Tree.of(EXPECTED).root


def test_paths_keep_only_those(repository: tuple[Path, str], fetcher: Callable[..., GitFetcher]):
    folder, commit = repository
    mine = fetcher((URL, str(folder)))
    source = mine.resolve(URL, commit, ("tool", "lib"))
    assert source.paths == ("lib", "tool")
    kept: Nested = {"lib": EXPECTED["lib"], "tool": EXPECTED["tool"]}
    assert fetched(mine, source).root == Tree.of(kept).root


def test_a_path_that_the_commit_lacks_is_named(
    repository: tuple[Path, str], fetcher: Callable[..., GitFetcher]
):
    folder, commit = repository
    mine = fetcher((URL, str(folder)))
    for paths, lacks in ((("lib", "li"), "li"), (("lib/x/y", "a", "lib"), "a, lib/x/y")):
        with pytest.raises(RecipeError, match=f"nothing at {lacks}$"):
            mine.resolve(URL, commit, paths)
    source = evolve(mine.resolve(URL, commit, ("lib",)), paths=("lib", "li"))
    with pytest.raises(RecipeError, match=r"nothing at li$"):
        fetched(mine, source)


def test_git_names_of_the_tree_are_recomputed(tmp_path: Path, fetcher: Callable[..., GitFetcher]):
    """The name of a tree without submodules, from its files alone, is git's own."""
    folder, _ = make_repository(tmp_path / "upstream")
    run_git("rm", "-q", "--cached", "module", cwd=folder)
    run_git("commit", "-q", "-m", "two", cwd=folder)
    mine = fetcher((URL, str(folder)))
    source = mine.resolve(URL, run_git("rev-parse", "HEAD", cwd=folder))
    sink = GitNameSink(source.tree)
    mine.fetch(source, sink, no_progress)
    assert sink.name == source.tree


def test_a_mirror_without_the_commit_is_passed_over(
    tmp_path: Path, repository: tuple[Path, str], fetcher: Callable[..., GitFetcher]
):
    folder, commit = repository
    other = tmp_path / "other"
    other.mkdir()
    run_git("init", "-q", ".", cwd=other)
    source = fetcher((URL, str(folder))).resolve(URL, commit)
    both = fetcher((URL, str(other)), (URL, str(folder)))
    assert fetched(both, source).root == Tree.of(EXPECTED).root
    with pytest.raises(SourceError) as caught:
        fetched(fetcher((URL, str(other)), (URL, str(tmp_path)), offline=True), source)
    assert caught.value.details == (
        f"{other}: it has no commit {commit}",
        f"{tmp_path}: it is not a git repository",
    )


def loose(folder: Path, name: str) -> Path:
    return folder / ".git" / "objects" / name[:2] / name[2:]


def test_a_mirror_with_other_bytes_under_a_name_is_found_out(
    repository: tuple[Path, str], fetcher: Callable[..., GitFetcher]
):
    """For blob, tree and commit: what git hands out is hashed again."""
    folder, commit = repository
    mine = fetcher((URL, str(folder)))
    source = mine.resolve(URL, commit)
    blob = object_name("blob", b"plain\n", commit)
    for kind, name, data in (
        ("blob", blob, b"plaim\n"),
        ("tree", source.tree, b"100644 a\0" + bytes.fromhex(blob)),
        ("commit", commit, f"tree {source.tree}\ncommitter A <a> 1 +0000\n\nx".encode()),
    ):
        path = loose(folder, name)
        good = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(zlib.compress(f"{kind} {len(data)}\0".encode() + data))
        with pytest.raises(VerificationError, match=r"other content|damaged"):
            fetched(mine, source)
        path.write_bytes(good)
    assert fetched(mine, source).root == Tree.of(EXPECTED).root


def test_nothing_is_written_when_a_file_is_missing(
    repository: tuple[Path, str], fetcher: Callable[..., GitFetcher]
):
    """A partial clone lacks files: another transport can still begin with a clean sink."""
    folder, commit = repository
    mine = fetcher((URL, str(folder)), offline=True)
    source = mine.resolve(URL, commit)
    loose(folder, object_name("blob", b"plain\n", commit)).unlink()
    sink = DigestSink()
    with pytest.raises(SourceError) as caught:
        mine.fetch(source, sink, no_progress)
    assert caught.value.details == (f"{folder}: it lacks 1 of the commit's 9 files",)
    assert sink.nested == {}


def test_a_lock_with_another_tree_is_refused(
    repository: tuple[Path, str], fetcher: Callable[..., GitFetcher]
):
    folder, commit = repository
    source = GitSource(url=URL, commit=commit, tree="0" * 40, date=0)
    with pytest.raises(WrongContent, match="not 0000"):
        fetched(fetcher((URL, str(folder))), source)


def test_a_tree_that_holds_itself_over_and_over_is_refused(
    repository: tuple[Path, str],
    fetcher: Callable[..., GitFetcher],
    monkeypatch: pytest.MonkeyPatch,
):
    folder, _ = repository
    monkeypatch.setattr(tree_walk, "MAX_ENTRIES", 1000)
    tree = run_git("rev-parse", "HEAD:lib", cwd=folder)
    for _ in range(12):
        rows = "".join(f"040000 tree {tree}\t{n}\n" for n in range(10))
        tree = run_git("mktree", cwd=folder, stdin=rows.encode())
    commit = run_git("commit-tree", "-m", "bomb", tree, cwd=folder)
    mine = fetcher((URL, str(folder)))
    with pytest.raises(Malformed, match="more than 1,000 entries"):
        fetched(mine, mine.resolve(URL, commit))


# ---- objects that git's own commands would not make


def written(folder: Path, kind: str, data: bytes) -> str:
    """Put an object into a repository, whatever git thinks of it."""
    arguments = ("hash-object", "-t", kind, "-w", "--stdin", "--literally")
    return run_git(*arguments, cwd=folder, stdin=data)


def commit_of(folder: Path, tree: str, when: str = "1700000000 +0100") -> str:
    person = f"A <a@b.example> {when}"
    text = f"tree {tree}\nauthor {person}\ncommitter {person}\n\nodd\n"
    return written(folder, "commit", text.encode())


def tree_of(folder: Path, *names: bytes, mode: bytes = b"100644") -> str:
    """A tree object with one content under each of the names."""
    kind, data = ("blob", b"x") if mode == b"100644" else ("tree", b"")
    name = bytes.fromhex(written(folder, kind, data))
    return written(folder, "tree", b"".join(mode + b" " + each + b"\0" + name for each in names))


ODD_NAMES = [
    b".git", b".GIT", b".Git", b"..", b".", b"", b"a/b", b"../x", b"/etc", b"caf\xe9", b"x" * 256,
]  # fmt: skip


@pytest.mark.parametrize("mode", [b"100644", b"40000"])
@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_tree_with_a_name_that_git_would_not_check_out_is_refused(
    repository: tuple[Path, str], fetcher: Callable[..., GitFetcher], name: bytes, mode: bytes
):
    """Nothing is written of the whole commit: names are looked at before any content."""
    folder, _ = repository
    mine = fetcher((URL, str(folder)))
    plain = mine.resolve(URL, commit_of(folder, tree_of(folder, b".gitx", b"y")))
    assert len(fetched(mine, plain).nested()) == 2
    source = mine.resolve(URL, commit_of(folder, tree_of(folder, b"first", name, mode=mode)))
    sink = DigestSink()
    with pytest.raises(VerificationError):
        mine.fetch(source, sink, no_progress)
    assert sink.nested == {}


def test_a_tree_with_one_name_twice_is_refused(
    repository: tuple[Path, str], fetcher: Callable[..., GitFetcher]
):
    folder, _ = repository
    mine = fetcher((URL, str(folder)))
    source = mine.resolve(URL, commit_of(folder, tree_of(folder, b"a", b"a")))
    with pytest.raises(Malformed, match="the name 'a' twice"):
        fetched(mine, source)


@pytest.mark.parametrize(
    "when", ["-1 +0000", "253402300800 +0000", "9223372036854775807 +0000", "1" * 40 + " +0000"]
)
def test_a_date_that_no_lock_can_hold_is_refused_with_the_commit(
    repository: tuple[Path, str], fetcher: Callable[..., GitFetcher], when: str
):
    folder, _ = repository
    mine = fetcher((URL, str(folder)))
    tree = tree_of(folder, b"a")
    for fine in ("0 +0000", "253402300799 -1200", "1700000000 +051800"):
        found = mine.resolve(URL, commit_of(folder, tree, fine))
        assert found.date == int(fine.split()[0])
    commit = commit_of(folder, tree, when)
    with pytest.raises(Malformed, match="not one of the years 1970 to 9999") as caught:
        mine.resolve(URL, commit)
    assert str(caught.value.where) == f"{URL} {commit}"


@pytest.mark.parametrize("when", ["tomorrow +0000", "1" * 41 + " +0000", "", "1700000000"])
def test_a_date_that_is_no_number_is_refused(
    repository: tuple[Path, str], fetcher: Callable[..., GitFetcher], when: str
):
    folder, _ = repository
    mine = fetcher((URL, str(folder)))
    with pytest.raises(Malformed, match="without a committer's time"):
        mine.resolve(URL, commit_of(folder, tree_of(folder, b"a"), when))


@pytest.mark.parametrize("line", [b"gitdir: caf\xe9\n", b"gitdir: a\0b\n", b"\xff" * 5000, b""])
def test_a_work_tree_that_leads_nowhere_is_no_repository(
    repository: tuple[Path, str], fetcher: Callable[..., GitFetcher], tmp_path: Path, line: bytes
):
    _, commit = repository
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / ".git").write_bytes(line)
    with pytest.raises(SourceError) as caught:
        fetcher((URL, str(tmp_path / "linked")), offline=True).resolve(URL, commit)
    assert any("not a git repository" in line for line in caught.value.details)


def test_one_commit_over_http_and_again_without_network(
    tmp_path: Path, repository: tuple[Path, str], fetcher: Callable[..., GitFetcher]
):
    """The clone is of depth one, and serves the fetch that follows the resolving."""
    folder, first = repository
    (folder / "plain").write_bytes(b"changed\n")
    run_git("commit", "-q", "-m", "two", "plain", cwd=folder)
    second = run_git("rev-parse", "HEAD", cwd=folder)
    with serving(smart_http(tmp_path)) as address:
        mine = fetcher((URL, f"{address}/upstream/.git"))
        source = mine.resolve(URL, second)
    (clone,) = (tmp_path / "repositories").iterdir()
    listed = run_git("--git-dir", str(clone), "rev-list", "--all", cwd=tmp_path)
    assert listed == second
    assert first not in listed
    changed = EXPECTED | {"plain": file(b"changed\n")}
    assert fetched(mine, source).root == Tree.of(changed).root
    assert list((tmp_path / "temp").iterdir()) == []


def test_a_server_without_single_commits_gives_everything(
    tmp_path: Path, repository: tuple[Path, str], fetcher: Callable[..., GitFetcher]
):
    """A plain file server ("dumb" HTTP) knows no shallow clones."""
    folder, commit = repository
    run_git("update-server-info", cwd=folder)

    class Files(SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            return str(tmp_path / path.partition("?")[0].lstrip("/"))

        def log_message(self, *_: object) -> None: ...

    with serving(Files) as address:
        mine = fetcher(config=f'[url "{address}/upstream/.git"]\n insteadOf = {URL}\n')
        assert fetched(mine, mine.resolve(URL, commit)).root == Tree.of(EXPECTED).root


def test_a_damaged_clone_is_replaced(
    tmp_path: Path, repository: tuple[Path, str], fetcher: Callable[..., GitFetcher]
):
    """It is named, stays offline, and running again converges."""
    _, commit = repository
    with serving(smart_http(tmp_path)) as address:
        mine = fetcher((URL, f"{address}/upstream/.git"))
        source = mine.resolve(URL, commit)
        (pack,) = (tmp_path / "repositories").glob("*.git/objects/pack/*.pack")
        pack.chmod(0o644)
        pack.write_bytes(pack.read_bytes()[:100] + b"\0" * 100)
        with pytest.raises(SourceError) as caught:
            fetched(fetcher((URL, f"{address}/upstream/.git"), offline=True), source)
        assert f"it has no commit {commit}" in caught.value.details[0]
        assert pack.exists()
        mine = fetcher((URL, f"{address}/upstream/.git"))
        assert fetched(mine, source).root == Tree.of(EXPECTED).root


def test_instead_of_of_the_users_configuration_leads_to_a_folder(
    repository: tuple[Path, str], fetcher: Callable[..., GitFetcher]
):
    folder, commit = repository
    mine = fetcher(config=f'[url "{folder}"]\n insteadOf = {URL}\n', offline=True)
    assert fetched(mine, mine.resolve(URL, commit)).root == Tree.of(EXPECTED).root


def test_a_silent_server_costs_its_stall_budget(
    repository: tuple[Path, str], fetcher: Callable[..., GitFetcher]
):
    folder, commit = repository
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        mine = fetcher(
            (URL, f"http://127.0.0.1:{port}/x"), (URL, "http://127.0.0.1:1/x"), stall=0.3
        )
        source = fetcher((URL, str(folder))).resolve(URL, commit)
        with pytest.raises(SourceError) as caught:
            fetched(mine, GitSource(url="http://127.0.0.1:1/y", commit=commit, tree=commit, date=0))
        assert "http://127.0.0.1:1/y: fatal: unable to access" in caught.value.details[-1]
        source = GitSource(
            url=f"http://127.0.0.1:{port}/x", commit=commit, tree=source.tree, date=0
        )
        with pytest.raises(SourceError) as caught:
            fetched(mine, source)
        assert caught.value.details == (f"{source.url}: no progress for 0.3 s",)


def packet(data: bytes) -> bytes:
    return b"%04x" % (len(data) + 4) + data


class Talking(BaseHTTPRequestHandler):
    """A git server that has every commit, and only ever talks about it."""

    def do_GET(self) -> None:
        self._begin("advertisement")
        can = b"side-band-64k shallow allow-reachable-sha1-in-want allow-tip-sha1-in-want"
        self.wfile.write(packet(b"# service=git-upload-pack\n") + b"0000")
        self.wfile.write(packet(b"1" * 40 + b" refs/heads/main\0" + can + b"\n") + b"0000")

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        self._begin("result")
        self.wfile.write(packet(b"shallow " + b"1" * 40) + b"0000")
        if b"done" not in asked:
            return
        self.wfile.write(packet(b"NAK\n"))
        pause = threading.Event()
        try:
            while True:
                self.wfile.write(packet(b"\x02just a moment\n"))
                self.wfile.flush()
                pause.wait(0.01)
        except OSError:
            return  # given up, as it should be

    def _begin(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"application/x-git-upload-pack-{kind}")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def test_a_server_that_only_talks_costs_its_stall_budget(fetcher: Callable[..., GitFetcher]):
    """Its words are on standard error all the time, where git's own progress is."""
    source = GitSource(url="http://x.invalid/x", commit="1" * 40, tree="2" * 40, date=0)
    with serving(Talking) as address, pytest.raises(SourceError) as caught:
        fetched(fetcher((source.url, f"{address}/x"), stall=0.5), source)
    assert "no progress for 0.5 s" in str(caught.value.details)


def test_offline_says_so(fetcher: Callable[..., GitFetcher]):
    source = GitSource(url=URL, commit="1" * 40, tree="2" * 40, date=0)
    with pytest.raises(SourceError, match="this run is offline"):
        fetched(fetcher(offline=True), source)
    with pytest.raises(SourceError, match="this run is offline"):
        fetcher(offline=True).resolve(URL, "1" * 40)


def test_without_git_the_error_says_so(tmp_path: Path):
    mine = GitFetcher(
        repositories=Repositories(
            mirrors=Mirrors(),
            clones=Clones(folder=tmp_path, temp=tmp_path),
            environment={"PATH": "/nowhere"},
        )
    )
    with pytest.raises(SourceError, match="git, which is not installed"):
        mine.resolve(URL, "1" * 40)


HOSTILE = [
    "-x",
    "--upload-pack=touch CANARY",
    "ext::sh -c 'touch CANARY'",
    "ext::touch CANARY",
    "fd::17",
    "file:///etc",
    "/etc/repository",
    "../up",
    "https://-oProxyCommand=touch/x",
    "ssh://-oProxyCommand=touch CANARY/x",
    "ssh://user@-oProxyCommand=touch/x",
    "-oProxyCommand=touch:x",
    "git@-host:path",
    "git@host:-path",
    "git@host::path",
    "https://host/a\nb",
    "https://host/a b",
    "https://host/\x1b[2J",
    "https://",
    "ftp://host/x",
    "",
]


@pytest.fixture
def spied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git on PATH that notes each call; gives the notes' path."""
    notes, programs = tmp_path / "notes", tmp_path / "bin"
    programs.mkdir()
    real = shutil.which("git")
    (programs / "git").write_text(f'#!/bin/sh\necho "$@" >>{notes}\nexec {real} "$@"\n')
    (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return notes


@pytest.mark.parametrize("url", HOSTILE)
def test_hostile_urls_start_no_command(
    tmp_path: Path, spied: Path, fetcher: Callable[..., GitFetcher], url: str
):
    """As the source's own URL they are refused before git is asked anything."""
    hostile = url.replace("CANARY", str(tmp_path / "canary"))
    with pytest.raises(RecipeError):
        fetcher().resolve(hostile, "1" * 40)
    with pytest.raises(RecipeError):
        fetched(fetcher(), GitSource(url=hostile, commit="1" * 40, tree="1" * 40, date=0))
    assert not spied.exists()
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("url", HOSTILE)
def test_hostile_mirrors_start_no_command(
    tmp_path: Path, fetcher: Callable[..., GitFetcher], url: str
):
    """As a mirror, or where the user's configuration leads, they fail and run nothing."""
    hostile = url.replace("CANARY", str(tmp_path / "canary"))
    dead = "http://127.0.0.1:1/x"
    if url:
        with pytest.raises(RvbuildError):
            fetcher((dead, str(hostile))).resolve(dead, "1" * 40)
    quoted = hostile.replace("\n", "").replace("\x1b", "")
    with pytest.raises(RvbuildError):
        fetcher(config=f'[url "{quoted}"]\n insteadOf = {dead}\n').resolve(dead, "1" * 40)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("commit", ["-x", "HEAD", "main", "1" * 39, "1" * 41, "A" * 40, "--all"])
def test_only_full_names_are_commits(spied: Path, fetcher: Callable[..., GitFetcher], commit: str):
    with pytest.raises(RecipeError, match="full name"):
        fetcher().resolve(URL, commit)
    assert not spied.exists()


def test_credentials_do_not_reach_messages(fetcher: Callable[..., GitFetcher]):
    url = "http://user:s3cret@127.0.0.1:1/x"
    with pytest.raises(SourceError) as caught:
        fetcher().resolve(url, "1" * 40)
    assert "s3cret" not in str(caught.value) + "".join(caught.value.details)


WITH_QUERY = ("http://127.0.0.1:1/x?token=s3cret", "http://127.0.0.1:1/x#s3cret")


@pytest.mark.parametrize("way", ["mirror", "insteadOf", "recipe"])
@pytest.mark.parametrize("address", WITH_QUERY)
def test_git_quotes_no_query(fetcher: Callable[..., GitFetcher], address: str, way: str):
    """Git writes the whole address into its words, which are a line of our error."""
    url = address if way == "recipe" else "http://127.0.0.1:1/y"
    config = f'[url "{address}"]\n insteadOf = {url}\n' if way == "insteadOf" else ""
    mirror = ((url, address),) if way == "mirror" else ()
    with pytest.raises(SourceError) as caught:
        fetcher(*mirror, config=config).resolve(url, "1" * 40)
    told = f"{caught.value} {caught.value.details} {hint_text(caught.value.hint)}"
    assert "unable to access 'http://127.0.0.1:1/x" in told
    assert "s3cret" not in told


# ---- archives of forges


def forge_archive(folder: Path, commit: str, attributes: str = "") -> bytes:
    """What a forge makes of a commit: git archive, below one folder."""
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "attributes").write_text(attributes)
    done = subprocess.run(
        ["git", "archive", "--format=tar.gz", "--prefix=name-x/", commit],
        cwd=folder,
        capture_output=True,
        check=True,
    )
    return done.stdout


FORGE = "https://gitlab.invalid/owner/name"  # a known kind of forge that is nowhere
INNER = {name: node for name, node in EXPECTED.items() if name not in {"module", "link"}}


@pytest.fixture
def plain_commit(tmp_path: Path) -> tuple[Path, str]:
    """A commit whose archive is the whole of it."""
    folder, _ = make_repository(tmp_path / "upstream")
    run_git("rm", "-q", "--cached", "module", "link", cwd=folder)
    run_git("commit", "-q", "-m", "two", cwd=folder)
    return folder, run_git("rev-parse", "HEAD", cwd=folder)


@pytest.fixture
def forge(
    tmp_path: Path, fetcher: Callable[..., GitFetcher], site: Site
) -> Iterator[Callable[..., GitFetcher]]:
    """A fetcher for which ``site`` plays the forge, through a mirror."""
    with Transport(patience=Patience(tries=1), credentials=Credentials({})) as transport:
        own = (FORGE, f"{site.address}/owner/name")
        files = PinnedFiles(transport=transport, temp=tmp_path / "temp")
        archives = ForgeArchives(files=files, mirrors=Mirrors((own,)))
        yield lambda *mirrors: evolve(fetcher(own, *mirrors), archives=archives)


def pinned(folder: Path, commit: str, *paths: str) -> GitSource:
    tree = run_git("rev-parse", f"{commit}^{{tree}}", cwd=folder)
    return GitSource(url=FORGE, commit=commit, tree=tree, date=0, paths=paths)


def test_the_archive_of_a_forge_serves_if_its_tree_is_right(
    plain_commit: tuple[Path, str], forge: Callable[..., GitFetcher], site: Site
):
    folder, commit = plain_commit
    archive = f"/owner/name/-/archive/{commit}/name-{commit}.tar.gz"
    site.pages = {
        archive: forge_archive(folder, commit, "kept -export-ignore\nstamp -export-subst")
    }
    assert fetched(forge(), pinned(folder, commit)).root == Tree.of(INNER).root
    assert site.paths == [archive]
    kept: Nested = {"lib": EXPECTED["lib"]}
    assert fetched(forge(), pinned(folder, commit, "lib")).root == Tree.of(kept).root


@pytest.mark.parametrize("attributes", ["kept -export-ignore", "stamp -export-subst"])
def test_an_archive_that_attributes_changed_is_passed_over(
    plain_commit: tuple[Path, str],
    forge: Callable[..., GitFetcher],
    site: Site,
    tmp_path: Path,
    attributes: str,
):
    """Git is asked next, and the sink has seen nothing of the archive."""
    folder, commit = plain_commit
    archive = f"/owner/name/-/archive/{commit}/name-{commit}.tar.gz"
    site.pages = {archive: forge_archive(folder, commit, attributes)}
    with serving(smart_http(tmp_path)) as address:
        mine = forge((FORGE, f"{address}/upstream/.git"))
        assert fetched(mine, pinned(folder, commit)).root == Tree.of(INNER).root
    assert site.paths[0] == archive


def test_an_archive_with_a_repository_of_its_own_inside_is_passed_over(
    plain_commit: tuple[Path, str], forge: Callable[..., GitFetcher], site: Site, tmp_path: Path
):
    """As from git itself: neither way is there a file called .git."""
    folder, _ = plain_commit
    for name in ("file", ".git"):
        commit = commit_of(folder, tree_of(folder, name.encode()))
        path = f"/owner/name/-/archive/{commit}/name-{commit}.tar.gz"
        packed = tmp_path / name / "name-x"
        packed.mkdir(parents=True)
        (packed / name).write_bytes(b"x")
        tar = ["tar", "-cz", "-C", str(packed.parent), "name-x"]
        site.pages = {path: subprocess.run(tar, capture_output=True, check=True).stdout}
        archives, sink = forge().archives, DigestSink()
        assert archives is not None

        source, nobody = pinned(folder, commit), no_progress
        if name == "file":
            archives.deliver(f"{site.address}{path}", source, sink, nobody)
            assert list(sink.nested) == ["file"]
        else:
            with pytest.raises(Failed, match="cannot hold a file called"):
                archives.deliver(f"{site.address}{path}", source, sink, nobody)
            assert sink.nested == {}


@pytest.mark.parametrize("body", [b"", b"<html>", b"\x1f\x8b broken", None])
def test_a_bad_archive_is_named(
    plain_commit: tuple[Path, str],
    forge: Callable[..., GitFetcher],
    site: Site,
    body: bytes | None,
):
    folder, commit = plain_commit
    archive = f"/owner/name/-/archive/{commit}/name-{commit}.tar.gz"
    site.pages = {archive: body} if body is not None else {}
    archives, sink = forge().archives, DigestSink()
    assert archives is not None
    with pytest.raises(Failed):
        archives.deliver(f"{site.address}{archive}", pinned(folder, commit), sink, no_progress)
    assert sink.nested == {}


def test_addresses_of_archives():
    """Only for forges that are known to have them, and only over https."""
    assert (
        archive_url("https://github.com/a/b.git", "c1")
        == "https://github.com/a/b/archive/c1.tar.gz"
    )
    found = archive_url("https://gitlab.com/a/b/c", "c1")
    assert found == "https://gitlab.com/a/b/c/-/archive/c1/c-c1.tar.gz"
    for url in (
        "http://github.com/a/b",
        "git@github.com:a/b",
        "ssh://git@github.com/a/b",
        "https://github.com/a",
        "https://github.com/a/b/c",
        "https://github.com.evil.example/a/b",
        "https://forge.example/a/b",
    ):
        assert archive_url(url, "c1") is None
