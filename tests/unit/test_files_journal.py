"""Several files of a folder change together, whatever call fails and wherever the process ends."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from rvbuild.files.change import ChangeState, Disturbed, HalfDone
from rvbuild.files.folder import WrongKind
from rvbuild.files.journal import Journal, NewContent, changing, settle

NAME = ".change"
OLD = {"lock": b"old lock", "recipes/a/recipe.yaml": b"old a", "recipes/b/recipe.yaml": b"old b"}
NEW = {"lock": b"new lock", "recipes/a/recipe.yaml": b"new a", "recipes/b/recipe.yaml": b"new b"}
MORE = {**NEW, "recipes/series.yaml": b"default"}
CALLS = ("open", "mkdir", "replace", "unlink", "rmdir", "fsync", "write", "stat", "listdir")
DISK = ("open", "mkdir", "replace", "unlink", "rmdir", "fsync", "listdir")

CHANGES = [NewContent(path, OLD.get(path), data) for path, data in MORE.items()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(tmp_path / "project", OLD)
    return tmp_path / "project"


def put(top: Path, files: dict[str, bytes]) -> None:
    for path, data in files.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_bytes(data)


def contents(top: Path) -> dict[str, bytes]:
    """All files, the journal's, too."""
    return {str(each.relative_to(top)): each.read_bytes() for each in top.rglob("*")
            if each.is_file()}  # fmt: skip


def change(top: Path) -> None:
    with changing(str(top), NAME) as journal:
        journal.put(CHANGES)


class Killed(BaseException):
    """The process ends: nothing that it would still do is done."""


@contextmanager
def failing(
    monkeypatch: pytest.MonkeyPatch, at: int, error: Callable[[], BaseException]
) -> Iterator[list[str]]:
    """Let the call ``at`` (from 1) of those in `DISK` fail, and after a kill all that follow."""
    seen: list[str] = []

    def wrapped(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*words: object, **more: object) -> object:
            seen.append(name)
            problem = error()
            if len(seen) == at or (len(seen) > at and isinstance(problem, Killed)):
                raise problem
            return real(*words, **more)

        return call

    with monkeypatch.context() as context:
        for name in DISK:
            context.setattr(os, name, wrapped(name, getattr(os, name)))
        yield seen


