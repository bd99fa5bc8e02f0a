"""A git that is killed while it reads: nothing is called damaged, and no clone is lost."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from git_upstream import Upstream, upstream_of
from told_fifo import ToldFifo

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import Interrupted, SourceError
from rvbuild.core.go_source import GoModule
from rvbuild.git.git_stopped import GitStopped, refuse_stopped
from rvbuild.kinds.git.source import GitSource

READERS = {
    "git": ("cat-file --batch", "cat-file --batch-check"),
    "go": ("rev-parse", "ls-tree", "cat-file blob", "archive"),
}
"""The commands by which a pinned source is read."""
COMMANDS = [(kind, command) for kind, commands in READERS.items() for command in commands]


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    with upstream_of(tmp_path) as made:
        yield made


def put_git(upstream: Upstream, command: str, act: str) -> None:
    """Let the user have a git of which a command acts otherwise; ``GIT`` is the real one."""
    folder = upstream.root / "bin"
    folder.mkdir(exist_ok=True)
    git = folder / "git"
    real = shutil.which("git")
    script = f'GIT={real}\ncase " $* " in *" {command} "*) {act};; esac\nexec $GIT "$@"\n'
    git.write_text(f"#!/bin/sh\n{script}")
    git.chmod(0o755)
    upstream.path = f"{folder}:{os.environ['PATH']}"


def take_git_away(upstream: Upstream) -> None:
    upstream.path = os.environ["PATH"]


def error_of(
    upstream: Upstream, kind: str, source: GitSource | GoModule, mirror: str = "", *, offline: bool
) -> str:
    """All that a person is told."""
    with pytest.raises(SourceError) as caught:
        upstream.fetch(kind, source, mirror, offline=offline)
    error = caught.value
    return "\n".join([str(error), *error.details, hint_text(error.hint)])


def files(folder: Path) -> dict[str, bytes]:
    return {str(each): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


DEATHS = {
    "KILL": ("kill -9 $$", "killed by signal 9 (SIGKILL)"),
    "INT": ("kill -2 $$", "killed by signal 2 (SIGINT)"),
    "on the way": ('$GIT "$@" | { head -c 60; kill -9 $$; }', "killed by signal 9 (SIGKILL)"),
    "of its own program": ("exit 137", "killed by signal 9 (SIGKILL)"),
    "memory": ("echo fatal: Out of memory, malloc failed >&2; exit 128", "Out of memory"),
}
"""What a git does instead, in a shell; and what a person is told."""


@pytest.mark.parametrize("offline", [True, False], ids=["offline", "online"])
@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize(("kind", "command"), COMMANDS)
def test_a_killed_git_leaves_the_clone(
    upstream: Upstream, kind: str, command: str, death: str, *, offline: bool
):
    act, says = DEATHS[death]
    source = upstream.source(kind)
    right = upstream.fetch(kind, source)
    clone, asked = upstream.clone(), len(upstream.asked)
    before = files(clone)
    put_git(upstream, command, act)
    told = error_of(upstream, kind, source, offline=offline)
    assert says in told
    assert f"while it read {clone}" in told
    assert "run it again" in told
    assert "damage" not in told
    assert files(clone) == before
    assert len(upstream.asked) == asked
    take_git_away(upstream)
    assert upstream.fetch(kind, source, offline=True) == right


@pytest.mark.parametrize("kind", READERS)
def test_a_killed_git_does_not_blame_a_mirror(upstream: Upstream, kind: str):
    source = upstream.source(kind)
    mirror = str(upstream.root / "m")
    put_git(upstream, READERS[kind][0], "kill -9 $$")
    told = error_of(upstream, kind, source, mirror, offline=True)
    assert f"killed by signal 9 (SIGKILL) while it read {mirror}" in told
    assert "fsck" not in told


@pytest.mark.parametrize("command", ["config", "ls-remote", "fetch"])
def test_a_git_that_is_killed_before_it_has_cloned(upstream: Upstream, command: str):
    """What it did not say is not taken for a setting that nobody made."""
    put_git(upstream, command, "kill -9 $$")
    told = error_of(upstream, "git", upstream.source("git"), offline=False)
    assert "killed by signal 9 (SIGKILL)" in told
    assert not upstream.asked


@pytest.mark.parametrize(("kind", "command"), COMMANDS)
def test_a_cancelled_run_ends_at_once_and_leaves_the_clone(
    upstream: Upstream, kind: str, command: str
):
    """Git answers nothing, and is ended with what it has started."""
    source = upstream.source(kind)
    right = upstream.fetch(kind, source)
    before = files(upstream.clone())
    alive = ToldFifo.at(upstream.root / "alive")
    put_git(upstream, command, f"exec 3>{alive.path}; echo reading >&3; sleep 60")
    errors: list[BaseException] = []

    def fetch() -> None:
        with pytest.raises(Interrupted) as caught:
            upstream.fetch(kind, source)
        errors.append(caught.value)

    thread = threading.Thread(target=fetch)
    thread.start()
    assert alive.line() == "reading"
    upstream.cancellation.cancel()
    thread.join()
    alive.wait_for_the_end()
    assert len(errors) == 1
    assert files(upstream.clone()) == before
    again = Upstream(upstream.root, upstream.address)
    assert again.fetch(kind, source, offline=True) == right


@pytest.mark.parametrize("code", [0, 1, 128, 129, 255])
def test_what_git_ends_with_by_itself(code: int):
    refuse_stopped(code, "fatal: loose object 12 is corrupt")


@pytest.mark.parametrize(
    ("code", "number"),
    [(-9, "9 (SIGKILL)"), (-15, "15 (SIGTERM)"), (130, "2 (SIGINT)"), (-35, "35")],
)
def test_what_it_ends_with_when_it_is_killed(code: int, number: str):
    with pytest.raises(GitStopped, match="killed by signal") as caught:
        refuse_stopped(code)
    assert str(caught.value) == f"git was killed by signal {number}"
