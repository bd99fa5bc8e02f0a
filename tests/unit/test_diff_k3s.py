"""`diff` of two series of K3s, against what the lock says to a reader who knows YAML alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from workspaces import workspace

from rvbuild.app.diff import DiffView, compare_sides
from rvbuild.app.session import Session
from rvbuild.core.events import silent

ROOT = Path(__file__).parents[2]
NUMBERS = re.compile(r"\d+")
PAIRS = [("1.32", "1.34"), ("1.34", "1.35"), ("1.35", "1.34")]


@cache
def lock() -> Any:  # noqa: ANN401 - what YAML holds
    return yaml.load((ROOT / "rvbuild.lock").read_bytes(), Loader=yaml.CSafeLoader)


@cache
def view(old: str, new: str) -> DiffView:
    with closing(Session(workspace(str(ROOT)), silent)) as session:
        return compare_sides(session, (f"k3s@{old}", f"k3s@{new}"))


def modules(series: str) -> dict[str, list[str]]:
    """The versions of each module that K3s needs, but those of its tools."""
    versions: dict[str, list[str]] = {}
    for line in lock()["module-sets"][f"k3s-source@{series}/k3s"]["modules"].splitlines():
        path, version = line.split()
        versions.setdefault(path, []).append(version)
    return versions


def rank(version: str) -> list[object]:
    """Enough of an order for the versions that there are: numbers, and releases last."""
    core, dash, rest = version.partition("+")[0].partition("-")
    words = [(int(word), "") if word.isdigit() else (1 << 62, word) for word in rest.split(".")]
    return [[int(number) for number in NUMBERS.findall(core)], not dash, words]


def expected(old: str, new: str) -> Iterator[tuple[str, str, list[str], list[str]]]:
    then, now = modules(old), modules(new)
    for path in sorted({*then, *now}):
        former = sorted(then.get(path, []), key=rank)
        current = sorted(now.get(path, []), key=rank)
        if not current or not former:
            yield path, "added" if current else "removed", former, current
        elif former != current:
            ends = [(rank(former[at]), rank(current[at])) for at in (-1, 0)]
            unlike = [a < b for a, b in ends if a != b]
            yield path, ("up" if unlike[0] else "down") if unlike else "replaced", former, current


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_modules_of_k3s(old: str, new: str):
    changes = {str(each.name): each for each in view(old, new).lock.sets}["k3s-source/k3s"].changes
    told = [(each.name, each.move.value, [*each.old], [*each.new]) for each in changes]
    assert told == list(expected(old, new))
    assert len(told) > 90


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_pins_that_differ(old: str, new: str):
    """Each derived pin of a recipe that has both series, if K3s needs it."""
    diff = {str(each.pin): each for each in view(old, new).lock.pins}
    then, now = (
        {
            name.replace(f"@{series}/", "/"): entry
            for name, entry in lock()["pins"].items()
            if f"@{series}/" in name
        }
        for series in (old, new)
    )
    differing = {
        name
        for name in then.keys() & now.keys()
        if str(then[name]["value"]) != str(now[name]["value"])
    }
    derived = {name for name, each in diff.items() if each.origin or each.old_origin}
    assert derived <= differing
    assert {"go/version", "k3s/version", "k3s-server/flannel", "cni/version"} <= derived
    for name in derived:
        change, entry = diff[name], now[name]
        assert change.origin is not None
        assert (change.old, change.new) == (str(then[name]["value"]), str(entry["value"]))
        assert (change.origin.file, change.origin.line) == (entry["file"], entry["line"])
        assert f"{change.origin.source}@{new}" == entry["source"]


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_commits_that_differ(old: str, new: str):
    told = {
        str(change.source): (fact.old, fact.new)
        for change in view(old, new).lock.sources
        for fact in change.facts
        if fact.name == "commit"
    }
    assert {"k3s-source/k3s", "cni-plugins-source/plugins"} <= told.keys()
    for name, commits in told.items():
        recipe, _, own = name.partition("/")
        entries = [lock()["sources"][f"{recipe}@{series}/{own}"] for series in (old, new)]
        assert commits == tuple(entry["parts"][0]["commit"] for entry in entries)


def test_what_would_be_built_again():
    rebuild = view("1.34", "1.35").rebuild
    assert rebuild is not None
    assert [each.target for each in rebuild.targets] == ["k3s-riscv64", "k3s-arm64", "k3s-amd64"]
    assert rebuild.unlinked == ()
    labels = {place.label for cause in rebuild.causes for place in cause.places}
    assert {"go1.25.6.linux-amd64", "k3s@c5b15879"} <= labels


def test_a_series_against_itself():
    same = view("1.35", "1.35")
    assert (same.lock.pins, same.lock.sources, same.lock.sets, same.lock.overall) == ((),) * 4
    assert same.rebuild is not None
    assert (same.rebuild.targets, same.rebuild.same) == ((), 3)
