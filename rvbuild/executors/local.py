"""Runs actions on this machine, sealed with bubblewrap.

Knows: what a step sees (docs/recipes.md). Must not know: recipes, plans, keys.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from attrs import evolve

from rvbuild.core.action import OUTPUT, WORKING_DIRECTORY, Action, Outcome
from rvbuild.core.digest import Digest
from rvbuild.core.errors import Interrupted, StepError, StoreError, VerificationError
from rvbuild.core.ports import Capturer, TreeStore
from rvbuild.executors import bwrap, seccomp, workspace
from rvbuild.executors.allowance import Allowance
from rvbuild.executors.limits import Limits
from rvbuild.executors.sandbox import Launch, Sandbox, refused
from rvbuild.executors.step_log import StepLog
from rvbuild.executors.watch import Ended, Watch
from rvbuild.files.removal import remove_tree

NOT_FOUND = 127
"""The exit code when the command is not in the sandbox, as shells have it."""


class CapturingStore(TreeStore, Capturer, Protocol):
    """What an executor needs of a store."""


def room(
    action: Action, folder: str, tree_at: Callable[[Digest], str], accelerators: Mapping[str, str]
) -> bwrap.Room:
    """What a step sees, given its folder and where the trees are on this machine."""
    read_only: dict[str, str] = {}
    symlinks: dict[str, str] = {}
    own = {WORKING_DIRECTORY, "tmp", "dev", "proc"}
    for mount in action.mounts:
        path = tree_at(mount.tree)
        if mount.path:
            if not mount.writable:
                read_only[f"/{mount.path}"] = path
            continue
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_symlink():
                    symlinks[f"/{entry.name}"] = os.readlink(entry.path)
                elif entry.name not in own:
                    read_only[f"/{entry.name}"] = entry.path
    writable = {f"/{WORKING_DIRECTORY}": os.path.join(folder, "build")}
    writable["/tmp"] = os.path.join(folder, "tmp")  # noqa: S108 - a path inside the sandbox
    writable |= {f"/{path}": host for path, host in accelerators.items()}
    return bwrap.Room(
        environment=action.command.environment,
        working_directory=f"/{WORKING_DIRECTORY}",
        read_only=read_only,
        symlinks=symlinks,
        writable=writable,
    )


class LocalExecutor:
    """Runs any number of actions at once, each in the thread that asks for it.

    Args:
        store: Has the inputs; takes logs and outputs.
        tmp: Where the steps' folders are made; on the store's file system, so that
            outputs can share their extents with it.
        limits: What one step may use.
        jobs: How many processes a step should use: the variable ``jobs``, which is set here
            and not in the command, because it must not be part of any key.
        kept: If given, the folder of a failed step stays, and this is called with the
            step's label and the folder's path.
    """

    def __init__(
        self,
        store: CapturingStore,
        tmp: str,
        *,
        limits: Limits | None = None,
        jobs: int = 1,
        kept: Callable[[str, str], None] | None = None,
    ) -> None:
        self._store = store
        self._tmp = os.path.abspath(tmp)
        self._limits = limits or Limits()
        self._jobs = jobs
        self._kept = kept
        self._program = bwrap.find()
        self._seal = seccomp.program()
        self._changed = threading.Condition()
        self._stopped = False
        self._active = 0
        self._sandboxes: set[Sandbox] = set()

    def run(
        self,
        action: Action,
        label: str,
        log: Callable[[str], None],
        accelerators: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Run it; a step's own failure is an Outcome, not an exception.

        Args:
            action: What to run; its trees are in the store.
            label: For messages.
            log: Takes each line that the step writes.
            accelerators: Folders of this machine by path in the sandbox (``tmp/go-cache``).

        Raises:
            SandboxError: this machine cannot run it.
            Interrupted: ``stop`` was called.
            StoreError: the step's folder could not be made, or the output not stored.
        """
        with self._counted(label):
            folder = workspace.make(self._tmp)
            keep = False
            try:
                outcome = self._run(action, folder, label, log, accelerators or {})
                self._raise_if_stopped(label)
                keep = self._kept is not None and outcome.exit_code != 0
            finally:
                if not keep:
                    remove_tree(folder)
        if keep and self._kept:
            self._kept(label, folder)
        return outcome

    def stop(self) -> None:
        """Kill everything that runs and wait until it is gone; nothing runs afterwards.

        To be called from a thread that is not itself in ``run`` (nor from a signal handler).
        """
        with self._changed:
            self._stopped = True
            for sandbox in self._sandboxes:
                sandbox.kill()
            self._changed.wait_for(lambda: self._active == 0)

    @contextmanager
    def _counted(self, label: str) -> Iterator[None]:
        with self._changed:
            self._raise_if_stopped(label)
            self._active += 1
        try:
            yield
        finally:
            with self._changed:
                self._active -= 1
                self._changed.notify_all()

    def _raise_if_stopped(self, label: str) -> None:
        if self._stopped:
            msg = "stopped before it was done"
            raise Interrupted(msg, where=label)

    def _room(self, action: Action, folder: str, accelerators: Mapping[str, str]) -> bwrap.Room:
        seen = room(action, folder, self._store.path, accelerators)
        return evolve(seen, environment={**seen.environment, "jobs": str(self._jobs)})

    def _run(
        self,
        action: Action,
        folder: str,
        label: str,
        tell: Callable[[str], None],
        accelerators: Mapping[str, str],
    ) -> Outcome:
        self._lay_inputs(action, folder, accelerators)
        log = StepLog(tell, self._limits.log_bytes)
        ended = self._watched(self._launch(action, folder, accelerators), log, action.timeout)
        text = log.close()
        exit_code = ended.exit_code
        if not ended.started and not self._stopped:
            exit_code = _never_started(text)
        outcome = Outcome(exit_code=exit_code, output=None, tree=None, log=self._store.write(text))
        return outcome if exit_code else self._with_output(outcome, folder, action.timeout, label)

    def _lay_inputs(self, action: Action, folder: str, accelerators: Mapping[str, str]) -> None:
        for mount in action.mounts:
            if mount.writable:
                workspace.copy(self._store.path(mount.tree), os.path.join(folder, mount.path))
        for host in accelerators.values():
            os.makedirs(host, exist_ok=True)

    def _launch(self, action: Action, folder: str, accelerators: Mapping[str, str]) -> Launch:
        return Launch(
            program=self._program,
            options=self._room(action, folder, accelerators).arguments(),
            command=action.command.arguments,
            seal=self._seal,
            limits=self._limits,
        )

    def _watched(self, launch: Launch, log: StepLog, seconds: float) -> Ended:
        sandbox = Sandbox(launch)
        with self._changed:
            self._sandboxes.add(sandbox)
            if self._stopped:
                sandbox.kill()
        try:
            return Watch(sandbox, log, launch.limits, seconds).follow()
        finally:
            with self._changed:
                self._sandboxes.discard(sandbox)

    def _with_output(self, outcome: Outcome, folder: str, seconds: float, label: str) -> Outcome:
        out = os.path.join(folder, WORKING_DIRECTORY, OUTPUT)
        try:
            # The step may have put a symlink there, and it would be followed out here.
            if not stat.S_ISDIR(os.lstat(out).st_mode):
                return outcome
        except FileNotFoundError:
            return outcome
        taken = Allowance(self._limits, seconds, lambda: self._raise_if_stopped(label))
        try:
            root = self._store.capture(out, taken)
        except (StepError, VerificationError) as error:
            return evolve(outcome, refusal=error)
        except StoreError as error:
            error.details += (f"while the output of {label} was taken in",)
            raise
        return evolve(outcome, output=root, tree=Digest.of(self._store.tree(root).encode()))


def _never_started(said: bytes) -> int:
    """127 if the sandbox was there and the command was not.

    Raises:
        SandboxError: the sandbox was not there.
    """
    text = said.decode(errors="replace").strip()
    if text.startswith("bwrap: execvp "):
        return NOT_FOUND
    raise refused(text)
