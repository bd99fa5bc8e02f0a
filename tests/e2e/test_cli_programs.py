"""Programs of a pattern, and the check that asks each for its version."""

from __future__ import annotations

import pytest
from world import HERE, World

RECIPE = """\
summary: programs that say their version in three ways
version: "v1.2"
build: |
  mkdir -p "$out/bin/aux" "$out/libexec"
  program() { printf '%s\\n' '#!/bin/sh' "$2" > "$out/$1"; chmod 755 "$out/$1"; }
  program bin/long '[ "$1" = --version ] || exit 1; echo "long 1.2 (of 2024)"'
  program bin/word 'case $1 in version) echo "it is v1.2." >&2 ;; -*) echo 1.2; exit 2 ;; esac'
  program "bin/aux/it's" '[ "$1" = -version ] && echo 1.2'
  program libexec/own 'echo "own 1.2 rc"'
  ln -s ../libexec/own "$out/bin/grep"
outputs:
  own: {path: libexec/own, kind: executable}
  programs: {path: "bin/**", kind: executable}
checks:
  - version
  - {run: "grep; long --version; word version; it\\\\'s -version", expect: "own 1.2 rc"}
"""
IT = f"programs-{HERE}"


def test_each_program_of_a_pattern_is_asked_for_its_version(world: World):
    world.recipe("programs", RECIPE)
    world.fine("build", IT)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("own 1.2 rc", "own 1.2-rc", ("own does not say v1.2:", "--version: own 1.2-rc")),
        ('it is v1.2."', 'it is v11.2"', ("word does not say v1.2:", "version: it is v11.2")),
    ],
)
def test_what_a_program_says_instead_is_told(
    world: World, old: str, new: str, says: tuple[str, ...]
):
    world.recipe("programs", RECIPE.replace(old, new))
    ran = world.run("build", IT)
    assert ran.code == 1
    ran.said(*says)
