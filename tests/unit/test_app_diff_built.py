"""What differs between two results: files, programs, and the layers of images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from attrs import field, frozen
from golden_file import refuse_difference
from made_program import MadeProgram, go_build
from packed_image import filled, image
from workspaces import workspace

from rvbuild.app.diff_built import BuiltView, compare_built
from rvbuild.app.session import Session
from rvbuild.app.targets import targets_of
from rvbuild.cli.diff_built import built_document, built_sections
from rvbuild.cli.diff_text import text_lines
from rvbuild.core.component import Move
from rvbuild.core.errors import UsageError
from rvbuild.core.events import silent
from rvbuild.core.program_facts import ProgramFacts, compare_programs
from rvbuild.core.realisation import Realisation

RECIPE = """\
summary: a program and its image
version: "{version}"
build: |
  true
outputs:
  app: {{path: bin/app, kind: executable}}
  image: {{path: image, kind: image}}
"""
OLD_DEPS = (
    "dep\texample.org/a\tv1.0.0\th1:a",
    "dep\texample.org/b\tv1.0.0\th1:b",
    "dep\texample.org/c\tv1.2.0\th1:c",
    "dep\texample.org/d\tv1.0.0\th1:d",
)
NEW_DEPS = (
    "dep\texample.org/a\tv1.0.1\th1:a1",
    "dep\texample.org/c\tv1.2.0",
    "=>\texample.org/fork\tv1.2.0\th1:f",
    "dep\texample.org/d\tv1.0.0\th1:d",
    "dep\texample.org/e\tv0.1.0\th1:e",
)
MODULES = [
    ("example.org/a", Move.UP, ("v1.0.0",), ("v1.0.1",)),
    ("example.org/b", Move.REMOVED, ("v1.0.0",), ()),
    ("example.org/c", Move.REPLACED, ("v1.2.0",), ("example.org/fork@v1.2.0",)),
    ("example.org/e", Move.ADDED, (), ("v0.1.0",)),
]


def program(version: str, deps: tuple[str, ...], text: int) -> bytes:
    sections = ((".go.buildinfo", go_build(version, deps)), (".rodata", bytes(text)))
    return MadeProgram(code=bytes(8), sections=sections).write()


# ---- programs


def test_sections_and_modules_of_a_program():
    old = ProgramFacts.read(program("go1.24.1", OLD_DEPS, 100))
    new = ProgramFacts.read(program("go1.25.0", NEW_DEPS, 90))
    assert old is not None
    assert new is not None
    change = compare_programs("bin/app", old, new)
    assert (change.old_go, change.new_go) == ("go1.24.1", "go1.25.0")
    assert [(e.name, e.move, e.old, e.new) for e in change.modules] == MODULES
    sections = {each.name: (each.old, each.new) for each in change.sections}
    assert sections[".rodata"] == (100, 90)
    assert ".text" not in sections
    same = compare_programs("bin/app", old, old)
    assert (same.sections, same.modules) == ((), ())


def test_a_section_that_came_and_two_of_a_name():
    old = MadeProgram(code=bytes(8)).write()
    new = MadeProgram(code=bytes(8), sections=((".n", bytes(3)), (".n", bytes(4)))).write()
    facts = [ProgramFacts.read(data) for data in (old, new)]
    assert facts[0] is not None
    assert facts[1] is not None
    change = compare_programs("a", *facts)
    assert (".n", None, 7) in [(each.name, each.old, each.new) for each in change.sections]
    assert (change.new_go, change.modules) == ("", ())


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF" + bytes(200)])
def test_what_is_no_program(data: bytes):
    assert ProgramFacts.read(data) is None


# ---- results


@frozen
class Results:
    """A project with two targets, and a store with what a test says they gave."""

    folder: Path
    session: Session
    images: list[Path] = field(factory=list)

    def put(self, name: str, files: dict[str, bytes], links: dict[str, str], layout: Path) -> None:
        """Let a target have a result."""
        (target,) = targets_of(self.session, [name])
        _, linked = self.session.link((target,), checks=False)
        store = self.session.store
        with store.trees.new_tree() as writer:
            for path, data in files.items():
                writer.file(path, [data], executable=path.startswith("bin/"))
            for path, to in links.items():
                writer.symlink(path, to)
            for file in (each for each in layout.rglob("*") if each.is_file()):
                path = f"image/{file.relative_to(layout)}"
                writer.file(path, [file.read_bytes()], executable=False)
            root = writer.commit().root
        derivation = linked.derivations[linked.results[target]]
        key = store.cas.write(derivation.encode())
        store.realisations.register(Realisation(key=key, output=root))

    def compare(self, *words: str) -> BuiltView:
        return compare_built(self.session, words)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Results]:
    folder = tmp_path / "project"
    for name in ("one", "two"):
        (folder / "recipes" / name).mkdir(parents=True)
        text = RECIPE.format(version=name)
        (folder / "recipes" / name / "recipe.yaml").write_text(text)
    (folder / "rvbuild.lock").touch()
    monkeypatch.chdir(folder)
    with closing(Session(workspace(str(folder), str(tmp_path / "store")), silent)) as session:
        yield Results(folder, session)


ONE, TWO = "one-riscv64", "two-riscv64"
ANSWER = Path(__file__).parents[1] / "golden/answers/diff-built.json"


def test_files_programs_and_layers(
    results: Results, tmp_path: Path, request: pytest.FixtureRequest
):
    root = filled(tmp_path / "root")
    first = image(root, "example.org/app:1")
    (root / "etc/passwd").write_text("app:x:1:1::/:/bin/app\nother:x:2:2::/:/bin/app\n")
    second = image(root, "example.org/app:2")
    old = {"bin/app": program("go1.24.1", OLD_DEPS, 100), "gone": b"1", "same": b"2", "text": b"3"}
    new = {"bin/app": program("go1.25.0", NEW_DEPS, 90), "come": b"1", "same": b"2", "text": b"4"}
    results.put(ONE, old, {"link": "same", "turned": "same"}, first)
    results.put(TWO, {**new, "turned": b"5"}, {"link": "text"}, second)
    view = results.compare(ONE, TWO)
    paths = [each.path for each in view.diff.files if not each.path.startswith("image/")]
    assert paths == ["bin/app", "come", "gone", "link", "text", "turned"]
    (change,) = view.diff.programs
    assert [(e.name, e.move, e.old, e.new) for e in change.modules] == MODULES
    (layer,) = view.diff.layers
    assert layer.image == "example.org/app"
    assert layer.old
    assert layer.new != layer.old

    lines = [*text_lines("t", built_sections(view))]
    for line in (
        "  + come  file, 1 byte",
        "  - gone  file, 1 byte",
        "    link  link to same -> link to text",
        "    text  file, 1 byte -> file, 1 byte  (another content)",
        "    turned  link to same -> file, 1 byte",
        "  .rodata  100 -> 90",
        "  built by  go1.24.1 -> go1.25.0",
        "  - example.org/b  v1.0.0",
        f"  example.org/app  {layer.old[7:19]} -> {layer.new[7:19]}",
    ):
        assert line in lines, "\n".join(lines)
    document = built_document(view)
    refuse_difference(request, ANSWER, json.dumps(document, indent=1) + "\n")


def test_a_result_against_itself(results: Results, tmp_path: Path):
    results.put(ONE, {"bin/app": b"a"}, {}, image(filled(tmp_path / "root")))
    view = results.compare(ONE, ONE)
    assert (view.diff.files, view.diff.programs, view.diff.layers) == ((), (), ())
    assert built_sections(view) == ()


def test_what_has_no_result_cannot_be_compared(results: Results, tmp_path: Path):
    results.put(ONE, {}, {}, image(filled(tmp_path / "root")))
    with pytest.raises(UsageError, match="no result here that could be compared") as caught:
        results.compare(ONE, TWO)
    assert caught.value.where == TWO
    with pytest.raises(UsageError, match="two targets are compared"):
        results.compare(ONE)
