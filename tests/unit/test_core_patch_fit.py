"""Whether a patch applies, against what GNU patch does with the same files."""

from __future__ import annotations

import difflib
import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest

from rvbuild.core.patch_fit import PatchFit, PatchPresence

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


CALLS = "a\nb\nc\nunsafe();\nd\ne\nf\n"
CHECKS = CALLS.replace("unsafe", "check")
WITHOUT = CALLS.replace("unsafe();\n", "")
K3S = "x\nargs {\n  config\n  kube\n}\ny\n"
K3S_PATCH = b"--- a/d/f\n+++ b/d/f\n@@ -2,3 +2,4 @@\n args {\n+  port: 0\n   config\n   kube\n"
RETURNS = "a() {\n  if err {\n    return err\n  }\n}\n"
FORGETS = "b() {\n  foo := bar()\n  if err {\n  }\n  use(foo)\n}\n"
HANDLES = FORGETS.replace("err {\n", "err {\n    return err\n")
THERE: dict[str, tuple[str | None, bytes, PatchPresence]] = {
    "applied": (CHANGED, patch(FILE, CHANGED), PatchPresence.THERE),
    "applied and moved": ("x\n" + CHANGED, patch(FILE, CHANGED), PatchPresence.THERE),
    "not applied": (FILE, patch(FILE, CHANGED), PatchPresence.ABSENT),
    "the line alone": ("line ten\n", patch(FILE, CHANGED), PatchPresence.ABSENT),
    "elsewhere, and applies": (
        CALLS + "check();\n",
        patch(CALLS, CHECKS, context=1),
        PatchPresence.ABSENT,
    ),
    "elsewhere, and what goes has other lines around it": (
        CALLS.replace("c\n", "C\n") + "check();\n",
        patch(CALLS, CHECKS, context=1),
        PatchPresence.ABSENT,
    ),
    "once of two": (CALLS + CHECKS, patch(CALLS, CHECKS), PatchPresence.UNKNOWN),
    "a removal": (WITHOUT, patch(CALLS, WITHOUT), PatchPresence.THERE),
    "no removal": (CALLS, patch(CALLS, WITHOUT), PatchPresence.ABSENT),
    "a removal with nothing around it": (
        WITHOUT,
        patch(CALLS, WITHOUT, context=0),
        PatchPresence.ABSENT,
    ),
    "a file that went, or stands elsewhere": (None, patch(FILE, ""), PatchPresence.UNKNOWN),
    "a file that did not go": (FILE, patch(FILE, ""), PatchPresence.ABSENT),
    "a new file": (FILE, patch("", FILE), PatchPresence.THERE),
    "another new file": (FILE + "more\n", patch("", FILE + "other\n"), PatchPresence.ABSENT),
    "no new file": (None, patch("", FILE), PatchPresence.ABSENT),
    "no file": (None, patch(FILE, CHANGED), PatchPresence.ABSENT),
    "an addition where nothing else is the same": (
        K3S.replace("  kube\n", "  kube\n  # why\n  port: 0\n"),
        K3S_PATCH,
        PatchPresence.UNKNOWN,
    ),
    "an addition in another function": (
        RETURNS + FORGETS,
        patch(FORGETS, HANDLES),
        PatchPresence.UNKNOWN,
    ),
    "an addition in another function, and it does not apply": (
        RETURNS + FORGETS.replace("bar", "baz"),
        patch(FORGETS, HANDLES),
        PatchPresence.UNKNOWN,
    ),
    "an addition in each function": (
        RETURNS + HANDLES,
        patch(FORGETS, HANDLES),
        PatchPresence.THERE,
    ),
    "an addition with nothing around it": (
        RETURNS,
        patch(FORGETS, HANDLES, context=0),
        PatchPresence.UNKNOWN,
    ),
    "an addition that is not there": (K3S, K3S_PATCH, PatchPresence.ABSENT),
    "two additions, and one of them twice": (
        "x\n" + FILE,
        patch(FILE, "x\n" + FILE + "x\n"),
        PatchPresence.ABSENT,
    ),
    "no hunk": (FILE, b"--- a/d/f", PatchPresence.ABSENT),
    "no hunk of a file": (FILE, b"--- a/d/f\n+++ b/d/f\n", PatchPresence.ABSENT),
}


@pytest.mark.parametrize("name", THERE)
def test_whether_upstream_has_it(name: str):
    text, data, presence = THERE[name]
    assert PatchFit(lambda _: None if text is None else text.encode()).presence(data) is presence


def test_what_an_earlier_patch_makes_is_not_upstreams():
    fit = PatchFit(lambda _: FILE.encode())
    assert fit.problem(patch(FILE, CHANGED)) == ""
    assert fit.presence(patch(FILE, CHANGED)) is PatchPresence.ABSENT


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


@pytest.mark.skipif(shutil.which("patch") is None, reason="GNU patch is not here")
@pytest.mark.parametrize("seed", range(60))
def test_gnu_patch_takes_back_what_is_there(tmp_path: Path, seed: int):
    """And a patch that was applied, to a file that may have changed elsewhere, is there."""
    chance = Random(seed)  # noqa: S311 - an example, no secret
    lines = [f"line {number}\n" for number in range(chance.randint(1, 30))]
    new = _edited(chance, lines)
    data = patch("".join(lines), new, context=chance.randint(1, 3))
    text = "first\n" * chance.randint(0, 2) + new if chance.random() < 0.7 else "".join(lines)
    (tmp_path / "d").mkdir()
    (tmp_path / "d/f").write_text(text)
    words = ["patch", "-p1", "-R", "--batch", "--force", "--dry-run", "--reject-file=-"]
    ran = subprocess.run(words, cwd=tmp_path, input=data, capture_output=True, check=False)
    presence = PatchFit(lambda _: text.encode()).presence(data)
    if b"@@" in data:
        assert presence is not PatchPresence.THERE or ran.returncode == 0, ran.stdout.decode()
        assert presence is not PatchPresence.ABSENT or text != new


@pytest.mark.parametrize("seed", range(300))
def test_a_patch_that_applies_and_that_upstream_lacks_is_not_there(seed: int):
    """In files whose lines come again and again, above and below the change as well."""
    chance = Random(seed)  # noqa: S311 - an example, no secret
    above, old, below = (_repeated(chance, most) for most in (9, 12, 9))
    new = [*old]
    for _ in range(chance.randint(1, 2)):
        at = chance.randrange(len(new) + 1)
        new[at : at + chance.choice((0, 0, 1))] = _repeated(chance, 2)
    data = patch("".join(old), "".join(new), context=chance.randint(0, 3))
    fit = PatchFit(lambda _: "".join((*above, *old, *below)).encode())
    presence = fit.presence(data)
    if old != new and fit.problem(data) == "":
        assert presence is not PatchPresence.THERE


def _repeated(chance: Random, most: int) -> list[str]:
    return [f"{chance.choice('{r}')}\n" for _ in range(chance.randint(1, most))]


def _edited(chance: Random, lines: list[str]) -> str:
    edited = [*lines]
    for _ in range(chance.randint(0, 2)):
        at = chance.randrange(len(edited) + 1)
        edited[at:at] = [f"{chance.choice('xyz')}\n" for _ in range(chance.randint(1, 2))]
    if chance.random() < 0.4:
        del edited[chance.randrange(len(edited))]
    return "".join(edited) or "z\n"
