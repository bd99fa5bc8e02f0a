"""Which results may be used while people build, push, pull, and keys are revoked: as a model says.

Four builders share a cache. Each has a store, a key, and others' keys that it knows. One of them,
mallory, leaves her mark in all that she builds. In each event somebody builds a part of a small
graph under some policy and maybe pushes it, loses a store, or a key is revoked.

- *as the model*: the program keeps, takes and makes exactly what the model does.
- *clean*: who does not know mallory's key, or knows that it was revoked, or needs two keys, never
  gets her mark. For that, nobody asks the model.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Collection

import pytest
from attrs import define, evolve, field, frozen
from faulty_twins import FirstRealisation
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from store_parts import with_parts
from team import Ticks, key_id, member, payload, signed_by
from trust_model import BUILDERS, MALLORY, MARK, Model, Node, Policy
from workshop import FakeExecutor, Plain, Workshop, plain

from rvbuild.caches import testimony
from rvbuild.caches.availability import Lack, find_statement
from rvbuild.caches.names import realisation_name
from rvbuild.caches.shipment import Shipment
from rvbuild.caches.tree_packs import packed_tree
from rvbuild.core.acceptance import Acceptance
from rvbuild.core.derivation import Derivation, Step
from rvbuild.core.digest import Digest
from rvbuild.core.offer import Offer, Offers
from rvbuild.core.ports.callbacks import Advance
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.realisation import Origin, Realisation
from rvbuild.core.statement import REALISATION, Pack, Statement
from rvbuild.core.tree import Tree
from rvbuild.engine.lookup import StoreLookup


@frozen
class Build:
    """Build a node under a policy, and maybe push it with all below it."""

    builder: str
    node: int
    policy: Policy
    push: bool


@frozen
class Revoke:
    """Nobody trusts a key any more."""

    key: str


@frozen
class Lose:
    """A store is lost, as that of a CI job."""

    builder: str


Event = Build | Revoke | Lose


@frozen
class History:
    """What there is to build, which keys each builder knows, and what happens."""

    graph: tuple[Node, ...]
    knows: dict[str, frozenset[str]]
    events: tuple[Event, ...]


POLICIES = (
    Policy(),
    Policy(),
    *(Policy(1, (key,)) for key in BUILDERS),
    Policy(2),
    Policy(2, BUILDERS[:3]),
)


def history(seed: int) -> History:
    """First some build alone and push; then a laptop builds on top of that, and so on.

    What happens has to fit together to matter, so all choices are equally likely: hypothesis would
    rather repeat itself.
    """
    draw = random.Random(seed)  # noqa: S311 - no secret
    graph = random_graph(draw)
    top = len(graph) - 1
    alone = [
        Build(builder, node, Policy(1, (builder,)), push=True)
        for node in range(1, top)
        for builder in BUILDERS
        if not draw.randrange(4)
    ]
    knows = {
        builder: frozenset({builder, *draw.sample(BUILDERS, draw.choice((3, 4, 4)))})
        for builder in BUILDERS
    }
    later = [random_event(draw, top) for _ in range(draw.randint(4, 10))]
    twice = [each for event in later for each in (event, event)[: draw.randint(1, 2)]]
    first = Build("laptop", top, Policy(), push=True)
    return History(graph, knows, (*alone, first, *twice))


def random_graph(draw: random.Random) -> tuple[Node, ...]:
    """A source, steps and merges, and on top a step that needs most of them."""
    graph = [Node("source", "0", ())]
    for at in range(1, draw.randint(4, 6)):
        verb = draw.choice(("join", "join", "join", "parity", "merge"))
        needs = tuple(draw.sample(range(at), draw.randint(1, min(at, 2))))
        if any((it.verb, it.needs) == ("merge", needs) for it in graph):
            verb = "join"  # a merge has no salt: of the same parts it is the same
        graph.append(Node(verb, str(at), needs))
    needs = tuple(draw.sample(range(1, len(graph)), len(graph) * 2 // 3))
    return (*graph, Node("join", str(len(graph)), needs))


def random_event(draw: random.Random, top: int) -> Event:
    who = draw.choice(("laptop", "laptop", *BUILDERS))
    kind = draw.choice((Revoke, Revoke, Lose, *[Build] * 13))
    if kind is Revoke:
        return Revoke(draw.choice(BUILDERS))
    if kind is Lose:
        return Lose(who)
    node = draw.choice((top, top, draw.randint(1, top)))
    return Build(who, node, draw.choice(POLICIES), push=draw.choice((True, False)))


HISTORIES = st.integers(0, 2**32).map(history)


class MarkingExecutor(FakeExecutor):
    """Mallory's: it leaves a mark in each result."""

    def _kept(self, files: Plain, *, executable: bool) -> Tree:
        marked = tuple((path, data + MARK) for path, data in files)
        return super()._kept(marked, executable=executable)


