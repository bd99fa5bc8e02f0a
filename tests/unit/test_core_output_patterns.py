"""Patterns of outputs: which files they mean."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from rvbuild.core.derivation import OutputRule
from rvbuild.core.output_patterns import expression, fitting, spelled_out

PATHS = [
    "bin/a",
    "bin/a.b",
    "bin/aux/c",
    "bin/a+b",
    "lib/liba.so",
    "lib/x/liba.so",
    "top",
    "bin/[x]",
]


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("bin/*", ["bin/a", "bin/a.b", "bin/a+b", "bin/[x]"]),
        ("bin/**", ["bin/a", "bin/a.b", "bin/aux/c", "bin/a+b", "bin/[x]"]),
        ("bin/a.*", ["bin/a.b"]),
        ("bin/a+*", ["bin/a+b"]),
        ("bin/[x*", ["bin/[x]"]),
        ("**/lib*.so", ["lib/liba.so", "lib/x/liba.so"]),
        ("*/*/*", ["bin/aux/c", "lib/x/liba.so"]),
        ("*", ["top"]),
        ("bin", []),
        ("a*", []),
    ],
)
def test_a_star_stays_in_its_folder_and_two_do_not(tmp_path: Path, pattern: str, fits: list[str]):
    assert fitting(pattern, PATHS) == fits
    for path in PATHS:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    words = ["-regextype", "posix-extended", "-type", "f", "-regex", expression(f"./{pattern}")]
    seen = subprocess.run(["find", ".", *words], cwd=tmp_path, check=True, capture_output=True)
    assert sorted(seen.stdout.decode().split()) == sorted(f"./{path}" for path in fits)


def test_every_character_but_a_star_is_itself():
    odd = "".join(map(chr, range(32, 127))).replace("*", "")
    assert re.fullmatch(expression(odd), odd)
    assert fitting(f"{odd}*", [odd, odd[1:]]) == [odd]


def test_a_files_own_rule_counts_and_then_the_first_pattern():
    def rule(name: str, path: str) -> OutputRule:
        return OutputRule(name=name, path=path, kind="file")

    rules = [rule("all", "bin/**"), rule("some", "bin/*"), rule("one", "bin/a"), rule("no", "x*")]
    found = {each.path: each.name for each in spelled_out(rules, PATHS)}
    assert found == {
        "bin/a.b": "all",
        "bin/aux/c": "all",
        "bin/a+b": "all",
        "bin/[x]": "all",
        "bin/a": "one",
        "x*": "no",
    }
