"""Leases: who works beside whom, how long a lease holds, and what a lost one ends."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import define, field, frozen
from cache_places import CachePlace, folder
from dict_cache import DictCache
from team import Ticks, push
from turns import PATIENCE, Actor, take_turns
from workshop import Workshop

from rvbuild.caches.collect import Collector
from rvbuild.caches.decorator import CacheDecorator
from rvbuild.caches.lease import BEAT, VOID, Lease
from rvbuild.caches.lease_text import LeaseText
from rvbuild.caches.names import MARK, MARK_TEXT
from rvbuild.caches.tenure import Tenure
from rvbuild.caches.verification import CacheFinding, remove_damaged
from rvbuild.core.errors import CacheBusy, CacheDown
from rvbuild.core.ports.cache import CollectableCache

NOW = 1_800_000_000.0
WHEN = "2027-01-15 08:00 UTC"
ENDS = "2027-01-15 08:15 UTC"


def never(stop: threading.Event, _seconds: float) -> bool:
    """Wait for the end, and renew nothing."""
    return stop.wait(PATIENCE)


def lease(cache: CollectableCache, owner: str = "ci", **facts: object) -> Lease:
    more: dict[str, object] = {"pause": never, **facts}
    now = more.pop("now", lambda: NOW)
    return Lease(cache, "team", now, owner, **more)  # type: ignore[arg-type]


# ---- who works beside whom


def test_a_refusal_says_who_since_when_and_when_it_ends():
    cache = DictCache()
    with lease(cache).taken(), pytest.raises(CacheBusy) as push_is_there:
        lease(cache).collecting().__enter__()
    with lease(cache).collecting(), pytest.raises(CacheBusy) as collection_is_there:
        lease(cache).taken().__enter__()
    moments = f"by ci since {WHEN} (ends {ENDS}, unless it is renewed)"
    assert push_is_there.value.message == f"a push is under way, {moments}"
    assert collection_is_there.value.message == f"it is being collected {moments}"
    with lease(cache).collecting(), pytest.raises(CacheBusy, match="being collected by ci"):
        lease(cache).collecting().__enter__()
    assert cache.files == {}


def test_pushes_go_on_beside_each_other():
    cache = DictCache()
    with lease(cache).taken(), lease(cache).taken():
        assert len(cache.files) == 2
    assert cache.files == {}


@frozen
class SteppedCache(CacheDecorator):
    """A cache each call of which is a step of an actor."""

    actor: Actor

    def record(self, name: str) -> bytes | None:
        self.actor.step()
        return self.inner.record(name)

    def write_record(self, name: str, data: bytes) -> None:
        self.actor.step()
        self.inner.write_record(name, data)

    def entries(self, prefix: str) -> Iterator[object]:  # type: ignore[override]
        self.actor.step()
        return self.inner.entries(prefix)

    def remove(self, name: str) -> None:
        self.actor.step()
        self.inner.remove(name)


@define
class Meeting:
    """Pushes and collections of one cache, which begin at the same time."""

    cache: DictCache = field(factory=DictCache)
    inside: list[str] = field(factory=list)
    refused: list[str] = field(factory=list)

    def actor(self, kind: str) -> Actor:
        def work(actor: Actor) -> None:
            def pause(stop: threading.Event, seconds: float) -> bool:
                if seconds == BEAT:
                    return never(stop, seconds)
                actor.step()
                return False

            mine = lease(SteppedCache(self.cache, actor), kind, pause=pause)
            try:
                with mine.taken() if kind == "push" else mine.collecting():
                    self.inside.append(kind)
                    actor.stay()
            except CacheBusy:
                self.refused.append(kind)

        return Actor(work)


@pytest.mark.parametrize("seed", range(150))
def test_of_collections_that_begin_at_once_exactly_one_goes_on(seed: int):
    meeting = Meeting()
    take_turns([meeting.actor("gc") for _ in range(2 + seed % 2)], seed)
    assert meeting.inside == ["gc"]
    assert meeting.cache.files == {}


@pytest.mark.parametrize("seed", range(150))
def test_no_push_goes_on_beside_a_collection(seed: int):
    meeting = Meeting()
    take_turns([meeting.actor(kind) for kind in ("push", "gc", "push")], seed)
    assert set(meeting.inside) in ({"push"}, {"gc"}, set())
    assert meeting.cache.files == {}


# ---- how long a lease holds


def leave(cache: DictCache, name: str, *, age: float, wrong: float = 0) -> None:
    """The lease of somebody who was killed, whose clock was wrong by so many seconds."""
    renewed = int(cache.clock - age + wrong)
    text = LeaseText(renewed=renewed, since=renewed - 60, identifier="ab" * 8, owner="lab")
    cache.files[f"leases/{name}"] = text.encode(), cache.clock - age


KINDS: dict[str, Callable[[Lease], object]] = {
    "push": lambda mine: mine.taken(),
    "collection": lambda mine: mine.collecting(),
}


@pytest.mark.parametrize("wrong", [0, -7200, 7200])
@pytest.mark.parametrize(
    ("there", "mine"),
    [("collection", "push"), ("collection", "collection"), ("push-12ab", "collection")],
)
def test_the_lease_of_one_who_was_killed_is_void_by_the_caches_clock(
    there: str, mine: str, wrong: float
):
    for age, is_void in ((0, False), (VOID - 1, False), (VOID, True), (10 * VOID, True)):
        cache = DictCache()
        leave(cache, there, age=age, wrong=wrong)
        entered = KINDS[mine](lease(cache, now=lambda: NOW - 1234))
        if is_void:
            with entered:  # type: ignore[attr-defined]
                pass
        else:
            with pytest.raises(CacheBusy, match="by lab since"), entered:  # type: ignore[attr-defined]
                pass


@pytest.mark.parametrize(
    ("age", "is_void"),
    [(0, False), (VOID, False), (2 * VOID, True), (-VOID, False), (-2 * VOID, True)],
)
def test_without_lists_a_push_compares_clocks_with_care(age: float, is_void: bool):  # noqa: FBT001
    cache = DictCache(lists=False)
    leave(cache, "collection", age=age)
    if is_void:
        lease(cache).taken().__enter__()
    else:
        with pytest.raises(CacheBusy, match="by lab since"):
            lease(cache).taken().__enter__()


@pytest.mark.parametrize(
    "data", [b"", b"trial\n", b"1 2\n", b"1 x id ci\n", b"99999999999 1 id ci\n", b"\xff" * 99]
)
def test_what_is_no_lease_is_nobodys(data: bytes):
    cache = DictCache()
    cache.write_record("leases/push-1", data)
    cache.write_record("leases/collection", data)
    for mine in (lease(cache).taken(), lease(cache).collecting()):
        with mine:  # type: ignore[attr-defined]
            pass


def test_a_text_is_read_as_it_was_written():
    text = LeaseText(renewed=7, since=3, identifier="id", owner="ci")
    assert LeaseText.decode(text.encode()) == text


OWNERS = ["ci\nerror: the disk is full\nhint: rm -r /", "a" * 100_000, "\x1b[31mci", "a word", "-x"]


@pytest.mark.parametrize("owner", OWNERS, ids=lambda owner: repr(owner[:9]))
@pytest.mark.parametrize("there", ["collection", "push-12ab"])
def test_a_lease_with_any_owner_holds_and_a_name_that_is_none_is_not_shown(there: str, owner: str):
    """Whoever may push may write one, and others read whose it is."""
    cache = DictCache()
    cache.write_record(f"leases/{there}", f"{NOW:.0f} {NOW:.0f} {'ab' * 8} {owner}\n".encode())
    with pytest.raises(CacheBusy) as caught:
        lease(cache).collecting().__enter__()
    assert f" by somebody since {WHEN} (ends {ENDS}, unless" in caught.value.message
    assert caught.value.message.count("\n") == 0


def test_a_cache_that_does_not_list_what_it_took_is_down():
    @frozen
    class Late(CacheDecorator):
        def entries(self, _prefix: str) -> Iterator[object]:  # type: ignore[override]
            return iter(())

    with pytest.raises(CacheDown, match="lacks a file that was just written"):
        lease(Late(DictCache())).collecting().__enter__()


def test_a_ticket_of_one_who_was_killed_is_waited_for_in_vain():
    cache = DictCache()
    leave(cache, "ticket-zz", age=0)
    looks = itertools.count()

    def pause(_stop: threading.Event, _seconds: float) -> bool:
        next(looks)
        return False

    with pytest.raises(CacheBusy, match="another collection begins"):
        lease(cache, pause=pause).collecting().__enter__()
    assert next(looks) == 10
    cache.clock += VOID
    with lease(cache, now=lambda: NOW + VOID).collecting() as mine:
        assert mine.void == ("leases/ticket-zz",)


# ---- renewals


@define
class Beats:
    """Pauses that end when a test says so; `beat` returns when what follows one is done."""

    _go: queue.SimpleQueue[None] = field(factory=queue.SimpleQueue)
    _waits: queue.SimpleQueue[None] = field(factory=queue.SimpleQueue)

    def pause(self, stop: threading.Event, seconds: float) -> bool:
        assert seconds == BEAT
        self._waits.put(None)
        while not stop.is_set():
            try:
                self._go.get(timeout=0.01)
            except queue.Empty:
                continue
            return False
        return True

    def beat(self) -> None:
        self._waits.get(timeout=PATIENCE)
        self._go.put(None)
        self._waits.get(timeout=PATIENCE)
        self._waits.put(None)


def written(cache: DictCache) -> LeaseText:
    ((data, _),) = cache.files.values()
    text = LeaseText.decode(data)
    assert text is not None
    return text


@pytest.mark.parametrize("kind", KINDS)
def test_who_has_a_lease_renews_it_until_the_end(kind: str):
    cache, beats, ticks = DictCache(), Beats(), Ticks()
    before = threading.active_count()
    mine = lease(cache, now=lambda: NOW + ticks(), clock=ticks, pause=beats.pause)
    entered = KINDS[kind](mine)
    with entered:  # type: ignore[attr-defined]
        for _ in range(40):
            ticks.wait(BEAT)
            beats.beat()
        text = written(cache)
        assert (text.since, text.renewed) == (NOW, NOW + 40 * BEAT)
    assert cache.files == {}
    assert threading.active_count() == before


def tenure(cache: CollectableCache, ticks: Ticks) -> Tenure:
    text = LeaseText(renewed=int(NOW), since=int(NOW), identifier="mine", owner="ci")
    made = Tenure(cache, "team", "leases/push-1", text, VOID, lambda: NOW + ticks(), ticks)
    made.write()
    return made


def test_a_lease_ends_for_its_owner_before_it_does_for_others():
    ticks = Ticks()
    mine = tenure(DictCache(), ticks)
    ticks.wait(0.79 * VOID)
    mine.check()
    mine.renew()
    ticks.wait(0.79 * VOID)
    mine.check()
    ticks.wait(0.02 * VOID)
    with pytest.raises(CacheBusy, match="could not be renewed in time"):
        mine.check()
    mine.renew()
    with pytest.raises(CacheBusy):  # a late renewal is none
        mine.check()


@pytest.mark.parametrize("there", [None, b"1800000900 1800000900 other lab\n"])
def test_a_lease_that_is_gone_or_anothers_is_lost_and_left_alone(there: bytes | None):
    cache = DictCache()
    mine = tenure(cache, Ticks())
    cache.remove("leases/push-1")
    if there is not None:
        cache.write_record("leases/push-1", there)
    mine.renew()
    with pytest.raises(CacheBusy, match="somebody else took it"):
        mine.check()
    mine.end()
    assert cache.record("leases/push-1") == there


def test_a_renewal_that_fails_is_tried_again():
    @define
    class Down(DictCache):
        is_down: bool = False

        def record(self, name: str) -> bytes | None:
            if self.is_down:
                msg = "no answer"
                raise CacheDown(msg)
            return super().record(name)

    cache, beats, ticks = Down(), Beats(), Ticks()
    mine = lease(cache, now=lambda: NOW + ticks(), clock=ticks, pause=beats.pause)
    with mine.taken() as held:
        for cache.is_down in (True, True, False, True):
            ticks.wait(3 * BEAT)
            beats.beat()
            held.check()
        assert written(cache).renewed == NOW + 9 * BEAT


# ---- what a lost lease ends


@frozen
class LateCache(CacheDecorator):
    """A cache at whose first call of a kind a machine sleeps for a day."""

    call: str
    ticks: Ticks
    calls: list[str] = field(factory=list)

    def write_record(self, name: str, data: bytes) -> None:
        if name.startswith("records/"):
            self._note(f"write {name.split('/')[2]}")
        self.inner.write_record(name, data)

    def remove(self, name: str) -> None:
        if not name.startswith("leases/"):
            self._note("remove")
        self.inner.remove(name)

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if call == self.call:
            self.ticks.wait(24 * 3600)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[CachePlace]:
    with folder(tmp_path) as made:
        yield made


def test_a_push_that_lost_its_lease_writes_no_record_any_more(place: CachePlace, tmp_path: Path):
    shop = Workshop(str(tmp_path / "shop"))
    app = shop.step("app", "join a", shop.step("below", "say below"))
    built = shop.build(app)
    ticks = Ticks()
    late = LateCache(place.cache, "write realisations", ticks)
    with pytest.raises(CacheBusy, match="could not be renewed in time"):
        push(shop, built, late, app, lease=lease(late, clock=ticks))
    assert late.calls == ["write realisations"]


def test_a_collection_that_lost_its_lease_removes_nothing_any_more(place: CachePlace):
    for at in range(3):
        place.behind.put(f"objects/ab/{'ab' * 31}{at:02}", b"orphan")
    place.behind.put(MARK, MARK_TEXT)
    ticks = Ticks()
    late = LateCache(place.cache, "remove", ticks)
    with pytest.raises(CacheBusy, match="could not be renewed in time"):
        Collector(late, lease(late, clock=ticks), "team", grace=-60).run()
    assert late.calls == ["remove"]


def test_who_removes_what_is_damaged_ends_with_the_lease(place: CachePlace):
    names = [f"objects/ab/{'ab' * 31}{at:02}" for at in range(3)]
    for name in names:
        place.behind.put(name, b"damaged")
    place.behind.put(MARK, MARK_TEXT)
    ticks = Ticks()
    late = LateCache(place.cache, "remove", ticks)
    findings = [CacheFinding(kind="damaged", name=name, problem="other bytes") for name in names]
    with (
        pytest.raises(CacheBusy, match="could not be renewed in time"),
        lease(late, clock=ticks).collecting() as mine,
    ):
        remove_damaged(late, findings, mine.tenure)
    assert late.calls == ["remove"]
    assert {*names[1:]} <= place.behind.files().keys()
