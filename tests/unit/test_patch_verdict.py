"""Upstream took a patch only if the move brought it."""

from __future__ import annotations

import difflib
from random import Random

import pytest

from rvbuild.core.patch_fit import ReadFile
from rvbuild.release.patch_verdict import PatchUse, PatchVerdict, SourceMove, patch_verdict

USE = PatchUse("r", "s", "a.patch")
COMMIT = "1" * 40
HEADER = f"Origin: backport, https://example.invalid/commit/{COMMIT}\nApplied-Upstream: 2.0\n"
OLD = "begin\none\ntwo\nend\nbegin\nthree\nfour\nend\n"
FIXED = OLD.replace("two\n", "two\nfix\n")
ELSEWHERE = OLD.replace("one\n", "fix\none\n")
TWICE = "one\ntwo\nfix\nend\none\ntwo\nend\n"


def diff(old: str, new: str, header: str = HEADER) -> bytes:
    lines = (text.splitlines(keepends=True) for text in (old, new))
    after = "b/f" if new else "/dev/null"
    return (header + "".join(difflib.unified_diff(*lines, "a/f", after, n=1))).encode()


def reader(text: str | None) -> ReadFile:
    return lambda _: None if text is None else text.encode()


def verdict(old: str | None, new: str | None, patch: bytes, came: bool = False) -> PatchVerdict:  # noqa: FBT001, FBT002
    new_commits = {COMMIT} if came else set[str]()
    move = SourceMove(
        old=reader(old), new=reader(new), new_commits=lambda names: names & new_commits
    )
    return patch_verdict(move, [(USE, patch)])


MAY = "upstream may have it: its lines are there, and nobody knows if they are for it"
CAME = "111111111111 came with this move, but its lines are not what that made"
FIX = diff(OLD, FIXED)
CHANGE = diff(OLD, OLD.replace("two", "2"))
MOVES: dict[str, tuple[str | None, str | None, bytes, bool, str | None]] = {
    # before, after, the patch, whether its commit came, what is asked: None: it is left out
    "upstream took it": (OLD, FIXED, FIX, False, None),
    "upstream took it elsewhere": (OLD, ELSEWHERE, FIX, True, None),
    "its lines came with another commit": (OLD, ELSEWHERE, FIX, False, MAY),
    "nothing changed": (OLD, OLD, FIX, False, ""),
    "its commit was reverted": (OLD, OLD, FIX, True, ""),
    "its commit changed other lines": (OLD, OLD.replace("three", "3"), FIX, True, ""),
    "a later commit changed the line above": (
        OLD,
        OLD.replace("one\ntwo", "1\n2"),
        CHANGE,
        True,
        f"it does not apply: f: line 2; {CAME}",
    ),
    "another commit changed its line": (
        OLD,
        OLD.replace("one\ntwo", "1\n2"),
        CHANGE,
        False,
        "it does not apply: f: line 2",
    ),
    "its lines were there before": (
        FIXED,
        FIXED,
        FIX,
        True,
        f"it does not apply: f: line 3; {MAY}; {CAME}",
    ),
    "a name changed, and the same stands elsewhere": (
        TWICE,
        TWICE.replace("end\none\ntwo", "end\none\n2"),
        diff(TWICE[len("one\ntwo\nfix\nend\n") :], "one\ntwo\nfix\nend\n"),
        True,
        f"it does not apply: f: line 2; {MAY}; {CAME}",
    ),
    "a file that is to go stands elsewhere": (
        OLD,
        None,
        diff(OLD, ""),
        False,
        f"it does not apply: f: not there; {MAY}",
    ),
    "a file that is to go went": (OLD, None, diff(OLD, ""), True, None),
    "nobody says that upstream has it": (OLD, FIXED, diff(OLD, FIXED, ""), True, "upstream has it"),
}


@pytest.mark.parametrize("name", MOVES)
def test_what_becomes_of_a_patch(name: str):
    old, new, patch, came, asked = MOVES[name]
    seen = verdict(old, new, patch, came)
    assert seen.upstream == (frozenset({USE}) if asked is None else frozenset())
    assert seen.problems == ({USE: asked} if asked else {})


def test_of_a_source_that_nobody_knew_before_nothing_is_said():
    move = SourceMove(old=None, new=reader(FIXED), new_commits=lambda names: names)
    assert patch_verdict(move, [(USE, FIX)]).upstream == frozenset()


@pytest.mark.parametrize("seed", range(300))
def test_what_does_not_have_the_change_takes_no_patch(seed: int):
    """Lines that repeat; the move gives some of them names that were nowhere before."""
    chance = Random(seed)  # noqa: S311 - an example, no secret
    old = [f"{chance.choice('abc')}\n" for _ in range(chance.randint(1, 20))]
    fixed, new = [*old], [*old]
    for _ in range(chance.randint(1, 3)):
        at = chance.randint(0, len(fixed))
        fixed[at : at + chance.randint(0, 1)] = chance.choice([["a\n"], ["b\n", "c\n"], []])
    for at in chance.sample(range(len(new)), chance.randint(0, len(new))):
        new[at] = f"z{at}\n"
    patch = diff("".join(old), "".join(fixed))
    assert verdict("".join(old), "".join(new), patch, came=True).upstream == frozenset()