def calls(folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    with failing(monkeypatch, 0, Killed) as seen:
        pass
    with failing(monkeypatch, -1, lambda: OSError(0, "none")) as seen:
        change(folder)
    return len(seen)


def test_all_files_change_and_nothing_else_is_left(folder: Path):
    change(folder)
    assert contents(folder) == MORE
    assert not (folder / NAME).exists()


def test_killed_at_any_call_the_next_one_finds_the_old_or_the_new(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(folder, tmp_path / "counted")
    count = calls(tmp_path / "counted", monkeypatch)
    assert count > 30
    ends = []
    for at in range(1, count + 1):
        top = tmp_path / str(at)
        shutil.copytree(folder, top)
        with failing(monkeypatch, at, Killed), pytest.raises(Killed):
            change(top)
        settle(str(top), NAME)
        ends.append(contents(top))
        assert ends[-1] in (OLD, MORE), at
        assert not (top / NAME).exists()
        if ends[-1] == OLD:
            change(top)
        assert contents(top) == MORE
    assert ends == sorted(ends, key=lambda each: each == MORE), "once it has happened it stays"
    assert ends[0] == OLD
    assert ends[-1] == MORE


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_call_that_fails_is_told_or_the_change_is_whole(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
):
    shutil.copytree(folder, tmp_path / "counted")
    count = calls(tmp_path / "counted", monkeypatch)
    for at in range(1, count + 1):
        top = tmp_path / str(at)
        shutil.copytree(folder, top)
        problem: OSError | None = None
        with failing(monkeypatch, at, lambda: OSError(number, os.strerror(number))):
            try:
                change(top)
            except OSError as error:
                problem = error
        if problem and not isinstance(problem, HalfDone):
            assert problem.errno == number
            assert {k: v for k, v in contents(top).items() if NAME not in k} == OLD, at
        settle(str(top), NAME)
        assert contents(top) in ((OLD, MORE) if problem else (MORE,)), at
        assert not (top / NAME).exists()


def half_done(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave a change that has happened, with one file in its place."""
    puts = [0]
    real = os.replace

    def replace(*names: str, **folders: int) -> None:
        puts[0] += names[1] in {"lock", "recipe.yaml"}
        if puts[0] == 2:
            raise Killed
        real(*names, **folders)

    with monkeypatch.context() as context:
        context.setattr(os, "replace", replace)
        with pytest.raises(Killed):
            change(folder)
    assert contents(folder)["lock"] == NEW["lock"]
    assert contents(folder)["recipes/b/recipe.yaml"] == b"old b"


def test_what_a_person_did_meanwhile_is_not_overwritten(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    half_done(folder, monkeypatch)
    (folder / "lock").write_bytes(b"mine: it had its place")
    (folder / "recipes/b/recipe.yaml").write_bytes(b"mine")
    with pytest.raises(HalfDone, match="changed by somebody else") as caught:
        settle(str(folder), NAME)
    assert caught.value.filename == str(folder / "recipes/b/recipe.yaml")
    (folder / "recipes/b/recipe.yaml").write_bytes(b"old b")
    settle(str(folder), NAME)
    assert contents(folder) == {**MORE, "lock": b"mine: it had its place"}


@contextmanager
def meanwhile(monkeypatch: pytest.MonkeyPatch, at: int, do: Callable[[], object]) -> Iterator[None]:
    """Let somebody else do something directly before the call ``at`` of those in `DISK`."""
    seen = [0]

    def wrapped(real: Callable[..., object]) -> Callable[..., object]:
        def call(*words: object, **more: object) -> object:
            seen[0] += 1
            if seen[0] == at:
                do()
            return real(*words, **more)

        return call

    with monkeypatch.context() as context:
        for name in DISK:
            context.setattr(os, name, wrapped(getattr(os, name)))
        yield


@pytest.mark.parametrize("path", ["lock", "recipes/b/recipe.yaml"])
def test_an_edit_at_any_call_is_not_overwritten(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
):
    """A person saves a file whenever the change looks, writes, or puts something in place.

    Between the last look and the rename nothing can be seen: that is one call.
    """
    shutil.copytree(folder, tmp_path / "counted")
    count = calls(tmp_path / "counted", monkeypatch)
    lost = 0
    for at in range(1, count + 1):
        top = tmp_path / str(at)
        shutil.copytree(folder, top)
        problem: OSError | None = None
        with meanwhile(monkeypatch, at, partial((top / path).write_bytes, b"mine")):
            try:
                change(top)
            except OSError as error:
                problem = error
        after = contents(top)
        if isinstance(problem, Disturbed):
            assert after == {**OLD, path: b"mine"}, at
        elif after[path] == b"mine":
            others = {k: v for k, v in after.items() if k != path}
            assert problem or others == {k: v for k, v in MORE.items() if k != path}, at
        else:
            assert after == MORE
            lost += 1
    assert lost == 1


def settle_without_locks(top: Path) -> None:
    """What another process does where no locks are."""
    folders = [os.open(each, os.O_RDONLY) for each in (top, top / NAME)]
    Journal(str(top), NAME, *folders).settle()
    for each in folders:
        os.close(each)


def test_without_locks_another_process_lets_no_change_be_half(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(folder, tmp_path / "counted")
    count = calls(tmp_path / "counted", monkeypatch)
    for at in range(1, count + 1):
        top = tmp_path / str(at)
        shutil.copytree(folder, top)
        problem: OSError | None = None

        def settle_other(top: Path = top) -> None:
            if (top / NAME).exists():
                settle_without_locks(top)

        with meanwhile(monkeypatch, at, settle_other):
            try:
                change(top)
            except OSError as error:
                problem = error
        if problem is None:
            assert contents(top) == MORE, at
        try:
            settle(str(top), NAME)
        except HalfDone:
            assert problem, at
        else:
            assert contents(top) in (OLD, MORE), at


def test_a_file_that_was_put_back_is_no_half_of_a_change(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """Killed with one file in its place, and then a checkout of what is committed."""
    half_done(folder, monkeypatch)
    put(folder, OLD)
    with pytest.raises(HalfDone, match="changed by somebody else") as caught:
        settle(str(folder), NAME)
    assert caught.value.filename == str(folder / "lock")
    assert contents(folder)["recipes/b/recipe.yaml"] == b"old b"


def test_the_files_that_get_their_place_later_are_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    assert settle(str(folder), NAME) == []
    half_done(folder, monkeypatch)
    assert settle(str(folder), NAME) == [each.path for each in CHANGES[1:]]
    assert settle(str(folder), NAME) == []


def test_a_file_that_is_not_what_was_read_stops_the_change(folder: Path):
    for path, data in (("lock", b"other"), ("recipes/series.yaml", b"there already")):
        put(folder, {path: data})
        before = contents(folder)
        with pytest.raises(Disturbed):
            change(folder)
        assert contents(folder) == before
        put(folder, OLD)


def test_modes_stay_and_what_is_read_only_is_not_written(folder: Path):
    (folder / "lock").chmod(0o640)
    change(folder)
    assert (folder / "lock").stat().st_mode & 0o7777 == 0o640
    (folder / "lock").chmod(0o440)
    with changing(str(folder), NAME) as journal, pytest.raises(OSError, match="it is read-only"):
        journal.put([NewContent("lock", b"new lock", b"newer")])
    assert contents(folder) == MORE


def test_no_link_is_followed(folder: Path, tmp_path: Path):
    put(tmp_path, {"decoy": b"old lock", "away/recipe.yaml": b"old a"})
    (folder / "lock").unlink()
    (folder / "lock").symlink_to(tmp_path / "decoy")
    with pytest.raises(WrongKind):
        change(folder)
    (folder / "lock").unlink()
    (folder / "lock").write_bytes(b"old lock")
    shutil.rmtree(folder / "recipes/a")
    (folder / "recipes/a").symlink_to(tmp_path / "away")
    with pytest.raises(WrongKind):
        change(folder)
    assert (tmp_path / "decoy").read_bytes() == b"old lock"
    assert (tmp_path / "away/recipe.yaml").read_bytes() == b"old a"


RECORDS: dict[str, object] = {
    "above": [["../decoy", None, "00"]],
    "a program's": [[".git/hooks/pre-commit", None, "00"]],
    "absolute": [["/decoy", None, "00"]],
    "no list": {"lock": "x"},
    "no text": [["lock", 1, "00"]],
    "too few": [["lock"]],
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_that_nobody_writes_here_is_refused(folder: Path, name: str):
    """A checkout may hold anything."""
    put(folder, {f"{NAME}/record": json.dumps(RECORDS[name]).encode(), f"{NAME}/0": b""})
    with pytest.raises(HalfDone, match="this is no record"):
        settle(str(folder), NAME)
    assert {k: v for k, v in contents(folder).items() if NAME not in k} == OLD


def test_new_bytes_that_are_damaged_get_no_place(folder: Path, monkeypatch: pytest.MonkeyPatch):
    half_done(folder, monkeypatch)
    (folder / NAME / "2").write_bytes(b"rot")
    with pytest.raises(HalfDone):
        settle(str(folder), NAME)
    assert contents(folder)["recipes/b/recipe.yaml"] == b"old b"


def refused(monkeypatch: pytest.MonkeyPatch, number: int) -> pytest.MonkeyPatch:
    """Let nothing be opened for writing."""
    real = os.open

    def opening(name: str, flags: int, *mode: int, **more: int) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(number, os.strerror(number), name)
        return real(name, flags, *mode, **more)

    monkeypatch.setattr(os, "open", opening)
    return monkeypatch


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_where_nothing_can_be_written_a_whole_state_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
):
    put(folder, {f"{NAME}/0": b"not recorded"})
    with monkeypatch.context() as context:
        settle(str(folder), NAME) if refused(context, number) else None
    assert contents(folder)["lock"] == b"old lock"
    settle(str(folder), NAME)
    half_done(folder, monkeypatch)
    with monkeypatch.context() as context, pytest.raises(HalfDone):
        settle(str(folder), NAME) if refused(context, number) else None
    settle(str(folder), NAME)
    assert contents(folder) == MORE


def mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each folder of recipes is a file system of its own."""
    real = os.replace

    def replace(source: str, target: str, **folders: int) -> None:
        if folders.get("src_dir_fd") != folders.get("dst_dir_fd"):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        real(source, target, **folders)

    monkeypatch.setattr(os, "replace", replace)


def test_a_mount_in_the_folder_gets_its_file_by_a_copy(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    mounted(monkeypatch)
    change(folder)
    assert contents(folder) == MORE


def test_a_copy_that_was_killed_leaves_no_file_beside_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """Whatever the call is, the next process leaves the old files or the new ones alone."""
    mounted(monkeypatch)
    number, is_over = 0, False
    while not is_over:
        number += 1
        shutil.rmtree(folder)
        put(folder, OLD)
        with failing(monkeypatch, number, Killed) as seen, suppress(Killed):
            change(folder)
        is_over = len(seen) < number
        settle(str(folder), NAME)
        assert contents(folder) in (OLD, MORE)
    assert contents(folder) == MORE


def test_two_do_not_meet(folder: Path):
    """Each of eight processes adds its line to what it finds; none is lost."""
    (folder / "lock").write_bytes(b"")
    script = (
        "import sys; from pathlib import Path\n"
        "from rvbuild.files.journal import NewContent, changing\n"
        "top, word = sys.argv[1:]\n"
        "with changing(top, '.change') as journal:\n"
        "    old = Path(top, 'lock').read_bytes()\n"
        "    other = Path(top, 'recipes/a/recipe.yaml').read_bytes()\n"
        "    journal.put([NewContent('lock', old, old + word.encode()),\n"
        "                 NewContent('recipes/a/recipe.yaml', other, word.encode())])\n"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", script, str(folder), word]) for word in "abcdefgh"
    ]
    assert [each.wait() for each in started] == [0] * 8
    assert sorted((folder / "lock").read_text()) == list("abcdefgh")
    assert (folder / "recipes/a/recipe.yaml").read_text() == (folder / "lock").read_text()[-1]
    assert not (folder / NAME).exists()


def test_git_does_not_see_the_journal(folder: Path):
    def status() -> str:
        words = ["git", "status", "--porcelain", "--untracked-files=all"]
        return subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout

    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    before = status()
    with changing(str(folder), NAME):
        (folder / NAME / "0").write_bytes(b"waits")
        assert status() == before
    settle(str(folder), NAME)
    assert status() == before


def test_an_interrupted_change_says_which_files_are_old_and_new(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    half_done(folder, monkeypatch)
    (folder / "recipes/b/recipe.yaml").write_bytes(b"mine")
    with pytest.raises(HalfDone) as caught:
        settle(str(folder), NAME)
    assert caught.value.state == ChangeState(
        old=("recipes/a/recipe.yaml", "recipes/series.yaml"),
        new=("lock",),
        edited=("recipes/b/recipe.yaml",),
    )


def test_a_folder_that_went_meanwhile_has_its_path(folder: Path, monkeypatch: pytest.MonkeyPatch):
    half_done(folder, monkeypatch)
    shutil.rmtree(folder / "recipes/b")
    with pytest.raises(HalfDone, match="No such file") as caught:
        settle(str(folder), NAME)
    assert caught.value.filename == str(folder / "recipes/b/recipe.yaml")
    assert caught.value.state.edited == ("recipes/b/recipe.yaml",)


def test_a_recipe_that_is_a_link_has_its_path(folder: Path):
    (folder / "recipes/b/recipe.yaml").unlink()
    (folder / "recipes/b/recipe.yaml").symlink_to(folder / "lock")
    with pytest.raises(WrongKind) as caught:
        change(folder)
    assert caught.value.path == str(folder / "recipes/b/recipe.yaml")


@pytest.mark.parametrize("place", [0, 1])
def test_a_change_of_which_no_file_gets_its_place_is_not_made(
    folder: Path, monkeypatch: pytest.MonkeyPatch, place: int
):
    """A mount that is read-only only when written to: the first file fails, or a later one."""
    real, puts = os.replace, [0]

    def replace(source: str, target: str, **folders: int) -> None:
        puts[0] += "recipe.yaml" in target or target == "lock"
        if puts[0] > place:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), source, None, target)
        real(source, target, **folders)

    with monkeypatch.context() as context:
        context.setattr(os, "replace", replace)
        with pytest.raises(OSError, match="Read-only") as caught:
            change(folder)
    assert caught.value.filename == str(folder / CHANGES[place].path)
    assert isinstance(caught.value, HalfDone) == bool(place)
    assert (contents(folder) == OLD) == (not place)
    settle(str(folder), NAME)
    assert contents(folder) == (MORE if place else OLD)


def test_a_folder_that_is_mounted_read_only_is_seen_before_anything_happens(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    inode, real = (folder / "recipes/b").stat().st_ino, os.fstatvfs

    def fstatvfs(at: int) -> os.statvfs_result:
        there = list(real(at))
        there[8] |= os.ST_RDONLY if os.fstat(at).st_ino == inode else 0
        return os.statvfs_result(there)

    monkeypatch.setattr(os, "fstatvfs", fstatvfs)
    with pytest.raises(OSError, match="Read-only") as caught:
        change(folder)
    assert caught.value.filename == str(folder / "recipes/b/recipe.yaml")
    assert contents(folder) == OLD
