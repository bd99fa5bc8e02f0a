"""The plan: what must run, in an order that works, each with its reason."""

import pytest
from workshop import LINUX

from rvbuild.core.derivation import Input, Merge, Step
from rvbuild.core.derivation_diff import Cause, Change
from rvbuild.core.derivation_facts import Aspect
from rvbuild.core.digest import EMPTY, Digest
from rvbuild.core.events import Phase
from rvbuild.core.plan import make_plan
from rvbuild.core.realisation import Realisation


def step(label: str, *inputs: Step | Merge, tries: str = "") -> Step:
    return Step(
        label=label,
        inputs_at=tuple(Input(path=f"in/{i}", derivation=d.digest) for i, d in enumerate(inputs)),
        script=f"echo {label}",
        environment=(),
        timeout=1,
        platform=LINUX,
        tries=tries,
    )


def graph(*derivations: Step | Merge) -> dict[str, Step | Merge]:
    return {derivation.digest: derivation for derivation in derivations}


def nothing(_: str, _tried: Digest | None = None, /) -> Realisation | None:
    return None


def only(*kept: Step | Merge):
    digests = {derivation.digest for derivation in kept}
    return lambda d, _tried=None: (
        Realisation(key=Digest(d, 0), output=EMPTY) if d in digests else None
    )


def test_inputs_come_first_and_each_once():
    a = step("a")
    b, c = step("b", a), step("c", a)
    d = step("d", b, c)
    plan = make_plan(graph(a, b, c, d), [d.digest, b.digest], nothing)
    assert [task.derivation.label for task in plan.tasks.values()] == ["a", "b", "c", "d"]
    assert plan.counts() == {Phase.BUILD: 4}


def test_below_a_kept_result_nothing_is_looked_at():
    a = step("a")
    b = step("b", a)
    asked = []

    def lookup(digest: str, _tried: Digest | None = None, /) -> Realisation | None:
        asked.append(digest)
        return only(b)(digest)

    plan = make_plan(graph(a, b), [b.digest], lookup)
    assert (list(plan.kept), plan.tasks) == ([b.digest], {})
    assert asked == [b.digest]


def test_reasons_say_what_and_for_whom():
    a = step("a")
    check = step("check 1 of a", a, tries=a.digest)
    plan = make_plan(graph(a, check), [a.digest, check.digest], nothing)
    reasons = {task.derivation.label: task.reason for task in plan.tasks.values()}
    assert "no result for this recipe" in reasons["a"]
    assert reasons["check 1 of a"] == "not checked yet"
    below = make_plan(graph(a, check), [check.digest], nothing)
    assert below.tasks[a.digest].reason.endswith("; check 1 of a needs it")


def test_a_check_tries_one_of_its_inputs():
    a, b = step("a"), step("b")
    assert step("check", a, b, tries=b.digest).is_check
    assert step("check", a, tries=a.digest).digest == step("check", a).digest
    with pytest.raises(ValueError, match="a check of what it does not see"):
        step("check", a, tries=b.digest)


PASSED = [EMPTY, Digest.of(b"another output")]


@pytest.mark.parametrize("output", PASSED)
def test_a_check_is_kept_for_the_output_that_it_passed_for(output: Digest):
    """Else it runs again; so it does where what it tries is not there."""
    a = step("a")
    check = step("check", a, tries=a.digest)

    def lookup(digest: str, tried: Digest | None = None, /) -> Realisation | None:
        made = Realisation(key=Digest(digest, 0), output=output)
        return made if digest == a.digest or tried == EMPTY else None

    plan = make_plan(graph(a, check), [a.digest, check.digest], lookup)
    assert (check.digest in plan.kept) == (output == EMPTY)
    assert plan.kept.keys() | plan.tasks.keys() == {a.digest, check.digest}
    lost = make_plan(graph(a, check), [check.digest], only(check))
    assert [task.derivation for task in lost.tasks.values()] == [a, check]


def test_a_deep_chain_is_no_recursion():
    chain = [step("0")]
    for number in range(1, 10_000):
        chain.append(step(str(number), chain[-1]))
    plan = make_plan(graph(*chain), [chain[-1].digest], nothing)
    assert [task.derivation.label for task in plan.tasks.values()] == [
        str(n) for n in range(10_000)
    ]


def test_what_enters_a_key_and_what_does_not():
    """Labels and accelerators are not part of a key; everything that a step sees is."""
    one = step("a")
    assert Step(**{**fields(one), "label": "b"}).digest == one.digest
    assert Step(**{**fields(one), "accelerators": ("go",)}).digest == one.digest
    for change in (
        {"script": "echo b"},
        {"environment": (("a", "b"),)},
        {"timeout": 2},
        {"expect": "x"},
        {"inputs_at": (Input(path="in/x", derivation="0"),)},
    ):
        assert Step(**{**fields(one), **change}).digest != one.digest
    merge = Merge(label="m", parts=(("", one.digest),))
    assert merge.digest != Merge(label="m", parts=(("a", one.digest),)).digest


def fields(given: Step) -> dict[str, object]:
    return {
        "label": given.label,
        "inputs_at": given.inputs_at,
        "script": given.script,
        "environment": given.environment,
        "timeout": given.timeout,
        "platform": given.platform,
    }


def test_a_plan_with_causes_has_them_at_its_tasks():
    a = step("a")
    b = step("b", a)
    plan = make_plan(graph(a, b), [b.digest], nothing)
    cause = Cause(change=Change(Aspect.SCRIPT, "", "x", "y"), places=(a,), followers=(b,))
    known = plan.with_causes({a.digest: (cause,), "of a kept one": (cause,)})
    assert [task.causes for task in known.tasks.values()] == [(cause,), ()]
    assert [task.reason for task in known.tasks.values()] == [
        task.reason for task in plan.tasks.values()
    ]
