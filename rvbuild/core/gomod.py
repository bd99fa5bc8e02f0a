"""go.mod and go.work files, and what a module and its version may be called.

Knows: https://go.dev/ref/mod (go.mod files, the module cache). Must not know: where files come
from, go.sum (`rvbuild.core.gosum`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NoReturn

from attrs import field, frozen

from rvbuild.core.errors import LockError, Where
from rvbuild.core.place import Place

_TOKEN = re.compile(
    r"""[ \t\r]*(?: (?P<comment>//.*)
                  | (?P<quoted>"(?:[^"\\]|\\["\\])*" | `[^`]*`)
                  | (?P<mark>=> | [(),\[\]])
                  | (?P<word>(?:(?!//|/\*)[^\s"`(),\[\]])+) )""",
    re.VERBOSE,
)
_ELEMENT = re.compile(r"[-_~A-Za-z0-9](?:[-._~A-Za-z0-9]*[-_~A-Za-z0-9])?")
_VERSION = re.compile(
    r"v(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2}(?:-[-.0-9A-Za-z]*[-0-9A-Za-z])?(?:\+incompatible)?"
)
MODULE = f"{_ELEMENT.pattern}(?:/{_ELEMENT.pattern})* {_VERSION.pattern}"
"""The regular expression of a module's path and version, with a blank between them."""

GO_WORK = "go.work"
FOLDER_MARKS = ("./", "../", "/")
"""How the folder begins that a replacement leads to."""

_GO_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})")


@frozen(kw_only=True)
class Requirement:
    """One line of ``require``."""

    path: str
    version: str
    line: int


@frozen(kw_only=True)
class Replacement:
    """One line of ``replace``; ``old_version`` is empty where it replaces every version."""

    old: str
    old_version: str
    new: str
    new_version: str
    line: int

    @property
    def is_local(self) -> bool:
        """Whether it leads to a folder instead of a module."""
        return not self.new_version


@frozen(kw_only=True)
class Effective:
    """What is built for a module: path, version, and the line of go.mod that says so."""

    path: str
    version: str
    line: int


@frozen(kw_only=True)
class GoMod:
    """A parsed go.mod."""

    file: str = field(eq=False)
    module: str
    requirements: tuple[Requirement, ...]
    replacements: tuple[Replacement, ...]
    exclusions: frozenset[tuple[str, str]] = frozenset()

    def replacement(self, path: str, version: str) -> Replacement | None:
        """What replaces a version of a module: one of that version goes before one of all."""
        fitting = {r.old_version: r for r in self.replacements if r.old == path}
        return fitting.get(version) or fitting.get("")

    def effective(self, module: str) -> Effective | None:
        """What stands for ``module``, after ``replace``.

        Args:
            module: A path as it is required, or as it replaces another one.

        Returns:
            None if go.mod does not name it.

        Raises:
            LockError: it is replaced by a folder, or there is more than one answer.
        """
        required = [r for r in self.requirements if r.path == module]
        found = [self._replaced(r) for r in required]
        if not found:
            found = [self._resolved(r) for r in self._replacing(module)]
        return self._only(module, found)

    def _replaced(self, required: Requirement) -> Effective:
        replacement = self.replacement(required.path, required.version)
        if replacement is None:
            return Effective(path=required.path, version=required.version, line=required.line)
        return self._resolved(replacement)

    def _replacing(self, module: str) -> list[Replacement]:
        """Replacements by, or else (without a requirement) of ``module``.

        One of a version that nobody requires has no effect.
        """
        versions = {r.path: r.version for r in self.requirements}
        active = [
            r
            for r in self.replacements
            if not r.old_version or versions.get(r.old) == r.old_version
        ]
        by = [r for r in active if r.new == module and not r.is_local]
        return by or [r for r in active if r.old == module]

    def _resolved(self, replacement: Replacement) -> Effective:
        if replacement.is_local:
            msg = f"{replacement.old} is replaced by the folder {replacement.new!r}: no version"
            where = Place(self.file, replacement.line)
            raise LockError(msg, where=where, hint="pin it by hand, or by another file")
        return Effective(
            path=replacement.new, version=replacement.new_version, line=replacement.line
        )

    def _only(self, module: str, found: list[Effective]) -> Effective | None:
        if len({(each.path, each.version) for each in found}) > 1:
            msg = f"more than one version of {module}"
            places = (f"{Place(self.file, e.line)}: {e.path} {e.version}" for e in found)
            raise LockError(msg, where=Place(self.file, found[0].line), details=tuple(places))
        return found[0] if found else None


