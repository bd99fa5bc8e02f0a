"""Which answers of a program are the version."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from rvbuild.core.derivation import OutputRule
from rvbuild.core.errors import RecipeError
from rvbuild.core.launchers import FOUND, finder, listing
from rvbuild.core.recipe import Check
from rvbuild.core.version_check import PROGRAMS, answer, version_script
from rvbuild.recipes_yaml.recipe import read_recipe

OUTPUT = "build: x\noutputs: {it: {path: bin/it, kind: executable}}\n"


@pytest.mark.parametrize(
    ("version", "text", "fits"),
    [
        ("1.2", "it 1.2", True),
        ("1.2", "v1.2 linux", True),
        ("v1.2", "it-1.2", True),
        ("1.2", "it V1.2", True),
        ("1.2", "it v=1.2", True),
        ("1.2", 'Version:"v1.2",', True),
        ("1.2", "1.2(1)-release", True),
        ("1.2", "1.2/linux", True),
        ("v1.2", "it v1.2+more", False),
        ("1.2", "1.2-rc1", False),
        ("1.2", "1.2~rc1", False),
        ("1.2", "1.2_1", False),
        ("1.2", "1.2rc1", False),
        ("1.2", "1.2.dev3", False),
        ("1.2", "go1.2", False),
        ("1.2", "it 1.2-rc1 of 1.2", True),
        ("1.2-rc1", "1.2-rc1", True),
        ("1.2-rc1", "1.2-rc10", False),
        ("1.2-rc", "1.2-rc1", False),
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


def rule(path: str, kind: str = "executable") -> OutputRule:
    return OutputRule(name=path, path=path, kind=kind)


def asked(
    folder: Path, programs: Mapping[str, str], *rules: OutputRule
) -> subprocess.CompletedProcess[str]:
    """The check of a recipe with these programs, by a shell."""
    for path, text in programs.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(f"#!/bin/sh\n{text}\n")
        (folder / path).chmod(0o755)
    script = version_script("v1.2", listing("it", rules), "env ")
    script = script.replace("/in/it", str(folder)).replace(PROGRAMS, f"{folder}.list")
    return subprocess.run(["sh", "-euc", script], check=False, capture_output=True, text=True)


BOTH = {"bin/x": "echo 1.2", "sbin/x": "echo 1.3"}
ODD = {"bin/a'b": "echo 1.2", "bin/c d": "echo 1.3"}


@pytest.mark.parametrize(
    ("programs", "rules", "who"),
    [
        (BOTH, [rule("bin/x"), rule("sbin/x")], "sbin/x"),
        (BOTH, [rule("**/x")], "sbin/x"),
        (BOTH, [rule("sbin/*"), rule("bin/x")], "sbin/x"),
        (BOTH, [rule("bin/x")], None),
        (BOTH, [rule("sbin/x", "file"), rule("**/x")], None),
        (BOTH, [rule("sbin/*", "file"), rule("**/x")], None),
        (BOTH, [rule("**/x"), rule("sbin/*", "file")], "sbin/x"),
        (ODD, [rule("bin/a'b")], None),
        (ODD, [rule("bin/*")], "bin/c d"),
        (ODD, [rule("bin/c d")], "bin/c d"),
    ],
)
def test_each_program_is_asked_by_its_path(
    tmp_path: Path, programs: Mapping[str, str], rules: list[OutputRule], who: str | None
):
    """Whatever it is called; a file that an output or an earlier pattern names is that alone."""
    ran = asked(tmp_path, programs, *rules)
    assert ran.returncode == (1 if who else 0)
    assert who is None or f"{who} does not say v1.2:" in ran.stderr


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
    ran = asked(tmp_path, {"it": script, "other": "echo 1.2"}, rule("other"), rule("it"))
    assert ran.returncode == code
    assert ("it does not say v1.2:\n--version: " in ran.stderr) == bool(code)


NAMED = "  one: {path: bin/x, kind: executable}\n  two: {path: %s, kind: %s}\n"


@pytest.mark.parametrize("checks", ["checks: version\n", "checks: [{run: x}]\n", ""])
@pytest.mark.parametrize(
    ("path", "kind", "is_twice"),
    [
        ("sbin/x", "executable", True),
        ("x", "executable", True),
        ("sbin/xy", "executable", False),
        ("sbin/x", "file", False),
        ("'*/x'", "executable", False),
    ],
)
def test_a_check_has_one_program_of_a_name(path: str, kind: str, checks: str, *, is_twice: bool):
    text = f"version: '1'\nbuild: x\noutputs:\n{NAMED % (path, kind)}{checks}"
    if not (is_twice and checks):
        assert read_recipe(text.encode(), "x", "x.yaml").outputs
        return
    with pytest.raises(RecipeError, match=f"bin/x and {path} are two programs of one") as caught:
        read_recipe(text.encode(), "x", "x.yaml")
    assert str(caught.value.where).startswith("x.yaml:5:")


@pytest.mark.parametrize(
    ("programs", "rules"),
    [(BOTH, [rule("**/x")]), ({"bin/x": "", "in/run/bin/x": ""}, [rule("bin/*")])],
)
def test_what_fits_a_pattern_has_one_program_of_a_name_too(
    tmp_path: Path, programs: Mapping[str, str], rules: list[OutputRule]
):
    asked(tmp_path, programs, *rules)
    script = finder("it", rules, None).replace("/in/it", str(tmp_path))
    script = script.replace("/in/run", f"{tmp_path}/in/run")
    script = script.replace(FOUND, f"{tmp_path}.found") + "command -v x"
    ran = subprocess.run(["sh", "-euc", script], check=False, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "two programs are called x, and a check has one PATH\n"


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
