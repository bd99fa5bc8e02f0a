"""Targets, and the derivations that are asked for with them.

Knows: words for targets, and that a target's checks belong to it. Must not know: what is done
with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Protocol, TypeVar

from rvbuild.app.folders import refuse_edited
from rvbuild.app.session import Session
from rvbuild.core.errors import LockError, RecipeError, RvbuildError, UsageError, raise_failures
from rvbuild.core.graph import RecipeGraph, Target, parse_target, target_form
from rvbuild.core.link import Linked

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class TargetLinker(Protocol[T_co]):
    """Links targets; ``partly`` as `link_unedited` has it."""

    def __call__(self, targets: tuple[Target, ...], *, partly: bool) -> T_co: ...


def targets_of(
    session: Session, words: Iterable[str], *, keep_going: bool = False
) -> tuple[Target, ...]:
    """The targets that words name, each once.

    Args:
        session: Whose recipes they are.
        words: What somebody wrote.
        keep_going: Whether a target is one although its recipe cannot be read; see `link_sound`.

    Raises:
        UsageError: a word names none.
        RecipeError: the recipe of one cannot be read.
    """
    targets = []
    for word in words:
        try:
            targets.append(parse_target(word, session.folder.load))
        except RecipeError:
            if not keep_going:
                raise
            targets.append(target_form(word))
    return tuple(dict.fromkeys(targets))


def link_unedited(
    session: Session, targets: tuple[Target, ...], *, checks: bool, partly: bool = False
) -> tuple[RecipeGraph, Linked]:
    """The recipes and derivations of targets, whose folders hold what was locked.

    ``partly``: a damaged entry of the lock matters only to who needs it.

    Raises:
        LockError: the lock lacks what a recipe asks for, or a folder was edited since.
    """
    graph, linked = session.link(targets, checks=checks, partly=partly)
    refuse_edited(linked, partial(session.lock, partly=partly), session.own)
    return graph, linked


def link_sound(
    targets: tuple[Target, ...], link: TargetLinker[T], *, keep_going: bool
) -> tuple[T, tuple[RvbuildError, ...]]:
    """What ``link`` makes of the targets; with ``keep_going``, of those that nothing is wrong with.

    Example: ``half`` has a typing error, ``app`` needs it, ``other`` does not. Of the three,
    ``link`` gets ``other``; the typing error is returned once. The same holds of an entry of the
    lock that was edited; also where nobody needs it, it is told.

    Raises:
        RecipeError: a recipe is broken, and nothing was to go on, or could.
        LockError: the same of a lock.
        RunFailed: several are, and nothing could go on.
    """
    try:
        return link(targets, partly=False), ()
    except (RecipeError, LockError) as error:
        if not keep_going or len(targets) < 2:
            raise
        first = error
    sound: list[Target] = []
    failures: dict[str, RvbuildError] = {}
    for target in targets:
        try:
            link((target,), partly=True)
        except (RecipeError, LockError) as error:
            failures[str(error)] = error
        except UsageError:  # of an option that is meant for another target
            sound.append(target)
        else:
            sound.append(target)
    if not sound:
        raise_failures(tuple(failures.values()))
    return link(tuple(sound), partly=True), tuple(failures.values()) or (first,)


def goals(linked: Linked) -> list[str]:
    """The derivations of targets, then those of their checks."""
    checks = (check for checks in linked.checks.values() for check in checks)
    return [*linked.results.values(), *checks]
