"""Names of what is in a cache."""

from __future__ import annotations

import pytest

from rvbuild.caches.names import (
    is_name,
    lease_name,
    object_name,
    realisation_name,
    target_name,
    temporary_name,
)
from rvbuild.core.digest import EMPTY

HASH = EMPTY.hash


def test_the_layout_is_as_it_is_documented():
    assert object_name(EMPTY) == f"objects/e3/{HASH}"
    assert realisation_name("ci", HASH) == f"records/ci/realisations/e3/{HASH}"
    assert target_name("ci", "k3s-riscv64@1.34") == "records/ci/targets/k3s-riscv64@1.34"
    assert lease_name("7f") == "leases/7f"
    assert temporary_name() != temporary_name()
    assert temporary_name().startswith("tmp/")


@pytest.mark.parametrize(
    "name", ["a", "rvbuild-cache", "a/b", "a@1.34", "libstdc++", "A_b.c/0", "a" * 200]
)
def test_names(name: str):
    assert is_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", ".a", "a/.a", "-a", "@a", "+a"),
        *("a b", "a\n", "a\0", "a\\b", "a?b", "a#b", "a%2e", "a:b", "ä", "a*", "~", "a" * 201),
        "/".join(["abcdefghi"] * 81),
    ],
)
def test_what_is_no_name(name: str):
    assert not is_name(name)


@pytest.mark.parametrize("bad", ["", "..", "a/b/../..", "/", "a b"])
def test_nobody_gets_out_by_a_key_a_target_or_a_lease(bad: str):
    for name in (
        lambda: realisation_name(bad, HASH),
        lambda: target_name(bad, "t"),
        lambda: target_name("ci", bad),
        lambda: lease_name(bad),
    ):
        with pytest.raises(ValueError, match="not a name"):
            name()
