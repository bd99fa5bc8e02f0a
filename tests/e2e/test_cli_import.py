"""A store of an earlier version: commands leave it alone, and `store import` takes it over."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from former_stores import FormerStore, as_former
from world import World


@pytest.fixture
def old(tmp_path: Path, fetched: Path) -> Path:
    """A store of version 1 with the default toolbox and the packages that it is made of."""
    subprocess.run(["cp", "-al", str(fetched), str(tmp_path / "old")], check=True)
    as_former(tmp_path / "old")
    return tmp_path / "old"


def everything(root: Path) -> dict[str, tuple[int, ...]]:
    paths = (root, *root.rglob("*"))
    stats = ((str(path), path.lstat()) for path in paths)
    return {
        path: (s.st_ino, s.st_nlink, s.st_size, s.st_mode, s.st_mtime_ns, s.st_ctime_ns)
        for path, s in stats
    }


COMMANDS = (
    "base-toolbox",
    "plan base-toolbox",
    "fetch base-toolbox",
    "show base-toolbox",
    "log base-toolbox",
    "gc --keep 0",
    "store verify",
    "store repair",
)


def test_every_command_says_how_to_go_on_and_touches_nothing(bare: World, old: Path):
    before = everything(old)
    for command in COMMANDS:
        ran = bare.run(*command.split(), "--store", str(old))
        assert ran.code == 1, f"{command}: {ran}"
        ran.said("an earlier rvbuild made this store", f"hint: `mv {old}", "rvbuild store import")
    assert everything(old) == before


def test_what_is_taken_over_is_not_fetched(bare: World, old: Path):
    before = everything(old)
    ran = bare.fine("store", "import", str(old))
    told = ran.out
    assert " taken over (" in told
    ran.said("imported ", " of ", " sources")
    assert told.endswith(" 0 left out\n")
    assert everything(old) == before
    phases = {task["phase"] for task in bare.planned("base-toolbox")["tasks"]}
    assert phases == {"merge"}
    bare.fine("--offline", "base-toolbox")
    bare.sound()
    quiet = bare.fine("store", "import", str(old), "--quiet")
    assert quiet.err == ""
    again = bare.fine("store", "import", str(old), "--json").json
    assert (again["taken"], again["left_out"]) == (0, [])
    assert again["present"] > 0


def test_a_flipped_byte_is_not_taken_over(bare: World, old: Path):
    (shell,) = {path.stat().st_ino for path in old.glob("trees/*/*/bin/dash")}
    (name,) = (path.name for path in old.glob("exec/*/*") if path.stat().st_ino == shell)
    blob = old / "exec" / name[:2] / name
    data = bytearray(blob.read_bytes())
    data[1000] ^= 1
    blob.unlink()  # the inode is that of the session's store, too
    blob.write_bytes(data)
    blob.chmod(0o555)
    ran = bare.run("store", "import", str(old))
    assert ran.code == 5
    assert "left out  dash_" in ran.out
    assert str(blob) in ran.out
    ran.said("1 source left out", "the next build fetches")
    fetches = [t for t in bare.planned("base-toolbox")["tasks"] if t["phase"] == "fetch"]
    assert [task["label"].partition("_")[0] for task in fetches] == ["dash"]
    shutil.rmtree(old)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("store", "import"), 2, "wants the store to import from"),
        (("store", "verify", "OLD"), 2, "takes no OLD"),
        (("store", "import", "missing"), 2, "there is no store"),
        (("store", "import", "STORE"), 2, "a store cannot be imported into itself"),
    ],
)
def test_what_cannot_be_imported(world: World, words: tuple[str, ...], code: int, said: str):
    ran = world.run(*(word.replace("STORE", str(world.store)) for word in words))
    assert ran.code == code
    ran.said(said)


BAD = "recipes/bad/recipe.yaml:2:1"
LOCKLESS = """\
summary: a source that nobody locked
license: MIT
homepage: https://example.invalid
kind: source
version: "1"
sources: {it: {url: "https://example.invalid/it.tar.gz"}}
"""


def test_recipes_whose_sources_nobody_knows_are_named(bare: World, tmp_path: Path):
    """On the way for people, and in the document; a recipe that is not valid gives exit code 3."""
    FormerStore.at(tmp_path / "old").tree({})
    bare.recipe("lockless", LOCKLESS)
    ran = bare.fine("store", "import", str(tmp_path / "old"))
    ran.said("only lockless needs: ", "run `rvbuild lock lockless`", "import again")
    bare.recipe("bad", "summary: [\n")
    ran = bare.run("store", "import", str(tmp_path / "old"), "--json")
    assert ran.code == 3
    rows = {row["recipe"]: row for row in ran.json["recipes"]}
    assert rows.keys() == {"bad", "lockless"}
    assert rows["bad"]["place"] == BAD
    assert all(row["problem"] and row["hint"] for row in rows.values())
    ran.said("error: ", BAD)
