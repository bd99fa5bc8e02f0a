"""Realising: what is run, what is taken from before, and what a failure leaves."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import evolve
from store_parts import with_parts
from workshop import LINUX, PATIENCE, Workshop

from rvbuild.cli.remedies import hint_text
from rvbuild.core.action import Outcome
from rvbuild.core.derivation import Fetch, Input, Merge, OutputRule, Step, refuse_folders
from rvbuild.core.digest import Digest
from rvbuild.core.errors import (
    CheckFailed,
    Interrupted,
    RunFailed,
    StepError,
    UsageError,
    VerificationError,
)
from rvbuild.core.events import Audited, Noticed, Phase, Planned, Progressed, Started, Wrote
from rvbuild.core.finding import Weight
from rvbuild.core.plan import make_plan, nothing_realised
from rvbuild.core.realisation import Origin, Realisation
from rvbuild.core.recipe import ACCELERATORS
from rvbuild.engine.build import build
from rvbuild.engine.realise import Realiser
from rvbuild.kinds.path.source import PathSource
from rvbuild.stores.memory import MemoryLocks, MemoryStore


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(str(tmp_path))


def test_fetch_merge_and_step_end_in_results(shop: Workshop):
    a, b = shop.source("a"), shop.source("b")
    both = shop.merge("both", a, b)
    built = shop.build(shop.step("s", "join x", both))
    (step,) = (task.derivation for task in built.plan.tasks.values() if task.phase is Phase.BUILD)
    seen = (("in/0", (("0/data", b"a"), ("1/data", b"b"))),)
    assert shop.output(built, step) == (("data", b"x" + repr(seen).encode()),)
    assert shop.how() == {"a": "fetched", "b": "fetched", "both": "merged", "s": "built"}
    assert built.errors == {}


def test_events_tell_the_plan_reasons_and_what_was_written(shop: Workshop):
    step = shop.step("s", "say hello", shop.source("a"))
    shop.build(step)
    shop.build(step)
    plans = [event for event in shop.events if isinstance(event, Planned)]
    assert [(each.counts, each.kept) for each in plans] == [
        ({Phase.FETCH: 1, Phase.BUILD: 1}, 0),
        ({}, 1),
    ]
    assert Wrote("s", "hello") in shop.events
    assert Progressed("a", 1, 0) in shop.events
    started = {e.label: e.reason for e in shop.events if isinstance(e, Started)}
    assert started["a"] == "not in the store; s needs it"


def test_a_plan_says_what_a_build_would_do_and_does_nothing(shop: Workshop):
    step = shop.step("s", "say hello", shop.source("a"))
    lookup = Realiser(shop.services).lookup
    for before in (nothing_realised, lookup):
        plan = make_plan(shop.known, [step.digest], before)
        assert [task.derivation.label for task in plan.tasks.values()] == ["a", "s"]
    assert (shop.events, shop.executor.ran) == ([], [])
    shop.build(step)
    assert make_plan(shop.known, [step.digest], lookup).tasks == {}
    assert make_plan(shop.known, [step.digest], nothing_realised).kept == {}


def test_the_action_has_every_input_by_content_and_the_toolbox_at_the_root(shop: Workshop):
    """Its digest is the realisation's, and the root tree is the toolbox with the mounts."""
    tools, data = shop.source("tools"), shop.source("input")
    given = (Input(path="", derivation=tools.digest), Input(path="in/d", derivation=data.digest))
    step = shop.add(
        Step(label="s", inputs_at=given, script="say x", environment=(), timeout=9, platform=LINUX)
    )
    built = shop.build(step)
    found = built.realised[step.digest]
    outcome = shop.store.action_cache.outcome(_action_of(found, shop), accelerated=False)
    assert outcome is not None
    assert outcome.output == found.output
    assert shop.executor.seen == [
        ("say x", (("", (("data", b"tools"),)), ("in/d", (("data", b"input"),))))
    ]


