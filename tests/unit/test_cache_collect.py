"""What a collection removes from a cache, and what it leaves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cache_places import CachePlace, folder
from team import NOW, Ticks, member, push, substitutes, terms
from workshop import Workshop

from rvbuild.caches.collect import GRACE, Collector
from rvbuild.caches.lease import VOID, Lease
from rvbuild.core.derivation import Step
from rvbuild.core.errors import CacheDown, CacheRefused

HOUR = 3600.0


@pytest.fixture
def place(tmp_path: Path) -> Iterator[CachePlace]:
    with folder(tmp_path) as made:
        yield made


def lease(place: CachePlace, now: float = NOW) -> Lease:
    return Lease(place.cache, "team", lambda: now, "ci")


def collector(place: CachePlace, most: int | None = None) -> Collector:
    return Collector(place.cache, lease(place), "team", most)


def fill(tmp_path: Path, place: CachePlace, version: int) -> Step:
    """Build and push a version of the target ``app``, a day after the one before."""
    shop = Workshop(str(tmp_path / str(version)))
    app = shop.step("app", f"say {'much ' * 100}{version}", shop.source("source"))
    push(shop, shop.build(app), place.cache, app)
    age(place, days=1)
    return app


def age(place: CachePlace, *, days: float) -> None:
    """Let some days go by."""
    for name in place.behind.files():
        path = place.behind.folder / name
        os.utime(path, (0, path.stat().st_mtime - days * 24 * HOUR))


def answers(tmp_path: Path, place: CachePlace, app: Step) -> str:
    """How somebody comes by a version."""
    shop = Workshop(str(tmp_path / "reader"))
    shop.add(app)
    shop.source("source")
    substitutes(shop, [member(place.cache, Ticks())], terms("ci"), app)
    shop.build(app).refuse_failures()
    return shop.how()["app"]


def test_without_a_quota_only_what_no_record_names_goes(tmp_path: Path, place: CachePlace):
    versions = [fill(tmp_path, place, number) for number in range(3)]
    place.behind.put(f"objects/ab/{'ab' * 32}", b"of a push that was killed")
    age(place, days=1)
    young = f"objects/cd/{'cd' * 32}"
    place.behind.put(young, b"of a push that has just been killed")
    done = collector(place).run()
    # the orphan, and what the former two closures said of derivations
    assert (done.removed_records, done.removed_objects) == (0, 3)
    assert young in place.behind.files()
    assert [answers(tmp_path / str(at), place, app) for at, app in enumerate(versions)] == [
        *("pulled", "pulled", "pulled")
    ]


def test_with_a_quota_the_oldest_go_and_targets_stay(tmp_path: Path, place: CachePlace):
    versions = [fill(tmp_path, place, number) for number in range(3)]
    collector(place).run()
    before = place.behind.files()
    done = collector(place, most=0).run()
    assert (done.removed_records, done.removed_objects) == (2, 0)
    gone = {name.rpartition("/")[2] for name in before.keys() - place.behind.files().keys()}
    assert gone == {app.digest for app in versions[:2]}
    # a reader that has a record still finds its packs; the next collection takes them
    assert collector(place, most=0).run().removed_objects > 0
    assert [answers(tmp_path / str(at), place, app) for at, app in enumerate(versions)] == [
        *("built", "built", "pulled")
    ]


def test_a_dry_run_removes_nothing(tmp_path: Path, place: CachePlace):
    fill(tmp_path, place, 1)
    fill(tmp_path, place, 2)
    before = place.behind.files()
    assert collector(place, most=0).run(dry=True).removed_records == 1
    assert place.behind.files() == before


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"garbage", b'{"payload":"e30=","payloadType":"x/y","signatures":[]}']
)
def test_a_record_that_cannot_be_read_ends_it(tmp_path: Path, place: CachePlace, data: bytes):
    fill(tmp_path, place, 1)
    place.behind.put(f"objects/ab/{'ab' * 32}", b"orphan")
    age(place, days=1)
    place.behind.put("records/lab/targets/other", data)
    before = place.behind.files()
    with pytest.raises(CacheRefused, match="nobody can tell what a record names"):
        collector(place, most=0).run()
    assert place.behind.files() == before


def test_a_push_and_a_collection_keep_out_of_each_others_way(place: CachePlace):
    with lease(place).taken(), pytest.raises(CacheDown, match="ci pushes into it"):
        collector(place).run()
    with (
        lease(place).collecting(),
        pytest.raises(CacheDown, match="being collected by ci"),
        lease(place).taken(),
    ):
        pass
    with (
        lease(place).collecting(),
        pytest.raises(CacheDown, match="being collected by ci"),
        lease(place).collecting(),
    ):
        pass
    assert [name for name in place.behind.files() if name.startswith("leases/")] == []


def test_a_lease_of_one_who_was_killed_is_void_one_day(place: CachePlace):
    place.behind.put("leases/push-1234", b"%d ci\n" % NOW)
    place.behind.put("leases/collection", b"%d ci\n" % (NOW - VOID))
    with pytest.raises(CacheDown), lease(place).collecting():
        pass
    later = lease(place, NOW + VOID)
    with later.collecting():
        pass
    with later.taken():
        pass


def test_pushes_beside_each_other(place: CachePlace):
    with lease(place).taken(), lease(place).taken():
        files = place.behind.files()
    assert len([name for name in files if name.startswith("leases/push-")]) == 2
    assert GRACE < VOID
