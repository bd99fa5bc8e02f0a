"""Pins held against what upstreams say, for each answer that there is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from attrs import define, evolve, field
from recipe_texts import RecipeTexts

from rvbuild.core.candidate import Candidate, Choice, HeldBack, Hold
from rvbuild.core.component import ComponentChange, Move
from rvbuild.core.errors import RvbuildError, SourceError, Unreachable
from rvbuild.core.go_mod_changes import UpstreamModule
from rvbuild.core.lock import GoModuleSet, Lock, LockedSource, PinValue
from rvbuild.core.lock_diff import PinOrigin
from rvbuild.core.names import PinRef, SetRef, SourceRef
from rvbuild.core.override import Override, OverrideEnd
from rvbuild.core.pin_status import PinState, PinStatus, Unasked
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.renewal import Renewal
from rvbuild.core.snapshot import Snapshot
from rvbuild.core.spec import SourceSpec
from rvbuild.core.spec_text import spec_text
from rvbuild.core.update_policy import UpdatePolicy, policy_of
from rvbuild.core.version_listing import CommitsBehind, VersionListing
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.git.source import GitSource
from rvbuild.release.literal_pin import literal_pins
from rvbuild.release.locked_values import LockedValues
from rvbuild.release.pin_review import PinReview
from rvbuild.release.upstreams import Upstreams

NOW = 1_700_000_000
COMMIT, OTHER = "1" * 40, "2" * 40
Answers = Mapping[str, VersionListing | Renewal | RvbuildError]


@define
class World:
    """Upstreams that say what they are told to, by their names, and count who asks."""

    answers: Answers
    asked: list[str] = field(factory=list)
    contexts: list[ResolveContext] = field(factory=list)

    def candidates(self, spec: SourceSpec, context: ResolveContext) -> VersionListing | Renewal:
        self.asked.append(spec_text(spec))
        self.contexts.append(context)
        answer = next(a for name, a in self.answers.items() if name in spec_text(spec))
        if isinstance(answer, RvbuildError):
            raise answer
        return answer


def review(
    world: World,
    texts: Mapping[str, str],
    lock: Lock | None = None,
    policy: UpdatePolicy | None = None,
    *,
    offline: bool = False,
) -> tuple[PinReview, RecipeTexts]:
    recipes = RecipeTexts(texts)
    values = LockedValues(lock=lock or Lock(), recipes=recipes, build_arch="amd64")
    return PinReview(
        upstreams=Upstreams(world),
        values=values,
        policy=policy or UpdatePolicy(),
        now=NOW,
        offline=offline,
    ), recipes


def statuses(
    answers: Answers,
    texts: Mapping[str, str],
    lock: Lock | None = None,
    policy: UpdatePolicy | None = None,
    *,
    offline: bool = False,
) -> list[PinStatus]:
    look, recipes = review(World(answers), texts, lock, policy, offline=offline)
    return [look.literal(pin) for pin in literal_pins(recipes.every())]


def the_status(
    answers: Answers, text: str, lock: Lock | None = None, policy: UpdatePolicy | None = None
) -> PinStatus:
    (status,) = statuses(answers, {"r": text}, lock, policy)
    return status


# ---- versions

TAGGED = "version: 1.2.3\nsources: {s: {git: 'https://e.org/r', tag: 'v${version}'}}\n"


def tags(*names: str, **more: object) -> VersionListing:
    commits = dict.fromkeys(names, COMMIT)
    return evolve(VersionListing(versions=names, commits=commits), **more)


def test_a_version_that_may_be_moved():
    status = the_status({"e.org/r": tags("v1.2.3", "v1.3.0", "v2.0.0")}, TAGGED)
    held = HeldBack(candidate=Candidate(version="2.0.0", commit=COMMIT), hold=Hold.POLICY)
    assert status == PinStatus(
        pin=PinRef("r", "version"),
        name="r/version",
        place=status.place,
        current="1.2.3",
        state=PinState.MOVABLE,
        kind="git",
        upstream="https://e.org/r",
        policy=UpdatePolicy(),
        choice=Choice(allowed=Candidate(version="1.3.0", commit=COMMIT), held=held),
    )
    assert str(status.place) == "r.yaml:1:1"


STATES = [
    (tags("v1.2.3", "v1.2.2"), PinState.CURRENT, None),
    (tags("v2.0.0"), PinState.HELD, None),
    (SourceError("no"), PinState.UNASKED, Unasked.UNREACHABLE),
    (Unreachable("no"), PinState.UNASKED, Unasked.UNREACHABLE),
]


@pytest.mark.parametrize(("answer", "state", "why"), STATES)
def test_what_else_may_come_of_a_version(
    answer: VersionListing | RvbuildError, state: PinState, why: Unasked | None
):
    status = the_status({"e.org/r": answer}, TAGGED)
    assert (status.state, status.unasked) == (state, why)
    assert (status.problem is answer) == (why is not None)


def test_a_value_without_a_number_has_no_order():
    status = the_status({"e.org/r": tags("v1.2.3")}, TAGGED.replace("1.2.3", "main"))
    assert (status.state, status.unasked) == (PinState.UNASKED, Unasked.NO_ORDER)


def test_an_address_has_no_list():
    world = World({})
    look, recipes = review(
        world, {"r": "version: 1\nsources: {s: {url: 'https://e.org/${version}'}}\n"}
    )
    (status,) = map(look.literal, literal_pins(recipes.every()))
    assert (status.state, status.unasked) == (PinState.UNASKED, Unasked.NO_LISTING)
    assert (status.kind, status.current, world.asked) == ("url", "1", [])


BOTH = """version: 1.2.3
build: x
sources:
  u: {url: 'https://e.org/${version}'}
  s: {git: 'https://e.org/r', tag: 'v${version}'}
  m: {go-module: e.org/m, version: 'v${version}'}
