"""Results that others made: found, taken, and made after all where they are not to be had."""

# ruff: noqa: ARG001 - tests ask for what must be there before

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import evolve
from cache_places import CachePlace, folder
from team import CountedCache, Ticks, key_id, member, push, signed_by, substitutes, terms, verify
from workshop import Workshop

from rvbuild.caches.asking import AT_ONCE
from rvbuild.caches.member import MOST_WRONG
from rvbuild.caches.names import object_name
from rvbuild.core.canonical import encode
from rvbuild.core.derivation import Step
from rvbuild.core.errors import CacheDown, CacheRefused, SubstituteError
from rvbuild.core.events import Event, Finished, Noticed, Shortfall
from rvbuild.core.loss import Unavailable
from rvbuild.core.realisation import Origin, Realisation
from rvbuild.core.statement import REALISATION, Statement
from rvbuild.core.voucher import Voucher
from rvbuild.engine.build import build


@pytest.fixture
def place(tmp_path: Path) -> Iterator[CachePlace]:
    with folder(tmp_path) as made:
        yield made


def a_shop(path: Path, top: str = "join top") -> tuple[Workshop, Step]:
    """A target ``app`` of two steps, a source, and a check."""
    shop = Workshop(str(path))
    source = shop.source("source")
    below = shop.step("below", "join below", source)
    app = shop.step("app", top, below)
    shop.check("check of app", "say fine", app)
    return shop, app


def wanted(shop: Workshop) -> list[Step]:
    return [each for each in shop.known.values() if isinstance(each, Step)][1:]


Filled = tuple[Workshop, Step]


@pytest.fixture
def filled(tmp_path: Path, place: CachePlace) -> Filled:
    """A workshop that built ``app``, and pushed it."""
    shop, app = a_shop(tmp_path / "a")
    push(shop, shop.build(*wanted(shop)), place.cache, app)
    return shop, app


def test_what_one_built_another_takes(tmp_path: Path, place: CachePlace, filled: Filled):
    """With one question to plan, for the target and its check; nothing below is asked for."""
    shop, app = a_shop(tmp_path / "b")
    cache = CountedCache(place.cache)
    asked = substitutes(shop, [member(cache, Ticks())], terms("ci"), app)
    built = shop.build(*wanted(shop))
    built.refuse_failures()
    assert shop.output(built, app) == filled[0].output(filled[0].build(app), app)
    assert (shop.executor.ran, shop.fetcher.fetched) == ([], [])
    assert shop.how() == {"app": "pulled", "check of app": "pulled"}
    below = [shop.store.cas.read(each.key) for each in shop.known.values()]
    assert below == [each.encode() for each in shop.known.values()], "a later `why` reads them"
    records = [name for name in cache.questions if "/" in name]
    assert records == [name for name in place.behind.files() if name.endswith(app.digest)]
    made = built.realised[app.digest]
    assert (made.builder, made.origin) == ("ci", Origin("substituted", "team"))
    assert made.vouchers == (Voucher(key_id("ci")),)
    (use,) = asked.uses
    assert (use.pulled, use.reason) == (2, "")
    assert shop.store.realisations.realisation(app.digest) == made


def test_where_only_the_top_is_another_two_questions_tell_all(
    tmp_path: Path, place: CachePlace, filled: Filled
):
    shop, app = a_shop(tmp_path / "b", top="join another")
    cache = CountedCache(place.cache)
    substitutes(shop, [member(cache, Ticks())], terms("ci"), app)
    shop.build(app).refuse_failures()
    assert shop.how() == {"below": "pulled", "app": "built"}
    assert shop.fetcher.fetched == []
    records = [name for name in cache.questions if "/" in name]
    assert [name.rpartition("/")[2] for name in records] == [app.digest, "app"]


def test_without_a_closure_each_level_is_asked_for(
    tmp_path: Path, place: CachePlace, filled: Filled
):
    place.behind.remove("records/ci/targets/app")
    shop, app = a_shop(tmp_path / "b", top="join another")
    substitutes(shop, [member(place.cache, Ticks())], terms("ci"), app)
    shop.build(app).refuse_failures()
    assert shop.how() == {"below": "pulled", "app": "built"}


def test_what_the_store_has_is_not_asked_for(tmp_path: Path, place: CachePlace, filled: Filled):
    shop, app = filled
    cache = CountedCache(place.cache)
    substitutes(shop, [member(cache, Ticks())], terms("ci"), app)
    shop.build(*wanted(shop)).refuse_failures()
    assert cache.questions == []


