"""Whether a locked answer can be an answer to what a recipe asks, compared fact by fact.

Knows: what each kind of question fixes about its answer. Must not know: how a lock is written,
what is outside. What no recipe can know (a tree's name, a hash that nobody pinned) is not
compared here: the content that is fetched must have it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from attrs import frozen

from rvbuild.core.architecture import ARCHITECTURES
from rvbuild.core.gomod import is_go_sum_line, is_h1
from rvbuild.core.recipe import (
    DebianSpec,
    GitSpec,
    GoModuleSpec,
    GoToolchainSpec,
    PathSpec,
    Reading,
    SourceSpec,
    UrlSpec,
    WheelSpec,
)
from rvbuild.core.source import (
    DebianPackage,
    GitSource,
    GoModule,
    GoToolchain,
    PathSource,
    Source,
    UrlSource,
    Wheel,
)
from rvbuild.core.wheel_name import WheelName, normalized


@frozen(kw_only=True)
class Contradiction:
    """A fact of an answer that the question rules out.

    Attributes:
        fact: Its name, as the lock has it.
        locked: What the lock says.
        wanted: What it would have to say.
        part: Of which part, counted from 0; None for all of them together.
    """

    fact: str
    locked: str
    wanted: str
    part: int | None = None


Comparison = tuple[str, object, object]
"""A fact's name, what the lock says, what the recipe asks for."""

SHA256 = 64
"""Hex digits of a SHA-256."""

_WITHOUT = "`without` leaves it out"


# ---- sources


def source_contradiction(
    spec: SourceSpec, parts: Sequence[Source], arch: str
) -> Contradiction | None:
    """The first fact of a source's parts that ``spec`` rules out.

    Args:
        spec: What the recipe asks for, each ``${…}`` replaced.
        parts: The lock's answer.
        arch: The build machine that they are for, by Go's name; empty for any.
    """
    if isinstance(spec, DebianSpec):
        return _debian_set(spec, parts) or _each(spec, parts, arch)
    if len(parts) != 1:
        return _contradiction("parts", len(parts), "one part")
    return _each(spec, parts, arch)


def _each(spec: SourceSpec, parts: Sequence[Source], arch: str) -> Contradiction | None:
    kind, compare = _COMPARED[type(spec)]
    for number, part in enumerate(parts):
        if not isinstance(part, kind):
            return _contradiction("kind", type(part).__name__, kind.__name__, number)
        found = _first(compare(spec, part, arch), number)
        if found is not None:
            return found
    return None


def _first(rows: Iterator[Comparison], part: int | None = None) -> Contradiction | None:
    for fact, locked, wanted in rows:
        if locked != wanted:
            return _contradiction(fact, locked, wanted, part)
    return None


def _contradiction(
    fact: str, locked: object, wanted: object, part: int | None = None
) -> Contradiction:
    return Contradiction(fact=fact, locked=_shown(locked), wanted=_shown(wanted), part=part)


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_shown, value)) or "nothing"
    return "nothing" if value in {None, ""} else str(value)


def _url(spec: UrlSpec, part: UrlSource, _arch: str) -> Iterator[Comparison]:
    debian = (part.debian.package, part.debian.file) if part.debian else None
    yield "urls", part.urls, (spec.url,) if spec.url else ()
    yield "sha256", part.sha256, spec.sha256 or _digest(part.sha256)
    yield "strip", part.strip, spec.strip
    yield "unpack", part.unpack, spec.unpack
    yield "debian-source", debian, spec.debian


def _git(spec: GitSpec, part: GitSource, _arch: str) -> Iterator[Comparison]:
    yield "url", part.url, spec.url
    yield "commit", part.commit, spec.commit
    yield "paths", part.paths, tuple(sorted(spec.paths))
    kind = f"a name of {len(part.commit)} digits, like its commit's"
    yield "tree", part.tree, part.tree if len(part.tree) == len(part.commit) else kind


def _go_module(spec: GoModuleSpec, part: GoModule, _arch: str) -> Iterator[Comparison]:
    yield "path", part.path, spec.path
    yield "version", part.version, spec.version
    yield _h1(part.h1)


def _go_toolchain(spec: GoToolchainSpec, part: GoToolchain, arch: str) -> Iterator[Comparison]:
    yield "version", part.version, spec.version
    yield "platform", part.platform, f"linux-{arch}"
    yield _h1(part.h1)


def _wheel(spec: WheelSpec, part: Wheel, arch: str) -> Iterator[Comparison]:
    yield "project", part.project, normalized(spec.project)
    yield "version", part.version, spec.version
    name = WheelName.parse(part.filename)
    fits = name is not None and name.is_of(spec.project, spec.version) and name.platform_rank(arch)
    wanted = f"a wheel of {spec.project} {spec.version} for Linux on {arch}"
    yield "file", part.filename, part.filename if fits else wanted
    yield "sha256", part.sha256, _digest(part.sha256)


