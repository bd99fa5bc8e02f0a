"""Whether a patch applies, against what GNU patch does with the same files."""

from __future__ import annotations

import difflib
import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest

from rvbuild.core.patch_fit import PatchFit, says_upstream

FILE = "".join(f"line {number}\n" for number in range(1, 21))


def patch(old: str, new: str, name: str = "d/f", context: int = 3) -> bytes:
    lines = difflib.unified_diff(
        old.splitlines(keepends=True),
        new.splitlines(keepends=True),
        f"a/{name}" if old else "/dev/null",
        f"b/{name}" if new else "/dev/null",
        n=context,
    )
    return b"Origin: me\n\n" + "".join(lines).encode()


def problem(files: dict[str, str], *patches: bytes) -> str:
    fit = PatchFit(lambda path: files[path].encode() if path in files else None)
    return next(filter(None, map(fit.problem, patches)), "")


CHANGED = FILE.replace("line 10\n", "line ten\n")
MOVED = "new 1\nnew 2\n" + FILE
OTHER = FILE.replace("line 9\n", "line nine\n")
CASES: dict[str, tuple[str, bytes, str]] = {
    "as it was": (FILE, patch(FILE, CHANGED), ""),
    "moved": (MOVED, patch(FILE, CHANGED), ""),
    "another line beside it": (OTHER, patch(FILE, CHANGED), "d/f: line 7"),
    "applied already": (CHANGED, patch(FILE, CHANGED), "d/f: line 7"),
    "at the end": (FILE, patch(FILE, FILE + "more\n"), ""),
    "no longer the end": (FILE + "end\n", patch(FILE, FILE + "more\n"), "d/f: line 18"),
    "two hunks": (MOVED, patch(FILE, CHANGED + "last\n", context=1), ""),
    "no longer the begin": (MOVED, patch(FILE, "first\n" + FILE), "d/f: line 1"),
    "there already": (FILE, patch("", "new\n"), "d/f: there already"),
    "goes": (FILE, patch(FILE, ""), ""),
    "no break at the end": (
        "a\nb",
        patch("a\nb", "a\nc").replace(b"-b+c", b"-b\n\\ No newline\n+c\n\\ No newline\n"),
        "",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_applies(name: str):
    text, data, says = CASES[name]
    assert problem({"d/f": text}, data) == says


def test_a_file_that_is_not_there():
    assert problem({}, patch(FILE, CHANGED)) == "d/f: not there"
    assert problem({}, patch("", "new\n")) == ""


def test_the_next_patch_is_tried_on_what_the_last_one_gives():
    again = patch(CHANGED, CHANGED.replace("line ten\n", "ten\n"))
    assert problem({"d/f": FILE}, patch(FILE, CHANGED), again) == ""
    assert problem({"d/f": FILE}, again) == "d/f: line 7"


def test_one_patch_may_have_a_file_twice_and_others_beside_it():
    data = patch(FILE, CHANGED) + patch(CHANGED, CHANGED + "end\n") + patch("a\n", "b\n", "g")
    assert problem({"d/f": FILE, "g": "a\n"}, data) == ""
    assert problem({"d/f": FILE, "g": "c\n"}, data) == "g: line 1"


@pytest.mark.parametrize(
    ("text", "data", "there"),
    [
        (CHANGED, patch(FILE, CHANGED), True),
        (FILE, patch(FILE, CHANGED), False),
        ("line ten\n", patch(FILE, CHANGED), True),
        (FILE, patch(CHANGED, CHANGED.replace("line 2\n", "")), False),
        (FILE, b"--- a/d/f", False),
    ],
)
def test_whether_the_lines_are_there(text: str, data: bytes, *, there: bool):
    """A patch that only takes lines away has none."""
    assert PatchFit(lambda _: text.encode()).is_there(data) == there


def test_what_a_patch_says_of_upstream():
    header = b"Origin: me\nApplied-Upstream: v1.2\n"
    assert says_upstream(header + patch(FILE, CHANGED))
    assert not says_upstream(patch(FILE, CHANGED))
    assert not says_upstream(b"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\nApplied-Upstream: v1\n")


@pytest.mark.skipif(shutil.which("patch") is None, reason="GNU patch is not here")
@pytest.mark.parametrize("seed", range(60))
def test_gnu_patch_says_the_same(tmp_path: Path, seed: int):
    chance = Random(seed)  # noqa: S311 - an example, no secret
    lines = [f"{chance.choice('abc')}\n" for _ in range(chance.randint(1, 30))]
    data = patch("".join(lines), _edited(chance, lines), context=chance.randint(0, 3))
    text = _edited(chance, lines)
    (tmp_path / "d").mkdir()
    (tmp_path / "d/f").write_text(text)
    words = ["patch", "-p1", "--batch", "--forward", "--fuzz=0", "--dry-run", "--reject-file=-"]
    ran = subprocess.run(words, cwd=tmp_path, input=data, capture_output=True, check=False)
    if b"@@" in data:
        assert (problem({"d/f": text}, data) == "") == (ran.returncode == 0), ran.stdout.decode()


def _edited(chance: Random, lines: list[str]) -> str:
    edited = [*lines]
    for _ in range(chance.randint(0, 2)):
        at = chance.randrange(len(edited) + 1)
        edited[at:at] = [f"{chance.choice('xyz')}\n" for _ in range(chance.randint(1, 2))]
    if chance.random() < 0.4:
        del edited[chance.randrange(len(edited))]
    return "".join(edited) or "z\n"
