"""The lock: its text, its round trip, and whether it fits the recipes."""

import difflib
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import refs
from attrs import evolve

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import LockError, RecipeError
from rvbuild.core.go_source import GoModule
from rvbuild.core.lock import GoModuleSet, Lock, LockedSource, PinValue, source_ref
from rvbuild.core.locked import Locked
from rvbuild.core.names import SourceRef
from rvbuild.core.pinned import git_fact
from rvbuild.core.place import Place
from rvbuild.core.recipe import GoModulesSpec, Reading, Recipe
from rvbuild.core.snapshot import Snapshot
from rvbuild.core.source import LAST_DATE
from rvbuild.core.spec_text import spec_text
from rvbuild.core.trace import content_digest
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.go.source import GoToolchain
from rvbuild.kinds.path.source import PathSource
from rvbuild.kinds.pypi.source import Wheel
from rvbuild.kinds.url.source import DebianFile, UrlSource
from rvbuild.recipes_yaml.lock import read_lock, write_lock
from rvbuild.recipes_yaml.recipe import read_recipe

HEX = "ab" * 32
H1 = "h1:" + "A" * 43 + "="
GIT = GitSource(url="https://e.org/k", commit="1" * 40, tree="2" * 40, date=1742452828)
LOCK = Lock(
    pins={
        refs.pin("a/version"): PinValue(
            value="1.10", spec="{x: y}", source="k", file="go.mod", line=3
        ),
        refs.pin("a/b"): PinValue(value='quo"ted # text', spec="''"),
    },
    sources={
        refs.source("a/url"): LockedSource(
            spec="{}",
            parts=(
                UrlSource(
                    urls=("https://e.org/a.tar.gz",),
                    sha256=HEX,
                    debian=DebianFile(package="a", file="a_1.orig.tar.gz"),
                ),
            ),
        ),
        refs.source("a/git"): LockedSource(spec="s", parts=(GIT,)),
        refs.source("a/deb@amd64"): LockedSource(
            spec="s",
            parts=tuple(
                DebianPackage(
                    name=name,
                    version="2:1.0~rc1-1+b1",
                    architecture="amd64",
                    pool=f"pool/main/{name}.deb",
                    sha256=HEX,
                    size=7,
                    snapshot=Snapshot.parse("20260830T142311Z"),
                )
                for name in ("x", "y")
            ),
        ),
        refs.source("a/go"): LockedSource(
            spec="s", parts=(GoModule(path="e.org/m", version="v1", h1=H1),)
        ),
        refs.source("a/tool"): LockedSource(
            spec="s", parts=(GoToolchain(version="1.2", platform="linux-amd64", h1=H1),)
        ),
        refs.source("a/wheel"): LockedSource(
            spec="s",
            parts=(Wheel(project="z", version="1", filename="z-1-py3-none-any.whl", sha256=HEX),),
        ),
        refs.source("a/path"): LockedSource(spec="s", parts=(PathSource(digest=f"{HEX}/7"),)),
    },
    go_modules={
        refs.go_set("k/k"): GoModuleSet(
            specs=("one", "two"),
            modules=(("e.org/m", "v1.0.0", "h1:a="),),
            go_sum=HEX,
        )
    },
)


def test_a_lock_without_overrides_is_as_upstream_has_it():
    lock = Lock()
    assert lock.as_upstream is lock


def test_round_trip_and_stable_text():
    text = write_lock(LOCK)
    assert read_lock(text.encode(), "rvbuild.lock") == LOCK
    assert write_lock(read_lock(text.encode(), "rvbuild.lock")) == text


def test_one_fact_a_line():
    """A new module adds its name and its hash, and changes none but the check of its set."""
    held = LOCK.go_modules[refs.go_set("k/k")]
    more = GoModuleSet(
        specs=held.specs, modules=(*held.modules, ("e.org/z", "v1", "h1:z=")), go_sum=HEX
    )
    before = write_lock(LOCK).splitlines()
    after = write_lock(
        Lock(pins=LOCK.pins, sources=LOCK.sources, go_modules={refs.go_set("k/k"): more})
    ).splitlines()
    assert len(after) == len(before) + 2
    gone = [line for line in before if line not in after]
    assert [line.split()[0] for line in gone] == ["check:"]


OWN_LOCK = Path(__file__).parents[2] / "rvbuild.lock"


