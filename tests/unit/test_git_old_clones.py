"""Clones of earlier runs: damaged, or of a tag that has moved. They have not the last word."""

from __future__ import annotations

import os
import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random

import pytest
from attrs import define, field
from git_server import serving, smart_http

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import SourceError, VerificationError
from rvbuild.core.go_source import GoModule
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.core.ports.fetcher import AnyFetcher
from rvbuild.kinds.git import fetch as git_fetch
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.go import fetch as go_fetch
from rvbuild.transfers.fetch_services import FetchServices
from rvbuild.transfers.fetch_settings import FetchSettings
from rvbuild.transfers.sinks import DigestSink

PATH, VERSION = "github.com/o/m", "v1.0.0"
URL, OF_GIT = f"https://{PATH}", "https://git.invalid/m"
CONFIG = f'[url "http://127.0.0.1:1/"]\n\tinsteadOf = {URL}\n'
"""Nobody goes to a server that is not of this machine."""
FILES = {
    "go.mod": f"module {PATH}\n\ngo 1.21\n",
    "a.go": "package m\n",
    "deep/b.go": "package deep\n" + "// words\n" * 999,
}
KINDS = ("git", "go")


class OnceSink(DigestSink):
    """Takes nothing twice, as no store does: whoever goes on has written nothing yet."""

    def __init__(self) -> None:
        super().__init__()
        self._paths: set[str] = set()

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        assert path not in self._paths
        self._paths.add(path)
        return super().file(path, chunks, executable=executable)


@define
class Upstream:
    """A repository with one commit, which a server has, and a user who fetches it.

    Attributes:
        root: All of it is below.
        address: The server's for the repository.
    """

    root: Path
    address: str = ""
    asked: list[str] = field(factory=list)

    def git(self, *words: str, at: str = "m", given: bytes = b"") -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        for who in ("AUTHOR", "COMMITTER"):
            environment |= {f"GIT_{who}_NAME": "A", f"GIT_{who}_EMAIL": "a@b.example"}
            environment |= {f"GIT_{who}_DATE": "2021-02-03T04:05:06Z"}
        done = subprocess.run(
            ["git", *words], cwd=self.root / at, env=environment, check=True, capture_output=True,
            input=given,
        )  # fmt: skip
        return done.stdout.decode().strip()

    def commit(self, **more: str) -> None:
        """Commit the files; the tag is of the last commit."""
        folder = self.root / "m"
        if not folder.exists():
            folder.mkdir()
            self.git("init", "-q")
        for name, text in {**FILES, **more}.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x")
        self.git("tag", "-f", VERSION)

    @property
    def tmp(self) -> Path:
        return self.root / "tmp"

    def client(self, kind: str, mirror: str = "", *, offline: bool = False) -> AnyFetcher:
        """That of a run of its own."""
        (self.root / ".gitconfig").write_text(CONFIG)
        environment = {"PATH": os.environ["PATH"], "GOENV": "off", "GOPROXY": "direct"}
        settings = FetchSettings(
            tmp=str(self.tmp),
            mirrors=tuple((url, mirror or self.address) for url in (URL, OF_GIT)),
            environment={**environment, "HOME": str(self.root), "GIT_CONFIG_NOSYSTEM": "1"},
            offline=offline,
        )
        services = FetchServices(settings)
        return go_fetch.client(services) if kind == "go" else git_fetch.client(services)

    def source(self, kind: str) -> GitSource | GoModule:
        """What upstream has."""
        if kind == "go":
            return GoModule(path=PATH, version=VERSION, h1=self.h1())
        commit, tree = self.git("rev-parse", "HEAD", "HEAD^{tree}").split()
        return GitSource(url=OF_GIT, commit=commit, tree=tree, date=1612325106)

    def h1(self, *, offline: bool = False) -> str:
        """What is locked for the module, with clones of its own or those of the runs before."""
        made = self.client("go", "" if offline else str(self.root / "m"), offline=offline)
        assert isinstance(made, go_fetch.GoClient)
        return made.go_module(PATH, VERSION)

    def fetch(
        self, kind: str, source: GitSource | GoModule, mirror: str = "", *, offline: bool = False
    ) -> str:
        """The tree that comes of a source, in a run of its own."""
        sink = OnceSink()
        self.client(kind, mirror, offline=offline).fetch(source, sink, no_progress)
        return str(sink.tree.root)

    def clone(self) -> Path:
        """The only one that was kept."""
        (clone,) = (self.tmp / "git").iterdir()
        return clone


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    made = Upstream(tmp_path)
    made.commit()
    base, asked = smart_http(tmp_path), made.asked

    class Noting(base):  # type: ignore[misc,valid-type]
        def do_POST(self) -> None:  # noqa: N802 - http.server's name
            asked.append(self.path)
            super().do_GET()

    with serving(Noting) as address:
        made.address = f"{address}/m/.git"
        yield made


