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


@pytest.mark.parametrize(
    ("path", "is_project"),
    [("series.yaml", True), ("app/recipe.yaml", True), ("app/notes", False), ("notes", False)],
)
def test_a_recipe_or_a_default_series_makes_a_project(
    tmp_path: Path, path: str, *, is_project: bool
) -> None:
    file = tmp_path / "recipes" / path
    file.parent.mkdir(parents=True)
    file.write_text("")
    there = workspace(str(tmp_path))
    assert there.project == (str(tmp_path) if is_project else None)
    assert (there.recipes[0] == str(tmp_path / "recipes")) is is_project
