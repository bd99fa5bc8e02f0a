"""A word that was repeated falls with whoever said it first."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from attrs import evolve, frozen
from cache_places import CachePlace, folder
from team import Ticks, key_id, member, payload, push, signed_by, substitutes, terms
from workshop import Workshop

from rvbuild.core.acceptance import Acceptance
from rvbuild.core.canonical import Json, encode
from rvbuild.core.derivation import Step
from rvbuild.core.digest import Digest
from rvbuild.core.events import Shortfall
from rvbuild.core.realisation import Origin, Realisation
from rvbuild.core.voucher import Voucher

CI, LAB, LAPTOP, STRANGER = map(key_id, ("ci", "lab", "laptop", "stranger"))
KNOWN = frozenset({CI, LAB, LAPTOP})


# ---- the rule


@pytest.mark.parametrize(
    ("origin", "stands"),
    [
        (Origin(), True),
        (Origin("substituted", "team", (CI,)), True),
        (Origin("substituted", "team", (LAB, CI)), True),
        (Origin("substituted", "team", (CI, STRANGER)), False),
        (Origin("substituted", "team", (STRANGER, CI)), False),
        (Origin("substituted", "team", ("ci:ffffffffffffffff",)), False),
        (Origin("substituted", "team"), False),
    ],
)
def test_what_was_taken_stands_with_every_key_that_is_named(origin: Origin, stands: bool):  # noqa: FBT001
    """A key of the same name and another fingerprint is another; no name is nobody's word."""
    assert origin.stands(KNOWN) == stands


@pytest.mark.parametrize("chain", [("ci",), ("ci:XYZ",), (f"{CI}\n",), ("",), (1,)])
def test_only_ids_of_keys_are_a_chain(chain: tuple[str, ...]):
    for make in (lambda: Origin("substituted", "", chain), lambda: Voucher(CI, chain)):
        with pytest.raises((ValueError, TypeError)):
            make()


NOTES: dict[str, tuple[Json, Voucher | None]] = {
    "built": ({"keyid": CI, "chain": []}, Voucher(CI)),
    "taken": ({"keyid": LAB, "chain": [LAPTOP, CI]}, Voucher(LAB, (LAPTOP, CI))),
    "with more": ({"keyid": CI, "chain": [], "day": "today"}, Voucher(CI)),
    "older, without a chain": ({"keyid": CI}, None),
    "chain is null": ({"keyid": CI, "chain": None}, None),
    "chain is a text": ({"keyid": CI, "chain": CI}, None),
    "no key": ({"chain": []}, None),
    "key is a number": ({"keyid": 1, "chain": []}, None),
    "a text": ("ci:s", None),
    "a list": ([CI, []], None),
    "null": (None, None),
}


@pytest.mark.parametrize("name", NOTES)
def test_what_a_store_notes_of_vouchers(name: str):
    """What is not understood is nobody's word, and no damage."""
    note, voucher = NOTES[name]
    made = taken(note)
    assert Realisation.decode(made.encode()) == made
    assert made.vouchers == ((voucher,) if voucher else ())
    if voucher:
        assert Voucher.read(voucher.json) == voucher


def taken(*signatures: Json) -> Realisation:
    return Realisation(
        key=Digest.of(b"d"),
        output=Digest.of(b"o"),
        origin=Origin("substituted", "team"),
        signatures=signatures,
    )


ONE, TWO = Acceptance(), Acceptance(2, ("ci", "lab", "laptop"))


@pytest.mark.parametrize(
    ("policy", "vouchers", "enough"),
    [
        (ONE, [], False),
        (ONE, [Voucher(CI)], True),
        (ONE, [Voucher(STRANGER)], False),
        (ONE, [Voucher(LAPTOP, (CI,))], True),
        (ONE, [Voucher(LAPTOP, (STRANGER,))], False),
        (ONE, [Voucher(STRANGER, (CI,))], False),
        (ONE, [Voucher(LAPTOP, (STRANGER,)), Voucher(LAB)], True),
        (Acceptance(1, ("ci",)), [Voucher(LAB)], False),
        (Acceptance(1, ("lab",)), [Voucher(LAB, (CI,))], True),
        (TWO, [Voucher(CI), Voucher(LAB)], True),
        (TWO, [Voucher(CI), Voucher(LAB, (CI,))], False),
        (TWO, [Voucher(CI), Voucher(CI)], False),
        (TWO, [Voucher(CI), Voucher(STRANGER)], False),
    ],
)
def test_whether_a_taken_result_may_still_be_used(
    policy: Acceptance,
    vouchers: list[Voucher],
    enough: bool,  # noqa: FBT001 - a table
):
    assert policy.is_vouched(vouchers, KNOWN) == enough