def one_module_otherwise(lock: Lock, *, go_sum: str = "", bumped: bool = False) -> Lock:
    """One of the repository's sets with one module more, or with another version of one.

    The module is one that no other set has in either version.
    """
    key, held = max(lock.go_modules.items(), key=lambda item: len(item[1].modules))
    others = {m[0] for name, each in lock.go_modules.items() if name != key for m in each.modules}
    path, version, h1 = next(module for module in held.modules if module[0] not in others)
    more = (path, f"{version}.1", "h1:" + h1[3:][::-1])
    kept = [module for module in held.modules if not bumped or module[0] != path]
    changed = evolve(held, modules=tuple(sorted([*kept, more])), go_sum=go_sum or held.go_sum)
    return evolve(lock, go_modules={**lock.go_modules, key: changed})


def changed_lines(one: Lock, other: Lock) -> tuple[list[str], list[str]]:
    """The lines that only the one has, and those that only the other has, as ``diff`` sees it."""
    texts = (write_lock(lock).splitlines() for lock in (one, other))
    lines = [line for line in difflib.unified_diff(*texts, n=0) if not line.startswith("@@")][2:]
    gone, new = ([line[1:] for line in lines if line[0] == sign] for sign in "-+")
    return gone, new


def test_locks_that_differ_by_one_module_differ_in_five_lines_at_most():
    """Its name, its hash and the check of its set; what go.sum is, if that is another too."""
    lock = read_lock(OWN_LOCK.read_bytes(), "rvbuild.lock")
    gone, new = changed_lines(lock, one_module_otherwise(lock))
    assert ([line.split()[0] for line in gone], len(new)) == (["check:"], 3)
    go_sum = hashlib.sha256(b"another").hexdigest()
    gone, new = changed_lines(lock, one_module_otherwise(lock, go_sum=go_sum, bumped=True))
    assert (len(gone), len(new)) == (4, 4)
    assert sum(line.startswith("    go-sum: ") for line in new) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("lock: 2", "lock: 3"), "format 3"),
        (("lock: 2", "lock: 1"), "has format 1"),
        (("kind: git", "kind: hg"), "'kind' cannot be 'hg'"),
        (("  a/git:", "  a/url:"), "given twice"),
        (("        commit: 1", "        commit: x"), "digest in lower-case hex"),
        (("line: 3", "line: three"), "whole number"),
        (("      e.org/m v1.0.0", "      e.org/m"), "no line of the lock says what e.org/m is"),
        (("\n  e.org/m v1.0.0:", "\n  e.org/m:"), "not 'PATH VERSION'"),
        (
            ("      e.org/m v1.0.0", "      e.org/n v1.0.0"),
            "no line of the lock says what e.org/n",
        ),
        (("  e.org/m v1.0.0: h1:a=", "  e.org/m v1.0.0: h1:b="), "k/k was changed by hand"),
        (("  e.org/m v1.0.0: h1:a=", "  e.org/m v1.0.0: h1:a= x"), "k/k was changed by hand"),
        ((f" {HEX} 7", f" {HEX} seven"), "'size' must be a whole number"),
        ((f" {HEX} 7", f" {HEX}"), "not 'NAME VERSION ARCHITECTURE POOL SHA256 SIZE'"),
        (("go-sum: ab", "go-sum: xb"), "'go-sum' must be a SHA-256"),
        (("      go-module: |\n  ", "      - kind: go-module\n    "), "'kind' cannot be"),
        (("      go-module: |", "      go-modul: |"), "'parts' must have one of"),
        (("      go-module: |", "      debian: ''\n      go-module: |"), "unknown key"),
        (
            ("parts:\n      - kind: url", "parts: []\n    x:\n      - kind: url"),
            "'parts' must be a list",
        ),
        (("        tree:", "        tre:"), "'tree' is missing"),
        (("snapshot: 2026", "snapshot: 2025"), "a/deb@amd64 was changed by hand"),
        (("    snapshot: 20260830T142311Z\n", ""), "a/deb@amd64 was changed by hand"),
        *(
            (("snapshot: 20260830T142311Z", f"snapshot: {moment}"), "'snapshot' must be a moment")
            for moment in (
                *("''", "x", "20260830", "20260830T142311", "2026-08-30T14:23:11Z"),
                *("20261330T142311Z", "20260230T142311Z", "20260830T246011Z", "20260830T142360Z"),
                *("00000000T000000Z", "20041231T235959Z", "99990101T000000Z", "1" * 500),
                *(
                    "20260830T142311Z/../..",
                    "'20260830T142311Z ?'",
                    "\uff12\uff10\uff12\uff160830T142311Z",
                ),
            )
        ),
        (("snapshot: 20260830T142311Z", "snapshot: [20260830T142311Z]"), "must be one value"),
        (("  a/go:\n", "  a/go:\n    snapshot: 20260830T142311Z\n"), "unknown key 'snapshot'"),
        (("          - a_1.orig.tar.gz\n", ""), "a package and a file"),
        (("https://e.org/a.tar.gz", "https://e.org/a%2Fb"), "does not end in a file name"),
    ],
)
def test_damaged_locks_are_refused_with_a_place(change: tuple[str, str], says: str):
    text = write_lock(LOCK)
    assert change[0] in text
    with pytest.raises(LockError) as caught:
        read_lock(text.replace(*change, 1).encode(), "rvbuild.lock")
    assert says in caught.value.message
    assert str(caught.value.where).startswith("rvbuild.lock:")


