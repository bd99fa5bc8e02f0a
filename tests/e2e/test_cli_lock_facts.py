"""What is built is what the recipe pins: locks that say something else, and files that are none."""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
from pathlib import Path

import pytest
from world import HELLO, HERE, World

from rvbuild.recipes_yaml.lock import read_lock, write_lock

URL = "http://example.invalid"
LATIN_1 = os.fsdecode(b"caf\xe9")


def archive(folder: Path, name: str, text: str) -> str:
    """An archive in a mirror's folder; its SHA-256."""
    folder.mkdir(exist_ok=True)
    (folder / "f").write_text(text)
    with tarfile.open(folder / name, "w") as packed:
        packed.add(folder / "f", "top/f")
    return hashlib.sha256((folder / name).read_bytes()).hexdigest()


@pytest.fixture
def pinned(world: World, tmp_path: Path) -> tuple[World, str, str, tuple[str, str]]:
    """A locked recipe that pins an archive, the hash of it and of an evil one, and the mirror."""
    honest = archive(tmp_path / "m", "x.tar", "honest")
    evil = archive(tmp_path / "m", "y.tar", "evil")
    mirror = ("--mirror", f"{URL}/={tmp_path / 'm'}/")
    source = f"sources: {{s: {{url: '{URL}/x.tar', sha256: {honest}}}}}\n"
    world.step("u", "cat /src/s/f > $out/out.txt", source)
    world.fine("lock", *mirror)
    return world, honest, evil, mirror


def changed_parts(text: str, honest: str, evil: str) -> str:
    """The lock with another archive in the part, and the recipe's own in its `spec`."""
    head, tail = text.split("  u/s:\n")
    spec, rest = tail.split("    parts:\n")
    rest = rest.replace(honest, evil).replace("/x.tar", "/y.tar")
    return f"{head}  u/s:\n{spec}    parts:\n{rest}"


@pytest.mark.parametrize("sealed", [False, True])
def test_a_changed_part_of_the_lock_is_not_built(
    pinned: tuple[World, str, str, tuple[str, str]], *, sealed: bool
):
    """Neither as an editor leaves it, nor with a check that fits: the recipe says otherwise."""
    world, honest, evil, mirror = pinned
    lock = world.folder / "rvbuild.lock"
    first = lock.read_text()
    text = changed_parts(first, honest, evil)
    if sealed:
        bare = re.sub(r"^    check: .*\n", "", text, flags=re.MULTILINE)
        text = write_lock(read_lock(bare.encode(), "rvbuild.lock", mend=True))
    lock.write_text(text)
    says = "with another urls than the recipe asks for" if sealed else "u/s was changed by hand"
    for words in (
        ("build", f"u-{HERE}"), ("--release", f"u-{HERE}"), ("plan", f"u-{HERE}"),
        ("fetch", f"u-{HERE}"), ("lock", "--check", "u"), ("lock", "--check"),
    ):  # fmt: skip
        ran = world.run(*words, *(mirror if words[0] != "plan" else ()))
        assert (ran.code, ran.out) == (3, ""), f"{words}: {ran}"
        ran.said(says)
        ran.said("--> rvbuild.lock:")
    assert not (world.folder / "result").exists()
    world.fine("lock", "u", "--offline")
    assert lock.read_text() == first
    world.fine("--release", f"u-{HERE}", *mirror)
    assert (world.folder / "result" / f"u-{HERE}" / "out.txt").read_text() == "honest"


def test_check_names_the_entries_that_differ(pinned: tuple[World, str, str, tuple[str, str]]):
    world, honest, _, mirror = pinned
    source = f"sources: {{s: {{url: '{URL}/x.tar', sha256: {honest}}}}}\n"
    world.step("v", "cat /src/s/f > $out/out.txt", source)
    world.fine("lock", *mirror)
    world.fine("lock", "--check", "--offline")
    (world.folder / "recipes" / "v" / "recipe.yaml").unlink()
    ran = world.run("lock", "--check", "--offline")
    assert ran.code == 3
    ran.said("the lock is not what the recipes ask for", "sources: v/s: not needed")


@pytest.mark.parametrize("name", ["rvbuild.lock", "recipes/hello/recipe.yaml"])
def test_a_fifo_in_the_place_of_a_file_is_refused_at_once(bare: World, name: str):
    bare.recipe("hello", HELLO)
    bare.fine("show", f"hello-{HERE}")
    (bare.folder / name).unlink()
    os.mkfifo(bare.folder / name)
    lines = [("show", f"hello-{HERE}"), ("plan", f"hello-{HERE}"), ("lock",), ("lock", "--check")]
    for ran in bare.run_each(lines):
        assert (ran.code, ran.out) == (3, ""), ran
        ran.said("error: cannot be read: it is a FIFO", name)