def said(*chain: str) -> Origin:
    return Origin("substituted", "team", chain)


@pytest.mark.parametrize(
    ("vouchers", "origin"),
    [
        ([Voucher(CI)], said(CI)),
        ([Voucher(LAB, (CI,))], said(LAB, CI)),
        ([Voucher(STRANGER), Voucher(LAB, (CI,))], said(LAB, CI)),
        ([Voucher(CI, (STRANGER,)), Voucher(LAB)], said(LAB)),
        ([Voucher(LAB, (LAPTOP,))], said(LAB)),
        ([Voucher(LAPTOP, (CI,))], said(CI)),
        ([Voucher(LAPTOP)], Origin()),
        ([Voucher(STRANGER)], said()),
        ([], said()),
    ],
)
def test_what_a_laptop_says_of_what_it_took(vouchers: list[Voucher], origin: Origin):
    """The first path that stands, without itself; its own word that it built is that again."""
    made = taken(*(voucher.json for voucher in vouchers))
    assert made.origin_for(LAPTOP, KNOWN) == origin
    assert evolve(made, origin=Origin()).origin_for(LAPTOP, KNOWN) == Origin()


# ---- from cache to cache


def a_shop(path: Path) -> tuple[Workshop, Step]:
    shop = Workshop(str(path))
    return shop, shop.step("app", "join top", shop.source("source"))


@frozen
class Ways:
    """Caches, each of which somebody fills with what came from another."""

    path: Path
    places: dict[str, CachePlace]
    stack: ExitStack

    def place(self, name: str) -> CachePlace:
        if name not in self.places:
            disk = self.path / f"disk-{name}"
            disk.mkdir()
            self.places[name] = self.stack.enter_context(folder(disk))
        return self.places[name]

    def carry(self, key: str, source: str, to: str, **more: object) -> dict[str, str]:
        """Let the holder of a key build, with a cache or without one, and push; how it built."""
        shop, app = a_shop(self.path / f"{key}-{source}-{to}")
        if source:
            caches = [member(self.place(source).cache, Ticks())]
            substitutes(shop, caches, terms("ci", "laptop", "office"), app)
        built = shop.build(app)
        known = ("ci", "laptop", "office")
        push(shop, built, self.place(to).cache, app, key, known=known, **more)  # type: ignore[arg-type]
        return shop.how()

    def read(self, place: str, *, revoked: Collection[str] = (), keys: str = "") -> str:
        """How somebody with an empty store comes to the result."""
        shop, app = a_shop(self.path / f"reader-{len(list(self.path.iterdir()))}")
        rules = terms(*(keys.split() or ("ci", "laptop", "office")), revoked=revoked)
        substitutes(shop, [member(self.place(place).cache, Ticks())], rules, app)
        built = shop.build(app)
        built.refuse_failures()
        (made,) = (made for made in built.realised.values() if made.key.hash == app.digest)
        assert shop.how()["app"] == ("built" if made.origin.is_built else "pulled")
        return shop.how()["app"]

    def chains(self, place: str, key: str) -> list[list[str]]:
        """The chains of what a key says in a cache, of a result and in a closure."""
        files = self.place(place).behind.files()
        records = [data for name, data in files.items() if name.startswith(f"records/{key}/")]
        payloads = [payload(record) for record in records]
        each = [one for body in payloads for one in body.get("statements", [body])]
        return [one["origin"].get("chain", []) for one in each]


@pytest.fixture
def ways(tmp_path: Path) -> Iterator[Ways]:
    """CI built; a laptop passed it on, and an office passed on what the laptop did."""
    with ExitStack() as stack:
        made = Ways(tmp_path, {}, stack)
        assert made.carry("ci", "", "1")["app"] == "built"
        assert made.carry("laptop", "1", "2")["app"] == "pulled"
        assert made.carry("office", "2", "3")["app"] == "pulled"
        yield made


