"""Whether a locked answer can be an answer to what a recipe asks, compared fact by fact.

Knows: what a pin and a set of modules fix about their answers; a source's description says it
itself (`SourceSpec.compare`). Must not know: how a lock is written, what is outside. What no
recipe can know (a tree's name, a hash that nobody pinned) is not compared here: the content that
is fetched must have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from attrs import frozen

from rvbuild.core.go_mod_changes import GoModChanges, UpstreamModule, replacement
from rvbuild.core.gosum import is_go_sum_line
from rvbuild.core.override import Override
from rvbuild.core.recipe import Reading
from rvbuild.core.source import Source
from rvbuild.core.spec import Comparison, SourceSpec


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
    return _first(spec.compare_all(parts)) or _each(spec, parts, arch)


def _each(spec: SourceSpec, parts: Sequence[Source], arch: str) -> Contradiction | None:
    for number, part in enumerate(parts):
        if not isinstance(part, spec.answer):
            return _contradiction("kind", part.kind, spec.answer.kind, number)
        found = _first(spec.compare(part, arch), number)
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


def override_contradiction(
    value: str, upstream: str, instead: Override | None
) -> Contradiction | None:
    """The first fact of a pin's value that the recipe's override of it rules out."""
    wanted = instead.upstream if instead else ""
    rows = [("upstream", upstream, wanted)]
    if instead:
        rows.append(("value", value, instead.value))
    return _first(iter(rows))


def alternatives_contradiction(
    value: str, place: tuple[str, str, int], rungs: Sequence[Rung]
) -> Contradiction | None:
    """The first fact of a value that its recipe rules out, if not every rung must have one.

    The value was read in one of the rungs, each of which is a file.
    """
    fitting = (n for n, rung in enumerate(rungs, 1) if _first(_place(place, rung)) is None)
    return pin_contradiction(value, place, rungs, next(fitting, 1))


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


def modules_contradiction(
    instead: Mapping[str, Override], changes: GoModChanges, upstream: Sequence[UpstreamModule]
) -> Contradiction | None:
    """The first fact of what stands instead of modules that the recipe rules out."""
    lines = {replacement(module, each.value) for module, each in instead.items()}
    said = {line for line in changes.statements if line.startswith("replace ")}
    wanted = sorted(f"{module} {each.upstream}" for module, each in instead.items())
    rows = [
        ("go-mod", tuple(sorted(said)), tuple(sorted(lines))),
        ("upstream", tuple(f"{each.module} {each.version}" for each in upstream), tuple(wanted)),
    ]
    return _first(iter(rows))


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