def test_a_check_tells_of_a_lock_that_is_another_and_of_broken_recipes(bare: World):
    """Neither hides the other; a lock that `lock` would leave as it is is no difference."""
    bare.recipe("hello", HELLO)
    bare.fine("lock")
    broken = bare.folder / "recipes" / "broken" / "recipe.yaml"
    broken.parent.mkdir()
    broken.write_text("summary: [\n")
    ran = bare.run("lock", "--check")
    assert ran.code == 3
    ran.said("recipes/broken/recipe.yaml", "not locked: broken")
    assert "not what the recipes ask for" not in ran.err
    (bare.folder / "rvbuild.lock").unlink()
    ran = bare.run("lock", "--check")
    assert ran.code == 3
    ran.said("the lock is not what the recipes ask for", "recipes/broken/recipe.yaml")


LOCKABLE = {name: f"sources: {{s: {{path: ../../{name}}}}}\n" for name in ("one", "two", "three")}
CHECKED: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "one entry is lacking": (frozenset(("one",)), frozenset()),
    "all entries are lacking": (frozenset(LOCKABLE), frozenset()),
    "an entry is lacking and a recipe is broken": (frozenset(("two",)), frozenset(("one",))),
    "two of each": (frozenset(("two", "three")), frozenset(("bad", "worse"))),
    "recipes are broken": (frozenset(), frozenset(("bad", "worse"))),
}
"""The recipes of which the lock has no entry, and the recipes that cannot be read."""


@pytest.mark.parametrize("case", CHECKED)
def test_a_check_tells_of_everything_that_is_wrong(bare: World, case: str):
    lacking, broken = CHECKED[case]
    for name in LOCKABLE:
        (bare.folder / name).mkdir()
        (bare.folder / name / "file").touch()
    for name in LOCKABLE.keys() - lacking:
        bare.step(name, "exit 1", LOCKABLE[name])
    bare.fine("lock")
    before = (bare.folder / "rvbuild.lock").read_bytes()
    for name in lacking:
        bare.step(name, "exit 1", LOCKABLE[name])
    for name in broken:
        bare.recipe(name, "summary: [\n")
    ran = bare.run("lock", "--check")
    assert (ran.code, ran.out) == (3, ""), ran
    assert (bare.folder / "rvbuild.lock").read_bytes() == before
    named = {name for name in LOCKABLE if f"rvbuild.lock does not have {name}/s" in ran.err}
    assert named == lacking
    assert ran.err.count("the lock is not what the recipes ask for") == bool(lacking)
    for name in broken:
        ran.said(f"recipes/{name}/recipe.yaml")
    errors = len(broken) + bool(lacking)
    assert (f"error: {errors} failures\n" in ran.err) is (errors > 1)
    assert "kept" not in ran.err
    for name in lacking:
        only = bare.run("lock", "--check", name)
        assert only.code == 3
        only.said(f"--> recipes/{name}/recipe.yaml:", f"rvbuild.lock does not have {name}/s")


def test_names_that_are_not_utf_8_are_refused_or_work(bare: World, tmp_path: Path):
    """Wherever a person can put one; never a traceback."""
    bare.recipe("hello", HELLO)
    target = f"hello-{HERE}"
    bare.fine("plan", target)
    odd = tmp_path / LATIN_1
    odd.mkdir()
    folder = str(odd)
    options = ("--override", "--replace", "--option")
    refused = [
        *((command, LATIN_1) for command in ("plan", "show", "lock", "init", "build")),
        *(("plan", target, option, f"{LATIN_1}=/") for option in options),
        (f"--{LATIN_1}", target),
    ]
    for words, ran in zip(refused, bare.run_each(refused), strict=True):
        assert ran.code == 2, f"{words}: {ran}"
        ran.said("error: ")
    works = [("plan", target, "--store", folder), ("show", "--store", folder)]
    assert [ran.code for ran in bare.run_each(works)] == [0, 0]
    assert bare.with_environment(HOME=folder, TMPDIR=folder).run("plan", target).code == 0
    (bare.folder / "recipes" / "hello" / f"{LATIN_1}.patch").write_bytes(b"x")
    ran = bare.run("plan", target)
    assert ran.code == 3
    ran.said("the name of a file beside a recipe must be UTF-8")


@pytest.mark.parametrize("name", ["run", "recipe", "go-modules"])
def test_a_recipe_with_the_name_of_a_place_is_told_where_it_is_named(bare: World, name: str):
    bare.recipe(f"{name}-x", HELLO)
    bare.recipe("user", HELLO + f"inputs: {{build: [{name}-x]}}\n")
    bare.fine("plan", f"user-{HERE}")
    bare.recipe(name, HELLO)
    bare.recipe("user", HELLO + f"inputs: {{build: [{name}]}}\n")
    for target, place in (
        (name, f"recipes/{name}/recipe.yaml"),
        ("user", "recipes/user/recipe.yaml:"),
    ):
        ran = bare.run("plan", f"{target}-{HERE}")
        assert (ran.code, ran.out) == (3, "")
        ran.said(f"a recipe cannot be called '{name}'", f"--> {place}")