def test_a_changed_entry_is_refused_left_out_or_taken_without_its_check():
    text = write_lock(LOCK)
    changed = text.replace(f"commit: {'1' * 40}", f"commit: {'3' * 40}")
    with pytest.raises(LockError, match="a/git was changed by hand") as caught:
        read_lock(changed.encode(), "rvbuild.lock")
    assert str(caught.value.where).startswith("rvbuild.lock:")
    assert hint_text(caught.value.hint).startswith("run `rvbuild lock`: it finds it again")
    mended = read_lock(changed.encode(), "rvbuild.lock", mend=True)
    assert refs.texts(mended.sources) == refs.texts(LOCK.sources) - {"a/git"}
    assert (mended.pins, mended.go_modules) == (LOCK.pins, LOCK.go_modules)
    old = "\n".join(line for line in text.split("\n") if not line.startswith("    check: "))
    with pytest.raises(LockError, match="has no 'check'") as caught:
        read_lock(old.encode(), "rvbuild.lock")
    assert "run `rvbuild lock`: it adds it" in hint_text(caught.value.hint)
    assert read_lock(old.encode(), "rvbuild.lock", mend=True) == LOCK


@pytest.mark.parametrize("section", ["pins", "sources", "module-sets"])
def test_an_entry_whose_check_somebody_took_away_is_found_again(section: str):
    """Else facts that were changed with it would get a check that vouches for them."""
    whole = read_lock(write_lock(LOCK).encode(), "rvbuild.lock")
    before, begin, after = write_lock(LOCK).partition(f"{section}:\n")
    less = before + begin + re.sub(r"\n    check: .*", "", after, count=1)
    with pytest.raises(LockError, match="has no 'check'") as caught:
        read_lock(less.encode(), "rvbuild.lock")
    assert hint_text(caught.value.hint).startswith("run `rvbuild lock`: it finds it again")
    mended = read_lock(less.encode(), "rvbuild.lock", mend=True)
    name = {"module-sets": "go_modules"}.get(section, section)
    assert len(getattr(mended, name)) == len(getattr(whole, name)) - 1


def test_a_lock_that_does_not_say_when_debians_index_was_made():
    """As rvbuild wrote them before; its checks are the same as then."""
    parts = LOCK.sources[refs.source("a/deb@amd64")].parts
    packages = [part for part in parts if isinstance(part, DebianPackage)]
    bare = LockedSource(spec="s", parts=tuple(evolve(each, snapshot=None) for each in packages))
    lock = evolve(LOCK, sources={refs.source("a/deb@amd64"): bare})
    text = write_lock(lock)
    assert "snapshot" not in text
    assert "    check: 2b4e4d09f8cc16f5\n" in text
    again = read_lock(text.encode(), "rvbuild.lock")
    assert again == lock
    assert again.sources[refs.source("a/deb@amd64")].snapshot is None
    assert bare != LOCK.sources[refs.source("a/deb@amd64")]
    assert bare.parts == parts


def test_an_entry_in_other_words_is_the_same():
    """Quotes, comments and order of facts are an editor's; the check is of the facts."""
    text = write_lock(LOCK)
    quoted = text.replace("    line: 3\n", "    # read in March\n    line: '3'\n")
    moved = text.replace("    file: go.mod\n    line: 3\n", "    line: 3\n    file: go.mod\n")
    for other in (quoted, moved):
        assert other != text
        assert read_lock(other.encode(), "rvbuild.lock") == LOCK


