"""The table of architectures: whole rows, no shared names, and no second place for such a fact."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from made_elf import Made

from rvbuild.cli.remedies import hint_text
from rvbuild.core.architecture import (
    ARCHITECTURES,
    DEFAULT_ARCHITECTURES,
    Architecture,
    named,
    of_elf,
    of_machine,
)
from rvbuild.core.audit import audit
from rvbuild.core.derivation import OutputRule
from rvbuild.core.errors import SandboxError
from rvbuild.executors import seccomp
from rvbuild.kinds.pypi.wheel_name import WheelName

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "rvbuild/core/architecture.py"
ROWS = tuple(ARCHITECTURES.values())

every_row = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])


@every_row
def test_a_row_is_whole(row: Architecture):
    assert ARCHITECTURES[row.name] is row
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in row.names)
    assert 0 < row.elf.number < 1 << 16
    assert row.emulator.split()[0] == f"qemu-{row.machine}"
    taken = 0
    for rule in row.flags:
        assert rule.names[rule.value]
        assert all(value & ~rule.mask == 0 for value in rule.names)
        assert taken & rule.mask == 0
        taken |= rule.mask
    variable, level = row.baseline.go if row.baseline else ("GO", "v1")
    assert re.fullmatch(r"GO[A-Z0-9]*", variable)
    assert level


def test_no_two_rows_share_a_name_or_a_machine():
    for one, other in combinations(ROWS, 2):
        assert one.names.isdisjoint(other.names)
        assert one.elf != other.elf
        assert one.isa is not other.isa
        assert one.emulator != other.emulator


@every_row
def test_each_name_leads_to_its_row(row: Architecture):
    assert all(named(name) is row for name in row.names)
    assert of_elf(row.elf) is row
    assert of_machine(row.machine) is row


def test_what_nobody_knows():
    assert named("vax") is None
    with pytest.raises(SandboxError, match="kind 'vax'") as caught:
        of_machine("vax")
    assert ROWS[0].machine in hint_text(caught.value.hint)


@pytest.mark.parametrize(("name", "number"), [
    ("riscv64", 0xC00000F3), ("arm64", 0xC00000B7), ("amd64", 0xC000003E),
    ("loong64", 0xC0000102),
])  # fmt: skip
def test_audit_numbers_are_the_kernels(name: str, number: int):
    """As <linux/audit.h> has them; the filter compares with this very number."""
    row = ARCHITECTURES[name]
    assert row.audit_number == number
    assert number.to_bytes(4, "little") in seccomp.program(row.machine)


@every_row
def test_each_rule_for_flags_is_asked(row: Architecture):
    """A program with exactly one thing wrong in e_flags is told exactly that."""
    rule = OutputRule(name="x", path="x", kind="executable", architecture=row.name)
    right = sum(each.value for each in row.flags)
    machine = row.elf.number
    assert audit(rule, Made(machine=machine, flags=right).write()) == []
    for each in row.flags:
        wrong = right ^ (each.mask & -each.mask)
        (found,) = audit(rule, Made(machine=machine, flags=wrong).write())
        assert found.what.startswith(f"its {each.subject} is ")
        assert found.what.endswith(f", not {each.names[each.value]}")
        assert hint_text(found.hint) == hint_text(each.hint)


@every_row
def test_a_wheel_is_for_one_architecture(row: Architecture):
    name = WheelName.parse(f"a-1-py3-none-manylinux_2_28_{row.machine}.whl")
    assert name is not None
    assert [other for other in ARCHITECTURES if name.platform_rank(other)] == [row.name]


def test_the_documentation_says_what_a_recipe_is_for_by_default():
    """All of the first ones; a further one changes no recipe that does not name it."""
    said = f"default `[{', '.join(DEFAULT_ARCHITECTURES)}]`"
    assert said in (ROOT / "docs/recipes.md").read_text()
    assert DEFAULT_ARCHITECTURES == ("riscv64", "arm64", "amd64")


# ---- one place

_NAMES = sorted({name for row in ROWS for name in row.names}, key=len, reverse=True)
_NAME = re.compile(rf"(?<![A-Za-z0-9])({'|'.join(map(re.escape, _NAMES))})(?![A-Za-z0-9_])")
_NUMBERS = {row.audit_number for row in ROWS} | {row.elf.number for row in ROWS}
_EXAMPLE_TARGET = re.compile(r"\b(runc|k3s)-[a-z0-9]+\b")
"""Help and messages show what a target looks like; that says nothing of an architecture. The
help cannot take it from the table: it is there before a build with nothing to do is answered,
which must not import what the table needs."""


def literals(source: str) -> Iterator[tuple[int, str]]:
    """What a module says of an architecture: (line, literal). Docstrings and comments explain."""
    tree = ast.parse(source)
    explained = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in explained:
            text = node.value if isinstance(node.value, str) else ""
            found = _NAME.search(_EXAMPLE_TARGET.sub("", text))
            if found:
                yield node.lineno, found[0]
        # A number by itself means a machine only where it gets a name.
        values = [node.value] if isinstance(node, (ast.Assign, ast.keyword)) else []
        for value in values:
            if isinstance(value, ast.Constant) and value.value in _NUMBERS:
                yield value.lineno, str(value.value)


def test_no_other_module_says_anything_of_an_architecture():
    found = [
        f"{path.relative_to(ROOT)}:{line}: {literal}"
        for path in sorted((ROOT / "rvbuild").rglob("*.py"))
        if path != TABLE
        for line, literal in literals(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize("source", [
    "MACHINES = {'x86_64': 1}", "EM = 243", "f(elf=62)", "x = f'linux-{y}-riscv64'",
    "match = 'manylinux_2_28_aarch64.whl'.endswith", "NUMBER = 0xC00000B7",
])  # fmt: skip
def test_the_search_sees_what_it_is_for(source: str):
    assert [*literals(source)] != []


@pytest.mark.parametrize("source", [
    '"""For riscv64."""', "x = 1  # arm64", "hint = 'for example runc-riscv64'",
    "calls = {'a': 62}",
])  # fmt: skip
def test_the_search_lets_explanations_be(source: str):
    assert [*literals(source)] == []
