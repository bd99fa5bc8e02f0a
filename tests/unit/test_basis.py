"""Who vouched for what a result was made of is kept with it, and judged like its own vouchers."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from attrs import evolve, frozen
from cache_places import CachePlace, folder
from signing import private_key
from team import Ticks, key_id, member, payload, push, substitutes, terms
from workshop import Workshop
from workspaces import workspace

from rvbuild.app.choices import Choices
from rvbuild.app.vouched import Vouched
from rvbuild.core.acceptance import Acceptance
from rvbuild.core.canonical import Json
from rvbuild.core.derivation import Step
from rvbuild.core.digest import Digest
from rvbuild.core.envelope import seal
from rvbuild.core.errors import VerificationError
from rvbuild.core.realisation import Origin, Realisation
from rvbuild.core.voucher import Voucher, best_voucher
from rvbuild.engine.lookup import StoreLookup
from rvbuild.stores.memory import MemoryStore

CI, LAB, LAPTOP, STRANGER = map(key_id, ("ci", "lab", "laptop", "stranger"))
KNOWN = frozenset({CI, LAB, LAPTOP})
ONE, TWO = Acceptance(), Acceptance(2, ("ci", "lab", "laptop"))

BY_CI, BY_LAB = (Voucher(CI),), (Voucher(LAB),)
BY_BOTH = (Voucher(CI), Voucher(LAB))


def made(name: str = "d", **facts: object) -> Realisation:
    return Realisation(key=Digest.of(name.encode()), output=Digest.of(b"o"), **facts)  # type: ignore[arg-type]


def taken(*vouchers: Voucher, place: str = "team", builder: str = "") -> Realisation:
    origin, signatures = Origin("substituted", place), tuple(each.json for each in vouchers)
    return made(origin=origin, signatures=signatures, builder=builder)


# ---- the rules


@pytest.mark.parametrize(
    ("inputs", "basis"),
    [
        ([], ()),
        ([made()], ()),
        ([taken(*BY_CI)], (BY_CI,)),
        ([taken(*BY_CI), made(), taken(*BY_CI, place="office")], (BY_CI,)),
        ([taken(*BY_CI), taken(*BY_LAB)], (BY_CI, BY_LAB)),
        ([taken(*BY_BOTH), taken(*BY_CI)], (BY_BOTH, BY_CI)),
        ([made(basis=(BY_CI, BY_LAB)), taken(*BY_LAB)], (BY_CI, BY_LAB)),
        ([taken(Voucher(LAB, (), (CI,)))], ((Voucher(LAB, (), (CI,)),),)),
        ([taken()], ((),)),
    ],
)
def test_what_a_result_has_from_its_inputs(
    inputs: list[Realisation], basis: tuple[tuple[Voucher, ...], ...]
):
    """Each set once; what nobody vouches for is a set, too."""
    result = made("top").made_of(inputs)
    assert result.basis == basis
    assert result.voucher_sets == basis
    assert Realisation.decode(result.encode()) == result


@pytest.mark.parametrize(
    ("policy", "sets", "may"),
    [
        (TWO, (), True),
        (ONE, (BY_CI,), True),
        (ONE, (BY_CI, ()), False),
        (ONE, (BY_CI, (Voucher(STRANGER),)), False),
        (ONE, (BY_CI, (Voucher(LAB, (), (STRANGER,)),)), False),
        (ONE, (BY_CI, (Voucher(LAB, (), (CI,)),)), True),
        (Acceptance(1, ("ci",)), (BY_CI, BY_LAB), False),
        (TWO, (BY_CI, BY_LAB), False),
        (TWO, (BY_BOTH,), True),
        (TWO, (BY_BOTH, BY_CI), False),
        (TWO, ((Voucher(CI), Voucher(LAB, (), (LAPTOP,))),), False),
    ],
)
def test_each_set_has_to_be_enough(
    policy: Acceptance,
    sets: tuple[tuple[Voucher, ...], ...],
    may: bool,  # noqa: FBT001 - a table
):
    """Two keys that vouch for two things vouch for neither twice."""
    assert policy.all_vouched(sets, KNOWN) == may


NOBODYS = Origin("substituted", "")


@pytest.mark.parametrize(
    ("basis", "origin"),
    [
        ((), Origin()),
        ((BY_CI,), Origin(basis=(CI,))),
        ((BY_LAB, BY_CI), Origin(basis=(CI, LAB))),
        ((BY_BOTH,), Origin(basis=(CI,))),
        (((Voucher(LAB, (CI,)),),), Origin(basis=(CI, LAB))),
        (((Voucher(LAB, (), (CI,)),),), Origin(basis=(CI, LAB))),
        (((Voucher(LAPTOP),),), Origin()),
        (((Voucher(CI), Voucher(LAPTOP)),), Origin()),
        (((Voucher(LAPTOP, (), (CI,)),), BY_LAB), Origin(basis=(CI, LAB))),
        ((BY_CI, (Voucher(STRANGER),)), NOBODYS),
        ((BY_CI, ()), NOBODYS),
    ],
)
def test_what_a_laptop_says_of_what_it_built(
    basis: tuple[tuple[Voucher, ...], ...], origin: Origin
):
    """The keys of the best voucher of each set, without itself: its own word is its own."""
    assert made(basis=basis).origin_for(LAPTOP, KNOWN) == origin


@pytest.mark.parametrize(
    ("vouchers", "origin"),
    [
        ([Voucher(LAB, (), (CI,))], Origin("substituted", "team", (LAB,), (CI,))),
        ([Voucher(LAB, (), (CI, LAPTOP))], Origin("substituted", "team", (LAB,), (CI,))),
        ([Voucher(LAPTOP, (), (CI,))], Origin(basis=(CI,))),
        ([Voucher(LAPTOP, (), (CI,)), Voucher(LAPTOP)], Origin()),
        ([Voucher(LAB, (), (STRANGER,))], Origin("substituted", "team")),
    ],
)
def test_what_a_laptop_says_of_what_it_took(vouchers: list[Voucher], origin: Origin):
    assert taken(*vouchers).origin_for(LAPTOP, KNOWN) == origin


@pytest.mark.parametrize(
    ("origin", "stands"),
    [
        (Origin(basis=(CI,)), True),
        (Origin(basis=(CI, STRANGER)), False),
        (Origin("substituted", "team", (LAB,), (CI,)), True),
        (Origin("substituted", "team", (LAB,), (STRANGER,)), False),
        (Origin("substituted", "team", (), (CI,)), False),
    ],
)
def test_a_word_stands_with_all_that_it_is_based_on(origin: Origin, stands: bool):  # noqa: FBT001
    assert origin.stands(KNOWN) == stands
    assert Origin.read(json.loads(json.dumps(origin.json))) == origin
    assert not origin.is_independent


def test_the_first_of_the_best_vouchers_is_taken():
    one, two = Voucher(CI, (LAB,)), Voucher(LAB, (), (CI,))
    assert best_voucher((one, two), LAPTOP, KNOWN) == one
    assert best_voucher((one, two, Voucher(CI)), LAPTOP, KNOWN) == Voucher(CI)
    assert best_voucher((Voucher(STRANGER),), LAPTOP, KNOWN) is None


def test_only_ids_of_keys_are_a_basis():
    for make in (lambda: Origin(basis=("ci",)), lambda: Voucher(CI, (), ("ci",))):
        with pytest.raises(ValueError, match="ci"):
            make()


def changed(made: Realisation, change: Callable[[dict[str, Json]], object]) -> bytes:
    body = json.loads(made.encode())["body"]
    change(body)
    return seal("realisation", 1, body)


def test_a_record_of_before_is_made_of_nothing_taken():
    assert Realisation.decode(changed(made(), lambda body: body.pop("basis"))) == made()


@pytest.mark.parametrize(
    ("basis", "sets"),
    [
        ([[Voucher(LAB, (), (CI,)).json]], ((Voucher(LAB, (), (CI,)),),)),
        ([[{"keyid": CI}]], ((),)),
        ([[{"keyid": CI, "chain": [], "basis": None}]], ((),)),
        ([[{"keyid": CI, "chain": [], "basis": [7]}]], ((),)),
        ([[CI, None, 7, []]], ((),)),
        ([["what a newer one says"], [Voucher(CI).json]], ((), BY_CI)),
        ([{}], ((),)),
        ("text", ((), (), (), ())),
    ],
)
def test_what_cannot_be_understood_is_nobodys_word(
    basis: Json, sets: tuple[tuple[Voucher, ...], ...]
):
    """So the result is not used; it is no damage."""
    found = Realisation.decode(changed(made(), lambda body: body.update(basis=basis)))
    assert found.voucher_sets == sets
    if () in sets:
        assert not ONE.all_vouched(sets, KNOWN)


@pytest.mark.parametrize("basis", [None, 7, True, [7], [None]])
def test_what_is_no_list_of_sets_is_damage(basis: Json):
    with pytest.raises(VerificationError):
        Realisation.decode(changed(made(), lambda body: body.update(basis=basis)))


# ---- which of several records


@pytest.mark.parametrize(
    ("records", "found"),
    [
        ({"": made(), "ci": taken(*BY_CI)}, ""),
        ({"": made(basis=((Voucher(STRANGER),),)), "ci": taken(*BY_CI)}, "ci"),
        ({"ci": taken(Voucher(STRANGER)), "lab": taken(*BY_LAB)}, "lab"),
        ({"ci": taken(*BY_CI), "lab": taken(*BY_LAB)}, "ci"),
        ({"ci": taken(Voucher(STRANGER)), "lab": taken()}, None),
        ({}, None),
    ],
)
def test_the_first_that_may_be_used_is(
    tmp_path: Path, records: dict[str, Realisation], found: str | None
):
    """One that is not accepted hides no other one, nor does one whose tree is gone."""
    store = MemoryStore(str(tmp_path))
    with store.trees.new_tree() as tree:
        tree.file("data", [b"o"], executable=False)
        output = tree.commit().root
    for builder, each in records.items():
        store.realisations.register(evolve(each, output=output, builder=builder))
    lost = taken(*BY_CI, builder="a-lost-one")
    store.realisations.register(lost)
    lookup = StoreLookup(store, accepts=lambda it: ONE.all_vouched(it.voucher_sets, KNOWN))
    result = lookup(lost.derivation)
    assert (result.builder if result else None) == found


# ---- in a store


def accepting(policy: Acceptance, known: Collection[str]) -> Callable[[Realisation], bool]:
    valid_ids = frozenset(map(key_id, known))
    return lambda it: policy.all_vouched(it.voucher_sets, valid_ids)


@frozen
class Shops:
    """Builders around caches, who build ``lib``, a ``merge`` of it, ``app`` and a ``check``."""

    path: Path
    stack: ExitStack
    places: dict[str, CachePlace]

    def place(self, name: str) -> CachePlace:
        if name not in self.places:
            disk = self.path / f"disk-{name}"
            disk.mkdir()
            self.places[name] = self.stack.enter_context(folder(disk))
        return self.places[name]

    def shop(self, name: str, salt: str = "") -> tuple[Workshop, Step, Step]:
        """A workshop, and how it describes ``lib`` and ``app``; the salt makes another app."""
        shop = Workshop(str(self.path / name))
        lib = shop.step("lib", "join lib", shop.source("source"))
        app = shop.step("app", f"join {salt}", shop.merge("merge", lib, shop.source("other")))
        return shop, lib, app

    def take(self, shop: Workshop, place: str, *keys: str, needed: int = 1) -> None:
        """Let a workshop take from a cache what keys vouch for, from now on."""
        caches = [member(self.place(place).cache, Ticks())]
        rules = terms(*keys, needed=needed)
        substitutes(shop, caches, rules)
        shop.accepts = accepting(rules.acceptance, keys)

    def origins(self, place: str, key: str) -> dict[str, Json]:
        """What a key says of the origin of each result."""
        files = self.place(place).behind.files()
        names = [name for name in files if name.startswith(f"records/{key}/realisations/")]
        bodies = [payload(files[name]) for name in names]
        return {body["label"]: body["origin"] for body in bodies}


@pytest.fixture
def shops(tmp_path: Path) -> Iterator[Shops]:
    """CI built ``lib`` and ``app`` and pushed both into the cache 1."""
    with ExitStack() as stack:
        made = Shops(tmp_path, stack, {})
        shop, _, app = made.shop("ci")
        push(shop, shop.build(app), made.place("1").cache, app, "ci")
        yield made


def built_on_lib(shops: Shops, name: str = "laptop") -> tuple[Workshop, Step, Step]:
    """A workshop that took ``lib`` from CI, and built another ``app`` on top of it."""
    shop, lib, app = shops.shop(name, salt="another")
    shops.take(shop, "1", "ci", "lab")
    shop.build(app).refuse_failures()
    assert (shop.how()["lib"], shop.how()["app"]) == ("pulled", "built")
    shop.substitutes = None
    shop.executor.ran.clear()
    shop.events.clear()
    return shop, lib, app


def test_what_was_built_of_a_taken_result_falls_with_it(shops: Shops):
    """Through a merge, too. What comes out as it was does not run again."""
    shop, lib, app = built_on_lib(shops)
    assert shop.build(app).plan.tasks == {}
    shop.accepts = accepting(ONE, ["lab"])
    built = shop.build(app)
    assert shop.how() == {"source": "fetched", "lib": "built", "merge": "merged", "app": "reused"}
    assert shop.executor.ran == ["lib"]
    assert all(built.realised[each.digest].voucher_sets == () for each in (lib, app))
    assert shop.build(app).plan.tasks == {}


def test_a_release_that_wants_two_keys_takes_nothing_made_of_what_one_says(shops: Shops):
    shop, _, app = built_on_lib(shops)
    shop.accepts = accepting(TWO, ["ci", "lab", "laptop"])
    shop.build(app).refuse_failures()
    assert shop.how()["lib"] == "built"


def test_a_second_voucher_makes_up_for_one_that_fell(shops: Shops):
    """A lab built lib, too: its word is taken, and what was built stays."""
    shop, _, app = built_on_lib(shops)
    lab, _, theirs = shops.shop("lab")
    push(lab, lab.build(theirs), shops.place("1").cache, theirs, "lab")
    shops.take(shop, "1", "lab")
    shop.build(app).refuse_failures()
    assert shop.how() == {"lib": "pulled", "merge": "merged", "app": "reused"}
    assert shop.build(app).plan.tasks == {}


def test_a_check_of_a_taken_result_falls_with_it(shops: Shops):
    shop, lib, _ = built_on_lib(shops)
    check = shop.check("check", "join check", lib)
    shop.build(check).refuse_failures()
    assert shop.build(check).plan.tasks == {}
    shop.accepts = accepting(ONE, ["lab"])
    assert [task.derivation.label for task in shop.build(check).plan.tasks.values()] == [
        "source",
        "lib",
        "check",
    ]


# ---- from cache to cache


@pytest.fixture
def laptop(shops: Shops) -> tuple[Workshop, Step, Step]:
    """A laptop that built app out of CI's lib, and pushed both into the cache 2."""
    shop, lib, app = built_on_lib(shops)
    push(shop, shop.build(app, lib), shops.place("2").cache, app, "laptop", known=["ci"])
    return shop, lib, app


