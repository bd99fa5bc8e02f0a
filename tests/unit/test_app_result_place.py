"""Results take their places, and nothing that is not ours is lost, whenever it came there."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from rvbuild.app import result_place as place
from rvbuild.app.refusals import (
    refuse_no_folder,
    refuse_occupied,
    refuse_unfit_mirrors,
)
from rvbuild.app.result_place import copy, identity, link
from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import RvbuildError, StoreError, UsageError
from rvbuild.files import swap
from rvbuild.files.timestamp import EPOCH_NS

VIEW = f"/store/views/ab/{'ab' * 32}"
OLD = f"/other/trees/cd/{'cd' * 32}"


def fill(at: int) -> None:
    """A copy as the store makes it."""
    os.mkdir("d", dir_fd=at)
    os.close(os.open("d/f", os.O_CREAT | os.O_WRONLY, dir_fd=at))
    for name in ("d/f", "d", "."):
        os.utime(name, ns=(EPOCH_NS, EPOCH_NS), dir_fd=at)


def is_same(path: str) -> bool:
    return os.path.isdir(path) and os.listdir(path) == ["d"] and os.listdir(f"{path}/d") == ["f"]


def nothing(_at: Path) -> None:
    """The positive control."""


def a_file(at: Path) -> None:
    at.write_text("my notes")


def a_folder(at: Path) -> None:
    (at / "sub").mkdir(parents=True)
    (at / "sub/notes").write_text("my notes")


def a_link(at: Path) -> None:
    at.symlink_to("/my/own")


def our_link(at: Path) -> None:
    at.symlink_to(OLD)


def an_older_copy(at: Path) -> None:
    at.mkdir()
    folder = os.open(at, os.O_RDONLY)
    fill(folder)
    os.close(folder)


def found(at: Path) -> object:
    """What is at a place: what a person would know it by."""
    if at.is_symlink():
        return os.readlink(at)
    if at.is_file():
        return at.read_text()
    return sorted(str(path.relative_to(at)) for path in at.rglob("*")) if at.exists() else None


def only(folder: Path, *names: str) -> None:
    assert sorted(os.listdir(folder)) == sorted(names)


@pytest.fixture(params=["renameat2", "without"])
def at(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place in an empty folder, on file systems with and without renameat2's flags."""
    if request.param == "without":

        def refuse(*_: object) -> None:
            raise OSError(22, "Invalid argument")

        monkeypatch.setattr(swap, "_rename", refuse)
    return tmp_path / "result" / "x"


@pytest.mark.parametrize("before", [nothing, our_link])
def test_a_link_replaces_the_link_that_was_there(at: Path, before: Callable[[Path], None]):
    at.parent.mkdir()
    before(at)
    link(VIEW, str(at))
    assert os.readlink(at) == VIEW
    only(at.parent, "x")


@pytest.mark.parametrize(
    "folder", ["a b", "a'\"$`b", "a\nb", "a\\b", "\udcff", "ö", "-x", "a:b,c=d"]
)
def test_a_link_into_a_store_of_any_name_is_replaced(at: Path, folder: str):
    at.parent.mkdir()
    at.symlink_to(f"/{folder}/store/views/ab/{'ab' * 32}")
    refuse_occupied([str(at)])
    link(VIEW, str(at))
    assert os.readlink(at) == VIEW


@pytest.mark.parametrize("came", [a_file, a_folder, a_link])
def test_a_link_replaces_nothing_that_came_during_the_build(at: Path, came: Callable[[Path], None]):
    at.parent.mkdir()
    came(at)
    there = found(at)
    with pytest.raises(UsageError) as caught:
        link(VIEW, str(at))
    assert VIEW in hint_text(caught.value.hint)
    assert found(at) == there
    only(at.parent, "x")


def test_a_link_of_a_person_is_no_result_of_ours(at: Path):
    """Also one that was there before the build, or leads to a folder like a store's."""
    at.parent.mkdir()
    for target in ("/my/own", "elsewhere", str(at.parent), f"/views/ab/{'ab' * 31}"):
        at.symlink_to(target)
        with pytest.raises(UsageError, match="something that rvbuild did not make") as caught:
            refuse_occupied([str(at)])
        assert "move it away" in hint_text(caught.value.hint)
        with pytest.raises(UsageError):
            link(VIEW, str(at))
        assert os.readlink(at) == target
        at.unlink()
    our_link(at)
    refuse_occupied([str(at)])


