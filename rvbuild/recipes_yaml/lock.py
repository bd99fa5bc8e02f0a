"""`rvbuild.lock` to a Lock and back: sorted YAML, one fact a line.

Knows: the file's form (docs/format.md). Must not know: recipes, how pins are found.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TypeVar

from attrs import field, frozen

from rvbuild.core.digest import Digest
from rvbuild.core.errors import LockError, RecipeError
from rvbuild.core.lock import GoModuleSet, Lock, LockedSource, PinValue
from rvbuild.core.place import Place
from rvbuild.core.source import (
    LAST_DATE,
    DebianFile,
    DebianPackage,
    GitSource,
    GoModule,
    GoToolchain,
    PathSource,
    Source,
    UrlSource,
    Wheel,
)
from rvbuild.recipes_yaml.document import Items, Mapping, Node, parse
from rvbuild.recipes_yaml.fields import Fields

_Entry = TypeVar("_Entry", PinValue, LockedSource, GoModuleSet)

VERSION = 1
MAX_BYTES = 64 << 20
_HEAD = "# Written by `rvbuild lock`: every source with its content. Change recipes, not this.\n"
_PLAIN = re.compile(r"[A-Za-z0-9/][A-Za-z0-9_./@+~%=,:!*-]*(?<!:)\Z")

# ---- writing


def write_lock(lock: Lock) -> str:
    """The text of a lock; the same lock always gives the same text."""
    return _HEAD + "\n".join(_lines(lock)) + "\n"


def _scalar(text: str) -> str:
    if _PLAIN.match(text):
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character.isprintable() and character not in '"\\':
        return character
    return f"\\U{ord(character):08x}"


def _lines(lock: Lock) -> Iterator[str]:
    yield f"lock: {VERSION}"
    yield "pins:" if lock.pins else "pins: {}"
    for key, pin in sorted(lock.pins.items()):
        yield from _sealed(_pin_lines(key, pin))
    yield "sources:" if lock.sources else "sources: {}"
    for key, source in sorted(lock.sources.items()):
        yield from _sealed(_source_lines(key, source))
    yield "go-modules:" if lock.go_modules else "go-modules: {}"
    for key, modules in sorted(lock.go_modules.items()):
        yield from _sealed(_module_lines(key, modules))


def _sealed(entry: Iterable[str]) -> Iterator[str]:
    """The lines of an entry, and last the check of them all: no fact changes by itself."""
    lines = list(entry)
    yield from lines
    yield f"    check: {_check(lines)}"


def _check(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _pin_lines(key: str, pin: PinValue) -> Iterator[str]:
    yield f"  {_scalar(key)}:"
    facts = {"value": pin.value, "source": pin.source, "file": pin.file}
    yield from (f"    {name}: {_scalar(text)}" for name, text in facts.items())
    yield f"    line: {pin.line}"
    yield f"    spec: {_scalar(pin.spec)}"


def _source_lines(key: str, source: LockedSource) -> Iterator[str]:
    yield f"  {_scalar(key)}:"
    yield f"    spec: {_scalar(source.spec)}"
    yield "    parts:"
    for part in source.parts:
        yield from _part_lines(part)


def _module_lines(key: str, modules: GoModuleSet) -> Iterator[str]:
    yield f"  {_scalar(key)}:"
    yield from _list_lines("specs", modules.specs)
    yield from _list_lines("modules", map(" ".join, modules.modules))
    yield from _list_lines("mods", map(" ".join, modules.mods))


def _list_lines(name: str, texts: Iterable[str]) -> Iterator[str]:
    rows = [f"      - {_scalar(text)}" for text in texts]
    yield f"    {name}:" if rows else f"    {name}: []"
    yield from rows


def _part_lines(part: Source) -> Iterator[str]:
    kind, facts = _facts(part)
    yield f"      - kind: {kind}"
    for name, value in facts.items():
        if isinstance(value, tuple):
            if value:
                yield f"        {name}:"
                yield from (f"          - {_scalar(text)}" for text in value)
        else:
            yield f"        {name}: {_scalar(value)}"


Facts = dict[str, "str | tuple[str, ...]"]


def _facts(part: Source) -> tuple[str, Facts]:  # noqa: PLR0911 - one return a kind
    """The kind of a source and its facts by the lock's names."""
    facts: Facts
    if isinstance(part, UrlSource):
        facts = {"sha256": part.sha256, "urls": part.urls, "strip": str(part.strip)}
        facts["unpack"] = "true" if part.unpack else "false"
        if part.debian:
            facts["debian-source"] = (part.debian.package, part.debian.file)
        return "url", facts
    if isinstance(part, GitSource):
        facts = {"url": part.url, "commit": part.commit, "tree": part.tree}
        return "git", {**facts, "date": str(part.date), "paths": part.paths}
    if isinstance(part, GoModule):
        return "go-module", {"path": part.path, "version": part.version, "h1": part.h1}
    if isinstance(part, GoToolchain):
        facts = {"version": part.version, "platform": part.platform, "h1": part.h1}
        return "go-toolchain", facts
    if isinstance(part, Wheel):
        facts = {"project": part.project, "version": part.version, "file": part.filename}
        return "wheel", {**facts, "sha256": part.sha256}
    if isinstance(part, DebianPackage):
        facts = {"name": part.name, "version": part.version, "architecture": part.architecture}
        return "deb", {**facts, "pool": part.pool, "sha256": part.sha256, "size": str(part.size)}
    if isinstance(part, PathSource):
        return "path", {"path": part.path, "digest": part.digest}
    msg = f"{type(part).__name__} does not stand in a lock"
    raise TypeError(msg)