def test_a_check_of_what_is_here_is_told_by_its_record(
    tmp_path: Path, place: CachePlace, filled: Filled
):
    """As after a run that was killed between the two."""
    shop, app = a_shop(tmp_path / "b")
    cache = CountedCache(place.cache)
    substitutes(shop, [member(cache, Ticks())], terms("ci"), app)
    shop.build(app).refuse_failures()
    cache.questions.clear()
    shop.build(*wanted(shop)).refuse_failures()
    assert (shop.executor.ran, shop.fetcher.fetched) == ([], [])
    assert shop.how() == {"app": "pulled", "check of app": "pulled"}
    records = [name for name in cache.questions if "/" in name]
    assert [name.rpartition("/")[2] for name in records] == [app.digest]


def test_a_check_of_another_output_is_none_of_what_is_here(
    tmp_path: Path, place: CachePlace, filled: Filled
):
    shop, app = a_shop(tmp_path / "b")
    built = shop.build(app)
    other = shop.step("other", "say something else")
    output = shop.build(other).realised[other.digest].output
    shop.store.realisations.register(evolve(built.realised[app.digest], output=output))
    substitutes(shop, [member(place.cache, Ticks())], terms("ci"), app)
    shop.build(*(step for step in wanted(shop) if step.label != "other")).refuse_failures()
    assert shop.how()["check of app"] == "built"


@pytest.mark.parametrize("gone", ["all", "those of app"])
def test_an_evicted_pack_is_a_miss(tmp_path: Path, place: CachePlace, filled: Filled, gone: str):
    """Between plan and fetch: the build does what the pack would have saved, and no more."""
    shop, app = a_shop(tmp_path / "b")
    packs = [name for name in place.behind.files() if name.startswith("objects/")]
    if gone == "all":
        for pack in packs:
            place.behind.remove(pack)
    else:
        read: list[str] = []
        probe, _ = a_shop(tmp_path / "probe")
        substitutes(probe, [member(CountedCache(place.cache, read), Ticks())], terms("ci"), app)
        probe.build(app).refuse_failures()
        for name in read:
            if "/" not in name:
                place.behind.remove(f"objects/{name[:2]}/{name}")
    substitutes(shop, [member(place.cache, Ticks())], terms("ci"), app)
    built = shop.build(*wanted(shop))
    built.refuse_failures()
    assert shop.output(built, app) == filled[0].output(filled[0].build(app), app)
    losses = {each.loss for each in shop.events if isinstance(each, Finished)} - {None}
    message = "team does not give what it offered: no cache has all of a pack"
    assert losses == {Unavailable(message, ("team: the cache lacks an object",))}
    made = {"source": "fetched", "below": "built", "app": "built", "check of app": "built"}
    if gone == "all":
        assert shop.how() == made
    else:
        assert shop.how() == {"below": "pulled", "app": "built", "check of app": "pulled"}


def test_a_lost_check_is_run_once_the_target_is_made(tmp_path: Path, place: CachePlace):
    """The record of the target tells of its check again and again; the pack of it is gone."""
    shop, app = a_shop(tmp_path / "a")
    push(shop, shop.build(*wanted(shop)), place.cache, app)
    for name in place.behind.files():
        if name.startswith("objects/"):
            place.behind.remove(name)
    other, app = a_shop(tmp_path / "b")
    others = [other.step("0", "say 0")]
    for number in range(1, 20):
        others.append(other.step(str(number), f"say {number}", others[-1]))
    cache = CountedCache(place.cache)
    substitutes(other, [member(cache, Ticks())], terms("ci"), app)
    gate = other.executor.gate("app")
    told = other.events.append

    def report(event: Event) -> None:
        told(event)
        if isinstance(event, Finished) and event.label == "19":
            gate.set()

    digests = [each.digest for each in (*wanted(other)[:2], others[-1])]
    build(other.known, digests, evolve(other.services, report=report), jobs=2).refuse_failures()
    lost = [
        each.label for each in other.events if isinstance(each, Finished) and each.how == "lost"
    ]
    assert sorted(lost) == ["app", "below", "check of app"]
    records = [name for name in cache.questions if "/" in name]
    assert len(records) == len(set(records))


