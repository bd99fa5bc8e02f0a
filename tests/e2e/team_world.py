"""Machines that share a project and a cache: each has a store, a user, and keys of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from attrs import frozen
from web_caches import serving
from world import HELLO, HERE, World, clean_environment

TARGET = f"hello-{HERE}"

LIB = """\
summary: what hello says
license: MIT
homepage: https://example.invalid/words
version: "1"
kind: tool
build: |
  echo "words" > "$out/words.txt"
outputs:
  it: {path: words.txt, kind: file}
"""
TOP = HELLO.replace("build: |", "inputs: {build: [words]}\nbuild: |")


@frozen
class Team:
    """A folder of machines, with the cache ``cache/`` that their projects name ``team``."""

    folder: Path
    seed: Path

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def machine(self, name: str, *, tools: bool = False, cache: str | None = None) -> World:
        """A checkout with an empty store, or with one that has what steps need (``tools``)."""
        home = self.folder / name
        world = World(
            folder=home / "project",
            store=home / "store",
            environment={
                **clean_environment(home),
                "XDG_CONFIG_HOME": str(home / "config"),
                "RVBUILD_STORE": str(home / "store"),
            },
        )
        world.folder.mkdir(parents=True)
        self.cache.mkdir(exist_ok=True)
        (world.folder / "rvbuild.lock").touch()
        world.recipe("words", LIB)
        world.recipe("hello", TOP)
        self.name_cache(world, f"read+write {self.cache}" if cache is None else cache)
        if tools:
            world.clone(self.seed)
        return world

    @staticmethod
    def name_cache(world: World, text: str, more: str = "") -> None:
        """Let a project have one cache."""
        (world.folder / "rvbuild.toml").write_text(f"{more}[caches]\nteam = '{text}'\n")

    @staticmethod
    def signing(world: World, name: str) -> World:
        """The same machine, whose user has a key, which the project trusts."""
        line = world.fine("keys", "new", name).out
        world.fine("keys", "trust", line.strip())
        return world.with_environment(RVBUILD_SIGNING_NAME=name)

    @staticmethod
    def trusting(world: World, *signers: World) -> World:
        """The same machine, whose project trusts the keys of these, as after a `git pull`."""
        keys = world.folder / "cache/keys"
        keys.mkdir(parents=True, exist_ok=True)
        for signer in signers:
            for file in (signer.folder / "cache/keys").glob("*.pub"):
                shutil.copy(file, keys)
        return world


def result(world: World) -> str:
    return (world.folder / f"result/{TARGET}/share/hello.txt").read_text()


class _Counted(SimpleHTTPRequestHandler):
    """Python's server of files, which notes each path."""

    folder = ""
    paths: list[str]

    def __init__(self, *request: object) -> None:
        super().__init__(*request, directory=self.folder)  # type: ignore[arg-type]

    def send_head(self) -> BytesIO | BinaryIO | None:
        self.paths.append(self.path)
        return super().send_head()

    def log_message(self, *_: object) -> None: ...


@contextmanager
def counted(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A static server over a folder: its address, and the paths that were asked for."""
    paths: list[str] = []
    with serving(type("Handler", (_Counted,), {"folder": str(folder), "paths": paths})) as address:
        yield address, paths
