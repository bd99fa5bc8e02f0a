"""Forms of versions: what is of one family, and what is higher."""

from __future__ import annotations

from itertools import pairwise

import pytest

from rvbuild.core.semver import SemanticVersion
from rvbuild.core.version_form import tag_form

ORDERS = {
    "plain": ["v0.9.0", "v0.10.0", "v1.0.0", "v1.0.10", "v1.2.0", "v2.0.0"],
    "without a v": ["1.2.0", "1.10.0"],
    "two numbers and three": ["6.12", "6.12.1", "6.13"],
    "four numbers": ["1.2.3", "1.2.3.1", "1.2.4"],
    "of K3s": ["v1.32.3-rc1+k3s1", "v1.32.3+k3s1", "v1.32.3+k3s2", "v1.33.0+k3s1"],
    "of its fork of Kubernetes": ["v1.32.3-k3s1", "v1.32.3-k3s2", "v1.32.10-k3s1"],
    "of flannel": ["v1.6.0-flannel1", "v1.8.0-flannel1", "v1.8.0-flannel2"],
    "with a name": ["release-1.30.4", "release-1.31.0"],
    "with a digit in the name": ["pcre2-10.46", "pcre2-10.47"],
    "with another separator": ["curl-8_5_0", "curl-8_10_0"],
    "of Go": ["go1.21rc2", "go1.21", "go1.21.3"],
    "what a build says": ["v2.0.0+incompatible", "v3.1.2+incompatible"],
    "pre-releases": [
        "v1.0.0-alpha.1",
        "v1.0.0-beta.2",
        "v1.0.0-beta.11",
        "v1.0.0-rc9",
        "v1.0.0-rc10",
    ],
    "of Python": ["3.13.0a1", "3.13.0b2", "3.13.0rc1", "3.13.0"],
    "pseudo-versions": [
        "v0.0.0-20230301143203-a9d515a09cc2",
        "v0.0.0-20250102030405-0123456789ab",
        "v1.2.3",
        "v1.2.4-0.20250102030405-0123456789ab",
        "v1.2.4-pre.0.20250102030405-0123456789ab",
        "v1.2.4",
    ],
}


@pytest.mark.parametrize("name", ORDERS)
def test_versions_of_a_family_have_their_order(name: str):
    forms = [tag_form(text) for text in ORDERS[name]]
    for low, high in pairwise(forms):
        assert low is not None
        assert high is not None
        assert low.family == high.family
        assert low.rank < high.rank
        assert not high.rank < low.rank


@pytest.mark.parametrize("name", ["plain", "pseudo-versions", "what a build says"])
def test_go_orders_them_so_too(name: str):
    assert sorted(ORDERS[name], key=SemanticVersion.parse) == ORDERS[name]


FAMILIES = [
    ("v1.2.3", "1.2.3"),
    ("v1.2.3", "v1.2.3-k3s1"),
    ("v1.2.3-k3s1", "v1.2.3+k3s1"),
    ("v1.2.3-k3s1", "v1.2.3-flannel1"),
    ("v1.2.3", "v1.2.3-debug"),
    ("v1.2.3", "v2.0.0+incompatible"),
    ("v5.1.2", "v6"),
    ("release-1.2", "helm-1.2"),
    ("curl-8_5_0", "curl-8.5.0"),
    ("1.0.2", "1.0.2a"),
    ("1.0", "1.0-prebuilt"),
]


@pytest.mark.parametrize(("one", "other"), FAMILIES)
def test_versions_of_two_families(one: str, other: str):
    first, second = tag_form(one), tag_form(other)
    assert first is not None
    assert second is not None
    assert first.family != second.family


@pytest.mark.parametrize(
    "text",
    ["v1.0.0-rc1", "1.0rc1", "1.0~rc1", "v1.0.0-alpha", "v1.0-beta.2", "v1.2.3-dev", "v1-pre+k3s1",
     "v1.0.0-NEXT.4", "v0.0.0-20230301143203-a9d515a09cc2"],
)  # fmt: skip
def test_what_is_no_release(text: str):
    form = tag_form(text)
    assert form is not None
    assert form.is_prerelease


@pytest.mark.parametrize(
    "text",
    ["v1.0.0", "v1.0.0-k3s1", "v1.0-prebuilt", "v1.0-devel", "1.0.2a", "v1.0.0+rcs", "v1-20240101"],
)
def test_what_is_a_release(text: str):
    form = tag_form(text)
    assert form is not None
    assert not form.is_prerelease


@pytest.mark.parametrize("text", ["", "main", "latest", "v", "release-"])
def test_what_is_no_version(text: str):
    assert tag_form(text) is None


@pytest.mark.parametrize("text", ["v{}", "v1.{}", "v1.0-k3s{}", "v1.0-rc{}", "v{}-rc1"])
def test_a_number_without_end_is_no_version(text: str):
    """Anybody may push such a tag."""
    assert tag_form(text.format("9" * 100)) is not None
    for digits in (101, 5000):
        assert tag_form(text.format("9" * digits)) is None


def test_numbers_say_how_far_it_is():
    old, patch, minor = tag_form("v1.2.3"), tag_form("v1.2.4"), tag_form("v1.3.0")
    assert old is not None
    assert patch is not None
    assert minor is not None
    assert (old.major, old.minor) == (patch.major, patch.minor)
    assert (old.major, old.minor != minor.minor) == (minor.major, True)
    short = tag_form("6.12")
    assert short is not None
    assert short.minor == (6, 12)
    assert short == tag_form("6.12.0") == tag_form("6.12.0.0")
