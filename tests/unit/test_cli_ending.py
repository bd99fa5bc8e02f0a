"""What an error of the machine is told as, where no part of rvbuild knows better."""

from __future__ import annotations

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
