"""What a build would do, and why.

Knows: that checks belong to it. Must not know: how a plan is made or shown.
"""

from __future__ import annotations

from rvbuild.app.asked_caches import asked_caches
from rvbuild.app.session import Session
from rvbuild.app.targets import goals, link_unedited
from rvbuild.core.graph import Target
from rvbuild.core.plan import Plan, make_plan
from rvbuild.engine.offers import find_offers


def plan_targets(session: Session, targets: tuple[Target, ...]) -> Plan:
    """What building targets with their checks would do; nothing is made, not even a store.

    Raises:
        LockError: the lock lacks what a recipe asks for, or a folder was edited since.
    """
    _, linked = link_unedited(session, targets, checks=True)
    wanted, lookup = goals(linked), session.lookup()
    with asked_caches(session, linked, noted=False) as substitutes:
        offers = find_offers(linked.derivations, wanted, lookup, substitutes) if substitutes else {}
    return make_plan(linked.derivations, wanted, lookup, offers)
