"""Results out of caches: who says what of them, whose word is enough, and how they come.

Knows: members, records, acceptance. Must not know: how a signature is verified, what a plan does
with an offer.

The rules:

1. All caches are asked at once, and the first answer that is enough is taken; nobody waits for the
   others then.
2. A record counts for the derivation that it was asked for. One of another derivation, or that no
   trusted key signed, counts for nothing, and is told. It counts for the checks that it tells of as
   those of the very output that it tells of (`caches.testimony`).
3. What the signer took from a cache counts if all keys on whose word it did are valid here.
4. What a compile cache helped to make does not count unless the run takes such results.
5. A cache that is slower than making a result is not waited for: the result is made.
6. A pack that one cache lacks, or stops sending, is taken from the next, from there on. One that
   came wrong is taken from another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Protocol

from attrs import define, field, frozen

from rvbuild.caches.asking import Answer, ask
from rvbuild.caches.fetch_watch import FetchWatch, Preference
from rvbuild.caches.member import Member
from rvbuild.caches.names import realisation_name, target_name
from rvbuild.caches.pack_source import Doubts, PackSource
from rvbuild.caches.testimony import Saying, Testimony, in_groups
from rvbuild.caches.tree_packs import TreeUnpacker
from rvbuild.core.acceptance import Acceptance, Claim
from rvbuild.core.cache_use import CacheUse
from rvbuild.core.digest import Digest
from rvbuild.core.errors import (
    CacheError,
    RvbuildError,
    SubstituteError,
    VerificationError,
    WrongContent,
)
from rvbuild.core.events import Noticed, Reporter, Shortfall
from rvbuild.core.offer import Offer, Offers
from rvbuild.core.ports.callbacks import Advance
from rvbuild.core.ports.clock import Clock
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.printable import printable_line
from rvbuild.core.statement import CLOSURE, REALISATION, Closure, Statement
from rvbuild.core.tree import Tree


class Verify(Protocol):
    """Says what a trusted key signed."""

    def __call__(self, data: bytes, payload_type: str, where: str) -> tuple[str, object]:
        """The id of the key, and the JSON that it signed, in which ``key`` is its name.

        Raises:
            VerificationError: no trusted key signed it.
        """
        ...


@frozen(kw_only=True)
class Terms:
    """Under which conditions a run takes results.

    Attributes:
        keys: The names of the keys that are asked for.
        acceptance: How many of them must agree.
        valid_ids: The ids of all keys that are known and were not revoked.
        accelerated: Whether what a compile cache helped to make is taken.
        prefer: Whether to fetch what would take less time to make.
    """

    keys: tuple[str, ...]
    acceptance: Acceptance
    valid_ids: Collection[str]
    accelerated: bool = False
    prefer: Preference = Preference.AUTO


@define
class CacheSubstitutes:
    """The port ``Substitutes``, over the caches of a run.

    Attributes:
        members: The caches, those to prefer first.
        terms: What is accepted.
        verify: Opens records.
        report: Told of what people should know.
        clock: Seconds that only grow.
        stop: Ends what waits for a cache.
        targets: The target whose result a derivation is, by derivation digest.
    """

    members: Sequence[Member]
    terms: Terms
    verify: Verify
    report: Reporter
    clock: Clock
    stop: Callable[[], None]
    targets: Mapping[str, str] = field(factory=dict)
    _sources: dict[str, list[Member]] = field(factory=dict, init=False)
    _shortfalls: dict[str, Shortfall] = field(factory=dict, init=False)
    _doubts: Doubts = field(factory=dict, init=False)
    _disputed: dict[Digest, set[tuple[str, Digest]]] = field(factory=dict, init=False)

    @property
    def uses(self) -> tuple[CacheUse, ...]:
        """What each cache gave and cost so far."""
        return tuple(member.use for member in self.members)

    @property
    def shortfalls(self) -> tuple[Shortfall, ...]:
        """What was asked for and said by too few, so far: one for each number of keys."""
        return in_groups(self._shortfalls.values())

    @property
    def left_out(self) -> list[str]:
        return [f"{use.name} was left out: {use.reason}" for use in self.uses if use.reason]

    def find(self, derivations: Collection[str]) -> Offers:
        names = {
            realisation_name(key, derivation): derivation
            for derivation in derivations
            for key in self.terms.keys
        }
        heard, unsettled = self._testimony(), set(derivations)
        with closing(ask(self.members, list(names))) as answers:
            for answer in answers:
                self._add(heard, answer, REALISATION, partial(_said_of, names[answer.name]))
                if answer.record is not None and heard.offer(names[answer.name]):
                    unsettled.discard(names[answer.name])
                if not unsettled:
                    break
        for derivation in unsettled:
            shortfall = heard.shortfall(derivation)
            if shortfall:
                self._shortfalls[derivation] = shortfall
        return self._settle(heard)

    def closure(self, derivation: str) -> Offers:
        target = self.targets.get(derivation)
        if target is None:
            return {}
        heard, records = self._testimony(), 0
        names = [target_name(key, target) for key in self.terms.keys]
        with closing(ask(self.members, names)) as answers:
            for answer in answers:
                records += self._add(heard, answer, CLOSURE, partial(_said_below, target))
                if records >= self.terms.acceptance.needed:
                    break
        return self._settle(heard)

    def fetch(self, offer: Offer, into: TreeSink, advance: Advance) -> Tree:
        statement = offer.statement
        sources = sorted(self._sources.get(statement.derivation.hash, []), key=_rank)
        others = [member for member in self.members if member not in sources]
        watch = FetchWatch(statement, self.terms.prefer, self.clock, advance)
        packs = PackSource((*sources, *others), watch, self._tell, self._doubts)
        watch.expect(next((each.speed for each in sources), None))
        try:
            tree = TreeUnpacker(statement.output, packs.read, into, watch.unpacked).run()
        except (CacheError, VerificationError) as error:
            msg = f"{offer.cache} does not give what it offered: {error.message}"
            if packs.may_come_right:
                raise WrongContent(msg, where=statement.label, details=packs.details) from error
            raise SubstituteError(msg, where=statement.label, details=packs.details) from error
        packs.count(statement.milliseconds / 1000)
        return tree

    def cancel(self) -> None:
        self.stop()

    def _testimony(self) -> Testimony:
        terms = self.terms
        return Testimony(terms.acceptance, terms.valid_ids, accelerated=terms.accelerated)

    def _add(self, heard: Testimony, answer: Answer, kind: str, read: _Reader) -> bool:
        """Add what a record says; whether anything of it counts."""
        if answer.record is None:
            return False
        where = f"{answer.member.name} {answer.name}"
        try:
            key_id, body = self.verify(answer.record, kind, where)
            statements = read(body)
        except VerificationError as error:
            if not answer.member.is_out:  # of what comes late of one that was left out, no word
                self._tell(answer.member, error)
                answer.member.count_wrong(error.message)
            return False
        sayings = [Saying(statement, key_id, answer.member) for statement in statements]
        return any([heard.add(saying) for saying in sayings])  # noqa: C419 - all are added

    def _settle(self, heard: Testimony) -> Offers:
        """The offers that hold; disputes are told."""
        for statement, claims in heard.disputes():
            self._tell_dispute(statement, claims)
        offers = {}
        for derivation in heard.derivations:
            offer = heard.offer(derivation)
            if offer:
                offers[derivation] = offer
                members = heard.members(derivation)
                for each in (derivation, *offer.checks):
                    self._sources[each] = members
                    members[0].count(hits=1)
        return offers

    def _tell_dispute(self, statement: Statement, claims: Collection[Claim]) -> None:
        """Tell of a dispute once, also if a closure says again what a record said."""
        known = self._disputed.setdefault(statement.derivation, set())
        said = {(claim.key, claim.output) for claim in claims}
        if not known.issuperset(said):
            words = ", ".join(f"{claim.key} says {claim.output.hash[:16]}" for claim in claims)
            text = f"builders do not agree: {words}"
            self.report(Noticed(statement.label, text, security=True))
        known.update(said)

    def _tell(self, member: Member, error: RvbuildError) -> None:
        text = f"not believed: {error.message}"
        where = f" ({error.where})" if error.where else ""
        self.report(Noticed(member.name, text + where, security=True))


def _rank(member: Member) -> tuple[bool, float]:
    """Orders those who have a result: the fastest first; one whose speed nobody knows is tried."""
    return member.is_out, -(member.speed or math.inf)


_Reader = Callable[[object], Sequence[Statement]]


def _said_of(derivation: str, body: object) -> list[Statement]:
    """What a record says of the derivation that it was asked for."""
    statement = Statement.of(body)
    if statement.derivation.hash != derivation:
        msg = f"a record of another derivation, {statement.derivation.hash}"
        raise WrongContent(msg)
    return [statement]


def _said_below(target: str, body: object) -> Sequence[Statement]:
    """What a record says of all that was below a target."""
    closure = Closure.of(body)
    if closure.target != target:
        msg = f"a record of another target, {printable_line(closure.target)}"
        raise WrongContent(msg)
    return closure.statements
