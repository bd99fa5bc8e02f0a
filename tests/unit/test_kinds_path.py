"""Folders of this machine: all but .git, and holding still."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from rvbuild.cli.remedies import hint_text
from rvbuild.core.digest import Digest
from rvbuild.core.errors import SourceError, VerificationError
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.core.tree import File, Nested, Symlink, Tree
from rvbuild.kinds.path.fetch import PathFetcher, capture
from rvbuild.transfers.sinks import DigestSink


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One of everything."""
    root = tmp_path / "source"
    (root / ".git").mkdir(parents=True)
    (root / ".git" / "HEAD").write_text("x")
    (root / "sub" / "empty").mkdir(parents=True)
    (root / "sub" / ".git").write_text("gitdir: elsewhere")
    (root / "sub" / "a").write_bytes(b"a")
    (root / ".gitignore").write_text("ignored\n")
    (root / "ignored").write_bytes(b"kept")
    (root / "tool").write_bytes(b"#!")
    (root / "tool").chmod(0o755)
    (root / "link").symlink_to("/nowhere")
    return root


EXPECTED: Nested = {
    "sub": {"empty": {}, "a": File(Digest.of(b"a"))},
    ".gitignore": File(Digest.of(b"ignored\n")),
    "ignored": File(Digest.of(b"kept")),
    "tool": File(Digest.of(b"#!"), executable=True),
    "link": Symlink("/nowhere"),
}


def test_everything_but_git_is_taken(folder: Path):
    source = PathFetcher().resolve(str(folder))
    assert source.digest == str(Tree.of(EXPECTED).root)
    sink = DigestSink()
    PathFetcher().fetch(source, sink, no_progress)
    assert sink.tree.root == Tree.of(EXPECTED).root


def test_what_git_keeps_of_a_repository_is_no_source(tmp_path: Path):
    """As a bare repository, and as the ``.git`` of a clone; the clone itself is one."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    for name, *options in (("bare.git", "--bare"), ("clone",)):
        words = ["git", "init", "-q", *options, name]
        subprocess.run(words, cwd=tmp_path, env=environment, check=True)
    for name in ("bare.git", "bare.git/", "clone/.git"):
        with pytest.raises(VerificationError, match="repository without its files") as caught:
            PathFetcher().resolve(f"{tmp_path}/{name}")
        assert "--mirror FROM=TO" in hint_text(caught.value.hint)
        assert caught.value.where == f"{tmp_path}/{name}"
    for name in ("HEAD", "objects/x", "refs/x"):
        assert PathFetcher().resolve(f"{tmp_path}/clone").digest
        (tmp_path / "clone" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "clone" / name).write_text("a file of the source")


def test_a_change_since_the_resolving_is_found(folder: Path):
    source = PathFetcher().resolve(str(folder))
    (folder / "sub" / "a").write_bytes(b"b")
    with pytest.raises(VerificationError, match="is not what was locked"):
        PathFetcher().fetch(source, DigestSink(), no_progress)


def changes(folder: Path) -> dict[str, Callable[[], object]]:
    return {
        "grown": lambda: (folder / "tool").write_bytes(b"#!x"),
        "same size": lambda: (folder / "tool").write_bytes(b"##"),
        "mode": lambda: (folder / "tool").chmod(0o644),
        "replaced": lambda: os.replace(folder / "ignored", folder / "tool"),
        "new in a folder that was read": lambda: (folder / "sub" / "new").write_bytes(b""),
        "new beside it": lambda: (folder / "new").write_bytes(b""),
        "gone": (folder / "sub" / "a").unlink,
    }


@pytest.mark.parametrize("name", list(changes(Path())))
def test_a_change_while_reading_is_found(folder: Path, name: str):
    """Whatever happens to the folder in the middle of its last file, the capture fails."""
    (folder / "sub" / "z").write_bytes(b"last file to be read")
    last: list[int] = []
    capture(str(folder), DigestSink(), lambda done, _total: last.append(done))

    def change(done: int, _total: int) -> None:
        if done == last[-1]:
            changes(folder)[name]()

    if name in {"grown", "same size", "mode", "replaced"}:  # while that very file is read

        def change(done: int, _total: int) -> None:
            if done == tool_read:
                changes(folder)[name]()

        tool_read = len(b"ignored\n" + b"kept" + b"#!")
    with pytest.raises(VerificationError, match="changed while"):
        capture(str(folder), DigestSink(), change)


def test_what_a_tree_cannot_hold_is_refused(folder: Path):
    os.mkfifo(folder / "pipe")
    with pytest.raises(VerificationError, match="no file, folder or symlink"):
        PathFetcher().resolve(str(folder))
    (folder / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
        with pytest.raises(VerificationError, match="no file, folder or symlink"):
            PathFetcher().resolve(str(folder))
    (folder / "socket").unlink()
    (folder / os.fsdecode(b"bad\xff")).write_bytes(b"")
    with pytest.raises(VerificationError, match="not UTF-8"):
        PathFetcher().resolve(str(folder))


def test_no_such_folder(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "leads nowhere").symlink_to("gone")
    for name, says in (
        ("gone", "no such folder"),
        ("leads nowhere", "no such folder"),
        ("file", "it is no folder"),
        ("file/below", "no such folder"),
    ):
        with pytest.raises(SourceError, match=says) as caught:
            PathFetcher().resolve(str(tmp_path / name))
        assert "the recipe's `path`" in hint_text(caught.value.hint)


class Removing(DigestSink):
    """Removes the rest of a folder with the first file that it takes."""

    def __init__(self, rest: Path) -> None:
        super().__init__()
        self.rest = rest

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        sha256 = super().file(path, chunks, executable=executable)
        shutil.rmtree(self.rest, ignore_errors=True)
        return sha256


def test_what_cannot_be_read_has_a_hint(tmp_path: Path):
    (tmp_path / "a").touch()
    (tmp_path / "sub").mkdir()
    with pytest.raises(SourceError, match="cannot be read: No such file") as caught:
        capture(str(tmp_path), Removing(tmp_path / "sub"), no_progress)
    assert "let the folder be" in hint_text(caught.value.hint)


def test_a_deep_folder_needs_no_recursion(tmp_path: Path):
    deep = tmp_path
    for _ in range(400):
        deep /= "d"
    deep.mkdir(parents=True)
    (deep / "f").write_bytes(b"x")
    assert PathFetcher().resolve(str(tmp_path)).digest
