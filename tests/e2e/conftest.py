"""A store with the toolbox in it, fetched once a session, and worlds that begin with it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from world import HELLO, World, clean_environment


@pytest.fixture(scope="session")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that has the default toolbox and nothing else."""
    folder = tmp_path_factory.mktemp("seed")
    world = World(
        folder=folder / "empty", store=folder / "store", environment=clean_environment(folder)
    )
    world.folder.mkdir()
    world.fine("base-toolbox", "--store", str(world.store), "-o", str(folder / "out"))
    shutil.rmtree(folder / "out")
    return world.store


@pytest.fixture
def bare(tmp_path: Path) -> World:
    """A project without recipes of its own, and a store that is not made yet."""
    world = World(
        folder=tmp_path / "project",
        store=tmp_path / "store",
        environment={
            **clean_environment(tmp_path),
            "RVBUILD_STORE": str(tmp_path / "store"),
        },
    )
    world.folder.mkdir()
    (world.folder / "rvbuild.lock").touch()
    return world


@pytest.fixture
def world(bare: World, seed: Path) -> Iterator[World]:
    """A project with the recipe `hello`, and a store that has the toolbox."""
    bare.clone(seed)
    bare.recipe("hello", HELLO)
    yield bare
    shutil.rmtree(bare.store, ignore_errors=True)  # thousands of files: more than pytest keeps
