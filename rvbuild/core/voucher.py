"""Vouchers: the keys on whose word a result is taken, and whether that word stands.

Knows: ids of keys. Must not know: signatures, keyrings, how many vouchers are needed.

Who takes a result from one cache and brings it into another repeats what somebody else said. So a
voucher names every key between whoever signs and whoever built, and it falls with each of them.

Example: ci builds, a laptop takes the result and pushes it, and an office takes it from there. The
office's path is ``laptop, ci``. If ci is revoked, or is not known to who reads, nothing is left of
it.

Who builds on top of what was taken says so, too: the *basis* of a voucher are the keys on whose
word the things were taken that the result was made of, however far below. The voucher falls with
each of them.

Example: the laptop takes a compiler on ci's word, and builds a program with it. What it says of the
program has the basis ``ci``.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from attrs import field, frozen
from attrs.validators import deep_iterable, matches_re

from rvbuild.core.canonical import Json
from rvbuild.core.key_name import KEY_NAME

KEY_ID = f"{KEY_NAME}:[0-9a-f]{{16}}"
"""What the id of a key matches: ``NAME:FINGERPRINT``."""

is_chain = deep_iterable(matches_re(KEY_ID))
"""Validates ids of keys."""


@frozen
class Voucher:
    """That a key's holder says of a result.

    Attributes:
        key_id: The key that signed.
        chain: The keys on whose word its holder took the result, the nearest first; the last one's
            holder built it. Empty: the holder of ``key_id`` built it.
        basis: The keys on whose word the builder took what the result was made of, sorted. Empty:
            the builder made all of that, too.
    """

    key_id: str = field(validator=matches_re(KEY_ID))
    chain: tuple[str, ...] = field(default=(), validator=is_chain)
    basis: tuple[str, ...] = field(default=(), validator=is_chain)

    @property
    def key(self) -> str:
        """The name of the key that signed."""
        return self.key_id.partition(":")[0]

    @property
    def path(self) -> tuple[str, ...]:
        """All keys between whoever signed and whoever built."""
        return (self.key_id, *self.chain)

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys that have to stand."""
        return (*self.path, *self.basis)

    @property
    def is_independent(self) -> bool:
        """Whether it is on nobody else's word."""
        return not self.chain and not self.basis

    @property
    def json(self) -> Json:
        basis = {"basis": list(self.basis)} if self.basis else {}
        return {"keyid": self.key_id, "chain": list(self.chain), **basis}

    @classmethod
    def read(cls, value: object) -> Voucher | None:
        """Read what ``json`` gave; None if it is anything else.

        An older rvbuild noted no chain, so nobody knows whose word that was.
        """
        if not isinstance(value, Mapping):
            return None
        try:
            return cls(value["keyid"], tuple(value["chain"]), tuple(value.get("basis", ())))
        except (ValueError, TypeError, KeyError):
            return None

    def stands(self, valid_ids: Container[str]) -> bool:
        """Whether every one of its keys is known and was not revoked."""
        return all(key in valid_ids for key in self.keys)

    def others(self, signer: str) -> frozenset[str]:
        """Its keys without a signer's own, who says the same: that one has to stand anyway."""
        return frozenset(self.keys) - {signer}


Vouchers = tuple[Voucher, ...]
"""What is said of one result that was taken."""


def best_voucher(
    vouchers: Iterable[Voucher], signer: str, valid_ids: Container[str]
) -> Voucher | None:
    """The one that stands and needs the fewest keys beside a signer's own, the first of several.

    None: none stands.
    """
    standing = (each for each in vouchers if each.stands(valid_ids))
    return min(standing, key=lambda each: len(each.others(signer)), default=None)