@define
class Board:
    """A cache that has what each key says, and the bytes of trees apart."""

    records: dict[str, bytes] = field(factory=dict)
    contents: dict[Digest, Plain] = field(factory=dict)
    trees: dict[Digest, Tree] = field(factory=dict)

    def record(self, name: str) -> bytes | None:
        return self.records.get(name)

    def missing(self, _objects: Collection[Digest]) -> frozenset[Digest]:
        return frozenset()


@define
class Asked:
    """What one builder takes from the board."""

    board: Board
    policy: Acceptance
    valid: frozenset[str]

    @property
    def left_out(self) -> tuple[str, ...]:
        return ()

    def find(self, derivations: Collection[str]) -> Offers:
        heard = testimony.Testimony(self.policy, frozenset(map(key_id, self.valid)))
        here = member(self.board, Ticks())  # type: ignore[arg-type] - nobody asks it
        for key in BUILDERS if derivations else ():
            for derivation in derivations if key in self.valid else ():
                record = self.board.record(realisation_name(key, derivation))
                if record:
                    heard.add(testimony.Saying(Statement.of(payload(record)), key_id(key), here))
        offers = {derivation: heard.offer(derivation) for derivation in derivations}
        return {derivation: offer for derivation, offer in offers.items() if offer}

    def closure(self, _derivation: str) -> Offers:
        return {}

    def fetch(self, offer: Offer, into: TreeSink, _advance: Advance) -> Tree:
        for path, data in self.board.contents[offer.output]:
            into.file(path, [data], executable=False)
        return self.board.trees[offer.output]

    def cancel(self) -> None:
        """Nothing waits here."""


