"""The way down from an open folder, on which no link is followed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rvbuild.files.folder import WrongKind, opened
from rvbuild.files.way import entered


def test_folders_are_entered_and_made(tmp_path: Path):
    with opened(str(tmp_path)) as top:
        with pytest.raises(FileNotFoundError), entered(top, ["a", "b"], path="top"):
            pytest.fail("it is not there")
        with entered(top, ["a", "b"], path="top", make=0o755, durable=True) as at:
            assert os.path.samestat(os.fstat(at), os.stat(tmp_path / "a/b"))
        with entered(top, [], path="top") as at:
            assert os.path.samestat(os.fstat(at), os.stat(tmp_path))


@pytest.mark.parametrize("make", [None, 0o755])
def test_a_link_on_the_way_is_named_and_not_followed(tmp_path: Path, make: int | None):
    (tmp_path / "a").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "a/b").symlink_to(tmp_path / "elsewhere")
    with opened(str(tmp_path)) as top, pytest.raises(WrongKind) as caught:  # noqa: SIM117
        with entered(top, ["a", "b", "c"], path="top", make=make):
            pytest.fail("it was followed")
    assert caught.value.path == "top/a/b"
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_no_descriptor_is_left(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    with opened(str(tmp_path)) as top:
        before = os.listdir("/proc/self/fd")
        with entered(top, ["a"], path="top", make=0o755):
            pass
        with pytest.raises(WrongKind), entered(top, ["file"], path="top"):
            pytest.fail("it is no folder")
        assert os.listdir("/proc/self/fd") == before
