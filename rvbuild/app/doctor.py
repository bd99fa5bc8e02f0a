"""Looks whether this machine can build.

Knows: what a store's folder must be fit for, which archives of Debian are asked.
Must not know: what else is looked at.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from attrs import frozen

from rvbuild.app.workspace import Workspace
from rvbuild.core.errors import SourceError
from rvbuild.executors.doctor import MachineCheck, checks
from rvbuild.stores.fitness import refuse_unfit, refuse_unwritable
from rvbuild.transfers.apt_config import MIRROR_VARIABLE, find_archives
from rvbuild.transfers.urls import shown

__all__ = ["Machine", "MachineCheck", "examine_machine"]


@frozen
class Machine:
    """What was looked at, in order."""

    checks: tuple[MachineCheck, ...]

    @property
    def is_fit(self) -> bool:
        """Whether nothing keeps it from building."""
        return all(check.ok for check in self.checks)


def examine_machine(workspace: Workspace) -> Machine:
    """Look at the machine and the store's folder; looking makes no store, and asks nobody."""
    looks = checks(workspace.store, (refuse_unwritable, refuse_unfit))
    return Machine((*looks, look_at_archives(os.environ)))


def look_at_archives(environment: Mapping[str, str]) -> MachineCheck:
    """Where Debian's packages are taken from, in order, and who says so."""
    name = "Debian archives"
    try:
        archives = find_archives(environment)
    except SourceError as error:
        found = f"{error.where}: {error.message}"
        return MachineCheck(name=name, ok=False, found=found, hint=error.hint or "")
    places = [f"{shown(base)} ({who})" for base, who in archives.places]
    return MachineCheck(name=name, ok=True, found=", then ".join(places) or _NO_ARCHIVE)


_NO_ARCHIVE = f"none: apt knows no release of Debian; {MIRROR_VARIABLE} names an archive"
