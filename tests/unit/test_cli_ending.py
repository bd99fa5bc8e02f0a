"""What an error of the machine is told as, where no part of rvbuild knows better."""

from __future__ import annotations

import errno
import importlib
import os
import sys
import tempfile
from pathlib import Path

import pytest

from rvbuild.cli.ending import tell


def test_no_folder_for_temporary_files_is_no_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A disk that is full, or a system to read only, leaves tempfile without any."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "gone")])
    with pytest.raises(FileNotFoundError) as caught:
        tempfile.gettempdir()
    assert tell(caught.value) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: No usable temporary directory")
    assert "hint: let TMPDIR name" in said


def test_a_file_of_ours_that_is_not_there_is_a_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        (tmp_path / "gone").read_bytes()
    assert tell(caught.value) == 70
    assert "this is a bug in rvbuild" in capsys.readouterr().err


MACHINE = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EFBIG, errno.EINTR),
    *(errno.ENAMETOOLONG, errno.ELOOP, errno.ENODEV, errno.ENXIO, errno.EBUSY),
    *(errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EREMOTEIO),
    *(errno.EOPNOTSUPP, errno.ENOSYS),
)


@pytest.mark.parametrize("number", MACHINE, ids=errno.errorcode.get)
def test_what_a_file_system_answers_is_no_bug(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor are a disk that went away, one of a server, and a path that nothing can have."""
    assert tell(OSError(number, os.strerror(number), "/some/place")) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {os.strerror(number)}\n  --> /some/place\n")
    assert "hint: " in said


def test_a_path_that_is_too_long_is_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError, match="too long") as caught:
        os.stat("/y" * 4096)
    assert tell(caught.value) == 1
    assert "hint: use a shorter path" in capsys.readouterr().err


def test_a_library_that_is_not_installed_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """As after `git pull`, when a new version needs one more."""
    with pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module("no_such_library.part")
    assert tell(caught.value) == 6
    said = capsys.readouterr().err
    assert said.startswith("error: the program lacks a library: no_such_library\n")
    assert f"hint: install rvbuild again, with what it needs, for {sys.executable}" in said
