"""Whose word is enough: how many of which keys must say the same output of a derivation.

Knows: keys' names, outputs, what was set. Must not know: signatures (each claim was verified
before), caches, what is done with the answer.

The rules:

1. Only claims of the keys that the policy names count; if it names none, those of all that are
   trusted.
2. If more than one key is needed, only what a key's owner built counts, of nothing that was taken:
   whoever took it from another cache repeats what somebody else said, and so does whoever built on
   top of that. If one is enough, that counts as long as every word stands on which anything was
   taken (`core.voucher`).
3. A key counts once for an output, however many caches repeat it. A key that says two outputs of
   one derivation counts for neither: one of the two may be an old word, played again.
4. The one output that enough keys say is accepted. If two have enough, none is.

Example: of ``2 of [ci, lab, office]``, ci and lab say A, and office says B. A is accepted, with
office as dissent, to be shown. If office says nothing and lab says B, it is a disagreement; if
office and lab say nothing, it is too few.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Union

from attrs import field, frozen

from rvbuild.core.digest import Digest
from rvbuild.core.policy_text import check_policy, read_policy
from rvbuild.core.voucher import Voucher


@frozen
class Claim:
    """What one key says of a derivation.

    Attributes:
        key: The name of the trusted key that signed it.
        output: The root of the output's tree.
        built: Whether the key's owner built it, and took neither it nor what it was made of from a
            cache.
    """

    key: str
    output: Digest
    built: bool = True


@frozen
class Accepted:
    """Enough keys say ``output``: ``keys``, sorted. Others said something else: ``dissent``."""

    output: Digest
    keys: tuple[str, ...]
    dissent: tuple[Claim, ...] = ()


@frozen
class TooFew:
    """So many more are needed than these, which agree; there may be none."""

    needed: int
    claims: tuple[Claim, ...] = ()


@frozen
class Disagreement:
    """Keys say different outputs, and no single one is said by enough."""

    claims: tuple[Claim, ...]


Verdict = Union[Accepted, TooFew, Disagreement]


def _check(policy: Acceptance, _: object, keys: tuple[str, ...]) -> None:
    check_policy(policy.needed, keys)


@frozen
class Acceptance:
    """A policy: ``needed`` of ``keys`` must agree; without ``keys``, of all that are trusted."""

    needed: int = 1
    keys: tuple[str, ...] = field(default=(), validator=_check)

    def __str__(self) -> str:
        return f"{self.needed} of {'[' + ', '.join(self.keys) + ']' if self.keys else 'all keys'}"

    @classmethod
    def parse(cls, text: str) -> Acceptance:
        """Read ``K of [NAME, NAME]``, or the ``NAME`` of one key.

        Raises:
            ValueError: it is another text, or can never be fulfilled.
        """
        return cls(*read_policy(text))

    def judge(self, claims: Iterable[Claim]) -> Verdict:
        """What holds for one derivation.

        Args:
            claims: What keys say of it, from any number of caches, in any order.
        """
        counting = {each for each in claims if self._counts(each.key, built=each.built)}
        counted = tuple(sorted(counting, key=_order))
        sayers = _sayers(counted)
        enough = [output for output, keys in sayers.items() if len(keys) >= self.needed]
        if len(enough) == 1:
            dissent = tuple(each for each in counted if each.output != enough[0])
            return Accepted(enough[0], sayers[enough[0]], dissent)
        if len({each.output for each in counted}) > 1:
            return Disagreement(counted)
        return TooFew(self.needed, counted)

    def is_vouched(self, vouchers: Iterable[Voucher], valid_ids: Container[str]) -> bool:
        """Whether a result that was taken may still be used.

        Args:
            vouchers: For its one output.
            valid_ids: The ids of the keys that are known and were not revoked.
        """
        standing = (each for each in vouchers if each.stands(valid_ids))
        keys = {each.key for each in standing if self._counts(each.key, built=each.is_independent)}
        return len(keys) >= self.needed

    def all_vouched(
        self, voucher_sets: Iterable[Iterable[Voucher]], valid_ids: Container[str]
    ) -> bool:
        """Whether a result may be used, of which several were taken: it, or what it was made of.

        Example: with ``2 of [ci, lab]``, a program that was built here may not be used if ci
        alone vouches for the compiler that made it.

        Args:
            voucher_sets: `Realisation.voucher_sets`.
            valid_ids: As in `is_vouched`.
        """
        return all(self.is_vouched(each, valid_ids) for each in voucher_sets)

    def _counts(self, key: str, *, built: bool) -> bool:
        return (key in self.keys or not self.keys) and (built or self.needed == 1)


def _sayers(claims: tuple[Claim, ...]) -> Mapping[Digest, tuple[str, ...]]:
    """By output the keys that say it, and nothing else (rule 3)."""
    said: dict[str, set[Digest]] = {}
    for claim in claims:
        said.setdefault(claim.key, set()).add(claim.output)
    sayers: dict[Digest, tuple[str, ...]] = {}
    for key, outputs in said.items():
        for output in outputs if len(outputs) == 1 else ():
            sayers[output] = (*sayers.get(output, ()), key)
    return sayers


def _order(claim: Claim) -> tuple[str, Digest, bool]:
    return claim.key, claim.output, claim.built
