"""`lock --merge`: git's merge driver for locks.

Knows: that git gives three files and reads the second one back. Must not know: how locks merge.
"""

from __future__ import annotations

from rvbuild.app.lock_file import put_lock
from rvbuild.app.session import lock_at
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import LockError
from rvbuild.core.lock_merge import merge_locks
from rvbuild.recipes_yaml.lock import write_lock


def merge_lock_files(base: str, ours: str, theirs: str) -> None:
    """Put what two branches made of ``base`` into the file ``ours``.

    Raises:
        LockError: one of them is no lock (``ours`` stays as it is), or the branches contradict
            each other (``ours`` is a lock without those entries).
    """
    merged = merge_locks(*(lock_at(path) for path in (base, ours, theirs)))
    put_lock(ours, write_lock(merged.lock))
    if merged.lost:
        msg = "both branches changed what these entries are, or were read from"
        hint = advise(
            "merge the recipes, ", Remedy.LOCK, ", look at what changes, and add rvbuild.lock"
        )
        raise LockError(msg, where="rvbuild.lock", hint=hint, details=merged.lost)