def _debian_set(spec: DebianSpec, parts: Sequence[Source]) -> Contradiction | None:
    """The asked packages are all there, the unwanted are not, and none is there twice."""
    names = [part.name for part in parts if isinstance(part, DebianPackage)]
    lacking = {*spec.packages} - {*names}
    if lacking:
        return _contradiction("parts", f"no package {min(lacking)}", f"the package {min(lacking)}")
    unwanted = ({*names} & {*spec.without}) - {*spec.packages}
    if unwanted:
        return _contradiction("parts", f"the package {min(unwanted)}", f"none ({_WITHOUT})")
    if names != sorted({*names}):
        return _contradiction("parts", ", ".join(names), "each package once, sorted by name")
    return None


def _deb(spec: DebianSpec, part: DebianPackage, arch: str) -> Iterator[Comparison]:
    own, wanted = part.architecture, spec.architecture or arch
    if wanted in ARCHITECTURES:  # a lock may be for a machine that a newer rvbuild knows
        wanted = ARCHITECTURES[wanted].debian
    yield "architecture", own, own if own in {"all", wanted} else wanted
    yield "pool", part.pool, _pool(part)
    yield "sha256", part.sha256, _digest(part.sha256)


def _pool(part: DebianPackage) -> str:
    """The path in the pool, whose file is called NAME_VERSION_ARCHITECTURE.deb as in Debian."""
    folder, slash, file = part.pool.rpartition("/")
    plain = part.version.partition(":")[2] or part.version
    spelled = (plain, part.version, part.version.replace(":", "%3a"))
    names = [f"{part.name}_{version}_{part.architecture}.deb" for version in spelled]
    otherwise = file.count("_") != 2  # an archive that calls its files as it likes
    return part.pool if otherwise or file in names else f"{folder}{slash}{names[0]}"


def _path(spec: PathSpec, part: PathSource, _arch: str) -> Iterator[Comparison]:
    """The lock has the folder's whole path; the recipe says how it ends."""
    tail: list[str] = []
    for name in spec.path.split("/"):
        tail = tail[:-1] if name == ".." else [*tail, *([name] if name not in {"", "."} else [])]
    end = "/".join(["", *tail])
    wanted = part.path if f"/{part.path}".endswith(end) else f"…{end}"
    yield "path", part.path, wanted


def _digest(sha256: str) -> str:
    return sha256 if len(sha256) == SHA256 else f"a SHA-256 of {SHA256} digits"


def _h1(h1: str) -> Comparison:
    return "h1", h1, h1 if is_h1(h1) else "h1: and a SHA-256 in base64"


_COMPARED: Mapping[type, tuple[type, Callable[[Any, Any, str], Iterator[Comparison]]]] = {
    UrlSpec: (UrlSource, _url),
    GitSpec: (GitSource, _git),
    GoModuleSpec: (GoModule, _go_module),
    GoToolchainSpec: (GoToolchain, _go_toolchain),
    WheelSpec: (Wheel, _wheel),
    DebianSpec: (DebianPackage, _deb),
    PathSpec: (PathSource, _path),
}


# ---- pins


@frozen(kw_only=True)
class Rung:
    """A place that a pin is read from.

    Attributes:
        reading: How.
        owner: The recipe whose source it is in; a literal's own.
        value: What it gives, if that is known without the source's files.
    """

    reading: Reading
    owner: str
    value: str | None = None


def pin_contradiction(
    value: str, place: tuple[str, str, int], rungs: Sequence[Rung], prefer: int | None
) -> Contradiction | None:
    """The first fact of a pin's value that its recipe rules out.

    Args:
        value: What the lock says.
        place: Where it was read, by the lock: recipe, file and line.
        rungs: What the recipe reads it from.
        prefer: The rung (from 1) that decides; None if all agree.
    """
    first = rungs[(prefer or 1) - 1]
    rows = [*_place(place, first)]
    for rung in (first,) if prefer else rungs:
        rows.append(("value", value, rung.value if rung.value is not None else value))
        begins = value.startswith(rung.reading.prefix)
        rows.append(("value", value, value if begins else f"{rung.reading.prefix}…"))
    return _first(iter(rows))


def _place(place: tuple[str, str, int], rung: Rung) -> Iterator[Comparison]:
    source, file, line = place
    yield "source", source, rung.owner
    if rung.value is not None:  # it has no line of a file
        yield "file", file, ""
        yield "line", line, 0
        return
    yield "file", file, rung.reading.file
    wanted = rung.reading.argument if rung.reading.reader == "line" else str(max(line, 1))
    yield "line", str(line), wanted


# ---- sets of Go modules

Triples = tuple[tuple[str, str, str], ...]
_SHA256_HEX = re.compile(r"[0-9a-f]{64}")


def set_contradiction(modules: Triples, go_sum: str) -> Contradiction | None:
    """The first fact of a set of Go modules that no go.sum can have said."""
    if not _SHA256_HEX.fullmatch(go_sum):
        return _contradiction("go-sum", go_sum, "the SHA-256 of the source's go.sum")
    if any(one[:2] >= other[:2] for one, other in pairwise(modules)):
        return _contradiction("modules", "another order", "each module once, sorted")
    for triple in modules:
        if not is_go_sum_line(*triple):
            return _contradiction("modules", " ".join(triple), "PATH VERSION h1:HASH")
    return None
