"""What a comparison of closures must say, as a statement that runs.

Of any closure, and any edit of one derivation: the edited one is the only cause, and exactly those
above it follow. A comparison that stops at the first difference, or counts what did not change,
must fail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st
from workshop import LINUX

from rvbuild.core.derivation import Derivation, Fetch, Input, Merge, Step
from rvbuild.core.derivation_diff import Cause, compare
from rvbuild.core.source import Files


@frozen
class Node:
    """A source (without needs), a step, or a merge; ``needs`` are nodes before it."""

    salt: str
    needs: tuple[int, ...]
    merges: bool

    @property
    def edits(self) -> list[Node]:
        """What may become of it: something else in it, or its inputs in another order.

        A merge says nothing but its parts.
        """
        texts = [] if self.needs and self.merges else [evolve(self, salt="another")]
        turned = (*self.needs[1:], *self.needs[:1])
        return texts + ([evolve(self, needs=turned)] if turned != self.needs else [])


Graph = tuple[Node, ...]
Compare = Callable[..., Sequence[Cause]]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, int, Node]:
    """A graph whose last node is above all others, a node to edit, and what becomes of it."""
    size = draw(st.integers(1, 12))
    nodes = [
        Node(
            salt=f"salt {at}",
            needs=tuple(sorted(draw(st.sets(st.integers(0, at - 1), max_size=4)))) if at else (),
            merges=draw(st.booleans()),
        )
        for at in range(size)
    ]
    below = {need for node in nodes for need in node.needs}
    tops = tuple(at for at in range(size) if at not in below)
    nodes.append(Node(salt="top", needs=tops, merges=False))
    edits = [(at, edit) for at, node in enumerate(nodes) for edit in node.edits]
    return tuple(nodes), *draw(st.sampled_from(edits))


def link(graph: Graph) -> list[Derivation]:
    made: list[Derivation] = []
    for at, node in enumerate(graph):
        needs = [(f"in/{need}", made[need].digest) for need in node.needs]
        if not needs:
            files = (("data", node.salt.encode(), False),)
            made.append(Fetch(source=Files(label=f"{at}", files=files)))
        elif node.merges:
            made.append(Merge(label=f"{at}", parts=tuple(needs)))
        else:
            made.append(
                Step(
                    label=f"{at}",
                    inputs_at=tuple(Input(path=path, derivation=each) for path, each in needs),
                    script=node.salt,
                    environment=(("name", f"{at}"),),
                    timeout=1,
                    platform=LINUX,
                )
            )
    return made


def above(graph: Graph, node: int) -> set[int]:
    found = {node}
    for at, each in enumerate(graph):
        if found.intersection(each.needs):
            found.add(at)
    return found - {node}


def says_right(graph: Graph, edited: int, edit: Node, compare_: Compare = compare) -> bool:
    """Whether the comparison of a graph before and after an edit says what it must."""
    then, now = link(graph), link((*graph[:edited], edit, *graph[edited + 1 :]))
    known = {each.digest: each.encode() for each in then}
    current = {each.digest: each for each in now}
    causes = compare_(then[-1].digest, now[-1].digest, known.get, current)
    return [(c.places, set(c.followers)) for c in causes] == [
        ((now[edited],), {now[at] for at in above(graph, edited)})
    ]


@given(graphs())
def test_one_edit_is_one_cause_and_all_above_it_follows(example: tuple[Graph, int, Node]):
    assert says_right(*example)


def only_the_top(former: str, result: str, *_: object) -> list[Cause]:
    """A comparison that does not look below."""
    causes = compare(
        former, result, lambda _: None, {result: Fetch(source=Files(label="", files=()))}
    )
    return list(causes)


def without_the_top(*closures: object) -> list[Cause]:
    """A comparison that forgets one that follows."""
    return [evolve(each, followers=each.followers[:-1]) for each in compare(*closures)]  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [only_the_top, without_the_top])
def test_a_wrong_comparison_fails(wrong: Compare):
    graph = (Node("a", (), False), Node("b", (0,), False), Node("c", (1,), False))
    (edit,) = graph[0].edits
    assert says_right(graph, 0, edit)
    assert not says_right(graph, 0, edit, wrong)
