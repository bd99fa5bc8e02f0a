"""Runs actions on this machine, sealed with bubblewrap.

Knows: what a step sees (docs/recipes.md). Must not know: recipes, plans, keys.
"""

from __future__ import annotations

import math
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from attrs import evolve, frozen

from rvbuild.core.action import OUTPUT, WORKING_DIRECTORY, Action, Outcome
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.digest import Digest
from rvbuild.core.errors import (
    Interrupted,
    SandboxError,
    StepError,
    StoreError,
    VerificationError,
)
from rvbuild.core.ports.store import TreeStore
from rvbuild.executors import bwrap, identity, seccomp, step_folder
from rvbuild.executors.accelerators import Accelerator, Layer
from rvbuild.executors.allowance import Allowance
from rvbuild.executors.bwrap_errors import refused
from rvbuild.executors.identity import Identity
from rvbuild.executors.inputs import InputTrees
from rvbuild.executors.keeper import Keeper, Request
from rvbuild.executors.limits import Limits
from rvbuild.executors.porter import STAGE, Porter
from rvbuild.executors.reentry import write_script
from rvbuild.executors.sandbox import Launch, Sandbox
from rvbuild.executors.step_log import StepLog
from rvbuild.executors.threshold import Threshold
from rvbuild.executors.watch import Ended, Watch

_SHORT = advise("see what there is too little of (`ulimit -a`, `df`), or ", Remedy.FEWER_STEPS)
_LAST_SECONDS = 0.5
"""How long the folders of steps are cleared after an interrupt; `rvbuild gc` clears the rest."""


def room(
    action: Action, folder: str, trees: InputTrees, overlays: Mapping[str, bwrap.Overlay]
) -> bwrap.SandboxView:
    """What a step sees, given its folder and where the trees are."""
    read_only: dict[str, str] = {}
    symlinks: dict[str, str] = {}
    own = {WORKING_DIRECTORY, "tmp", "dev", "proc"}
    if trees.toolbox is not None:
        with os.scandir(trees.toolbox) as entries:
            for entry in entries:
                if entry.is_symlink():
                    symlinks[f"/{entry.name}"] = os.readlink(entry.path)
                elif entry.name not in own:
                    read_only[f"/{entry.name}"] = entry.path
    writable = {f"/{WORKING_DIRECTORY}": os.path.join(folder, "build")}
    writable["/tmp"] = os.path.join(folder, "tmp")  # noqa: S108 - a path inside the sandbox
    return bwrap.SandboxView(
        environment=action.command.environment,
        working_directory=f"/{WORKING_DIRECTORY}",
        read_only={**read_only, **trees.inputs} if trees.are_laid else read_only,
        apart={} if trees.are_laid else trees.inputs,
        empty=os.path.join(folder, step_folder.EMPTY),
        symlinks=symlinks,
        writable=writable,
        overlays={f"/{path}": overlay for path, overlay in overlays.items()},
    )


