"""The scheduler: order, how much at once, failures, ^C. No sleeps: threads meet at events."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping

import pytest
from workshop import LINUX, PATIENCE

from rvbuild.core.derivation import Derivation, Fetch, Input, Step
from rvbuild.core.errors import Damaged, Interrupted, SubstituteError
from rvbuild.core.plan import Plan, Task, make_plan
from rvbuild.core.source import Files
from rvbuild.engine.schedule import Replan, Scheduler


def step(label: str, *inputs: Derivation) -> Step:
    return Step(
        label=label,
        inputs_at=tuple(Input(path=f"in/{i}", derivation=d.digest) for i, d in enumerate(inputs)),
        script=label,
        environment=(),
        timeout=1,
        platform=LINUX,
    )


def fetch(label: str) -> Fetch:
    return Fetch(source=Files(label=label, files=((label, b"", False),)))


def plan(*derivations: Derivation) -> Plan:
    """A plan for all of them."""
    table = {each.digest: each for each in derivations}
    return make_plan(table, table, lambda _digest: None)


class Stop:
    """Counts calls; blocked work waits for ``asked``."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        self.asked.set()


def run(
    given: Plan, work: Callable[[str], None], *, jobs: int = 2, keep_going: bool = False
) -> tuple[dict[str, Exception], Stop]:
    """Run with work by label; errors by label."""
    stop = Stop()

    def by_label(task: Task) -> None:
        work(task.derivation.label)

    scheduler = Scheduler(given, by_label, jobs=jobs, keep_going=keep_going)
    errors = scheduler.run(stop)
    return {given.tasks[digest].derivation.label: e for digest, e in errors.items()}, stop


def test_everything_runs_once_and_after_its_inputs():
    a, b = fetch("a"), step("b")
    c, d = step("c", a, b), step("d", a)
    e = step("e", c, d, b)
    ended: list[str] = []
    errors, stop = run(plan(a, b, c, d, e), ended.append, jobs=4)
    assert sorted(ended) == list("abcde")
    for user, needs in (("c", "ab"), ("d", "a"), ("e", "bcd")):
        assert all(ended.index(need) < ended.index(user) for need in needs)
    assert (errors, stop.calls) == ({}, 0)


def test_an_input_that_is_named_twice_is_waited_for_once():
    a = step("a")
    ended: list[str] = []
    run(plan(a, step("b", a, a)), ended.append)
    assert ended == ["a", "b"]


def test_nothing_to_do_is_done():
    assert run(plan(), lambda _label: None)[0] == {}


def test_as_many_steps_at_once_as_there_are_jobs():
    """Three meet at a barrier that opens for three; a fourth is never among them."""
    barrier = threading.Barrier(3)
    inside: set[str] = set()
    most: list[int] = []

    def work(label: str) -> None:
        inside.add(label)
        most.append(len(inside))
        barrier.wait(PATIENCE)
        inside.discard(label)
        barrier.wait(PATIENCE)

    errors, _ = run(plan(*map(step, "abcdef")), work, jobs=3)
    assert errors == {}
    assert max(most) == 3


def test_fetches_do_not_wait_for_a_core():
    """One job, held by a step that ends only when sixteen fetches run beside it."""
    fetches = [fetch(f"f{number}") for number in range(16)]
    barrier = threading.Barrier(17)
    errors, _ = run(
        plan(step("s"), *fetches), lambda _label: barrier.wait(PATIENCE) and None, jobs=1
    )
    assert errors == {}


def test_a_user_starts_while_unrelated_work_runs():
    """No levels: ``slow`` ends only when the user of ``quick`` has run."""
    quick, slow = step("quick"), step("slow")
    user_ran = threading.Event()

    def work(label: str) -> None:
        if label == "slow":
            assert user_ran.wait(PATIENCE)
        elif label == "user":
            user_ran.set()

    errors, _ = run(plan(slow, quick, step("user", quick)), work)
    assert errors == {}


def test_a_failure_stops_what_runs_and_starts_nothing_more():
    other_runs, stop_seen = threading.Event(), threading.Event()
    bad, other = step("bad"), step("other")
    given = plan(bad, other, step("user", bad), *(step(f"later{i}") for i in range(50)))
    ran: list[str] = []
    stop = Stop()

    def work(task: Task) -> None:
        ran.append(task.derivation.label)
        if task.derivation.label == "other":
            other_runs.set()
            assert stop.asked.wait(PATIENCE)
            stop_seen.set()
            msg = "stopped"
            raise Interrupted(msg)
        assert other_runs.wait(PATIENCE)
        msg = "broken"
        raise ValueError(msg)

    errors = Scheduler(given, work, jobs=2, keep_going=False).run(stop)
    assert [str(error) for error in errors.values()] == ["broken"]
    assert list(errors) == [bad.digest]
    assert stop.calls == 1
    assert stop_seen.is_set()
    assert "user" not in ran
    assert sorted(ran) == ["bad", "other"]


