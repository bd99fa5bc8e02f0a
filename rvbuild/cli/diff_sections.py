"""A difference as sections of a change log, for text and for Markdown.

Knows: words, and the order of sections. Must not know: how a section is drawn, how sides are
compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from attrs import frozen

from rvbuild.app.diff import DiffView
from rvbuild.cli.cause_text import change_text, followers_text, labels
from rvbuild.cli.outdated_text import day_text
from rvbuild.core.component import ComponentChange, Move
from rvbuild.core.derivation import Derivation, Merge
from rvbuild.core.derivation_diff import Cause
from rvbuild.core.derivation_facts import Aspect
from rvbuild.core.graph import target_form
from rvbuild.core.lock_diff import (
    ModuleChange,
    PinChange,
    PinOrigin,
    PinOverride,
    SetChange,
    SourceChange,
    ValueChange,
)
from rvbuild.core.rebuild import Rebuild
from rvbuild.core.upstream_log import UpstreamCommit, UpstreamLog

_KINDS = {"go-module": "Go modules", "crates": "Crates", "debian": "Debian packages"}
_MARKS = {Move.ADDED: "+", Move.REMOVED: "-"}
_COMPARED = ("version", "tag", "commit", "paths", "urls", "url")
"""The facts of a source that people compare; of others only one is shown."""
DECISIONS = "Go modules instead of upstream's"
_SHORT, _MOST_CAUSES, _MOST_CHANGES = 12, 20, 3


@frozen
class DiffLine:
    """One change.

    Attributes:
        subject: What changed.
        old: What it was; empty if it was not there, or there is nothing to compare.
        new: What it is.
        note: Where that comes from, or what it means.
        mark: ``+`` for what came, ``-`` for what went.
        reason: Why a person decided so.
    """

    subject: str
    old: str = ""
    new: str = ""
    note: str = ""
    mark: str = ""
    reason: str = ""


@frozen
class DiffSection:
    """A heading and its lines; a long list has all of them, and may be folded."""

    title: str
    lines: tuple[DiffLine, ...]
    is_long: bool = False


def sections_of(view: DiffView) -> tuple[DiffSection, ...]:
    """The sections in their order; those without a line are left out."""
    pins = view.lock.pins
    sections = (
        DiffSection("Versions", tuple(pin_line(pin) for pin in pins if _is_version(pin))),
        DiffSection("Recipes", tuple(_recipe_lines(view))),
        DiffSection("Other values", tuple(pin_line(pin) for pin in pins if not _is_version(pin))),
        DiffSection("Sources", tuple(map(source_line, view.lock.sources))),
        *_component_sections(view),
        *map(_log_section, view.logs or ()),
        DiffSection("Built again", tuple(_target_lines(view))),
        DiffSection("The same", tuple(map(DiffLine, view.same))),
        DiffSection("Because of", tuple(_cause_lines(view.rebuild))),
        DiffSection("Not known", tuple(_unlinked_lines(view.rebuild))),
    )
    return tuple(section for section in sections if section.lines)


# ---- recipes


def _is_version(change: PinChange) -> bool:
    return change.pin.name == "version"


def pin_line(change: PinChange) -> DiffLine:
    """What became of a value, where that stands, and why a person decided otherwise."""
    return _value_line(change.pin.recipe if _is_version(change) else str(change.pin), change)


def module_line(change: ModuleChange) -> DiffLine:
    """The same of a Go module that has, or had, another version instead of go.mod's."""
    return _value_line(f"{change.name} {change.module}", change)


def _value_line(name: str, change: ValueChange) -> DiffLine:
    old, new = (
        _value_text(text, override)
        for text, override in (
            (change.old, change.old_override),
            (change.new, change.override),
        )
    )
    gone = change.new is None
    return DiffLine(
        name,
        old,
        new,
        origin_text(change.old_origin if gone else change.origin),
        mark="+" if not old else "-" if not new else "",
        reason=_reason_text(change),
    )


def _value_text(text: str | None, override: PinOverride | None) -> str:
    return f"{text} instead of {override.upstream}" if override else text or ""


def _reason_text(change: ValueChange) -> str:
    """Why a person decides so, or does not any more."""
    override = change.old_override if change.new is None else change.override
    if override:
        return override.instead.explanation
    former = change.old_override
    return f"no longer because {former.instead.reason}" if former else ""


def origin_text(origin: PinOrigin | None) -> str:
    """Where a value stands; a fact of a commit stands in no file."""
    if origin is None:
        return ""
    place = f"{origin.file}:{origin.line} of " if origin.file else ""
    return f"{place}{origin.source} {origin.revision}".strip()


def _recipe_lines(view: DiffView) -> Iterator[DiffLine]:
    yield from (DiffLine(name, mark="+") for name in view.recipes.added)
    yield from (DiffLine(name, mark="-") for name in view.recipes.removed)
    for each in view.recipes.licences:
        yield DiffLine(each.recipe, each.old or "none", each.new or "none", "the licence")


# ---- sources and what they are made of


def source_line(change: SourceChange) -> DiffLine:
    """What became of a source that is one thing."""
    shown = [fact for fact in change.facts if fact.name in _COMPARED] or change.facts[-1:]
    shown = sorted(
        shown, key=lambda fact: _COMPARED.index(fact.name) if fact.name in _COMPARED else 0
    )
    old = ", ".join(_short(fact.name, fact.old) for fact in shown if fact.old)
    new = ", ".join(_short(fact.name, fact.new) for fact in shown if fact.new)
    same = "the same content" if change.is_same_content else ""
    mark = _MARKS.get(change.move, "")
    return DiffLine(f"{change.source} ({change.kind})", old, new, same, mark)