def test_an_entry_under_another_key_is_refused():
    """The check is of the key too: what is right in one place is not in another."""
    text = write_lock(LOCK).replace("  a/git:", "  b/git:")
    with pytest.raises(LockError, match="b/git was changed by hand"):
        read_lock(text.encode(), "rvbuild.lock")


KSRC = f"kind: source\nsources: {{k: {{git: 'https://e.org/k', commit: {'1' * 40}}}}}\n"
APP = """\
version: {from: ksrc, go-module: m}
date: {from: ksrc, git: date}
pins: {when: {from: ksrc, git: iso-date}, short: {from: ksrc, git: short, prefix: g}}
sources: {app: {go-module: m, version: "${version}"}}
build: x
"""

OWN = """\
version: {first-of: [{from: ksrc, git: short}, {literal: "11111111"}]}
sources: {k: {from: ksrc}}
build: x
"""


class Recipes:
    """Recipes by name, from their texts."""

    def __init__(self, **texts: str) -> None:
        self.table = {n: read_recipe(t.encode(), n, f"{n}.yaml") for n, t in texts.items()}

    def recipe(self, name: str, _asked_at: str | None = None, _series: str = "") -> Recipe:
        return self.table[name]


OF_KSRC = ((SourceRef("ksrc", "k"), content_digest(SourceRef("ksrc", "k"), "", (GIT,))),)
"""The trace of what is read from the commit that KSRC locks."""


def fitting(recipes: Recipes) -> Lock:
    app, ksrc = recipes.recipe("app"), recipes.recipe("ksrc")
    module = GoModule(path="m", version="v1.2.5", h1=H1)
    spec = spec_text(evolve(app.sources["app"].spec, version="v1.2.5"))  # type: ignore[call-arg]
    return Lock(
        pins={
            refs.pin("app/version"): PinValue(
                value="v1.2.5",
                spec=spec_text(app.version),
                source="ksrc",
                file="go.mod",
                line=9,
                trace=OF_KSRC,
            )
        },
        sources={
            refs.source("ksrc/k"): LockedSource(
                spec=spec_text(ksrc.sources["k"].spec), parts=(GIT,)
            ),
            refs.source("app/app"): LockedSource(spec=spec, parts=(module,)),
        },
    )


def test_debian_packages_for_a_named_machine_are_the_same_on_every_build_machine():
    text = "sources: {s: {debian: [p], suite: s}, n: {debian: [p], suite: s, architecture: arm64}}"
    sources = read_recipe(f"{text}\nbuild: x\n".encode(), "r", "r.yaml").sources
    own, named = sources["s"].spec, sources["n"].spec
    assert str(source_ref("r", "s", own, "amd64")) == "r/s@amd64"
    assert {str(source_ref("r", "n", named, machine)) for machine in ("amd64", "riscv64")} == {
        "r/n"
    }
    assert "architecture" not in spec_text(own), "locks from before there was the key still fit"
    assert "architecture: arm64" in spec_text(named)


def test_locked_answers_for_recipes_that_it_fits():
    recipes = Recipes(app=APP, ksrc=KSRC)
    locked = Locked(fitting(recipes), recipes, "amd64")
    app = recipes.recipe("app")
    assert locked.pin(app, "version") == "v1.2.5"
    assert locked.pin(app, "date") == "1742452828"
    assert locked.pin(app, "when") == "2025-03-20T06:40:28Z"
    assert locked.pin(app, "short") == "g11111111"
    assert [part.label for part in locked.source(app, "app")] == ["m@v1.2.5"]


