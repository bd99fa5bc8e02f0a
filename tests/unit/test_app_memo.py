"""A memo answers for what it was made from: for no other program, and for no other file."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rvbuild.app import memo as room
from rvbuild.app.memo import Memo

ANSWER = "result/it-riscv64  it\n"
LONG_AGO = 1_600_000_000


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of its own, with a folder that other packages are in."""
    made = tmp_path / "rvbuild"
    (made / "core/__pycache__").mkdir(parents=True)
    (made / "core/derivation.py").write_text("VERSION = 1\n")
    (tmp_path / "site-packages").mkdir()
    monkeypatch.setattr(room, "PACKAGE", str(made))
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site-packages")])
    return made


@pytest.fixture
def kept(tmp_path: Path, program: Path) -> Callable[[], str | None]:
    """Keeps an answer; then asks for it as often as it is called."""
    assert program.is_dir()
    store, given = tmp_path / "store", tmp_path / "recipe.yaml"
    store.mkdir()
    given.touch()
    memo = Memo(str(store), ["it-riscv64"])
    memo._began += 10**9  # what was just made is a second old
    memo.keep(ANSWER, [str(given)], [], [])
    return lambda: Memo(str(store), ["it-riscv64"]).recall()


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("is_right", [True, False])
def test_a_result_that_was_edited_before_it_was_looked_at_is_not_remembered(
    tmp_path: Path, *, is_right: bool
) -> None:
    memo = Memo(str(tmp_path), ["it-riscv64"])
    memo.keep(ANSWER, [], [], [], lambda: is_right)
    assert memo.recall() == (ANSWER if is_right else None)


@pytest.mark.usefixtures("program")
def test_a_store_of_another_version_answers_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its results are not used: what it remembers of them is of no use either."""
    Memo(str(tmp_path), ["it-riscv64"]).keep(ANSWER, [], [], [])
    assert Memo(str(tmp_path), ["it-riscv64"]).recall() == ANSWER
    monkeypatch.setattr(room, "VERSION", room.VERSION + 1)
    assert Memo(str(tmp_path), ["it-riscv64"]).recall() is None


def edited(program: Path) -> None:
    """As `git pull` does it, with the size and the time that it had."""
    file = program / "core/derivation.py"
    before = file.stat()
    file.write_text("VERSION = 7\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(program: Path) -> None:
    new = program.parent / "new"
    new.write_text("VERSION = 1\n")
    new.rename(program / "core/derivation.py")


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file changes": edited,
    "a file is replaced": replaced,
    "a file is new": lambda program: (program / "core/more.py").touch(),
    "a file is gone": lambda program: (program / "core/derivation.py").unlink(),
    "a file moves": lambda program: (program / "core/derivation.py").rename(program / "x.py"),
    "another package": lambda program: (program.parent / "site-packages/attrs-99").mkdir(),
    "no program": shutil.rmtree,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_another_program_knows_no_answer(
    kept: Callable[[], str | None], program: Path, change: Callable[[Path], object]
):
    assert kept() == ANSWER
    change(program)
    assert kept() is None


def test_what_the_interpreter_compiles_is_the_same_program(
    kept: Callable[[], str | None], program: Path
):
    (program / "core/__pycache__/derivation.pyc").touch()
    assert kept() == ANSWER


@pytest.mark.parametrize("what", ["user", "machine", "interpreter"])
def test_another_one_who_asks_knows_no_answer(
    kept: Callable[[], str | None], monkeypatch: pytest.MonkeyPatch, what: str
):
    """Two machines and two users can share a folder."""
    if what == "user":
        monkeypatch.setattr(os, "geteuid", lambda: 4242)
    elif what == "machine":
        monkeypatch.setattr(os, "uname", lambda: os.uname_result(("", "", "", "", "other")))
    else:
        monkeypatch.setattr(sys, "executable", "/another/python")
    assert kept() is None


def test_a_program_that_changes_while_it_runs_leaves_no_memo(tmp_path: Path, program: Path):
    (tmp_path / "store").mkdir()
    memo = Memo(str(tmp_path / "store"), ["it"])
    memo._began += 10**9
    edited(program)
    memo.keep(ANSWER, [], [], [])
    assert list((tmp_path / "store").iterdir()) == []


def as_link(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


def as_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def folder_as_link(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))
    path.parent.symlink_to("moved")


def folder_as_fifo(path: Path) -> None:
    shutil.rmtree(path.parent)
    os.mkfifo(path.parent)


def with_answer(answer: object) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_text(json.dumps({**json.loads(path.read_text()), "answer": answer}))

    return write


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a link": as_link,
    "a FIFO": as_fifo,
    "a folder": as_folder,
    "a link for the folder": folder_as_link,
    "a FIFO for the folder": folder_as_fifo,
    "nothing in it": lambda path: path.write_text(""),
    "no JSON": lambda path: path.write_bytes(b"\xff{"),
    "deep JSON": lambda path: path.write_text("[" * 100_000),
    "a list": lambda path: path.write_text("[]"),
    "an answer that is a number": with_answer(1),
    "an answer that is a list": with_answer([]),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_what_is_no_memo_answers_nothing_and_does_not_block(
    kept: Callable[[], str | None], tmp_path: Path, damage: Callable[[Path], object]
):
    """The next build's memo takes its place, if it is in the store; nothing outside is made."""
    assert kept() == ANSWER
    (file,) = (tmp_path / "store/memo").iterdir()
    damage(file)
    outside = sorted((tmp_path / "store/moved").iterdir()) if file.parent.is_symlink() else []
    assert kept() is None
    memo = Memo(str(tmp_path / "store"), ["it-riscv64"])
    memo._began += 10**9
    memo.keep(ANSWER, [], [], [])
    possible = file.parent.is_dir() and not file.parent.is_symlink() and not file.is_dir()
    assert kept() == (ANSWER if possible else None)
    if file.parent.is_symlink():
        assert sorted((tmp_path / "store/moved").iterdir()) == outside
    elif possible:
        assert [path.name for path in file.parent.iterdir() if path.name != "moved"] == [file.name]


def test_another_users_memo_answers_nothing(kept: Callable[[], str | None], tmp_path: Path):
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    (file,) = (tmp_path / "store/memo").iterdir()
    os.chown(file, 54321, -1)
    assert kept() is None
    os.chown(file, 0, -1)
    assert kept() == ANSWER


def test_writers_do_not_meet(tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch):
    """Two containers have a process with the same number, and what one killed left is no hurdle."""
    assert program.is_dir()
    monkeypatch.setattr(os, "getpid", lambda: 1)
    store = tmp_path / "store"
    store.mkdir()
    memo = Memo(str(store), ["it"])
    memo._began += 10**9
    for number in range(3):
        (store / "memo").mkdir(exist_ok=True)
        (store / "memo" / f"{memo._name}.1").touch()
        memo.keep(f"{number}\n", [], [], [])
        assert Memo(str(store), ["it"]).recall() == f"{number}\n"
