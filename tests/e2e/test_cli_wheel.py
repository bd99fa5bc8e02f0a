"""What `pip install` gives: a program that needs nothing of this tree, and an editable one."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from attrs import evolve
from world import HELLO, HERE, ROOT, World


def pip(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    (found,) = folder.glob("rvbuild-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program in a virtual environment that has the wheel and what it depends on."""
    return _installed(tmp_path_factory.mktemp("installed"), str(wheel))


def _installed(folder: Path, *words: str) -> str:
    venv.create(folder, symlinks=True)
    pip("--python", str(folder / "bin/python"), "install", *words)
    return str(folder / "bin/rvbuild")


def as_installed(world: World, program: str, folder: Path) -> World:
    """The installed program in an empty folder, its store in the user's cache folder."""
    folder.mkdir()
    dropped = {"PYTHONPATH", "VIRTUAL_ENV", "RVBUILD_STORE"}
    environment = {k: v for k, v in world.environment.items() if k not in dropped}
    store = Path(environment["XDG_CACHE_HOME"]) / "rvbuild"
    return evolve(world, folder=folder, store=store, environment=environment, program=(program,))


def test_the_wheel_carries_recipes_and_lock_and_nothing_odd(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        lock = archive.read("rvbuild/_recipes/rvbuild.lock")
    assert lock == (ROOT / "rvbuild.lock").read_bytes()
    recipes = {
        str(path.relative_to(ROOT)) for path in (ROOT / "recipes").rglob("*") if path.is_file()
    }
    assert {f"rvbuild/_recipes/{name}" for name in recipes} <= names
    tops = {name.split("/")[0] for name in names}
    assert {top.partition("-")[0] for top in tops} == {"rvbuild"}
    assert [name.partition("/")[2] for name in names if ".data/" in name] == ["scripts/rvbuild"]
    assert not [name for name in names if name.endswith(".pyc")]


@pytest.mark.privileged
def test_the_installed_program_works_in_an_empty_folder(
    bare: World, seed: Path, installed: str, tmp_path: Path
):
    """Its recipes, its lock, and the user's cache folder; then a recipe of one's own."""
    world = as_installed(bare, installed, tmp_path / "empty")
    assert world.fine("store", "path").out == f"{world.store}\n"
    shown = world.fine("show").out
    assert "runc" in shown
    assert world.fine("show", "--pins", "runc-riscv64").out
    assert list(world.folder.iterdir()) == []
    assert not world.store.exists(), "who only looks makes no store"
    world.store.parent.mkdir()
    world.clone(seed)
    assert world.planned("base-toolbox") == {"version": 1, "keep": 1, "tasks": []}
    world.fine("base-toolbox")
    assert (world.folder / "result/base-toolbox/bin/sh").exists()
    world.recipe("hello", HELLO)
    world.fine("hello-" + HERE)
    assert (world.folder / "result" / f"hello-{HERE}" / "share/hello.txt").exists()


def test_an_editable_install_reads_the_trees_own_recipes(bare: World, tmp_path: Path):
    program = _installed(tmp_path / "env", "--no-deps", "--editable", str(ROOT))
    here = next(path for path in sys.path if path.endswith("site-packages"))
    (site,) = (tmp_path / "env/lib").glob("python*/site-packages")
    (site / "libraries.pth").write_text(f"{here}\n")
    world = as_installed(bare, program, tmp_path / "empty")
    assert f"{ROOT}/recipes/runc/recipe.yaml" in world.fine("show", "runc-riscv64").out
