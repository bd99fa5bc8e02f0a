"""Looks whether this machine can build.

Knows: what a store's folder must be fit for. Must not know: what else is looked at.
"""

from __future__ import annotations

from attrs import frozen

from rvbuild.app.workspace import Workspace
from rvbuild.executors.doctor import MachineCheck, checks
from rvbuild.stores.fitness import refuse_unfit, refuse_unwritable

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
    """Look at the machine and the store's folder; looking makes no store."""
    return Machine(checks(workspace.store, (refuse_unwritable, refuse_unfit)))
