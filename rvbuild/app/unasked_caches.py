"""Into which caches a build may bring results that nobody asked it to bring.

Knows: who set a cache, and whose key a project's people agree on. Must not know: how anything
travels.

The rules:

1. A cache that the user set (a file, the environment, an option) is the user's word.
2. One that the project's file sets counts only if the key that signs stands in the project's
   ``cache/keys``: its people take results of that key.

For example, somebody who has a key of their own builds a stranger's checkout, whose file says
``caches.x = "write https://…"``. Nothing goes there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from rvbuild.app.run_caches import RunCache
from rvbuild.app.settings import PROJECT_FILE
from rvbuild.app.signing_key import KeyFolders
from rvbuild.app.workspace import Workspace
from rvbuild.core.public_key import PublicKey
from rvbuild.trust.keyring import Keyring


def refused_unasked(
    workspace: Workspace, caches: Iterable[RunCache], keyring: Keyring, key: PublicKey
) -> tuple[str, ...]:
    """The names of the caches that get nothing unless somebody asks for it.

    Args:
        workspace: Whose settings name the caches.
        caches: Those that are set to be written.
        keyring: The keys of the run, each with its files.
        key: The one that signs.
    """
    if workspace.project is None or _is_team_key(workspace, keyring, key):
        return ()
    file = os.path.join(workspace.project, PROJECT_FILE)
    origins = dict(workspace.settings.origins("caches"))
    return tuple(each.name for each in caches if origins[f"caches.{each.name}"].where == file)


def _is_team_key(workspace: Workspace, keyring: Keyring, key: PublicKey) -> bool:
    known, team = keyring.named(key.name), KeyFolders.of(workspace).team
    if known is None or known.public != key:
        return False
    return any(os.path.dirname(file) == team for file in known.files)
