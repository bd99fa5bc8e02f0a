"""Whether a cache's folder is what its records say, told apart from the program's own code.

Knows: the format (docs/caches.md) and SHA-256. Must not know: the program's code for any of it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import select
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import define, field

LOOKS = 3
"""A record that lacks an object so often, one look after another, is wrong; see `problem`."""


def named(record: bytes) -> set[tuple[str, int]]:
    """SHA-256 and size of each object that a record names."""
    said = json.loads(base64.b64decode(json.loads(record)["payload"]))
    statements = said.get("statements", [said])
    packs = [pack for each in statements for pack in _packs(each)]
    more = [said["derivations"]] if "derivations" in said else []
    pairs = (digest.split("/") for digest, _ in [*packs, *more])
    return {(sha256, int(size)) for sha256, size in pairs}


def _packs(statement: dict[str, Any]) -> Iterator[list[Any]]:
    for each in (statement, *statement["checks"]):
        yield from each["outputs"]["out"]["packs"]


def problem(folder: Path, record: Path, *, hashes: bool) -> str:
    """What a record names that is not there; empty if it is, or the record goes meanwhile.

    Who reads a record and then its objects may come after a collection that removed the record, and
    the next one, which removed the objects. Then there is no such record any more, or a push has
    brought all of it again.
    """
    lack = ""
    for _ in range(LOOKS):
        try:
            data = record.read_bytes()
        except FileNotFoundError:
            return ""
        lack = _lack(folder, data, hashes=hashes)
        if not lack:
            return ""
    return f"{record.relative_to(folder)} names {lack}"


def _lack(folder: Path, record: bytes, *, hashes: bool) -> str:
    for sha256, size in named(record):
        path = folder / "objects" / sha256[:2] / sha256
        if not path.exists() or path.stat().st_size != size:
            return f"{sha256}, which is not there"
        if hashes and hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            return f"{sha256}, which is damaged"
    return ""


def problems(folder: Path, *, hashes: bool = True) -> list[str]:
    """All that is wrong."""
    found = [problem(folder, each, hashes=hashes) for each in records(folder)]
    return [each for each in found if each]


def records(folder: Path) -> list[Path]:
    return [path for path in (folder / "records").rglob("*") if path.is_file()]


def age_leases(folder: Path, seconds: float) -> None:
    """Let so many seconds go by for all leases: by the folder's clock and by what they say."""
    for path in (folder / "leases").glob("*"):
        there = path.stat()
        renewed, since, *words = path.read_text().split(" ")
        moments = [str(round(int(word) - seconds)) for word in (renewed, since)]
        path.write_text(" ".join([*moments, *words]))
        os.utime(path, (there.st_atime, there.st_mtime - seconds))


@define
class Watch:
    """A process that looks at all records again and again, until it is asked what it saw."""

    folder: Path
    _pid: int = field(default=0, init=False)
    _stop: int = field(default=-1, init=False)
    _answer: int = field(default=-1, init=False)

    def begin(self) -> None:
        reader, self._stop = os.pipe()
        self._answer, writer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.close(self._stop)
                os.write(writer, json.dumps(self._look(reader)).encode())
            finally:
                os._exit(0)
        os.close(reader)
        os.close(writer)

    def end(self) -> tuple[int, list[str]]:
        """How many records it looked at, and what was wrong."""
        os.close(self._stop)
        with os.fdopen(self._answer, "rb") as file:
            data = file.read()
        os.waitpid(self._pid, 0)
        looks, wrong = json.loads(data)
        return looks, wrong

    def _look(self, stop: int) -> tuple[int, list[str]]:
        looks, wrong = 0, list[str]()
        while not select.select([stop], [], [], 0.001)[0]:
            for record in records(self.folder):
                looks += 1
                if lack := problem(self.folder, record, hashes=False):
                    wrong.append(lack)
        return looks, wrong[:20]
