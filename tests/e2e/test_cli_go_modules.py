"""Go modules through a proxy of the test's own, as `GOPROXY` names it; and what is no match."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from attrs import define, field
from site_of_bytes import serve_pages
from world import HERE, World, git, repository

MODULE, VERSION = "example.org/mod", "v1.2.3"
PREFIX = f"{MODULE}@{VERSION}/"
GO_MOD = "module example.org/mod\n\ngo 1.21\n"
FILES = {"go.mod": GO_MOD, "mod.go": "package mod\n", "big.go": "package mod // " + "x" * 50_000}
ZIP_AT = f"/{MODULE}/@v/{VERSION}.zip"
URL = "https://example.invalid/app"
TARGET = f"user-{HERE}"
RECIPE = f"""\
summary: uses a module
license: MIT
homepage: https://example.invalid
version: {VERSION}
sources:
  mod: {{go-module: {MODULE}, version: "${{version}}"MORE}}
build: |
  cp /src/mod/mod.go "$out/out.txt"
outputs:
  it: {{path: out.txt, kind: file}}
"""
APP = """\
summary: the application
license: MIT
homepage: https://example.invalid
kind: source
version: "1"
sources:
  it: {{git: {url}, commit: {commit}}}
"""


def packed(files: Mapping[str, str]) -> bytes:
    """A module's zip; deflated, so that a part of it is not one."""
    to = io.BytesIO()
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(PREFIX + name), text)
    return to.getvalue()


def h1(files: Mapping[str, str]) -> str:
    """The hash of a module's files as go.sum has it (golang.org/x/mod/sumdb/dirhash, Hash1)."""
    lines = "".join(
        f"{hashlib.sha256(text.encode()).hexdigest()}  {PREFIX}{name}\n"
        for name, text in sorted(files.items())
    )
    return "h1:" + base64.b64encode(hashlib.sha256(lines.encode()).digest()).decode()


@define
class Proxy:
    """A running proxy; ``pages`` are what it has."""

    world: World
    pages: dict[str, bytes] = field(factory=dict)


@pytest.fixture
def proxy(world: World) -> Iterator[Proxy]:
    found = Proxy(world, {ZIP_AT: packed(FILES), ZIP_AT[:-3] + "mod": GO_MOD.encode()})
    with serve_pages(found.pages) as served:
        found.world = world.with_environment(GOPROXY=served.url, GOENV="off", GONOPROXY="none")
        yield found


@pytest.fixture
def locked(proxy: Proxy) -> Proxy:
    """A proxy, and a recipe that was locked to what it has; the store has it not."""
    proxy.world.recipe("user", RECIPE.replace("MORE", ""))
    proxy.world.fine("lock", "user")
    return proxy


def refused(proxy: Proxy, code: int, *parts: str) -> None:
    """The build ends so, and registers nothing but what it had before."""
    before = proxy.world.records()
    ran = proxy.world.run(TARGET)
    assert (ran.code, ran.out) == (code, ""), str(ran)
    ran.said("error: ")
    for part in parts:
        ran.said(part)
    assert proxy.world.records() == before
    proxy.world.sound()


def test_the_module_is_what_the_lock_says(locked: Proxy):
    assert h1(FILES) in (locked.world.folder / "rvbuild.lock").read_text()
    locked.world.fine(TARGET)
    assert (locked.world.folder / "result" / TARGET / "out.txt").read_text() == "package mod\n"


def test_other_bytes_than_the_locked_ones(locked: Proxy):
    other = {**FILES, "mod.go": "package evil\n"}
    locked.pages[ZIP_AT] = packed(other)
    refused(locked, 5, f"the hash of {MODULE}@{VERSION} is not the pinned one", ZIP_AT,
            f"pinned: {h1(FILES)}", f"got:    {h1(other)}", "hint: the version was")  # fmt: skip


def test_a_zip_that_ends_early(locked: Proxy):
    locked.pages[ZIP_AT] = packed(FILES)[:-200]
    refused(locked, 5, ZIP_AT, "zip")
    locked.pages[ZIP_AT] = packed(FILES)
    locked.world.fine(TARGET)


def test_a_version_that_nobody_has(locked: Proxy):
    del locked.pages[ZIP_AT]
    refused(locked, 4, MODULE, ZIP_AT, "404")


DIRECT = "example.org/mod.git"
DIRECT_RECIPE = RECIPE.replace(f"go-module: {MODULE}", f"go-module: {DIRECT}").replace("MORE", "")


def test_a_module_of_no_proxy_is_made_from_its_repository(world: World, tmp_path: Path):
    """A tag that was moved since is other bytes than the locked ones."""
    folder = tmp_path / "upstream"
    repository(folder, {"go.mod": f"module {DIRECT}\n", "mod.go": "package mod\n"})
    git(folder, "tag", VERSION)
    alone = world.with_environment(GOPROXY="direct", GOENV="off")
    alone.recipe("user", DIRECT_RECIPE)
    mirror = ("--mirror", f"https://example.org/mod={folder}")
    alone.fine("lock", "user", *mirror)
    repository(folder, {"mod.go": "package moved\n"})
    git(folder, "tag", "-f", VERSION)
    ran = alone.run(TARGET, *mirror)
    assert (ran.code, ran.out) == (5, ""), str(ran)
    ran.said(f"the hash of {DIRECT}@{VERSION} is not the pinned one", str(folder))
    git(folder, "tag", "-f", VERSION, "HEAD~1")
    alone.fine(TARGET, *mirror)
    assert (alone.folder / "result" / TARGET / "out.txt").read_text() == "package mod\n"


def test_a_module_that_go_sum_says_otherwise(proxy: Proxy, tmp_path: Path):
    """The application's go.sum is believed, and not the proxy."""
    world, folder = proxy.world, tmp_path / "app"
    wrong = h1({**FILES, "mod.go": "package other\n"})
    commit = repository(folder, {"go.sum": f"{MODULE} {VERSION} {wrong}\n"})
    world.recipe("app", APP.format(url=URL, commit=commit))
    world.recipe("user", RECIPE.replace("MORE", ", go-sum: app"))
    mirror = ("--mirror", f"{URL}={folder}")
    world.fine("lock", "user", *mirror)
    refused(proxy, 5, "is not the pinned one", f"pinned: {wrong}", f"got:    {h1(FILES)}")
    commit = repository(folder, {"go.sum": "example.org/else v1.0.0 h1:" + "A" * 43 + "=\n"})
    world.recipe("app", APP.format(url=URL, commit=commit))
    ran = world.run("lock", "user", *mirror)
    assert (ran.code, ran.out) == (3, "")
    ran.said(f"app's go.sum does not have {MODULE} {VERSION}", "recipes/user/recipe.yaml:6:")