def _action_of(found: Realisation, shop: Workshop) -> Digest:
    (known,) = [key for key, _ in shop.store.action_cache._outcomes if key.hash == found.action]
    return known


def test_what_a_realisation_says(fast: Workshop):
    """How much it is, who made it of what, how long it took, and the bytes of its derivation."""
    source = fast.source("input")
    step = fast.step("s", "say x", source, accelerators=("go",))
    both = fast.merge("m", source, step)
    services = evolve(fast.services, builder="ci-1")
    found = build(fast.known, [both.digest], services, jobs=1).realised
    made = found[step.digest]
    assert (made.files, made.size, made.builder, made.milliseconds) == (1, 1, "ci-1", 1000)
    assert (made.accelerable, made.origin) == (True, Origin())
    assert made.inputs == (found[source.digest].output,)
    assert found[both.digest].inputs == (found[source.digest].output, made.output)
    assert not found[source.digest].accelerable
    for derivation in (source, step, both):
        assert fast.store.realisations.realisation(derivation.digest) == found[derivation.digest]
        assert found[derivation.digest].key == derivation.key
        assert fast.store.cas.read(derivation.key) == derivation.encode()


def test_what_has_nothing_to_do_writes_nothing(shop: Workshop):
    """Not even what is missing: a build with nothing to do costs next to nothing."""
    source = shop.source("input")
    step = shop.step("s", "say x", source)
    shop.build(step).refuse_failures()
    del shop.store.cas._blobs[source.key]
    shop.build(step).refuse_failures()
    assert shop.store.cas.find(source.digest) is None
    shop.build(shop.step("other", "say y", step)).refuse_failures()
    assert shop.store.cas.find(source.digest) == source.key


# ---- what is taken from before


def test_a_step_whose_inputs_come_out_the_same_is_not_run_again(shop: Workshop):
    """Early cutoff: ``parity`` of another source is the same; who uses it is looked up."""
    first = shop.step("p", "parity", shop.source("a", "1"))
    old = shop.step("user", "join x", first)
    before = shop.build(old).realised[old.digest].output
    (held,) = shop.output(shop.build(first), first)
    for other in map(str, range(2, 100)):
        changed = shop.step("p", "parity", shop.source("a", other))
        built = shop.build(changed)
        if shop.output(built, changed) == (held,):
            break
    shop.executor.ran.clear()
    user = shop.step("user", "join x", changed)
    built = shop.build(user)
    assert shop.executor.ran == []
    assert shop.how()["user"] == "reused"
    assert built.realised[user.digest].output == before
    assert user.digest != old.digest
    assert user.digest in built.plan.tasks


def test_another_script_for_the_same_action_is_looked_up_by_content(shop: Workshop):
    """A rule for the outputs is in a step's key and not in its action."""
    shop.build(shop.step("s", "program"))
    rule = OutputRule(name="x", path="bin/x", kind="executable")
    step = shop.step("s", "program", outputs=(rule,))
    built = shop.build(step)
    assert shop.executor.ran == ["s"]
    assert built.realised[step.digest].log is not None


@pytest.mark.parametrize(
    ("answer", "ran"),
    [
        ({}, 1),
        ({"output": None}, 1),
        ({"log": Digest.of(b"sent along"), "inline_log": b"sent along"}, 1),
        ({"output": None, "tree": None}, 2),
        ({"output": None, "tree": Digest.of(b"not in the store")}, 2),
        ({"exit_code": 1}, 2),
    ],
)
def test_answers_as_servers_give_them(shop: Workshop, answer: dict[str, object], ran: int):
    """What an answer leaves out is found, or the step is run."""
    found = shop.build(shop.step("s", "program")).realised
    (made,) = found.values()
    key = _action_of(made, shop)
    outcome = shop.store.action_cache.outcome(key, accelerated=False)
    assert outcome is not None
    shop.store.action_cache.record(key, evolve(outcome, **answer), accelerated=False)
    rule = OutputRule(name="x", path="bin/x", kind="executable")
    step = shop.step("s", "program", outputs=(rule,))
    again = shop.build(step).realised[step.digest]
    assert len(shop.executor.ran) == ran
    assert again.output == made.output
    assert again.log is not None
    assert Digest.of(shop.store.cas.read(again.log)) == again.log