# ---- reading


def read_lock(data: bytes, file: str, *, mend: bool = False) -> Lock:
    """Read a lock; an empty file, with which a project can begin, has no facts.

    Args:
        data: The file's bytes.
        file: Its name, for messages.
        mend: Leave out entries that were changed, or lost their check, so that they are found
            again; take a lock without any check: an rvbuild wrote it that knew none.

    Raises:
        LockError: with file, line and column.
    """
    if not data.strip():
        return Lock(file=file)
    try:
        top = Fields(parse(data, file, error=LockError, max_bytes=MAX_BYTES), LockError)
    except LockError as error:
        error.hint = None  # nobody writes a lock by hand
        raise
    version = top.number("lock")
    if version != VERSION:
        msg = f"the lock has format {version}; this rvbuild reads {VERSION}"
        raise LockError(msg, where=top.at("lock"), hint="use the rvbuild that wrote it")
    text = data.decode().split("\n")
    entries = _Entries(top, text, mend=mend, checked=_has_checks(top))
    lock = Lock(
        pins=entries.read("pins", _pin, _pin_lines),
        sources=entries.read("sources", _source, _source_lines),
        go_modules=entries.read("go-modules", _modules, _module_lines),
        file=file,
    )
    top.finish()
    return lock


def _has_checks(top: Fields) -> bool:
    """Whether an rvbuild that knows checks wrote the lock."""
    sections = (node for node in top.node.nodes.values() if isinstance(node, Mapping))
    entries = (section.nodes.values() for section in sections)
    return any(isinstance(each, Mapping) and "check" in each.nodes for each in chain(*entries))


@frozen
class _Entries:
    """Reads the entries of a lock, and holds each to its check.

    Attributes:
        top: The document.
        text: Its lines.
        mend: See `read_lock`.
        checked: Whether any entry has a check.
    """

    top: Fields
    text: list[str]
    mend: bool = field(kw_only=True)
    checked: bool = field(kw_only=True)

    def read(
        self,
        section: str,
        read: Callable[[Fields], _Entry],
        written: Callable[[str, _Entry], Iterable[str]],
    ) -> dict[str, _Entry]:
        node = self.top.require(section)
        if not isinstance(node, Mapping):
            msg = f"{section!r} must be a mapping"
            raise LockError(msg, where=node.where)
        entries = {}
        for key, inner in node.nodes.items():
            fields = Fields(inner, LockError)
            entry = read(fields)
            check = fields.maybe("check")
            fields.finish()
            lines = self._lines(node.keys[key], fields.at("check"))
            # written again only if it stands there in other words: that costs ten times as much
            right = check == _check(lines) or check == _check(written(key, entry))
            sound = right or (check is None and not self.checked)
            if not right and not self.mend:
                hint = "finds it again" if self.checked else "adds it"
                raise _changed(key, node.keys[key], check, hint)
            if sound:
                entries[key] = entry
        return entries

    def _lines(self, begin: Place, end: Place) -> list[str]:
        """The lines from an entry's key to before its check."""
        return self.text[begin.line - 1 : end.line - 1]


def _changed(key: str, where: Place | None, check: str | None, hint: str) -> LockError:
    if check is None:
        msg = f"{key} has no 'check': it cannot be told from a changed entry"
    else:
        msg = f"{key} was changed by hand, or by a merge: its 'check' is that of other facts"
    return LockError(msg, where=where, hint=f"`rvbuild lock` {hint}; look at what changes then")