def test_copies_at_a_path_that_no_file_can_have(tmp_path: Path):
    refuse_no_folder(str(tmp_path) + "/y" * 1000)
    with pytest.raises(UsageError, match="a path has less than 4096 bytes"):
        refuse_no_folder(str(tmp_path) + "/é" * 2000)


def test_a_mirror_at_a_path_that_no_file_can_have(tmp_path: Path):
    refuse_unfit_mirrors([("http://a/", str(tmp_path))])
    for path in ("/y" * 4096, "/" + "y" * 300, "~nobody-of-this-name/x"):
        with pytest.raises(UsageError, match="the mirror of http://a/ is not there"):
            refuse_unfit_mirrors([("http://a/", path)])


def test_a_link_of_another_run_is_replaced(at: Path):
    at.parent.mkdir()
    our_link(at)
    link(VIEW, str(at))
    assert os.readlink(at) == VIEW


@pytest.mark.parametrize("came", [a_file, a_folder, a_link, our_link])
def test_what_comes_between_the_look_and_the_exchange_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, came: Callable[[Path], None]
):
    """A hook puts it there at the worst moment; the second look finds it."""
    at = tmp_path / "x"
    our_link(at)
    late: list[Callable[[Path], None]] = [came]

    def exchange(one: str, other: str) -> None:
        if late:
            at.unlink()
            late.pop()(at)
        swap.exchange(one, other)

    monkeypatch.setattr(place, "exchange", exchange)
    if came is our_link:
        link(VIEW, str(at))
        assert os.readlink(at) == VIEW
    else:
        with pytest.raises(UsageError):
            link(VIEW, str(at))
        other = tmp_path / "other"
        came(other)
        assert found(at) == found(other)
    assert [name for name in os.listdir(tmp_path) if name.startswith(".")] == []


def test_what_goes_between_the_look_and_the_exchange_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    at = tmp_path / "x"
    our_link(at)
    late = [at.unlink]

    def exchange(one: str, other: str) -> None:
        if late:
            late.pop()()
        swap.exchange(one, other)

    monkeypatch.setattr(place, "exchange", exchange)
    link(VIEW, str(at))
    assert os.readlink(at) == VIEW


@pytest.mark.parametrize("before", [nothing, our_link, an_older_copy, Path.mkdir])
def test_a_copy_replaces_what_rvbuild_put_there(at: Path, before: Callable[[Path], None]):
    at.parent.mkdir()
    before(at)
    assert copy(fill, is_same, str(at), identity(str(at))) == ""
    assert is_same(str(at))
    only(at.parent, "x")


@pytest.mark.parametrize("before", [a_file, a_folder, a_link])
def test_what_is_no_copy_is_put_beside_the_new_one(at: Path, before: Callable[[Path], None]):
    at.parent.mkdir()
    before(at)
    there = found(at)
    aside = copy(fill, is_same, str(at), identity(str(at)))
    assert is_same(str(at))
    assert found(Path(aside)) == there
    only(at.parent, "x", os.path.basename(aside))


def added(at: Path) -> None:
    (at / "d/mine").write_text("mine")


def written(at: Path) -> None:
    (at / "d/f").write_text("mine")


def forged(at: Path) -> None:
    """Of equal size and time, as `cp -p` out of another copy leaves it."""
    os.utime(at / "d/f")
    wait_for_a_tick(at)
    os.utime(at / "d/f", ns=(EPOCH_NS, EPOCH_NS))


def removed(at: Path) -> None:
    (at / "d/f").unlink()


def not_to_read(at: Path) -> None:
    (at / "d/f").touch()
    (at / "d").chmod(0)


def wait_for_a_tick(at: Path) -> None:
    """Until a change is younger than the whole."""
    probe = at.parent / "probe"
    probe.touch()
    while probe.stat().st_ctime_ns <= at.stat().st_ctime_ns:
        probe.touch()
    probe.unlink()


@pytest.mark.parametrize("edit", [added, written, forged, removed, not_to_read])
def test_a_copy_that_somebody_changed_is_put_beside(at: Path, edit: Callable[[Path], None]):
    at.parent.mkdir()
    an_older_copy(at)
    edit(at)
    inode = at.stat().st_ino
    aside = copy(fill, is_same, str(at), identity(str(at)))
    assert Path(aside).stat().st_ino == inode
    assert is_same(str(at))
    only(at.parent, "x", os.path.basename(aside))


class Killed(BaseException):
    """The process ends at this call."""


def broken_look(_path: str) -> object:
    raise PermissionError(13, "Permission denied")


def interrupted(_path: str) -> object:
    raise KeyboardInterrupt


