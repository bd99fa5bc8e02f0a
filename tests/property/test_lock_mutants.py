"""A lock with one fact changed is refused, or means the same."""

from __future__ import annotations

import pytest
from lock_mutants import Mutant, Tally, mutants, sealed_anew, try_mutant, try_sealed_mutant
from lock_world import LockWorld, Meaning, small_world

COUNT = 2000
KINDS = {
    "entry", "pin", "url", "git", "go-module", "go-toolchain", "pypi", "debian", "path", "modules",
}  # fmt: skip


@pytest.fixture(scope="module")
def world() -> LockWorld:
    return small_world()


@pytest.fixture(scope="module")
def meaning(world: LockWorld) -> Meaning:
    return world.meaning(world.text)


def test_a_lock_that_is_only_sealed_anew_means_the_same(world: LockWorld, meaning: Meaning):
    """The positive control of all that follows."""
    assert sealed_anew(world.text) == world.text
    assert world.meaning(world.text + "# a comment\n") == meaning


def test_a_lock_with_one_fact_changed_is_refused_or_means_the_same(
    world: LockWorld, meaning: Meaning
):
    tally = Tally()
    for each in mutants(world.text, 0, COUNT):
        try_mutant(world, meaning, each, tally)
    assert tally.failed == [], tally
    assert tally.refused > COUNT * 0.9
    assert tally.kinds.keys() == KINDS


def test_a_changed_fact_with_a_check_that_fits_is_ruled_out_by_the_recipe(
    world: LockWorld, meaning: Meaning
):
    """All but the facts that no recipe can know; those the fetched content must have."""
    tally = Tally()
    for each in mutants(world.text, 0, COUNT // 2):
        try_sealed_mutant(world, meaning, each, tally)
    assert tally.failed == [], tally
    assert tally.refused > COUNT // 8
    assert tally.content > 10


def test_a_changed_fact_without_a_check_would_be_built(world: LockWorld, meaning: Meaning):
    """What the check is for: without it these mutants mean something else, and nothing tells."""
    tree = "4" * 40
    assert tree in world.text
    changed = Mutant(
        text=world.text.replace(tree, "5" * 40), kind="git", fact="tree", how="other", line=1
    )
    tally = Tally()
    try_sealed_mutant(world, meaning, changed, tally)
    assert (tally.content, tally.refused) == (1, 0)
    try_mutant(world, meaning, changed, tally)
    assert tally.refused == 1
