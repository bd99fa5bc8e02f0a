"""One name means one thing: files and public classes of rvbuild that share one have a reason."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2] / "rvbuild"

COMMAND = "a command of the command line, named as people call it"
OPERATION = "an operation, what it calls, and what draws it"
YAML = "a value of the core, and its form in YAML"

KIND = "of each kind of source"

PORT = "a port of the core, and an adapter of it"

FILES = {
    "__init__": "every package has one",
    "audit": f"the rules of the core; {OPERATION}",
    "build": OPERATION,
    "cache_totals": "a value of the core, and where a store keeps it",
    "caches": OPERATION,
    "candidates": KIND,
    "closure": OPERATION,
    "codec": KIND,
    "collect": "of a store's garbage; of a cache's",
    "config": OPERATION,
    "describe": KIND,
    "diff": OPERATION,
    "diff_built": OPERATION,
    "doctor": OPERATION,
    "fetch": f"{KIND}; {OPERATION}",
    "init": OPERATION,
    "keys": OPERATION,
    "lock": f"{YAML}; {COMMAND}",
    "locks": PORT,
    "names": "of what a lock holds; of what is in a cache",
    "outdated": OPERATION,
    "plan": OPERATION,
    "push": OPERATION,
    "recipe": YAML,
    "repair": OPERATION,
    "resolve": f"{KIND}; that of the engine asks them",
    "roots": PORT,
    "serve": OPERATION,
    "show": OPERATION,
    "source": f"{YAML}; {KIND}",
    "spec": f"{KIND}; the base of them in the core",
    "substitutes": PORT,
    "store": "a port, and where operations find a store",
    "table": "of kinds of sources; of kinds of caches",
    "trees": PORT,
    "update": OPERATION,
    "verify": f"{OPERATION}; of envelopes",
    "why": OPERATION,
}
"""Names of files that stand in several folders, each with the reason."""

CLASSES = {
    "Answer": "of a cache that was asked for a record; of a server",
    "Closure": "of a target's sources, for people; a builder's word of a target",
    "Finding": "of an audit; of a store's check",
    "Roots": "a port, and what a local store has of it",
    "Signer": "a port; what signs the requests to a bucket",
}
"""Names of public classes that stand in several files, each with the reason."""


def modules() -> list[Path]:
    return [path for path in ROOT.rglob("*.py") if "_reapi" not in path.parts]


def repeated(names: list[str]) -> set[str]:
    count: dict[str, int] = defaultdict(int)
    for name in names:
        count[name] += 1
    return {name for name, times in count.items() if times > 1}


def test_files_that_share_a_name_have_a_reason():
    """Both ways: a reason for a name that only one file has is out of date."""
    assert repeated([path.stem for path in modules()]) == set(FILES)


def test_public_classes_that_share_a_name_have_a_reason():
    names = [
        node.name
        for path in modules()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    assert repeated(names) == set(CLASSES)
