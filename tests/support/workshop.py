"""A small world for the engine, without a sandbox and without a network.

The store is in memory, sources hold their own content, and steps are functions of their action.
A step's script is one line, a verb and its argument:

==================  ==========================================================
``join SALT``       one file ``data``: the salt, and all that the inputs hold
``parity``          one file ``data``: one bit of what the inputs hold
``say TEXT``        writes the text to its log, and to ``data``
``fail CODE``       writes a line, leaves nothing, and ends with that code
``nothing``         ends well and leaves no output
``large NUMBER``    two files that have a pack of their own each, ``a`` as for every other number
``program``         an executable shell script ``bin/x``
``compiled``        an executable ``bin/x`` for amd64, which says nothing of what it needs
``refuse``          ends well and leaves what no tree can hold
``forever``         runs until its time limit
==================  ==========================================================
"""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

from attrs import define, field
from made_program import MadeProgram

from rvbuild.core.action import Action, Outcome
from rvbuild.core.derivation import Derivation, Fetch, Input, Merge, Step
from rvbuild.core.digest import Digest
from rvbuild.core.errors import Interrupted, SourceError, StoreError, VerificationError
from rvbuild.core.events import Event, Finished
from rvbuild.core.platform import Platform
from rvbuild.core.ports.callbacks import Advance
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.ports.substitutes import Substitutes
from rvbuild.core.source import Files, Source
from rvbuild.core.tree import File, Nested, Symlink, Tree
from rvbuild.engine.build import Built, build
from rvbuild.engine.lookup import Accepts, accept_all
from rvbuild.engine.realise import Services
from rvbuild.images.image_audit import audit_image
from rvbuild.stores.memory import MemoryStore

Plain = tuple[tuple[str, bytes], ...]
"""A tree's files, sorted by path."""

D = TypeVar("D", Fetch, Merge, Step)

LINUX = Platform.of("amd64")

LARGE = (1 << 20) + 1
"""Bytes of a file that has a pack of its own."""

PATIENCE = 60
"""Seconds after which a test gives up what should happen at once."""


def result(script: str, inputs: tuple[tuple[str, Plain], ...]) -> Plain:
    """What a step's script leaves, given its inputs by path."""
    verb, _, argument = script.partition(" ")
    held = repr(inputs).encode()
    if verb == "parity":
        return (("data", b"%d" % (hashlib.sha256(held).digest()[0] % 2)),)
    if verb == "large":
        number = int(argument)
        packs = (("a", bytes([number % 2]) * LARGE), ("b", bytes([number]) * LARGE))
        return (*packs, ("data", argument.encode()))
    if verb == "program":
        return (("bin/x", b"#!/bin/sh\n"),)
    if verb == "compiled":
        return (("bin/x", MadeProgram(code=b"\xc3", machine=62).write()),)
    return (("data", argument.encode() + (held if verb == "join" else b"")),)


@define
class FakeExecutor:
    """Runs actions by ``result``; what ran is kept by label, and by everything that it saw.

    ``otherwise`` has scripts by label: a step that does not come out the same for everybody.
    """

    store: MemoryStore
    ran: list[str] = field(factory=list)
    seen: list[tuple[str, tuple[tuple[str, Plain], ...]]] = field(factory=list)
    folders: dict[str, Mapping[str, str]] = field(factory=dict)
    gates: dict[str, threading.Event] = field(factory=dict)
    reached: dict[str, threading.Event] = field(factory=dict)
    stopped: threading.Event = field(factory=threading.Event)
    otherwise: dict[str, str] = field(factory=dict)

    def run(
        self,
        action: Action,
        label: str,
        log: Callable[[str], None],
        accelerators: Mapping[str, str],
    ) -> Outcome:
        script = self.otherwise.get(label, action.command.arguments[-1])
        inputs = self._inputs(action, label)
        self.ran.append(label)
        self.seen.append((script, inputs))
        self.folders[label] = accelerators
        self._wait(label)
        verb, _, argument = script.partition(" ")
        text = argument if verb == "say" else f"{verb} {label}"
        log(text)
        written = self.store.cas.write(f"{text}\n".encode())
        if verb == "forever":
            self.stopped.wait(action.timeout)
            self._wait(label)
            return Outcome(exit_code=124, output=None, tree=None, log=written)
        if verb in {"fail", "nothing"}:
            return Outcome(exit_code=int(argument or 0), output=None, tree=None, log=written)
        if verb == "refuse":
            why = VerificationError("the output holds a FIFO: 'f'", hint="remove it")
            return Outcome(exit_code=0, output=None, tree=None, log=written, refusal=why)
        tree = self._kept(result(script, inputs), executable=verb in {"program", "compiled"})
        encoded = Digest.of(tree.encode())
        fast = bool(accelerators)
        return Outcome(exit_code=0, output=tree.root, tree=encoded, log=written, accelerated=fast)

    def stop(self) -> None:
        self.stopped.set()
        for gate in self.gates.values():
            gate.set()

    def gate(self, label: str) -> threading.Event:
        """Hold the step until the event is set; ``reached[label]`` tells that it is there."""
        self.reached[label] = threading.Event()
        self.gates[label] = threading.Event()
        return self.gates[label]

    def _inputs(self, action: Action, label: str) -> tuple[tuple[str, Plain], ...]:
        try:
            return tuple((mount.path, plain(self.store, mount.tree)) for mount in action.mounts)
        except KeyError as error:
            msg = "an input of the step is not in the store"
            raise StoreError(msg, where=label) from error

    def _wait(self, label: str) -> None:
        if label in self.gates:
            self.reached[label].set()
            assert self.gates[label].wait(PATIENCE)
        if self.stopped.is_set():
            msg = "stopped before it was done"
            raise Interrupted(msg, where=label)

    def _kept(self, files: Plain, *, executable: bool) -> Tree:
        with self.store.trees.new_tree() as writer:
            for path, data in files:
                writer.file(path, [data], executable=executable)
            return self.store.trees.tree(writer.commit().root)


