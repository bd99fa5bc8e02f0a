"""A file is replaced whole and durably, or what was there stays alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rvbuild.files.folder import opened
from rvbuild.files.replacement import replace_file


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