@pytest.mark.parametrize("gone", ["record", "packs"])
def test_a_pull_goes_on_without_what_nobody_has(
    tmp_path: Path, place: CachePlace, filled: Filled, gone: str
):
    """With the error of each that nobody has; without -k, nothing is pulled after one."""
    _, app = filled
    for name in place.behind.files():
        if name.endswith(app.digest):
            record = place.behind.files()[name]
            place.behind.remove(name)
    if gone == "packs":
        place.behind.put(f"records/ci/realisations/{app.digest[:2]}/{app.digest}", record)
        for pack in Statement.of(verify(record, REALISATION, "")[1]).packs:
            place.behind.remove(object_name(pack))
    for keep_going in (True, False):
        shop, app = a_shop(tmp_path / f"{keep_going}")
        shop.pull = True
        substitutes(shop, [member(place.cache, Ticks())], terms("ci"))
        below = wanted(shop)
        first = [each for each in shop.known.values() if each.label == "below"]
        if gone == "record" and not keep_going:
            with pytest.raises(SubstituteError, match="app: no cache has it"):
                shop.build(*below, *first, keep_going=keep_going)
            assert shop.how() == {}
            continue
        built = shop.build(*below, *first, keep_going=keep_going)
        assert {type(error) for error in built.failures} == {SubstituteError}
        assert shop.how().get("below") == "pulled" or not keep_going
        assert app.digest in built.errors or not keep_going
        assert {each.how for each in shop.events if isinstance(each, Finished)} <= {
            "pulled",
            "failed",
            "stopped",
        }
        assert (shop.executor.ran, shop.fetcher.fetched) == ([], [])


def test_pushing_again_heals(tmp_path: Path, place: CachePlace, filled: Filled):
    """Nobody believes a record that is there: its packs are asked for."""
    shop, app = filled
    packs = [name for name in place.behind.files() if name.startswith("objects/")]
    built = shop.build(*wanted(shop))
    assert set(push(shop, built, place.cache, app).values()) == {0}
    for pack in packs[:2]:
        place.behind.remove(pack)
    assert any(push(shop, built, place.cache, app).values())
    assert packs == [name for name in place.behind.files() if name.startswith("objects/")]


@pytest.mark.parametrize("weaker", ["substituted", "accelerated"])
def test_a_better_word_replaces_a_weaker_one(place: CachePlace, filled: Filled, weaker: str):
    """Where two must agree, only who built a result counts: what was built since says so."""
    shop, app = filled
    built = shop.build(*wanted(shop))
    facts: dict[str, object] = {
        "substituted": {"origin": Origin("substituted", "team")},
        "accelerated": {"accelerated": True},
    }[weaker]
    realised = {digest: evolve(each, **facts) for digest, each in built.realised.items()}
    (name,) = [name for name in place.behind.files() if name.endswith(app.digest)]
    strong = place.behind.files()[name]
    push(shop, evolve(built, realised=realised), place.cache, app)
    assert place.behind.files()[name] == strong, "and no weaker one a better one"
    place.behind.remove(name)
    push(shop, evolve(built, realised=realised), place.cache, app)
    assert place.behind.files()[name] != strong
    push(shop, built, place.cache, app)
    assert place.behind.files()[name] == strong


def test_a_record_of_another_derivation_counts_for_nothing(
    tmp_path: Path, place: CachePlace, filled: Filled
):
    """Signed, and played again under another name."""
    files = place.behind.files()
    shop, app = a_shop(tmp_path / "b", top="join another")
    (record,) = [files[name] for name in files if name.endswith(filled[1].digest)]
    place.behind.put(f"records/ci/realisations/{app.digest[:2]}/{app.digest}", record)
    substitutes(shop, [member(place.cache, Ticks())], terms("ci"), app)
    shop.build(app).refuse_failures()
    assert shop.how() == {"below": "pulled", "app": "built"}
    (notice,) = [event for event in shop.events if isinstance(event, Noticed)]
    assert notice.security
    assert "a record of another derivation" in notice.text


def test_two_builders_must_agree_where_two_are_asked_for(
    tmp_path: Path, place: CachePlace, filled: Filled
):
    shop, app = a_shop(tmp_path / "alone")
    asked = substitutes(shop, [member(place.cache, Ticks())], terms("ci", "lab", needed=2), app)
    shop.build(app).refuse_failures()
    assert shop.how() == {"source": "fetched", "below": "built", "app": "built"}
    assert asked.shortfalls == (Shortfall(("app", "below"), keys=1, needed=2),)

    push(shop, shop.build(*wanted(shop)), place.cache, app, key="lab")
    both, _ = a_shop(tmp_path / "both")
    asked = substitutes(both, [member(place.cache, Ticks())], terms("ci", "lab", needed=2), app)
    built = both.build(app)
    assert both.how() == {"app": "pulled"}
    assert asked.shortfalls == ()
    vouchers = (Voucher(key_id("ci")), Voucher(key_id("lab")))
    assert built.realised[app.digest].vouchers == vouchers