@pytest.mark.parametrize("look", [broken_look, interrupted])
@pytest.mark.parametrize("before", [a_folder, an_older_copy])
def test_a_look_that_fails_loses_nothing(
    at: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: Callable[[Path], None],
    look: Callable[[str], object],
):
    at.parent.mkdir()
    before(at)
    inode = at.stat().st_ino
    with monkeypatch.context() as context, suppress(KeyboardInterrupt):
        context.setattr(place, "below", look)
        copy(fill, is_same, str(at), identity(str(at)))
    link(VIEW, str(at.parent / "y"))  # clears
    assert inode in [each.lstat().st_ino for each in at.parent.iterdir()]


CALLS = ["rename", "mkdir", "unlink", "rmdir", "link", "lstat"]


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), Killed()])
@pytest.mark.parametrize("before", [a_file, a_folder, a_link])
def test_a_run_that_ends_at_any_call_loses_nothing(
    at: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: Callable[[Path], None],
    fault: BaseException,
):
    """A fault at the first call, the second, …, until there are no more; then another run clears.

    After the fault, a killed run does nothing more.
    """
    at.parent.mkdir()
    number, ended = 0, True
    while ended:
        where = at.parent / f"{number}" / "x"
        where.parent.mkdir()
        before(where)
        there, was = found(where), identity(str(where))
        with monkeypatch.context() as context:
            faults = Faults(context, number, fault)
            with suppress(RvbuildError, Killed):
                copy(fill, is_same, str(where), was)
        ended = faults.met
        link(VIEW, str(where.parent / "y"))  # clears
        assert there in [found(each) for each in where.parent.iterdir()], faults.last
        number += 1
    assert number > 5


class Faults:
    """Raises at one call that changes names, and at each one later if the run was killed."""

    def __init__(self, patch: pytest.MonkeyPatch, number: int, fault: BaseException) -> None:
        self._left, self._fault = number, fault
        self.met, self.last = False, ""
        for owner, name in ((swap, "_rename"), *((os, call) for call in CALLS)):
            patch.setattr(owner, name, self._call(name, getattr(owner, name)))

    def _call(self, name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object, **named: object) -> object:
            if self.met and isinstance(self._fault, Killed):
                raise self._fault
            if not self.met and self._left == 0:
                self.met, self.last = True, name
                raise self._fault
            self._left -= 1
            return real(*given, **named)

        return call


def test_what_is_no_copy_never_lies_in_the_folder_that_is_cleared(
    at: Path, monkeypatch: pytest.MonkeyPatch
):
    """An error just before the copy takes its place: what a person made is beside it, whole."""
    at.parent.mkdir()
    a_folder(at)

    def fail(*_: object) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(place, "_took", fail)
    with pytest.raises(StoreError):
        copy(fill, is_same, str(at), identity(str(at)))
    (aside,) = at.parent.iterdir()
    assert (aside / "sub/notes").read_text() == "my notes"


@pytest.mark.parametrize("came", [a_file, a_folder, a_link])
def test_a_copy_replaces_nothing_that_came_during_the_build(at: Path, came: Callable[[Path], None]):
    at.parent.mkdir()
    came(at)
    there = found(at)
    with pytest.raises(UsageError):
        copy(fill, is_same, str(at), None)
    assert found(at) == there
    only(at.parent, "x")


def test_the_same_copy_by_another_run_is_as_good(at: Path):
    at.parent.mkdir()
    an_older_copy(at)
    inode = at.stat().st_ino
    assert copy(fill, is_same, str(at), None) == ""
    assert at.stat().st_ino == inode
    only(at.parent, "x")


def test_what_a_killed_run_left_is_removed_and_what_a_running_one_holds_stays(at: Path):
    dead, held = (at.parent / f".rvbuild-{digit * 16}" for digit in "de")
    (dead / "copy/d").mkdir(parents=True)
    held.mkdir()
    (at.parent / ".rvbuild-notes").mkdir()
    fd = os.open(held, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    link(VIEW, str(at))
    only(at.parent, "x", held.name, ".rvbuild-notes")
    os.close(fd)
    link(VIEW, str(at))
    only(at.parent, "x", ".rvbuild-notes")


def test_a_copy_that_fails_leaves_what_was_there(at: Path):
    at.parent.mkdir()
    an_older_copy(at)

    def fail(_at: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="No space left on device"):
        copy(fail, is_same, str(at), identity(str(at)))
    assert is_same(str(at))
    only(at.parent, "x")
