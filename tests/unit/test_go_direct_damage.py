"""Repositories of modules that are damaged, or hold what no module may: errors that say so."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import define

from rvbuild.core.errors import SourceError, VerificationError
from rvbuild.kinds.go.commit_module import MAX_GO_MOD
from rvbuild.kinds.go.fetch import client
from rvbuild.transfers.fetch_services import FetchServices
from rvbuild.transfers.fetch_settings import FetchSettings

PATH, VERSION = "example.org/m", "v1.0.0"
FILES = {b"go.mod": b"module example.org/m\n\ngo 1.21\n", b"a.go": b"package m\n",
         b"deep/b.go": b"package deep\n", b"big.bin": bytes(300_000)}  # fmt: skip


@define
class Repository:
    """A repository of one commit with a tag."""

    folder: Path

    def git(self, *words: str, date: str = "2021-02-03T04:05:06Z") -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        for who in ("AUTHOR", "COMMITTER"):
            environment |= {f"GIT_{who}_NAME": "A", f"GIT_{who}_EMAIL": "a@b.example"}
            environment |= {f"GIT_{who}_DATE": date}
        command = ["git", "-c", "core.looseCompression=0", *words]
        done = subprocess.run(
            command, cwd=self.folder, env=environment, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    def commit(self, files: dict[bytes, bytes], date: str = "2021-02-03T04:05:06Z") -> None:
        self.folder.mkdir()
        self.git("init", "-q")
        for name, data in files.items():
            path = os.path.join(os.fsencode(self.folder), name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            Path(os.fsdecode(path)).write_bytes(data)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x", date=date)
        self.git("tag", VERSION)

    def h1(self, version: str = VERSION) -> str:
        """The module's, made by `direct`."""
        scratch = self.folder.parent / "client"
        environment = {"PATH": os.environ["PATH"], "GOENV": "off", "GOPROXY": "direct"}
        environment |= {"HOME": str(scratch), "GIT_CONFIG_NOSYSTEM": "1"}
        mirrors = ((f"https://{PATH}", str(self.folder)),)
        settings = FetchSettings(
            tmp=str(scratch), mirrors=mirrors, environment=environment, offline=True
        )
        return client(FetchServices(settings)).go_module(PATH, version)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    repository = Repository(tmp_path_factory.mktemp("whole") / "m")
    repository.commit(FILES)
    return repository


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def replace(path: Path) -> None:
    path.write_bytes(b"x" * 40)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [Path.unlink, cut, replace, empty])
def test_a_repository_in_which_one_object_is_damaged(
    whole: Repository, tmp_path: Path, damage: Callable[[Path], None]
):
    """Whichever object it is: a blob, a folder, the commit."""
    count = len(objects(whole.folder))
    assert count == 7
    for number in range(count):
        damaged = Repository(tmp_path / str(number) / "m")
        shutil.copytree(whole.folder, damaged.folder)
        one = objects(damaged.folder)[number]
        one.chmod(0o644)
        damage(one)
        with pytest.raises((SourceError, VerificationError)):
            damaged.h1()
    assert whole.h1().startswith("h1:")


def objects(folder: Path) -> list[Path]:
    return sorted(folder.glob(".git/objects/??/*"))


@pytest.mark.parametrize(("name", "says"), [
    (b"a\xff.go", r"does not allow: a\udcff.go"),
    (b"a:b.go", "does not allow: a:b.go"),
    (b'a"b.go', 'does not allow: a"b.go'),
    (b"a\nb.go", r"does not allow: a\nb.go"),
    (b"deep/con.go", "reserved on Windows: deep/con.go"),
    (b"dir./x.go", "ends with a dot: dir./x.go"),
    (b"A.go", "differs in case alone"),
    (b"Deep/c.go", "differs in case alone"),
])  # fmt: skip
def test_a_name_that_no_module_may_have(tmp_path: Path, name: bytes, says: str):
    repository = Repository(tmp_path / "m")
    repository.commit({**FILES, name: b"package m\n"})
    with pytest.raises(SourceError) as caught:
        repository.h1()
    assert says in "\n".join(caught.value.details)


@pytest.mark.parametrize("name", [b"nested/a\xff.go", b"vendor/x/a:b.go", b"nested/con.go"])
def test_a_name_of_what_is_not_the_modules(tmp_path: Path, name: bytes):
    repository = Repository(tmp_path / "m")
    repository.commit({**FILES, b"nested/go.mod": b"module x\n", name: b"package x\n"})
    plain = Repository(tmp_path / "plain/m")
    plain.folder.parent.mkdir()
    plain.commit(FILES)
    assert repository.h1() == plain.h1()


def test_a_go_mod_that_is_too_large(tmp_path: Path):
    repository = Repository(tmp_path / "m")
    repository.commit({b"go.mod": FILES[b"go.mod"] + b"\n" * MAX_GO_MOD})
    with pytest.raises(SourceError) as caught:
        repository.h1()
    assert f"more than {MAX_GO_MOD} bytes" in "\n".join(caught.value.details)


def test_a_go_line_of_many_digits(tmp_path: Path):
    repository = Repository(tmp_path / "m")
    repository.commit({b"go.mod": b"module example.org/m\n\ngo 1." + b"9" * 5000 + b"\n"})
    assert repository.h1().startswith("h1:")


def test_a_commit_of_no_year(tmp_path: Path):
    repository = Repository(tmp_path / "m")
    repository.commit(FILES, date="@999999999999999 +0000")
    name = repository.git("rev-parse", "HEAD")[:12]
    with pytest.raises(SourceError) as caught:
        repository.h1(f"v0.0.0-20210203040506-{name}")
    assert "the version says another time" in "\n".join(caught.value.details)
