"""The suite of stores rejects a store of which one port has a fault."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from attrs import fields
from faulty_twins import TWINS, Make

from rvbuild.core.errors import RvbuildError
from rvbuild.stores.memory import MemoryStore

sys.path.insert(0, str(Path(__file__).parent))
import test_stores as stores
import test_stores_waiting as waiting

Check = Callable[[MemoryStore], object]

_differing = partial(
    stores.test_parts_that_differ_at_a_path_are_refused, one={"a": b"1"}, two={"a": b"2"}, at=""
)
CHECKS: dict[str, Check] = {
    "DroppingCas": stores.test_a_blob_is_read_back,
    "DroppingAllCas": stores.test_many_blobs_at_once,
    "AlteringCas": stores.test_a_blob_is_read_back,
    "MixingCas": stores.test_many_blobs_are_read_in_their_order,
    "InventingCas": stores.test_a_missing_blob_is_told,
    "ForgetfulCas": partial(stores.test_a_blob_is_known_by_its_hash_alone, data=b"text"),
    "ShortViewCas": partial(stores.test_a_view_has_the_bytes_of_a_blob, data=b"text"),
    "DroppingTrees": stores.test_a_tree_is_what_was_written,
    "BoastfulTrees": stores.test_what_is_not_committed_is_gone,
    "EmptyTrees": stores.test_merging_a_missing_tree_is_told,
    "LenientTrees": _differing,
    "AlteredMounts": waiting.test_a_tree_has_a_path_with_its_files,
    "PlainMounts": waiting.test_a_tree_has_a_path_with_its_files,
    "DroppingRealisations": stores.test_a_realisation_is_found_by_derivation,
    "MixingRealisations": stores.test_accelerated_realisations_are_kept_apart,
    "FirstRealisation": stores.test_ones_own_realisation_comes_first_and_then_the_others_by_name,
    "LoneRealisations": stores.test_ones_own_realisation_comes_first_and_then_the_others_by_name,
    "DroppingActions": stores.test_an_outcome_is_found_by_action,
    "MixingActions": stores.test_an_outcome_is_found_by_action,
    "ForgettingRoots": stores.test_roots_are_by_name_and_link,
    "OpenLocks": waiting.test_who_waits_for_a_lock_is_asked_whether_to_go_on,
    "OneLock": waiting.test_who_waits_for_a_lock_is_asked_whether_to_go_on,
    "KeepingFailures": waiting.test_the_log_of_a_failure_is_kept_until_it_is_forgotten,
    "FirstFailures": waiting.test_the_log_of_a_failure_is_kept_until_it_is_forgotten,
}
"""By twin: who must reject it."""


@pytest.mark.parametrize(
    ("name", "make"), [(t.__name__, make) for twins in TWINS.values() for t, make in twins.items()]
)
def test_a_twin_with_a_fault_is_rejected(name: str, make: Make, tmp_path: Path):
    with pytest.raises((AssertionError, KeyError, pytest.fail.Exception, RvbuildError)):
        CHECKS[name](make(str(tmp_path)))


@pytest.mark.parametrize("name", CHECKS)
def test_the_twin_without_a_fault_is_not(name: str, tmp_path: Path):
    CHECKS[name](MemoryStore(str(tmp_path)))


def test_no_port_is_left_out():
    """The capturer has a suite of its own."""
    assert {*TWINS, "capturer"} == {field.name for field in fields(MemoryStore)}
