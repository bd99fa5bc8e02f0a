"""Patches of a source, with the toolbox's own `patch`."""

from __future__ import annotations

from pathlib import Path

import pytest
from world import HERE, World

RECIPE = """\
summary: a patched text
version: "1"
sources:
  text: {path: ../../text, patches: [one.patch, two.patch]}
build: |
  cp -R /src/text/. $out
outputs: {words: {path: words}, run: {path: run}}
checks:
  - {run: /in/it/run, expect: it runs}
"""
ONE = """\
Description: a word
Origin: upstream
--- a/words
+++ b/words
@@ -3,5 +3,5 @@
 3
 4
-5
+five
 6
 7
"""
TWO = """\
From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: Somebody <somebody@example.org>

diff --git a/run b/run
new file mode 100755
--- /dev/null
+++ b/run
@@ -0,0 +1,2 @@
+#!/bin/sh
+echo it runs
diff --git a/words b/words
--- a/words
+++ b/words
@@ -4,3 +4,3 @@
 4
-five
+FIVE
 6
"""


def _write(world: World, one: str = ONE, two: str = TWO) -> Path:
    text = world.folder / "text"
    text.mkdir(exist_ok=True)
    (text / "words").write_text("".join(f"{n}\n" for n in range(1, 12)))
    folder = world.recipe("it", RECIPE).parent
    (folder / "one.patch").write_text(one)
    (folder / "two.patch").write_text(two)
    world.fine("lock")
    return world.folder / f"result/it-{HERE}"


def test_patches_are_applied_in_their_order(world: World):
    result = _write(world)
    world.fine("build", f"it-{HERE}")
    assert (result / "words").read_text().split()[3:6] == ["4", "FIVE", "6"]
    assert (result / "run").stat().st_mode & 0o111


@pytest.mark.parametrize(
    ("old", "new"),
    [("-5", "-55"), (" 7", " seven"), ("+five", "+fünf"), ("@@ -3,5", "@@ -3,4")],
    ids=["other text", "fuzz", "the next one does not fit", "damaged"],
)
def test_a_patch_that_does_not_fit_is_told_with_file_and_hunk(world: World, old: str, new: str):
    _write(world, one=ONE.replace(old, new))
    ran = world.run("build", f"it-{HERE}")
    assert ran.code == 1
    culprit = "two.patch" if old == "+five" else "one.patch"
    ran.said(f"the patch {culprit} does not apply to text")
    if old != "@@ -3,5":
        ran.said("patching file words", "Hunk #1 FAILED")