@define
class FakeFetcher:
    """Brings ``Files``; ``absent`` labels are nowhere to be had."""

    fetched: list[str] = field(factory=list)
    absent: set[str] = field(factory=set)
    during: Callable[[str], None] = field(default=lambda _label: None)

    def cancel(self) -> None:
        """Nothing waits here."""

    def fetch(self, source: Source, into: TreeSink, advance: Advance) -> None:
        assert isinstance(source, Files)
        self.fetched.append(source.label)
        self.during(source.label)
        if source.label in self.absent:
            msg = "no transport had it"
            raise SourceError(msg, where=source.label)
        for path, data, executable in source.files:
            into.file(path, (data,), executable=executable)
            advance(len(data), 0)


def plain(store: MemoryStore, root: Digest) -> Plain:
    """A stored tree's files."""
    return tuple(sorted(_files(store, store.trees.tree(root).nested(), "")))


def _files(store: MemoryStore, nested: Nested, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for name, node in nested.items():
        if isinstance(node, File):
            found.append((prefix + name, store.cas.read(node.digest)))
        elif not isinstance(node, Symlink):
            found += _files(store, node, f"{prefix}{name}/")
    return found


@define
class Workshop:
    """One store, and builds in it. ``folder`` is where trees get a path."""

    folder: str
    release: bool = False
    pull: bool = False
    accelerators: Mapping[str, str] = field(factory=dict)
    forbidden: tuple[bytes, ...] = ()
    substitutes: Substitutes | None = None
    accepts: Accepts = accept_all
    store: MemoryStore = field(init=False)
    executor: FakeExecutor = field(init=False)
    fetcher: FakeFetcher = field(factory=FakeFetcher, init=False)
    events: list[Event] = field(factory=list, init=False)
    known: dict[str, Derivation] = field(factory=dict, init=False)
    _ticks: itertools.count[int] = field(factory=itertools.count, init=False)

    def __attrs_post_init__(self) -> None:
        self.store = MemoryStore(self.folder)
        self.executor = FakeExecutor(self.store)

    def source(self, label: str, text: str = "") -> Fetch:
        """A source with one file ``data``."""
        files = Files(label=label, files=(("data", (text or label).encode(), False),))
        return self.add(Fetch(source=files))

    def step(self, label: str, script: str, *inputs: Derivation, **facts: object) -> Step:
        """A step that sees ``inputs`` at ``in/0``, ``in/1`` and so on."""
        given = tuple(
            Input(path=f"in/{at}", derivation=each.digest) for at, each in enumerate(inputs)
        )
        base: dict[str, object] = {"environment": (), "timeout": 60, "platform": LINUX, **facts}
        made = Step(label=label, inputs_at=given, script=script, **base)  # type: ignore[arg-type]
        return self.add(made)

    def check(self, label: str, script: str, tried: Derivation, **facts: object) -> Step:
        """A step that tries a result, which it sees at ``in/0``."""
        return self.step(label, script, tried, tries=tried.digest, **facts)

    def merge(self, label: str, *parts: Derivation) -> Merge:
        """Sources or results, laid at ``0``, ``1`` and so on."""
        laid = tuple((str(at), each.digest) for at, each in enumerate(parts))
        return self.add(Merge(label=label, parts=laid))

    def add(self, derivation: D) -> D:
        """Make a derivation known to the builds."""
        self.known[derivation.digest] = derivation
        return derivation

    @property
    def services(self) -> Services:
        """What builds use."""
        return Services(
            store=self.store,
            sources=self.fetcher,
            executor=self.executor,
            report=self.events.append,
            clock=lambda: float(next(self._ticks)),
            audit_image=audit_image,
            release=self.release,
            pull=self.pull,
            accelerators=self.accelerators,
            forbidden=self.forbidden,
            substitutes=self.substitutes,
            accepts=self.accepts,
        )

    def build(self, *wanted: Derivation, jobs: int = 2, keep_going: bool = False) -> Built:
        """Build; what failed is in the answer."""
        self.executor.stopped.clear()
        digests = [each.digest for each in wanted]
        return build(self.known, digests, self.services, jobs=jobs, keep_going=keep_going)

    def output(self, built: Built, derivation: Derivation) -> Plain:
        """A result's files."""
        return plain(self.store, built.realised[derivation.digest].output)

    def how(self) -> dict[str, str]:
        """How each piece of work ended, by label; the last time if there were several."""
        return {event.label: event.how for event in self.events if isinstance(event, Finished)}
