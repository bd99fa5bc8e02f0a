"""What a build would do, and why.

Knows: that checks belong to it, and where former results are. Must not know: how a plan is made or
shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from rvbuild.app.asked_caches import asked_caches
from rvbuild.app.former_result import former_here, names_of
from rvbuild.app.session import Session
from rvbuild.app.targets import goals, link_unedited
from rvbuild.core.derivation_diff import Cause, by_derivation, compare
from rvbuild.core.errors import StoreError
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.link import Linked
from rvbuild.core.plan import Plan, make_plan
from rvbuild.engine.lookup import SteadyLookup
from rvbuild.engine.offers import find_offers


def plan_targets(session: Session, targets: tuple[Target, ...]) -> Plan:
    """What building targets with their checks would do; nothing is made, not even a store.

    Raises:
        LockError: the lock lacks what a recipe asks for, or a folder was edited since.
    """
    graph, linked = link_unedited(session, targets, checks=True)
    wanted, lookup = goals(linked), SteadyLookup(session.lookup())
    with asked_caches(session, linked, noted=False) as substitutes:
        offers = find_offers(linked.derivations, wanted, lookup, substitutes) if substitutes else {}
    plan = make_plan(linked.derivations, wanted, lookup, offers)
    return plan.with_causes(_causes(session, graph, linked)) if plan.tasks else plan


def _causes(
    session: Session, graph: RecipeGraph, linked: Linked
) -> Mapping[str, tuple[Cause, ...]]:
    """What made derivations other ones than when a target was last built here."""
    causes: dict[str, tuple[Cause, ...]] = {}
    for target, result in linked.results.items():
        with suppress(StoreError):  # a verification tells of it, and a plan is one without causes
            former = former_here(session, names_of(session, graph, target))
            if former is not None:
                found = compare(former.derivation, result, former.read, linked.derivations)
                causes = by_derivation(found) | causes
    return causes