"""


def test_a_version_must_be_there_for_each_source():
    answers = {"e.org/r": tags("v1.2.4", "v1.2.5"), "e.org/m": tags("v1.2.4", "v1.2.6")}
    status = the_status(answers, BOTH)
    assert status.kind == "git"
    assert status.choice.allowed == Candidate(version="1.2.4", commit=COMMIT)
    answers["e.org/m"] = SourceError("no")
    assert the_status(answers, BOTH).unasked is Unasked.UNREACHABLE


def test_fresh_versions_wait_until_a_day():
    listing = tags("v1.2.4", moments=lambda names: dict.fromkeys(names, NOW - 3600))
    status = the_status({"e.org/r": listing}, TAGGED, policy=policy_of("minor", "12h"))
    assert status.state is PinState.HELD
    assert status.choice.held is not None
    assert (status.choice.held.hold, status.choice.held.free) == (Hold.MIN_AGE, NOW + 11 * 3600)


def test_offline_the_reason_is_the_same_for_all():
    (status,) = statuses({"e.org/r": SourceError("no")}, {"r": TAGGED}, offline=True)
    assert (status.unasked, status.problem) == (Unasked.OFFLINE, None)


def test_an_upstream_is_asked_once_however_many_ask():
    world = World({"e.org/r": tags("v1.2.4")})
    other = TAGGED.replace("1.2.3", "1.2.2")
    look, recipes = review(world, {"a": TAGGED, "b": TAGGED, "c": other})
    pins = [*literal_pins(recipes.every())]
    with ThreadPoolExecutor(3) as pool:
        found = [*pool.map(look.literal, pins)]
    assert [status.state for status in found] == [PinState.MOVABLE] * 3
    assert len(world.asked) == 1


def test_a_failure_is_one_for_all_who_ask():
    world = World({"e.org/r": SourceError("no")})
    look, recipes = review(world, {"a": TAGGED, "b": TAGGED})
    found = [look.literal(pin) for pin in literal_pins(recipes.every())]
    assert [status.unasked for status in found] == [Unasked.UNREACHABLE] * 2
    assert len(world.asked) == 1


# ---- bare commits

BARE = f"sources: {{s: {{git: 'https://e.org/r', commit: {COMMIT}}}}}\n"
RELEASED = f"""kind: source
sources: {{k: {{git: 'https://e.org/r', commit: '${{commit}}'}}}}
per-series: {{"1": {{commit: {OTHER}, release: v1.2.3+k3s1}}}}
"""


def behind(count: int | None) -> Callable[[str], CommitsBehind | None]:
    return lambda _: None if count is None else CommitsBehind(branch="main", count=count)


COMMITS = {
    "it is the newest tag": (tags("v1.3.0"), PinState.CURRENT, "v1.3.0"),
    "behind": (VersionListing(behind=behind(3)), PinState.HELD, ""),
    "not behind": (VersionListing(behind=behind(0)), PinState.CURRENT, ""),
    "nobody can say": (VersionListing(), PinState.UNASKED, ""),
    "a tag names it": (
        VersionListing(versions=("v1.2.0", "v1.3.0"), commits={"v1.2.0": COMMIT, "v1.3.0": OTHER}),
        PinState.HELD,
        "v1.2.0",
    ),
}


@pytest.mark.parametrize("name", COMMITS)
def test_a_bare_commit_does_not_move_by_itself(name: str):
    listing, state, label = COMMITS[name]
    status = the_status({"e.org/r": listing}, BARE)
    assert (status.state, status.label, status.current) == (state, label, COMMIT)
    assert status.choice.allowed is None


def test_a_release_is_what_its_recipe_calls_a_commit():
    listing = VersionListing(versions=("v1.2.4+k3s1", "v1.2.5-rc1+k3s1"), commits={})
    (status,) = statuses({"e.org/r": listing}, {"k": RELEASED})
    assert (status.label, status.state) == ("v1.2.3+k3s1", PinState.HELD)
    moved = RELEASED.replace("release:", "update: patch, release:")
    (status,) = statuses({"e.org/r": listing}, {"k": moved})
    assert status.choice.allowed == Candidate(version="v1.2.4+k3s1")


# ---- packages

SUITE = "sources: {s: {debian: [a], suite: forky}}\n"
MADE = Snapshot(dt.datetime(2026, 7, 11, tzinfo=dt.UTC))


def package(version: str, name: str = "a") -> DebianPackage:
    return DebianPackage(
        name=name, version=version, architecture="amd64", pool=f"pool/{name}.deb",
        sha256="0" * 64, size=1, snapshot=MADE,
    )  # fmt: skip


SUITE_LOCK = Lock(
    sources={SourceRef("r", "s", "amd64"): LockedSource(spec="x", parts=(package("1.0-1"),))}
)
NEWER = Renewal(name="20260801T000000Z", parts=(package("1.0-2"), package("1", "b")))


def test_a_suite_has_other_packages():
    status = the_status({"forky": NEWER}, SUITE, SUITE_LOCK)
    assert (status.state, status.current) == (PinState.MOVABLE, str(MADE))
    assert status.choice == Choice(allowed=Candidate(version="20260801T000000Z"))
    assert status.packages == (
        ComponentChange(
            kind="debian", name="a amd64", old=("1.0-1",), new=("1.0-2",), move=Move.UP
        ),
        ComponentChange(kind="debian", name="b amd64", old=(), new=("1",), move=Move.ADDED),
    )


def test_a_newer_index_with_the_same_packages_moves_nothing():
    same = Renewal(name="20260801T000000Z", parts=(package("1.0-1"),))
    status = the_status({"forky": same}, SUITE, SUITE_LOCK)
    assert (status.state, status.choice) == (PinState.CURRENT, Choice())


def test_packages_stay_if_the_recipe_says_so():
    status = the_status({"forky": NEWER}, f"update: none\n{SUITE}", SUITE_LOCK)
    assert status.state is PinState.HELD
    assert status.choice.held is not None
    assert status.choice.held.hold is Hold.POLICY


def test_packages_that_are_not_locked():
    status = the_status({"forky": NEWER}, SUITE)
    assert (status.state, status.unasked) == (PinState.UNASKED, Unasked.NOT_LOCKED)


def test_the_index_of_the_lock_is_told_to_who_asks():
    world = World({"forky": NEWER})
    look, recipes = review(world, {"r": SUITE}, SUITE_LOCK)
    for pin in literal_pins(recipes.every()):
        look.literal(pin)
    (context,) = world.contexts
    assert context.earlier is SUITE_LOCK.sources[SourceRef("r", "s", "amd64")]
    with pytest.raises(TypeError, match="nothing is read here"):
        context.read("s", "f")


# ---- values instead of upstream's

INSTEAD = "instead: {value: 1.2.9, because: [CVE-1], while: 1.2.3, until: 2027-03-01}"
SAID = Override(value="1.2.9", because=("CVE-1",), upstream="1.2.3", until="2027-03-01")
OVERRIDDEN = TAGGED.replace("1.2.3", f"{{literal: 1.2.3, {INSTEAD}}}")


def test_a_literal_is_held_against_its_upstream_whatever_stands_instead():
    """Even if it was never locked."""
    status = the_status({"e.org/r": tags("v1.2.3", "v1.3.0")}, OVERRIDDEN)
    assert (status.state, status.current) == (PinState.MOVABLE, "1.2.3")
    assert status.choice.allowed == Candidate(version="1.3.0", commit=COMMIT)
    assert status.instead
    assert (status.instead.value, status.ended_by) == ("1.2.9", None)
    look, recipes = review(World({}), {"r": OVERRIDDEN})
    assert not [*look.derived(recipes.every())]


ENDS = [
    ("1.2.3", "2027-03-01", None),
    ("1.2.3", "2027-03-02", OverrideEnd.DAY),
    ("1.2.3", "", None),
    ("1.2.4", "2027-03-01", OverrideEnd.UPSTREAM),
    ("1.2.4", "2027-03-02", OverrideEnd.UPSTREAM),
]


@pytest.mark.parametrize(("value", "today", "end"), ENDS)
@pytest.mark.parametrize("is_relocked", [True, False])
def test_a_derived_pin_has_another_value_instead(
    value: str, today: str, end: OverrideEnd | None, *, is_relocked: bool
):
    """Its value is upstream's, also where the lock is older than what stands instead."""
    text = f"version: {{from: k, line: 1, file: V, {INSTEAD}}}\nbuild: x\n"
    recipes = {"k": RELEASED, "r": text}
    older = PinValue(value=value, spec="x", source="k@1", file="V", line=1)
    entry = evolve(older, value="1.2.9", upstream=value, instead=SAID) if is_relocked else older
    look, known = review(World({}), recipes, Lock(pins={PinRef("r@1", "version"): entry}))
    (status,) = evolve(look, today=today).derived(known.every())
    assert (str(status.pin), status.current, status.state) == (
        "r@1/version", value, PinState.DERIVED,
    )  # fmt: skip
    assert (status.instead, status.ended_by, status.is_outdated) == (SAID, end, end is not None)
    assert str(status.decided_by) == "k@1/commit"


