"""What a lock says of one thing in several entries: it cannot have two contents.

Knows: which things have one content wherever they are named. Must not know: recipes.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve, frozen

from rvbuild.core.errors import LockError
from rvbuild.core.lock import Lock
from rvbuild.core.source import DebianPackage, GitSource, GoModule, GoToolchain, Source, Wheel


@frozen
class Said:
    """One entry's word on one thing."""

    thing: str
    content: str
    key: str
    where: str


def refuse_two_contents(lock: Lock) -> None:
    """See that entries of a lock agree with each other.

    Raises:
        LockError: two entries have one thing with different contents.
    """
    for first, second in two_contents(lock):
        msg = f"{lock.file} has {second.thing} with two contents"
        details = tuple(f"{said.where or said.key}: {said.content}" for said in (first, second))
        hint = "run `rvbuild lock`, which asks for both again"
        raise LockError(msg, where=second.where or lock.file, hint=hint, details=details)


def in_agreement(lock: Lock) -> Lock:
    """The lock without the entries that contradict each other."""
    wrong = {said.key for pair in two_contents(lock) for said in pair}
    return evolve(
        lock,
        sources={key: held for key, held in lock.sources.items() if key not in wrong},
        go_modules={key: held for key, held in lock.go_modules.items() if key not in wrong},
    )


def two_contents(lock: Lock) -> Iterator[tuple[Said, Said]]:
    """Entries that contradict each other, the later beside the first."""
    known: dict[str, Said] = {}
    for said in _all(lock):
        first = known.setdefault(said.thing, said)
        if first.content != said.content:
            yield first, said


def _all(lock: Lock) -> Iterator[Said]:
    for key, source in lock.sources.items():
        for number, part in enumerate(source.parts):
            named = _named(part)
            if named is not None:
                where = source.place(number, "kind")
                yield Said(*named, key, where)
    for key, held in lock.go_modules.items():
        for path, version, h1 in held.modules:
            yield Said(f"the Go module {path} {version}", h1, key, held.where)
        for path, version, h1 in held.mods:
            yield Said(f"the go.mod of {path} {version}", h1, key, held.where)


def _named(part: Source) -> tuple[str, str] | None:
    """A thing that is the same wherever it is named, and its content."""
    if isinstance(part, GoModule):
        return f"the Go module {part.path} {part.version}", part.h1
    if isinstance(part, GoToolchain):
        return f"the Go toolchain {part.version} for {part.platform}", part.h1
    if isinstance(part, DebianPackage):
        return f"the package {part.label}", f"{part.sha256}, {part.size} bytes"
    if isinstance(part, Wheel):
        return f"the wheel {part.filename}", part.sha256
    if isinstance(part, GitSource):
        return f"the commit {part.commit}", f"tree {part.tree} of {part.date}"
    return None
