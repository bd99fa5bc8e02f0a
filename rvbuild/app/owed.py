"""What is still to be brought into a cache, since a former run could not.

Knows: names of targets, and what they are today. Must not know: how anything travels.
"""

from __future__ import annotations

from collections.abc import Iterable

from rvbuild.app.cache_notes import NamedCache, owed_targets
from rvbuild.app.session import Session
from rvbuild.app.shipments import Packer, Unfit, share_lookup
from rvbuild.app.targets import link_unedited, targets_of
from rvbuild.caches.shipment import TargetShipment
from rvbuild.core.errors import RvbuildError


def owed_shipments(
    session: Session, cache: NamedCache, besides: Iterable[TargetShipment]
) -> tuple[TargetShipment, ...]:
    """What is owed to a cache, besides what is brought anyway.

    A target that is another today, or that was not built as it is today, is owed no more.
    """
    known = {each.target for each in besides}
    names = [name for name in owed_targets(session, cache) if name not in known]
    return tuple(shipment for name in names if (shipment := _shipment(session, name)))


def _shipment(session: Session, name: str) -> TargetShipment | None:
    try:
        (target,) = targets_of(session, [name])
        _, linked = link_unedited(session, (target,), checks=True)
        packed = Packer(session, linked, share_lookup(session)).target(target)
    except RvbuildError:
        return None
    return None if isinstance(packed, Unfit) else packed