@pytest.mark.parametrize(("today", "end"), [("2027-03-01", None), ("2027-03-02", OverrideEnd.DAY)])
def test_what_stands_instead_ends_though_nothing_is_locked(today: str, end: OverrideEnd | None):
    text = f"version: {{from: k, line: 1, file: V, {INSTEAD}}}\nbuild: x\n"
    look, known = review(World({}), {"k": RELEASED, "r": text})
    (status,) = evolve(look, today=today).derived(known.every())
    assert (status.unasked, status.instead, status.ended_by) == (Unasked.NOT_LOCKED, SAID, end)


def _set(module: str) -> str:
    instead = f"instead: {{{module}: {{{WHY}}}}}"
    return f"build: x\ninputs: {{go-modules: {{from: k, packages: [.], {instead}}}}}\n"


WHY = "value: v1.3.0, because: [x], while: v1.2.5, until: 2027-03-01"
LITERAL = f"{{literal: 1.2.3, {INSTEAD}}}"
READ = f"{{from: k, line: 1, file: V, {INSTEAD}}}"
LADDER = f"{{first-of: [{{from: k, line: 1, file: V}}, {{literal: 1.2.3}}], {INSTEAD}}}"
LITERALS = f"{{first-of: [{{literal: 1.2.3}}, {{literal: 1.2.3}}], {INSTEAD}}}"
BY_TAG = "sources: {s: {git: 'https://e.org/r', tag: 'v${v}'}}\nbuild: x\n"
BY_URL = "sources: {s: {url: 'https://e.org/${v}'}}\nbuild: x\n"
BY_FILE = "sources: {s: {git: 'https://e.org/r', tag: 'v1.${v}-${version}'}}\nbuild: x\n"
PINS = {"literal": LITERAL, "read": READ, "ladder": LADDER, "literals": LITERALS}
PLACES = {
    "version": ("version: {}", "build: x\n"),
    "date": ("date: {}", "build: x\n"),
    "pin": ("pins: {{v: {}}}", "build: x\n"),
    "pin and tag": ("pins: {{v: {}}}", BY_TAG),
    "pin and address": ("pins: {{v: {}}}", BY_URL),
    "pin and part of a tag": ("version: '2'\npins: {{v: {}}}", BY_FILE),
    "pin beside one that a source has": ("version: '2'\npins: {{w: {0}, v: {0}}}", BY_TAG),
}
TWO_MODULES = _set("e.org/lib").replace("e.org/lib: ", f"e.org/a: {{{WHY}}}, e.org/lib: ")
FORMS = {
    **{
        f"{kind}, {place}": f"{key.format(pin)}\n{rest}"
        for kind, pin in PINS.items()
        for place, (key, rest) in PLACES.items()
        if (kind, place) != ("literal", "date")  # a date is read
    },
    "module": _set("e.org/lib"),
    "modules": TWO_MODULES,
}