def parse_go_mod(text: str, file: str = "go.mod") -> GoMod:
    """Parse a go.mod file; directives that say nothing about versions are skipped.

    Args:
        text: The file.
        file: Its name, for messages.

    Raises:
        LockError: it is not valid; ``where`` is ``file:line``.
    """
    single: dict[str, str] = {}
    requirements: list[Requirement] = []
    replacements: list[Replacement] = []
    exclusions: set[tuple[str, str]] = set()
    for statement in statements(text, file):
        if statement.verb == "require":
            requirements.append(_requirement(statement))
        elif statement.verb == "exclude":
            excluded = _requirement(statement)
            exclusions.add((excluded.path, excluded.version))
        elif statement.verb == "replace":
            replacements.append(_replacement(statement))
        elif statement.verb in {"module", "go", "toolchain"}:
            if statement.verb in single:
                statement.refuse(f"a second {statement.verb!r}")
            single[statement.verb] = statement.one()
    return GoMod(
        file=file,
        module=single.get("module", ""),
        requirements=tuple(requirements),
        replacements=tuple(replacements),
        exclusions=frozenset(exclusions),
    )


def used_folders(text: str, file: str = "go.work") -> tuple[str, ...]:
    """The folders that a go.work uses, as it says them; all else is as in a go.mod.

    Raises:
        LockError: it is not valid; ``where`` is ``file:line``.
    """
    return tuple(each.one() for each in statements(text, file) if each.verb == "use")


def declared_module(data: bytes) -> str:
    """The path that a go.mod declares; empty if it declares none that can be read."""
    try:
        for statement in statements(data.decode(errors="replace"), "go.mod"):
            if statement.verb == "module" and len(statement.words) == 1:
                return statement.words[0]
    except LockError:
        return ""
    return ""


def is_pruned(data: bytes) -> bool:
    """Whether a go.mod requires all that its module needs, so that no graph goes beyond that.

    The go command writes it so from ``go 1.17`` on.
    """
    try:
        for statement in statements(data.decode(errors="replace"), "go.mod"):
            if statement.verb == "go" and len(statement.words) == 1:
                version = _GO_VERSION.match(statement.words[0])
                return version is not None and (int(version[1]), int(version[2])) >= (1, 17)
    except LockError:
        return False
    return False


def required_by(data: bytes) -> Iterator[tuple[str, str]]:
    """The path and version of each requirement of a dependency's go.mod.

    As for the go command, nothing else in it counts. A line that cannot be read says nothing, and
    neither does what follows it: the go command reports it if it needs that file.
    """
    try:
        for statement in statements(data.decode(errors="replace"), "go.mod"):
            if statement.verb == "require" and len(statement.words) == 2:
                yield statement.words[0], statement.words[1]
    except LockError:
        return


def retracted_by(data: bytes) -> Iterator[tuple[str, str]]:
    """The lowest and the highest version of each range that a module's own go.mod takes back.

    A line that cannot be read says nothing, and neither does what follows it.
    """
    try:
        for statement in statements(data.decode(errors="replace"), "go.mod"):
            words = [word for word in statement.words if word not in {"[", ",", "]"}]
            if statement.verb == "retract" and 1 <= len(words) <= 2:
                yield words[0], words[-1]
    except LockError:
        return


@frozen(kw_only=True)
class GoStatement:
    """A statement, outside of any block: its verb, what follows it, and its line."""

    verb: str
    words: tuple[str, ...]
    file: str
    line: int

    def refuse(self, message: str) -> NoReturn:
        raise LockError(message, where=Place(self.file, self.line))

    def one(self) -> str:
        if len(self.words) != 1:
            self.refuse(f"{self.verb!r} takes one word, not {len(self.words)}")
        return self.words[0]


