"""Crates as cargo has them: the folders that it vendors, and the registry that it would ask."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_crates import MadeCrate, cargo_home, cargo_lock, crate, registry_pages
from site_of_bytes import serve_pages

from rvbuild.core.errors import SourceError
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.kinds.crates.cargo_config import clients_default, find_registry
from rvbuild.kinds.crates.cargo_lock import parse_cargo_lock
from rvbuild.kinds.crates.fetch import client
from rvbuild.transfers.fetch_services import FetchServices
from rvbuild.transfers.fetch_settings import FetchSettings

pytestmark = pytest.mark.skipif(shutil.which("cargo") is None, reason="needs cargo")

ODD = {
    ".gitignore": "target\n",
    "a/.gitattributes": "* text\n",
    ".git/config": "[core]\n",
    "b/.git/x/y": "",
    "b/.gitignore/x": "",
    "b/.cargo-ok": "",
    "b/.gitmodules": "",
    "target/x": "",
    "run.sh": "#!/bin/sh\n",
    'quo"te.txt': "x",
    "tab\there.txt": "x",
    "bell\x07.txt": "x",
    "del\x7f.txt": "x",
    "über/ß.txt": "ß",
    "𐍈.txt": "",
    "Z.txt": "",
    "a-b.txt": "",
    "a/b.txt": "",
    "Cargo.toml.orig": "",
    "deep/Cargo.toml": '[package]\nname = "deep"\nversion = "1.0.0"\n',
}


@pytest.fixture
def registry() -> Iterator[tuple[str, dict[str, bytes]]]:
    """The address of a running registry, and its pages."""
    pages: dict[str, bytes] = {}
    with serve_pages(pages) as served:
        yield served.url, pages


def cargo(home: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run cargo with a home of its own and without the user's settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CARGO_")}
    environment = {**kept, "CARGO_HOME": str(home), "CARGO_NET_RETRY": "0", **more}
    return subprocess.run(
        ["cargo", *words], env=environment, cwd=home, check=False, capture_output=True, text=True
    )


def _version() -> tuple[int, ...]:
    done = subprocess.run(["cargo", "--version"], check=True, capture_output=True, text=True)
    return tuple(map(int, re.findall(r"\d+", done.stdout)[:2]))


def project(folder: Path, needs: MadeCrate) -> Path:
    """A program that needs a crate; its manifest."""
    program = crate("program", "0.1.0", needs=[needs])
    (folder / "src").mkdir(parents=True)
    (folder / "src/main.rs").write_text("fn main() {}\n")
    (folder / "Cargo.toml").write_text(
        '[package]\nname = "program"\nversion = "0.1.0"\nedition = "2021"\n'
        f'[dependencies]\n{needs.name} = "={needs.version}"\n'
    )
    (folder / "Cargo.lock").write_text(cargo_lock(program))
    return folder / "Cargo.toml"


def test_the_union_of_crates_is_what_cargo_vendors(
    registry: tuple[str, dict[str, bytes]],
    tmp_path: Path,
    blind_sink: Any,  # noqa: ANN401 - conftest.py has it
    seen_on_disk: Any,  # noqa: ANN401
):
    """Names, bytes and executable bits, with the checksums of odd names."""
    address, pages = registry
    odd = crate("oddities", "1.0.0-rc.1+b", **ODD)
    needs = crate("needs", "2.0.0", needs=[odd])
    pages |= registry_pages([odd], address)
    pages |= registry_pages([needs], address)
    row = b'{"name":"oddities","req":"=1.0.0-rc.1","features":[],"optional":false,'
    row += b'"default_features":true,"target":null,"kind":"normal"}'
    page = "/index/ne/ed/needs"
    pages[page] = pages[page].replace(b'"deps": []', b'"deps": [' + row + b"]")
    manifest = project(tmp_path / "program", needs)
    home = cargo_home(tmp_path / "cargo", f'registry = "sparse+{address}/index/"')
    theirs = tmp_path / "theirs"
    words = (
        "--respect-source-config",
        "--locked",
        "--versioned-dirs",
        "--manifest-path",
        str(manifest),
        str(theirs),
    )
    done = cargo(home, "vendor", *words)
    assert done.returncode == 0, done.stderr

    ours = tmp_path / "ours"
    ours.mkdir()
    environment = {"CARGO_HOME": str(home)}
    services = FetchServices(FetchSettings(tmp=str(tmp_path / "t"), environment=environment))
    fetcher = client(services)
    crates = parse_cargo_lock(manifest.with_name("Cargo.lock").read_bytes())
    assert [each.top for each in crates] == ["needs-2.0.0", "oddities-1.0.0-rc.1+b"]
    for each in crates:
        fetcher.fetch(each, blind_sink(str(ours)), no_progress)
    services.close()
    found, wanted = seen_on_disk(ours), seen_on_disk(theirs)
    assert [name for name in {*found, *wanted} if found.get(name) != wanted.get(name)] == []
    assert "oddities-1.0.0-rc.1+b/run.sh" in found


INCLUDED = """\
include = ["a.toml", {path = "b.toml"}, {path = "no.toml", optional = true}]
"""
SPARSE = 'registry = "sparse+https://near.invalid/i/"\n'
FAR = 'registry = "sparse+https://far.invalid/i/"\n'
REPLACED = '[source.crates-io]\nreplace-with = "near"\n'
CONFIGURATIONS = {
    "nothing": ("", {}),
    "a replacement": (REPLACED + "[source.near]\n" + SPARSE, {}),
    "a chain": (
        REPLACED + '[source.near]\nreplace-with = "far"\n' + SPARSE + "[source.far]\n" + FAR,
        {},
    ),
    "an address of its own": ("[source.crates-io]\n" + FAR, {}),
    "a registry": (REPLACED + '[registries.near]\nindex = "sparse+https://far.invalid/i/"\n', {}),
    "a source before a registry": (
        REPLACED + "[source.near]\n" + SPARSE
        + '[registries.near]\nindex = "sparse+https://far.invalid/i/"\n', {},
    ),
    "a registry of the environment": (
        REPLACED + '[registries.near]\nindex = "sparse+https://near.invalid/i/"\n',
        {"CARGO_REGISTRIES_NEAR_INDEX": "sparse+https://far.invalid/i/"},
    ),
    "files that are included": (INCLUDED, {}),
    "a stronger file that includes": (INCLUDED + "[source.near]\n" + SPARSE, {}),
    "no such variable": (
        "[source.near]\n" + SPARSE, {"CARGO_SOURCE_CRATES_IO_REPLACE_WITH": "near"},
    ),
    "a circle": (REPLACED + '[source.near]\nreplace-with = "crates-io"\n' + SPARSE, {}),
    "nobody": (REPLACED, {}),
    "two locations": (REPLACED + '[source.near]\ndirectory = "d"\n' + SPARSE, {}),
    "nothing to replace with": (REPLACED + "[source.near]\n", {}),
}  # fmt: skip


@pytest.mark.parametrize(("text", "more"), CONFIGURATIONS.values(), ids=CONFIGURATIONS)
@pytest.mark.parametrize("file", ["config.toml", "config"])
def test_the_registry_is_the_one_that_cargo_would_ask(
    tmp_path: Path, text: str, more: dict[str, str], file: str
):
    """It cannot ask: its proxy is a closed port. Where it refuses, so does rvbuild."""
    home = tmp_path / "cargo"
    home.mkdir()
    (home / file).write_text(text)
    for name in "ab":
        address = f'registry = "sparse+https://{name}.invalid/"\n'
        (home / f"{name}.toml").write_text(REPLACED + "[source.near]\n" + address)
    if "include" in text and _version() < (1, 94):
        pytest.skip("this cargo includes no files")
    manifest = project(tmp_path / "program", crate("needs", "1.0.0"))
    manifest.with_name("Cargo.lock").unlink()
    closed = {"CARGO_HTTP_PROXY": "http://127.0.0.1:1", **more}
    done = cargo(home, "generate-lockfile", "--manifest-path", str(manifest), **closed)
    asked = re.search(r"`(https?://\S+/)config\.json`", done.stderr)
    environment = {**os.environ, "CARGO_HOME": str(home), **more}
    if asked is None:
        with pytest.raises(SourceError):
            find_registry(environment)
    else:
        assert find_registry(environment).index == asked[1]


def test_cargo_names_its_default(tmp_path: Path):
    """Whatever the user's configuration says, and without asking the network."""
    home = cargo_home(tmp_path, 'registry = "sparse+https://near.invalid/"')
    found = clients_default({**os.environ, "CARGO_HOME": str(home)})
    assert re.fullmatch(r"https://[a-z.-]+/", found)
    assert "near.invalid" not in found
