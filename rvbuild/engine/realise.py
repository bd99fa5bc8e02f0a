"""Gives one derivation its output: fetches, merges or runs, and registers what came.

Knows: the ports, and when a result may be taken from the store instead.
Must not know: order, concrete adapters, the screen.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from attrs import define, evolve, field, frozen

from rvbuild.core.action import Action, Command, Mount, Outcome, input_root
from rvbuild.core.derivation import Derivation, Fetch, Merge, Step
from rvbuild.core.digest import Digest
from rvbuild.core.errors import (
    Interrupted,
    StepError,
    SubstituteError,
    VerificationError,
)
from rvbuild.core.events import Audited, Finished, Noticed, Progressed, Reporter, Started, Wrote
from rvbuild.core.finding import Finding
from rvbuild.core.offer import Offer
from rvbuild.core.plan import Task, tried_by
from rvbuild.core.ports.auditor import ImageAudit
from rvbuild.core.ports.clock import Clock
from rvbuild.core.ports.executor import Executor
from rvbuild.core.ports.fetcher import Sources
from rvbuild.core.ports.store import Store
from rvbuild.core.ports.substitutes import Substitutes
from rvbuild.core.realisation import Realisation
from rvbuild.core.recipe import ACCELERATORS
from rvbuild.core.source import Source
from rvbuild.core.tree import Directory, Tree, file_at
from rvbuild.engine.lookup import Accepts, StoreLookup, accept_all
from rvbuild.engine.outputs import Inspection, inspect_outputs, refuse_faults
from rvbuild.engine.pull import pull_tree
from rvbuild.engine.step_end import output_of


def tell_nobody(_derivation: str) -> None:
    """A ``made`` for whoever wants nothing of results."""


@frozen(kw_only=True)
class Services:
    """The adapters that realising uses, and how.

    ``accelerators`` are host folders by accelerator name; empty for release builds.
    ``builder`` is the name under which results are registered, and preferred. ``variant``: a
    target's name alone does not lead to these derivations, since something stands for an input.
    ``pull``: nothing is made; what no cache has is an error, and ``unasked`` is why no cache is
    asked, if none is. ``accepts`` says whether a result that the store has from others may be used.
    ``made`` is told of the digest of each derivation that was made here, when its result is
    registered.
    """

    store: Store
    sources: Sources
    executor: Executor
    report: Reporter
    clock: Clock
    audit_image: ImageAudit
    substitutes: Substitutes | None = None
    accepts: Accepts = accept_all
    made: Callable[[str], None] = tell_nobody
    pull: bool = False
    unasked: str = ""
    release: bool = False
    accelerators: Mapping[str, str] = field(factory=dict)
    forbidden: tuple[bytes, ...] = ()
    builder: str = ""
    variant: bool = False


@define
class Realiser:
    """Does one task at a time in each of many threads.

    Attributes:
        services: The adapters.
        realised: Realisations by derivation digest; grows while tasks end.
    """

    services: Services
    realised: dict[str, Realisation] = field(factory=dict)
    _stopped: threading.Event = field(factory=threading.Event, init=False)
    _own: set[str] = field(factory=set, init=False)
    _toolboxes: dict[Digest, Directory] = field(factory=dict, init=False)

    @property
    def lookup(self) -> StoreLookup:
        """Finds what is realised already."""
        services = self.services
        return StoreLookup(
            services.store,
            release=services.release,
            builder=services.builder,
            accepts=services.accepts,
        )

    def stop(self) -> None:
        """End what runs; tasks end with Interrupted."""
        self._stopped.set()
        self.services.sources.cancel()
        if self.services.substitutes:
            self.services.substitutes.cancel()
        self.services.executor.stop()

    def __call__(self, task: Task) -> None:
        """Realise a task's derivation and register it.

        Raises:
            RvbuildError: it could not be done; nothing is registered.
        """
        derivation = task.derivation
        services = self.services
        began = services.clock()
        how, loss = "failed", None
        services.report(Started(derivation.label, task.phase, task.reason))
        try:
            with self._alone(derivation.digest, derivation.label):
                found, done = self._reuse_or_realise(task)
            self.realised[derivation.digest] = found
            how = done
        except Interrupted:
            how = "stopped"
            raise
        except SubstituteError as error:
            if not services.pull:  # else nothing is made of it
                how, loss = "lost", error.loss
            raise
        finally:
            seconds = services.clock() - began
            services.report(Finished(derivation.label, task.phase, how, seconds, loss=loss))

    @contextmanager
    def _alone(self, name: str, label: str) -> Iterator[None]:
        """While nobody else works on the same, here or in another process."""
        with self.services.store.locks.lock(name, self._waiter(name, label)):
            self._own.add(name)
            try:
                yield
            finally:
                self._own.discard(name)

    def _waiter(self, name: str, label: str) -> Callable[[str], None]:
        """What to do now and then while another process works on the same; says so once.

        It says nothing where this run does: two checks may be one action.
        """
        holders: set[str] = set()

        def waiting(holder: str) -> None:
            self._raise_if_stopped(f"stopped while {holder} works on it", label)
            if name not in self._own and holder not in holders:
                holders.add(holder)
                text = f"{holder} works on it: waiting until that is done"
                self.services.report(Noticed(label, text))

        return waiting

    def _raise_if_stopped(self, message: str, label: str) -> None:
        if self._stopped.is_set():
            raise Interrupted(message, where=label)

    def _reuse_or_realise(self, task: Task) -> tuple[Realisation, str]:
        derivation = task.derivation
        tries = tried_by(derivation)
        tried = self._output(tries) if tries else None
        found = self.lookup(derivation.digest, tried)  # another process may have done it meanwhile
        if found is not None:
            return found, "reused"
        if task.offer and self.services.substitutes:
            _refuse_other_output(task.offer, tried)
            found = self._substitute(task.offer, derivation.label, self.services.substitutes)
            self.services.store.realisations.register(found)
            return found, "pulled"
        began = self.services.clock()
        made, how = self._realise(derivation)
        made = evolve(
            made,
            builder=self.services.builder,
            milliseconds=round(1000 * (self.services.clock() - began)),
        )
        self.services.store.realisations.register(made)
        self.services.made(derivation.digest)
        return made, how

    def _substitute(self, offer: Offer, label: str, substitutes: Substitutes) -> Realisation:
        """Take a result from a cache: its tree, unless the store has that already."""

        def advance(done: int, total: int) -> None:
            self._raise_if_stopped("stopped while pulling", label)
            self.services.report(Progressed(label, done, total))

        trees = self.services.store.trees
        if not trees.has_tree(offer.output):
            pull_tree(offer, trees, substitutes, advance)
        return offer.realisation()

    def _realise(self, derivation: Derivation) -> tuple[Realisation, str]:
        if isinstance(derivation, Fetch):
            return self._fetch(derivation), "fetched"
        if isinstance(derivation, Merge):
            return self._merge(derivation), "merged"
        return self._run(derivation)

    def _fetch(self, derivation: Fetch) -> Realisation:
        def advance(done: int, total: int) -> None:
            self._raise_if_stopped("stopped while fetching", derivation.label)
            self.services.report(Progressed(derivation.label, done, total))

        with self.services.store.trees.new_tree() as tree:
            self.services.sources.fetch(self._with_files(derivation), tree, advance)
            output = tree.commit()
        return _realisation(derivation, output)

    def _with_files(self, derivation: Fetch) -> Source:
        """The source to fetch, with the files that it is fetched by."""
        place, source = derivation.by, derivation.source
        if place is None:
            return source
        store = self.services.store
        tree = store.trees.tree(self._output(place.derivation)).nested()

        def read(path: str) -> bytes | None:
            file = file_at(tree, path)
            return None if file is None else store.cas.read(file.digest)

        return source.with_files(read, place.path)

    def _merge(self, derivation: Merge) -> Realisation:
        parts = [(path, self._output(digest)) for path, digest in derivation.parts]
        output = self.services.store.trees.merge(parts)
        made = evolve(_realisation(derivation, output), inputs=tuple(root for _, root in parts))
        return made.made_of(self._inputs(derivation))

    def _output(self, digest: str) -> Digest:
        return self.realised[digest].output

    def _inputs(self, derivation: Derivation) -> Iterator[Realisation]:
        return map(self.realised.__getitem__, derivation.inputs)

    # ---- steps

    def action(self, step: Step) -> Action:
        """The step with every input by content; its inputs must be realised."""
        mounts = tuple(
            Mount(given.path, self._output(given.derivation), given.writable)
            for given in step.inputs_at
        )
        toolbox = next((self._toolbox(mount.tree) for mount in mounts if not mount.path), None)
        command = Command(
            arguments=("/bin/sh", "-eu", "-c", step.script),
            environment=dict(step.environment),
            platform=step.platform,
        )
        return Action(
            command=command,
            mounts=mounts,
            input_root=input_root(mounts, toolbox),
            timeout=step.timeout,
        )

    def _toolbox(self, root: Digest) -> Directory:
        """Its uppermost folder. Many steps have the same, and to read all of it takes long."""
        if root not in self._toolboxes:
            self._toolboxes[root] = self.services.store.trees.tree(root).directories[root]
        return self._toolboxes[root]

    def _run(self, step: Step) -> tuple[Realisation, str]:
        action = self.action(step)
        store = self.services.store
        with self._alone(action.digest.hash, step.label):  # it is run once
            outcome, accelerated = self._recorded(step, action)
            how = "reused"
            if outcome is None:
                outcome, accelerated = self._execute(step, action)
                how = "built"
            output, findings = self._inspected(step, outcome)
            if how == "built" and not any(finding.trace for finding in findings):
                store.action_cache.record(action.digest, outcome, accelerated=accelerated)
            self._refuse_faults(step, outcome, findings)
        store.failure_logs.forget_failure(step.digest)
        realisation = evolve(
            _realisation(step, output),
            action=action.digest.hash,
            log=outcome.log,
            accelerated=accelerated,
            accelerable=bool(step.accelerators),
            inputs=tuple(mount.tree for mount in action.mounts),
        )
        return realisation.made_of(self._inputs(step)), how

    def _recorded(self, step: Step, action: Action) -> tuple[Outcome | None, bool]:
        """The recorded outcome of the same action, if it is whole; and whether accelerated.

        One that was refused is an answer for a step with other rules, as one whose recipe declares
        now what was found. The same step runs again: it may come out otherwise.
        """
        for accelerated in (False,) if self.services.release else (False, True):
            found = self.services.store.action_cache.outcome(action.digest, accelerated=accelerated)
            found = self._completed(found) if found else None
            if found and self._was_refused(step, found):
                continue
            if found and found.output and self.services.store.trees.has_tree(found.output):
                self.services.store.mountable.refuse_changed(found.output)
                return found, accelerated
        return None, False

    def _completed(self, found: Outcome) -> Outcome | None:
        """An outcome with what a server may have left out; None: there is no result in it.

        As clients of REAPI have it, an answer that a step went wrong, or without the output that
        was asked for, is no answer: the step is run.
        """
        store = self.services.store
        if found.exit_code or (found.output or found.tree) is None:
            return None
        if found.inline_log is not None:
            store.cas.write(found.inline_log)
        try:
            if found.output or not found.tree:
                return found
            return found.with_root(store.cas.read(found.tree))
        except KeyError:
            return None

    def _execute(self, step: Step, action: Action) -> tuple[Outcome, bool]:
        """Run it; the outcome, and whether an accelerator helped."""
        services = self.services
        folders = {
            ACCELERATORS[name]: services.accelerators[name]
            for name in step.accelerators
            if name in services.accelerators
        }

        def log(line: str) -> None:
            services.report(Wrote(step.label, line))

        outcome = services.executor.run(action, step.label, log, folders)
        return outcome, outcome.accelerated

    def _was_refused(self, step: Step, outcome: Outcome) -> bool:
        """Whether the step's last run failed with this outcome: its log is that of the failure."""
        try:
            return self.services.store.failure_logs.failed(step.digest) == outcome.log
        except VerificationError:  # of the record: it costs a run, no more
            return True

    def _inspected(self, step: Step, outcome: Outcome) -> tuple[Tree, list[Finding]]:
        """The output, and what is to be said of it."""
        store = self.services.store
        with self._failure_kept(step, outcome):
            root = output_of(step, outcome, store.cas, variant=self.services.variant)
            output = outcome.written or store.trees.tree(root)
            return output, inspect_outputs(step, store, output, self._inspection(step.label))

    def _refuse_faults(self, step: Step, outcome: Outcome, findings: list[Finding]) -> None:
        """See that the output is what the step's rules say, and tell what is no fault."""
        with self._failure_kept(step, outcome):
            refuse_faults(step, findings)
        if findings:
            self.services.report(Audited(step.label, tuple(findings)))

    @contextmanager
    def _failure_kept(self, step: Step, outcome: Outcome) -> Iterator[None]:
        """While a step may turn out to have failed: then its log is kept."""
        try:
            yield
        except (StepError, VerificationError):
            self.services.store.failure_logs.record_failure(step.digest, outcome.log)
            raise

    def _inspection(self, label: str) -> Inspection:
        return Inspection(
            forbidden=self.services.forbidden,
            audit_image=self.services.audit_image,
            wanted=partial(self._raise_if_stopped, "stopped while its output was looked at", label),
        )


def _refuse_other_output(offer: Offer, tried: Digest | None) -> None:
    """See that a check is taken only if it passed for the very output that is here.

    Raises:
        SubstituteError: what was offered of it was lost, and came out otherwise here.
    """
    if offer.tried != tried:
        msg = f"it passed for another output, in {offer.cache}, than is here"
        raise SubstituteError(msg, where=offer.statement.label)


def _realisation(derivation: Derivation, output: Tree) -> Realisation:
    """The fact that it has this output, and how large that is."""
    extent = output.extent()
    return Realisation(key=derivation.key, output=output.root, size=extent.size, files=extent.files)