def objects(upstream: Upstream, repository: Path) -> dict[str, list[Path]]:
    """The files of a repository's objects, each of its own, by the kind of object."""
    at = str(repository.relative_to(upstream.root))
    for pack in list(repository.glob("objects/pack/*.pack")):
        data = pack.read_bytes()
        shutil.rmtree(pack.parent)
        upstream.git("--git-dir", ".", "unpack-objects", "-q", at=at, given=data)
    kinds: dict[str, list[Path]] = {}
    for file in sorted(repository.glob("objects/??/*")):
        file.chmod(0o644)
        name = file.parent.name + file.name
        kind = upstream.git("--git-dir", ".", "cat-file", "-t", name, at=at)
        kinds.setdefault(kind, []).append(file)
    return kinds


# ---- damage


def flip(file: Path, _kind: str) -> None:
    data = bytearray(file.read_bytes())
    data[Random(len(data)).randrange(2, len(data))] ^= 16  # noqa: S311 - the same each time
    file.write_bytes(bytes(data))


def replace(file: Path, kind: str) -> None:
    """A whole object of that kind, which has another name."""
    who = "A <a@b.example> 1612325106 +0000"
    texts = {
        "blob": "package other\n",
        "tree": "",
        "commit": f"tree {'4b825dc642cb6eb9a060e54bf8d69288fbee4904'}\nauthor {who}\n"
        f"committer {who}\n\nx\n",
    }
    text = texts[kind]
    file.write_bytes(zlib.compress(f"{kind} {len(text)}\0{text}".encode()))


