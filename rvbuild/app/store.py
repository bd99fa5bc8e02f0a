"""The store of a workspace, for whoever looks after it.

Knows: whether there is one. Must not know: what is done to it.
"""

from __future__ import annotations

from rvbuild.app.workspace import Workspace
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import UsageError
from rvbuild.stores.local import LocalStore


def existing_store(workspace: Workspace) -> LocalStore:
    """The store; whoever looks after one must not make one.

    Raises:
        UsageError: there is none.
    """
    if not workspace.has_store:
        msg = "there is no store"
        raise UsageError(
            msg, where=workspace.store, hint=advise(Remedy.STORE.of("one that is there"))
        )
    return LocalStore(workspace.store)
