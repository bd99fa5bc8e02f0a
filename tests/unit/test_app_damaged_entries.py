"""Entries of a lock that somebody edited: who needs one fails, and the others go on with -k."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from workspaces import workspace

from rvbuild.app.build import build_targets
from rvbuild.app.fetch import fetch_sources
from rvbuild.app.lock import lock
from rvbuild.app.session import Session
from rvbuild.app.targets import targets_of
from rvbuild.cli.remedies import hint_text
from rvbuild.cli.target_results import render_sources
from rvbuild.core.errors import LockError
from rvbuild.core.events import silent
from rvbuild.recipes_yaml.lock import read_lock

RECIPE = """\
summary: notes that somebody wrote
license: MIT
homepage: https://example.invalid/notes
kind: source
version: "1"
sources: {%s: {path: ../../files/%s}}
"""
NAMES = ("bad", "fine", "other")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three recipes, each with a folder as its source, and their lock."""
    for name in NAMES:
        (tmp_path / "recipes" / name).mkdir(parents=True)
        (tmp_path / "recipes" / name / "recipe.yaml").write_text(RECIPE % (name, name))
        (tmp_path / "files" / name).mkdir(parents=True)
        (tmp_path / "files" / name / name).write_text(name)
    (tmp_path / "rvbuild.lock").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.delenv("RVBUILD_STORE", raising=False)
    with closing(Session(workspace("."), silent)) as first:
        lock(first).write()
    return tmp_path


@pytest.fixture
def session(project: Path) -> Iterator[Session]:
    with closing(Session(workspace(str(project)), silent)) as session:
        yield session


def _edit(file: Path, pattern: str, text: str) -> None:
    """Change the first entry, which is that of ``bad``."""
    changed, count = re.subn(pattern, text, file.read_text(), count=1)
    assert count == 1
    file.write_text(changed)


EDITS = {
    "a fact": ("(digest: )[0-9a-f]{4}", r"\g<1>0000"),
    "a fact that none can be": ("digest: .*", "digest: x"),
    "no check": ("    check: .*\n", ""),
    "another check": ("check: .*", "check: 0000000000000000"),
    "another kind": ("kind: path", "kind: x"),
}
Operation = Callable[..., object]


@pytest.mark.parametrize(("pattern", "text"), EDITS.values(), ids=EDITS)
def test_who_does_not_need_a_damaged_entry_goes_on(
    session: Session, project: Path, pattern: str, text: str
):
    _edit(project / "rvbuild.lock", pattern, text)
    targets = targets_of(session, ["fine", "bad"])
    fetched = fetch_sources(session, targets, keep_going=True)
    (failure,) = fetched.failures
    assert isinstance(failure, LockError)
    assert str(failure.where).startswith("rvbuild.lock:")
    assert hint_text(failure.hint)
    assert len(fetched.trees) == 1
    assert fetched.missing == ("bad",)
    assert json.loads(render_sources(fetched))["missing"] == ["bad"]
    built = build_targets(session, targets, keep_going=True)
    assert [each.target for each in built.results] == ["fine"]
    assert built.missing == ("bad",)


def test_a_damaged_entry_that_nobody_needs_is_told_all_the_same(session: Session, project: Path):
    _edit(project / "rvbuild.lock", *EDITS["a fact"])
    targets = targets_of(session, ["fine", "other"])
    fetched = fetch_sources(session, targets, keep_going=True)
    assert (len(fetched.trees), fetched.missing) == (2, ())
    with pytest.raises(LockError, match="bad/bad was changed by hand"):
        fetched.refuse_failures()


@pytest.mark.parametrize("words", [["fine"], ["fine", "bad"]])
def test_nothing_is_done_unless_it_is_to_go_on(session: Session, project: Path, words: list[str]):
    _edit(project / "rvbuild.lock", *EDITS["a fact"])
    with pytest.raises(LockError, match="bad/bad was changed by hand"):
        build_targets(session, targets_of(session, words))
    assert not (project / "result").exists()


@pytest.mark.parametrize("operation", [fetch_sources, build_targets])
def test_a_broken_recipe_is_missing(session: Session, project: Path, operation: Operation):
    (project / "recipes/bad/recipe.yaml").write_text("summary: [\n")
    targets = targets_of(session, ["fine", "bad"], keep_going=True)
    assert operation(session, targets, keep_going=True).missing == ("bad",)


def test_a_shipped_fact_does_not_stand_for_a_damaged_one(project: Path):
    """Of the project; and a project's fact stands for a damaged one of those that are shipped."""
    sound = (project / "rvbuild.lock").read_bytes()
    _edit(project / "rvbuild.lock", *EDITS["a fact"])
    own = read_lock((project / "rvbuild.lock").read_bytes(), "rvbuild.lock", partly=True)
    shipped = read_lock(sound, "rvbuild.lock")
    assert [str(ref) for ref in own.layered_over(shipped).damaged] == ["bad/bad"]
    assert not shipped.layered_over(own).damaged
