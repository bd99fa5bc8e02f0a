"""What a main module has instead of what its files say: as the go command edits them."""

from __future__ import annotations

from pathlib import Path

import pytest
from go_command import go, needs_go

from rvbuild.core.errors import LockError
from rvbuild.core.go_mod_changes import (
    UNCHANGED,
    GoModChanges,
    UpstreamModule,
    changed_statements,
    changed_sums,
    replacement,
    united,
)
from rvbuild.core.gomod import is_pruned, parse_go_mod

GO_MOD = """\
module m // the program

go 1.21
toolchain go1.21.4

godebug default=go1.20

require (
\te.org/a v1.0.0 // why
\te.org/b v1.1.0 // indirect
)

require e.org/c v1.0.0

replace (
\te.org/a => e.org/fork v1.0.1
\te.org/b v1.1.0 => ./b
\te.org/b v1.0.0 => e.org/b v1.0.5
)

exclude e.org/c v1.0.1
"""


def _with(*statements: str) -> str:
    return GoModChanges(statements=statements).go_mod(GO_MOD)


@pytest.mark.parametrize(
    ("statement", "gone"),
    [
        ("replace e.org/a => e.org/a v1.0.2", {"e.org/a => e.org/fork v1.0.1"}),
        (
            "replace e.org/b => e.org/b v1.2.0",
            {"e.org/b v1.1.0 => ./b", "e.org/b v1.0.0 => e.org/b v1.0.5"},
        ),
        ("replace e.org/new => e.org/new v1.0.0", set()),
        ("require e.org/b v1.2.0", {"e.org/b v1.1.0 // indirect"}),
        ("require e.org/c v1.2.0", {"require e.org/c v1.0.0"}),
        ("require e.org/new v1.2.0", set()),
        ("go 1.23.0", {"go 1.21", "toolchain go1.21.4"}),
        ("toolchain go1.23.0", {"toolchain go1.21.4"}),
    ],
)
def test_a_statement_takes_the_place_of_others(statement: str, gone: set[str]):
    old, new = GO_MOD.splitlines(), _with(statement).splitlines()
    assert {line.strip() for line in old} - {line.strip() for line in new} == gone
    assert [line for line in new if line not in old] == [statement]
    parse_go_mod("\n".join(new))


def test_nothing_changed_is_nothing():
    assert not UNCHANGED
    assert GoModChanges(statements=("go 1.23",))
    assert UNCHANGED.replaced == frozenset()
    assert changed_statements(GO_MOD, GO_MOD.replace("\t", "  ").replace(" // why", "")) == ()
    assert changed_sums(b"a v1 h1:x\n", b"a  v1 h1:x\n\n") == ()


def test_what_another_text_says_otherwise():
    """One that says less says nothing, but a toolchain belongs to its Go."""
    changes = GoModChanges(
        statements=("go 1.23.0", "replace e.org/b => e.org/b v1.2.0", "require e.org/new v1.0.0")
    )
    assert changed_statements(GO_MOD, changes.go_mod(GO_MOD)) == changes.statements
    assert changes.replaced == {"e.org/b"}
    newer = GO_MOD.replace("go 1.21\n", "go 1.22\n")
    assert changed_statements(GO_MOD, newer) == ("go 1.22", "toolchain go1.21.4")
    assert changed_statements(GO_MOD, "module m\n") == ()
    fewer = GO_MOD.replace("\te.org/b v1.0.0 => e.org/b v1.0.5\n", "")
    assert changed_statements(GO_MOD, fewer) == ()


def test_sums_are_added_and_offers_are_not():
    changes = GoModChanges(
        statements=("go 1.23",), sums=("b v1 h1:x", "c v1 h1:x"), offered=("d v1 h1:x",)
    )
    assert changes.go_sum(b"a v1 h1:x") == b"a v1 h1:x\nb v1 h1:x\nc v1 h1:x\n"
    assert changed_sums(b"a v1 h1:x", changes.go_sum(b"a v1 h1:x")) == changes.sums


def test_several_runs_are_united_by_the_higher_version():
    one = GoModChanges(statements=("go 1.23.1", "require a v1.10.0"), sums=("a v1.10.0 h1:x",))
    two = GoModChanges(
        statements=("go 1.23.0", "replace c => d v1.0.0", "require a v1.9.0", "require b v1.0.0"),
        sums=("a v1.9.0 h1:x", "b v1.0.0 h1:x"),
    )
    both = GoModChanges(
        statements=(
            "go 1.23.1", "replace c => d v1.0.0", "require a v1.10.0", "require b v1.0.0",
        ),
        sums=("a v1.10.0 h1:x", "a v1.9.0 h1:x", "b v1.0.0 h1:x"),
    )  # fmt: skip
    assert united([one, two]) == united([two, one]) == both
    assert united([]) == UNCHANGED


@pytest.mark.parametrize(
    ("by", "statement"),
    [
        ("v1.0.2", "replace e.org/a => e.org/a v1.0.2"),
        ("e.org/x v1.0.2", "replace e.org/a => e.org/x v1.0.2"),
    ],
)
def test_a_replacement_is_by_a_version_or_another_module(by: str, statement: str):
    assert replacement("e.org/a", by) == statement


@pytest.mark.parametrize(
    "text", ["e.org/a v1.0.0 go.mod:7", "e.org/a e.org/f v1.0.0 x/go.mod:7", "e.org/a ./f go.mod:9"]
)
def test_what_go_mod_says_is_read_as_it_is_printed(text: str):
    assert str(UpstreamModule.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "a", "a v1", "a v1 go.mod", "a v1 go.mod:x", "a v1 go.mod:07"]
)
def test_what_is_no_such_line_gives_another_text(text: str):
    assert str(UpstreamModule.parse(text)) != text


@pytest.mark.parametrize(
    ("text", "pruned"),
    [
        ("module m\ngo 1.17\n", True),
        ("module m\ngo 1.23.0\n", True),
        ("module m\ngo 2.0\n", True),
        ("module m\ngo 1.16\n", False),
        ("module m\n", False),
        ("module m\ngo x\n", False),
        ("module m\ngo 1.17 1.18\n", False),
        ("module m\ngo (\n", False),
    ],
)
def test_from_go_1_17_on_a_go_mod_has_all_that_its_module_needs(text: str, *, pruned: bool):
    assert is_pruned(text.encode()) is pruned


def test_what_is_no_go_mod_is_refused():
    with pytest.raises(LockError, match="is not closed"):
        GoModChanges(statements=("go 1.23",)).go_mod("require (\n")


@needs_go
@pytest.mark.parametrize("module", ["e.org/a", "e.org/b", "e.org/c", "e.org/new"])
def test_the_go_command_edits_it_so(module: str, tmp_path: Path):
    (tmp_path / "go.mod").write_text(GO_MOD)
    edit = f"-replace={module}={module}@v1.9.0"
    assert go(tmp_path, "mod", "edit", edit).returncode == 0
    theirs = (tmp_path / "go.mod").read_text()
    ours = _with(f"replace {module} => {module} v1.9.0")
    assert changed_statements(theirs, ours) == ()
    assert changed_statements(ours, theirs) == ()
    assert {(r.old, r.old_version, r.new) for r in parse_go_mod(theirs).replacements} == {
        (r.old, r.old_version, r.new) for r in parse_go_mod(ours).replacements
    }
