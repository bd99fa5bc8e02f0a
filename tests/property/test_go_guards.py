"""Guards of Go's code, held against runs of the same code on a processor that lacks everything."""

from __future__ import annotations

from hypothesis import event, given, settings
from hypothesis import strategies as st
from made_go_guards import Step, go_program

from rvbuild.core.audit import audit
from rvbuild.core.derivation import OutputRule
from rvbuild.core.finding import Weight

RULE = OutputRule(name="x", path="x", kind="file", architecture="riscv64")
WRITES = ["c.sub", "c.lw", "c.li", "c.mv", "c.addi", "addi", "ld", "other-byte"]
BRANCHES = ["beqz", "bnez", "c.beqz", "c.bnez"]
OTHERS = ["call", "sd", "nop", "ret", "c.ret", "cpop", "j", "c.j", "flag", "flag"]
CONTROL = [Step("flag"), Step("beqz", to=3), Step("cpop"), Step("ret")]


@st.composite
def functions(draw: st.DrawFn) -> list[Step]:
    """A guard that may be spoilt, and any steps after it."""
    count = draw(st.integers(4, 12))
    names = st.sampled_from(WRITES + BRANCHES * 2 + OTHERS)
    targets = st.integers(0, count)
    registers = st.sampled_from([8, 12])
    guard = [
        Step(draw(st.sampled_from(["flag", "flag", "flag", "other-byte"]))),
        Step(draw(st.sampled_from(["nop", "nop", *WRITES, "call", "sd"])), draw(registers)),
        Step(draw(st.sampled_from(BRANCHES)), to=draw(targets)),
    ]
    steps = [Step(draw(names), draw(registers), draw(targets)) for _ in range(3, count)]
    steps[draw(st.integers(0, len(steps) - 1))] = Step("cpop")
    return [*guard, *steps, Step("ret")]


def reached_without_the_flag(steps: list[Step]) -> set[int]:
    """The steps that some run comes to in which the flag is not set: every way is tried."""
    states = [(0, frozenset[int]())]  # a step, and the registers that are zero like the flag
    seen = set(states)
    while states:
        at, zero = states.pop()
        for state in after(steps[at], at, zero):
            if state not in seen:
                seen.add(state)
                states.append(state)
    return {at for at, _ in seen}


def after(step: Step, at: int, zero: frozenset[int]) -> list[tuple[int, frozenset[int]]]:
    name, register = step.what.removeprefix("c."), step.register
    if step.what in WRITES:
        zero -= {register}
    elif name in {"flag", "call"}:
        zero = zero | {register} if name == "flag" else frozenset()
    is_branch = name in {"beqz", "bnez"}
    goes_on = name not in {"ret", "j"} and not (name == "beqz" and register in zero)
    jumps = name == "j" or (is_branch and not (name == "bnez" and register in zero))
    return [(step.to, zero)] * jumps + [(at + 1, zero)] * goes_on


def is_fault(steps: list[Step]) -> bool:
    return Weight.FAULT in {one.weight for one in audit(RULE, go_program(steps).write())}


@settings(max_examples=1000)
@given(functions())
def test_what_runs_without_the_flag_is_a_fault(steps: list[Step]):
    reached = reached_without_the_flag(steps)
    runs = any(steps[at].what == "cpop" for at in reached)
    event(f"runs without the flag: {runs}, fault: {is_fault(steps)}")
    assert is_fault(steps) or not runs


def test_a_guard_is_none():
    assert not is_fault(CONTROL)
    assert 2 not in reached_without_the_flag(CONTROL)