@pytest.mark.parametrize("name", FORMS)
def test_whatever_has_another_value_instead_has_a_row(name: str):
    """Whatever it is on: literal or read, of a source or of none. `outdated` sees that it ended."""
    text = FORMS[name]
    look, known = review(World({"e.org/r": tags("v1.2.3")}), {"k": RELEASED, "r": text})
    look, recipes = evolve(look, today="2027-03-02"), known.every()
    rows = [*map(look.literal, literal_pins(recipes)), *look.derived(recipes)]
    ended = [row for row in rows if row.instead and row.ended_by is OverrideEnd.DAY]
    assert len(ended) == len({row.pin for row in ended}) == text.count("until:") > 0
    assert all(row.is_outdated for row in ended)


def test_a_literal_without_a_source_has_its_value():
    """It is upstream's, which what stands instead was decided for."""
    look, known = review(World({}), {"r": f"pins: {{d: {LITERAL}}}\nbuild: x\n"})
    (status,) = look.derived(known.every())
    assert (str(status.pin), status.current) == ("r/d", "1.2.3")
    assert (status.state, status.unasked) == (PinState.UNASKED, Unasked.NO_SOURCE)
    assert (status.instead, status.is_outdated) == (SAID, False)


def test_recipes_that_use_one_set_say_what_each_has_instead():
    other = USER.replace("e.org/lib", "e.org/other")
    look, known = review(World({}), {"k": RELEASED, "r": USER, "s": USER, "t": other})
    rows = look.derived([known.recipe(f"{each}@1") for each in "rst"])
    assert [str(each.pin) for each in rows] == ["r@1/e.org/lib", "t@1/e.org/other"]


