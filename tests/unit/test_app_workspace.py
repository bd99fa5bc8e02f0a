"""Where the store is when nobody says it."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from workspaces import workspace


@pytest.mark.parametrize("home", [None, ""])
def test_an_empty_home_is_as_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str | None
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    if home is not None:
        monkeypatch.setenv("HOME", home)
    mine = pwd.getpwuid(os.getuid()).pw_dir
    assert workspace(str(tmp_path)).store == os.path.join(mine, ".cache/rvbuild")


def test_the_store_is_in_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert workspace(str(tmp_path)).store == "/home/me/.cache/rvbuild"
    for relative in ("caches", "./caches", "../caches", "~/caches"):  # as if it were not set
        monkeypatch.setenv("XDG_CACHE_HOME", relative)
        assert workspace(str(tmp_path)).store == "/home/me/.cache/rvbuild"
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert workspace(str(tmp_path)).store == "/elsewhere/rvbuild"
