"""The closure names every source, and says what is prebuilt for the target: of K3s, nothing."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from rvbuild.cli.closure import KINDS, closure_of, closure_text, machine_of
from rvbuild.core.derivation import Fetch
from rvbuild.core.graph import Instance, RecipeGraph, parse_target
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
from rvbuild.recipes_yaml.folder import Folder
from rvbuild.recipes_yaml.lock import read_lock

ROOT = Path(__file__).parents[2]


@cache
def real_lock() -> Lock:
    return read_lock((ROOT / "rvbuild.lock").read_bytes(), "rvbuild.lock")


@cache
def real(*names: str) -> tuple[Linked, RecipeGraph]:
    """Targets of our own recipes, linked on an amd64 machine."""
    folder = Folder((str(ROOT / "recipes"),))
    targets: tuple[Instance, ...] = tuple(parse_target(name, folder.load) for name in names)
    graph = RecipeGraph(targets, folder.load, "amd64")
    linker = Linker(graph, Locked(real_lock(), graph, "amd64"), "amd64")
    return linker.link(targets, checks=False), graph


def closure(*names: str) -> dict:  # type: ignore[type-arg]
    return closure_of(*real(*names), real_lock(), "amd64")


@pytest.mark.parametrize("arch", ["riscv64", "arm64", "amd64"])
def test_nothing_in_a_k3s_bundle_is_prebuilt_for_its_architecture(arch: str):
    """Also where the build machine's tools are programs of the same architecture."""
    found = closure(f"k3s-bundle-{arch}")
    assert found["prebuilt"] == {arch: []}
    text = closure_text(found["closure"], found["prebuilt"])
    assert text.endswith(f"\nnothing prebuilt for {arch}\n")
    assert "(for " not in text


def test_every_source_is_named_once_with_its_kind():
    linked, _ = real("k3s-bundle-riscv64")
    found = closure("k3s-bundle-riscv64")
    fetches = {key: each for key, each in linked.derivations.items() if isinstance(each, Fetch)}
    assert {row["derivation"] for row in found["closure"]} == fetches.keys()
    assert len(found["closure"]) == len(fetches)
    for row in found["closure"]:
        source = fetches[row["derivation"]].source
        assert (row["kind"], row["source"]) == (KINDS[type(source).__name__], source.label)
    assert found["closure"] == sorted(
        found["closure"], key=lambda row: (row["kind"], row["source"], row["derivation"])
    )
    *lines, summary, _last = closure_text(found["closure"], found["prebuilt"]).splitlines()
    assert lines == [f"{row['kind']:<13} {row['source']}" for row in found["closure"]]
    counts = Counter(row["kind"] for row in found["closure"])
    assert summary.startswith(f"{len(lines)} sources: {counts['debian']} debian, ")


def test_packages_for_the_target_are_named_again():
    """The machine that a node is tried in is made of them."""
    found = closure("k3s-machine-riscv64")
    names = found["prebuilt"]["riscv64"]
    assert len(names) > 50
    assert all(name.endswith("_riscv64.deb") for name in names)
    text = closure_text(found["closure"], found["prebuilt"])
    assert text.count("  (for riscv64)\n") == len(names)
    assert text.endswith("".join(f"prebuilt for riscv64: {name}\n" for name in names))
    assert "nothing prebuilt" not in text


def test_packages_for_a_named_machine_are_prebuilt_also_where_it_is_the_build_machine():
    """The same `architecture:`, seen by a build machine that has it."""
    linked, graph = real("k3s-machine-riscv64")
    found = closure_of(linked, graph, real_lock(), "riscv64")
    assert found["prebuilt"] == closure("k3s-machine-riscv64")["prebuilt"]


def test_tools_have_no_target_that_anything_could_be_prebuilt_for():
    found = closure("base-toolbox")
    assert found["prebuilt"] == {}
    assert closure_text(found["closure"], found["prebuilt"]).endswith(" debian\n")
    assert closure_text([], {}) == "no sources\n"


@pytest.mark.parametrize(
    ("source", "machine"),
    [
        (DebianPackage(name="a", version="1", architecture="riscv64", pool="", sha256="", size=1),
         "riscv64"),
        (DebianPackage(name="a", version="1", architecture="all", pool="", sha256="", size=1), ""),
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