Damage = Callable[[Path, str], None]
DAMAGES: dict[str, Damage] = {
    "missing": lambda file, _kind: file.unlink(),
    "flipped": flip,
    "another": replace,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("of", ["commit", "tree", "blob"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_clone_is_replaced_in_the_same_run(
    upstream: Upstream, kind: str, of: str, damage: Damage
):
    source = upstream.source(kind)
    right = upstream.fetch(kind, source)
    damage(objects(upstream, upstream.clone())[of][-1], of)
    asked = len(upstream.asked)
    assert upstream.fetch(kind, source) == right
    assert len(upstream.asked) > asked
    assert upstream.fetch(kind, source, offline=True) == right


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("of", ["commit", "blob"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_clone_ends_an_offline_run(
    upstream: Upstream, kind: str, of: str, damage: Damage
):
    """It is named, and removed."""
    source = upstream.source(kind)
    upstream.fetch(kind, source)
    clone = upstream.clone()
    damage(objects(upstream, clone)[of][0], of)
    with pytest.raises((SourceError, VerificationError)) as caught:
        upstream.fetch(kind, source, offline=True)
    assert str(clone) in "\n".join([str(caught.value), *caught.value.details])
    assert not clone.exists()


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("of", ["tree", "blob"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_mirror_is_named(upstream: Upstream, kind: str, of: str, damage: Damage):
    """It stays as it is: whose it is, mends it."""
    source = upstream.source(kind)
    mirror = upstream.root / "mirror"
    upstream.git("clone", "-q", "--bare", "m", "mirror", at=".")
    files = objects(upstream, mirror)
    damage(files[of][-1], of)
    with pytest.raises((SourceError, VerificationError)) as caught:
        upstream.fetch(kind, source, str(mirror), offline=True)
    text = "\n".join([str(caught.value), *caught.value.details])
    assert str(mirror) in text
    assert hint_text(caught.value.hint)
    if kind == "git" and isinstance(caught.value, VerificationError):
        assert "`git fsck`" in hint_text(caught.value.hint)
        assert "--mirror" in hint_text(caught.value.hint)
    assert mirror.is_dir()


def test_a_damaged_mirror_with_other_files_than_its_names_say_is_not_passed_over(
    upstream: Upstream,
):
    """The control: whoever gives other bytes ends the search, also where a server has them."""
    source = upstream.source("git")
    mirror = upstream.root / "mirror"
    upstream.git("clone", "-q", "--bare", "m", "mirror", at=".")
    replace(objects(upstream, mirror)["blob"][0], "blob")
    with pytest.raises(VerificationError, match=str(mirror)):
        upstream.fetch("git", source, str(mirror))


@pytest.mark.parametrize("of", ["commit", "tree", "blob"])
def test_other_files_than_their_names_say_get_into_no_lock(upstream: Upstream, of: str):
    """Nobody pinned a hash of the module yet: only git's own names can tell."""
    upstream.commit()
    right = upstream.h1()
    mirror = upstream.root / "mirror"
    upstream.git("clone", "-q", "--bare", "m", "mirror", at=".")
    made = upstream.client("go", str(mirror), offline=True)
    assert isinstance(made, go_fetch.GoClient)
    assert made.go_module(PATH, VERSION) == right
    for file in objects(upstream, mirror)[of]:
        replace(file, of)
    made = upstream.client("go", str(mirror), offline=True)
    assert isinstance(made, go_fetch.GoClient)
    with pytest.raises((SourceError, VerificationError)) as caught:
        made.go_module(PATH, VERSION)
    assert str(mirror) in "\n".join([str(caught.value), *caught.value.details])


def test_a_damaged_mirror_is_blamed_and_not_the_version(upstream: Upstream):
    source = upstream.source("go")
    mirror = upstream.root / "mirror"
    upstream.git("clone", "-q", "--bare", "m", "mirror", at=".")
    replace(objects(upstream, mirror)["blob"][-1], "blob")
    with pytest.raises(VerificationError, match="has other content") as caught:
        upstream.fetch("go", source, str(mirror), offline=True)
    assert str(mirror) in str(caught.value)
    assert "`git fsck`" in hint_text(caught.value.hint)


# ---- tags that move


def test_a_tag_that_moved(upstream: Upstream):
    old = GoModule(path=PATH, version=VERSION, h1=upstream.h1())
    first = upstream.fetch("go", old)
    upstream.commit(**{"a.go": "package m // later\n"})
    new = GoModule(path=PATH, version=VERSION, h1=upstream.h1())
    assert new != old
    assert upstream.fetch("go", old) == first
    second = upstream.fetch("go", new)
    assert second != first
    assert upstream.fetch("go", new, offline=True) == second
    with pytest.raises(VerificationError, match="is not the pinned one") as caught:
        upstream.fetch("go", old)
    assert "moved upstream" in hint_text(caught.value.hint)


def test_a_moved_tag_is_locked_as_it_is_now(upstream: Upstream):
    """Offline, as it was."""

    def locked(*, offline: bool = False) -> str:
        made = upstream.client("go", offline=offline)
        assert isinstance(made, go_fetch.GoClient)
        return made.go_module(PATH, VERSION)

    before = locked()
    upstream.commit(**{"a.go": "package m // later\n"})
    assert locked(offline=True) == before
    after = locked()
    assert after == upstream.h1() != before
    assert locked(offline=True) == after


def test_a_clone_stays_until_a_newer_one_is_whole(upstream: Upstream):
    before = upstream.fetch("go", source := upstream.source("go"))
    lost = upstream.root / "lost"
    (upstream.root / "m").rename(lost)
    made = upstream.client("go")
    assert isinstance(made, go_fetch.GoClient)
    with pytest.raises(SourceError):
        made.go_module(PATH, VERSION)
    assert upstream.fetch("go", source, offline=True) == before
