"""The closure names every source, and says what is prebuilt for the target: of K3s, nothing."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from attrs import evolve

from rvbuild.app.closure import Closure, closure_of
from rvbuild.app.descriptions import describe_source
from rvbuild.app.source_inventory import SourceInventory
from rvbuild.cli.closure import closure_lines
from rvbuild.core.derivation import Fetch
from rvbuild.core.go_source import GoModule
from rvbuild.core.graph import RecipeGraph, Target, parse_target
from rvbuild.core.link import Linked, Linker
from rvbuild.core.lock import Lock
from rvbuild.core.locked import Locked
from rvbuild.core.source import Files, Source
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.go.source import GoToolchain
from rvbuild.kinds.pypi.source import Wheel
from rvbuild.kinds.url.source import UrlSource
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.lock import read_lock

ROOT = Path(__file__).parents[2]


@cache
def real_lock() -> Lock:
    return read_lock((ROOT / "rvbuild.lock").read_bytes(), "rvbuild.lock")


@cache
def real(name: str, build_arch: str = "amd64") -> SourceInventory:
    """A target of our own recipes, linked; the store is empty."""
    folder = RecipeCollection((str(ROOT / "recipes"),))
    targets: tuple[Target, ...] = (parse_target(name, folder.load),)
    graph = RecipeGraph(targets, folder.load, build_arch)
    linker = Linker(graph, Locked(real_lock(), graph, "amd64"), build_arch)
    holdings = SourceInventory(linker, lambda _: None)
    assert isinstance(holdings.link(targets), Linked)
    return holdings


def closure(name: str, *architectures: str) -> Closure:
    return closure_of(real(name).all(), architectures)


@pytest.mark.parametrize("arch", ["riscv64", "arm64", "amd64"])
def test_nothing_in_a_k3s_bundle_is_prebuilt_for_its_architecture(arch: str):
    """Also where the build machine's tools are programs of the same architecture."""
    bundle = closure(f"k3s-bundle-{arch}", arch)
    assert bundle.prebuilt == {arch: []}
    *lines, _, last = closure_lines(bundle)
    assert last == f"nothing prebuilt for {arch}"
    assert not any("(for " in line for line in lines)


def test_every_source_is_named_once_with_its_kind():
    derivations = real("k3s-bundle-riscv64").linker.derivations
    bundle = closure("k3s-bundle-riscv64", "riscv64")
    fetches = {key: each for key, each in derivations.items() if isinstance(each, Fetch)}
    assert {row.derivation for row in bundle.sources} == fetches.keys()
    assert len(bundle.sources) == len(fetches)
    for row in bundle.sources:
        assert row.description == describe_source(fetches[row.derivation or ""].source)
    keys = [(row.description.kind, row.description.name) for row in bundle.sources]
    assert keys == sorted(keys)
    *lines, summary, _last = closure_lines(bundle)
    assert [tuple(line.split()[:1]) for line in lines] == [
        (row.description.kind,) for row in bundle.sources
    ]
    counts = Counter(row.description.kind for row in bundle.sources)
    assert summary.startswith(f"{len(lines)} sources: {counts['debian']} debian, ")


def test_packages_for_the_target_are_named_again():
    """The machine that a node is tried in is made of them."""
    machine = closure("k3s-machine-riscv64", "riscv64")
    names = machine.prebuilt["riscv64"]
    assert len(names) > 50
    assert all(name.endswith("_riscv64.deb") for name in names)
    lines = [*closure_lines(machine)]
    assert sum("  (for riscv64)  " in line for line in lines) == len(names)
    assert lines[-len(names) :] == [f"prebuilt for riscv64: {name}" for name in names]
    assert "nothing prebuilt for riscv64" not in lines


def test_packages_for_a_named_machine_are_prebuilt_also_where_it_is_the_build_machine():
    """The same `architecture:`, seen by a build machine that has it."""
    there = closure("k3s-machine-riscv64", "riscv64")
    inventory = real("k3s-machine-riscv64")
    here = SourceInventory(evolve(inventory.linker, build_arch="riscv64"), inventory.lookup)
    assert closure_of(here.all(), ["riscv64"]).prebuilt == there.prebuilt


def test_an_archive_of_programs_is_prebuilt():
    """Upstream's own k3s-root, which `--option root=release` takes."""
    release = closure("k3s-root-release-riscv64", "riscv64")
    assert release.prebuilt == {"riscv64": ["k3s-root-riscv64.tar"]}


def test_tools_have_no_target_that_anything_could_be_prebuilt_for():
    assert [*closure_lines(closure("base-toolbox"))][-1].endswith(" debian")
    assert [*closure_lines(closure_of((), ()))] == ["no sources"]


@pytest.mark.parametrize(
    ("source", "machine"),
    [
        (DebianPackage(name="a", version="1", architecture="riscv64", pool="", sha256="", size=1),
         "riscv64"),
        (DebianPackage(name="a", version="1", architecture="all", pool="", sha256="", size=1),
         "all"),
        (GoToolchain(version="1", platform="linux-arm64", h1=""), "arm64"),
        (Wheel(project="a", version="1", filename="a-1-cp3-abi3-musllinux_1_2_riscv64.whl",
               sha256=""), "riscv64"),
        (Wheel(project="a", version="1", filename="a-1-py3-none-any.whl", sha256=""), ""),
        (GoModule(path="a", version="v1", h1=""), ""),
        (UrlSource(urls=("https://e.org/a_riscv64.whl",), sha256=""), ""),
        (Files(label="a", files=()), ""),
    ],
)  # fmt: skip
def test_whose_programs_a_source_has(source: Source, machine: str):
    assert source.machine == machine
