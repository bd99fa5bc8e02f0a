"""Leaves the store whole.

Knows: what a caller does after it. Must not know: how a store is repaired.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from attrs import frozen

from rvbuild.app.store import existing_store
from rvbuild.app.workspace import Workspace
from rvbuild.stores.repair import Repair, repair
from rvbuild.stores.roots import root_name

__all__ = ["Repair", "Repairs", "repair_store"]


@frozen(kw_only=True)
class Repairs:
    """What was done.

    Attributes:
        done: Each repair, in order.
        damaged: The folder of what was set aside.
        targets: The targets whose result somebody's link shows, and that have gone, sorted.
    """

    done: tuple[Repair, ...]
    damaged: str
    targets: tuple[str, ...]

    def counts(self) -> Counter[str]:
        """How many things were ``mended``, ``set aside`` and ``dropped``."""
        return Counter(each.done for each in self.done)


def repair_store(workspace: Workspace, report: Callable[[Repair], None] | None = None) -> Repairs:
    """Hash everything, and do about each finding what leaves the store whole.

    Args:
        workspace: Its folders.
        report: Takes each repair at once.

    Raises:
        UsageError: there is no store.
        StoreError: another rvbuild is using it, or it could not be read or written.
    """
    done: list[Repair] = []

    def take(one: Repair) -> None:
        done.append(one)
        if report is not None:
            report(one)

    store = existing_store(workspace)
    repair(store, take)
    names = {root_name(store.layout, each.path) for each in done}
    targets = tuple(sorted(name for name in names if name))
    return Repairs(done=tuple(done), damaged=store.layout.damaged, targets=targets)