def statements(text: str, file: str) -> Iterator[GoStatement]:
    """Each statement with its verb, blocks dissolved.

    Raises:
        LockError: the text is none of a go.mod; ``where`` is ``file:line``.
    """
    block = ""
    opened = 0
    for number, line in enumerate(text.split("\n"), 1):
        words = _words(line, Place(file, number))
        if not words:
            continue
        if block:
            if words == [")"]:
                block = ""
                continue
            verb = block
        else:
            verb, *words = words
            if words == ["("]:
                block, opened = verb, number
                continue
            if words == ["(", ")"]:
                continue
        yield GoStatement(verb=verb, words=tuple(words), file=file, line=number)
    if block:
        msg = f"the block of {block!r} is not closed"
        raise LockError(msg, where=Place(file, opened))


def _words(line: str, where: Where | None) -> list[str]:
    """The tokens of a line, unquoted, without a comment."""
    words: list[str] = []
    at, end = 0, len(line.rstrip())
    while at < end:
        token = _TOKEN.match(line, at, end)
        if token is None:
            msg = f"cannot be read from here on: {line[at:end].strip()[:80]!r}"
            raise LockError(msg, where=where)
        at = token.end()
        kind, value = token.lastgroup, token.group(token.lastgroup or 0)
        if kind == "comment":
            break
        if kind == "quoted":
            value = value[1:-1] if value[0] == "`" else re.sub(r"\\(.)", r"\1", value[1:-1])
        words.append(value)
    return words


def _requirement(statement: GoStatement) -> Requirement:
    if len(statement.words) != 2:
        statement.refuse(f"{statement.verb!r} takes a module path and a version")
    path, version = statement.words
    _check_version(statement, version)
    return Requirement(
        path=path,
        version=version,
        line=statement.line,
    )


def _replacement(statement: GoStatement) -> Replacement:
    words = list(statement.words)
    arrow = words.index("=>") if "=>" in words else 0
    old, new = words[:arrow], words[arrow + 1 :]
    if not 1 <= len(old) <= 2 or not 1 <= len(new) <= 2:
        statement.refuse("a replacement is: MODULE [VERSION] => MODULE VERSION, or => FOLDER")
    if len(new) == 1 and not new[0].startswith(FOLDER_MARKS) and new[0] not in {".", ".."}:
        statement.refuse(f"{new[0]!r} is a replacement without a version, and no folder")
    for version in (*old[1:], *new[1:]):
        _check_version(statement, version)
    return Replacement(
        old=old[0],
        old_version=old[1] if len(old) == 2 else "",
        new=new[0],
        new_version=new[1] if len(new) == 2 else "",
        line=statement.line,
    )


def _check_version(statement: GoStatement, version: str) -> None:
    if not is_module_version(version):
        statement.refuse(f"{version!r} is not a version as v1.2.3")


def check_module(path: str, version: str, where: Where | None) -> None:
    """See that a module's path and version can be part of a URL and a file name.

    Raises:
        LockError: they cannot.
    """
    if not is_module_path(path):
        msg = f"{path[:200]!r} is not a module path"
        raise LockError(msg, where=where)
    if not is_module_version(version):
        msg = f"{version[:80]!r} is not a version as v1.2.3"
        raise LockError(msg, where=where)


def is_module_path(text: str) -> bool:
    """Whether a module can be called so."""
    return all(_ELEMENT.fullmatch(part) for part in text.split("/"))


def is_module_version(text: str) -> bool:
    """Whether it is a version in canonical form, pseudo-versions and ``+incompatible`` too."""
    return _VERSION.fullmatch(text) is not None


def escape_path(path: str) -> str:
    """A module path (or version) as URLs and the module cache spell it: ``A`` is ``!a``."""
    return re.sub("[A-Z]", lambda capital: "!" + capital[0].lower(), path)
