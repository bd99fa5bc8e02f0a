"""Whether a store is what its names say, told apart from the program's own verification.

Knows: the format (cache/README.md), SHA-256 and the messages. Must not know: the program's
code for any of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

from campaign import ROOT

sys.path.insert(0, str(ROOT))

from rvbuild._reapi import reapi_pb2 as reapi


def contents(top: Path) -> dict[str, object]:
    """What is in a folder: hash and executable bit of files, targets of links, None for folders."""
    top = top.resolve()
    found: dict[str, object] = {"": top.is_dir()}
    for folder, folders, files in os.walk(top):
        for name in (*folders, *files):
            path = Path(folder, name)
            found[str(path.relative_to(top))] = _entry(path)
    return found


def _entry(path: Path) -> object:
    there = path.lstat()
    if stat.S_ISLNK(there.st_mode):
        return str(path.readlink())
    if stat.S_ISDIR(there.st_mode):
        return None
    return [sha256(path.read_bytes()), bool(there.st_mode & 0o100)]


def sha256(data: bytes) -> str:
    """The name of some bytes."""
    return hashlib.sha256(data).hexdigest()


def objects(store: Path) -> dict[str, Path]:
    """Everything that is registered, by its path in the store."""
    found = {}
    for kind in ("cas", "exec", "trees", "ac", "realisations", "accelerated"):
        for path in sorted((store / kind).rglob("*")):
            of_a_tree = kind == "trees" and path.parent.parent != store / kind
            if not of_a_tree and path.is_file():
                found[str(path.relative_to(store))] = path
    return found


def bad_objects(store: Path) -> list[str]:
    """Each registered object that is not what its name says, or that lacks what it names."""
    bad = [str(path) for path in _misnamed(store)]
    for mark in sorted((store / "trees").glob("*/*.tree")):
        bad += [f"{mark}: {problem}" for problem in _tree_problems(store, mark)]
    for above in (store, store / "accelerated"):
        for file in sorted((above / "realisations").glob("*/*")):
            bad += [f"{file}: {problem}" for problem in _result_problems(store, file)]
    return bad


def _misnamed(store: Path) -> list[Path]:
    blobs = [path for kind in ("cas", "exec") for path in sorted((store / kind).glob("*/*"))]
    return [path for path in blobs if path.is_symlink() or sha256(path.read_bytes()) != path.name]


def _has(store: Path, digest: str) -> bool:
    name = digest.partition("/")[0]
    return (store / "cas" / name[:2] / name).is_file()


def _tree_problems(store: Path, mark: Path) -> list[str]:
    """What is wrong with one tree: its mark, its folder, its blobs."""
    tree = reapi.Tree.FromString(mark.read_bytes())
    if sha256(tree.root.SerializeToString(deterministic=True)) != mark.stem:
        return ["the mark is of another tree"]
    folders = {
        sha256(child.SerializeToString(deterministic=True)): child for child in tree.children
    }
    wanted: dict[str, object] = {"": True}
    _lay(tree.root, "", folders, wanted)
    problems = [] if contents(mark.with_suffix("")) == wanted else ["the folder differs"]
    names = [entry[0] for entry in wanted.values() if isinstance(entry, list)]
    return problems + [f"no blob {name}" for name in names if not _has(store, name)]


def _lay(folder: Any, at: str, folders: dict[str, Any], found: dict[str, object]) -> None:  # noqa: ANN401 - a message
    for file in folder.files:
        found[at + file.name] = [file.digest.hash, file.is_executable]
    for link in folder.symlinks:
        found[at + link.name] = link.target
    for child in folder.directories:
        found[at + child.name] = None
        _lay(folders[child.digest.hash], f"{at}{child.name}/", folders, found)


def _result_problems(store: Path, file: Path) -> list[str]:
    """What a realisation names and the store does not have."""
    told = json.loads(file.read_bytes())["body"]
    output = told["outputs"]["out"]["tree"].partition("/")[0]
    derivation = told["derivation"].partition("/")[0]
    problems = [] if derivation == file.name else ["of another derivation"]
    if not _has(store, derivation):
        problems.append("no derivation")
    if not (store / "trees" / output[:2] / f"{output}.tree").is_file():
        problems.append(f"no tree {output}")
    if told.get("log") and not _has(store, told["log"]):
        problems.append("no log")
    return problems
