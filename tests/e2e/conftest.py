"""A store with the toolbox in it, fetched once a session, and worlds that begin with it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from world import HELLO, World, clean_environment


@pytest.fixture(scope="session", autouse=True)
def _heard_signals() -> None:
    """A shell lets its background jobs ignore signals, and what they start would, too."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture(scope="session")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that has the default toolbox and the packages that it is made of."""
    folder = tmp_path_factory.mktemp("seed")
    _toolbox_in(folder, folder / "store")
    return folder / "store"


@pytest.fixture(scope="session")
def seed(tmp_path_factory: pytest.TempPathFactory, fetched: Path) -> Path:
    """A store that has the default toolbox and nothing else: a third of the files."""
    folder = tmp_path_factory.mktemp("light")
    subprocess.run(["cp", "-al", str(fetched), str(folder / "store")], check=True)
    world = _toolbox_in(folder, folder / "store")
    world.fine("gc", "--keep", "0")
    world.fine("store", "verify")
    return world.store


def _toolbox_in(folder: Path, store: Path) -> World:
    environment = {**clean_environment(folder), "RVBUILD_STORE": str(store)}
    world = World(folder=folder / "empty", store=store, environment=environment)
    world.folder.mkdir()
    world.fine("base-toolbox")
    return world


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
