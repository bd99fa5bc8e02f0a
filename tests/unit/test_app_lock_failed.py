"""`lock` of a project in which some recipes cannot be locked."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from attrs import frozen
from workspaces import workspace

from rvbuild.app.choices import Choices
from rvbuild.app.lock import LockResult, lock
from rvbuild.app.session import Session
from rvbuild.core.lock import Lock

FILES = {"version": "1\n", "other": "1\n"}
TREE = "kind: source\nsources: {s: {path: files}}\n"
TOOLBOX = "kind: tool\ntoolbox: none\nsources: {box: {path: ../tree/files}}\n"
TOOL = "kind: tool\nbuild: ': > $out/out'\noutputs: {out: {path: out}}\n"
PIN = "from: tree, line: 1, file: version"
INSTEAD = f"{PIN}, instead: {{value: '9', because: [x], while: '2'}}"


@frozen
class World:
    """A project with a folder as a source; no network, no sandbox."""

    folder: Path

    def recipe(self, name: str, text: str) -> None:
        path = self.folder / "recipes" / name / "recipe.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def lock(self, *names: str, every_failure: bool = False) -> LockResult:
        choices, told = Choices(), list[object]()
        with closing(Session(workspace(str(self.folder)), told.append, choices)) as session:
            result = lock(session, names, every_failure=every_failure)
        result.write()
        return result


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    files = tmp_path / "recipes/tree/files"
    files.mkdir(parents=True)
    for name, text in FILES.items():
        (files / name).write_text(text)
    (tmp_path / "recipes/lib/l").mkdir(parents=True)
    (tmp_path / "recipes/lib/l/version").write_text("1\n")
    (tmp_path / "rvbuild.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rvbuild.app.workspace.shipped_recipes", lambda: str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("RVBUILD_STORE", str(tmp_path / "store"))
    world = World(tmp_path)
    world.recipe("base-toolbox", TOOLBOX)
    world.recipe("tree", TREE)
    world.recipe("lib", f"{TOOL}pins: {{a: {{{PIN}}}}}\n")
    world.recipe("app", f"{TOOL}pins: {{a: {{{PIN}}}}}\n")
    world.recipe("user", f"{TOOL}pins: {{b: {{from: lib, line: 1, file: version}}}}\n")
    return world


def entries(of: Lock | None) -> dict[str, object]:
    sections = (of.pins, of.sources, of.go_modules) if of else ()
    return {str(ref): entry for section in sections for ref, entry in section.items()}


BAD = "bad: {from: tree, line: 9, file: other}"
ENDED = f"{PIN}, instead: {{value: '9', because: [x], while: '0'}}"
BROKEN = {
    "a pin that is nowhere": f"pins: {{a: {{{PIN}}}, ok: {{{PIN}}}, {BAD}}}",
    "an override that ended": f"pins: {{a: {{{ENDED}}}, ok: {{{PIN}}}}}",
    "and one that holds": f"pins: {{a: {{{INSTEAD}}}, {BAD}}}",
    "a source": f"sources: {{l: {{path: l}}, gone: {{path: gone}}}}\npins: {{ok: {{{PIN}}}}}",
    "a file that is no recipe": "pins: [",
}


@pytest.mark.parametrize("former", ["", "locked"])
@pytest.mark.parametrize("names", [(), ("lib", "app")])
@pytest.mark.parametrize("name", BROKEN)
def test_of_a_recipe_that_cannot_be_locked_nothing_is_new(
    world: World, name: str, names: tuple[str, ...], former: str
):
    """All of it, or what was there; others are locked, of another tree."""
    (world.folder / "recipes/user/recipe.yaml").unlink()
    old = world.lock().new if former else Lock()
    (world.folder / "recipes/tree/files/version").write_text("2\n")
    world.recipe("lib", f"{TOOL}{BROKEN[name]}\n")
    if names and name == "a file that is no recipe":
        names = ("app",)
    result = world.lock(*names, every_failure=True)
    had = {ref: each for ref, each in entries(old).items() if ref.startswith("lib")}
    has = {ref: each for ref, each in entries(result.new).items() if ref.startswith("lib")}
    assert has == had
    assert entries(result.new)["app/a"].value == "2"  # type: ignore[attr-defined]
    assert not any(ref.startswith("lib") for ref in entries(result.new.upstream))


def test_who_reads_a_source_of_such_a_recipe_stays_too(world: World):
    """The lock has the former source, which is not what was read."""
    folder = world.folder / "recipes/lib/l"
    sources = "sources: {l: {path: l}}\n"
    world.recipe("lib", f"kind: source\n{sources}")
    old = world.lock().new
    (folder / "version").write_text("2\n")
    world.recipe("lib", f"kind: source\n{sources}pins: {{{BAD}}}\n")
    result = world.lock()
    assert [*result.failures] == ["lib", "user"]
    assert len(result.errors()) == 1
    assert result.new == old
    world.recipe("lib", f"kind: source\n{sources}")
    result = world.lock()
    assert not result.failures
    assert entries(result.new)["user/b"].value == "2"  # type: ignore[attr-defined]
