"""The closure names every source, and says what is prebuilt for the target: of K3s, nothing."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from attrs import evolve

from rvbuild.app.descriptions import describe_source
from rvbuild.app.prebuilt import machine_of
from rvbuild.app.source_inventory import SourceInventory, SourceStatus
from rvbuild.cli.closure import by_kind, closure_lines, prebuilt
from rvbuild.core.derivation import Fetch
from rvbuild.core.graph import RecipeGraph, Target, parse_target
from rvbuild.core.link import Linked, Linker
from rvbuild.core.lock import Lock
from rvbuild.core.pinned import Locked
from rvbuild.core.source import (
    DebianPackage,
    Files,
    GoModule,
    GoToolchain,
    Source,
    UrlSource,
    Wheel,
)
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


def closure(name: str, build_arch: str = "amd64") -> list[SourceStatus]:
    return by_kind(real(name, build_arch).all())


@pytest.mark.parametrize("arch", ["riscv64", "arm64", "amd64"])
def test_nothing_in_a_k3s_bundle_is_prebuilt_for_its_architecture(arch: str):
    """Also where the build machine's tools are programs of the same architecture."""
    found = closure(f"k3s-bundle-{arch}")
    assert prebuilt(found, [arch]) == {arch: []}
    *lines, _, last = closure_lines(found, prebuilt(found, [arch]))
    assert last == f"nothing prebuilt for {arch}"
    assert not any("(for " in line for line in lines)


def test_every_source_is_named_once_with_its_kind():
    derivations = real("k3s-bundle-riscv64").linker.derivations
    found = closure("k3s-bundle-riscv64")
    fetches = {key: each for key, each in derivations.items() if isinstance(each, Fetch)}
    assert {held.derivation for held in found} == fetches.keys()
    assert len(found) == len(fetches)
    for held in found:
        assert held.description == describe_source(fetches[held.derivation or ""].source)
    keys = [(held.description.kind, held.description.name) for held in found]
    assert keys == sorted(keys)
    *lines, summary, _last = closure_lines(found, prebuilt(found, ["riscv64"]))
    assert [tuple(line.split()[:1]) for line in lines] == [
        (held.description.kind,) for held in found
    ]
    counts = Counter(held.description.kind for held in found)
    assert summary.startswith(f"{len(lines)} sources: {counts['debian']} debian, ")


def test_packages_for_the_target_are_named_again():
    """The machine that a node is tried in is made of them."""
    found = closure("k3s-machine-riscv64")
    names = prebuilt(found, ["riscv64"])["riscv64"]
    assert len(names) > 50
    assert all(name.endswith("_riscv64.deb") for name in names)
    lines = [*closure_lines(found, {"riscv64": names})]
    assert sum("  (for riscv64)  " in line for line in lines) == len(names)
    assert lines[-len(names) :] == [f"prebuilt for riscv64: {name}" for name in names]
    assert "nothing prebuilt for riscv64" not in lines


def test_packages_for_a_named_machine_are_prebuilt_also_where_it_is_the_build_machine():
    """The same `architecture:`, seen by a build machine that has it."""
    names = prebuilt(closure("k3s-machine-riscv64"), ["riscv64"])
    holdings = real("k3s-machine-riscv64")
    here = SourceInventory(evolve(holdings.linker, build_arch="riscv64"), holdings.lookup)
    assert prebuilt(by_kind(here.all()), ["riscv64"]) == names


def test_an_archive_of_programs_is_prebuilt():
    """Upstream's own k3s-root, which `--option root=release` takes."""
    found = closure("k3s-root-release-riscv64")
    assert prebuilt(found, ["riscv64"]) == {"riscv64": ["k3s-root-riscv64.tar"]}


def test_tools_have_no_target_that_anything_could_be_prebuilt_for():
    found = closure("base-toolbox")
    assert [*closure_lines(found, {})][-1].endswith(" debian")
    assert [*closure_lines([], {})] == ["no sources"]


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
    assert machine_of(source) == machine