@define
class World:
    """Four builders, each with a store, and the model beside them."""

    folder: str
    history: History
    board: Board = field(factory=Board)
    shops: dict[str, Workshop] = field(factory=dict)
    model: Model = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.model = Model(self.history.graph, self.history.knows)
        for builder in BUILDERS:
            self.lose(builder)

    def lose(self, builder: str) -> None:
        self.shops[builder] = shop = Workshop(self.folder)
        if builder == MALLORY:
            shop.executor = MarkingExecutor(shop.store)
        self.model.stores[builder] = {}

    def run(self) -> None:
        for event in self.history.events:
            if isinstance(event, Revoke):
                self.model.revoked.add(event.key)
            elif isinstance(event, Lose):
                self.lose(event.builder)
            else:
                self.build(event)

    def accepts(self, policy: Acceptance, made: Realisation, valid_ids: frozenset[str]) -> bool:
        return policy.all_vouched(made.voucher_sets, valid_ids)

    def build(self, event: Build) -> None:
        shop, valid = self.shops[event.builder], self.model.valid(event.builder)
        policy = Acceptance(event.policy.needed, event.policy.keys)
        valid_ids = frozenset(map(key_id, valid))
        shop.accepts = lambda made: self.accepts(policy, made, valid_ids)
        shop.substitutes = Asked(self.board, policy, valid)
        made = described(shop, self.history.graph)
        shop.events.clear()
        built = shop.build(made[event.node], jobs=1)
        built.refuse_failures()
        contents = {digest: plain(shop.store, it.output) for digest, it in built.realised.items()}
        if event.builder != MALLORY and (MALLORY not in valid or policy.needed > 1):
            marked = [data for files in contents.values() for _, data in files if MARK in data]
            assert not marked, "not clean"
        kept = [at for at, it in enumerate(made) if it.digest in built.plan.kept]
        how = dict.fromkeys(kept, "kept")
        for label, end in shop.how().items():
            how[int(label[1:])] = "pulled" if end == "pulled" else "made"
        assert how == self.model.build(event.builder, event.node, event.policy), "not as the model"
        if event.push:
            self.push(event, made)

    def push(self, event: Build, made: list[Derivation]) -> None:
        shop = self.shops[event.builder]
        nodes = below(self.history.graph, event.node)
        for at in nodes:
            found = StoreLookup(shop.store, accepts=shop.accepts)(made[at].digest)
            if found and isinstance(made[at], Step):
                self.say(event.builder, Shipment(label=f"n{at}", realisation=found, checks={}))
        self.model.push(event.builder, nodes, event.policy)

    def say(self, key: str, shipment: Shipment) -> None:
        """What `caches.push` does, without packs."""
        valid_ids = frozenset(map(key_id, self.model.valid(key)))
        shipment = shipment.said_by(key_id(key), valid_ids)
        there = find_statement(
            self.board,  # type: ignore[arg-type] - what is asked of it it has
            key,
            shipment,
            lambda data, _kind, _where: payload(data),
            valid_ids,
        )
        if not isinstance(there, Lack):
            return
        made, store = shipment.realisation, self.shops[key].store
        self.board.contents[made.output] = plain(store, made.output)
        self.board.trees[made.output] = store.trees.tree(made.output)
        statement = Statement(
            derivation=made.key,
            label=shipment.label,
            key=key,
            output=packed_tree(store.trees.tree(made.output), [Pack(made.output, 1)]),
            origin=self.origin(made),
        )
        record = signed_by(key)(REALISATION, statement.encode())
        self.board.records[realisation_name(key, made.derivation)] = record

    def origin(self, made: Realisation) -> Origin:
        """What is said of where a result is from."""
        return made.origin


def described(shop: Workshop, graph: tuple[Node, ...]) -> list[Derivation]:
    """The derivations of a graph; no two are the same, since each salt is another."""
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


def below(graph: tuple[Node, ...], node: int) -> list[int]:
    """A node and all that it needs."""
    found = {node}
    for at in reversed(range(node + 1)):
        if at in found:
            found.update(graph[at].needs)
    return sorted(found)


def check(history: History, make: type[World] = World) -> None:
    with tempfile.TemporaryDirectory() as folder:
        make(folder, history).run()


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(HISTORIES)
def test_what_may_be_used_is_what_the_model_says(history: History):
    check(history)


# ---- worlds that the model must reject


class OwnVouchersOnly(World):
    """What was built here may always be used."""

    def accepts(self, policy: Acceptance, made: Realisation, valid_ids: frozenset[str]) -> bool:
        return made.origin.is_built or policy.is_vouched(made.vouchers, valid_ids)


class AnyVoucher(World):
    """One set that is enough is enough for all."""

    def accepts(self, policy: Acceptance, made: Realisation, valid_ids: frozenset[str]) -> bool:
        sets = made.voucher_sets
        return not sets or any(policy.is_vouched(each, valid_ids) for each in sets)


class SilentStatements(World):
    """Who builds does not say of what."""

    def origin(self, made: Realisation) -> Origin:
        return evolve(made.origin, basis=())


class FirstRecord(World):
    """A record that may not be used hides the next one."""

    def lose(self, builder: str) -> None:
        super().lose(builder)
        shop = self.shops[builder]
        shop.store = shop.executor.store = with_parts(shop.store, realisations=FirstRealisation())


@pytest.mark.parametrize("make", [OwnVouchersOnly, AnyVoucher, SilentStatements, FirstRecord])
def test_the_model_rejects_worlds_with_known_faults(make: type[World]):
    @settings(
        max_examples=500,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(HISTORIES)
    def holds(history: History) -> None:
        check(history, make)

    with pytest.raises(AssertionError, match=r"not clean|not as the model"):
        holds()
