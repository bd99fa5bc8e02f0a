"""Crates of a registry: what is asked, what is believed, and the folder that comes of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from made_crates import MadeCrate, crate, index_path, packed, registry_pages

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import LockError, RecipeError, RvbuildError, SourceError, VerificationError
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.core.tree import File, Nested
from rvbuild.kinds.crates.cargo_config import Registry
from rvbuild.kinds.crates.fetch import CrateFetcher
from rvbuild.kinds.crates.source import Crate, VendoredCrate
from rvbuild.stores.memory import MemoryStore
from rvbuild.transfers.addresses import Route
from rvbuild.transfers.fetch_services import NoTransport
from rvbuild.transfers.pinned_files import PinnedFiles
from rvbuild.transfers.proxies import Proxies
from rvbuild.transfers.transport import Patience, Transport
from rvbuild.transfers.urls import Credentials

Site = Any  # conftest.py has it; a test file imports no other
Fetcher = Callable[..., CrateFetcher]

TOOL = crate("tool", "1.2.3", **{"run.sh": "#!/bin/sh\n", "é.txt": "é", ".gitignore": "target\n"})
FACTS = {"name": "tool", "version": "1.2.3", "sha256": TOOL.sha256}
SOURCE = VendoredCrate(**FACTS)
CONFIG = "/index/config.json"
DOWNLOAD = "/dl/tool/1.2.3/download"


@pytest.fixture
def fetcher(tmp_path: Path) -> Iterator[Fetcher]:
    with Transport(patience=Patience(tries=1), credentials=Credentials({})) as transport:

        def make(
            site: Site | None = None, folder: Path | None = None, *, offline: bool = False
        ) -> CrateFetcher:
            index = f"{site.address}/index/" if site else ""
            registry = Registry(index=index, folder=folder, named_by="the test")
            mine = NoTransport() if offline else transport
            files = PinnedFiles(transport=mine, temp=tmp_path / "temp")
            return CrateFetcher(files=files, registry=lambda: registry)

        yield make


def serve(site: Site, *crates: MadeCrate) -> None:
    site.pages = registry_pages(crates, site.address)


def fetched(
    mine: CrateFetcher, source: Crate | VendoredCrate = SOURCE
) -> dict[str, tuple[bytes, bool]]:
    """Content and executable bit of each file that comes, by its path."""
    store = MemoryStore()
    with store.trees.new_tree() as tree:
        mine.fetch(source, tree, no_progress)
        root = tree.commit().root
    return dict(_files(store, store.trees.tree(root).nested(), ""))


def _files(
    store: MemoryStore, nested: Nested, prefix: str
) -> Iterator[tuple[str, tuple[bytes, bool]]]:
    for name, node in nested.items():
        if isinstance(node, File):
            yield prefix + name, (store.cas.read(node.digest), node.executable)
        elif isinstance(node, dict):
            yield from _files(store, node, f"{prefix}{name}/")


def error(run: Callable[[], object], kind: type[RvbuildError]) -> str:
    """All that the error of a run says."""
    with pytest.raises(kind) as caught:
        run()
    return "\n".join([str(caught.value), *caught.value.details, hint_text(caught.value.hint)])


def test_all_is_had_by_cargos_way(site: Site, fetcher: Fetcher):
    """The index and the crates: nothing else leads to their server."""
    far = "http://crates.example"
    site.pages = {f"{far}{path}": body for path, body in registry_pages((TOOL,), far).items()}
    registry = Registry(index=f"{far}/index/", named_by="the test")
    route = Route(proxies=Proxies(schemes={"all": site.address}))
    mine = evolve(fetcher(site), registry=lambda: registry, route=lambda: route)
    assert mine.resolve("tool", "1.2.3").sha256 == TOOL.sha256
    assert fetched(mine)
    assert site.paths
    assert all(path.startswith(far) for path in site.paths)


def test_a_crate_is_a_folder_of_a_directory_source(site: Site, fetcher: Fetcher):
    """As `cargo vendor` makes it: without git's own files, with the hash of each other file."""
    serve(site, TOOL)
    files = fetched(fetcher(site))
    told = files.pop("tool-1.2.3/.cargo-checksum.json")[0]
    assert set(files) == {
        f"tool-1.2.3/{n}" for n in ("Cargo.toml", "src/lib.rs", "run.sh", "é.txt")
    }
    assert [name for name, (_, executable) in files.items() if executable] == ["tool-1.2.3/run.sh"]
    hashes = {name[11:]: hashlib.sha256(data).hexdigest() for name, (data, _) in files.items()}
    listed = ",".join(f'"{name}":"{hashes[name]}"' for name in sorted(hashes))
    assert told.decode() == f'{{"files":{{{listed}}},"package":"{TOOL.sha256}"}}'
    assert site.paths == [CONFIG, DOWNLOAD]