def test_nobody_speaks_for_another_builder(tmp_path: Path, place: CachePlace, filled: Filled):
    """A builder's record has a second statement of the same result, in the name of another."""

    def forge(payload_type: str, payload: bytes) -> bytes:
        said = json.loads(payload)
        if "checks" in said:
            said["checks"] = [{**said, "key": "ci", "checks": []}]
        return signed_by("lab")(payload_type, encode(said))

    shop, app = filled
    for name in place.behind.files():
        if name.startswith("records/"):
            place.behind.remove(name)
    push(shop, shop.build(*wanted(shop)), place.cache, app, key="lab", sign=forge)
    both, _ = a_shop(tmp_path / "both")
    substitutes(both, [member(place.cache, Ticks())], terms("ci", "lab", needed=2), app)
    both.build(app).refuse_failures()
    assert both.how()["app"] == "built"


def test_builders_that_do_not_agree_are_shown(tmp_path: Path, place: CachePlace, filled: Filled):
    """Once, although their records and their closures say it; the check runs on what is made."""
    liar, app = a_shop(tmp_path / "liar")
    built = liar.build(*wanted(liar))
    with liar.store.trees.new_tree() as writer:
        writer.file("data", [b"evil"])
        evil = writer.commit().root
    built.realised[app.digest] = evolve(built.realised[app.digest], output=evil)  # type: ignore[index]
    push(liar, built, place.cache, app, key="lab")
    shop, _ = a_shop(tmp_path / "b")
    substitutes(shop, [member(place.cache, Ticks())], terms("ci", "lab", needed=2), app)
    shop.build(*wanted(shop)).refuse_failures()
    assert (shop.how()["app"], shop.how()["check of app"]) == ("built", "built")
    (text,) = [event.text for event in shop.events if isinstance(event, Noticed)]
    assert "builders do not agree: ci says" in text
    assert f"lab says {evil.hash[:16]}" in text


def test_what_a_compile_cache_helped_to_make_is_not_taken(tmp_path: Path, place: CachePlace):
    fast, app = a_shop(tmp_path / "fast")
    built = fast.build(*wanted(fast))
    for digest, made in list(built.realised.items()):
        built.realised[digest] = evolve(made, accelerated=True)  # type: ignore[index]
    push(fast, built, place.cache, app)
    for accelerated, how in ((False, "built"), (True, "pulled")):
        shop, _ = a_shop(tmp_path / how)
        rules = terms("ci", accelerated=accelerated)
        asked = substitutes(shop, [member(place.cache, Ticks())], rules, app)
        shop.build(app).refuse_failures()
        assert shop.how()["app"] == how
        assert asked.shortfalls == (), "whose word it is makes no difference"


def refusing(error: Exception) -> Callable[[str], None]:
    def before(_question: str) -> None:
        raise error

    return before


@pytest.mark.parametrize(
    "error", [CacheDown("no answer in 5 s"), CacheRefused("it wants a login")], ids=repr
)
def test_a_cache_that_is_no_use_is_left_out_and_the_others_are_asked(
    tmp_path: Path, place: CachePlace, filled: Filled, error: Exception
):
    shop, app = a_shop(tmp_path / "b")
    dead = CountedCache(place.cache, before=refusing(error))
    clock = Ticks()
    members = [member(dead, clock, "dead"), member(place.cache, clock, "healthy")]
    asked = substitutes(shop, members, terms("ci"), app)
    shop.build(app).refuse_failures()
    assert shop.how() == {"app": "pulled"}
    reasons = {use.name: use.reason for use in asked.uses}
    assert reasons["healthy"] == ""
    assert len(dead.questions) <= 1


def test_with_all_caches_dead_the_build_goes_on(tmp_path: Path, place: CachePlace):
    shop, app = a_shop(tmp_path / "b")
    dead = CountedCache(place.cache, before=refusing(CacheDown("no answer in 5 s")))
    asked = substitutes(shop, [member(dead, Ticks(), "dead")], terms("ci"), app)
    shop.build(app).refuse_failures()
    assert shop.how() == {"source": "fetched", "below": "built", "app": "built"}
    assert asked.uses[0].reason == "no answer in 5 s"
    assert len(dead.questions) == 1


