"""Testimony: who says what of derivations in a run, and whose word is enough.

Knows: statements, acceptance. Must not know: how records are asked for, verified, or brought.

A check is said to have passed in the statement of a result, and so of one output. Where keys do not
agree on the result, they speak of checks of different things, although each says the same of them.
So a check is judged among those who say the output that is accepted, and no other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from attrs import define, field, frozen

from rvbuild.caches.member import Member
from rvbuild.core.acceptance import Acceptance, Accepted, Claim, Disagreement, TooFew
from rvbuild.core.digest import Digest
from rvbuild.core.events import Shortfall
from rvbuild.core.offer import Offer
from rvbuild.core.statement import Statement
from rvbuild.core.voucher import Voucher


@frozen
class Saying:
    """A statement, the id of the key that signed it, and where it was."""

    statement: Statement
    key_id: str
    member: Member

    @property
    def claim(self) -> Claim:
        statement = self.statement
        return Claim(statement.key, statement.output.root, statement.origin.is_independent)

    @property
    def voucher(self) -> Voucher:
        origin = self.statement.origin
        return Voucher(self.key_id, origin.chain, origin.basis)


@define
class Testimony:
    """What was said.

    Attributes:
        acceptance: Whose word is enough.
        valid_ids: The ids of all keys that are known and were not revoked.
        accelerated: Whether what a compile cache helped to make counts.
        tried: Of what is said of checks: the output that they were run on.
    """

    acceptance: Acceptance
    valid_ids: Collection[str]
    accelerated: bool = True
    tried: Digest | None = None
    _counting: dict[str, list[Saying]] = field(factory=dict)
    _fallen: dict[str, list[Saying]] = field(factory=dict)

    @property
    def derivations(self) -> Collection[str]:
        """Of which something was said that counts."""
        return self._counting

    def add(self, saying: Saying) -> bool:
        """Add what somebody says; whether it counts: a word that was repeated may not stand."""
        if saying.statement.accelerated and not self.accelerated:
            return False
        stands = saying.statement.origin.stands(self.valid_ids)
        kept = self._counting if stands else self._fallen
        kept.setdefault(saying.statement.derivation.hash, []).append(saying)
        return stands

    def offer(self, derivation: str) -> Offer | None:
        """The output that enough keys say, from the cache that said so first."""
        agreed = self._agreed(derivation)
        if not agreed:
            return None
        checks = self._checks(agreed)
        offers = {each: checks.offer(each) for each in checks.derivations}
        vouchers = {each.voucher for each in agreed}
        fewest = sorted(vouchers, key=lambda each: (len(each.keys), each.path, each.basis))
        return Offer(
            statement=agreed[0].statement,
            vouchers=tuple(fewest),
            cache=agreed[0].member.name,
            checks={digest: offer for digest, offer in offers.items() if offer},
            tried=self.tried,
        )

    def _agreed(self, derivation: str) -> list[Saying]:
        """Who says the output that is accepted, if one is."""
        sayings = self._counting.get(derivation, [])
        verdict = self.acceptance.judge(each.claim for each in sayings)
        if not isinstance(verdict, Accepted):
            return []
        return [
            each
            for each in sayings
            if each.statement.output.root == verdict.output and each.statement.key in verdict.keys
        ]

    def _checks(self, agreed: Sequence[Saying]) -> Testimony:
        """What those who agree on an output say of its checks; a check has none itself."""
        root = agreed[0].statement.output.root
        accelerated = self.accelerated
        checks = Testimony(self.acceptance, self.valid_ids, accelerated=accelerated, tried=root)
        for each in agreed if self.tried is None else ():
            for check in each.statement.checks:
                checks.add(Saying(check, each.key_id, each.member))
        return checks

    def members(self, derivation: str) -> list[Member]:
        """Who has it, who said so first before the others."""
        found = {id(each.member): each.member for each in self._counting.get(derivation, [])}
        return list(found.values())

    def disputes(self) -> Iterator[tuple[Statement, tuple[Claim, ...]]]:
        """What keys say several outputs of: one statement of it, and what each of them says."""
        for derivation, sayings in self._counting.items():
            verdict = self.acceptance.judge(each.claim for each in sayings)
            if isinstance(verdict, Disagreement):
                yield sayings[0].statement, verdict.claims
            elif isinstance(verdict, Accepted) and verdict.dissent:
                agreed = tuple(Claim(key, verdict.output) for key in verdict.keys)
                yield sayings[0].statement, (*agreed, *verdict.dissent)
            if isinstance(verdict, Accepted):
                yield from self._checks(self._agreed(derivation)).disputes()

    def shortfall(self, derivation: str) -> Shortfall | None:
        """What a derivation lacks to be offered, if somebody said something of it."""
        counting = self._counting.get(derivation, [])
        fallen = self._fallen.get(derivation, [])
        verdict = self.acceptance.judge(each.claim for each in counting)
        if not isinstance(verdict, TooFew) or not (counting or fallen):
            return None
        keys = {key for each in fallen for key in each.statement.origin.keys}
        return Shortfall(
            labels=((counting or fallen)[0].statement.label,),
            keys=len({claim.key for claim in verdict.claims}),
            needed=verdict.needed,
            fallen=tuple(sorted(keys.difference(self.valid_ids))),
        )


def in_groups(shortfalls: Iterable[Shortfall]) -> tuple[Shortfall, ...]:
    """One for all results that as many keys vouch for."""
    groups: dict[tuple[int, int], list[Shortfall]] = {}
    for each in shortfalls:
        groups.setdefault((each.needed, each.keys), []).append(each)
    return tuple(
        Shortfall(
            labels=tuple(sorted({label for each in group for label in each.labels})),
            keys=keys,
            needed=needed,
            fallen=tuple(sorted({key for each in group for key in each.fallen})),
        )
        for (needed, keys), group in sorted(groups.items())
    )
