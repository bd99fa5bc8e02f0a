"""The bundle's installer reads data-dir as K3s does, or says that it cannot tell.

The judge is K3s' own rule over a real YAML reader: its files in order, a later value before an
earlier one, `+` after a key, a list's last member.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

SCRIPT = Path(__file__).parents[2] / "recipes/k3s-bundle/offline.sh"
DRIVER = """\
set -e
set -o noglob
SUDO=
fatal() { echo "cannot tell: $*"; exit 0; }
warn() { echo "not sure: $*" >&2; }
. "$1"
data_dir= said=
bundle_configured "$2"
printf '= %s %s\\n' "$said" "$data_dir"
"""
SHELLS = {
    name: words
    for name, words in {
        "dash": ("dash",),
        "bash": ("bash", "--posix"),
        "busybox": ("busybox", "sh"),  # whose awk, sed and grep are its own
    }.items()
    if shutil.which(words[0])
}

VALUES = st.sampled_from(
    ["/a", "/a b", "/a#b", "a/b", "/a:b", "/ä", "/a\\tb", "/a,b", "/a'b", "/", "./x/y"]
)
BLANKS = st.sampled_from(["", " ", "  ", "\t"])
NOTES = st.sampled_from(["", " # data-dir: /no", "\t# no", " #"])
KEYS = st.sampled_from(["data-dir", "data-dir+", '"data-dir"', "'data-dir'", "data-dir "])


@st.composite
def said(draw: st.DrawFn) -> str:
    """A line that says data-dir, of those forms that must be read."""
    value = draw(VALUES)
    written = draw(
        st.sampled_from(
            [
                value,
                value if "\\" in value else f'"{value}"',
                "'{}'".format(value.replace("'", "''")),
                "",
                "null",
                "~",
            ]
        )
    )
    gap = draw(st.sampled_from([" ", "  ", " \t"])) if written else ""
    return f"{draw(KEYS)}:{gap}{written}{draw(BLANKS)}{draw(NOTES)}\n"


ODD = st.sampled_from([
    "data-dir: [/a, /b]\n", "data-dir:\n- /a\n- /b\n", "data-dir:\n  - /a\n", "data-dir: |\n  /a\n",
    "data-dir: >-\n  /a\n", "data-dir: !!str /a\n", 'data-dir: "/\\x61"\n', "data-dir: /a\n  b\n",
    "data-dir: &a /a\nother: *a\n", "x: &y /a\ndata-dir: *y\n", "data-dir: true\n",
    "data-dir: 12\n", "data-dir: 2001-01-01\n", '"data\\x2ddir": /a\n', "data-dir: {a: b}\n",
    "? data-dir\n: /a\n",
    "data-dir:\n  /a\n", "data-dir: 'a\n  b'\n", "base: &b\n  data-dir: /m\n<<: *b\n",
])  # fmt: skip
OTHERS = st.sampled_from([
    "\n", "# data-dir: /no\n", "token: x\n", "token: 'data-dir: /no'\n", 'tls-san: ["a", "b"]\n',
    "tls-san:\n- data-dir\n- b\n", "node-label:\n  - a=b\n  # data-dir: /no\n  - c\n",
    "note: |\n  data-dir: /no\n  # more\n\n  end\n", "a.data-dir: /no\n", "data-dirs: /no\n",
    "kubelet-arg: 'root-dir=/no'\n", "deep:\n  data-dir: /no\n", "x-data-dir: /no\n", "etcd: #\n",
    "disable: traefik # data-dir: /no\n", "note: >\n   data-dir: /no\n", "my data-dir: /no\n",
])  # fmt: skip
STARTS = st.sampled_from(
    ["", "", "---\n", "--- # data-dir: /no\n", "%YAML 1.1\n---\n", "\ufeff", "# a\n"]
)
ENDS = st.sampled_from(["", "", "...\n", "---\ndata-dir: /no\n"])


@st.composite
def files(draw: st.DrawFn, *, odd: bool) -> str:
    lines = draw(st.lists(st.one_of(OTHERS, said(), *([ODD] if odd else [])), max_size=6))
    margin = draw(st.sampled_from(["", "", "", "  "]))
    body = "".join(margin + line if line.strip() else line
                   for part in lines for line in part.splitlines(keepends=True))  # fmt: skip
    text = draw(STARTS) + body + draw(ENDS)
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


def text_of(node: yaml.Node) -> str:
    value = yaml.SafeLoader("").construct_document(node)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def pairs(node: yaml.Node) -> list[tuple[str, yaml.Node]]:
    """What a mapping has, with what it merges, in order."""
    found: list[tuple[str, yaml.Node]] = []
    for key, value in node.value if isinstance(node, yaml.MappingNode) else []:
        found += pairs(value) if key.value == "<<" else [(str(key.value), value)]
    return found


def as_k3s(texts: list[str]) -> str | None:
    """The last value of data-dir; None: nothing says it."""
    last = None
    for text in texts:
        loader = yaml.SafeLoader(text)
        node = loader.get_node() if loader.check_node() else None
        for key, value in pairs(node) if node else []:
            if key.removesuffix("+") == "data-dir":
                nodes = value.value if isinstance(value, yaml.SequenceNode) else [value]
                last = text_of(nodes[-1]) if nodes else last
    return last


def told(shell: tuple[str, ...], texts: list[str]) -> tuple[str, bool]:
    """What the installer makes of a file and those beside it, and whether it is sure."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "c.d").mkdir()
        for number, text in enumerate(texts):
            name = f"c.d/{number}.yaml" if number else "c"
            (Path(folder) / name).write_bytes(text.encode())
        command = [*shell, "-c", DRIVER, "sh", str(SCRIPT), f"{folder}/c"]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return ran.stdout.removesuffix("\n"), not ran.stderr


def valid(texts: list[str]) -> bool:
    try:
        for text in texts:
            loader = yaml.SafeLoader(text)
            loader.check_node() and loader.get_node()
    except yaml.YAMLError:
        return False
    return True


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
@settings(max_examples=60, derandomize=True, deadline=None)
@example(texts=["data-dir: /a\n", "data-dir+: /b\n"])
@example(texts=["", "other: x\n", "data-dir:\n"])
@given(texts=st.lists(files(odd=False), min_size=1, max_size=3))
def test_what_is_plain_is_read(shell: tuple[str, ...], texts: list[str]):
    assume(valid(texts))
    wanted = as_k3s(texts)
    answer, _ = told(shell, texts)
    assert answer == ("=  " if wanted is None else f"= config {wanted}")


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
@settings(max_examples=60, derandomize=True, deadline=None)
@given(texts=st.lists(files(odd=True), min_size=1, max_size=2))
def test_what_is_odd_is_read_or_said(shell: tuple[str, ...], texts: list[str]):
    assume(valid(texts))
    wanted = as_k3s(texts)
    answer, sure = told(shell, texts)
    if answer.startswith("= ") and sure:
        assert answer == ("=  " if wanted is None else f"= config {wanted}")


def test_the_judge_is_k3s_rule():
    """As its own test data have it."""
    assert as_k3s(["data-dir: /a\n", "data-dir+: /b\n"]) == "/b"
    assert as_k3s(["data-dir: [/a, /b]\n"]) == "/b"
    assert as_k3s(["a: b\n"]) is None
    assert as_k3s(["data-dir: /a\n", "data-dir: ~\n"]) == ""
