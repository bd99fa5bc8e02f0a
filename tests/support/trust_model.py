"""Whose results may be used, told slowly: each question goes through a result's whole history.

Builders have stores, and a board where each pins up what it says of results. Nothing is carried
along: what a result is made of is looked at again each time, down to the sources.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from attrs import define, field, frozen
from workshop import Plain, result

MALLORY = "mallory"

BUILDERS = ("ci", "lab", "laptop", MALLORY)

MARK = b" by mallory"
"""What mallory leaves in each result of a step that she makes."""


@frozen
class Node:
    """A source, a merge or a step; ``needs`` are nodes before it."""

    verb: str
    salt: str
    needs: tuple[int, ...]


@frozen
class Policy:
    """So many of these keys; of all that are valid, if there are none."""

    needed: int = 1
    keys: tuple[str, ...] = ()


@frozen
class Word:
    """What a builder says of a result.

    Attributes:
        signer: Who says so.
        path: Who said so before, up to the one that built it.
        below: On whose word that one took what it was made of.
        content: The result.
    """

    signer: str
    path: tuple[str, ...]
    below: frozenset[str]
    content: Plain

    @property
    def keys(self) -> frozenset[str]:
        return self.below | {self.signer, *self.path}

    @property
    def is_alone(self) -> bool:
        return not self.path and not self.below

    @property
    def rank(self) -> tuple[object, ...]:
        """The order in which a store has words."""
        return 1 + len(self.path) + len(self.below), self.path, sorted(self.below)


@frozen(eq=False)
class Fact:
    """A result as a store has it: taken on ``words``, or made of ``inputs``."""

    content: Plain
    words: tuple[Word, ...] | None = None
    inputs: tuple[Fact, ...] = ()

    def taken(self) -> Iterator[Fact]:
        """All that was taken: itself, or what it is made of."""
        if self.words is not None:
            yield self
        for each in self.inputs:
            yield from each.taken()


def may_be_used(fact: Fact, policy: Policy, valid: Collection[str]) -> bool:
    """Whether enough keys vouch for each thing that was taken."""
    return all(len(_signers(each, policy, valid)) >= policy.needed for each in fact.taken())


def _signers(fact: Fact, policy: Policy, valid: Collection[str]) -> set[str]:
    return {
        word.signer
        for word in fact.words or ()
        if word.keys <= set(valid)
        and word.signer in (policy.keys or valid)
        and (word.is_alone or policy.needed == 1)
    }


def word_of(fact: Fact, signer: str, valid: Collection[str]) -> Word:
    """What the owner of a store says of a result that may be used."""
    best = {each: _best(each, signer, valid) for each in fact.taken()}
    if fact.words is None:
        below = frozenset(key for word in best.values() for key in word.keys)
        return Word(signer, (), below - {signer}, fact.content)
    word = best[fact]
    path = tuple(key for key in (word.signer, *word.path) if key != signer)
    return Word(signer, path, word.below - {signer}, fact.content)


def _best(fact: Fact, signer: str, valid: Collection[str]) -> Word:
    words = [word for word in fact.words or () if word.keys <= set(valid)]
    return min(words, key=lambda word: len(word.keys - {signer}))


def _is_worth(former: Word, now: Word, valid: Collection[str]) -> bool:
    return (
        former.content == now.content
        and former.keys - {former.signer} <= set(valid)
        and (not former.path or bool(now.path))
        and (former.is_alone or not now.is_alone)
    )


@define
class Model:
    """All stores, and the board.

    Attributes:
        graph: What there is to build; no two nodes are one derivation.
        knows: By builder: the keys that it trusts.
        revoked: Keys that nobody trusts any more.
        stores: By builder, node, and the name of the record.
        board: By builder and node.
    """

    graph: Sequence[Node]
    knows: Mapping[str, frozenset[str]]
    revoked: set[str] = field(factory=set)
    stores: dict[str, dict[int, dict[str, Fact]]] = field(factory=dict)
    board: dict[tuple[str, int], Word] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.stores = {builder: {} for builder in BUILDERS}

    def valid(self, builder: str) -> frozenset[str]:
        return self.knows[builder] - self.revoked

    def usable(self, builder: str, node: int, policy: Policy) -> Fact | None:
        """What a store has that may be used: its own, else the first of the others by name."""
        records = sorted(self.stores[builder].get(node, {}).items())
        facts = [fact for _, fact in records]
        return next((f for f in facts if may_be_used(f, policy, self.valid(builder))), None)

    def offered(self, builder: str, node: int, policy: Policy) -> tuple[str, Fact] | None:
        """What others have, if enough say one output of it; with the first who says so."""
        valid = self.valid(builder)
        said = [self.board[key, node] for key in BUILDERS if (key, node) in self.board]
        heard = [Fact(word.content, (word,)) for word in said if word.signer in valid]
        counting = [fact for fact in heard if _signers(fact, policy, valid)]
        by_content: dict[Plain, list[Word]] = {}
        for fact in counting:
            by_content.setdefault(fact.content, []).extend(fact.words or ())
        enough = [words for words in by_content.values() if len(words) >= policy.needed]
        if len(enough) != 1:
            return None
        (words,) = enough
        fact = Fact(words[0].content, tuple(sorted(words, key=lambda word: word.rank)))
        return words[0].signer, fact

    def build(self, builder: str, wanted: int, policy: Policy) -> dict[int, str]:
        """Build: what becomes of each node that is looked at."""
        done: dict[int, str] = {}
        self._need(builder, wanted, policy, done, {})
        return done

    def _need(
        self, builder: str, node: int, policy: Policy, done: dict[int, str], facts: dict[int, Fact]
    ) -> Fact:
        if node in facts:
            return facts[node]
        fact = self.usable(builder, node, policy)
        step = self.graph[node].verb not in {"source", "merge"}
        offer = None if fact or not step else self.offered(builder, node, policy)
        if fact:
            done[node] = "kept"
        elif offer:
            name, fact = offer
            self.stores[builder].setdefault(node, {})[name] = fact
            done[node] = "pulled"
        else:
            needs = self.graph[node].needs
            inputs = tuple(self._need(builder, each, policy, done, facts) for each in needs)
            fact = Fact(self._content(builder, node, inputs), None, inputs)
            self.stores[builder].setdefault(node, {})[""] = fact
            done[node] = "made"
        facts[node] = fact
        return fact

    def _content(self, builder: str, at: int, inputs: Sequence[Fact]) -> Plain:
        node = self.graph[at]
        if node.verb == "source":
            return (("data", node.salt.encode()),)
        if node.verb == "merge":
            laid = [
                (f"{i}/{path}", data) for i, it in enumerate(inputs) for path, data in it.content
            ]
            return tuple(sorted(laid))
        given = tuple((f"in/{i}", it.content) for i, it in enumerate(inputs))
        made = result(f"{node.verb} {node.salt}", given)
        return tuple((path, data + MARK) for path, data in made) if builder == MALLORY else made

    def push(self, builder: str, nodes: Collection[int], policy: Policy) -> None:
        """Pin up what is to be said of nodes, where the board has nothing as good."""
        for node in nodes:
            fact = self.usable(builder, node, policy)
            if fact is None or self.graph[node].verb in {"source", "merge"}:
                continue
            now, valid = word_of(fact, builder, self.valid(builder)), self.valid(builder)
            former = self.board.get((builder, node))
            if former is None or not _is_worth(former, now, valid):
                self.board[builder, node] = now
