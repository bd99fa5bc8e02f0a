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


PATCHED = """\
summary: a text that two recipes patch
sources: {it: {from: it, patches: [three.patch]}}
"""
THREE = ONE.replace("-5", "-FIVE").replace("+five", "+cinq")
EMPTY = "lock: 2\npins: {}\nsources: {}\nmodule-sets: {}\n"


def test_show_names_each_patch_in_the_order_in_which_they_are_applied(world: World):
    """A folder that stands for the source has none; neither the lock nor a build need be there."""
    _write(world)
    (world.recipe("user", PATCHED).parent / "three.patch").write_text(THREE)
    own = ["it/one.patch", "it/two.patch"]
    for locked in (True, False):
        lines = world.fine("show", f"it-{HERE}", f"user-{HERE}").out.splitlines()
        patches = [line.split()[1] for line in lines if line.split()[:1] == ["patch"]]
        assert patches == [*own, *own, "user/three.patch"]
        assert ("not in the lock" in "".join(lines)) is not locked
        answer = world.fine("show", "--json", f"it-{HERE}", f"user-{HERE}").json
        assert [each["patches"] for each in answer["sources"]] == [own, [*own, "user/three.patch"]]
        assert [each["tag"] for each in answer["sources"]] == [None, None]
        (world.folder / "rvbuild.lock").write_text(EMPTY)
    world.fine("lock")
    folder = world.folder / "text"
    out = world.fine("show", f"user-{HERE}", "--override", f"it={folder}").out
    assert "patch it/" not in out


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
    log = world.fine("log", f"it-{HERE}").out
    assert f"the patch {culprit} does not apply to text" in log
    digest = ran.err.partition("`rvbuild log ")[2].partition("`")[0]
    assert world.fine("log", digest.split()[0]).out == log