MODULE = "e.org/lib: {value: v1.3.0, because: [x], while: v1.2.5}"
USER = f"build: x\ninputs: {{go-modules: {{from: k, packages: [.], instead: {{{MODULE}}}}}}}\n"
ORIGIN = PinOrigin(source="k@1", revision="", file="go.mod", line=3)


@pytest.mark.parametrize(
    ("version", "origin", "end"),
    [
        ("v1.2.5", ORIGIN, None),
        ("v1.2.6", ORIGIN, OverrideEnd.UPSTREAM),
        ("", None, None),  # nothing is locked
    ],
)
def test_a_go_module_has_another_instead(
    version: str, origin: PinOrigin | None, end: OverrideEnd | None
):
    """It is told once, however many recipes use the set."""
    recipes = {"k": RELEASED, "r": USER, "s": USER}
    upstream = UpstreamModule(module="e.org/lib", version=version, file="go.mod", line=3)
    entry = GoModuleSet(specs=(), modules=(), go_sum="", upstream=(upstream,))
    sets = {SetRef(SourceRef("k@1", "k")): entry} if version else {}
    look, known = review(World({}), recipes, Lock(go_modules=sets))
    (status,) = look.derived([known.recipe("r@1"), known.recipe("s@1")])
    assert status.pin == PinRef("r@1", "e.org/lib")
    assert (status.current, status.origin, status.ended_by) == (version, origin, end)
    assert status.unasked is (None if version else Unasked.NOT_LOCKED)
    assert (status.instead and status.instead.value) == "v1.3.0"
    assert str(status.place).startswith("r.yaml:2:")


