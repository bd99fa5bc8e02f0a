"""Runs actions on this machine, sealed with bubblewrap.

Knows: what a step sees (docs/recipes.md). Must not know: recipes, plans, keys.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from attrs import evolve, frozen

from rvbuild.core.action import OUTPUT, WORKING_DIRECTORY, Action, Outcome
from rvbuild.core.digest import Digest
from rvbuild.core.errors import (
    Interrupted,
    SandboxError,
    StepError,
    StoreError,
    VerificationError,
)
from rvbuild.core.ports import Capturer, TreeStore
from rvbuild.executors import bwrap, identity, seccomp, workspace
from rvbuild.executors.accelerators import Accelerator, Layer
from rvbuild.executors.allowance import Allowance
from rvbuild.executors.identity import Identity
from rvbuild.executors.keeper import Keeper, Request
from rvbuild.executors.limits import Limits
from rvbuild.executors.porter import STAGE, Porter
from rvbuild.executors.sandbox import Launch, Sandbox, refused
from rvbuild.executors.step_log import StepLog
from rvbuild.executors.threshold import Threshold
from rvbuild.executors.watch import Ended, Watch
from rvbuild.files.removal import remove_tree


class CapturingStore(TreeStore, Capturer, Protocol):
    """What an executor needs of a store."""


def room(
    action: Action,
    folder: str,
    tree_at: Callable[[Digest], str],
    overlays: Mapping[str, bwrap.Overlay],
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
    return bwrap.Room(
        environment=action.command.environment,
        working_directory=f"/{WORKING_DIRECTORY}",
        read_only=read_only,
        symlinks=symlinks,
        writable=writable,
        overlays={f"/{path}": overlay for path, overlay in overlays.items()},
    )


def staged(
    program: str, command: Sequence[str], owner: Identity | None, seen: bwrap.Room
) -> tuple[Request, list[str]]:
    """What the keeper is asked for, and the options that bwrap is to read."""
    if owner is None:
        return Request(program=program, command=command), seen.arguments()
    names = {path: str(number) for number, path in enumerate(dict.fromkeys(seen.sources()))}
    files = bwrap.files(program)
    sources = [(name, path) for path, name in names.items()]
    request = Request(
        program=f"{STAGE}/{files[0][0]}",
        command=command,
        porter=Porter.to(owner, sources, files),
    )
    return request, seen.arguments(lambda path: f"{STAGE}/{names[path]}")


@frozen(kw_only=True)
class _Step:
    """One action under way, in its folder; ``owner`` is whom it runs as outside."""

    action: Action
    label: str
    folder: str
    owner: Identity | None


class LocalExecutor:
    """Runs any number of actions at once, each in the thread that asks for it.

    Args:
        store: Has the inputs; takes logs and outputs.
        tmp: Where the steps' folders are made; on the store's file system, so that
            outputs can be moved into it.
        limits: What one step may use.
        jobs: How many processes a step should use: the variable ``jobs``, which is set here
            and not in the command, because it must not be part of any key.
        kept: If given, the folder of a failed step stays, and this is called with the
            step's label and the folder's path.
        notice: Takes what a person should know, once, and that stops nothing.
    """

    def __init__(  # noqa: PLR0913 - all but two have a default
        self,
        store: CapturingStore,
        tmp: str,
        *,
        limits: Limits | None = None,
        jobs: int = 1,
        kept: Callable[[str, str], None] | None = None,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._tmp = os.path.abspath(tmp)
        self._limits = limits or Limits()
        self._jobs = jobs
        self._kept = kept
        self._notice = notice
        self._program = bwrap.find()
        self._keeper = Keeper(self._limits.table())
        self._ids = identity.pool()
        self._accelerate = True
        self._seal = seccomp.program()
        self._threshold = Threshold.to(f"/{WORKING_DIRECTORY}")
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
        with self._counted(label), self._owner(shared=bool(accelerators)) as owner:
            folder = workspace.make(self._tmp, owner)
            step = _Step(action=action, label=label, folder=folder, owner=owner)
            keep = False
            try:
                outcome = self._run(step, log, accelerators or {})
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

    @contextmanager
    def _owner(self, *, shared: bool) -> Iterator[Identity | None]:
        """Whom a step runs as outside; steps with an accelerator share its files' owner."""
        if self._ids is None or shared:
            yield self._ids.common if self._ids else None
            return
        with self._ids.own() as owner:
            yield owner

    def _run(
        self, step: _Step, tell: Callable[[str], None], accelerators: Mapping[str, str]
    ) -> Outcome:
        for mount in step.action.mounts:
            if mount.writable:
                target = os.path.join(step.folder, mount.path)
                workspace.copy(self._store.path(mount.tree), target, step.owner)
        layers = self._layers(step, accelerators)
        try:
            return self._attempt(step, tell, layers)
        except SandboxError as error:  # the kernel, the file system or bwrap has no overlays?
            if not layers or "overlay" not in str(error):
                raise
            self._go_without(str(error))
            return self._attempt(step, tell, {})

    def _layers(self, step: _Step, accelerators: Mapping[str, str]) -> dict[str, Layer]:
        """A step's own layer over each accelerator; none if they cannot be had."""
        layers: dict[str, Layer] = {}
        try:
            for at, folder in accelerators.items() if self._accelerate else ():
                accelerator = Accelerator(folder, step.owner)
                accelerator.prepare()
                layers[at] = accelerator.layer(os.path.join(step.folder, f"over-{len(layers)}"))
        except OSError as error:
            self._go_without(str(error))
            return {}
        return layers

    def _go_without(self, why: str) -> None:
        with self._changed:
            first, self._accelerate = self._accelerate, False
        if first:
            self._notice(f"steps run without their compile cache: {why}")

    def _attempt(
        self, step: _Step, tell: Callable[[str], None], layers: Mapping[str, Layer]
    ) -> Outcome:
        log = StepLog(tell, self._limits.log_bytes)
        ended = self._watched(step, self._launch(step, layers), log)
        text = log.close()
        exit_code = ended.exit_code
        if not ended.started and not self._stopped:
            raise refused(text.decode(errors="replace").strip())
        outcome = Outcome(
            exit_code=exit_code,
            output=None,
            tree=None,
            log=self._store.write(text),
            accelerated=bool(layers),
        )
        if exit_code:
            return outcome
        self._merge(layers)
        return self._with_output(outcome, step)

    def _merge(self, layers: Mapping[str, Layer]) -> None:
        try:
            for layer in layers.values():
                layer.merge()
        except OSError as error:  # what was compiled is only slower to have again
            self._notice(f"the compile cache did not take what a step compiled: {error}")

    def _launch(self, step: _Step, layers: Mapping[str, Layer]) -> Launch:
        overlays = {at: layer.overlay for at, layer in layers.items()}
        seen = room(step.action, step.folder, self._store.path, overlays)
        seen = evolve(seen, environment={**seen.environment, "jobs": str(self._jobs)})
        command = step.action.command.arguments
        asked, options = staged(self._program, command, step.owner, seen)
        return Launch(request=asked, options=options, seal=self._seal, threshold=self._threshold)

    def _watched(self, step: _Step, launch: Launch, log: StepLog) -> Ended:
        sandbox = Sandbox(self._keeper, launch)
        with self._changed:
            self._sandboxes.add(sandbox)
            if self._stopped:
                sandbox.kill()
        try:
            seconds = step.action.timeout
            return Watch(sandbox, log, self._limits, seconds, step.folder).follow()
        finally:
            with self._changed:
                self._sandboxes.discard(sandbox)

    def _with_output(self, outcome: Outcome, step: _Step) -> Outcome:
        out = os.path.join(step.folder, WORKING_DIRECTORY, OUTPUT)
        try:
            # The step may have put a symlink there, and it would be followed out here.
            if not stat.S_ISDIR(os.lstat(out).st_mode):
                return outcome
        except FileNotFoundError:
            return outcome
        wanted = partial(self._raise_if_stopped, step.label)
        taken = Allowance(self._limits, step.action.timeout, wanted)
        try:
            root = self._store.capture(out, taken)
        except (StepError, VerificationError) as error:
            return evolve(outcome, refusal=error)
        except StoreError as error:
            error.details += (f"while the output of {step.label} was taken in",)
            raise
        return evolve(outcome, output=root, tree=Digest.of(self._store.tree(root).encode()))