def test_a_statement_says_what_it_is_based_on(shops: Shops, laptop: object):
    """The closure repeats each statement."""
    assert laptop
    assert shops.origins("2", "laptop") == {
        "lib": {"kind": "substituted", "from": "team", "chain": [CI]},
        "app": {"kind": "built", "from": "", "basis": [CI]},
    }


@pytest.mark.parametrize(
    ("keys", "needed", "how"),
    [
        (["laptop", "ci"], 1, "pulled"),
        (["laptop"], 1, "built"),
        (["laptop", "ci", "lab"], 2, "built"),
    ],
)
def test_whom_a_reader_has_to_trust(
    shops: Shops, laptop: object, keys: list[str], needed: int, how: str
):
    """Where two are needed, what is based on others' words counts for nobody."""
    assert laptop
    office, _, app = shops.shop("office", salt="another")
    lab, _, theirs = shops.shop("lab", salt="another")
    push(lab, lab.build(theirs), shops.place("2").cache, theirs, "lab")
    shops.take(office, "2", *keys, needed=needed)
    office.build(app).refuse_failures()
    assert office.how()["app"] == how


def test_a_third_says_what_the_second_was_based_on(shops: Shops, laptop: object):
    """An office takes the app from the laptop: it is on the laptop's word, and on CI's."""
    assert laptop
    office, lib, app = shops.shop("office", salt="another")
    shops.take(office, "2", "laptop", "ci")
    built = office.build(app, lib)
    push(office, built, shops.place("3").cache, app, "office", known=["ci", "laptop"])
    assert shops.origins("3", "office")["app"] == {
        "kind": "substituted",
        "from": "team",
        "chain": [LAPTOP],
        "basis": [CI],
    }
    for keys, how in ((["office", "laptop"], "built"), (["office", "laptop", "ci"], "pulled")):
        reader, _, app = shops.shop(f"reader-{len(keys)}", salt="another")
        shops.take(reader, "3", *keys)
        reader.build(app).refuse_failures()
        assert reader.how()["app"] == how