def test_a_recorded_outcome_that_breaks_a_new_rule_is_refused(shop: Workshop):
    shop.build(shop.step("s", "say x"))
    rule = OutputRule(name="x", path="bin/x", kind="executable")
    step = shop.step("s", "say x", outputs=(rule,))
    built = shop.build(step)
    assert isinstance(built.errors[step.digest], VerificationError)
    assert shop.store.realisations.realisation(step.digest) is None
    assert shop.store.failure_logs.failed(step.digest) is not None


def test_a_result_whose_tree_is_gone_is_made_again(shop: Workshop):
    step = shop.step("s", "say x")
    output = shop.build(step).realised[step.digest].output
    del shop.store.trees._trees[output]
    shop.build(step)
    assert shop.executor.ran == ["s", "s"]
    assert shop.store.trees.has_tree(output)


class Elsewhere(MemoryLocks):
    """While a lock is waited for, another process does the work."""

    def __init__(self, done: Callable[[str], None]) -> None:
        super().__init__()
        self._done = done

    @contextmanager
    def lock(self, name: str, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
        with super().lock(name, waiting):
            self._done(name)
            yield


def test_what_another_process_made_meanwhile_is_taken(shop: Workshop, tmp_path: Path):
    step = shop.step("s", "say x")

    def done(name: str) -> None:
        store = shop.store
        if name == step.digest:
            with store.trees.new_tree() as writer:
                writer.file("data", [b"theirs"])
                output = writer.commit().root
            store.realisations.register(Realisation(key=step.key, output=output))

    shop.store = shop.executor.store = with_parts(MemoryStore(str(tmp_path)), locks=Elsewhere(done))
    built = shop.build(step)
    assert shop.executor.ran == []
    assert shop.output(built, step) == (("data", b"theirs"),)
    assert shop.how() == {"s": "reused"}


def test_one_action_runs_once_though_two_derivations_come_to_it_at_once(shop: Workshop):
    """``two`` finds ``one`` running the same action, and waits for what it gives."""
    gate = shop.executor.gate("one")
    waits = threading.Event()
    rule = OutputRule(name="x", path="data", kind="file")
    one, two = shop.step("one", "say x"), shop.step("two", "say x", outputs=(rule,))

    class Locks(MemoryLocks):
        @contextmanager
        def lock(self, name: str, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
            def told(holder: str) -> None:
                waits.set()
                assert waiting is not None
                waiting(holder)

            if name == two.digest:
                assert shop.executor.reached["one"].wait(PATIENCE)
            with super().lock(name, told):
                yield

    shop.store = shop.executor.store = with_parts(MemoryStore(shop.folder), locks=Locks())
    builder = threading.Thread(target=shop.build, args=(one, two))
    builder.start()
    assert waits.wait(PATIENCE)
    gate.set()
    builder.join(PATIENCE)
    assert shop.executor.ran == ["one"]
    assert shop.how() == {"one": "built", "two": "reused"}


# ---- accelerators and releases


@pytest.fixture
def fast(tmp_path: Path) -> Workshop:
    return Workshop(str(tmp_path), accelerators={"go": "/caches/go"})


def released(shop: Workshop) -> Workshop:
    """The same store, building a release."""
    other = Workshop(shop.folder, release=True)
    other.store = other.executor.store = shop.store
    other.known = shop.known
    return other


def test_an_accelerator_marks_what_it_helped_to_make_and_all_that_needs_it(fast: Workshop):
    made = fast.step("made", "say x", accelerators=("go",))
    user = fast.step("user", "join y", made)
    merged = fast.merge("merged", user)
    plain = fast.step("plain", "say z")
    built = fast.build(merged, plain)
    marked = {d: built.realised[d.digest].accelerated for d in (made, user, merged, plain)}
    assert marked == {made: True, user: True, merged: True, plain: False}
    assert fast.executor.folders["made"] == {ACCELERATORS["go"]: "/caches/go"}
    assert fast.executor.folders["user"] == {}


def test_a_release_makes_again_what_was_accelerated_and_no_more(fast: Workshop):
    """The user's action has the same inputs by content: its outcome is pure and stands."""
    made = fast.step("made", "say x", accelerators=("go",))
    user = fast.step("user", "join y", made)
    fast.build(user)
    release = released(fast)
    built = release.build(user)
    assert release.executor.ran == ["made"]
    assert release.executor.folders["made"] == {}
    assert not built.realised[user.digest].accelerated
    assert fast.store.realisations.realisation(user.digest, accelerated=False) is not None
    assert released(fast).build(user).plan.tasks == {}


def test_a_development_build_takes_what_a_release_made(fast: Workshop):
    made = fast.step("made", "say x", accelerators=("go",))
    released(fast).build(made)
    built = fast.build(made)
    assert fast.executor.ran == []
    assert not built.realised[made.digest].accelerated


def test_an_accelerated_outcome_stays_marked(fast: Workshop):
    """Another derivation of the same action takes the outcome, and the mark with it."""
    rule = OutputRule(name="x", path="data", kind="file")
    fast.build(fast.step("made", "say x", accelerators=("go",)))
    other = fast.step("other", "say x", outputs=(rule,), accelerators=("go",))
    built = fast.build(other)
    assert fast.executor.ran == ["made"]
    assert built.realised[other.digest].accelerated


# ---- failures


def test_a_failed_step_keeps_its_log_and_registers_nothing(shop: Workshop):
    step = shop.step("s", "fail 3")
    built = shop.build(shop.step("user", "say x", step))
    error = built.errors[step.digest]
    assert isinstance(error, StepError)
    assert (error.message, error.where) == ("the step failed: exit code 3", "s")
    assert error.details == ("fail s",)
    assert "rvbuild log s" in hint_text(error.hint)
    log = shop.store.failure_logs.failed(step.digest)
    assert log is not None
    assert shop.store.cas.read(log) == b"fail s\n"
    assert shop.store.realisations.realisation(step.digest) is None
    assert shop.executor.ran == ["s"]
    assert shop.how() == {"s": "failed"}
    with pytest.raises(StepError):
        built.refuse_failures()


def test_a_failed_step_is_tried_again_and_its_log_forgotten_once_it_works(shop: Workshop):
    step = shop.step("s", "say x")
    shop.store.failure_logs.record_failure(step.digest, Digest.of(b"old"))
    shop.build(step)
    assert shop.store.failure_logs.failed(step.digest) is None
    bad = shop.step("bad", "fail 1")
    shop.build(bad)
    shop.build(bad)
    assert shop.executor.ran == ["s", "bad", "bad"]


@pytest.mark.parametrize(
    ("script", "facts", "kind", "says"),
    [
        ("fail 124", {}, StepError, "the step failed: exit code 124"),
        ("fail 1", {}, StepError, "the step failed: exit code 1"),
        ("nothing", {}, StepError, "the step left no output"),
        ("refuse", {}, VerificationError, "the output holds a FIFO: 'f'"),
        (
            "say x",
            {"outputs": (OutputRule(name="x", path="y", kind="file"),)},
            VerificationError,
            "its outputs",
        ),
    ],
)
def test_what_a_step_does_wrong(
    shop: Workshop, script: str, facts: dict[str, object], kind: type[Exception], says: str
):
    """Each is an error with the step's name; the log is kept, and nothing is recorded."""
    step = shop.step("s", script, **facts)
    for _ in range(2):
        error = shop.build(step).errors[step.digest]
        assert isinstance(error, kind)
        assert says in str(error)
        assert str(error).startswith("s: ")
        assert shop.store.failure_logs.failed(step.digest) is not None
    assert shop.executor.ran == ["s", "s"]


@pytest.mark.parametrize(
    ("script", "expect", "says"),
    [("fail 1", None, "the check failed: exit code 1"), ("say no", "yes", "does not have 'yes'")],
)
def test_what_a_check_says_no_to(shop: Workshop, script: str, expect: str | None, says: str):
    check = shop.check("c", script, shop.source("x"), expect=expect)
    for _ in range(2):
        error = shop.build(check).errors[check.digest]
        assert isinstance(error, CheckFailed)
        assert says in str(error)
        assert shop.store.failure_logs.failed(check.digest) is not None
    assert shop.executor.ran == ["c", "c"]


def test_what_is_wrong_with_an_output_says_where_to_read_on(shop: Workshop):
    step = shop.step("s", "refuse")
    error = shop.build(step).errors[step.digest]
    assert isinstance(error, VerificationError)
    assert hint_text(error.hint) == "remove it; the whole log: `rvbuild log s`"


def test_an_expected_text_is_looked_for_in_the_whole_log(shop: Workshop):
    tried = shop.source("tried")
    check = shop.check("c", "say seccomp: 2.5", tried, expect="seccomp: ")
    assert shop.build(check).errors == {}
    other = shop.check("c", "say seccomp: 2.5", tried, expect="2.6")
    error = shop.build(other).errors[other.digest]
    assert isinstance(error, CheckFailed)
    assert error.details == ("seccomp: 2.5",)
    assert shop.executor.ran == ["c"]


def test_only_the_last_lines_of_a_log_are_shown(shop: Workshop):
    step = shop.step("s", "fail 1")
    shop.executor.store.cas.write(b"")
    text = "\n".join(f"line {number}" for number in range(40))

    class Long(type(shop.executor)):  # type: ignore[misc]
        def run(self, *arguments: object) -> object:
            outcome = super().run(*arguments)
            return type(outcome)(
                exit_code=1, output=None, tree=None, log=self.store.cas.write(text.encode())
            )

    shop.executor = Long(shop.store)
    error = shop.build(step).errors[step.digest]
    assert isinstance(error, StepError)
    assert error.details == tuple(f"line {number}" for number in range(15, 40))


@pytest.mark.parametrize(("code", "limit", "says"), [
    (153, "", "exit code 153 (SIGXFSZ: a file grew beyond the limit on sizes (`ulimit -f`))"),
    (137, "", "exit code 137 (SIGKILL: the kernel does that where memory runs out)"),
    (132, "", "exit code 132 (SIGILL: an instruction that this processor does not have)"),
    (143, "", "exit code 143 (SIGTERM)"),
    (128, "", "exit code 128"),
    (255, "", "exit code 255"),
    (153, "its log went over 10 bytes", "the step failed: its log went over 10 bytes"),
    (1, "", "exit code 1"),
])  # fmt: skip
def test_a_limit_that_a_step_went_over_is_named(shop: Workshop, code: int, limit: str, says: str):
    """The first is one of the shell that began the build, the second one of the executor."""
    step = shop.step("s", "fail 1")

    class Large(type(shop.executor)):  # type: ignore[misc]
        def run(self, *_: object) -> Outcome:
            log = self.store.cas.write(b"")
            return Outcome(exit_code=code, output=None, tree=None, log=log, limit=limit)

    shop.executor = Large(shop.store)
    error = shop.build(step).errors[step.digest]
    assert isinstance(error, StepError)
    assert error.message.endswith(says)


def test_a_source_that_is_not_to_be_had(shop: Workshop):
    """Independent work goes on with keep_going; errors are in the order of the plan."""
    shop.fetcher.absent = {"a", "b"}
    a, b = shop.source("a"), shop.source("b")
    user, fine = shop.step("user", "say x", a, b), shop.step("fine", "say y")
    built = shop.build(user, fine, keep_going=True)
    assert set(built.errors) == {a.digest, b.digest}
    assert shop.executor.ran == ["fine"]
    with pytest.raises(RunFailed) as caught:
        built.refuse_failures()
    assert list(map(str, caught.value.failures)) == [
        "a: no transport had it",
        "b: no transport had it",
    ]
    assert caught.value.exit_code == 4
    assert set(caught.value.results) == {fine.digest}
    assert shop.store.realisations.realisation(a.digest) is None


def test_trees_that_do_not_fit_together(shop: Workshop):
    a, b = shop.source("a"), shop.source("b")
    both = shop.add(Merge(label="both", parts=(("", a.digest), ("", b.digest))))
    error = shop.build(both).errors[both.digest]
    assert isinstance(error, VerificationError)
    assert "data" in str(error)


# ---- stopping


def interrupt() -> None:
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


def test_interrupt_kills_what_runs_and_keeps_what_is_done(shop: Workshop):
    first = shop.step("first", "say x")
    held = shop.step("held", "join y", first)
    shop.executor.gate("held")
    pressing = threading.Thread(
        target=lambda: shop.executor.reached["held"].wait(PATIENCE) and interrupt()
    )
    pressing.start()
    with pytest.raises(Interrupted) as caught:
        shop.build(shop.step("after", "say z", held))
    pressing.join(PATIENCE)
    assert caught.value.exit_code == 130
    assert shop.how() == {"first": "built", "held": "stopped"}
    assert shop.store.realisations.realisation(first.digest) is not None
    assert shop.store.realisations.realisation(held.digest) is None
    assert shop.store.failure_logs.failed(held.digest) is None


def test_a_failure_stops_fetches_at_their_next_bytes(shop: Workshop):
    """The fetch waits until the step has failed and everything was told to stop."""
    reached = threading.Event()

    def during(_label: str) -> None:
        reached.set()
        assert shop.executor.stopped.wait(PATIENCE)

    shop.fetcher.during = during
    a = shop.source("a")
    gate = shop.executor.gate("s")
    step = shop.step("s", "fail 1")
    opener = threading.Thread(target=lambda: reached.wait(PATIENCE) and gate.set())
    opener.start()
    built = shop.build(step, a)
    opener.join(PATIENCE)
    assert list(built.errors) == [step.digest]
    assert shop.how() == {"a": "stopped", "s": "failed"}
    assert shop.store.realisations.realisation(a.digest) is None


def test_interrupt_ends_the_wait_for_another_process(shop: Workshop):
    """Somebody else holds the derivation's lock for as long as the test likes."""
    step = shop.step("s", "say x")
    with shop.store.locks.lock(step.digest):
        waits = threading.Event()
        pressing = threading.Thread(target=lambda: waits.wait(PATIENCE) and interrupt())
        pressing.start()
        store = shop.store

        class Locks(MemoryLocks):
            @contextmanager
            def lock(
                self, name: str, waiting: Callable[[str], None] | None = None
            ) -> Iterator[None]:
                def told(holder: str) -> None:
                    waits.set()
                    assert waiting is not None
                    waiting(holder)

                with store.locks.lock(name, told):
                    yield

        shop.store = with_parts(MemoryStore(shop.folder), locks=Locks())
        with pytest.raises(Interrupted):
            shop.build(step)
        pressing.join(PATIENCE)
    assert shop.executor.ran == []
    assert shop.how() == {"s": "stopped"}
    notices = [event.text for event in shop.events if isinstance(event, Noticed)]
    assert notices == ["another thread works on it: waiting until that is done"]


def test_a_run_that_waits_for_itself_says_nothing(shop: Workshop):
    """Two steps that are one action: the second waits until the first has run."""
    gate = shop.executor.gate("a")
    store = shop.store

    class Locks(MemoryLocks):
        @contextmanager
        def lock(self, name: str, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
            def told(holder: str) -> None:
                assert waiting is not None
                waiting(holder)
                gate.set()

            with store.locks.lock(name, told):
                yield

    shop.store = with_parts(store, locks=Locks())
    tried = shop.source("tried")
    a, b = (shop.check(name, "say a b", tried, expect=name) for name in ("a", "b"))
    shop.executor.gates["b"], shop.executor.reached["b"] = gate, shop.executor.reached["a"]
    assert shop.build(a, b).errors == {}
    assert {shop.how()[name] for name in ("a", "b")} == {"built", "reused"}
    assert [event for event in shop.events if isinstance(event, Noticed)] == []


def test_what_says_nothing_of_what_it_needs_is_told_and_kept(shop: Workshop):
    """Once, when it is built; a result that is kept is not looked at again."""
    rule = OutputRule(name="x", path="bin/x", kind="executable", architecture="amd64")
    step = shop.step("s", "compiled", outputs=(rule,))
    for _ in range(2):
        assert shop.build(step).errors == {}
    (told,) = (event for event in shop.events if isinstance(event, Audited))
    assert told.label == "s"
    (finding,) = told.findings
    assert (finding.path, finding.weight) == ("bin/x", Weight.UNKNOWN)


def test_refused_outputs_are_looked_at_again_where_only_a_declaration_changed(shop: Workshop):
    """The step is not run for it; the same step is, each time: it may come out otherwise."""
    wrong = OutputRule(name="x", path="bin/x", kind="executable", architecture="arm64")
    refused = shop.step("s", "compiled", outputs=(wrong,))
    for _ in range(2):
        assert "it is for amd64, not arm64" in str(
            shop.build(refused).errors[refused.digest].details
        )
    assert shop.executor.ran == ["s", "s"]
    right = shop.step("s", "compiled", outputs=(evolve(wrong, architecture="amd64"),))
    assert shop.build(right).errors == {}
    assert shop.how()["s"] == "reused"
    assert shop.executor.ran == ["s", "s"]
    elsewhere = shop.step("s", "compiled", outputs=(evolve(wrong, path="bin/y"),))
    assert "not there" in str(shop.build(elsewhere).errors[elsewhere.digest].details)
    assert shop.executor.ran == ["s", "s"]


def test_refused_outputs_with_a_path_of_this_machine_are_not_kept(shop: Workshop):
    """Another machine does not look for that path, and may be given the same record."""
    shop.forbidden = (b"/this/machine/",)
    for name in ("x", "y"):
        rule = OutputRule(name=name, path="data", kind="file")
        step = shop.step("s", "say /this/machine/store", outputs=(rule,))
        error = shop.build(step).errors[step.digest]
        assert "/this/machine/ is inside" in str(error.details)
    assert shop.executor.ran == ["s", "s"]
    shop.forbidden = ()
    other = shop.step("s", "say /this/machine/store")
    assert shop.build(other).errors == {}
    assert shop.executor.ran == ["s", "s", "s"]


def test_nothing_wanted_is_nothing_done(shop: Workshop):
    built = build({}, [], shop.services, jobs=1)
    assert (built.realised, built.errors) == ({}, {})
    built.refuse_failures()


def test_a_release_is_not_made_of_folders(shop: Workshop):
    """Not even where their result is in the store already."""
    folder = shop.add(Fetch(source=PathSource(path="/home/me/x", digest="d")))
    step = shop.step("s", "say x", folder)
    with pytest.raises(UsageError) as caught:
        released(shop).build(step)
    assert str(caught.value.where) == "/home/me/x"
    assert shop.executor.ran == []


def test_folders_can_be_refused_before_there_is_a_store(shop: Workshop):
    shop.step("s", "say x", shop.source("a"))
    refuse_folders(shop.known.values())
    shop.add(Fetch(source=PathSource(path="/home/me/x", digest="d")))
    with pytest.raises(UsageError):
        refuse_folders(shop.known.values())
