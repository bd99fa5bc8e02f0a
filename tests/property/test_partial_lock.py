"""A lock of what changed is the lock of everything, with values instead of upstream's, too."""

from __future__ import annotations

import random
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from workspaces import workspace

from rvbuild.app.lock import lock
from rvbuild.app.session import Session
from rvbuild.core.events import Event

FOLLOWERS = {
    "end": """\
version:
  first-of: [{from: part, line: 1, file: A}, {from: side-source, line: 1, file: A}]
  prefer: 1
pins: {other: {from: side-source, line: 1, file: B}}
sources: {end: {git: "https://example.invalid/part", tag: "${other}"}}
""",
    "plain": """\
version: {from: family-source, line: 1, file: B}
sources: {plain: {git: "https://example.invalid/part", tag: "${version}"}}
""",
}
INSTEAD = ', instead: {value: "9", because: [CVE-1], while: "1"}'


class Project:
    """`part` follows `family-source`, `end` follows `part` and `side-source`; no network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self.events: list[Event] = []
        for name, text in FOLLOWERS.items():
            self._recipe(name, text)
        upstreams = {name: folder / name for name in ("family", "side", "part")}
        self.commits = {
            name: [_commit(path, b, tag=b if name == "part" else "") for b in ("1", "2", "9")]
            for name, path in upstreams.items()
        }
        lines = (f"'https://example.invalid/{n}' = '{path}'\n" for n, path in upstreams.items())
        (self.folder / "rvbuild.toml").write_text("[mirrors]\n" + "".join(lines))
        self.move("family", 0)
        self.move("side", 0)
        self.part(INSTEAD)

    def _recipe(self, name: str, text: str) -> None:
        file = self.folder / "recipes" / name / "recipe.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"kind: source\n{text}")

    def move(self, name: str, to: int) -> str:
        """Pin a source without series to another commit; the name of its recipe."""
        commit = self.commits[name][to]
        url = f"https://example.invalid/{name}"
        self._recipe(f"{name}-source", f"sources: {{{name}: {{git: {url}, commit: {commit}}}}}\n")
        return f"{name}-source"

    def part(self, instead: str) -> str:
        """Write the recipe of `part`, with an override or without; its name."""
        version = f"version: {{from: family-source, line: 1, file: A{instead}}}\n"
        source = 'sources: {part: {git: "https://example.invalid/part", tag: "${version}"}}\n'
        self._recipe("part", version + source)
        return "part"

    def lock(self, *names: str) -> str:
        """The text of the lock after a lock of some recipes, or of all."""
        at = workspace(str(self.folder))
        with closing(Session(at, self.events.append, today="2026-11-30")) as session:
            result = lock(session, names)
            result.refuse_failures()
            result.write()
        return (self.folder / "rvbuild.lock").read_text()


def _git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=n", "-c", "user.email=n@example.invalid")
    command = ["git", *who, *words]
    return subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def _commit(folder: Path, b: str, tag: str) -> str:
    """A commit where B, and A where that is tagged, have a text."""
    if not folder.exists():
        folder.mkdir()
        _git(folder, "init", "-q")
    (folder / "A").write_text(f"{tag or 1}\n")
    (folder / "B").write_text(f"{b}\n")
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", b)
    if tag:
        _git(folder, "tag", tag)
    return _git(folder, "rev-parse", "HEAD")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project(tmp_path)
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr("rvbuild.app.workspace.shipped_recipes", lambda: str(project.folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    for name in ("RVBUILD_STORE", "RVBUILD_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    project.lock()
    return project


def _edit(project: Project, chance: random.Random) -> str:
    name = chance.choice(("family", "family", "side", "side", "part"))
    if name == "part":
        return project.part(chance.choice(("", INSTEAD)))
    return project.move(name, chance.randrange(3))


@pytest.mark.parametrize("seed", range(4))
def test_a_lock_of_what_changed_is_that_of_everything(project: Project, seed: int):
    """Also of recipes that nobody named, and that follow one with a value of its own."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    for _ in range(6):
        edited = _edit(project, chance)
        partial = project.lock(edited)
        assert project.lock() == partial, edited
    (project.folder / "rvbuild.lock").unlink()
    assert project.lock() == partial


def test_a_moved_source_is_followed_as_upstream_too(project: Project):
    """A recipe that is read again may have an override, though nobody named it."""
    partial = project.lock(project.move("family", 1))
    assert "as-upstream:" in partial
    assert project.lock() == partial


def test_a_follower_of_an_override_is_compared_again(project: Project):
    """`end` has no override; as upstream it reads another `part`."""
    partial = project.lock(project.move("side", 1))
    assert project.lock() == partial
