"""Benchmarks: what one removes from a store before it measures."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
from store_parts import with_parts

from rvbuild.caches.collect import Collector
from rvbuild.caches.lease import Lease
from rvbuild.core.digest import EMPTY, Digest
from rvbuild.core.realisation import Realisation
from rvbuild.stores.local import LocalStore

SCRIPT = Path(__file__).parents[2] / "benchmarks/k3s.py"
STEP = "d" * 64


def loaded(script: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{script.stem}_benchmark", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def k3s() -> ModuleType:
    return loaded(SCRIPT)


def test_every_result_of_a_step_is_forgotten(tmp_path: Path, k3s: ModuleType):
    store = LocalStore(str(tmp_path))
    for accelerated in (True, False):
        made = Realisation(key=Digest(STEP, 0), output=EMPTY, accelerated=accelerated)
        store.realisations.register(made)
    k3s.forget(store, STEP)
    assert store.realisations.realisation(STEP) is None


def test_a_result_that_stays_is_an_error_and_no_loop(tmp_path: Path, k3s: ModuleType):
    class Elsewhere:
        def realisation(
            self, derivation: str, *, accelerated: bool = True, builder: str = ""
        ) -> Realisation | None:
            key = Digest(derivation, 0)
            return Realisation(key=key, output=EMPTY, accelerated=accelerated, builder=builder)

    with pytest.raises(OSError, match=STEP):
        k3s.forget(with_parts(LocalStore(str(tmp_path)), realisations=Elsewhere()), STEP)


def test_how_a_cold_build_is_compared_can_be_chosen():
    ran = subprocess.run([sys.executable, SCRIPT, "--help"], capture_output=True, check=True)
    assert b"--jobs" in ran.stdout
    assert b"--hand-first" in ran.stdout


def test_the_large_cache_is_one_that_rvbuild_takes(tmp_path: Path):
    """What is measured is done: a plan finds an offer, a push is taken, a collection removes."""
    benchmark = loaded(SCRIPT.with_name("large_cache.py"))
    benchmark.fill(tmp_path / "cache", 400)
    benchmark.plan(tmp_path)
    benchmark.push(tmp_path)
    cache = benchmark.opened(tmp_path)
    lease = Lease(cache, "team", time.time, "ci")
    done = Collector(cache, lease, "team", int(benchmark.quota(tmp_path))).run()
    assert 400 < done.records < 422
    assert 0 < done.removed_records < 60
    assert Collector(cache, lease, "team").run().removed_objects == done.removed_records
