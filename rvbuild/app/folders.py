"""Folders of this machine that a lock has by content.

Knows: when one is not what was locked. Must not know: how a folder is read.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

from rvbuild.core.derivation import Derivation, Fetch
from rvbuild.core.errors import LockError
from rvbuild.core.source import Source
from rvbuild.kinds.path.fetch import PathFetcher
from rvbuild.kinds.path.source import PathSource


def refuse_edited(
    derivations: Iterable[Derivation], overrides: Collection[Source], lock: str
) -> None:
    """See that each folder holds what was locked: its content is the key of what is built.

    A folder that is not on this machine is not looked at: results of it may still be there.

    Args:
        derivations: What is built.
        overrides: Folders that were read in this run.
        lock: The lock's name.

    Raises:
        LockError: one was edited since.
    """
    for derivation in derivations:
        source = derivation.source if isinstance(derivation, Fetch) else None
        if isinstance(source, PathSource) and source not in overrides:
            _refuse_edited(source, lock)


def _refuse_edited(source: PathSource, lock: str) -> None:
    if os.path.isdir(source.path) and PathFetcher().resolve(source.path) != source:
        msg = f"the folder is not what {lock} has: it was edited since"
        hint = "run `rvbuild lock`; to build what is in a folder now, say --override NAME=FOLDER"
        raise LockError(msg, where=source.path, hint=hint)