def test_all_that_a_recipe_asks_for_is_looked_at():
    """What `lock --check` does: a contradiction is found wherever it is."""
    modules = "inputs: {go-modules: {from: ksrc, packages: [./mine]}}\n"
    recipes = Recipes(app=APP.replace("build:", f"{modules}build:"), ksrc=KSRC, own=OWN)
    held = fitting(recipes)
    version = recipes.recipe("own").version
    assert not isinstance(version, str)
    own = PinValue(value="11111111", spec=spec_text(version), source="ksrc", trace=OF_KSRC)
    sets = {refs.go_set("ksrc/k"): go_set(OF_MINE, "e.org/a")}
    lock = evolve(held, pins={**held.pins, refs.pin("own/version"): own}, go_modules=sets)
    for name in ("app", "own"):
        assert [*Locked(lock, recipes, "amd64").refusals(recipes.recipe(name))] == []
    pins = {refs.pin("app/version"): evolve(held.pins[refs.pin("app/version")], source="other")}
    (module,) = held.sources[refs.source("app/app")].parts
    other = evolve(module, version="v1.2.6")  # type: ignore[call-arg]
    sources = {
        **held.sources,
        refs.source("app/app"): evolve(held.sources[refs.source("app/app")], parts=(other,)),
    }
    sets = {refs.go_set("ksrc/k"): evolve(go_set(OF_MINE, "e.org/a"), go_sum="")}
    changes: list[dict[str, Any]] = [{"pins": pins}, {"sources": sources}, {"go_modules": sets}]
    for change, fact in zip(changes, ("source", "version", "go-sum"), strict=True):
        locked = Locked(evolve(lock, **change), recipes, "amd64")
        refusals = [*locked.refusals(recipes.recipe("app"))]
        assert refusals
        assert all(f"with another {fact} than the recipe asks for" in str(it) for it in refusals)
    lacking = Locked(Lock(), recipes, "amd64")
    whole = {str(it).rpartition(" ")[2] for it in lacking.refusals(recipes.recipe("app"))}
    assert whole >= {"app/version", "ksrc/k"}, "one answer that is not there hides no other"


def test_a_ladder_holds_the_lock_to_its_literal_and_to_the_commit():
    recipes = Recipes(own=OWN, ksrc=KSRC)
    own = recipes.recipe("own")
    assert not isinstance(own.version, str)
    pin = PinValue(value="11111111", spec=spec_text(own.version), source="ksrc", trace=OF_KSRC)
    for value, fits in (("11111111", True), ("22222222", False)):
        held = Lock(
            pins={refs.pin("own/version"): evolve(pin, value=value)},
            sources={
                refs.source("ksrc/k"): LockedSource(
                    spec=spec_text(recipes.recipe("ksrc").sources["k"].spec), parts=(GIT,)
                )
            },
        )
        locked = Locked(held, recipes, "amd64")
        if fits:
            assert locked.pin(own, "version") == value
        else:
            with pytest.raises(LockError, match="with another value"):
                locked.pin(own, "version")


@pytest.mark.parametrize(
    ("old", "new", "asks"),
    [
        ("go-module: m}", "go-module: other}", "version"),
        ("go-module: m,", "go-module: other,", "source"),
    ],
)
def test_a_lock_for_another_recipe_is_refused(old: str, new: str, asks: str):
    lock = fitting(Recipes(app=APP, ksrc=KSRC))
    changed = Recipes(app=APP.replace(old, new), ksrc=KSRC)
    locked = Locked(lock, changed, "amd64")
    app = changed.recipe("app")
    ask = {"version": locked.pin, "source": locked.source}[asks]
    name = {"version": "version", "source": "app"}[asks]
    with pytest.raises(LockError, match="for another recipe") as caught:
        ask(app, name)
    assert "rvbuild lock" in hint_text(caught.value.hint)
    assert str(caught.value.where).startswith("app.yaml:")
    assert any("other" in line for line in caught.value.details)


def test_a_lock_without_the_fact_is_refused():
    recipes = Recipes(app=APP, ksrc=KSRC)
    locked = Locked(Lock(), recipes, "amd64")
    app = recipes.recipe("app")
    with pytest.raises(LockError, match="does not have app/version"):
        locked.pin(app, "version")
    with pytest.raises(LockError, match="does not have ksrc/k"):
        locked.modules(app, GoModulesSpec(source="ksrc"))
    ksrc = recipes.recipe("ksrc")
    with pytest.raises(LockError, match="does not have ksrc/k") as caught:
        locked.source(ksrc, "k")
    assert (
        hint_text(caught.value.hint)
        == "run `rvbuild lock ksrc`, or build with --override ksrc/k=FOLDER"
    )


