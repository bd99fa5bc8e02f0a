"""GOPRIVATE's patterns, held against golang.org/x/mod: recorded answers, and those of a Go here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from go_command import needs_go
from go_patterns import by_go, random_rows

from rvbuild.kinds.go.go_settings import GoSettings, parse_proxies
from rvbuild.kinds.go.module_patterns import covers

SEED = 8
RECORDED = json.loads(Path(__file__).with_name("data").joinpath("go_patterns.json").read_text())
"""``[patterns, path, whether they fit]``, by `by_go` of Go 1.26."""


@pytest.mark.parametrize(("patterns", "path", "fits"), [
    ("a.example", "a.example", True),
    ("a.example", "a.example/x/y", True),
    ("a.example/", "a.example/x/y", True),
    ("a.example//", "a.example/x", False),
    ("a.example/*", "a.example", False),
    ("a.example/*", "a.example/x/y", True),
    ("*.example/*/y", "a.example/x/y/z", True),
    ("[^b].example", "a.example/x", True),
    ("[!b].example", "a.example/x", False),
    ("[!b].example", "!.example/x", True),
    (r"\a.example", "a.example/x", True),
    ("a.example, b.example", "b.example", False),  # the go command takes no blanks away
    (",,b.example,", "b.example", True),
    ("[", "[", False),
    ("*[a/]*b", "xa/b", False),
    ("", "a.example", False),
])  # fmt: skip
def test_patterns(patterns: str, path: str, *, fits: bool):
    assert covers(patterns, path) is fits
    asked = GoSettings(proxies=parse_proxies("https://p.example"), private=patterns)
    assert [one.url for one in asked.proxies_of(path)] == (
        ["direct"] if fits else ["https://p.example"]
    )


def test_recorded_answers():
    assert 200 < sum(fits for _, _, fits in RECORDED) < len(RECORDED) - 200
    wrong = [row for row in RECORDED if covers(*row[:2]) is not row[2]]
    assert wrong == []


@needs_go
def test_answers_of_the_go_here(tmp_path: Path):
    rows = [*random_rows(SEED, 20_000), *(tuple(row[:2]) for row in RECORDED)]
    fits = by_go(tmp_path, rows)
    assert fits[20_000:] == [row[2] for row in RECORDED]
    wrong = [(row, one) for row, one in zip(rows, fits, strict=True) if covers(*row) is not one]
    assert wrong == []
