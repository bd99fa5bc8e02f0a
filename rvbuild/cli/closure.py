"""The closure of targets: every source by kind, and what of it is prebuilt for them.

Knows: kinds' names, and which sources hold programs of a machine. Must not know: commands.

A source is *prebuilt for* an architecture if it is a package, wheel or toolchain with programs
for it, and not a tool that runs on the build machine. What lies inside an archive, a git tree
or a Go module is not looked at: those are sources.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rvbuild.cli.messages import printable_line
from rvbuild.core.derivation import Fetch
from rvbuild.core.graph import RecipeGraph
from rvbuild.core.link import Linked
from rvbuild.core.lock import Lock, source_key
from rvbuild.core.recipe import DebianSpec
from rvbuild.core.source import DebianPackage, GoToolchain, Source, Wheel

KINDS = {
    "Files": "recipe",
    "UrlSource": "url",
    "GitSource": "git",
    "GoModule": "go-module",
    "GoModFiles": "go-mod-files",
    "GoToolchain": "go-toolchain",
    "Wheel": "pypi",
    "DebianPackage": "debian",
    "PathSource": "path",
}
"""What each class of source is called in recipes and for people."""

_WHEEL = re.compile(r"_(x86_64|aarch64|riscv64)\.whl\Z")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "riscv64": "riscv64"}


def closure_of(
    linked: Linked, graph: RecipeGraph, lock: Lock, build_arch: str
) -> dict[str, list[dict[str, Any]] | dict[str, list[str]]]:
    """Every source that the targets need, and which are prebuilt for their architectures.

    The document of ``show --closure --json``: ``closure`` is sorted by kind, then by name;
    ``prebuilt`` has the names for each architecture of a target.
    """
    named = set(_for_a_named_machine(graph, lock, build_arch))
    targets = sorted({target.arch for target in linked.results if target.arch})
    rows = []
    for digest, derivation in linked.derivations.items():
        if isinstance(derivation, Fetch):
            source = derivation.source
            machine = machine_of(source)
            tool = machine == build_arch and source not in named
            rows.append({
                "kind": KINDS[type(source).__name__],
                "source": derivation.label,
                "derivation": digest,
                "prebuilt-for": "" if tool or machine not in targets else machine,
            })  # fmt: skip
    rows.sort(key=lambda row: (row["kind"], row["source"], row["derivation"]))
    return {
        "closure": rows,
        "prebuilt": {
            arch: [row["source"] for row in rows if row["prebuilt-for"] == arch] for arch in targets
        },
    }


def machine_of(source: Source) -> str:
    """The machine that a source has programs for, by Go's name; empty if it is none's."""
    if isinstance(source, DebianPackage):
        return "" if source.architecture == "all" else source.architecture
    if isinstance(source, GoToolchain):
        return source.platform.rpartition("-")[2]
    found = _WHEEL.search(source.filename) if isinstance(source, Wheel) else None
    return _MACHINES[found[1]] if found else ""


def _for_a_named_machine(graph: RecipeGraph, lock: Lock, build_arch: str) -> Iterator[Source]:
    """The packages of sources with ``architecture:``; all others are the build machine's."""
    for recipe in graph.recipes.values():
        for name, use in recipe.sources.items():
            if isinstance(use.spec, DebianSpec) and use.spec.architecture:
                held = lock.sources.get(source_key(recipe.name, name, use.spec, build_arch))
                yield from held.parts if held else ()


def closure_text(rows: Iterable[Mapping[str, str]], prebuilt: Mapping[str, list[str]]) -> str:
    """A line a source, one with the counts, and at the end what is prebuilt for the targets."""
    listed = list(rows)
    lines = []
    for row in listed:
        machine = f"  (for {row['prebuilt-for']})" if row["prebuilt-for"] else ""
        lines.append(f"{row['kind']:<13} {row['source']}{machine}")
    counts = Counter(row["kind"] for row in listed)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    lines.append(f"{len(listed)} sources: {told}" if listed else "no sources")
    for arch, names in prebuilt.items():
        lines += [f"prebuilt for {arch}: {name}" for name in names]
        if not names:
            lines.append(f"nothing prebuilt for {arch}")
    return "".join(f"{printable_line(line)}\n" for line in lines)
