"""What differs between two sides: pins, sources, sets, recipes, results."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from rvbuild.core.component import (
    Component,
    ComponentChange,
    Move,
    compare_components,
)
from rvbuild.core.derivation import Fetch
from rvbuild.core.go_mod_changes import UpstreamModule
from rvbuild.core.go_source import GoModule
from rvbuild.core.gomod import parse_go_mod
from rvbuild.core.lock import GoModuleSet, Lock, LockedSource, PinValue
from rvbuild.core.lock_diff import FactChange, LockDiff, PinOrigin, PinOverride, compare_locks
from rvbuild.core.module_replacement import (
    ReplacedModules,
    ReplacementChange,
    compare_replacements,
)
from rvbuild.core.names import PinRef, SetRef, SourceRef
from rvbuild.core.override import Override
from rvbuild.core.rebuild import Rebuild, compare_results
from rvbuild.core.recipe import Recipe
from rvbuild.core.recipe_diff import LicenceChange, RecipeDiff, compare_recipes
from rvbuild.core.side import Side
from rvbuild.core.source import Source
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.table import kind_of

GIT = GitSource(url="https://example.org/a.git", commit="a" * 40, tree="1" * 40, date=0, tag="v1")
A_TREE = SourceRef("a", "tree")
VERSION = PinRef("app", "version")


def describe(source: Source) -> Component:
    return kind_of(source).component(source)


def source(*parts: Source) -> LockedSource:
    return LockedSource(spec="", parts=parts)


def package(name: str, version: str) -> DebianPackage:
    return DebianPackage(
        name=name, version=version, architecture="amd64", pool="", sha256=version, size=1
    )


def modules(*versions: str) -> GoModuleSet:
    """A set, of ``path@version`` texts."""
    triples = (each.split("@") for each in versions)
    return GoModuleSet(
        specs=(), go_sum="", modules=tuple((path, version, "h1:") for path, version in triples)
    )


def side(
    series: str = "",
    recipes: dict[str, Recipe] | None = None,
    **lock: Any,  # noqa: ANN401 - the lock's
) -> Side:
    return Side(name="", lock=Lock(**lock), series=series, recipes=recipes)


def compared(old: Side, new: Side) -> LockDiff:
    return compare_locks(old, new, describe)


# ---- things in versions


def thing(version: str, content: str = "") -> Component:
    rank = tuple(map(int, version.split(".")))
    return Component(kind="k", name="n", version=version, rank=rank, content=content)


MOVES = {
    "added": ((), ("1",), Move.ADDED),
    "removed": (("1",), (), Move.REMOVED),
    "up": (("9",), ("10",), Move.UP),
    "down": (("10",), ("9",), Move.DOWN),
    "a higher one beside it": (("1",), ("1", "2"), Move.UP),
    "the highest decides": (("2", "3"), ("1", "4"), Move.UP),
    "the lower one went": (("1", "2"), ("2",), Move.UP),
    "a lower one came": (("2",), ("1", "2"), Move.DOWN),
    "the one between": (("1", "2", "4"), ("1", "3", "4"), Move.REPLACED),
}


@pytest.mark.parametrize("name", MOVES)
def test_what_became_of_a_thing(name: str):
    old, new, move = MOVES[name]
    (change,) = compare_components(map(thing, reversed(old)), map(thing, new))
    assert change == ComponentChange(kind="k", name="n", old=old, new=new, move=move)


def test_the_same_version_with_another_content_is_another_thing():
    (change,) = compare_components([thing("1", "a")], [thing("1", "b")])
    assert change.move is Move.REPLACED
    assert compare_components([thing("1", "a")] * 2, [thing("1", "a")]) == ()
    (change,) = compare_components([thing("1", "a"), thing("1", "b")], [thing("1", "a")])
    assert (change.old, change.new, change.move) == (("1", "1"), ("1",), Move.REPLACED)


# ---- pins


def pin(value: str, origin: str = "a", line: int = 7) -> PinValue:
    return PinValue(value=value, spec="", source=origin, file="go.mod", line=line)


def test_a_pin_says_where_it_was_read_and_of_which_source():
    old = side(pins={VERSION: pin("1")}, sources={A_TREE: source(GIT)})
    versioned = {VERSION: pin("2", line=9), PinRef("a", "version"): pin("v5", origin="")}
    new = side(pins=versioned, sources={A_TREE: source(GIT)})
    added, changed = compared(old, new).pins
    assert (added.pin, added.old, added.new) == (PinRef("a", "version"), None, "v5")
    assert added.origin is None
    assert (changed.old, changed.new) == ("1", "2")
    assert changed.old_origin == PinOrigin(source="a", revision="aaaaaaaa", file="go.mod", line=7)
    assert changed.origin == PinOrigin(source="a", revision="v5", file="go.mod", line=9)


def test_a_source_that_nobody_has_has_no_revision():
    (change,) = compared(side(), side(pins={VERSION: pin("1")})).pins
    assert change.origin == PinOrigin(source="a", revision="", file="go.mod", line=7)


def recipe(name: str, version: str = "", licence: str = "MIT") -> Recipe:
    return Recipe(name=name, file="", version=version, license=licence)


def test_what_a_recipe_says_itself_counts_more_than_an_old_entry():
    said = {"app": recipe("app", "2"), "a": recipe("a", "v4")}
    old = side(pins={VERSION: pin("1")}, recipes=said)
    assert compared(old, old).pins == ()
    new = side(pins={VERSION: pin("3")}, recipes={**said, "app": recipe("app")})
    (change,) = compared(old, new).pins
    assert (change.old, change.old_origin, change.new) == ("2", None, "3")
    assert change.origin is not None
    assert change.origin.revision == "v4"


CVE = Override(value="2", because=("CVE-1",), upstream="1")


def instead(override: Override = CVE) -> PinValue:
    return evolve(pin(override.value), upstream=override.upstream, instead=override)


DECISIONS = {
    "one that changes the value": (pin("1"), instead()),
    "one that came": (pin("2"), instead()),
    "one that went": (instead(), pin("2")),
    "one for another value of upstream's": (instead(), instead(evolve(CVE, upstream="1.5"))),
    "another reason": (instead(), instead(evolve(CVE, because=("CVE-2",)))),
    "another end": (instead(), instead(evolve(CVE, until="2026-12-31"))),
}


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decision_is_a_change(name: str):
    """Also where the value stays."""
    entries = DECISIONS[name]
    (change,) = compared(*(side(pins={VERSION: entry}) for entry in entries)).pins
    assert (change.old, change.new) == tuple(entry.value for entry in entries)
    assert (change.old_override, change.override) == tuple(
        PinOverride(entry.upstream, entry.instead) if entry.instead else None for entry in entries
    )


def test_the_same_decision_read_at_another_line_is_no_change():
    old, new = (side(pins={VERSION: evolve(instead(), line=line)}) for line in (1, 2))
    assert compared(old, new).pins == ()


def test_a_lock_alone_does_not_lack_what_recipes_say():
    said = {"app": recipe("app"), "a": recipe("a", "v4")}
    alone, whole = side(pins={VERSION: pin("1")}), side(pins={VERSION: pin("1")}, recipes=said)
    assert compared(alone, whole).pins == compared(whole, alone).pins == ()
    (change,) = compared(alone, evolve(whole, lock=Lock(pins={VERSION: pin("2")}))).pins
    assert (change.old, change.new) == ("1", "2")


def test_a_literal_beside_other_places_was_read_nowhere():
    old, new = (
        side(pins={VERSION: PinValue(value=value, spec="", source="app")}) for value in "12"
    )
    (change,) = compared(old, new).pins
    assert (change.old_origin, change.origin) == (None, None)


def test_a_side_of_some_recipes():
    """Recipes, pins, sources and sets, by the names that both sides have."""
    of = {name: SetRef(SourceRef(name, "x")) for name in ("app@1", "b@1")}
    whole = side(
        series="1",
        recipes={name: recipe(name) for name in of},
        pins={PinRef(name, "version"): pin("1") for name in of},
        sources={ref.source: source(GIT) for ref in of.values()},
        go_modules={
            **dict.fromkeys(of.values(), modules()),
            SetRef(of["app@1"].source, "cmd"): modules(),
        },
    )
    part = whole.only({"app"}, {SetRef(SourceRef("app", "x"))})
    assert [*(part.recipes or ())] == ["app@1"]
    assert [*part.lock.pins] == [PinRef("app@1", "version")]
    assert [*part.lock.sources] == [SourceRef("app@1", "x")]
    assert [*part.lock.go_modules] == [of["app@1"]]
    assert evolve(whole, recipes=None).only((), ()).recipes is None


def test_a_recipe_that_one_side_cannot_read_is_left_out():
    old = side(recipes={"app": recipe("app", "1"), "b": recipe("b", "1")})
    new = evolve(side(recipes={"b": recipe("b", "2")}), unreadable=frozenset({"app"}))
    assert [str(change.pin) for change in compared(old, new).pins] == ["b/version"]
    assert compare_recipes(old, new) == RecipeDiff()


# ---- series


def test_two_series_meet_and_other_names_stay():
    names = ("app@1", "app@2")
    old, new = (
        side(
            series=name[-1],
            pins={PinRef(name, "version"): pin(name, origin=f"a@{name[-1]}")},
            sources={SourceRef(name, "x", "amd64"): source(evolve(GIT, tag=name))},
            go_modules={SetRef(SourceRef(name, "x")): modules("m@v1", f"n@v{name[-1]}")},
        )
        for name in names
    )
    diff = compared(old, new)
    assert [str(each.pin) for each in diff.pins] == ["app/version"]
    assert diff.pins[0].origin == PinOrigin(source="a", revision="", file="go.mod", line=7)
    assert [str(each.source) for each in diff.sources] == ["app/x@amd64"]
    assert [str(each.name) for each in diff.sets] == ["app/x"]
    assert old.common("other@3") == "other@3"
    unlike = compared(evolve(old, series=""), evolve(new, series=""))
    assert [(str(each.pin), each.old, each.new) for each in unlike.pins] == [
        ("app@1/version", "app@1", None),
        ("app@2/version", None, "app@2"),
    ]


# ---- sources


def test_facts_of_a_source_that_changed():
    old, new = GIT, evolve(GIT, commit="b" * 40, tree="2" * 40, tag="")
    (change,) = compared(
        side(sources={A_TREE: source(old)}), side(sources={A_TREE: source(new)})
    ).sources
    assert change.move is Move.REPLACED
    assert not change.is_same_content
    assert change.facts == (
        FactChange("commit", "a" * 40, "b" * 40),
        FactChange("tree", "1" * 40, "2" * 40),
        FactChange("tag", "v1", None),
    )


def test_another_address_of_the_same_content():
    new = source(evolve(GIT, url="https://example.com/a.git"))
    (change,) = compared(side(sources={A_TREE: source(GIT)}), side(sources={A_TREE: new})).sources
    assert change.is_same_content
    assert [fact.name for fact in change.facts] == ["url"]


def test_a_source_that_came_or_went():
    there, gone = side(sources={A_TREE: source(GIT)}), side()
    (added,), (removed,) = compared(gone, there).sources, compared(there, gone).sources
    assert (added.kind, added.move, removed.kind, removed.move) == (
        "git",
        Move.ADDED,
        "git",
        Move.REMOVED,
    )
    assert {(fact.old, fact.new) for fact in added.facts} == {
        (None, text) for text in describe(GIT).facts.values()
    }


def test_paths_are_one_text():
    new = source(evolve(GIT, paths=("a", "b")))
    (change,) = compared(side(sources={A_TREE: source(GIT)}), side(sources={A_TREE: new})).sources
    assert change.facts == (FactChange("paths", None, "a b"),)


# ---- sets


def test_packages_by_name_and_architecture():
    ref = SourceRef("box", "debian", "amd64")
    old = source(package("bash", "5.2~rc1-1"), package("sed", "1"))
    new = source(package("bash", "5.2-1"), package("make", "4"), package("sed", "1"))
    (change,) = compared(side(sources={ref: old}), side(sources={ref: new})).sets
    assert (change.name, change.kind, change.old, change.new) == (ref, "debian", 2, 3)
    assert [(each.name, each.move) for each in change.changes] == [
        ("bash amd64", Move.UP),
        ("make amd64", Move.ADDED),
    ]


def test_a_source_of_one_package_that_becomes_many_is_a_set_on_both_sides():
    ref = SourceRef("box", "debian")
    one, two = source(package("a", "1")), source(package("a", "1"), package("b", "1"))
    diff = compared(side(sources={ref: one}), side(sources={ref: two}))
    assert diff.sources == ()
    assert [(each.old, each.new) for each in diff.sets] == [(1, 2)]
    (gone,) = compared(side(sources={ref: two}), side()).sets
    assert (gone.kind, gone.old, gone.new) == ("debian", 2, 0)


def test_a_module_that_changes_sets_comes_and_goes_in_these_alone():
    first, second = SetRef(SourceRef("a", "a")), SetRef(SourceRef("b", "b"), "cmd")
    old = side(go_modules={first: modules("m@v1.9.0"), second: modules("n@v1.0.0")})
    new = side(go_modules={first: modules(), second: modules("m@v1.9.0", "n@v1.0.0-rc.1")})
    diff = compared(old, new)
    moves = {str(each.name): [(c.name, c.move) for c in each.changes] for each in diff.sets}
    assert moves == {
        "a/a": [("m", Move.REMOVED)],
        "b/b:cmd": [("m", Move.ADDED), ("n", Move.DOWN)],
    }
    assert [(each.name, each.move) for each in diff.overall] == [("n", Move.DOWN)]
    assert compared(old, old).sets == ()
    assert diff.refs == (first, second)


# ---- decisions about Go modules

LATER = Override(value="v3", because=("CVE-1",), upstream="v1")


def decided(override: Override | None, version: str = "v3", upstream: str = "v1") -> GoModuleSet:
    """A set of which one module has a version instead, or has it by itself."""
    if override is None:
        return modules(f"m@{version}", "n@v1")
    said = UpstreamModule(module="m", version=upstream, file="go.mod", line=3)
    return evolve(modules(f"m@{version}", "n@v1"), upstream=(said,), instead={"m": override})


OF_MODULES: dict[str, tuple[GoModuleSet | None, GoModuleSet | None, tuple[str | None, ...]]] = {
    "one that came": (decided(None, "v1"), decided(LATER), ("v1", "v3")),
    "one that came, with the version that was there": (
        decided(None), decided(LATER), ("v3", "v3"),
    ),
    "one that went": (decided(LATER), decided(None, "v1"), ("v3", "v1")),
    "one that went with its module": (decided(LATER), modules("n@v1"), ("v3", None)),
    "one that came with its set": (None, decided(LATER), (None, "v3")),
    "one that went with its set": (decided(LATER), None, ("v3", None)),
    "another version": (
        decided(LATER), decided(evolve(LATER, value="v4"), "v4"), ("v3", "v4"),
    ),
    "another reason": (
        decided(LATER), decided(evolve(LATER, because=("CVE-2",))), ("v3", "v3"),
    ),
    "another end": (
        decided(LATER), decided(evolve(LATER, until="2031-01-01")), ("v3", "v3"),
    ),
    "for another value of upstream's": (
        decided(LATER), decided(evolve(LATER, upstream="v2"), upstream="v2"), ("v3", "v3"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_MODULES)
def test_a_decision_about_a_go_module_is_a_change(name: str):
    """Also where the version stays; of both series, by the name that both have."""
    *entries, values = OF_MODULES[name]
    old, new = (
        side(
            series=str(n),
            go_modules={SetRef(SourceRef(f"a@{n}", "a")): entry} if entry else {},
        )
        for n, entry in enumerate(entries, 1)
    )
    diff = compared(old, new)
    (change,) = diff.modules
    assert (str(change.name), change.module) == ("a/a", "m")
    assert (change.old, change.new) == values
    overrides = [entry.instead.get("m") if entry else None for entry in entries]
    told = (change.old_override, change.override)
    assert [each.instead if each else None for each in told] == overrides
    assert [each.file if each else None for each in (change.old_origin, change.origin)] == [
        "go.mod" if override else None for override in overrides
    ]
    assert change.name in diff.refs


def test_modules_of_which_nobody_decides_otherwise_are_in_their_sets_alone():
    ref = SetRef(SourceRef("a", "a"))
    unsaid = evolve(decided(LATER), instead={})  # by a lock that does not say why
    for old, new in (
        (decided(LATER), decided(LATER)),
        (decided(None, "v1"), decided(None, "v2")),
        (unsaid, decided(None, "v1")),
    ):
        assert compared(side(go_modules={ref: old}), side(go_modules={ref: new})).modules == ()


# ---- recipes


def test_recipes_that_came_or_went_and_licences():
    old = side(recipes={"a": recipe("a"), "b": recipe("b"), "c": recipe("c")})
    new = side(recipes={"a": recipe("a", licence="0BSD"), "b": recipe("b"), "d": recipe("d")})
    licences = (LicenceChange(recipe="a", old="MIT", new="0BSD"),)
    assert compare_recipes(old, new) == RecipeDiff(added=("d",), removed=("c",), licences=licences)
    assert compare_recipes(old, side()) == compare_recipes(side(), new) == RecipeDiff()


# ---- results


def test_which_targets_would_be_built_again():
    old, new, same = (
        Fetch(source=GoModule(path="m", version=version, h1="h1:"))
        for version in ("v1", "v2", "v3")
    )
    then = {each.digest: each for each in (old, same)}
    now = {each.digest: each for each in (new, same)}
    pairs = {"app": (old.digest, new.digest), "other": (same.digest, same.digest)}
    rebuild = compare_results(pairs, then, now)
    (target,) = rebuild.targets
    assert (target.target, target.causes, rebuild.same) == ("app", (0,), 1)
    assert [cause.places for cause in rebuild.causes] == [(new,)]
    assert compare_results({}, {}, {}) == Rebuild()


# ---- replaced modules


def test_a_module_that_another_path_stands_for_now():
    ref = SetRef(SourceRef("a", "a"))
    go_mod = parse_go_mod(
        "replace (\n m => fork v2.0.0\n l v1.0.0 => ./l\n n v1.0.0 => fork/n v1.0.0\n)\n"
    )
    plain = ReplacedModules(
        modules=[("m", "v1", ""), ("n", "v1", ""), ("same", "v1", "")], replacements=()
    )
    forked = ReplacedModules(
        modules=[("fork", "v2.0.0", ""), ("fork/n", "v9", ""), ("same", "v2", "")],
        replacements=go_mod.replacements,
    )
    (change,) = compare_replacements(ref, plain, forked)
    assert change == ReplacementChange(name=ref, module="m", old="m v1", new="fork v2.0.0")
    (back,) = compare_replacements(ref, forked, plain)
    assert (back.old, back.new) == (change.new, change.old)
    assert [*compare_replacements(ref, forked, forked)] == []