def _short(name: str, text: str) -> str:
    return text if name in _COMPARED and name != "commit" else text.removeprefix("h1:")[:_SHORT]


def _component_sections(view: DiffView) -> Iterator[DiffSection]:
    """What things of each kind became, and how much of each set."""
    for kind, changes in groupby(view.lock.overall, key=lambda each: each.kind):
        name = _KINDS.get(kind, kind)
        lines = tuple(map(component_line, changes))
        yield DiffSection(name, lines, is_long=True)
    yield DiffSection(
        "Replaced modules",
        tuple(DiffLine(each.module, each.old, each.new, str(each.name)) for each in view.replaced),
    )
    yield DiffSection(DECISIONS, tuple(map(module_line, view.lock.modules)))
    sets = tuple(map(set_line, view.lock.sets))
    yield DiffSection("By set", sets)


def component_line(change: ComponentChange) -> DiffLine:
    """What became of a thing of which there are many."""
    note = "replaced" if change.move is Move.REPLACED else ""
    note = "down" if change.move is Move.DOWN else note
    old, new = ", ".join(change.old), ", ".join(change.new)
    return DiffLine(change.name, old, new, note, _MARKS.get(change.move, ""))


def set_line(change: SetChange) -> DiffLine:
    """How much of a set changed."""
    counts = Counter(each.move for each in change.changes)
    note = ", ".join(f"{counts[move]} {move.value}" for move in Move if counts[move])
    return DiffLine(str(change.name), str(change.old), str(change.new), note)


def _log_section(log: UpstreamLog) -> DiffSection:
    """The commits of a source, the newest first; at the end how many others there are."""
    lines = [_commit_line(each) for each in log.commits]
    if log.others:
        words = "other commit touches" if log.others == 1 else "other commits touch"
        lines.append(DiffLine(f"{log.others} {words} nothing that a step reads"))
    if log.problem:
        lines.append(DiffLine("not known", note=str(log.problem)))
    return DiffSection(f"Commits of {log.source}", tuple(lines), is_long=True)


def _commit_line(commit: UpstreamCommit) -> DiffLine:
    words = filter(None, (day_text(commit.date), commit.subject))
    mark = "-" if commit.is_gone else ""
    return DiffLine(commit.commit[:_SHORT], new="  ".join(words), mark=mark)


# ---- what would be built again


def _target_lines(view: DiffView) -> Iterator[DiffLine]:
    """A line for the targets of one recipe."""
    rebuild = view.rebuild
    if rebuild is None or not rebuild.targets:
        return
    architectures: dict[str, list[str]] = {}
    for each in rebuild.targets:
        target = target_form(each.target)
        architectures.setdefault(target.recipe, []).append(target.arch)
    for recipe, some in architectures.items():
        yield DiffLine(recipe, new=", ".join(filter(None, some)))
    if rebuild.same and not view.targets:
        word = "target is" if rebuild.same == 1 else "targets are"
        yield DiffLine(f"{rebuild.same} other {word} the same")


_Labels = tuple[str, ...]
"""Digests of derivations."""


def _cause_lines(rebuild: Rebuild | None) -> Iterator[DiffLine]:
    """A line for the causes of the same derivations, and for sources with the same followers."""
    groups: dict[tuple[_Labels, _Labels], list[Cause]] = {}
    for cause in rebuild.causes if rebuild else ():
        is_source = cause.change.aspect is Aspect.SOURCE
        places = () if is_source else _digests(cause.places)
        groups.setdefault((places, _digests(cause.followers)), []).append(cause)
    shown = [*groups.values()][:_MOST_CAUSES]
    yield from map(_group_line, shown)
    if len(groups) > len(shown):
        yield DiffLine(f"{len(groups) - len(shown)} more: see --json")


def _digests(derivations: Iterable[Derivation]) -> _Labels:
    return tuple(each.digest for each in derivations)


def _group_line(group: Sequence[Cause]) -> DiffLine:
    places = {place.digest: place for cause in group for place in cause.places}
    note = f"{_changes_text(group)}; {followers_text(group[0].followers)}"
    return DiffLine(labels([*places.values()]), note=note)


def _changes_text(group: Sequence[Cause]) -> str:
    """What changed; of a merge, what came and went stands in other sections."""
    if group[0].change.aspect is Aspect.SOURCE:
        return "content"
    inputs = [cause.change for cause in group if cause.change.aspect is Aspect.INPUT]
    if len(inputs) > 1 and isinstance(group[0].places[0], Merge):
        return f"{len(inputs)} inputs came or went"
    texts = [change_text(cause.change) for cause in group]
    more = [f"{len(texts) - _MOST_CHANGES} more"] if len(texts) > _MOST_CHANGES else []
    return ", ".join([*texts[:_MOST_CHANGES], *more])


def _unlinked_lines(rebuild: Rebuild | None) -> Iterator[DiffLine]:
    """Targets with the same error together."""
    groups: dict[str, list[str]] = {}
    for target, error in rebuild.unlinked if rebuild else ():
        groups.setdefault(str(error), []).append(target)
    yield from (DiffLine(_some(targets), note=text) for text, targets in groups.items())


def _some(names: Iterable[str]) -> str:
    first, *others = names
    return f"{first} and {len(others)} more" if others else first


def component_row(change: ComponentChange) -> dict[str, object]:
    """The same for programs."""
    return {
        "name": change.name,
        "change": change.move.value,
        "old": list(change.old),
        "new": list(change.new),
    }
