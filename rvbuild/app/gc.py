"""Removes from the store what no result and no recent build needs.

Knows: the settings that say how much stays. Must not know: how garbage is collected.
"""

from __future__ import annotations

from rvbuild.app.store import existing_store
from rvbuild.app.workspace import Workspace
from rvbuild.stores.collect import Collected, collect

__all__ = ["Collected", "collect_garbage"]


def collect_garbage(workspace: Workspace) -> Collected:
    """Remove it, as the settings ``keep-days`` and ``max-size`` say.

    Raises:
        UsageError: there is no store.
        StoreError: another rvbuild is using it, or it could not be read or written.
    """
    settings = workspace.settings
    store = existing_store(workspace)
    return collect(store, keep_days=settings.keep_days, max_size=settings.max_size)
