"""One broken recipe fails what needs it, and nothing else."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from site_of_bytes import serve_pages
from world import HERE, World, clean_environment

from rvbuild.recipes_yaml.lock import read_lock

SOURCE = """\
summary: {name}
license: MIT
homepage: https://example.invalid
kind: source
version: "1"
sources:
  it: {{url: "https://example.invalid/{name}.tar", sha256: {sha256}}}
"""
STEP = """\
summary: a step
license: MIT
homepage: https://example.invalid
version: "1"
{more}
build: |
  exit 1
outputs:
  it: {{path: out.txt, kind: file}}
"""


def source(name: str, sha256: str = "1" * 64) -> str:
    return SOURCE.format(name=name, sha256=sha256)


def _is_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _leads_nowhere(file: Path) -> None:
    file.unlink()
    file.symlink_to("gone.yaml")


Break = Callable[[Path], object]
UNREADABLE: dict[str, Break] = {
    "no YAML": lambda file: file.write_text("summary: [\n"),
    "half a line": lambda file: file.write_text("summary: x\nki"),
    "nothing": lambda file: file.write_text(""),
    "an unknown key": lambda file: file.write_text(source("half") + "sourcs: {}\n"),
    "a tag for a commit": lambda file: file.write_text(
        source("half").replace("url:", "git:").replace("sha256: " + "1" * 64, "commit: v1.0")
    ),
    "Latin-1": lambda file: file.write_bytes(source("half").encode() + b"# \xe4\n"),
    "a folder": _is_a_folder,
    "a link to nothing": _leads_nowhere,
    "a pipe beside it": lambda file: os.mkfifo(file.with_name("pipe")),
}
UNFIT: dict[str, Break] = {
    what: lambda file, more=more: file.write_text(STEP.format(more=more))  # type: ignore[misc]
    for what, more in {
        "an input that is not there": "inputs: {build: [gone]}",
        "an input of another kind": "inputs: {build: [good]}",
        "a toolbox that is none": "inputs: {target: [half]}",
        "a checker that is none": "checked-by: [good]",
        "a source that is not there": "sources: {x: {from: gone}}",
        "a pin that is read nowhere": "pins: {x: {from: gone, line: 1, file: f}}",
        "Go modules of no source": "go-modules: {source: gone}",
        "pins in a circle": "sources: {x: {url: 'https://e.invalid/${p}.tar', sha256: %s}}\n"
        "pins: {p: {from: x, line: 1, file: f}}" % ("2" * 64),
    }.items()
}
BROKEN = UNREADABLE | UNFIT


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A locked project: `good`, `half`, and `reader` with half's source."""
    folder = tmp_path_factory.mktemp("locked")
    world = World(
        folder=folder / "project",
        store=folder / "store",
        environment={**clean_environment(folder), "RVBUILD_STORE": str(folder / "store")},
    )
    world.recipe("good", source("good"))
    world.recipe("half", source("half"))
    world.recipe("reader", STEP.format(more="sources: {x: {from: half}}"))
    world.fine("lock")
    return world.folder


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Where good's archive is, as an option, and its SHA-256."""
    folder = tmp_path_factory.mktemp("packed")
    with tarfile.open(folder / "good.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("top/file"))
    sha256 = hashlib.sha256((folder / "good.tar").read_bytes()).hexdigest()
    return f"--mirror=https://example.invalid={folder}", sha256


@pytest.fixture
def project(bare: World, locked: Path) -> World:
    shutil.copytree(locked, bare.folder, dirs_exist_ok=True)
    return bare


def half(world: World) -> Path:
    return world.folder / "recipes/half/recipe.yaml"


def entries(world: World) -> dict[str, object]:
    """Every entry of the project's lock but good's."""
    lock = read_lock((world.folder / "rvbuild.lock").read_bytes(), "rvbuild.lock")
    sections = (lock.pins, lock.sources, lock.go_modules)
    found = {str(ref): entry for section in sections for ref, entry in section.items()}
    assert found.pop("good/it")
    return found


@pytest.mark.parametrize("how", BROKEN.values(), ids=BROKEN)
def test_the_others_are_locked(how: Break, project: World):
    lock, had = project.folder / "rvbuild.lock", entries(project)
    how(half(project))
    project.recipe("good", source("good", "3" * 64))
    ran = project.run("lock")
    assert ran.code == 3, ran
    ran.said("rvbuild.lock: ", "error: ", "not locked: half", "reader")
    assert "3" * 64 in lock.read_text()
    assert entries(project) == had
    project.recipe("good", source("good", "4" * 64))
    project.fine("lock", "good")
    assert "4" * 64 in lock.read_text()
    assert entries(project) == had
    assert project.run("lock", "reader").code == 3


@pytest.mark.parametrize("how", ["half a line", "a link to nothing", "an input that is not there"])
def test_the_others_are_shown_planned_and_kept(how: str, project: World, tmp_path: Path):
    BROKEN[how](half(project))
    ran = project.run("show")
    assert "good " in ran.out
    assert "\nrunc " in ran.out
    assert ran.code == (3 if how in UNREADABLE else 0)
    project.fine("show", "good")
    project.fine("plan", "good")
    project.run("store", "import", str(other_store(project, tmp_path))).said("half")
    project.fine("gc")


def other_store(project: World, tmp_path: Path) -> Path:
    store = tmp_path / "other"
    project.with_environment(RVBUILD_STORE=str(store)).run("fetch", "good")
    (store / "cas").mkdir(parents=True, exist_ok=True)
    return store


@pytest.mark.parametrize("how", BROKEN.values(), ids=BROKEN)
def test_the_others_are_built_when_that_is_asked_for(
    how: Break, project: World, packed: tuple[str, str]
):
    mirror, sha256 = packed
    project.recipe("good", source("good", sha256))
    project.fine("lock", "good")
    how(half(project))
    words = ("good", f"half-{HERE}", f"reader-{HERE}", mirror)
    assert not project.run("check", *words).out
    ran = project.run("check", "-k", "--json", *words)
    assert ran.code == 3, ran
    assert [result["target"] for result in ran.json["results"]] == ["good"]
    assert {failure["kind"] for failure in ran.json["failures"]} <= {"RecipeError", "LockError"}
    assert "half" in str(ran.json["failures"])
    assert (project.folder / "result/good").exists()
    for failure in ran.json["failures"]:
        ran.said(failure["problem"])


@pytest.mark.parametrize(
    ("name", "written"), [("a\nb", r"a\nb"), ("Bad Name", "Bad Name"), ("\udcff", r"\udcff")]
)
def test_a_folder_that_no_recipe_can_have(name: str, written: str, project: World):
    project.recipe(name, source("good"))
    ran = project.run("lock")
    assert ran.code == 3, ran
    ran.said("is not a recipe name", f"not locked: {written}\n")
    project.fine("show", "good")


def test_each_failure_is_told_once(project: World, packed: tuple[str, str]):
    """`half` and `reader` fail for one reason, `bare` for another; fetching goes on, too."""
    mirror, sha256 = packed
    project.recipe("good", source("good", sha256))
    project.recipe("bare", source("bare"))
    project.fine("lock", "good")
    half(project).write_text("summary: [\n")
    words = ("bare", "half", "good", f"reader-{HERE}", mirror)
    for command in (("build", "--json"), ("check", "--json"), ("fetch",)):
        ran = project.run(*command, "-k", *words)
        assert ran.code == 3, ran
        ran.said("recipes/bare/recipe.yaml", "recipes/half/recipe.yaml")
        assert ran.err.count("recipes/half/recipe.yaml:") == 1
    assert project.run("build", "-k", "half").code == 3
    assert project.run("build", "-k", "good", "nowhere", mirror).code == 2
    half(project).write_text(source("half", "2" * 64))
    ran = project.run("build", "-k", "good", "half", mirror)
    assert ran.code == 3, ran
    assert "result/good" in ran.out
    ran.said("half/it", "lock")


def test_an_option_for_what_is_sound_goes_with_what_is_broken(
    project: World, packed: tuple[str, str], tmp_path: Path
):
    """Of `half` alone nothing has that name: it is no error of the others."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/own").write_text("")
    half(project).write_text("summary: [\n")
    words = ("good", "half", f"--override=good={tmp_path}/folder", packed[0])
    ran = project.run("build", "-k", *words)
    assert ran.code == 3, ran
    assert (project.folder / "result/good/own").exists()


def test_everything_is_locked_when_it_is_mended(project: World):
    """The positive control, and what a broken recipe keeps goes when nobody needs it."""
    lock = project.folder / "rvbuild.lock"
    had = lock.read_text()
    half(project).write_text("summary: [\n")
    assert project.run("lock").code == 3
    project.recipe("half", source("half"))
    project.fine("lock")
    assert lock.read_text() == had
    half(project).unlink()
    project.recipe("reader", STEP.format(more=""))
    project.fine("lock")
    assert "half" not in lock.read_text()


def test_a_lock_that_is_not_there_gets_no_entry_of_a_broken_recipe(project: World):
    lock = project.folder / "rvbuild.lock"
    lock.write_text("")
    project.recipe("half", source("half") + "pins: {p: {from: it, nothing: x, file: f}}\n")
    assert project.run("lock").code == 3
    assert "good/it" in lock.read_text()
    assert "half" not in lock.read_text()


ABSENT: dict[str, tuple[int, str]] = {
    "a page that is not there": (4, "sources: {it: {url: 'URL/gone.tar'}}"),
    "a server that is not there": (4, "sources: {it: {url: 'http://127.0.0.1:1/it.tar'}}"),
    "a folder that is not there": (4, "sources: {it: {path: ./gone}}"),
    "an index that is not there": (4, "sources: {it: {debian: [it], suite: bookworm}}"),
    "an index that is no index": (5, "sources: {it: {debian: [it], suite: sid}}"),
}
"""What the outside does not have for `half`, with the exit code."""


@pytest.fixture
def outside() -> Iterator[str]:
    """The address of a server without a page; its archive's `sid` is signed by nobody."""
    with serve_pages({"/dists/sid/InRelease": b"Suite: sid\n"}) as served:
        yield served.url


@pytest.mark.parametrize(
    ("what", "fresh"), [*((what, False) for what in ABSENT), ("a page that is not there", True)]
)
def test_what_the_outside_does_not_have(what: str, project: World, outside: str, *, fresh: bool):
    """The others are locked; what the lock had of it and of its readers stays, or is not there."""
    code, sources = ABSENT[what]
    world = project.with_environment(
        RVBUILD_DEBIAN_MIRROR=outside, RVBUILD_DEBIAN_SNAPSHOT="off", NO_PROXY="127.0.0.1"
    )
    lock, had = world.folder / "rvbuild.lock", entries(world)
    if fresh:
        del had["half/it"]
        lock.unlink()
        (world.folder / "rvbuild.toml").touch()
    more = f"{sources.replace('URL', outside)}\n"
    world.recipe("half", source("half").partition("sources:")[0] + more)
    world.recipe("good", source("good", "3" * 64))
    ran = world.run("lock")
    assert ran.code == code, ran
    ran.said("rvbuild.lock: ", "error: ", "asked for at", "also: not locked: half, reader")
    assert ran.err.count("error: ") == 1
    assert "3" * 64 in lock.read_text()
    assert entries(world) == had
    assert world.run("lock", "--check").code == 3
    written = lock.read_bytes()
    assert world.run("lock", "good", "half").code == code
    assert lock.read_bytes() == written
    assert world.run("plan", f"reader-{HERE}").code == 3
    world.fine("lock", "good")


def test_work_that_fails_for_one_recipe_ends_nothing_for_the_others(project: World):
    """A locked source that is gone, of which a pin is to be read: others still ask servers."""
    more = "sources: {it: {url: 'https://example.invalid/good.tar', sha256: %s}}\n" % ("2" * 64)
    project.recipe("a", STEP.format(more=more))
    project.fine("lock")
    project.recipe("a", STEP.format(more=f"{more}pins: {{p: {{from: it, line: 1, file: f}}}}"))
    with serve_pages({"/later.tar": b"later"}) as served:
        more = f"sources: {{it: {{url: '{served.url}/later.tar', unpack: false}}}}"
        project.recipe("later", STEP.format(more=more))
        ran = project.run("lock", "--mirror", f"https://example.invalid={served.url}")
    assert ran.code == 4, ran
    ran.said("good.tar", "also: not locked: a\n")
    assert hashlib.sha256(b"later").hexdigest() in (project.folder / "rvbuild.lock").read_text()


def test_each_failure_is_told_in_full(project: World, outside: str):
    """Also what has other reasons; the exit code is the first one's."""
    project.recipe("half", STEP.format(more=f"sources: {{it: {{url: '{outside}/gone.tar'}}}}"))
    project.recipe("third", STEP.format(more=f"sources: {{it: {{url: '{outside}/no.tar'}}}}"))
    project.recipe("reader", "summary: [\n")
    ran = project.run("lock")
    assert ran.code == 4, ran
    ran.said("gone.tar: not there", "reader/recipe.yaml", "no.tar: not there", "3 failures")


def test_a_choice_that_cannot_be_read_is_shown(project: World):
    project.recipe("whole", STEP.format(more=""))
    more = "inputs: {target: [whole]}\noptions: {o: {input: whole, choices: {a: whole, b: half}}}"
    project.recipe("offer", STEP.format(more=more))
    half(project).write_text("summary: [\n")
    out = project.fine("show", f"offer-{HERE}").out
    assert "o=a           whole (taken)" in out
    assert "o=b           half: cannot be read" in out
    assert project.run("lock", "offer").code == 3
