"""Steps are run only where they can be: an executor before the executor.

Knows: which folders a step's programs are run from. Must not know: how a step runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import frozen

from rvbuild.core.action import Action, Outcome
from rvbuild.core.errors import SandboxError
from rvbuild.core.ports.executor import Executor
from rvbuild.stores.fitness import refuse_unfit


@frozen
class FitExecutor:
    """Runs what another executor runs, unless one of ``folders`` is none to run programs from.

    A step would end with 127, as if its recipe called a program that is not there.
    """

    executor: Executor
    folders: tuple[str, ...]

    def run(
        self,
        action: Action,
        label: str,
        log: Callable[[str], None],
        accelerators: Mapping[str, str],
    ) -> Outcome:
        """Run it; see ``core.ports``.

        Raises:
            SandboxError: the store's folders are not fit.
        """
        try:
            for folder in self.folders:
                refuse_unfit(folder)
        except SandboxError as error:
            error.details += (f"{label} was not started",)
            raise
        return self.executor.run(action, label, log, accelerators)

    def stop(self) -> None:
        """End what runs."""
        self.executor.stop()
