"""An offer: a result that a cache has and that trusted keys vouch for.

Knows: what is said of the result, and by whom. Must not know: how it is fetched.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from rvbuild.core.digest import Digest
from rvbuild.core.realisation import Origin, Realisation
from rvbuild.core.statement import Statement
from rvbuild.core.voucher import Voucher


@frozen(kw_only=True)
class Offer:
    """A result that may be taken instead of being made.

    Attributes:
        statement: What was signed.
        vouchers: Of those whose word is enough; those of the fewest keys first.
        cache: The name of the cache that has it.
        checks: Offers of its checks, by derivation digest: that each passed for this very output.
        tried: Of a check's: the output that it passed for.
    """

    statement: Statement
    vouchers: tuple[Voucher, ...]
    cache: str
    checks: Mapping[str, Offer] = field(factory=dict)
    tried: Digest | None = None

    @property
    def output(self) -> Digest:
        """The root of its tree."""
        return self.statement.output.root

    def realisation(self) -> Realisation:
        """What the store says of it once its tree is there."""
        said = self.statement
        return Realisation(
            key=said.derivation,
            output=said.output.root,
            size=said.output.size,
            files=said.output.files,
            builder=said.key,
            milliseconds=said.milliseconds,
            accelerated=said.accelerated,
            inputs=() if self.tried is None else (self.tried,),
            origin=Origin("substituted", self.cache),
            signatures=tuple(voucher.json for voucher in self.vouchers),
        )


Offers = Mapping[str, Offer]
"""By derivation digest. A check's is in that of the result which it tried, and nowhere else."""
