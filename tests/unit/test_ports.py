"""Ports stay narrow: at most five methods each, and one noun a file."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PORTS = Path(__file__).parents[2] / "rvbuild/core/ports"
MOST = 5


def ports() -> list[ast.ClassDef]:
    return [
        node
        for path in sorted(PORTS.glob("*.py"))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(b) == "Protocol" or "Protocol[" in ast.unparse(b) for b in node.bases)
    ]


def methods(port: ast.ClassDef) -> list[str]:
    return [node.name for node in port.body if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("port", ports(), ids=lambda port: port.name)
def test_a_port_has_few_methods(port: ast.ClassDef):
    """One that joins others has none of its own."""
    joined = [base for base in port.bases if "Protocol" not in ast.unparse(base)]
    assert len(methods(port)) <= (1 if joined else MOST)


def test_these_are_all_ports():
    names = {port.name for port in ports()}
    assert {"Cas", "Trees", "Realisations", "ActionCache", "Executor", "Fetcher"} <= names
    assert len(names) >= 15
