"""What a collection removes from a cache, and what it leaves."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from attrs import frozen
from cache_places import CachePlace, folder
from dict_cache import DictCache
from hypothesis import example, given
from hypothesis import strategies as st
from team import NOW, Ticks, member, push, signed_by, substitutes, terms
from workshop import Workshop

from rvbuild.caches.collect import Collector
from rvbuild.caches.lease import VOID, Lease
from rvbuild.caches.names import MARK, MARK_TEXT, realisation_name, target_name
from rvbuild.core.derivation import Step
from rvbuild.core.digest import Digest
from rvbuild.core.errors import CacheRefused
from rvbuild.core.statement import CLOSURE, REALISATION, Closure, Pack, PackedTree, Statement

HOUR = 3600.0
EMPTY = Digest.of(b"")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[CachePlace]:
    with folder(tmp_path) as made:
        yield made


def collector(place: CachePlace, most: int | None = None) -> Collector:
    lease = Lease(place.cache, "team", lambda: NOW, "ci")
    return Collector(place.cache, lease, "team", most)


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


@frozen
class MadeRecord:
    """A record that somebody wrote ``age`` seconds ago, which names packs by their sizes."""

    derivation: int
    packs: frozenset[int]
    is_closure: bool
    age: int

    @property
    def name(self) -> str:
        digest = Digest.of(b"%d" % self.derivation).hash
        target = target_name("ci", f"target-{self.age}")
        return target if self.is_closure else realisation_name(f"key-{self.age}", digest)

    @property
    def data(self) -> bytes:
        packs = tuple(Pack(Digest("ab" * 31 + f"{size:02x}", size), 1) for size in self.packs)
        tree = PackedTree(root=EMPTY, message=EMPTY, size=0, files=0, packs=packs)
        statement = Statement(
            derivation=Digest.of(b"%d" % self.derivation),
            label="a",
            key="ci",
            builder="ci",
            output=tree,
            milliseconds=1,
            closure_milliseconds=1,
        )
        if not self.is_closure:
            return signed_by("ci")(REALISATION, statement.encode())
        closure = Closure(
            target="app",
            key="ci",
            derivation=EMPTY.hash,
            statements=(statement,),
            derivations=Pack(EMPTY, 1),
        )
        return signed_by("ci")(CLOSURE, closure.encode())


RECORDS_OF_ANY_AGE = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.frozensets(st.integers(1, 60), min_size=1, max_size=4),
        st.sampled_from((False, False, False, True)),
    ),
    max_size=9,
).map(lambda facts: [MadeRecord(*each, age) for age, each in enumerate(facts)])


def size_of(records: Iterable[MadeRecord]) -> int:
    return sum({size for record in records for size in record.packs})


def kept_one_by_one(records: list[MadeRecord], most: int) -> set[str]:
    """What the rule says: the oldest goes, again and again, until what is left is small enough."""
    needed = {each.derivation for each in records if each.is_closure}
    lasting = [each for each in records if each.derivation in needed]
    others = [each for each in records if each.derivation not in needed]  # the youngest first
    while others and size_of([*lasting, *others]) > most:
        others.pop()
    return {each.name for each in [*lasting, *others]}


@given(records=RECORDS_OF_ANY_AGE, most=st.integers(0, 300))
@example(
    records=[MadeRecord(at, frozenset((size,)), False, at) for at, size in enumerate((20, 50, 80))],
    most=100,
)
def test_no_record_stays_that_is_older_than_one_that_went(records: list[MadeRecord], most: int):
    cache = DictCache()
    cache.write_record(MARK, MARK_TEXT)
    for record in records:
        cache.files[record.name] = record.data, cache.clock - 60 * record.age
    lease = Lease(cache, "team", lambda: NOW, "ci", pause=lambda stop, _seconds: stop.wait(60))
    done = Collector(cache, lease, "team", most).run()
    kept = kept_one_by_one(records, most)
    assert cache.files.keys() == {MARK, *kept}
    assert (done.records, done.removed_records) == (len(kept), len(records) - len(kept))


def test_a_dry_run_removes_nothing(tmp_path: Path, place: CachePlace):
    fill(tmp_path, place, 1)
    fill(tmp_path, place, 2)
    before = place.behind.files()
    assert collector(place, most=0).run(dry=True).removed_records == 1
    assert place.behind.files() == before


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{}", b"garbage", b'{"payload":"e30=","payloadType":"x/y","signatures":[]}'),
        signed_by("ci")(REALISATION, b'{"derivation":"%s"}' % (b"a" * 100_000)),
        signed_by("ci")(CLOSURE, b'{"target":"a","key":["%s"]}' % (b"a" * 100_000)),
    ],
    ids=len,
)
def test_a_record_that_cannot_be_read_ends_it(tmp_path: Path, place: CachePlace, data: bytes):
    fill(tmp_path, place, 1)
    place.behind.put(f"objects/ab/{'ab' * 32}", b"orphan")
    age(place, days=1)
    place.behind.put("records/lab/targets/other", data)
    before = place.behind.files()
    with pytest.raises(CacheRefused, match="nobody can tell what a record names") as caught:
        collector(place, most=0).run()
    assert len(caught.value.message) < 400
    assert place.behind.files() == before


def test_what_killed_writers_left_goes_when_it_is_old_enough(place: CachePlace):
    """Ages are those of the cache's own clock: this machine's says another year."""
    young, trial = f"tmp/{'23' * 12}", f"leases/trial-{'56' * 8}"
    place.behind.put(MARK, MARK_TEXT)
    ages = {
        f"tmp/{'01' * 12}": 25 * HOUR,
        young: 23 * HOUR,
        f"leases/push-{'12' * 8}": VOID,
        f"leases/ticket-{'12' * 8}": 2 * HOUR,
        f"leases/trial-{'12' * 8}": 2 * HOUR,
        trial: VOID / 2,
        "leases/collection": 2 * HOUR,
        f"objects/ab/{'ab' * 32}": 2 * HOUR,
    }
    for name, seconds in ages.items():
        place.behind.put(name, b"1800000000 1800000000 1234 ci\n")
        path = place.behind.folder / name
        os.utime(path, (0, path.stat().st_mtime - seconds))
    done = collector(place).run()
    # that of the former collection was taken over
    assert (done.leftovers, done.removed_objects) == (4, 1)
    assert place.behind.files().keys() == {MARK, young, trial}
