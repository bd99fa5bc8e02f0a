"""A file is replaced whole and durably, or what was there stays alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rvbuild.files.folder import opened
from rvbuild.files.replacement import create_file, replace_file


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("by_descriptor", [False, True])
@pytest.mark.parametrize("before", [None, b"old"])
def test_the_new_content_stands_alone(tmp_path: Path, before: bytes | None, *, by_descriptor: bool):
    if before is not None:
        (tmp_path / "f").write_bytes(before)
    with opened(str(tmp_path)) as folder:
        if by_descriptor:
            replace_file("f", b"new", at=folder)
        else:
            replace_file(str(tmp_path / "f"), b"new")
    assert contents(tmp_path) == {"f": b"new"}


@pytest.mark.parametrize(("mode", "becomes"), [(None, 0o640), (0o644, 0o644), (0o600, 0o600)])
def test_a_mode_holds_whatever_the_umask(tmp_path: Path, mode: int | None, becomes: int):
    former = os.umask(0o027)
    try:
        replace_file(str(tmp_path / "f"), b"", mode=mode)
    finally:
        os.umask(former)
    assert (tmp_path / "f").stat().st_mode & 0o7777 == becomes


def test_a_folder_in_its_place_stays(tmp_path: Path):
    (tmp_path / "f").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_file(str(tmp_path / "f"), b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").is_dir()


@pytest.mark.parametrize("durable", [False, True])
def test_bytes_are_on_the_disk_before_the_name_and_the_name_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, durable: bool
):
    calls: list[str] = []
    sync, rename = os.fsync, os.replace

    def fsync(fd: int) -> None:
        calls.append(f"sync {Path(os.readlink(f'/proc/self/fd/{fd}')).name.partition('.')[0]}")
        sync(fd)

    def replace(*names: str, **folders: int | None) -> None:
        calls.append("rename")
        rename(*names, **folders)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    replace_file(str(tmp_path / "f"), b"new", durable=durable)
    synced = ["sync f", "rename", f"sync {tmp_path.name}"]
    assert calls == (synced if durable else ["rename"])


@pytest.mark.parametrize("before", ["file", "folder", "link to nowhere"])
def test_a_new_file_takes_nobodys_place(tmp_path: Path, before: str):
    file = tmp_path / "f"
    if before == "file":
        file.write_bytes(b"old")
    elif before == "folder":
        file.mkdir()
    else:
        file.symlink_to("nowhere")
    with pytest.raises(FileExistsError) as caught:
        create_file(str(file), b"new")
    assert caught.value.filename == str(file)
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert file.is_dir() or file.is_symlink() or file.read_bytes() == b"old"


def test_a_new_file_is_durable_and_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    synced: list[str] = []
    sync = os.fsync

    def fsync(fd: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{fd}")).name.partition(".")[0])
        sync(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    create_file(str(tmp_path / "f"), b"new", mode=0o600)
    assert synced == ["f", tmp_path.name]
    assert contents(tmp_path) == {"f": b"new"}
    assert (tmp_path / "f").stat().st_mode & 0o7777 == 0o600


def test_a_file_for_its_owner_is_never_open_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Not even while it is empty: whoever has it open reads what comes."""
    modes: list[int] = []
    change = os.fchmod

    def fchmod(fd: int, mode: int) -> None:
        modes.append(os.fstat(fd).st_mode & 0o777)
        change(fd, mode)

    monkeypatch.setattr(os, "fchmod", fchmod)
    former = os.umask(0)
    try:
        create_file(str(tmp_path / "f"), b"new", mode=0o600)
    finally:
        os.umask(former)
    assert modes == [0o600]


def test_a_rename_that_was_done_counts_whatever_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Over NFS the answer to a rename may be lost, and that to its repetition is ENOENT."""
    rename = os.replace

    def twice(*names: str, **folders: int | None) -> None:
        rename(*names, **folders)
        rename(*names, **folders)

    monkeypatch.setattr(os, "replace", twice)
    replace_file(str(tmp_path / "f"), b"new")
    assert contents(tmp_path) == {"f": b"new"}


def test_a_file_that_somebody_took_away_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def steal(name: str, *_: str, **__: int | None) -> None:
        Path(name).unlink()
        raise FileNotFoundError

    (tmp_path / "f").write_bytes(b"old")
    monkeypatch.setattr(os, "replace", steal)
    with pytest.raises(FileNotFoundError):
        replace_file(str(tmp_path / "f"), b"new")
    assert contents(tmp_path) == {"f": b"old"}