@pytest.mark.parametrize(
    "text",
    [
        "pins: {p: {from: s, git: commit}}\nsources: {s: {git: 'https://e.org/x', commit: '${p}'}}",
        "version: {first-of: [{from: s, git: short}]}\nsources: {s: {url: 'https://e/${version}'}}",
    ],
)
def test_a_pin_that_needs_itself_is_a_circle(text: str):
    recipes = Recipes(c=f"{text}\nbuild: x\n")
    c = recipes.recipe("c")
    lock = Lock()
    if not isinstance(c.version, str):
        trace = ((refs.source("c/s"), "0" * 16),)
        pin = PinValue(value="1", spec=spec_text(c.version), source="c", trace=trace)
        lock = Lock(pins={refs.pin("c/version"): pin})
    with pytest.raises(RecipeError, match="pins need each other in a circle") as caught:
        Locked(lock, recipes, "amd64").source(c, "s")
    assert str(caught.value.where).startswith("c.yaml:")


@pytest.mark.parametrize(("date", "fits"), [(LAST_DATE, True), (LAST_DATE + 1, False)])
def test_a_lock_holds_dates_up_to_the_year_9999(date: int, *, fits: bool):
    lock = Lock(
        sources={refs.source("a/git"): LockedSource(spec="s", parts=(evolve(GIT, date=date),))}
    )
    text = write_lock(lock).encode()
    if not fits:
        with pytest.raises(LockError, match="'date' is after the year 9999"):
            read_lock(text, "rvbuild.lock")
        return
    assert read_lock(text, "rvbuild.lock") == lock
    reading = Reading(source="x", reader="git", argument="iso-date")
    assert git_fact(evolve(GIT, date=date), reading) == "9999-12-31T23:59:59Z"


def test_git_facts_need_a_git_source():
    reading = Reading(source="x", reader="git", argument="commit", where=Place("r.yaml", 1, 1))
    with pytest.raises(RecipeError, match="not a git source"):
        git_fact(PathSource(path="x"), reading)


# ---- one lock over another, and machines

OF_USER = GoModulesSpec(source="ksrc")
OF_MINE = GoModulesSpec(source="ksrc", packages=("./mine",))


def go_set(spec: GoModulesSpec, path: str) -> GoModuleSet:
    modules = ((path, "v1.0.0", H1),)
    return GoModuleSet(specs=(spec_text(spec),), modules=modules, go_sum=HEX, trace=OF_KSRC)


def shipped(commit: str = "1") -> Lock:
    """The lock below: two sources, a pin read from each, and a set of Go modules of each."""
    git = evolve(GIT, commit=commit * 40)
    return Lock(
        pins={
            refs.pin("a/version"): PinValue(
                value="1", spec="s", source="ksrc", file="go.mod", line=1
            ),
            refs.pin("b/version"): PinValue(value="2", spec="s", source="other", file="f", line=1),
        },
        sources={
            refs.source("ksrc/k"): LockedSource(spec="s", parts=(git,)),
            refs.source("other/o"): LockedSource(spec="s", parts=(GIT,)),
        },
        go_modules={
            refs.go_set("ksrc/k"): go_set(OF_USER, "e.org/shipped"),
            refs.go_set("ksrc/k:cmd"): go_set(OF_USER, "e.org/cmd"),
            refs.go_set("other/o"): go_set(OF_USER, "e.org/other"),
        },
    )


def mine(commit: str = "1") -> Lock:
    """A project's lock, with a recipe of its own that needs modules of the same source."""
    below = shipped(commit)
    return Lock(
        pins={
            refs.pin("mine/version"): PinValue(
                value="3", spec="s", source="other", file="f", line=2
            )
        },
        sources={refs.source("ksrc/k"): below.sources[refs.source("ksrc/k")]},
        go_modules={refs.go_set("ksrc/k"): go_set(OF_MINE, "e.org/mine")},
        file="mine.lock",
    )


def test_a_lock_over_another_adds_to_it():
    """Recipes of both find the set of modules that was made for them."""
    lock = mine().layered_over(shipped())
    assert lock.file == "mine.lock"
    assert refs.texts(lock.pins) == {"a/version", "b/version", "mine/version"}
    assert refs.texts(lock.sources) == {"ksrc/k", "other/o"}

    def first(key: str, spec: str) -> str:
        entry = lock.set_for(refs.go_set(key), spec)
        assert entry is not None
        return entry.modules[0][0]

    assert first("ksrc/k", spec_text(OF_MINE)) == "e.org/mine"
    assert first("ksrc/k", spec_text(OF_USER)) == "e.org/shipped"
    assert first("ksrc/k:cmd", spec_text(OF_USER)) == "e.org/cmd"
    assert first("ksrc/k", "nobody") == "e.org/mine"


