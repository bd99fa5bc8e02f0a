"""Testimony: who says what of derivations in a run, and whose word is enough.

Knows: statements, acceptance. Must not know: how records are asked for, verified, or brought.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from attrs import define, field, frozen

from rvbuild.caches.member import Member
from rvbuild.core.acceptance import Acceptance, Accepted, Claim, Disagreement, TooFew
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
    """

    acceptance: Acceptance
    valid_ids: Collection[str]
    _counting: dict[str, list[Saying]] = field(factory=dict)
    _fallen: dict[str, list[Saying]] = field(factory=dict)

    @property
    def derivations(self) -> Collection[str]:
        """Of which something was said that counts."""
        return self._counting

    def add(self, saying: Saying) -> bool:
        """Add what somebody says; whether it counts: a word that was repeated may not stand."""
        stands = saying.statement.origin.stands(self.valid_ids)
        kept = self._counting if stands else self._fallen
        kept.setdefault(saying.statement.derivation.hash, []).append(saying)
        return stands

    def offer(self, derivation: str) -> Offer | None:
        """The output that enough keys say, from the cache that said so first."""
        sayings = self._counting.get(derivation, [])
        verdict = self.acceptance.judge(each.claim for each in sayings)
        if not isinstance(verdict, Accepted):
            return None
        agreed = [
            each
            for each in sayings
            if each.statement.output.root == verdict.output and each.statement.key in verdict.keys
        ]
        vouchers = {each.voucher for each in agreed}
        fewest = sorted(vouchers, key=lambda each: (len(each.keys), each.path, each.basis))
        return Offer(
            statement=agreed[0].statement,
            vouchers=tuple(fewest),
            cache=agreed[0].member.name,
        )

    def members(self, derivation: str) -> list[Member]:
        """Who has it, who said so first before the others."""
        found = {id(each.member): each.member for each in self._counting.get(derivation, [])}
        return list(found.values())

    def disputes(self) -> Iterator[tuple[str, tuple[Claim, ...]]]:
        """What keys say several outputs of, by the label of the derivation."""
        for sayings in self._counting.values():
            verdict = self.acceptance.judge(each.claim for each in sayings)
            if isinstance(verdict, Disagreement):
                yield sayings[0].statement.label, verdict.claims
            elif isinstance(verdict, Accepted) and verdict.dissent:
                agreed = tuple(Claim(key, verdict.output) for key in verdict.keys)
                yield sayings[0].statement.label, (*agreed, *verdict.dissent)

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
