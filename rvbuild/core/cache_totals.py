"""What a cache gave a store over all runs, and what it cost.

Knows: sums, and their form on disk. Must not know: caches, clocks.
"""

from __future__ import annotations

from attrs import evolve, field, frozen
from attrs.validators import instance_of

from rvbuild.core.cache_use import CacheUse
from rvbuild.core.envelope import Body, kept, seal, unseal
from rvbuild.core.errors import Malformed

KIND, VERSION = "cache-totals", 1

_TEXTS = ("name", "address", "since", "reason")
_COUNTS = (
    *("runs", "requests", "hits", "pulled", "bytes_received", "milliseconds_waited"),
    *("milliseconds_saved", "bytes_sent", "left_out"),
)


def _is_count(_: object, __: object, value: object) -> None:
    if type(value) is not int or value < 0:  # a bool is an int, too
        msg = f"no number of anything: {value!r}"
        raise ValueError(msg)


@frozen(kw_only=True)
class CacheTotals:
    """What a cache gave and cost.

    Attributes:
        name: What it is called here.
        address: Where it is, without a login. One at another address begins anew.
        since: The day of the first run that is counted, as ``2026-11-30``.
        runs: How many runs asked it.
        requests: How often it was asked.
        hits: Results that it offered first.
        pulled: Results that were taken from it.
        bytes_received: That came from it.
        milliseconds_waited: For which somebody waited for it.
        milliseconds_saved: That its results took to make, where they were made.
        bytes_sent: That were brought there.
        left_out: How many runs went on without it.
        reason: Why the last of these did; empty if there is none.
        owed: Targets that were to be brought there and were not, sorted.
        record: The body that it was read from: what this rvbuild does not know stays.
    """

    name: str = field(validator=instance_of(str))
    address: str = field(validator=instance_of(str))
    since: str = field(validator=instance_of(str))
    runs: int = field(default=0, validator=_is_count)
    requests: int = field(default=0, validator=_is_count)
    hits: int = field(default=0, validator=_is_count)
    pulled: int = field(default=0, validator=_is_count)
    bytes_received: int = field(default=0, validator=_is_count)
    milliseconds_waited: int = field(default=0, validator=_is_count)
    milliseconds_saved: int = field(default=0, validator=_is_count)
    bytes_sent: int = field(default=0, validator=_is_count)
    left_out: int = field(default=0, validator=_is_count)
    reason: str = field(default="", validator=instance_of(str))
    owed: tuple[str, ...] = ()
    record: Body = field(factory=dict, eq=False, repr=False)

    def with_use(self, use: CacheUse) -> CacheTotals:
        """These, and what one more run says."""
        return evolve(
            self,
            runs=self.runs + 1,
            requests=self.requests + use.requests,
            hits=self.hits + use.hits,
            pulled=self.pulled + use.pulled,
            bytes_received=self.bytes_received + use.size,
            milliseconds_waited=self.milliseconds_waited + round(use.waited * 1000),
            milliseconds_saved=self.milliseconds_saved + round(use.saved * 1000),
            left_out=self.left_out + bool(use.reason),
            reason=use.reason or self.reason,
        )

    def encode(self) -> bytes:
        """Its record."""
        body: Body = {name: getattr(self, name) for name in (*_TEXTS, *_COUNTS)}
        return seal(KIND, VERSION, kept(self.record, {**body, "owed": self.owed}))

    @classmethod
    def decode(cls, data: bytes) -> CacheTotals:
        """Read what ``encode`` wrote, or a newer rvbuild in the same version.

        Raises:
            VerificationError: it is damaged.
            NewerRecord: its version is newer.
        """
        body = unseal(data, KIND, VERSION)
        try:
            facts = {name: body[name] for name in (*_TEXTS, *_COUNTS)}
            owed = tuple(map(str, body["owed"]))  # type: ignore[arg-type]
            return cls(**facts, owed=owed, record=body)  # type: ignore[arg-type]
        except (ValueError, TypeError, KeyError) as error:
            msg = f"not the totals of a cache: {error}"
            raise Malformed(msg) from error
