"""The choice among an upstream's versions: reach, age, pre-releases, families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from attrs import define, field

from rvbuild.core.candidate import Candidate, Choice, HeldBack, Hold, choose, known_values
from rvbuild.core.update_policy import Reach, UpdatePolicy, policy_of, read_age
from rvbuild.core.version_listing import VersionListing, VersionTemplate

DAY = 86_400
NOW = 1000 * DAY


@define
class Upstream:
    """Versions with their ages in days, None for one that nobody knows; it counts what is asked."""

    ages: Mapping[str, int | None]
    asked: list[str] = field(factory=list)

    def moments(self, versions: Sequence[str]) -> dict[str, int]:
        self.asked += versions
        ages = {each: self.ages[each] for each in versions}
        return {each: NOW - age * DAY for each, age in ages.items() if age is not None}

    def listing(self) -> VersionListing:
        return VersionListing(versions=tuple(self.ages), moments=self.moments)


OLD = dict.fromkeys(
    ("v1.2.2", "v1.2.3", "v1.2.4", "v1.3.0", "v1.4.0-rc1", "v2.0.0", "v3.0.0-beta", "v1.9.9-k3s1"),
    99,
)

REACHED = [
    (Reach.NONE, None, ("v2.0.0", Hold.POLICY)),
    (Reach.PATCH, "v1.2.4", ("v2.0.0", Hold.POLICY)),
    (Reach.MINOR, "v1.3.0", ("v2.0.0", Hold.POLICY)),
    (Reach.MAJOR, "v2.0.0", ("v3.0.0-beta", Hold.PRERELEASE)),
]


@pytest.mark.parametrize(("reach", "allowed", "held"), REACHED)
def test_the_reach_says_how_far(reach: Reach, allowed: str | None, held: tuple[str, Hold]):
    choice = choose("v1.2.3", Upstream(OLD).listing(), UpdatePolicy(reach=reach), NOW)
    assert _words(choice) == (allowed, held)


def _words(choice: Choice | None) -> tuple[str | None, tuple[str, Hold] | None]:
    assert choice is not None
    allowed, held = choice.allowed, choice.held
    return allowed and allowed.version, held and (held.candidate.version, held.hold)


AGED: Mapping[str, tuple[str, Mapping[str, int | None], object]] = {
    "the newest is old enough": ("7d", {"v1.2.4": 8, "v1.3.0": 7}, ("v1.3.0", None)),
    "the newest waits": (
        "7d", {"v1.2.4": 8, "v1.3.0": 6}, ("v1.2.4", ("v1.3.0", Hold.MIN_AGE)),
    ),
    "all wait": ("7d", {"v1.2.4": 1, "v1.3.0": 0}, (None, ("v1.3.0", Hold.MIN_AGE))),
    "nobody knows": (
        "7d", {"v1.2.4": 8, "v1.3.0": None}, ("v1.2.4", ("v1.3.0", Hold.NO_MOMENT)),
    ),
    "nobody need know": ("", {"v1.2.4": None}, ("v1.2.4", None)),
    "the reach is told first": (
        "7d", {"v1.2.4": 1, "v2.0.0": 1}, (None, ("v2.0.0", Hold.POLICY)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", AGED)
def test_fresh_versions_wait(name: str):
    age, ages, expected = AGED[name]
    choice = choose("v1.2.3", Upstream(ages).listing(), policy_of("minor", age), NOW)
    assert _words(choice) == expected


def test_a_version_that_waits_says_until_when():
    listing = Upstream({"v1.3.0": 6}).listing()
    choice = choose("v1.2.3", listing, policy_of("minor", "7d"), NOW)
    candidate = Candidate(version="v1.3.0", moment=NOW - 6 * DAY)
    held = HeldBack(candidate=candidate, hold=Hold.MIN_AGE, free=NOW + DAY)
    assert choice == Choice(held=held)


def test_few_times_are_asked_for():
    """Neither of those that cannot be taken, nor of those below one that can."""
    upstream = Upstream({**{f"v1.{n}.0": 1 if n > 60 else 99 for n in range(3, 65)}, "v2.0.0": 99})
    choice = choose("v1.2.3", upstream.listing(), policy_of("minor", "7d"), NOW)
    assert _words(choice) == ("v1.60.0", ("v2.0.0", Hold.POLICY))
    assert upstream.asked == [f"v1.{n}.0" for n in range(64, 59, -1)]
    upstream.asked.clear()
    choose("v1.2.3", upstream.listing(), policy_of("minor", ""), NOW)
    assert not upstream.asked


PRE_RELEASES = [
    ("v1.4.0-rc1", ["v1.4.0-rc2", "v1.4.0-rc10", "v1.5.0-alpha"], "v1.4.0-rc10"),
    ("v1.4.0-rc1", ["v1.4.0-rc2", "v1.4.0", "v1.5.0-alpha"], "v1.4.0"),
    ("v1.4.0-rc1", ["v1.5.0-alpha"], None),
    ("v1.3.0", ["v1.4.0-rc2", "v1.5.0-alpha"], None),
]


@pytest.mark.parametrize(("current", "versions", "allowed"), PRE_RELEASES)
def test_a_pre_release_is_for_one_of_the_same_release(
    current: str, versions: list[str], allowed: str | None
):
    choice = choose(current, VersionListing(versions=tuple(versions)), UpdatePolicy(), NOW)
    held = ("v1.5.0-alpha", Hold.PRERELEASE)
    assert _words(choice) == (allowed, held)


def test_a_family_stays():
    tags = ("v1.9.0", "v1.2.4-k3s1", "v1.2.4-flannel1", "1.9.0", "nightly", "v2")
    listing = VersionListing(versions=tags, commits={"v1.2.4-k3s1": "c0ffee"})
    choice = choose("v1.2.3-k3s2", listing, UpdatePolicy(), NOW)
    assert choice == Choice(allowed=Candidate(version="v1.2.4-k3s1", commit="c0ffee"))


def test_upstream_spells_a_value_otherwise():
    template = VersionTemplate(prefix="release-", suffix="+x")
    versions = ("release-1.31.0+x", "release-1.32.0", "release-+x", "1.33.0+x")
    choice = choose(
        "1.30.4", VersionListing(versions=versions), UpdatePolicy(), NOW, template=template
    )
    assert choice == Choice(allowed=Candidate(version="1.31.0"))


def test_each_upstream_of_a_pin_must_have_a_version():
    listing = VersionListing(versions=("v1.2.4", "v1.2.5"))
    others = [known_values(VersionListing(versions=("x1.2.4",)), VersionTemplate(prefix="x"))]
    choice = choose(
        "1.2.3", listing, UpdatePolicy(), NOW, template=VersionTemplate(prefix="v"), others=others
    )
    assert choice == Choice(allowed=Candidate(version="1.2.4"))


def test_a_value_without_an_order_has_no_choice():
    assert choose("main", VersionListing(versions=("v1.0.0",)), UpdatePolicy(), NOW) is None
    assert choose("v1.0.0", VersionListing(), UpdatePolicy(), NOW) == Choice()


@pytest.mark.parametrize(
    ("text", "seconds"), [("12h", 43_200), ("7d", 7 * DAY), ("2w", 14 * DAY), ("0d", 0)]
)
def test_ages(text: str, seconds: int):
    assert read_age(text) == seconds


@pytest.mark.parametrize(
    ("text", "shown"), [("36h", "36h"), ("48h", "48h"), ("7d", "7d"), ("1w", "1w"), ("0w", "")]
)
def test_an_age_is_told_as_it_was_said(text: str, shown: str):
    """By whoever said it last."""
    policy = policy_of("", text, otherwise=policy_of("patch", "9d"))
    assert policy_of("minor", "", otherwise=policy).age_text == shown


@pytest.mark.parametrize("text", ["", "7", "d", "1.5d", "-1d", "7 d", "7m", "٣d", "1234567d"])
def test_what_is_no_age(text: str):
    with pytest.raises(ValueError, match="must be a time such as"):
        read_age(text)


def test_what_is_not_said_is_taken_from_what_is_weaker():
    weaker = policy_of("patch", "7d")
    assert policy_of("", "", otherwise=weaker) == weaker
    assert policy_of("major", "", otherwise=weaker) == UpdatePolicy(
        reach=Reach.MAJOR, min_age=7 * DAY
    )
    assert policy_of("", "0d", otherwise=weaker) == UpdatePolicy(reach=Reach.PATCH)
    assert policy_of("", "") == UpdatePolicy(reach=Reach.MINOR, min_age=0)


def test_listings_know_nothing_by_themselves():
    listing = VersionListing()
    assert listing.moments(["v1"]) == {}
    assert listing.behind("c0ffee") is None