def test_a_crate_of_its_own_is_what_was_published(site: Site, fetcher: Fetcher):
    """Its folder is the tree, with everything that is in it and nothing else."""
    serve(site, TOOL)
    files = fetched(fetcher(site), Crate(**FACTS))
    assert set(files) == {"Cargo.toml", "src/lib.rs", "run.sh", "é.txt", ".gitignore"}


def test_the_configuration_of_an_index_is_read_once(site: Site, fetcher: Fetcher):
    other = crate("other", "1.0.0")
    serve(site, TOOL, other)
    mine = fetcher(site)
    fetched(mine)
    fetched(mine, VendoredCrate(name="other", version="1.0.0", sha256=other.sha256))
    assert site.paths.count(CONFIG) == 1


def test_the_index_has_the_checksum_of_a_version(site: Site, fetcher: Fetcher):
    serve(site, crate("tool", "1.2.2"), TOOL)
    assert fetcher(site).resolve("tool", "1.2.3") == Crate(**FACTS)
    assert site.paths == [index_path("tool")]


def test_what_the_index_cannot_say(site: Site, fetcher: Fetcher):
    serve(site, TOOL)
    mine = fetcher(site)
    said = error(lambda: mine.resolve("tool", "1.2.4"), SourceError)
    assert f"{site.address}{index_path('tool')}: the index does not have the version 1.2.4" in said
    assert "404" in error(lambda: mine.resolve("toolbox", "1.0.0"), SourceError)
    assert "not the name" in error(lambda: mine.resolve("../tool", "1.0.0"), RecipeError)
    site.pages[index_path("tool")] = b'{"name": "tool", "vers": "1.2.3", "cksum": "../x"}'
    assert "no checksum" in error(lambda: mine.resolve("tool", "1.2.3"), LockError)


def test_other_bytes_than_the_pinned_ones(site: Site, fetcher: Fetcher):
    """Where the index says so, too: the lock decides."""
    serve(site, crate("tool", "1.2.3", **{"more.rs": ""}))
    said = error(lambda: fetched(fetcher(site)), VerificationError)
    assert f"{site.address}{DOWNLOAD}: it has the SHA-256" in said
    assert TOOL.sha256 in said


def test_what_the_registry_does_not_have(site: Site, fetcher: Fetcher):
    serve(site, TOOL)
    del site.pages[DOWNLOAD]
    said = error(lambda: fetched(fetcher(site)), SourceError)
    assert f"{site.address}{DOWNLOAD}" in said
    assert "404" in said
    assert "[source] in $CARGO_HOME/config.toml" in said


def test_an_index_that_is_not_there_is_asked_once(site: Site, fetcher: Fetcher):
    """A hundred crates would ask it, each with all its tries."""
    mine = fetcher(site)
    for _ in range(3):
        said = error(lambda: fetched(mine), SourceError)
        assert f"{site.address}{CONFIG}" in said
        assert "404" in said
    assert site.paths == [CONFIG]


def test_a_registry_that_wants_a_token(site: Site, fetcher: Fetcher):
    serve(site)
    config = {"dl": f"{site.address}/dl", "auth-required": True}
    site.pages[CONFIG] = json.dumps(config).encode()
    assert "wants a token: none is sent" in error(lambda: fetched(fetcher(site)), SourceError)