def staged(
    program: str, command: Sequence[str], owner: Identity | None, seen: bwrap.SandboxView
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
    folder: step_folder.StepFolder
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
        keep_failed: Whether the folder of a failed step stays; its outcome says where.
        notice: Takes what a person should know, and that stops nothing.
        locks: The folder of the store's locks.
    """

    def __init__(  # noqa: PLR0913 - all but two have a default
        self,
        store: TreeStore,
        tmp: str,
        *,
        limits: Limits | None = None,
        jobs: int = 1,
        keep_failed: bool = False,
        notice: Callable[[str], None] = lambda _: None,
        locks: str | None = None,
    ) -> None:
        self._store = store
        self._tmp = os.path.abspath(tmp)
        self._limits = limits or Limits()
        self._jobs = jobs
        self._keep_failed = keep_failed
        self._notice = notice
        self._program = bwrap.find()
        self._keeper = Keeper(self._limits.table())
        self._ids = identity.pool(locks)
        self._told = False
        self._seal = seccomp.program()
        self._threshold = Threshold.to(f"/{WORKING_DIRECTORY}")
        self._changed = threading.Condition()
        self._stopped = False
        self._late_at = math.inf
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
            StoreError: an input is not in the store, the step's folder could not be made, or the
                output not stored.
        """
        with self._counted(label), self._owner(label, shared=bool(accelerators)) as owner:
            folder = step_folder.make(self._tmp, owner)
            step = _Step(action=action, label=label, folder=folder, owner=owner)
            try:
                outcome, trees = self._run(step, log, accelerators or {})
                self._raise_if_stopped(label)
            except BaseException as error:
                self._clear(step, error.add_note)
                raise
            if self._keep_failed and outcome.exit_code != 0:
                self._leave(step, trees)
                return evolve(outcome, folder=folder.path)
            self._clear(step, self._notice)
        return outcome

    def _leave(self, step: _Step, trees: InputTrees) -> None:
        """Let its folder stay, for this user to look into; ``trees`` are what the step saw."""
        folder = step.folder
        try:
            if step.owner is not None:
                step_folder.take_back(folder.here)
            seen = room(step.action, folder.path, trees.below(folder.reach, folder.path), {})
            command = step.action.command.arguments
            write_script(folder.here, step.label, self._program, seen, command)
        except OSError as error:
            self._notice(f"there is no script that leads into {folder.path}: {error}")
        finally:
            folder.close()

    def _clear(self, step: _Step, tell: Callable[[str], None]) -> None:
        """Remove its folder; what stays there takes nothing from what the step came to."""
        try:
            step.folder.remove(partial(self._raise_if_late, step.label))
        except (OSError, Interrupted) as error:
            tell(f"{step.folder.path} stays until garbage is collected: {error}")

    def stop(self) -> None:
        """Kill everything that runs and wait until it is gone; nothing runs afterwards.

        To be called from a thread that is not itself in ``run`` (nor from a signal handler).
        """
        with self._changed:
            self._stopped = True
            self._late_at = time.monotonic() + _LAST_SECONDS
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

    def _raise_if_late(self, label: str) -> None:
        """Like that, but leave a moment for what a stopped step has to clear."""
        if time.monotonic() > self._late_at:
            self._raise_if_stopped(label)

    @contextmanager
    def _owner(self, label: str, *, shared: bool) -> Iterator[Identity | None]:
        """Whom a step runs as outside; steps with an accelerator share its files' owner."""
        if self._ids is None:
            yield None
            return
        take = self._ids.shared if shared else self._ids.own
        with take(partial(self._raise_if_stopped, label)) as owner:
            yield owner

    def _run(
        self, step: _Step, tell: Callable[[str], None], accelerators: Mapping[str, str]
    ) -> tuple[Outcome, InputTrees]:
        """What it came to, and the trees that it saw."""
        wanted = partial(self._raise_if_stopped, step.label)
        for mount in step.action.mounts:
            if mount.writable:
                target = os.path.join(step.folder.reach, mount.path)
                step_folder.copy(self._tree_at(mount.tree), target, step.owner, wanted)
        with ExitStack() as stack:
            layers = self._layers(step, accelerators, stack)
            refusals: list[SandboxError] = []
            for trees, used in self._ways(step, layers, wanted):
                done = self._attempt(step, tell, trees, used)
                if isinstance(done, Outcome):
                    if layers and not used:
                        self._was_slower(str(refusals[0]))
                    return done, trees
                refusals.append(done)
        raise refusals[-1]

    def _tree_at(self, root: Digest) -> str:
        """Where an input is; one that is gone says nothing about this machine's sandbox."""
        path = self._store.mountable.path(root)
        if not os.path.isdir(path):
            msg = "an input of the step is not in the store"
            raise StoreError(msg, where=path, hint=advise(Remedy.REPAIR, ", then build again"))
        return path

    def _ways(
        self, step: _Step, layers: Mapping[str, Layer], wanted: Callable[[], None]
    ) -> Iterator[tuple[InputTrees, Mapping[str, Layer]]]:
        """How to start it, the quickest first: overlays of either kind may hinder it."""
        trees = InputTrees.of(step.action.mounts, self._tree_at)
        yield trees, layers
        if layers:
            yield trees, {}
        if trees.inputs:
            yield trees.laid(os.path.join(step.folder.reach, "inputs"), wanted), {}

    def _layers(
        self, step: _Step, accelerators: Mapping[str, str], stack: ExitStack
    ) -> dict[str, Layer]:
        """A step's own layer over each accelerator; none if one cannot be had."""
        wanted = partial(self._raise_if_stopped, step.label)
        layers: dict[str, Layer] = {}
        try:
            for at, folder in accelerators.items():
                over = os.path.join(step.folder.reach, f"over-{len(layers)}")
                mounted = Accelerator(folder, step.owner).mounted(over, wanted)
                layers[at] = stack.enter_context(mounted)
        except OSError as error:
            self._was_slower(str(error))
            return {}
        return layers

    def _was_slower(self, why: str) -> None:
        """Say it once. The next step tries anew: what hindered this one may be gone."""
        with self._changed:
            first, self._told = not self._told, True
        if first:
            self._notice(f"a step ran without its compile cache: {why}")

    def _attempt(
        self,
        step: _Step,
        tell: Callable[[str], None],
        trees: InputTrees,
        layers: Mapping[str, Layer],
    ) -> Outcome | SandboxError:
        """How it ended; or why its command never began, so that it can be tried otherwise."""
        log = StepLog(tell, self._limits.log_bytes)
        ended = self._watched(step, self._launch(step, trees, layers), log)
        if isinstance(ended, SandboxError):
            return ended
        text = log.close()
        exit_code = ended.exit_code
        if not ended.started and not self._stopped:
            return refused(text.decode(errors="replace").strip())
        outcome = Outcome(
            exit_code=exit_code,
            output=None,
            tree=None,
            log=self._store.cas.write(text),
            limit=ended.limit,
            accelerated=bool(layers),
        )
        if exit_code:
            return outcome
        self._keep(step, layers)
        return self._with_output(outcome, step)

    def _keep(self, step: _Step, layers: Mapping[str, Layer]) -> None:
        try:
            for layer in layers.values():
                layer.keep(partial(self._raise_if_stopped, step.label))
        except OSError as error:  # what was compiled is only slower to have again
            self._notice(f"the compile cache did not take what a step compiled: {error}")

    def _launch(self, step: _Step, trees: InputTrees, layers: Mapping[str, Layer]) -> Launch:
        overlays = {at: layer.overlay for at, layer in layers.items()}
        seen = room(step.action, step.folder.reach, trees, overlays)
        seen = evolve(seen, environment={**seen.environment, "jobs": str(self._jobs)})
        command = step.action.command.arguments
        asked, options = staged(self._program, command, step.owner, seen)
        return Launch(request=asked, options=options, seal=self._seal, threshold=self._threshold)

    def _watched(self, step: _Step, launch: Launch, log: StepLog) -> Ended | SandboxError:
        try:
            sandbox = Sandbox(self._keeper, launch)
        except SandboxError as error:
            return error
        except OSError as error:
            msg = f"the sandbox could not be made: {error.strerror}"
            return SandboxError(msg, hint=_SHORT)
        with self._changed:
            self._sandboxes.add(sandbox)
            if self._stopped:
                sandbox.kill()
        try:
            seconds = step.action.timeout
            wanted = partial(self._raise_if_stopped, step.label)
            return Watch(sandbox, log, self._limits, seconds, step.folder.reach, wanted).follow()
        finally:
            with self._changed:
                self._sandboxes.discard(sandbox)

    def _with_output(self, outcome: Outcome, step: _Step) -> Outcome:
        out = os.path.join(step.folder.reach, WORKING_DIRECTORY, OUTPUT)
        try:
            # The step may have put a symlink there, and it would be followed out here.
            if not stat.S_ISDIR(os.lstat(out).st_mode):
                return outcome
        except FileNotFoundError:
            return outcome
        wanted = partial(self._raise_if_stopped, step.label)
        taken = Allowance(self._limits, step.action.timeout, wanted)
        try:
            tree = self._store.capturer.capture(out, taken)
        except (StepError, VerificationError) as error:
            return evolve(outcome, refusal=error)
        except StoreError as error:
            error.details += (f"while the output of {step.label} was taken in",)
            raise
        return evolve(outcome, output=tree.root, tree=Digest.of(tree.encode()), written=tree)
