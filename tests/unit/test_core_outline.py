"""Outlines: a tree while it is made, without a disk."""

from __future__ import annotations

import pytest

from rvbuild.core.digest import Digest
from rvbuild.core.errors import VerificationError
from rvbuild.core.outline import Outline
from rvbuild.core.paths import MAX_PATH
from rvbuild.core.tree import File, Symlink

A = File(Digest.of(b"a"))


def test_parents_are_made_as_they_are_needed_and_told_once():
    outline = Outline()
    assert outline.reserve("a/b/f") == ["a", "a/b"]
    outline.fill("a/b/f", A)
    assert outline.reserve("a/b/g") == []
    outline.fill("a/b/g", Symlink("f"))
    assert outline.enter("a") == []
    assert outline.enter("") == []
    assert outline.enter("a/c/d") == ["a/c", "a/c/d"]
    assert outline.root == {"a": {"b": {"f": A, "g": Symlink("f")}, "c": {"d": {}}}}
    assert outline.directories == ["a/c/d", "a/c", "a/b", "a", ""]
    assert outline.file("a/b/f") == A


@pytest.mark.parametrize(
    "path",
    ["", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\0b", "x" * 300, "\ud800",
     "/".join(["abc"] * 513), "/".join(["é"] * 700)],
)  # fmt: skip
def test_paths_that_no_tree_has(path: str):
    """Refused before anything is made."""
    outline = Outline()
    with pytest.raises(VerificationError):
        outline.reserve(path)
    if path:
        with pytest.raises(VerificationError):
            outline.enter(path)
    assert outline.root == {}


def test_the_longest_path():
    path = "/".join(["abc"] * 512)
    assert len(path) == MAX_PATH - 1
    assert len(Outline().reserve(path)) == 511
    assert len(Outline().reserve("/".join(["é"] * 600))) == 599


@pytest.mark.parametrize("first", ["f", "l"])
def test_nothing_lies_below_a_file_or_a_link(first: str):
    outline = Outline()
    outline.reserve(first)
    outline.fill(first, A if first == "f" else Symlink("x"))
    for path in (f"{first}/a", f"{first}/a/b"):
        with pytest.raises(VerificationError, match="a file or symlink stands"):
            outline.reserve(path)
    with pytest.raises(VerificationError, match="a file or symlink stands"):
        outline.enter(first)
    assert list(outline.root) == [first]


def test_a_name_is_given_once():
    outline = Outline()
    outline.reserve("a/f")
    outline.enter("d")
    for path in ("a/f", "a", "d"):
        with pytest.raises(VerificationError, match="name given twice"):
            outline.reserve(path)


def test_a_hard_link_needs_an_earlier_file():
    outline = Outline()
    outline.reserve("l")
    outline.fill("l", Symlink("x"))
    outline.enter("d")
    outline.reserve("pending")
    for path in ("nothing", "no/where", "l", "d", "pending"):
        with pytest.raises(VerificationError, match="not an earlier file"):
            outline.file(path)
