"""Which files a diff names: held against what GNU patch does with it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from rvbuild.core.patches import PATCH
from rvbuild.core.unified_diff import named_files

HUNK = "@@ -1 +1 @@\n-one\n+two\n"
QUOTED = r"d/v\303\251rsion"
NAMES = ("go.mod", "d/go.mod", "d/vérsion", 'say "x"', "a b", "back\\slash", "tab\there")
TREE = {**dict.fromkeys(NAMES, "one\n"), "empty": ""}


def diff(old: str, new: str | None = None, *, before: str = "") -> str:
    return f"{before}--- {old}\n+++ {new or old}\n{HUNK}"


DIFFS = {
    "plain": diff("a/go.mod", "b/go.mod"),
    "a date behind a tab": diff("a/go.mod\t2024-01-01 00:00:00.0 +0000"),
    "a date behind blanks": diff("a/go.mod  2024-01-01 00:00:00.0 +0000"),
    "quoted": diff(f'"a/{QUOTED}"', f'"b/{QUOTED}"'),
    "quoted with a date": diff(f'"a/{QUOTED}"\t2024-01-01'),
    "quotes in quotes": diff(r'"a/say \"x\""'),
    "a backslash": diff(r'"a/back\\slash"'),
    "a tab": diff(r'"a/tab\there"'),
    "a blank": diff("a/a b\t"),
    "a new file": '--- /dev/null\n+++ "b/n\\303\\251w"\n@@ -0,0 +1 @@\n+two\n',
    "only the old name": f"--- a/go.mod\n+++ /dev/null\n{HUNK}".replace("+1", "+0,0").replace(
        "+two\n", ""
    ),
    "two slashes": diff("a//go.mod"),
    "a point": diff("a/./d/go.mod"),
    "indented": "".join(f"  {line}\n" for line in diff("a/go.mod").splitlines()),
    "windows": diff("a/go.mod").replace("\n", "\r\n"),
    "an index": f"Index: a/go.mod\n{HUNK}",
    "stars": f"*** a/go.mod\n{HUNK}",
    "renamed": "diff --git a/go.mod b/x\nsimilarity index 100%\nrename from go.mod\nrename to x\n",
    "renamed, quoted": f'diff --git "a/{QUOTED}" b/x\nsimilarity index 100%\n'
    f'rename from "{QUOTED}"\nrename to x\n',
    "removed, empty": "diff --git a/empty b/empty\ndeleted file mode 100644\n"
    "index e69de29..0000000\n",
    "a name that a hunk takes out": "--- a/go.mod\n+++ b/go.mod\n@@ -1 +0,0 @@\n-one\n"
    f"--- a/d/go.mod\n+++ b/d/go.mod\n{HUNK}",
}


@pytest.mark.skipif(not shutil.which("patch"), reason="there is no patch")
@pytest.mark.parametrize("text", DIFFS.values(), ids=DIFFS)
def test_what_patch_changes_is_named(tmp_path: Path, text: str):
    """It may change less: whoever reads a file must not be told too little."""
    for name, content in TREE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    command = ["sh", "-c", PATCH]
    subprocess.run(command, cwd=tmp_path, input=text, text=True, capture_output=True, check=False)
    there = {
        str(path.relative_to(tmp_path)): path.read_text()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    changed = {name for name in {*TREE, *there} if TREE.get(name) != there.get(name)}
    assert changed
    assert changed <= {*named_files(text.split("\n"))}


@pytest.mark.parametrize(
    "name", ['"a/x', r'"a/\q"', r'"a/\8"', r'"a/\777"', r'"a/\303"', '"a/x\\"', '"a/\\']
)
def test_a_name_that_nobody_can_read_is_refused(name: str):
    for text in (diff(name), f"diff --git a/x b/y\nrename from {name}\nrename to y\n"):
        with pytest.raises(ValueError):  # noqa: PT011 - any: it gets its words where it is caught
            list(named_files(text.split("\n")))


@pytest.mark.parametrize(
    "text",
    ["", "no diff\n", "a mail: --- or +++ of it\n", "--- \n+++ \n", f"--- /dev/null\n{HUNK}"],
)
def test_what_is_no_diff_names_nothing(text: str):
    assert not [*named_files(text.split("\n"))]
