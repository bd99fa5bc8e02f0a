"""What a build owes whoever asked, while caches and the store change under it.

Over random graphs, of which others offer something: an offer may be lost, come wrong once, or be
told of again by another record; another process may make anything while somebody is asked. At the
end, always:

- *complete*: each result that was asked for is there and right, or a failure names it or what it
  needs; where nothing can fail, nothing does;
- *bounded*: nobody is asked for a derivation twice, and nothing is fetched once it was lost.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection

from attrs import define, field, frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workshop import Workshop

from rvbuild.core.derivation import Derivation
from rvbuild.core.errors import RvbuildError, SubstituteError, WrongContent
from rvbuild.core.offer import Offer, Offers
from rvbuild.core.plan import tried_by
from rvbuild.core.ports.callbacks import Advance
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.realisation import Realisation
from rvbuild.core.statement import Pack, PackedTree, Statement
from rvbuild.core.tree import Tree
from rvbuild.engine.build import Built


@frozen
class Node:
    """A derivation, what others have of it, and what happens meanwhile.

    Attributes:
        verb: A source, a merge, a check of the first that it needs, or a step's verb.
        needs: Nodes before it.
        is_offered: Whether others say that they have it; of a check, those who have what it tries.
        tells: Nodes that its record tells of, too.
        fetches: What each try to take it gives; then it is lost.
        appears: At which question, of all that are asked, another process has made it; 0: never.
    """

    verb: str
    needs: tuple[int, ...]
    is_offered: bool
    tells: tuple[int, ...]
    fetches: tuple[str, ...]
    appears: int


@frozen
class Scene:
    """A graph, and how what of it is asked for."""

    nodes: tuple[Node, ...]
    wanted: tuple[int, ...]
    pull: bool
    keep_going: bool
    jobs: int


def nodes(at: int, size: int) -> st.SearchStrategy[Node]:
    before = st.lists(st.integers(0, at - 1), unique=True, max_size=3) if at else st.just([])
    verbs = ("join", "join", "join", "source", "merge", "check", "fail")
    return st.builds(
        Node,
        st.sampled_from(verbs),
        before.map(tuple),
        st.sampled_from((True, True, False)),
        st.lists(st.integers(0, size - 1), max_size=2).map(tuple),
        st.sampled_from((("fine",), ("wrong", "fine"), ("wrong",), (), ())),
        st.sampled_from((0, 0, 0, 1, 2, 3, 4, 5)),
    )


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    size = draw(st.integers(1, 7))
    return Scene(
        tuple(draw(nodes(at, size)) for at in range(size)),
        tuple(draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=3, unique=True))),
        *(draw(st.booleans()) for _ in range(2)),
        draw(st.integers(1, 2)),
    )


def described(shop: Workshop, scene: Scene) -> list[Derivation]:
    made: list[Derivation] = []
    for at, node in enumerate(scene.nodes):
        needs = [made[need] for need in node.needs]
        if node.verb == "source":
            made.append(shop.source(f"n{at}"))
        elif node.verb == "merge":
            made.append(shop.merge(f"n{at}", *needs))
        elif node.verb == "check" and needs:
            made.append(shop.step(f"n{at}", f"say {at}", *needs, tries=needs[0].digest))
        else:
            script = "fail 1" if node.verb == "fail" else f"join {at}"
            made.append(shop.step(f"n{at}", script, *needs))
    return made


@define
class Fickle:
    """Others, who have what ``theirs`` built; and another process in the store of ``shop``."""

    scene: Scene
    shop: Workshop
    theirs: Workshop
    built: Built
    made: list[Derivation]
    asked: list[str] = field(factory=list)
    closures: list[str] = field(factory=list)
    fetched: list[str] = field(factory=list)
    _questions: int = 0

    @property
    def left_out(self) -> tuple[str, ...]:
        return ()

    def find(self, derivations: Collection[str]) -> Offers:
        self.asked += derivations
        self._pass()
        told: dict[str, Offer] = {}
        for at, derivation in enumerate(self.made):
            if derivation.digest in derivations and self._offer(at):
                for each in (at, *self.scene.nodes[at].tells):
                    told |= self._offer(each)
        return told

    def closure(self, derivation: str) -> Offers:
        self.closures.append(derivation)
        self._pass()
        at = [each.digest for each in self.made].index(derivation)
        told: dict[str, Offer] = {}
        for each in self.scene.nodes[at].tells:
            told |= self._offer(each)
        return told

    def fetch(self, offer: Offer, into: TreeSink, advance: Advance) -> Tree:
        digest = offer.statement.derivation.hash
        at = [each.digest for each in self.made].index(digest)
        tries, script = self.fetched.count(digest), self.scene.nodes[at].fetches
        self.fetched.append(digest)
        self._pass()
        assert tries <= len(script), "it was lost"
        if tries == len(script):
            msg = "lost"
            raise SubstituteError(msg)
        for path, data in self.theirs.output(self.built, self.made[at]):
            into.file(path, [data])
        if script[tries] == "wrong":
            msg = "wrong"
            raise WrongContent(msg)
        advance(1, 1)
        return self.theirs.store.trees.tree(offer.output)

    def cancel(self) -> None:
        """Nothing waits here."""

    def _offer(self, at: int) -> dict[str, Offer]:
        """A result, with its checks; a check is offered with nothing else."""
        made = self._made(at)
        if made is None or tried_by(self.made[at]):
            return {}
        checks = {
            check.digest: _offer(passed, check.label, tried=made.output)
            for each, check in enumerate(self.made)
            if tried_by(check) == made.derivation
            if (passed := self._made(each))
        }
        return {made.derivation: _offer(made, self.made[at].label, checks=checks)}

    def _made(self, at: int) -> Realisation | None:
        """What others have of it and say so."""
        made = self.built.realised.get(self.made[at].digest)
        return made if self.scene.nodes[at].is_offered else None

    def _pass(self) -> None:
        """Let time pass, in which another process makes what it makes."""
        self._questions += 1
        for at, node in enumerate(self.scene.nodes):
            made = self.built.realised.get(self.made[at].digest)
            if made and node.appears == self._questions:
                with self.shop.store.trees.new_tree() as tree:
                    for path, data in self.theirs.output(self.built, self.made[at]):
                        tree.file(path, [data])
                    tree.commit()
                self.shop.store.realisations.register(made)


def _offer(made: Realisation, label: str, **facts: object) -> Offer:
    root = made.output
    output = PackedTree(root=root, message=root, size=0, files=0, packs=(Pack(root, 0),))
    said = Statement(derivation=made.key, label=label, key="ci", output=output)
    return Offer(statement=said, vouchers=(), cache="team", **facts)  # type: ignore[arg-type]


def below(scene: Scene, at: int) -> set[int]:
    """A node, and all that it needs."""
    return {at}.union(*(below(scene, need) for need in scene.nodes[at].needs))


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(scenes())
def test_what_was_asked_for_is_there_or_a_failure_names_it(scene: Scene):
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        theirs, shop = Workshop(other), Workshop(folder, pull=scene.pull)
        built = theirs.build(*described(theirs, scene), keep_going=True)
        made = described(shop, scene)
        others = shop.substitutes = Fickle(scene, shop, theirs, built, made)
        wanted = [made[at] for at in scene.wanted]
        try:
            mine = shop.build(*wanted, jobs=scene.jobs, keep_going=scene.keep_going)
        except SubstituteError:
            assert scene.pull
            assert not scene.keep_going
            mine = None
        assert len(others.asked) == len(set(others.asked)), "asked for twice"
        assert len(others.closures) == len(set(others.closures)), "a closure was asked for twice"
        if mine is not None:
            check(scene, made, shop, mine)
            for derivation in wanted:
                if derivation.digest in mine.realised:
                    assert shop.output(mine, derivation) == theirs.output(built, derivation)


def check(scene: Scene, made: list[Derivation], shop: Workshop, built: Built) -> None:
    """That what is not there is named, and nothing is that need not be."""
    assert all(isinstance(error, RvbuildError) for error in built.failures), built.failures
    if not scene.pull and not any(node.verb == "fail" for node in scene.nodes):
        assert not built.failures
    if built.failures and not scene.keep_going:
        return
    for at in scene.wanted:
        needs = {made[each].digest for each in below(scene, at)}
        assert made[at].digest in built.realised or needs & built.errors.keys(), shop.how()
    if scene.pull:
        assert not shop.executor.ran
        assert not shop.fetcher.fetched
