"""Semantic versions in their order, held against the order that their standards print."""

from __future__ import annotations

from itertools import pairwise

import pytest

from rvbuild.core.semver import SemanticVersion

ORDERS = {
    "semver.org 11.4.4": [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
    ],
    "numbers": ["v0.9.0", "v0.10.0", "v1.0.0", "v1.0.9", "v1.0.10", "v1.2.0", "v2.0.0"],
    "short ones": ["v1", "v1.0.1", "v1.1", "v2"],
    "no versions come first": ["", "main", "v1.x", "v0.0.0-1"],
    "pseudo-versions": [
        "v0.0.0-20230301143203-a9d515a09cc2",
        "v0.0.0-20250102030405-0123456789ab",
        "v1.2.3",
        "v1.2.4-0.20250102030405-0123456789ab",
        "v1.2.4-0.20250102030406-0000000000ab",
        "v1.2.4-pre",
        "v1.2.4-pre.0.20250102030405-0123456789ab",
        "v1.2.4",
    ],
    "what follows a plus is last": ["v2.0.0", "v2.0.0+incompatible", "v2.0.1"],
    "numbers of any length": [f"1.0.{'9' * 5000}", f"1.0.1{'0' * 5000}"],
}


@pytest.mark.parametrize("name", ORDERS)
def test_the_order_of_versions(name: str):
    for lower, higher in pairwise(map(SemanticVersion.parse, ORDERS[name])):
        assert lower < higher, (lower, higher)


def test_zeros_before_a_number_and_a_v_are_no_difference():
    assert SemanticVersion.parse("v01.2") == SemanticVersion.parse("1.2.0")
