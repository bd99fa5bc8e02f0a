"""What a machine serves: within a reader's time, whatever else it does."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from attrs import define, field
from signing import private_key
from workspaces import workspace

from rvbuild.app.served_store import ServedStore, served_store
from rvbuild.app.session import Session
from rvbuild.app.targets import link_unedited, targets_of
from rvbuild.caches.names import MARK, realisation_name
from rvbuild.caches.reader_patience import ReaderPatience
from rvbuild.core.derivation import Step
from rvbuild.core.events import silent
from rvbuild.core.public_key import PublicKey
from rvbuild.core.realisation import Realisation
from rvbuild.stores.collect import collect

SOON = 30.0
RECIPE = """\
summary: what {name} says
license: MIT
homepage: https://example.invalid/{name}
version: "1"
kind: tool
inputs: {{build: [{inputs}]}}
build: |
  echo {name} > "$out/it"
outputs:
  it: {{path: it, kind: file}}
"""


@define
class SlowSigner:
    """Signs when it may, by the label of what it signs."""

    public: PublicKey = field(factory=lambda: private_key("me").public)
    gates: dict[str, threading.Event] = field(factory=dict)
    signed: list[str] = field(factory=list)

    def sign(self, data: bytes) -> bytes:
        for label, gate in self.gates.items():
            if f'"label":"{label}"'.encode() in data:
                assert gate.wait(SOON)
                self.signed.append(label)
        return private_key("me").sign(data)


@define
class Machine:
    """A project with the targets ``app`` and ``lib``; app is built from lib."""

    session: Session
    signer: SlowSigner = field(factory=SlowSigner)
    steps: dict[str, Step] = field(init=False)

    def __attrs_post_init__(self) -> None:
        targets = targets_of(self.session, ["app", "lib"])
        _, linked = link_unedited(self.session, targets, checks=True)
        self.steps = {
            name.recipe: linked.derivations[digest]  # type: ignore[misc]
            for name, digest in linked.results.items()
        }

    def build(self, name: str) -> None:
        """Let the store have the result of a step."""
        store = self.session.store
        with store.trees.new_tree() as tree:
            tree.file("it", [name.encode()])
            root = tree.commit().root
        store.cas.write(self.steps[name].encode())
        store.realisations.register(Realisation(key=self.steps[name].key, output=root))

    def show(self, name: str) -> None:
        """Let a link show a target."""
        link = Path(self.session.workspace.store).parent / f"result-{name}"
        self.session.store.roots.add_root(name, self.steps[name].digest, str(link))

    def record(self, name: str) -> str:
        return realisation_name("me", self.steps[name].digest)

    def hold(self, name: str) -> threading.Event:
        """Let a step's record take its time."""
        return self.signer.gates.setdefault(self.steps[name].label, threading.Event())


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    folder = tmp_path / "project"
    for name, inputs in (("lib", ""), ("app", "lib")):
        (folder / "recipes" / name).mkdir(parents=True)
        text = RECIPE.format(name=name, inputs=inputs)
        (folder / "recipes" / name / "recipe.yaml").write_text(text)
    (folder / "rvbuild.lock").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.chdir(folder)
    with closing(Session(workspace(str(folder), str(tmp_path / "store")), silent)) as session:
        yield Machine(session)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def serve(
    machine: Machine, stack: ExitStack, seconds: float = SOON, pause: float = SOON
) -> ServedStore:
    """Serve; readers wait so long in all, on a clock that stands still between questions."""
    store = stack.enter_context(served_store(machine.session, machine.signer))
    store.patience = ReaderPatience(time.monotonic, seconds, pause)
    return store


def has(store: ServedStore, name: str) -> bool:
    fd = store.find(name)
    if fd is not None:
        os.close(fd)
    return fd is not None


def test_a_question_waits_for_nothing_but_its_own_answer(machine: Machine, stack: ExitStack):
    """A large target is packed; a step below another is asked for."""
    for name in ("app", "lib"):
        machine.build(name)
    machine.show("app")
    gate = machine.hold("app")
    store = serve(machine, stack)
    stack.callback(gate.set)
    assert has(store, machine.record("lib"))
    assert machine.signer.signed == []
    gate.set()
    assert has(store, machine.record("app"))


def test_what_is_not_ready_in_a_readers_time_is_not_there_yet(machine: Machine, stack: ExitStack):
    machine.build("app")
    machine.show("app")
    gate = machine.hold("app")
    store = serve(machine, stack, seconds=0.2)
    stack.callback(gate.set)
    assert not has(store, machine.record("app"))
    begin = time.monotonic()
    assert not any(has(store, machine.record("app")) for _ in range(100)), "the time is used up"
    assert time.monotonic() - begin < SOON / 2
    gate.set()
    store.patience = ReaderPatience(time.monotonic, SOON)
    assert has(store, machine.record("app"))


def test_after_a_pause_there_is_time_again(machine: Machine, stack: ExitStack):
    machine.build("app")
    machine.show("app")
    gate = machine.hold("app")
    store = serve(machine, stack, seconds=0.2, pause=0.0)
    stack.callback(gate.set)
    assert not has(store, machine.record("app"))
    threading.Timer(0.05, gate.set).start()
    store.patience.seconds = SOON
    assert has(store, machine.record("app"))


def test_what_is_built_meanwhile_is_served(machine: Machine, stack: ExitStack):
    """Links are looked at when somebody asks for what nobody knew, and linked if they changed."""
    machine.build("lib")
    machine.show("lib")
    store = serve(machine, stack)
    assert (store.targets, has(store, machine.record("app"))) == (("lib",), False)
    snapshot = store._snapshot
    assert not has(store, realisation_name("me", "0" * 64))
    assert store._snapshot is snapshot, "nothing changed, and nothing was linked"
    machine.build("app")
    machine.show("app")
    assert has(store, machine.record("app"))
    assert store.targets == ("app", "lib")


def test_a_step_that_is_not_built_is_not_there(machine: Machine, stack: ExitStack):
    machine.build("app")
    machine.show("app")
    store = serve(machine, stack)
    assert not has(store, machine.record("lib"))
    machine.build("lib")
    assert has(store, machine.record("lib"))


def test_a_collection_leaves_what_is_served(machine: Machine, stack: ExitStack):
    machine.build("lib")
    machine.show("lib")
    store = serve(machine, stack)
    assert has(store, machine.record("lib"))
    left = Path(machine.session.store.layout.tmp) / "left"
    left.mkdir()
    collect(machine.session.store, keep_days=14)
    assert has(store, machine.record("lib"))
    assert not left.exists()
    stack.close()
    assert os.listdir(machine.session.store.layout.tmp) == []


def test_what_was_let_go_is_made_again(machine: Machine, stack: ExitStack):
    machine.build("lib")
    machine.show("lib")
    store = serve(machine, stack)
    assert has(store, machine.record("lib"))
    (pack,) = Path(store.folder).glob("objects/*/*")
    store.most = 0
    machine.build("app")
    machine.show("app")
    assert has(store, machine.record("app"))
    assert not pack.exists()
    store.most = 1 << 20
    assert has(store, machine.record("lib"))
    assert pack.exists()


@pytest.mark.parametrize(
    "name",
    [
        "rvbuild-cache/x",
        "records/other/realisations/ab/" + "ab" * 32,
        "records/me/targets/lib",
        "tmp",
    ],
)
def test_what_is_none_of_ours_is_looked_for_and_not_there(
    machine: Machine, stack: ExitStack, name: str
):
    store = serve(machine, stack)
    assert has(store, MARK)
    assert not has(store, name)
