"""What a main module has instead of, and beside, what its go.mod and go.sum say.

Knows: the statements of a go.mod of which one takes another's place. Must not know: who decides,
where files are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Self

from attrs import frozen

from rvbuild.core.gomod import GoStatement, statements
from rvbuild.core.semver import SemanticVersion

_Key = tuple[str, ...]


@frozen(kw_only=True)
class GoModChanges:
    """Changes of one main module's files.

    Attributes:
        statements: Of go.mod, sorted: ``replace golang.org/x/net => golang.org/x/net v0.38.0``,
            ``require golang.org/x/sys v0.31.0``, ``go 1.23.0``.
        sums: Lines of go.sum that the source's does not have, sorted.
        offered: Lines that go.sum has not either: of modules that the go command may look into
            while it says which it needs. A lock has none.
    """

    statements: tuple[str, ...] = ()
    sums: tuple[str, ...] = ()
    offered: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.statements)

    @property
    def replaced(self) -> frozenset[str]:
        """The modules that another one stands for."""
        return frozenset(
            each.words[0] for each in _parsed(self.statements) if each.verb == "replace"
        )

    def go_mod(self, text: str) -> str:
        """A go.mod with the statements, and without those whose place they take.

        A requirement takes that of its path, a replacement every one of its path, the version of
        Go also the toolchain's.
        """
        own = {key for each in _parsed(self.statements) for key in _taken(each)}
        gone = {each.line for each in statements(text, "go.mod") if own.intersection(_keys(each))}
        lines = [line for n, line in enumerate(text.split("\n"), 1) if n not in gone]
        return "\n".join([*lines, *self.statements, ""])

    def go_sum(self, data: bytes) -> bytes:
        """A go.sum with the lines."""
        return b"\n".join([data, *(line.encode() for line in self.sums), b""])


@frozen(kw_only=True)
class UpstreamModule:
    """What a go.mod says of a module that another stands for.

    Attributes:
        module: Its path, as it is imported.
        version: Its version; path and version, if go.mod replaces it by another.
        file: The go.mod.
        line: The line that says so.
    """

    module: str
    version: str
    file: str
    line: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str`` gave; anything else gives another text."""
        module, _, rest = text.partition(" ")
        version, _, place = rest.rpartition(" ")
        file, _, line = place.rpartition(":")
        return cls(
            module=module, version=version, file=file, line=int(line) if line.isdecimal() else 0
        )

    def __str__(self) -> str:
        return f"{self.module} {self.version} {self.file}:{self.line}"


UNCHANGED = GoModChanges()


def sum_name(line: str) -> str:
    """What a line of go.sum is about: ``golang.org/x/net v0.38.0/go.mod``, without the hash."""
    return line.rpartition(" ")[0]


def replacement(module: str, by: str) -> str:
    """The statement that lets a version, or a path and a version, stand instead of a module."""
    path, _, version = by.rpartition(" ")
    return f"replace {module} => {path or module} {version}"


def _parsed(lines: Iterable[str]) -> Iterator[GoStatement]:
    return statements("\n".join(lines), "go.mod")


def _keys(statement: GoStatement) -> Iterator[_Key]:
    """By what others know that a statement is about the same."""
    if statement.verb in {"require", "replace"}:
        yield statement.verb, statement.words[0]
    elif statement.verb in {"go", "toolchain"}:
        yield (statement.verb,)


def _taken(statement: GoStatement) -> Iterator[_Key]:
    """What a statement takes the place of."""
    yield from _keys(statement)
    if statement.verb == "go":
        yield ("toolchain",)


def changed_statements(old: str, new: str) -> tuple[str, ...]:
    """What a go.mod says otherwise than another, sorted; that it says less is no matter."""
    former, now = _meanings(old), _meanings(new)
    changed = {key: lines - former.get(key, set()) for key, lines in now.items()}
    if changed.get(("go",)):
        changed[("toolchain",)] = now.get(("toolchain",), set())
    return tuple(sorted(line for lines in changed.values() for line in lines))


def _meanings(text: str) -> Mapping[_Key, set[str]]:
    """Each statement in one form, by what it is about; a module may have several replacements."""
    meanings: dict[_Key, set[str]] = {}
    for each in statements(text, "go.mod"):
        for key in _keys(each):
            meanings.setdefault(key, set()).add(" ".join((each.verb, *each.words)))
    return meanings


def changed_sums(old: bytes, new: bytes) -> tuple[str, ...]:
    """The lines that a go.sum has beyond another, sorted."""
    had = {*_lines(old)}
    return tuple(sorted({line for line in _lines(new) if line not in had}))


def united(several: Iterable[GoModChanges]) -> GoModChanges:
    """What all of some runs of the go command made: of two versions the higher, and every sum."""
    chosen: dict[_Key, str] = {}
    sums: set[str] = set()
    for changes in several:
        sums.update(changes.sums)
        for each in _parsed(changes.statements):
            line, key = " ".join((each.verb, *each.words)), (each.verb, *each.words[:-1])
            chosen[key] = max(chosen.get(key, line), line, key=_rank)
    return GoModChanges(statements=tuple(sorted(chosen.values())), sums=tuple(sorted(sums)))


def _rank(line: str) -> SemanticVersion:
    return SemanticVersion.parse(line.rpartition(" ")[2])


def _lines(data: bytes) -> Iterable[str]:
    lines = (" ".join(line.split()) for line in data.decode(errors="replace").split("\n"))
    return (line for line in lines if line)
