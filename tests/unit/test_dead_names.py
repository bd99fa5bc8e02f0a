"""A private name that its module does not use is left from something that went away."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "rvbuild"
MODULES = [path for path in sorted(ROOT.rglob("*.py")) if not path.name.endswith("_pb2.py")]


def defined(tree: ast.Module) -> Iterator[str]:
    """Names of functions without a decorator, which would use them; of classes; what is set."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.decorator_list:
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (each.id for each in targets if isinstance(each, ast.Name))


def dead(source: str) -> list[str]:
    """The private names of a module that it has once."""
    names = {each for each in defined(ast.parse(source)) if re.match(r"_[^_]", each)}
    return sorted(each for each in names if len(re.findall(rf"\b{each}\b", source)) == 1)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_private_name_is_without_a_user(path: Path):
    assert dead(path.read_text(encoding="utf-8")) == []


def test_what_nobody_uses_is_seen():
    source = "_A = 1\n_B = 2\nc = _B\n\n\ndef _d(): ...\n\n\nclass _E: ...\n\n\n@c\ndef _f(): ...\n"
    assert dead(source) == ["_A", "_E", "_d"]
