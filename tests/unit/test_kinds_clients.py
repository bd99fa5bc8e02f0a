"""The one door: each kind of source finds its fetcher, and the door itself is light."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from made_crates import cargo_home

from rvbuild.cli.remedies import hint_text
from rvbuild.core.digest import Digest
from rvbuild.core.errors import Interrupted, RecipeError, RvbuildError, SourceError
from rvbuild.core.go_graph import MainModule
from rvbuild.core.go_source import GoModFiles, GoModule
from rvbuild.core.place import Place
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.spec import SourceSpec
from rvbuild.core.tree import File, Nested, Tree
from rvbuild.kinds.clients import SourceClients
from rvbuild.kinds.crates.source import Crate, VendoredCrate
from rvbuild.kinds.crates.spec import CrateSpec
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.debian.spec import DebianSpec
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.git.spec import GitSpec
from rvbuild.kinds.go.source import GoToolchain
from rvbuild.kinds.go.spec import GoModuleSpec, GoToolchainSpec
from rvbuild.kinds.path.source import PathSource
from rvbuild.kinds.path.spec import PathSpec
from rvbuild.kinds.pypi.source import Wheel
from rvbuild.kinds.pypi.spec import WheelSpec
from rvbuild.kinds.url.source import UrlSource
from rvbuild.kinds.url.spec import UrlSpec
from rvbuild.transfers.fetch_settings import OFFLINE_HINT, FetchSettings
from rvbuild.transfers.sinks import DigestSink

Site = Any  # conftest.py has it; a test file imports no other

SUM = b"f.invalid/m v1.0.0/go.mod h1:" + b"A" * 43 + b"=\n"
SOURCES = [
    GitSource(url="https://f.invalid/a", commit="1" * 40, tree="2" * 40, date=0),
    Wheel(project="p", version="1", filename="p-1-py3-none-any.whl", sha256="0" * 64),
    DebianPackage(
        name="p", version="1", architecture="amd64", pool="pool/p.deb", sha256="0" * 64, size=1
    ),
    UrlSource(urls=("https://f.invalid/a.tgz",), sha256="0" * 64),
    GoModule(path="f.invalid/m", version="v1.0.0", h1="h1:x"),
    GoToolchain(version="1.23.6", platform="linux-amd64", h1="h1:x"),
    GoModFiles(
        go_sum=hashlib.sha256(SUM).hexdigest(),
        modules=(),
        main=MainModule("it", {"go.sum": SUM}.get),
    ),
    Crate(name="tool", version="1.0.0", sha256="0" * 64),
    VendoredCrate(name="tool", version="1.0.0", sha256="0" * 64),
]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    cargo_home(tmp_path / ".cargo", 'registry = "sparse+https://crates.invalid/"')
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PIP_INDEX_URL": "https://index.invalid/simple",
        "GOPROXY": "https://proxy.invalid",
        "RVBUILD_DEBIAN_MIRROR": "https://debian.invalid/debian",
    }


@pytest.fixture
def offline(tmp_path: Path, environment: dict[str, str]) -> Iterator[SourceClients]:
    found = SourceClients(
        FetchSettings(tmp=str(tmp_path / "tmp"), offline=True, environment=environment)
    )
    yield found
    found.close()


REFUSAL = "not asked: this run is offline"


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: type(source).__name__)
def test_offline_every_kind_says_so(offline: SourceClients, source: Any):  # noqa: ANN401
    with pytest.raises(SourceError) as caught:
        offline.fetch(source, DigestSink(), no_progress)
    assert REFUSAL in " ".join([caught.value.message, *caught.value.details])
    assert hint_text(caught.value.hint).startswith(hint_text(OFFLINE_HINT))


SPECS = [
    GitSpec(url="https://f.invalid/a", commit="1" * 40),
    GoModuleSpec(path="f.invalid/m", version="v1.0.0"),
    GoToolchainSpec(version="1.23.6"),
    WheelSpec(project="p", version="1"),
    CrateSpec(name="tool", version="1.0.0"),
    DebianSpec(packages=("p1",), suite="bookworm"),
    UrlSpec(url="https://f.invalid/a.tgz"),
]


def _no_file(source: str, file: str) -> bytes:
    raise AssertionError((source, file))


CONTEXT = ResolveContext(build_arch="amd64", folder="recipes/r", where=None, read=_no_file)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)
def test_offline_nothing_is_resolved(offline: SourceClients, spec: SourceSpec):
    with pytest.raises(SourceError) as caught:
        offline.resolve(spec, CONTEXT)
    assert REFUSAL in " ".join([caught.value.message, *caught.value.details])


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: type(source).__name__)
def test_nothing_begins_after_a_stop(tmp_path: Path, source: Any):  # noqa: ANN401
    """Not even the first fetch, for which nothing was ready yet."""
    settings = FetchSettings(tmp=str(tmp_path / "tmp"), environment={"HOME": str(tmp_path)})
    sources = SourceClients(settings)
    sources.cancel()
    with pytest.raises(Interrupted):
        sources.fetch(source, DigestSink(), no_progress)
    with pytest.raises(Interrupted):
        sources.resolve(UrlSpec(url="https://f.invalid/a.tgz"), CONTEXT)
    sources.close()


def test_a_stop_ends_the_first_fetch(tmp_path: Path):
    """It waits for a server that accepts and says nothing."""
    sources = SourceClients(FetchSettings(tmp=str(tmp_path), environment={}))
    raised: list[type] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a"

        def fetch() -> None:
            try:
                sources.fetch(UrlSource(urls=(url,), sha256="0" * 64), DigestSink(), no_progress)
            except Interrupted as error:
                raised.append(type(error))

        fetching = threading.Thread(target=fetch, daemon=True)
        fetching.start()
        connection, _ = server.accept()
        with connection:
            sources.cancel()
            fetching.join(30)
    assert raised == [Interrupted]
    sources.close()


@pytest.mark.parametrize(
    ("path", "version", "says"),
    [
        ("f.invalid/m", "1.0.0", "version: '1.0.0'"),
        ("f.invalid/m", "latest", "version: 'latest'"),
        ("f.invalid/m", "v1.0.0/../x", "version: 'v1.0.0/../x'"),
        ("https://f.invalid/m", "v1.0.0", "path: 'https://f.invalid/m'"),
    ],
)
def test_no_proxy_is_asked_for_what_cannot_be_a_module(
    offline: SourceClients, path: str, version: str, says: str
):
    """As it can be when variables got their values."""
    context = evolve(CONTEXT, where=Place("r.yaml", 3, 4))
    with pytest.raises(RecipeError) as caught:
        offline.resolve(GoModuleSpec(path=path, version=version), context)
    assert says in caught.value.message
    assert caught.value.where == Place("r.yaml", 3, 4)


def test_a_folder_needs_no_network(tmp_path: Path, offline: SourceClients):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "f").write_bytes(b"x")
    expected: Nested = {"f": File(Digest.of(b"x"))}
    context = evolve(CONTEXT, folder=str(tmp_path))
    (source,) = offline.resolve(PathSpec(path="source"), context)
    assert isinstance(source, PathSource)
    sink = DigestSink()
    offline.fetch(source, sink, no_progress)
    assert str(sink.tree.root) == source.digest == str(Tree.of(expected).root)


def test_mirrors_of_the_settings_are_used(tmp_path: Path, environment: dict[str, str], site: Site):
    """And temporary files are gone afterwards."""
    site.pages = {"/m/a.bin": b"data"}
    rule = ("https://f.invalid/dl", f"{site.address}/m")
    sources = SourceClients(
        FetchSettings(tmp=str(tmp_path / "tmp"), mirrors=(rule,), environment=environment)
    )
    spec = UrlSpec(url="https://f.invalid/dl/a.bin", unpack=False)
    (source,) = sources.resolve(spec, CONTEXT)
    sha256 = hashlib.sha256(b"data").hexdigest()
    assert source == UrlSource(urls=(spec.url,), sha256=sha256, unpack=False)
    sink = DigestSink()
    sources.fetch(source, sink, no_progress)
    expected: Nested = {"a.bin": File(Digest.of(b"data"))}
    assert sink.tree.root == Tree.of(expected).root
    assert list((tmp_path / "tmp").iterdir()) == []
    sources.close()


def test_something_else_is_no_source(offline: SourceClients):
    with pytest.raises(RvbuildError):
        offline.fetch(File(Digest.of(b"")), DigestSink(), no_progress)


def test_the_door_is_light():
    """Neither the HTTP client nor a fetcher is imported before a source is asked for."""
    code = (
        "import sys, rvbuild.kinds.clients as lazy;"
        "lazy.SourceClients(lazy.FetchSettings(tmp='/nowhere'));"
        "print([m for m in ('httpx', 'ssl', 'subprocess', 'networkx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"