@pytest.mark.parametrize("kind", ["pin", "set", "source"])
def test_what_was_read_from_a_source_that_is_another_now_is_refused(kind: str):
    """The pins and modules of one commit are not those of the next."""
    recipes = Recipes(app=APP, ksrc=KSRC, user="inputs: {go-modules: {from: ksrc}}\nbuild: x\n")
    user = recipes.recipe("user")
    assert user.go_modules is not None
    lock = evolve(
        fitting(recipes), go_modules={refs.go_set("ksrc/k"): go_set(user.go_modules, "e.org/m")}
    )
    then = content_digest(SourceRef("ksrc", "k"), "", lock.sources[refs.source("ksrc/k")].parts)

    def read(digest: str, source: str = "ksrc/k") -> None:
        def traced(entries: Mapping[str, Any]) -> Any:  # noqa: ANN401
            return {
                key: evolve(entry, trace=((refs.source(source), digest),))
                for key, entry in entries.items()
                if not str(key).startswith("ksrc/") or entry in lock.go_modules.values()
            }

        changed = {
            "pin": {"pins": traced(lock.pins)},
            "set": {"go_modules": traced(lock.go_modules)},
            "source": {"sources": {**lock.sources, **traced(lock.sources)}},
        }[kind]
        locked = Locked(evolve(lock, **changed), recipes, "amd64")
        for refusal in locked.refusals(user if kind == "set" else recipes.recipe("app")):
            raise refusal

    read(then)
    refused = {
        "ksrc/k": "as it was read from another ksrc/k than there is now",
        "ksrc/gone": "with another source than the recipe asks for",
    }
    for source, message in refused.items():
        with pytest.raises(LockError, match=message) as caught:
            read("0" * 16 if source == "ksrc/k" else then, source)
        assert (
            hint_text(caught.value.hint)
            == "run `rvbuild lock`, and look at what changes in rvbuild.lock"
        )


def test_the_entries_of_other_build_machines_stay_if_they_are_described_alike():
    def of(**machines: str) -> dict[str, LockedSource]:
        return {
            refs.source(f"{key[0]}/{key[0]}@{key[1:]}"): LockedSource(spec=spec, parts=(GIT,))
            for key, spec in machines.items()
        }

    plain = {refs.source("x/x"): LockedSource(spec="s", parts=(GIT,))}
    old = Lock(sources={**plain, **of(aamd64="s", aarm64="s", bamd64="s", barm64="s", carm64="s")})
    new = Lock(sources=of(aamd64="s", bamd64="t", damd64="s"))
    kept = new.with_machines_of(old, "amd64").sources
    assert kept == {**new.sources, **of(aarm64="s")}


def test_the_recipes_that_a_lock_is_for():
    lock = fitting(Recipes(app=APP, ksrc=KSRC))
    assert lock.recipes() == {"app", "ksrc"}


def test_where_a_folder_was_is_read_and_forgotten():
    """Locks had it once."""
    text = write_lock(LOCK)
    former = text.replace("- kind: path\n", "- kind: path\n        path: /home/me/x\n")
    assert former != text
    assert read_lock(former.encode(), "rvbuild.lock") == LOCK


def test_a_recipe_with_two_sides_of_a_merge_says_so():
    text = b"kind: source\n<<<<<<< HEAD\nversion: '1'\n=======\nversion: '2'\n>>>>>>> b\n"
    with pytest.raises(RecipeError, match="git has not merged this file") as caught:
        read_recipe(text, "a", "recipes/a/recipe.yaml")
    assert str(caught.value.where) == "recipes/a/recipe.yaml:2:1"
    assert "keep what is right" in hint_text(caught.value.hint)


def test_a_lock_with_two_sides_of_a_merge_says_so():
    text = write_lock(LOCK).replace("sources:\n", "<<<<<<< HEAD\nsources:\n=======\n>>>>>>> b\n", 1)
    line = text[: text.index("<<<<")].count("\n") + 1
    with pytest.raises(LockError, match="git has not merged this file") as caught:
        read_lock(text.encode(), "rvbuild.lock")
    assert str(caught.value.where) == f"rvbuild.lock:{line}:1"
    assert "docs/format.md" in hint_text(caught.value.hint)
