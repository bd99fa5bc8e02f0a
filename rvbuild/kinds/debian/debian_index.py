"""Debian's package index: which packages a set of names needs.

Knows: Packages files and relations between packages (Debian policy, chapters 5 and 7).
Must not know: where an index comes from, what is in a package.
"""

from __future__ import annotations

import difflib
import re
from collections import deque
from collections.abc import Iterable

from attrs import define, evolve, field, frozen

from rvbuild.core.errors import Malformed, SourceError
from rvbuild.core.snapshot import Snapshot
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.debian.version_order import version_key

_WANTED = {
    *("package", "version", "architecture", "depends", "pre-depends", "provides"),
    *("filename", "sha256", "size"),
}
_POOL = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9+.~_%:-]*/)+[A-Za-z0-9][A-Za-z0-9+.~_%:-]*\.deb\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_SIZE = re.compile(r"[0-9]{1,18}\Z")
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_PACKAGE_LINE = re.compile(rb"^Package:\s*(\S+)", re.MULTILINE)
_PROVIDES_LINE = re.compile(rb"^Provides:(.*)", re.MULTILINE)

Group = tuple[str, ...]
"""Alternatives, any of which satisfies a dependency."""


class Missing(SourceError):
    """An index lacks what was asked for; that of another archive may have it."""


@frozen(kw_only=True)
class Record:
    """What the index says of one package, of what is needed here."""

    package: DebianPackage
    needs: tuple[Group, ...]
    provides: Group


def parse_relations(text: str) -> tuple[Group, ...]:
    """``a (>= 1) | b, c:any`` as groups of names; versions and architectures are dropped."""
    groups = []
    for part in text.split(","):
        names = (_NAME.match(alternative.strip()) for alternative in part.split("|"))
        group = tuple(match[0] for match in names if match)
        if group:
            groups.append(group)
    return tuple(groups)


def _fields(paragraph: bytes) -> dict[str, str]:
    """The fields that are wanted; further lines of a field are not."""
    fields = {}
    for line in paragraph.decode(errors="replace").splitlines():
        name, colon, value = line.partition(":")
        if colon and name.lower() in _WANTED:
            fields[name.lower()] = value.strip()
    return fields


def parse_record(paragraph: bytes, where: str) -> Record:
    """Read one paragraph of a Packages file.

    Raises:
        VerificationError: it lacks a field, or has an impossible one.
    """
    fields = _fields(paragraph)
    pool, sha256, size = (fields.get(name, "") for name in ("filename", "sha256", "size"))
    name = fields.get("package", "")
    sound = _NAME.fullmatch(name) and _POOL.match(pool) and _SHA256.match(sha256)
    if not sound or not _SIZE.match(size) or "/." in pool or not fields.get("version"):
        msg = f"not a sound paragraph of a Packages file (package {name[:80]!r})"
        raise Malformed(msg, where=where)
    package = DebianPackage(
        name=name,
        version=fields["version"],
        architecture=fields.get("architecture", ""),
        pool=pool,
        sha256=sha256,
        size=int(size),
    )
    needs = parse_relations(f"{fields.get('pre-depends', '')},{fields.get('depends', '')}")
    provides = tuple(group[0] for group in parse_relations(fields.get("provides", "")))
    return Record(package=package, needs=needs, provides=provides)


@define
class PackageIndex:
    """One suite's packages, for one architecture. Of several versions the highest counts.

    Paragraphs are read when they are asked for: of sixty thousand a handful is. ``snapshot`` is
    when the index was made, if that is known.
    """

    suite: str
    where: str
    snapshot: Snapshot | None = None
    _paragraphs: dict[str, list[bytes]] = field(factory=dict, init=False)
    _providers: dict[str, list[str]] = field(factory=dict, init=False)

    @classmethod
    def read(
        cls, suite: str, data: bytes, where: str, snapshot: Snapshot | None = None
    ) -> PackageIndex:
        """The index in a Packages file; ``where`` is for messages."""
        index = cls(suite, where, snapshot)
        for paragraph in data.split(b"\n\n"):
            match = _PACKAGE_LINE.search(paragraph)
            if match is None:
                continue
            name = match[1].decode(errors="replace")
            index._paragraphs.setdefault(name, []).append(paragraph)
            for line in _PROVIDES_LINE.findall(paragraph):
                for group in parse_relations(line.decode(errors="replace")):
                    index._providers.setdefault(group[0], []).append(name)
        return index

    def _record(self, name: str) -> Record:
        records = [parse_record(text, self.where) for text in self._paragraphs[name]]
        return max(records, key=lambda record: version_key(record.package.version))

    def closure(
        self, names: Iterable[str], without: Iterable[str] = ()
    ) -> tuple[DebianPackage, ...]:
        """The packages ``names`` and all that they need, sorted by name.

        Depends and Pre-Depends count, Recommends do not. Of alternatives the first that exists
        is taken, unless one is there already; of a virtual package's providers the first by
        name. Versions are not compared: a suite fits itself. A dependency that ``without``
        can satisfy is left out.

        Raises:
            Missing: a package does not exist in the suite.
        """
        pruned, records = frozenset(without), dict[str, Record]()
        waiting = deque((name, "the recipe") for name in dict.fromkeys(names))
        for name, wanted_by in list(waiting):
            records[name] = self._existing(name, wanted_by)
        present = {n for r in records.values() for n in (r.package.name, *r.provides)}
        while waiting:
            name, _ = waiting.popleft()
            for group in records[name].needs:
                if present.isdisjoint(group) and pruned.isdisjoint(group):
                    record = self._choose(group, name)
                    if record.package.name in pruned:
                        continue
                    records[record.package.name] = record
                    present |= {record.package.name, *record.provides}
                    waiting.append((record.package.name, name))
        return tuple(
            evolve(records[name].package, snapshot=self.snapshot) for name in sorted(records)
        )

    def _existing(self, name: str, wanted_by: str) -> Record:
        if name in self._paragraphs:
            return self._record(name)
        msg = f"{self.suite} has no package {name}, which {wanted_by} asks for"
        near = difflib.get_close_matches(name, self._paragraphs, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "check the name and the suite"
        raise Missing(msg, where=f"Debian {self.suite}", hint=hint)

    def _choose(self, group: Group, wanted_by: str) -> Record:
        for name in group:
            if name in self._paragraphs:
                return self._record(name)
            if name in self._providers:
                return self._record(min(self._providers[name]))
        msg = f"{wanted_by} needs {' | '.join(group)}, which {self.suite} does not have"
        hint = f"if it is not needed, add {group[0]} to the recipe's `without`"
        raise Missing(msg, where=f"Debian {self.suite}", hint=hint)
