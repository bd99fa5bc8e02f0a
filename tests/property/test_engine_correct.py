"""What a correct build is, as a statement that runs; held against the engine.

After "Build Systems à la Carte" (Mokhov, Mitchell, Peyton Jones, 2018), for content-addressed
results. Over any history of edits and builds in one store, after each build:

- *correct*: every result equals what its description gives by itself, and what a build in an
  empty store gives;
- *minimal*: no step ran whose script and inputs, by content, had run before; no source was
  fetched that had been.

A statement that nothing can fail proves nothing: two engines with known faults must fail it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator

import pytest
from attrs import evolve, frozen
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from store_parts import with_parts
from workshop import Plain, Workshop, result

from rvbuild.core.action import Outcome
from rvbuild.core.derivation import Derivation
from rvbuild.core.digest import Digest
from rvbuild.core.realisation import Realisation
from rvbuild.stores.memory import MemoryActionCache, MemoryRealisations


@frozen
class Node:
    """A source, a step or a merge; ``needs`` are nodes before it."""

    verb: str
    salt: str
    needs: tuple[int, ...]


Graph = tuple[Node, ...]


@frozen
class History:
    """A graph, and edits of single nodes; after each the nodes ``wanted`` are built."""

    graph: Graph
    edits: tuple[tuple[int, Node], ...]
    wanted: tuple[int, ...]

    def versions(self) -> list[Graph]:
        found = [self.graph]
        for at, node in self.edits:
            found.append((*found[-1][:at], node, *found[-1][at + 1 :]))
        return found


def nodes(at: int) -> st.SearchStrategy[Node]:
    before = st.lists(st.integers(0, at - 1), unique=True, max_size=3) if at else st.just([])
    verbs = st.sampled_from(["source", "join", "parity", "parity", "say", "merge"])
    return st.builds(Node, verbs, st.sampled_from("abc"), before.map(tuple))


@st.composite
def histories(draw: st.DrawFn) -> History:
    size = draw(st.integers(1, 7))
    graph = tuple(draw(nodes(at)) for at in range(size))
    places = draw(st.lists(st.integers(0, size - 1), max_size=5))
    edits = tuple((at, draw(nodes(at))) for at in places)
    wanted = draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=2, unique=True))
    return History(graph, edits, tuple(wanted))


def meaning(graph: Graph, at: int) -> Plain:
    """What a node gives, without any engine."""
    node = graph[at]
    inputs = [meaning(graph, need) for need in node.needs]
    if node.verb == "source":
        return (("data", node.salt.encode()),)
    if node.verb == "merge":
        laid = [(f"{i}/{path}", data) for i, held in enumerate(inputs) for path, data in held]
        return tuple(sorted(laid))
    given = tuple((f"in/{i}", held) for i, held in enumerate(inputs))
    return result(f"{node.verb} {node.salt}", given)


def described(shop: Workshop, graph: Graph) -> list[Derivation]:
    made: list[Derivation] = []
    for at, node in enumerate(graph):
        inputs = [made[need] for need in node.needs]
        if node.verb == "source":
            made.append(shop.source(f"n{at}", node.salt))
        elif node.verb == "merge":
            made.append(shop.merge(f"n{at}", *inputs))
        else:
            made.append(shop.step(f"n{at}", f"{node.verb} {node.salt}", *inputs))
    return made


def results(shop: Workshop, graph: Graph, wanted: tuple[int, ...]) -> list[Plain]:
    made = described(shop, graph)
    built = shop.build(*(made[at] for at in wanted))
    built.refuse_failures()
    return [shop.output(built, made[at]) for at in wanted]


Make = Callable[[str], Workshop]


def check(make: Make, history: History) -> None:
    """The statement."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        shop = make(folder)
        for graph in history.versions():
            found = results(shop, graph, history.wanted)
            assert found == [meaning(graph, at) for at in history.wanted], "not correct"
            assert found == results(Workshop(other), graph, history.wanted), "not as a clean build"
            ran = shop.executor.seen
            assert len(ran) == len(set(ran)), "not minimal: a step ran again"
        fetched = shop.fetcher.fetched
        contents = {node.salt for graph in history.versions() for node in graph}
        assert len(fetched) <= len(contents), "not minimal: a source was fetched again"


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(histories())
def test_the_engine_is_correct_and_minimal(history: History):
    check(Workshop, history)


# ---- engines that the statement must reject


class ByLabel(MemoryRealisations):
    """Remembers results by label: what make(1) does with file names and no times."""

    def __init__(self, shop: Workshop) -> None:
        super().__init__()
        self._shop = shop
        self._by_label: dict[str, Realisation] = {}

    def realisations(self, derivation: str, **_: object) -> Iterator[Realisation]:
        held = self._by_label.get(self._shop.known[derivation].label)
        if held:
            yield evolve(held, key=evolve(held.key, hash=derivation))

    def register(self, realisation: Realisation) -> None:
        super().register(realisation)
        self._by_label[self._shop.known[realisation.derivation].label] = realisation


class Forgetful(MemoryActionCache):
    """Keeps no outcomes by content: no early cutoff."""

    def record(self, action: Digest, outcome: Outcome, *, accelerated: bool) -> None:
        """Do nothing."""


class Hasty(MemoryActionCache):
    """Takes the outcome of any action with the same script, whatever its inputs were."""

    def __init__(self) -> None:
        super().__init__()
        self.last: Outcome | None = None

    def record(self, _: Digest, outcome: Outcome, **__: bool) -> None:
        self.last = outcome

    def outcome(self, _: Digest, **__: bool) -> Outcome | None:
        return self.last


def faulty(folder: str, parts: Callable[[Workshop], dict[str, object]]) -> Workshop:
    shop = Workshop(folder)
    shop.store = shop.executor.store = with_parts(shop.store, **parts(shop))
    return shop


def stale(folder: str) -> Workshop:
    return faulty(folder, lambda shop: {"realisations": ByLabel(shop)})


def forgetful(folder: str) -> Workshop:
    return faulty(folder, lambda _: {"action_cache": Forgetful()})


def hasty(folder: str) -> Workshop:
    return faulty(folder, lambda _: {"action_cache": Hasty()})


@pytest.mark.parametrize(
    ("make", "says"),
    [(stale, "not correct"), (hasty, "not correct"), (forgetful, "not minimal: a step")],
)
def test_the_statement_rejects_engines_with_known_faults(make: Make, says: str):
    @settings(
        max_examples=500,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
    )
    @given(histories())
    def holds(history: History) -> None:
        check(make, history)

    with pytest.raises(AssertionError, match=says):
        holds()


def test_the_meaning_of_an_action_is_its_digest():
    """Two actions of one digest are one to the engine: the digest covers every input."""
    with tempfile.TemporaryDirectory() as folder:
        shop = Workshop(folder)
        made = [
            shop.step("a", "join x", shop.source("s", "1")),
            shop.step("a", "join x", shop.source("s", "2")),
            shop.step("a", "join y", shop.source("s", "1")),
            shop.step("a", "join x", shop.source("s", "1"), timeout=61),
            shop.step("a", "join x", shop.source("s", "1"), environment=(("A", "1"),)),
        ]
        shop.build(*made)
        actions = {key for key, _ in shop.store.action_cache._outcomes}
        assert len(actions) == len(made)
