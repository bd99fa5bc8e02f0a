"""Which targets were built here: what people hold by a link.

Knows: roots, and when a result came. Must not know: what is done with the targets.
"""

from __future__ import annotations

import os
import time

from attrs import frozen

from rvbuild.app.session import Session
from rvbuild.app.targets import link_sound, link_unedited, targets_of
from rvbuild.core.errors import RvbuildError
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.link import Linked

_DAY = 86_400


@frozen(kw_only=True)
class FormerTargets:
    """Targets that were built here.

    Attributes:
        targets: Those that would be built now as they were, sorted by name.
        linked: What these are made of.
        others: The names of those that a recipe of today does not mean, or means otherwise.
    """

    targets: tuple[Target, ...]
    linked: Linked | None
    others: tuple[str, ...]


def former_targets(session: Session, days: float | None = None) -> FormerTargets:
    """The targets that somebody holds by a link.

    Args:
        session: Whose store it is.
        days: Only those whose result came within so many days; None: all.
    """
    derivations: dict[str, set[str]] = {}
    for root in session.store.roots.roots():
        derivations.setdefault(root.name, set()).add(root.derivation)
    targets = {name: target for name in sorted(derivations) if (target := _target(session, name))}

    def link(targets: tuple[Target, ...], *, partly: bool) -> tuple[RecipeGraph, Linked]:
        return link_unedited(session, targets, checks=True, partly=partly)

    if not targets:
        return FormerTargets(targets=(), linked=None, others=tuple(sorted(derivations)))
    try:
        (_, linked), _ = link_sound(tuple(targets.values()), link, keep_going=True)
    except RvbuildError:  # of all of them
        return FormerTargets(targets=(), linked=None, others=tuple(sorted(derivations)))
    same = {
        name: target
        for name, target in targets.items()
        if linked.results.get(target) in derivations[name]
    }
    others = tuple(name for name in sorted(derivations) if name not in same)
    if days is not None:
        since = time.time() - days * _DAY
        results = linked.results
        same = {name: each for name, each in same.items() if _came(session, results[each]) >= since}
    return FormerTargets(targets=tuple(same.values()), linked=linked, others=others)


def _target(session: Session, name: str) -> Target | None:
    """The target of a name; None if no recipe means it today."""
    try:
        (target,) = targets_of(session, [name])
    except RvbuildError:
        return None
    return target


def _came(session: Session, derivation: str) -> float:
    """When the result of a derivation came into the store; 0 if it is not there."""
    made = session.store.realisations.realisation(derivation)
    if made is None:
        return 0.0
    try:  # nobody can set this time, and nothing changes a mark
        return os.stat(f"{session.store.mountable.path(made.output)}.tree").st_ctime
    except OSError:
        return 0.0