def test_what_was_built_of_nothing_taken_is_said_again(
    shops: Shops, laptop: tuple[Workshop, Step, Step]
):
    """A better word takes the place of one that is based on others', and never the reverse."""
    shop, lib, app = laptop
    cache = shops.place("2")
    based = shop.build(app, lib)
    shop.accepts = accepting(ONE, [])
    alone = shop.build(app, lib)
    for built in (alone, based):
        push(shop, built, cache.cache, app, "laptop", known=["ci"])
        origins = shops.origins("2", "laptop")
        assert origins == {each: {"kind": "built", "from": ""} for each in ("lib", "app")}


# ---- of a project


def test_a_key_of_the_same_name_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Two projects share a store, and each has a key called ci."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    publics = {}
    accepts = {}
    for name in ("one", "two"):
        public = evolve(private_key(name).public, name="ci")
        keys = tmp_path / name / "cache/keys"
        keys.mkdir(parents=True)
        (tmp_path / name / "recipes").mkdir()
        (tmp_path / name / "rvbuild.toml").write_text("[accept]\nbuild = 'ci'\n")
        (keys / "ci.pub").write_text(f"{public}\n")
        publics[name] = Voucher(public.key_id)
        here = workspace(str(tmp_path / name), str(tmp_path / "store"))
        accepts[name] = Vouched(here, Choices())
    assert publics["one"] != publics["two"]
    for name, other in (("one", "two"), ("two", "one")):
        for its, may in ((publics[name], True), (publics[other], False)):
            assert accepts[name](taken(its)) == may
            assert accepts[name](made(basis=((its,),))) == may
            assert accepts[name](taken(evolve(publics[name], chain=(its.key_id,)))) == may
            assert accepts[name](taken(evolve(publics[name], basis=(its.key_id,)))) == may
        assert accepts[name](made())
