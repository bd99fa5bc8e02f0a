"""Which answers of a program are the version."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from rvbuild.core.errors import RecipeError
from rvbuild.core.launchers import FOLDER
from rvbuild.core.recipe import Check
from rvbuild.core.version_check import answer, version_script
from rvbuild.recipes_yaml.recipe import read_recipe

OUTPUT = "build: x\noutputs: {it: {path: bin/it, kind: executable}}\n"


@pytest.mark.parametrize(
    ("version", "text", "fits"),
    [
        ("1.2", "it 1.2", True),
        ("1.2", "v1.2 linux", True),
        ("v1.2", "it-1.2", True),
        ("v1.2", "it v1.2+more", True),
        ("1.2", "1.2.", True),
        ("1.2", "1.2. The next", True),
        ("1.2", "1.2.3", False),
        ("1.2", "11.2", False),
        ("1.2", "0.1.2", False),
        ("1.2", "1.23", False),
        ("1.2", "1x2", False),
        ("1+k3s1", "1+k3s1", True),
        ("1+k3s1", "11k3s1", False),
    ],
)
def test_a_version_is_whole(version: str, text: str, *, fits: bool):
    assert bool(re.search(answer(version), text)) is fits


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ('[ "$1" = --version ] && echo it 1.2', 0),
        ('[ "$1" = -version ] && echo v1.2 >&2', 0),
        ('[ "$1" = version ] && read -r line || echo 1.2', 0),
        ("echo 1.2; exit 1", 1),
        ("echo 1.2.3", 1),
        ("exit 0", 1),
    ],
)
def test_a_program_is_asked_in_three_ways(tmp_path: Path, script: str, code: int):
    """By a shell; a second program that answers is no excuse for the first."""
    for name, text in {"it": script, "other": "echo 1.2"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    asks = version_script("v1.2").replace(FOLDER, str(tmp_path))
    ran = subprocess.run(["sh", "-euc", asks], check=False, capture_output=True, text=True)
    assert ran.returncode == code
    assert ran.stderr.startswith("it does not say v1.2:\n--version: ") == bool(code)


@pytest.mark.parametrize("checks", ["version", "[version]"])
def test_a_word_stands_for_the_check(checks: str):
    recipe = read_recipe(f"{OUTPUT}version: '1'\nchecks: {checks}\n".encode(), "x", "x.yaml")
    assert recipe.checks == (Check(run="", is_version=True),)


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        (f"{OUTPUT}checks: version\n", "a `version`"),
        ("version: '1'\nbuild: x\nchecks: [version]\n", "an output of `kind: executable`"),
    ],
)
def test_somebody_must_have_a_version_to_say(text: str, lacks: str):
    with pytest.raises(RecipeError, match=f"the check 'version' needs {lacks}"):
        read_recipe(text.encode(), "x", "x.yaml")


@pytest.mark.parametrize("checks", ["verison", "[it --version]", "{run: it}"])
def test_another_word_is_no_check(checks: str):
    with pytest.raises(RecipeError):
        read_recipe(f"{OUTPUT}version: '1'\nchecks: {checks}\n".encode(), "x", "x.yaml")
