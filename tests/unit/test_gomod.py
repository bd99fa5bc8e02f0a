"""go.mod and escaping, against what the go command does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from go_command import go, needs_go
from hypothesis import given
from hypothesis import strategies as st

from rvbuild.core.errors import LockError
from rvbuild.core.gomod import check_module, escape_path, parse_go_mod, retracted_by

GO_MOD = """\
// a comment (with a bracket
module "github.com/k3s-io/k3s" // and one here

go 1.23.3
toolchain go1.23.6
godebug default=go1.21

replace (
	github.com/Microsoft/hcsshim => github.com/Microsoft/hcsshim v0.11.0
	k8s.io/api => github.com/k3s-io/kubernetes/staging/src/k8s.io/api v1.32.3-k3s2
	k8s.io/kubernetes => github.com/k3s-io/kubernetes v1.32.3-k3s2
	example.org/old v1.0.0 => example.org/new v1.5.0
	example.org/old v1.0.1 => example.org/other v1.6.0
	example.org/both => example.org/all v2.0.0+incompatible
	example.org/both v1.0.0 => example.org/one v1.7.0
	"example.org/local" => ../local
)
replace example.org/unused => example.org/used v1.0.0
retract [v1.0.0, v1.9.9] // no good
exclude (
	example.org/old v0.1.0
)
exclude ()

require github.com/opencontainers/runc v1.2.5
require (
	"example.org/old" v1.0.0 // indirect
	example.org/both v1.0.0 // indirect; for tests
	example.org/local v0.0.0-00010101000000-000000000000 // indirectly so
	k8s.io/api v1.32.3
	k8s.io/kubernetes v1.32.3
)
"""


def line_of(text: str) -> int:
    return next(n for n, line in enumerate(GO_MOD.splitlines(), 1) if text in line)


@pytest.mark.parametrize(
    ("module", "version", "line"),
    [
        ("github.com/opencontainers/runc", "v1.2.5", "require github"),
        ("k8s.io/kubernetes", "v1.32.3-k3s2", "k8s.io/kubernetes =>"),
        ("github.com/k3s-io/kubernetes", "v1.32.3-k3s2", "k8s.io/kubernetes =>"),
        ("example.org/old", "v1.5.0", "old v1.0.0 =>"),
        ("example.org/new", "v1.5.0", "old v1.0.0 =>"),
        ("example.org/both", "v1.7.0", "both v1.0.0 =>"),
        ("github.com/Microsoft/hcsshim", "v0.11.0", "hcsshim =>"),
        ("example.org/unused", "v1.0.0", "unused =>"),
    ],
)
def test_the_effective_version_and_its_line(module: str, version: str, line: str):
    """After replace; asked by the required path or by the path of the replacement."""
    found = parse_go_mod(GO_MOD).effective(module)
    assert found is not None
    assert (found.version, found.line) == (version, line_of(line))


@pytest.mark.parametrize("module", ["example.org/other", "example.org/nobody", "k8s.io"])
def test_what_go_mod_does_not_use_is_none(module: str):
    """A replacement of a version that nobody requires has no effect."""
    assert parse_go_mod(GO_MOD).effective(module) is None


def test_a_local_replacement_is_told_with_its_line():
    with pytest.raises(LockError, match=r"the folder '\.\./local'") as caught:
        parse_go_mod(GO_MOD, "k3s/go.mod").effective("example.org/local")
    assert str(caught.value.where) == f"k3s/go.mod:{line_of('../local')}"


def test_two_answers_are_told_with_both_lines():
    text = "replace a.b/c => x.y/z v1.0.0\nreplace a.b/d => x.y/z v1.1.0\n"
    with pytest.raises(LockError) as caught:
        parse_go_mod(text).effective("x.y/z")
    assert caught.value.details == ("go.mod:1: x.y/z v1.0.0", "go.mod:2: x.y/z v1.1.0")


def test_the_name_of_the_module():
    parsed = parse_go_mod(GO_MOD)
    assert parsed.module == "github.com/k3s-io/k3s"


@needs_go
def test_the_go_command_reads_the_same(tmp_path: Path):
    (tmp_path / "main").mkdir()
    (tmp_path / "main/go.mod").write_text(GO_MOD)
    printed = go(tmp_path / "main", "mod", "edit", "-json")
    assert printed.returncode == 0, printed.stderr
    theirs, ours = json.loads(printed.stdout), parse_go_mod(GO_MOD)
    assert [(r["Path"], r["Version"]) for r in theirs["Require"]] == [
        (r.path, r.version) for r in ours.requirements
    ]
    assert [
        (
            r["Old"]["Path"],
            r["Old"].get("Version", ""),
            r["New"]["Path"],
            r["New"].get("Version", ""),
        )
        for r in theirs["Replace"]
    ] == [(r.old, r.old_version, r.new, r.new_version) for r in ours.replacements]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("module a.b/c\nmodule d.e/f\n", 2),
        ("module a b\n", 1),
        ("\nrequire (\na.b/c v1.0.0\n", 2),
        ("require a.b/c\n", 1),
        ("require a.b/c latest\n", 1),
        ("require a.b/c 1.0.0\n", 1),
        ("replace a.b/c\n", 1),
        ("replace a.b/c => d.e/f\n", 1),
        ("replace => a.b/c v1.0.0\n", 1),
        ("replace a v1.0.0 b => c v1.0.0\n", 1),
        ('go 1.2\nmodule "a.b/c\n', 2),
        ("go 1.2\n/* no */\n", 2),
        ("module `a.b/c\n", 1),
    ],
)
def test_what_is_no_go_mod_is_refused_with_its_line(text: str, line: int):
    with pytest.raises(LockError) as caught:
        parse_go_mod(text, "f")
    assert str(caught.value.where) == f"f:{line}"


_PIECES = [*'()[],\n\t "`\\/*.a', "require", "replace", "=>", "v1.0.0", "//", "./"]


@given(st.lists(st.sampled_from(_PIECES)).map("".join))
def test_any_text_is_parsed_or_refused(text: str):
    """Nothing but a LockError with a line comes out."""
    where = "go.mod:1"
    try:
        parse_go_mod(text).effective("a")
    except LockError as error:
        where = str(error.where)
    assert re.fullmatch(r"go\.mod:\d+", where)


def test_capitals_are_escaped():
    assert escape_path("github.com/Azure/azure-sdk") == "github.com/!azure/azure-sdk"
    assert escape_path("v1.0.0-RC1") == "v1.0.0-!r!c1"


@pytest.mark.parametrize(
    ("path", "version"),
    [("a/..", "v1.0.0"), (".a", "v1.0.0"), ("", "v1.0.0"), ("a!b", "v1.0.0"), ("a", "v1/0.0")],
)
def test_modules_that_could_leave_their_folder_are_refused(path: str, version: str):
    with pytest.raises(LockError):
        check_module(path, version, "here")


def test_the_version_of_a_toolchain_is_one():
    check_module("golang.org/toolchain", "v0.0.1-go1.23.6.linux-amd64", "here")


def test_a_go_mod_takes_versions_back():
    text = b"module m\nretract v1.0.0 // why\nretract [v1.2.0, v1.3.0]\nretract (\n v1.9.0\n)\n"
    ranges = [("v1.0.0", "v1.0.0"), ("v1.2.0", "v1.3.0"), ("v1.9.0", "v1.9.0")]
    assert [*retracted_by(text)] == ranges
    assert [
        *retracted_by(text + b"retract v2.0.0 v2.1.0 v2.2.0\n\x00'\"\nretract v3.0.0\n")
    ] == ranges
