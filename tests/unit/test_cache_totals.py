"""What a store notes of a cache."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from rvbuild.core.cache_totals import KIND, VERSION, CacheTotals
from rvbuild.core.cache_use import CacheUse
from rvbuild.core.envelope import seal, unseal
from rvbuild.core.errors import Damaged, Malformed, VerificationError
from rvbuild.stores.local import LocalStore
from rvbuild.stores.verify import verify

BEGUN = CacheTotals(name="team", address="/mnt/team", since="2026-11-30")
USE = CacheUse(
    name="team", requests=3, hits=2, pulled=1, size=70, waited=1.5, saved=60.0, reason="it is slow"
)


def test_runs_add_up_and_the_last_reason_stays():
    totals = BEGUN.with_use(USE).with_use(evolve(USE, reason=""))
    assert (totals.runs, totals.requests, totals.hits, totals.pulled) == (2, 6, 4, 2)
    assert (totals.bytes_received, totals.milliseconds_waited) == (140, 3000)
    assert (totals.milliseconds_saved, totals.left_out) == (120_000, 1)
    assert totals.reason == "it is slow"


def test_a_record_is_read_as_it_was_written_and_keeps_what_is_new():
    totals = evolve(BEGUN.with_use(USE), owed=("app-riscv64",))
    assert CacheTotals.decode(totals.encode()) == totals
    body = unseal(totals.encode(), KIND, VERSION)
    newer = CacheTotals.decode(seal(KIND, VERSION, {**body, "colour": "blue"}))
    assert unseal(newer.with_use(USE).encode(), KIND, VERSION)["colour"] == "blue"


@pytest.mark.parametrize(
    "change", [{"runs": -1}, {"runs": True}, {"runs": "1"}, {"name": 1}, {"owed": 4}, {"since": 0}]
)
def test_a_record_of_another_form_is_damaged(change: dict[str, object]):
    body = unseal(BEGUN.encode(), KIND, VERSION)
    with pytest.raises(Malformed):
        CacheTotals.decode(seal(KIND, VERSION, {**body, **change}))  # type: ignore[arg-type]
    with pytest.raises(Malformed):
        CacheTotals.decode(seal(KIND, VERSION, {}))


def test_a_store_keeps_them_and_begins_anew_at_another_address(tmp_path: Path):
    store = LocalStore(str(tmp_path / "store"), durable=False)
    assert store.cache_totals.totals("team", "/mnt/team") is None
    for _ in range(2):
        store.cache_totals.change(BEGUN, lambda totals: totals.with_use(USE))
    there = store.cache_totals.totals("team", "/mnt/team")
    assert there is not None
    assert there.runs == 2
    assert store.cache_totals.totals("team", "/elsewhere") is None
    moved = evolve(BEGUN, address="/elsewhere")
    store.cache_totals.change(moved, lambda totals: totals.with_use(USE))
    there = store.cache_totals.totals("team", "/elsewhere")
    assert there is not None
    assert there.runs == 1


def test_a_damaged_record_is_named(tmp_path: Path):
    store = LocalStore(str(tmp_path / "store"), durable=False)
    store.cache_totals.change(BEGUN, lambda totals: totals)
    findings: list[str] = []
    verify(store, lambda finding: findings.append(finding.path))
    assert findings == []
    file = tmp_path / "store/caches/team"
    file.rename(tmp_path / "store/caches/other")
    with pytest.raises(Damaged):
        store.cache_totals.totals("other", "/mnt/team")
    (tmp_path / "store/caches/team").write_bytes(b"{}")
    with pytest.raises(VerificationError):
        store.cache_totals.change(BEGUN, lambda totals: totals)
    (tmp_path / "store/caches/team").chmod(0o444)
    verify(store, lambda finding: findings.append(finding.path))
    assert sorted(findings) == [f"{tmp_path}/store/caches/{name}" for name in ("other", "team")]
