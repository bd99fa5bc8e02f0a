"""What people read of a cause: a line for each difference, a diff where there are more lines."""

from __future__ import annotations

import pytest
from attrs import evolve
from workshop import LINUX

from rvbuild.cli.cause_text import cause_row, causes_lines, change_text, task_reason
from rvbuild.core.derivation import Input, Step
from rvbuild.core.derivation_diff import Cause, Change
from rvbuild.core.derivation_facts import Aspect
from rvbuild.core.plan import Task, phase_of

A = "a" * 64


def step(label: str, **facts: object) -> Step:
    base: dict[str, object] = {
        "inputs_at": (),
        "script": label,
        "environment": (),
        "timeout": 1,
        "platform": LINUX,
        **facts,
    }
    return Step(label=label, **base)  # type: ignore[arg-type]


def steps(count: int) -> tuple[Step, ...]:
    return tuple(step(f"s{at}") for at in range(count))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (Change(Aspect.ENVIRONMENT, "CC", "gcc", "cc"), "environment CC: gcc -> cc"),
        (Change(Aspect.ENVIRONMENT, "CC", None, "cc"), "environment CC is new: cc"),
        (Change(Aspect.ENVIRONMENT, "CC", "gcc", None), "environment CC is gone: gcc"),
        (Change(Aspect.ENVIRONMENT, "CC", "", "cc"), "environment CC: nothing -> cc"),
        (Change(Aspect.ENVIRONMENT, "CC", None, ""), "environment CC is new: "),
        (Change(Aspect.SOURCE, "", f"strip 1\nurl {A}", "strip 1\nurl b"),
         "content: url aaaaaaaaaaaa… -> url b"),
        (Change(Aspect.SCRIPT, "", "a\nb", "a\nb\nc"), "script: + c"),
        (Change(Aspect.SCRIPT, "", "a\nb", "b"), "script: - a"),
        (Change(Aspect.SCRIPT, "", "a\nb", "c\nd"), "script: 4 lines differ"),
        (Change(Aspect.OUTPUT, "it", None, "a\nb"), "output it: 2 lines differ"),
        (Change(Aspect.INPUT, "in/a", "b 1", "c 1"), "input in/a: b 1 -> c 1"),
        (Change(Aspect.INPUT, "order", "a\nb", "b\na"), "input order: the same in another order"),
        (Change(Aspect.TIMEOUT, "", "1", "2"), "time limit: 1 -> 2"),
        (Change(Aspect.EXPECT, "", None, "ok"), "what its output must say is new: ok"),
        (Change(Aspect.OTHER, "format", "1", "2"), "its form: format: 1 -> 2"),
        (Change(Aspect.PLATFORM, "ISA", "a", "b"), "platform ISA: a -> b"),
        (Change(Aspect.ENVIRONMENT, "X\x1b[2J", "\x07", "b"), "environment X\\x1b[2J: \\x07 -> b"),
        (Change(Aspect.ENVIRONMENT, "X", "a", "z" * 300), f"environment X: a -> {'z' * 200}…"),
    ],
)  # fmt: skip
def test_a_change_is_one_line(change: Change, text: str):
    assert change_text(change) == text


def test_what_is_not_known_any_more_says_where_it_may_be():
    assert "--against CACHE" in change_text(Change(Aspect.UNKNOWN))


def test_differences_of_the_same_steps_stand_together():
    one, two, three = steps(3)
    script = Change(Aspect.SCRIPT, "", "a\nb\nc", "a\nx\nc")
    causes = [
        Cause(change=script, places=(one,), followers=(two, three)),
        Cause(change=Change(Aspect.TIMEOUT, "", "1", "2"), places=(two,), followers=(three,)),
        Cause(
            change=Change(Aspect.ENVIRONMENT, "A", "1", "2"), places=(one,), followers=(two, three)
        ),
        Cause(change=Change(Aspect.TIMEOUT, "", "3", "4"), places=(three,), followers=()),
    ]
    assert list(causes_lines(causes)) == [
        "",
        "s0",
        "  script: b -> x",
        "     a",
        "    -b",
        "    +x",
        "     c",
        "  environment A: 1 -> 2",
        "  2 steps follow: s1, s2",
        "",
        "s1",
        "  time limit: 1 -> 2",
        "  1 step follows: s2",
        "",
        "s2",
        "  time limit: 3 -> 4",
        "  no other step follows",
    ]


def test_much_is_cut_short():
    change = Change(Aspect.SCRIPT, "", "\n".join(map(str, range(20))), "x")
    cause = Cause(change=change, places=steps(8), followers=steps(8))
    _, labels, _, *diff, last = causes_lines([cause])
    assert labels == "s0, s1, s2, s3, s4, s5 and 2 more"
    assert (len(diff), diff[-1]) == (17, "    … 5 more lines")
    assert last == "  8 steps follow: s0, s1, s2, s3, s4, s5 and 2 more"
    assert len(cause_row(cause)["diff"]) == 21  # type: ignore[arg-type]


def task(derivation: Step, *causes: Cause, reason: str = "no result") -> Task:
    return Task(
        derivation=derivation, phase=phase_of(derivation), reason=reason, causes=tuple(causes)
    )


def test_a_plan_names_the_first_cause_and_who_needs_it():
    one, two, three = steps(3)
    change = Change(Aspect.TIMEOUT, "", "1", "2")
    cause = Cause(change=change, places=(one,), followers=(two, three))
    other = evolve(cause, change=Change(Aspect.TIMEOUT, "", "3", "4"))
    assert task_reason(task(one, cause, reason="x; b needs it")) == "time limit: 1 -> 2; b needs it"
    assert task_reason(task(two, cause)) == "follows from s0: time limit: 1 -> 2"
    assert task_reason(task(two, cause, other)).endswith("1 -> 2, and 1 more")


def test_what_no_cause_is_known_of_keeps_its_reason():
    one = step("s0")
    two = step("s1", inputs_at=(Input(path="in", derivation=one.digest),))
    unknown = Cause(change=Change(Aspect.UNKNOWN), places=(one,), followers=())
    known = evolve(unknown, change=Change(Aspect.TIMEOUT, "", "1", "2"))
    assert task_reason(task(one)) == "no result"
    assert task_reason(task(one, unknown)) == "no result"
    assert task_reason(task(evolve(two, tries=one.digest), known)) == "no result"
