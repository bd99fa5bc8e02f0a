"""Where the store is when nobody says it."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
from pathlib import Path

import pytest
from workspaces import workspace

from rvbuild.app.workspace import JOURNAL


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


def test_what_an_interrupted_change_gets_only_now_is_named(tmp_path: Path) -> None:
    file = tmp_path / "recipes" / "app" / "recipe.yaml"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"old")
    assert workspace(str(tmp_path)).settled == ()
    old, new = (hashlib.sha256(each).hexdigest() for each in (b"old", b"new"))
    (tmp_path / JOURNAL).mkdir()
    (tmp_path / JOURNAL / "0").write_bytes(b"new")
    record = [["recipes/app/recipe.yaml", old, new]]
    (tmp_path / JOURNAL / "record").write_text(json.dumps(record))
    assert workspace(str(tmp_path)).settled == ("recipes/app/recipe.yaml",)
    assert file.read_bytes() == b"new"
    assert workspace(str(tmp_path)).settled == ()