def test_the_day_of_a_go_module_is_over_though_nobody_knows_its_set():
    dated = USER.replace("while: v1.2.5", "while: v1.2.5, until: 2027-03-01")
    look, known = review(World({}), {"lost": dated.replace("from: k", "from: x")})
    (status,) = evolve(look, today="2027-03-02").derived(known.every())
    assert status.pin == PinRef("lost", "e.org/lib")
    assert "no recipe called 'x'" in str(status.problem)
    assert (status.current, status.unasked) == ("", Unasked.NOT_LOCKED)
    assert (status.ended_by, status.is_outdated) == (OverrideEnd.DAY, True)


def test_a_ladder_of_literals_has_no_origin():
    text = "version: {first-of: [{literal: 3}, {literal: 3}]}\nbuild: x\n"
    lock = Lock(pins={PinRef("r", "version"): PinValue(value="3", spec="x")})
    look, recipes = review(World({}), {"r": text}, lock)
    (status,) = look.derived(recipes.every())
    assert (status.state, status.current, status.origin, status.decided_by) == (
        PinState.DERIVED, "3", None, None,
    )  # fmt: skip


# ---- derived pins

FAMILY = {
    "k": RELEASED,
    "g": "kind: source\nversion: {from: k, line: 1, file: VERSION}\n"
    "sources: {g: {go-module: e.org/g, version: 'v${version}'}}\n",
    "r": "kind: tool\nbuild: x\nversion: {first-of: [{literal: 3}, {from: g, line: 1, file: V}]}\n"
    "date: {from: k, git: date}\n",
}
FAMILY_LOCK = Lock(
    pins={
        PinRef("g@1", "version"): PinValue(
            value="1.4.0", spec="x", source="k@1", file="VERSION", line=1
        ),
        PinRef("r@1", "version"): PinValue(value="3", spec="x", source="g@1", file="V", line=1),
    },
    sources={
        SourceRef("k@1", "k"): LockedSource(
            spec="x",
            parts=(GitSource(url="https://e.org/r", commit=OTHER, tree=COMMIT, date=NOW),),
        )
    },
)


def derived(lock: Lock) -> dict[str, PinStatus]:
    look, recipes = review(World({}), FAMILY, lock)
    return {str(each.pin): each for each in look.derived(recipes.every())}


def test_a_derived_pin_says_what_decides_it():
    found = derived(FAMILY_LOCK)
    assert {name: (each.current, str(each.decided_by)) for name, each in found.items()} == {
        "g@1/version": ("1.4.0", "k@1/commit"),
        "r@1/version": ("3", "g@1/version"),
        "r@1/date": (str(NOW), "k@1/commit"),
    }
    assert found["g@1/version"].origin == PinOrigin(
        source="k@1", revision=OTHER[:8], file="VERSION", line=1
    )
    assert found["r@1/version"].origin == PinOrigin(
        source="g@1", revision="1.4.0", file="V", line=1
    )
    assert found["r@1/date"].origin == PinOrigin(source="k@1", revision=OTHER[:8], file="", line=0)
    assert {each.state for each in found.values()} == {PinState.DERIVED}


def test_a_derived_pin_that_is_not_locked():
    found = derived(Lock())
    assert {each.unasked for each in found.values()} == {Unasked.NOT_LOCKED}
    assert str(found["g@1/version"].problem) == "rvbuild.lock does not have g@1/version"
    assert str(found["r@1/date"].problem) == "rvbuild.lock does not have k@1/k"


def test_an_address_may_need_what_is_not_locked():
    text = "pins: {h: {from: k, line: 1, file: f}}\nversion: 1.0\nbuild: x\nsources:\n"
    text += "  s: {git: 'https://${h}/r', tag: '${version}'}\n  k: {from: k}\n"
    found = statuses({"e.org/r": tags()}, {"k": RELEASED, "r": text})
    assert [each.unasked for each in found if each.pin.recipe == "r"] == [Unasked.NOT_LOCKED]


def test_nobody_asks_for_sets_of_go_modules():
    values = LockedValues(lock=Lock(), recipes=RecipeTexts({}), build_arch="amd64")
    (recipe,) = RecipeTexts({"r": "build: x\ninputs: {go-modules: {from: s}}\n"}).every()
    assert recipe.go_modules is not None
    with pytest.raises(TypeError, match="nobody asks for modules here"):
        values.modules(recipe, recipe.go_modules)
