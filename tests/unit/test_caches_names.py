"""Names of what is in a cache."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rvbuild.caches.names import (
    MARK,
    is_lease,
    is_name,
    is_object,
    is_realisation,
    is_record,
    is_temporary,
    lease_name,
    object_name,
    realisation_name,
    target_name,
    temporary_name,
)
from rvbuild.core.digest import EMPTY

HASH = EMPTY.hash
LEASES = ("push", "ticket", "trial")


def test_the_layout_is_as_it_is_documented():
    assert object_name(EMPTY) == f"objects/e3/{HASH}"
    assert realisation_name("ci", HASH) == f"records/ci/realisations/e3/{HASH}"
    assert target_name("ci", "k3s-riscv64@1.34") == "records/ci/targets/k3s-riscv64@1.34"
    assert lease_name("7f") == "leases/7f"
    assert temporary_name() != temporary_name()
    assert temporary_name().startswith("tmp/")


KINDS = {
    is_object: [f"objects/e3/{HASH}"],
    is_realisation: [f"records/ci/realisations/e3/{HASH}"],
    is_record: [f"records/ci/realisations/e3/{HASH}", "records/ci/targets/k3s@1.34"],
    is_lease: ["leases/collection", *(f"leases/{each}-{HASH[:16]}" for each in LEASES)],
    is_temporary: [temporary_name()],
}
OTHERS = [
    *(
        "tmp/thesis.pdf",
        "tmp/sub/inner",
        f"tmp/{HASH}",
        f"tmp/{HASH[:24]}/a",
        "leases/contract.pdf",
    ),
    *("leases/push-1", f"leases/push-{HASH[:15]}G", f"leases/other-{HASH[:16]}", "leases/push-"),
    *("objects/model.obj", "objects/ab/mesh", f"objects/ab/{HASH}", f"objects/e3/{HASH[:40]}"),
    *(f"objects/e3/{HASH.upper()}", f"objects/e3/{HASH}a", f"objects/e3/{HASH}/a", "objects/e3"),
    *("records/ci", "records/ci/targets", "records/ci/targets/a/b", "records/ci/backup/a"),
    *(f"records/ci/realisations/ab/{HASH}", f"records/realisations/e3/{HASH}", HASH, MARK, ""),
]
"""Names of what others put where rvbuild has its own."""


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_we_name_so_is_ours(kind: Callable[[str], bool]):
    assert all(map(kind, KINDS[kind]))
    strangers = {name for names in KINDS.values() for name in names} - {*KINDS[kind]}
    assert not any(map(kind, (strangers - {*KINDS[is_record]}) | {*OTHERS}))


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