def test_a_dead_cache_costs_no_second_look_at_what_is_here(tmp_path: Path, place: CachePlace):
    """At tens of thousands of files each look takes a while."""
    shop, app = a_shop(tmp_path / "b")
    first = [each for each in shop.known.values() if each.label == "below"]
    shop.build(*first).refuse_failures()
    looks: list[str] = []

    def accepts(realisation: Realisation) -> bool:
        looks.append(realisation.derivation)
        return True

    dead = CountedCache(place.cache, before=refusing(CacheDown("connection refused")))
    substitutes(shop, [member(dead, Ticks())], terms("ci"), app)
    built = build(shop.known, [app.digest], evolve(shop.services, accepts=accepts), jobs=2)
    built.refuse_failures()
    assert looks == [first[0].digest]


@pytest.mark.parametrize("record", [b"<html>log in</html>", b"", b"{}"])
def test_a_cache_of_records_that_nobody_believes_is_left_out(
    tmp_path: Path, place: CachePlace, record: bytes
):
    """As one behind a page to log in, which says 200 to everything."""

    class Portal(CountedCache):
        def record(self, name: str) -> bytes | None:
            super().record(name)
            return record

    shop, app = a_shop(tmp_path / "b")
    for number in range(60):
        app = shop.step(str(number), f"say {number}", app)
    portal = Portal(place.cache)
    asked = substitutes(shop, [member(portal, Ticks())], terms("ci", "lab"), app)
    shop.build(app).refuse_failures()
    notices = [event for event in shop.events if isinstance(event, Noticed)]
    assert [notice.security for notice in notices] == [True] * MOST_WRONG
    assert len(portal.questions) <= 2 * AT_ONCE
    assert asked.uses[0].reason


def test_packs_come_from_the_fastest_whose_speed_is_known(
    tmp_path: Path, place: CachePlace, filled: Filled
):
    """One that was left out is no measure, and one that nobody knows is tried."""
    _, app = filled
    clock = Ticks()
    caches = {name: CountedCache(place.cache) for name in ("out", "slow", "fast", "unknown")}
    members = {name: member(cache, clock, name) for name, cache in caches.items()}
    for name, seconds in (("out", 10), ("slow", 50), ("fast", 40)):
        with members[name]._speed.waiting():
            clock.wait(seconds)
        members[name]._speed.came(1 << 20)
    for chosen in ("unknown", "fast", "slow"):
        shop, _ = a_shop(tmp_path / chosen)
        asked = substitutes(shop, list(members.values()), terms("ci"), app)
        offer = asked.find([app.digest])[app.digest]
        asked._sources[app.digest] = list(members.values())
        members["out"].leave_out("it hung up")
        with shop.store.trees.new_tree() as tree:
            asked.fetch(offer, tree, lambda _done, _total: None)
        assert {use.name for use in asked.uses if use.pulled} == {chosen}
        del members[chosen]


def test_a_pack_goes_on_from_another_cache(tmp_path: Path, place: CachePlace, filled: Filled):
    """One that has the records and no pack, before one that has all."""

    def no_pack(question: str) -> None:
        if "/" not in question:
            msg = "it hung up"
            raise CacheDown(msg)

    shop, app = a_shop(tmp_path / "b")
    clock = Ticks()
    members = [
        member(CountedCache(place.cache, before=no_pack), clock, "half"),
        member(place.cache, clock, "whole"),
    ]
    asked = substitutes(shop, members, terms("ci"), app)
    shop.build(app).refuse_failures()
    assert shop.how() == {"app": "pulled"}
    assert {use.name: use.pulled for use in asked.uses} == {"half": 0, "whole": 1}


def test_an_offer_whose_cache_is_gone_is_an_error_of_its_own(
    tmp_path: Path, place: CachePlace, filled: Filled
):
    shop, app = a_shop(tmp_path / "b")
    asked = substitutes(shop, [member(place.cache, Ticks())], terms("ci"), app)
    offer = asked.find([app.digest])[app.digest]
    asked.members[0].leave_out("somebody pulled the plug")
    with (
        pytest.raises(SubstituteError, match="does not give what it offered") as caught,
        shop.store.trees.new_tree() as tree,
    ):
        asked.fetch(offer, tree, lambda _done, _total: None)
    assert caught.value.details == ("team: left out: somebody pulled the plug",)


def test_of_much_that_would_be_made_the_last_is_named_and_the_rest_counted(tmp_path: Path):
    shop = Workshop(str(tmp_path), pull=True)
    step = shop.step("0", "say 0")
    for number in range(1, 12):
        step = shop.step(str(number), f"say {number}", step)
    with pytest.raises(SubstituteError, match="11: no cache has it as it would") as caught:
        shop.build(step)
    assert caught.value.details == ("2 more tasks, and", *(f"build {n}" for n in range(2, 12)))
