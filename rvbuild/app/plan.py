"""What a build would do, and why.

Knows: that checks belong to it. Must not know: how a plan is made or shown.
"""

from __future__ import annotations

from rvbuild.app.session import Session
from rvbuild.app.targets import goals, link_unedited
from rvbuild.core.graph import Target
from rvbuild.core.plan import Plan, make_plan


def plan_targets(session: Session, targets: tuple[Target, ...]) -> Plan:
    """What building targets with their checks would do; nothing is made, not even a store.

    Raises:
        LockError: the lock lacks what a recipe asks for, or a folder was edited since.
    """
    _, linked = link_unedited(session, targets, checks=True)
    return make_plan(linked.derivations, goals(linked), session.lookup())
