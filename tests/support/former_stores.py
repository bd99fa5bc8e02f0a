"""Stores as rvbuild made them before they had a version: written here by the format's own words."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from rvbuild.core.canonical import Json
from rvbuild.core.digest import Digest
from rvbuild.core.tree import File, Nested, Symlink, Tree

FOLDERS = ("cas", "exec", "trees", "roots", "locks", "tmp", "realisations", "inputs", "ac", "memo")


def former_key(identity: Json) -> str:
    """The key that a source had."""
    text = json.dumps(
        [1, "fetch", identity], ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )
    return hashlib.sha256(text.encode()).hexdigest()


@frozen
class FormerStore:
    """A store of version 1 in the folder ``root``."""

    root: Path

    @classmethod
    def at(cls, root: Path) -> FormerStore:
        for name in FOLDERS:
            (root / name).mkdir(parents=True)
        (root / "locks/store").touch()
        return cls(root)

    def blob(self, data: bytes, *, executable: bool = False) -> Path:
        name = hashlib.sha256(data).hexdigest()
        place = self.root / ("exec" if executable else "cas") / name[:2] / name
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(data)
            place.chmod(0o555 if executable else 0o444)
            os.utime(place, (315_532_800, 315_532_800))
        if executable and not (self.root / "cas" / name[:2] / name).exists():
            (self.root / "cas" / name[:2]).mkdir(exist_ok=True)
            (self.root / "cas" / name[:2] / name).hardlink_to(place)
        return place

    def tree(self, nested: Mapping[str, object]) -> Digest:
        """Register a tree: a text is a symlink, bytes are a file, (bytes,) an executable one."""
        tree = Tree.of(self._nested(nested))
        place = self.root / "trees" / tree.root.hash[:2] / tree.root.hash
        place.mkdir(parents=True, exist_ok=True)
        for directory in tree.directories.values():
            for node in directory.entries.values():
                assert not isinstance(node, File) or self._path(node).exists()
        self._lay(nested, place)
        place.with_name(f"{place.name}.tree").hardlink_to(self.blob(tree.encode()))
        return tree.root

    def _path(self, file: File) -> Path:
        name = file.digest.hash
        return self.root / ("exec" if file.executable else "cas") / name[:2] / name

    def _nested(self, nested: Mapping[str, object]) -> Nested:
        found: Nested = {}
        for name, value in nested.items():
            if isinstance(value, str):
                found[name] = Symlink(value)
            elif isinstance(value, Mapping):
                found[name] = self._nested(value)
            else:
                data = value[0] if isinstance(value, tuple) else value
                assert isinstance(data, bytes)
                self.blob(data, executable=isinstance(value, tuple))
                found[name] = File(Digest.of(data), isinstance(value, tuple))
        return found

    def _lay(self, nested: Mapping[str, object], place: Path) -> None:
        for name, value in nested.items():
            if isinstance(value, str):
                (place / name).symlink_to(value)
            elif isinstance(value, Mapping):
                (place / name).mkdir()
                self._lay(value, place / name)
            else:
                data = value[0] if isinstance(value, tuple) else value
                assert isinstance(data, bytes)
                (place / name).hardlink_to(self.blob(data, executable=isinstance(value, tuple)))

    def realise(self, key: str, output: Digest) -> Path:
        """Register a source's output under its key; the record."""
        record = {
            "accelerated": False,
            "action": None,
            "derivation": key,
            "log": None,
            "output": str(output),
            "signatures": [],
        }
        place = self.root / "realisations" / key[:2] / key
        place.parent.mkdir(exist_ok=True)
        place.write_text(json.dumps(record, sort_keys=True, separators=(",", ":")))
        place.chmod(0o444)
        return place


def as_former(store: Path) -> None:
    """Let a store be as an earlier rvbuild would have left it, with the sources that it has."""
    former = FormerStore(store)
    found: dict[str, Digest] = {}
    for path in store.glob("realisations/*/*"):
        body = json.loads(path.read_bytes())["body"]
        name = body["derivation"].partition("/")[0]
        derivation = json.loads((store / "cas" / name[:2] / name).read_bytes())
        if derivation["kind"] == "fetch":
            key = former_key(derivation["source"])
            found[key] = Digest.parse(body["outputs"]["out"]["tree"])
    for name in ("realisations", "ac", "accelerated", "failed", "roots", "memo", "views"):
        shutil.rmtree(store / name, ignore_errors=True)
    for name in FOLDERS:
        (store / name).mkdir(exist_ok=True)
    (store / "version").unlink()
    for key, output in found.items():
        former.realise(key, output)