def _pin(fields: Fields) -> PinValue:
    return PinValue(
        value=fields.text("value"),
        spec=fields.text("spec"),
        source=fields.text("source"),
        file=fields.text("file"),
        line=fields.number("line"),
        where=fields.where,
    )


def _source(fields: Fields) -> LockedSource:
    node = fields.require("parts")
    if not isinstance(node, Items) or not node.nodes:
        msg = "'parts' must be a list with at least one source"
        raise LockError(msg, where=node.where)
    parts = tuple(map(_part, node.nodes))
    at = tuple(part.keys for part in node.nodes if isinstance(part, Mapping))
    return LockedSource(spec=fields.text("spec"), parts=parts, where=fields.where, at=at)


def _part(node: Node) -> Source:
    fields = Fields(node, LockError)
    fields.require("kind")
    read = _READERS[fields.choice("kind", _READERS, "")]
    part = read(fields)
    fields.finish()
    return part


def _hex(fields: Fields, key: str) -> str:
    text = fields.text(key)
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", text):
        msg = f"{key!r} must be a digest in lower-case hex"
        raise LockError(msg, where=fields.at(key))
    return text


def _url(fields: Fields) -> UrlSource:
    debian = fields.texts("debian-source")
    if len(debian) not in {0, 2}:
        msg = "'debian-source' must be a package and a file"
        raise LockError(msg, where=fields.at("debian-source"))
    try:
        return UrlSource(
            urls=fields.texts("urls"),
            sha256=_hex(fields, "sha256"),
            strip=fields.number("strip"),
            unpack=fields.flag("unpack"),
            debian=DebianFile(package=debian[0], file=debian[1]) if debian else None,
        )
    except RecipeError as error:  # the URL; the rest is read by its own rules
        raise LockError(error.message, where=fields.at("urls")) from error


def _git(fields: Fields) -> GitSource:
    date = fields.number("date")
    if date > LAST_DATE:
        msg = f"'date' is after the year 9999: {date}"
        raise LockError(msg, where=fields.at("date"))
    return GitSource(
        url=fields.text("url"),
        commit=_hex(fields, "commit"),
        tree=_hex(fields, "tree"),
        date=date,
        paths=fields.texts("paths"),
    )


def _go_module(fields: Fields) -> GoModule:
    return GoModule(path=fields.text("path"), version=fields.text("version"), h1=fields.text("h1"))


def _go_toolchain(fields: Fields) -> GoToolchain:
    return GoToolchain(
        version=fields.text("version"), platform=fields.text("platform"), h1=fields.text("h1")
    )


def _wheel(fields: Fields) -> Wheel:
    return Wheel(
        project=fields.text("project"),
        version=fields.text("version"),
        filename=fields.text("file"),
        sha256=_hex(fields, "sha256"),
    )


def _deb(fields: Fields) -> DebianPackage:
    return DebianPackage(
        name=fields.text("name"),
        version=fields.text("version"),
        architecture=fields.text("architecture"),
        pool=fields.text("pool"),
        sha256=_hex(fields, "sha256"),
        size=fields.number("size"),
    )


def _path(fields: Fields) -> PathSource:
    digest = fields.text("digest")
    try:
        Digest.parse(digest)
    except ValueError as cause:
        msg = f"'digest' must be the digest of a tree: {cause}"
        raise LockError(msg, where=fields.at("digest")) from cause
    return PathSource(path=fields.text("path"), digest=digest)


_READERS: dict[str, Callable[[Fields], Source]] = {
    "url": _url,
    "git": _git,
    "go-module": _go_module,
    "go-toolchain": _go_toolchain,
    "wheel": _wheel,
    "deb": _deb,
    "path": _path,
}


def _modules(fields: Fields) -> GoModuleSet:
    return GoModuleSet(
        specs=fields.texts("specs"),
        modules=_triples(fields, "modules"),
        mods=_triples(fields, "mods"),
        where=fields.where,
    )


def _triples(fields: Fields, key: str) -> tuple[tuple[str, str, str], ...]:
    found = []
    for text in fields.texts(key):
        words = text.split(" ")
        if len(words) != 3:
            msg = f"not 'path version h1:…': {text!r}"
            raise LockError(msg, where=fields.at(key))
        found.append((words[0], words[1], words[2]))
    return tuple(found)
