"""What every executor does, proved over each of them, and over the fake that other tests use."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from attrs import evolve, field, frozen
from workshop import LINUX, FakeExecutor

from rvbuild.core.action import Action, Command, Mount, Outcome, input_root
from rvbuild.core.digest import Digest
from rvbuild.core.errors import Interrupted, RvbuildError, StoreError, VerificationError
from rvbuild.core.ports.executor import Executor
from rvbuild.core.tree import File, Tree
from rvbuild.stores.local import LocalStore
from rvbuild.stores.memory import MemoryStore

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
from sandboxes import Bench

PATIENCE = 60
"""Seconds after which a test gives up what should happen at once."""

_SHELL = {
    "say": 'echo "{1}"; printf %s "{1}" > $out/data',
    "join": 'echo "{0} {2}"; cat /in/*/data > $out/data; printf %s "{1}" >> $out/data',
    "fail": 'echo "{0} {2}"; exit {1}',
    "nothing": 'echo "{0} {2}"; rm -rf $out',
    "program": 'echo "{0} {2}"; mkdir $out/bin; echo "#!/bin/sh" > $out/bin/x; chmod +x $out/bin/x',
    "refuse": 'echo "{0} {2}"; mkfifo $out/fifo',
    "forever": 'echo "{0} {2}"; sleep 600',
}
"""The verbs of ``workshop`` as a shell says them, with verb, argument and label."""


@frozen(kw_only=True)
class Lab:
    """An executor, its store, and how it is told what to do."""

    executor: Executor
    store: MemoryStore | LocalStore
    words: Callable[[str, str], tuple[str, ...]]
    mounts: tuple[Mount, ...] = ()
    lines: list[str] = field(factory=list)

    def run(
        self,
        script: str,
        *inputs: Digest,
        label: str = "step",
        timeout: int = PATIENCE,
        log: Callable[[str], None] | None = None,
    ) -> Outcome:
        """Run a script of ``workshop`` with inputs at ``in/0``, ``in/1`` and so on."""
        environment = {"PATH": "/usr/bin:/bin", "out": "/build/out"}
        command = Command(
            arguments=self.words(script, label), environment=environment, platform=LINUX
        )
        mounts = tuple(Mount(f"in/{at}", tree) for at, tree in enumerate(inputs))
        action = Action(
            command=command,
            mounts=self.mounts + mounts,
            input_root=input_root((), None),
            timeout=timeout,
        )
        return self.executor.run(action, label, log or self.lines.append, {})

    def input(self, text: str) -> Digest:
        """A tree with one file ``data``."""
        with self.store.trees.new_tree() as writer:
            writer.file("data", [text.encode()])
            return writer.commit().root

    def log(self, outcome: Outcome) -> str:
        return self.store.cas.read(outcome.log).decode()


def _fake(_: Path) -> Lab:
    store = MemoryStore()
    return Lab(executor=FakeExecutor(store), store=store, words=lambda script, _: (script,))


def _shell(script: str, label: str) -> tuple[str, ...]:
    verb, _, argument = script.partition(" ")
    return ("/bin/sh", "-euc", _SHELL[verb].format(verb, argument, label))


def _local(folder: Path) -> Lab:
    bench = Bench.at(folder)
    return Lab(executor=bench.executor, store=bench.store, words=_shell, mounts=bench.mounts)


def _file(text: str, *, executable: bool = False) -> File:
    return File(Digest.of(text.encode()), executable)


def keeps_the_output(lab: Lab) -> None:
    for script, tree in (
        ("say hello", Tree.of({"data": _file("hello")})),
        ("program", Tree.of({"bin": {"x": _file("#!/bin/sh\n", executable=True)}})),
    ):
        outcome = lab.run(script)
        assert (outcome.exit_code, outcome.output, outcome.refusal) == (0, tree.root, None)
        assert lab.store.trees.tree(tree.root) == tree
        assert outcome.tree == Digest.of(tree.encode())
        assert lab.store.cas.read(outcome.tree) == tree.encode()
        assert not outcome.accelerated


def sees_its_inputs_and_no_others(lab: Lab) -> None:
    one, two = lab.input("one"), lab.input("two")
    outputs = [lab.run("join x", *trees).output for trees in ((one,), (two,), (one, two), (one,))]
    assert None not in outputs
    assert outputs[0] == outputs[3]
    assert len(set(outputs)) == 3


def makes_a_failure_an_outcome(lab: Lab) -> None:
    for code in (1, 7, 137):
        outcome = lab.run(f"fail {code}")
        assert (outcome.exit_code, outcome.output, outcome.tree) == (code, None, None)
        assert lab.log(outcome) == "fail step\n"


def leaves_no_output_where_there_is_none(lab: Lab) -> None:
    outcome = lab.run("nothing")
    assert (outcome.exit_code, outcome.output, outcome.refusal) == (0, None, None)


def refuses_an_output_that_is_no_tree(lab: Lab) -> None:
    outcome = lab.run("refuse")
    assert (outcome.exit_code, outcome.output, outcome.tree) == (0, None, None)
    assert isinstance(outcome.refusal, VerificationError)
    assert lab.log(outcome) == "refuse step\n"


def passes_the_log_on_and_keeps_it(lab: Lab) -> None:
    outcome = lab.run("say some words")
    assert lab.lines == ["some words"]
    assert lab.log(outcome) == "some words\n"


def ends_a_step_at_its_time_limit(lab: Lab) -> None:
    outcome = lab.run("forever", timeout=1)
    assert (outcome.exit_code, outcome.output) == (124, None)
    assert lab.log(outcome).startswith("forever step\n")


def runs_nothing_after_stop(lab: Lab) -> None:
    """What runs is interrupted, and so is what comes later."""
    begun = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(lab.run, "forever", log=lambda _: begun.set())
        assert begun.wait(PATIENCE)
        lab.executor.stop()
        with pytest.raises(Interrupted):
            running.result(PATIENCE)
    with pytest.raises(Interrupted):
        lab.run("say late")
    assert lab.lines == []


def says_which_input_is_missing(lab: Lab) -> None:
    """A step does not begin without it, and the machine is not to blame."""
    with pytest.raises(StoreError, match="not in the store"):
        lab.run("join x", lab.input("one"), Digest.of(b"no such tree"))
    assert lab.lines == []


def runs_two_at_once(lab: Lab) -> None:
    """Each goes on only when the other has begun; logs and outputs stay apart."""
    both = threading.Barrier(2)
    lines: dict[str, list[str]] = {"a": [], "b": []}

    def run(label: str) -> Outcome:
        def log(line: str) -> None:
            lines[label].append(line)
            both.wait(PATIENCE)

        return lab.run(f"say {label}", label=label, log=log)

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(run, lines))
    assert lines == {"a": ["a"], "b": ["b"]}
    assert [lab.log(each) for each in outcomes] == ["a\n", "b\n"]
    assert [each.output for each in outcomes] == [Tree.of({"data": _file(n)}).root for n in lines]


Check = Callable[[Lab], None]
CHECKS: list[Check] = [
    keeps_the_output,
    sees_its_inputs_and_no_others,
    makes_a_failure_an_outcome,
    leaves_no_output_where_there_is_none,
    refuses_an_output_that_is_no_tree,
    passes_the_log_on_and_keeps_it,
    ends_a_step_at_its_time_limit,
    runs_nothing_after_stop,
    says_which_input_is_missing,
    runs_two_at_once,
]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    "make", [_fake, pytest.param(_local, marks=pytest.mark.privileged)], ids=["fake", "local"]
)
def test_every_executor(make: Callable[[Path], Lab], check: Check, tmp_path: Path):
    check(make(tmp_path))


# ---- the suite itself


@frozen
class _Faulty:
    """The fake, with a fault in what it is asked or what it says."""

    inner: FakeExecutor

    def asked(self, action: Action) -> Action:
        return action

    def told(self, outcome: Outcome) -> Outcome:
        return outcome

    def run(
        self,
        action: Action,
        label: str,
        log: Callable[[str], None],
        accelerators: Mapping[str, str],
    ) -> Outcome:
        return self.told(self.inner.run(self.asked(action), label, log, accelerators))

    def stop(self) -> None:
        self.inner.stop()


class _Lossy(_Faulty):
    """Names an output that it did not store."""

    def told(self, outcome: Outcome) -> Outcome:
        return evolve(outcome, output=Digest.of(b"lost"))


class _Blind(_Faulty):
    """Mounts no inputs."""

    def asked(self, action: Action) -> Action:
        return evolve(action, mounts=())


class _Content(_Faulty):
    """Takes every end for a good one."""

    def told(self, outcome: Outcome) -> Outcome:
        return evolve(outcome, exit_code=0, refusal=None)


class _Strict(_Faulty):
    """Raises where a step left nothing."""

    def told(self, outcome: Outcome) -> Outcome:
        if outcome.output is None:
            msg = "no output"
            raise VerificationError(msg)
        return outcome


class _Deaf(_Faulty):
    """Says nothing of what a step writes."""

    def run(self, action: Action, label: str, *_: object) -> Outcome:
        return self.inner.run(action, label, lambda _: None, {})


class _Stubborn(_Faulty):
    """Goes on after it was stopped."""

    def run(self, action: Action, *rest: object) -> Outcome:
        try:
            return self.inner.run(action, *rest)  # type: ignore[arg-type]
        except Interrupted:
            return Outcome(exit_code=0, output=None, tree=None, log=Digest.of(b""))


class _Mixed(_Faulty):
    """Has one log for all."""

    def told(self, outcome: Outcome) -> Outcome:
        return evolve(outcome, log=self.inner.store.cas.write(repr(self.inner.ran).encode()))


FAULTS: list[tuple[type[_Faulty], Check]] = [
    (_Lossy, keeps_the_output),
    (_Blind, sees_its_inputs_and_no_others),
    (_Content, makes_a_failure_an_outcome),
    (_Strict, leaves_no_output_where_there_is_none),
    (_Content, refuses_an_output_that_is_no_tree),
    (_Deaf, passes_the_log_on_and_keeps_it),
    (_Content, ends_a_step_at_its_time_limit),
    (_Stubborn, runs_nothing_after_stop),
    (_Blind, says_which_input_is_missing),
    (_Mixed, runs_two_at_once),
]


@pytest.mark.parametrize(("fault", "check"), FAULTS)
def test_the_suite_rejects_an_executor_with_a_known_fault(
    fault: type[_Faulty], check: Check, tmp_path: Path
):
    lab = _fake(tmp_path)
    assert isinstance(lab.executor, FakeExecutor)
    with pytest.raises((AssertionError, KeyError, pytest.fail.Exception, RvbuildError)):
        check(evolve(lab, executor=fault(lab.executor)))


def test_each_check_has_a_fault():
    assert {check for _, check in FAULTS} == set(CHECKS)