def test_offline_asks_nobody(site: Site, fetcher: Fetcher):
    serve(site, TOOL)
    said = error(lambda: fetched(fetcher(site, offline=True)), SourceError)
    assert "this run is offline" in said
    assert site.paths == []


def test_a_local_registry(tmp_path: Path, fetcher: Fetcher):
    """A folder with the files beside each other, and an index as other registries have it."""
    (tmp_path / "index/to/ol").mkdir(parents=True)
    (tmp_path / TOOL_FILE).write_bytes(TOOL.data)
    (tmp_path / "index/to/ol/tool").write_bytes(registry_pages([TOOL], "")[index_path("tool")])
    mine = fetcher(folder=tmp_path, offline=True)
    assert mine.resolve("tool", "1.2.3") == Crate(**FACTS)
    assert "tool-1.2.3/src/lib.rs" in fetched(mine)
    (tmp_path / TOOL_FILE).write_bytes(b"else")
    assert "it has the SHA-256" in error(lambda: fetched(mine), VerificationError)
    said = error(lambda: mine.resolve("else", "1.0.0"), SourceError)
    assert "local registry cannot be read: not there (no such file)" in said


TOOL_FILE = "tool-1.2.3.crate"
TOML = {"tool-1.2.3/Cargo.toml": ""}
HOSTILE = {
    "another crate's folder": (packed({**TOML, "tool-1.2.4/x": ""}), "is not in tool-1.2.3/"),
    "no folder": (packed({**TOML, "x": ""}), "x is not in tool-1.2.3/"),
    "a file for the folder": (packed({"tool-1.2.3": ""}), "tool-1.2.3 is a file in it"),
    "no manifest": (packed({"tool-1.2.3/src/lib.rs": ""}), "no tool-1.2.3/Cargo.toml in it"),
    "a way out": (packed({**TOML, "tool-1.2.3/../../x": ""}), "could leave the root"),
    "a link": (packed(TOML, {"tool-1.2.3/l": "/etc/passwd"}), "a link, where only"),
    "nothing": (packed({}), "no tool-1.2.3/Cargo.toml"),
    "a web page": (b"<html>sorry</html>", "neither a tar"),
    "a part": (TOOL.data[:-20], "truncated"),
}  # fmt: skip


@pytest.mark.parametrize("kind", [Crate, VendoredCrate])
@pytest.mark.parametrize(("data", "message"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_crate(
    site: Site, fetcher: Fetcher, data: bytes, message: str, kind: type[Crate | VendoredCrate]
):
    """Bytes that are the pinned ones, and still no crate."""
    evil = MadeCrate("tool", "1.2.3", data)
    serve(site, evil)
    source = kind(name="tool", version="1.2.3", sha256=evil.sha256)
    said = error(lambda: fetched(fetcher(site), source), VerificationError)
    assert message in said


@pytest.mark.parametrize("name", [".cargo-checksum.json", ".cargo-checksum.json/x"])
def test_a_checksum_file_that_somebody_published(site: Site, fetcher: Fetcher, name: str):
    """It has the place of the one that a directory source needs; a crate of its own has no such."""
    mine = crate("tool", "1.2.3", **{name: '{"files":{}}', "a/.gitignore": ""})
    serve(site, mine)
    facts = {"name": "tool", "version": "1.2.3", "sha256": mine.sha256}
    said = error(lambda: fetched(fetcher(site), VendoredCrate(**facts)), VerificationError)
    assert "the crate holds .cargo-checksum.json itself" in said
    assert "use another version" in said
    assert name in fetched(fetcher(site), Crate(**facts))


def test_a_checksum_file_in_a_folder_below(site: Site, fetcher: Fetcher):
    """Cargo reads the one beside Cargo.toml; test data may have another."""
    mine = crate("tool", "1.2.3", **{"tests/.cargo-checksum.json": "{}"})
    serve(site, mine)
    source = VendoredCrate(name="tool", version="1.2.3", sha256=mine.sha256)
    assert "tool-1.2.3/tests/.cargo-checksum.json" in fetched(fetcher(site), source)