@pytest.mark.parametrize(
    ("place", "revoked", "how"),
    [
        ("1", "", "pulled"),
        ("1", "laptop", "pulled"),
        ("2", "", "pulled"),
        ("2", "office", "pulled"),
        ("2", "ci", "built"),
        ("3", "", "pulled"),
        ("3", "ci", "built"),
        ("3", "laptop", "built"),
    ],
)
def test_a_revoked_key_takes_back_what_others_repeat(
    ways: Ways, place: str, revoked: str, how: str
):
    """What a revoked key signed itself is for the keyring to refuse (`test_trust_verify`)."""
    assert ways.read(place, revoked=[revoked]) == how


def test_whose_word_fell_is_told_once(ways: Ways):
    shop, app = a_shop(ways.path / "reader")
    rules = terms("ci", "laptop", "office", revoked=["ci"])
    caches = [member(ways.place(name).cache, Ticks(), name) for name in "23"]
    asked = substitutes(shop, caches, rules, app)
    shop.build(app).refuse_failures()
    assert asked.shortfalls == (Shortfall(("app",), keys=0, needed=1, fallen=(CI,)),)


def test_each_says_on_whose_word_it_took_a_result(ways: Ways):
    assert ways.chains("1", "ci") == [[], []]
    assert ways.chains("2", "laptop") == [[key_id("ci")]] * 2
    assert ways.chains("3", "office") == [[key_id("laptop"), key_id("ci")]] * 2


def test_a_key_that_is_not_known_is_nobody(ways: Ways):
    assert ways.read("2", keys="laptop office") == "built"
    assert ways.read("3", keys="office ci") == "built"


def forging(key: str, change: Callable[[dict[str, Json]], None]) -> Callable[[str, bytes], bytes]:
    """Sign, as the holder of a key, another origin than is true."""

    def sign(payload_type: str, data: bytes) -> bytes:
        body = json.loads(data)
        for each in body.get("statements", [body]):
            change(each["origin"])
        return signed_by(key)(payload_type, encode(body))

    return sign


@pytest.mark.parametrize(
    ("chain", "how"),
    [
        (None, "built"),
        ([], "built"),
        ([key_id("laptop")], "pulled"),
        ([key_id("laptop"), key_id("stranger")], "built"),
        ([key_id("ci")], "pulled"),
        ("ci", "built"),
        ([7], "built"),
    ],
)
def test_who_names_nobody_says_nothing(ways: Ways, chain: Json, how: str):
    """A laptop that names itself alone may as well say that it built: it stands with its key."""

    def change(origin: dict[str, Json]) -> None:
        origin.pop("chain")
        if chain is not None:
            origin["chain"] = chain

    ways.carry("laptop", "1", "forged", sign=forging("laptop", change))
    assert ways.read("forged") == how
    if how == "pulled":
        assert ways.read("forged", keys="laptop") == ("pulled" if chain != [CI] else "built")


def test_in_a_cycle_every_key_stays_named(ways: Ways):
    """CI lost its store, takes what a laptop took from it, and the laptop takes that again."""
    assert ways.carry("ci", "3", "4")["app"] == "pulled"
    assert ways.chains("4", "ci") == [[key_id("office"), key_id("laptop")]] * 2
    assert ways.carry("laptop", "4", "5")["app"] == "pulled"
    assert ways.chains("5", "laptop") == [[key_id("ci"), key_id("office")]] * 2
    assert ways.read("5") == "pulled"
    for revoked in ("ci", "office"):
        assert ways.read("5", revoked=[revoked]) == "built"


def test_ones_own_word_is_what_it_was(ways: Ways):
    """A CI system whose store is new each time brings into a second cache what it built once."""
    assert ways.carry("ci", "1", "6")["app"] == "pulled"
    assert ways.chains("6", "ci") == [[], []]
    assert ways.read("6", keys="ci") == "pulled"


def test_a_word_that_fell_is_said_again_on_a_better_one(ways: Ways):
    """A laptop's record says that it took CI's result. CI was revoked, and a lab built it, too."""
    ways.carry("lab", "", "7")
    shop, app = a_shop(ways.path / "again")
    rules = terms("lab", "laptop", "ci", revoked=["ci"])
    substitutes(shop, [member(ways.place("7").cache, Ticks())], rules, app)
    built = shop.build(app)
    before = ways.place("2").behind.files()
    push(shop, built, ways.place("2").cache, app, "laptop", known=("lab", "ci"))
    after = ways.place("2").behind.files()
    assert [after[name] == before[name] for name in before if "realisations" in name] == [True]
    push(shop, built, ways.place("2").cache, app, "laptop", known=("lab",))
    assert ways.chains("2", "laptop") == [[key_id("lab")]] * 2