def test_what_failed_by_itself_while_a_failure_ended_the_run_is_told():
    """It was said to have failed; what was stopped, and what ended well, is no failure."""
    labels = ("broken", "late", "stopped", "fine")
    together, stop = threading.Barrier(len(labels)), Stop()
    given = plan(*map(step, labels))

    def work(task: Task) -> None:
        label = task.derivation.label
        together.wait(PATIENCE)
        if label != "broken":
            assert stop.asked.wait(PATIENCE)
        if label == "stopped":
            raise Interrupted(label)
        if label != "fine":
            raise ValueError(label)

    errors = Scheduler(given, work, jobs=len(labels), keep_going=False).run(stop)
    assert sorted(map(str, errors.values())) == ["broken", "late"]


def test_keep_going_does_all_that_does_not_need_what_failed():
    bad, worse, good = step("bad"), step("worse"), step("good")
    needs_bad = step("needs bad", bad, good)
    given = plan(bad, worse, good, needs_bad, step("deeper", needs_bad), step("fine", good))
    ran: list[str] = []

    def work(label: str) -> None:
        ran.append(label)
        if label in {"bad", "worse"}:
            raise ValueError(label)

    errors, stop = run(given, work, keep_going=True)
    assert sorted(ran) == ["bad", "fine", "good", "worse"]
    assert {label: str(error) for label, error in errors.items()} == {
        "bad": "bad",
        "worse": "worse",
    }
    assert stop.calls == 0


class Lost:
    """Runs a plan in which ``lost`` is lost, and ``top`` needs it; what ran, and the errors."""

    def __init__(self, replan: Replan | None) -> None:
        self.lost = step("lost")
        self.ran: list[str] = []
        given = plan(self.lost, step("top", self.lost), step("other"))
        scheduler = Scheduler(given, self._work, jobs=1, keep_going=True, replan=replan)
        self.errors = scheduler.run(lambda: None)

    def _work(self, task: Task) -> None:
        if task.derivation.label == "lost" and "other" not in self.ran:
            self.ran.append("other")
            msg = "no cache has it any more"
            raise SubstituteError(msg)
        self.ran.append(task.derivation.label)


def test_what_somebody_else_made_of_a_lost_offer_is_there_for_who_needs_it():
    run = Lost(lambda _lost: {})
    assert run.ran == ["other", "other", "top"]
    assert not run.errors


def test_an_error_while_planning_again_is_that_of_the_lost_one():
    def replan(_lost: str) -> Mapping[str, Task]:
        msg = "the output was changed"
        raise Damaged(msg)

    run = Lost(replan)
    assert run.ran == ["other", "other"]
    assert [(digest, str(e)) for digest, e in run.errors.items()] == [
        (run.lost.digest, "the output was changed")
    ]


def test_where_nothing_is_made_what_is_lost_has_failed():
    run = Lost(None)
    assert run.ran == ["other", "other"]
    assert [str(error) for error in run.errors.values()] == ["no cache has it any more"]


def test_interrupt_stops_what_runs():
    """^C reaches the main thread while it waits; the step ends because it is told to."""
    stop = Stop()
    ended: list[str] = []

    def work(task: Task) -> None:
        if task.derivation.label == "b":
            main = threading.main_thread().ident
            assert main is not None
            signal.pthread_kill(main, signal.SIGINT)
            assert stop.asked.wait(PATIENCE)
        ended.append(task.derivation.label)

    a = step("a")
    b = step("b", a)
    with pytest.raises(KeyboardInterrupt):
        Scheduler(plan(a, b, step("c", b)), work, jobs=1, keep_going=False).run(stop)
    assert stop.calls == 1
    assert ended == ["a", "b"]


def test_what_is_no_error_of_a_task_ends_the_run():
    stop = Stop()

    def work(_task: Task) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        Scheduler(plan(step("a")), work, jobs=1, keep_going=True).run(stop)
    assert stop.calls == 1


def test_a_chain_of_thousands_is_no_recursion():
    chain = [step("0")]
    for number in range(1, 3000):
        chain.append(step(str(number), chain[-1]))
    ended: list[str] = []
    errors, _ = run(plan(*chain), ended.append)
    assert errors == {}
    assert ended == [str(number) for number in range(3000)]
