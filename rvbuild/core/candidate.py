"""Which version a pin may move to: the choice among those that its upstream has.

Knows: versions' forms, policies, ages. Must not know: who has the versions, what a pin is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from enum import Enum

from attrs import field, frozen

from rvbuild.core.moment import later
from rvbuild.core.update_policy import UpdatePolicy
from rvbuild.core.version_form import VersionForm
from rvbuild.core.version_listing import VersionListing, VersionTemplate

_GROWTH = 4
"""How many times more versions than before are asked for their times: mostly one is enough."""


class Hold(Enum):
    """Why a higher version is not taken; the value is its word in JSON."""

    POLICY = "policy"
    MIN_AGE = "min-age"
    NO_MOMENT = "no-moment"
    PRERELEASE = "pre-release"


@frozen(kw_only=True)
class Candidate:
    """A version that is higher than a pin's.

    Attributes:
        version: The value that the pin would have.
        commit: The commit that it is, where upstream is a repository; else empty.
        moment: When it was published, in Unix seconds; None where nobody looked, or knows.
    """

    version: str
    commit: str = ""
    moment: int | None = None


@frozen(kw_only=True)
class HeldBack:
    """A version that is not taken, and why.

    Attributes:
        candidate: The version.
        hold: Why.
        free: From when on its age lets it through, in Unix seconds; None if it is not its age.
    """

    candidate: Candidate
    hold: Hold
    free: int | None = None


@frozen(kw_only=True)
class Choice:
    """What there is for a pin.

    Attributes:
        allowed: The highest version that it may move to by itself; None if there is none.
        held: The highest above that; None if there is none.
    """

    allowed: Candidate | None = None
    held: HeldBack | None = None


def choose(  # noqa: PLR0913 - keyword-only but for what is always said
    current: str,
    listing: VersionListing,
    policy: UpdatePolicy,
    now: float,
    *,
    template: VersionTemplate | None = None,
    others: Sequence[Collection[str]] = (),
) -> Choice | None:
    """What a pin may move to; None if its value has no place among upstream's versions.

    Rules:

    1. A candidate is of the current version's family, and higher.
    2. A pre-release is one only where the current version is one of the same release.
    3. The policy's reach says how far.
    4. The highest that has been there for the policy's minimal age is allowed. Where there is such
       an age, a version of which nobody knows when it came is not.
    5. Held back is the highest release above the allowed version; if there is none, the highest
       pre-release above it.

    Example: the pin is v1.2.3; upstream has v1.2.4, v1.3.0 since yesterday, and v2.0.0. With
    ``minor`` and 7 days, v1.2.4 is allowed, and v2.0.0 is held back by the reach.

    Args:
        current: The pin's value.
        listing: What upstream has.
        policy: What may be taken.
        now: The time, in Unix seconds.
        template: How upstream spells values; by default as they are.
        others: Values that other upstreams of the pin have: a candidate is in each.
    """
    spelling = template or VersionTemplate()
    old = listing.form(spelling.spelled(current))
    if old is None:
        return None
    rows = _Rows(listing=listing, policy=policy, now=now, old=old)
    rows.load(spelling, others)
    return rows.choice()


@frozen(kw_only=True)
class _Row:
    """A version that is higher than the current one."""

    value: str
    text: str
    form: VersionForm


@frozen(kw_only=True)
class _Rows:
    """All that are higher, the highest first, and the times that were asked for."""

    listing: VersionListing
    policy: UpdatePolicy
    now: float
    old: VersionForm
    higher: list[_Row] = field(factory=list, init=False)
    moments: dict[str, int] = field(factory=dict, init=False)

    def load(self, spelling: VersionTemplate, others: Sequence[Collection[str]]) -> None:
        for text in self.listing.versions:
            value, form = spelling.value_of(text), self.listing.form(text)
            if value is None or form is None or form.family != self.old.family:
                continue
            if self.old.rank < form.rank and all(value in each for each in others):
                self.higher.append(_Row(value=value, text=text, form=form))
        self.higher.sort(key=lambda row: row.form.rank, reverse=True)

    def choice(self) -> Choice:
        allowed = next(self._old_enough(), None)
        above = self.higher[: self.higher.index(allowed)] if allowed else self.higher
        held = next(filter(self._is_ready, above), above[0] if above else None)
        return Choice(
            allowed=self._candidate(allowed) if allowed else None,
            held=self._held(held) if held else None,
        )

    def _is_ready(self, row: _Row) -> bool:
        is_next = self.old.is_prerelease and row.form.release == self.old.release
        return is_next or not row.form.is_prerelease

    def _is_reachable(self, row: _Row) -> bool:
        return self._is_ready(row) and self.policy.reach.allows(self.old, row.form)

    def _old_enough(self) -> Iterator[_Row]:
        rows = [*filter(self._is_reachable, self.higher)]
        if not self.policy.min_age:
            yield from rows
            return
        at, count = 0, 1
        while some := rows[at : at + count]:
            at, count = at + count, count * _GROWTH
            self.moments.update(self.listing.moments([row.text for row in some]))
            for row in some:
                free = self._free(row)
                if free is not None and free <= self.now:
                    yield row

    def _free(self, row: _Row) -> int | None:
        moment = self.moments.get(row.text)
        return None if moment is None else later(moment, self.policy.min_age)

    def _candidate(self, row: _Row) -> Candidate:
        commit = self.listing.commits.get(row.text, "")
        return Candidate(version=row.value, commit=commit, moment=self.moments.get(row.text))

    def _held(self, row: _Row) -> HeldBack:
        candidate, free = self._candidate(row), self._free(row)
        if not self._is_ready(row):
            return HeldBack(candidate=candidate, hold=Hold.PRERELEASE)
        if not self._is_reachable(row):
            return HeldBack(candidate=candidate, hold=Hold.POLICY)
        hold = Hold.NO_MOMENT if free is None else Hold.MIN_AGE
        return HeldBack(candidate=candidate, hold=hold, free=free)


def known_values(listing: VersionListing, template: VersionTemplate) -> frozenset[str]:
    """The values of a pin that an upstream has."""
    return frozenset(filter(None, map(template.value_of, listing.versions)))
