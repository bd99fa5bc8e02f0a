"""Whether a place fits a store: steps write there, and run programs from there.

Knows: mount options, rights. Must not know: what a step is.
"""

from __future__ import annotations

import os
import shlex
import tempfile

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import SandboxError, StoreError
from rvbuild.files.mount_table import mount_point

_ELSEWHERE = advise("or ", Remedy.STORE)


def refuse_unfit(folder: str) -> None:
    """See that programs in a folder can be run, as far as its mount says.

    Raises:
        SandboxError: it is mounted so that none can.
    """
    if os.statvfs(folder).f_flag & os.ST_NOEXEC:
        msg = "the store is on a file system that runs no programs (it is mounted noexec)"
        hint = advise(f"`mount -o remount,exec {shlex.quote(mount_point(folder))}`, ", _ELSEWHERE)
        raise SandboxError(msg, where=folder, hint=hint)


def refuse_unwritable(folder: str) -> None:
    """See that something can be made in a folder; nothing is left there.

    Raises:
        StoreError: it cannot.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=".rvbuild-", dir=folder) as made:
            open(os.path.join(made, "file"), "xb").close()
    except OSError as error:
        msg = f"nothing can be written in the store's folder: {error.strerror}"
        mount = f"`mount -o remount,rw {shlex.quote(mount_point(folder))}`"
        hint = advise(f"see its rights, its mount ({mount}) and its room, ", _ELSEWHERE)
        raise StoreError(msg, where=folder, hint=hint) from error
