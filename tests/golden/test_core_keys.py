"""The keys of a fixed set of recipes: a change of one would rebuild everybody's world.

Who means to change them raises ``core.derivation.VERSION`` or says in the change why not, and
runs ``pytest tests/golden --regenerate``.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rvbuild.core.action import Action, Command, Mount, input_root
from rvbuild.core.derivation import Fetch, Step
from rvbuild.core.digest import Digest
from rvbuild.core.former_keys import former_digest
from rvbuild.core.go_source import GoModFiles
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.link import Linker
from rvbuild.core.locked import Locked
from rvbuild.core.platform import Platform
from rvbuild.core.recipe import RESERVED_NAMES
from rvbuild.core.tree import Directory, File, Symlink, Tree
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.lock import read_lock, write_lock

HERE = Path(__file__).parent
TARGETS = tuple(Target("app", arch) for arch in ("riscv64", "arm64", "amd64"))


GO_SUM = b"""\
example.org/Lib v0.1.0 h1:YsZqel3XDDFGYYBjw0TlMebUtZ43mAhEPOlis6vWPFo=
example.org/Lib v0.1.0/go.mod h1:j6Hd3VNgbOuTPFxqEucU7UHhHTeit7xI6R0VtUFx0DM=
example.org/other v0.2.0/go.mod h1:9KTOX6Y0CjWqXbC0ttMab7qmBSNWRg27BTdlfYA/W+I=
"""
"""Version 1 had every line of it in the key of the go.mod files."""


def keys() -> dict[str, str]:
    """The derivation digest of each result, check and input, by label."""
    graph = RecipeGraph(
        TARGETS, RecipeCollection((str(HERE / "recipes"),)).load, "amd64", checks=True
    )
    lock = read_lock((HERE / "rvbuild.lock").read_bytes(), "rvbuild.lock")
    linked = Linker(graph, Locked(lock, graph, "amd64"), "amd64").link(TARGETS, checks=True)
    return {each.label: digest for digest, each in sorted(linked.derivations.items())}


def test_the_sources_keys_of_version_1():
    """``store import`` finds sources by them: they are what they were, for ever."""
    graph = RecipeGraph(
        TARGETS, RecipeCollection((str(HERE / "recipes"),)).load, "amd64", checks=True
    )
    lock = read_lock((HERE / "rvbuild.lock").read_bytes(), "rvbuild.lock")
    linked = Linker(graph, Locked(lock, graph, "amd64"), "amd64").link(TARGETS, checks=True)
    fetches = [each for each in linked.derivations.values() if isinstance(each, Fetch)]
    sources = [
        each.source.with_files({"go.sum": GO_SUM}.get, ".")
        if isinstance(each.source, GoModFiles)
        else each.source
        for each in fetches
    ]
    found = {
        "2 go.mod files" if isinstance(each, GoModFiles) else each.label: former_digest(each)
        for each in sources
    }
    assert found == json.loads((HERE / "former_keys.json").read_text())


def test_every_place_of_rvbuilds_own_is_a_reserved_name():
    """What lies below /in beside inputs cannot be a recipe's name too."""
    graph = RecipeGraph(
        TARGETS, RecipeCollection((str(HERE / "recipes"),)).load, "amd64", checks=True
    )
    lock = read_lock((HERE / "rvbuild.lock").read_bytes(), "rvbuild.lock")
    linked = Linker(graph, Locked(lock, graph, "amd64"), "amd64").link(TARGETS, checks=True)
    steps = (each for each in linked.derivations.values() if isinstance(each, Step))
    places = {given.path for step in steps for given in step.inputs_at}
    below = {path.removeprefix("in/") for path in places if path.startswith("in/")}
    assert below - graph.recipes.keys() == RESERVED_NAMES.keys()


def encodings() -> dict[str, str]:
    """Digests of REAPI messages; another implementation would give the same."""
    file = File(Digest.of(b"x"), executable=True)
    tree = Tree.of({"bin": {"sh": file, "ash": Symlink("sh")}, "empty": {}, "é": file})
    mounts = (
        Mount("", tree.root),
        Mount("in/a", tree.root),
        Mount("build/src/b", tree.root, writable=True),
    )
    toolbox = Directory({"bin": file})
    command = Command(
        arguments=("/bin/sh", "-c", "x"),
        environment={"B": "2", "A": "1"},
        platform=Platform.of("amd64"),
    )
    root = input_root(mounts, toolbox)
    action = Action(command=command, mounts=mounts, input_root=root, timeout=60)
    return {
        "tree root": str(tree.root),
        "tree": str(Digest.of(tree.encode())),
        "input root": str(root.digest),
        "command": str(Digest.of(command.encode())),
        "action": str(action.digest),
    }


def test_keys_are_the_recorded_ones(request: pytest.FixtureRequest):
    path = HERE / "keys.json"
    found = {"derivations": keys(), "messages": encodings()}
    if request.config.getoption("--regenerate"):
        path.write_text(json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    assert found == json.loads(path.read_text())


def test_the_lock_is_written_as_it_was_read():
    """Byte for byte: a lock that nothing changed gives no diff."""
    text = (HERE / "rvbuild.lock").read_text()
    assert write_lock(read_lock(text.encode(), "rvbuild.lock")) == text
