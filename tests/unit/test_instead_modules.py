"""Go modules instead of what a go.mod says: in recipes, in the lock, while it is made."""

from __future__ import annotations

import pytest
from attrs import evolve
from instead_world import APP, CHANGES, INSTEAD, REF, SUMS, TARGETS, InsteadWorld
from lock_world import ARCH, GO_SUM, Trees

from rvbuild.core.digest import Digest
from rvbuild.core.errors import LockError, OverrideEnded, RecipeError, RunFailed
from rvbuild.core.go_mod_changes import GoModChanges
from rvbuild.core.graph import RecipeGraph
from rvbuild.core.link import GO_MOD_INSTEAD, Linker
from rvbuild.core.locked import Locked
from rvbuild.core.override import Override
from rvbuild.core.place import Place
from rvbuild.recipes_yaml.lock import read_lock, write_lock


def test_the_lock_has_what_go_mod_says_and_what_stands_there():
    world = InsteadWorld()
    lock = world.lock()
    entry = lock.go_modules[REF]
    assert entry.changes == CHANGES
    assert [str(each) for each in entry.upstream] == ["e.org/lib v1.2.5 go.mod:4"]
    text = write_lock(lock)
    again = read_lock(text.encode(), "rvbuild.lock")
    assert again == lock
    (said,) = entry.instead.values()
    assert (said.value, said.because, said.until) == ("v1.3.0", ("x",), "2027-03-01")
    assert again.go_modules[REF].instead == entry.instead  # the lock says why
    assert f"    first-seen: |\n      {SUMS[0]}\n      {SUMS[1]}\n" in text
    assert world.lock(lock) == lock
    assert len(world.asked) == 1  # the set stands


def test_a_step_reads_the_other_go_mod():
    world = InsteadWorld()
    plain = InsteadWorld(instead="")
    assert world.linked(world.lock())["GOFLAGS"] == f"-modfile={GO_MOD_INSTEAD}"
    assert "GOFLAGS" not in plain.linked(plain.lock())


def test_what_is_another_in_the_lock_is_another_key():
    """The go.mod that is read is a part of what a step is made of."""
    world = InsteadWorld()
    lock = world.lock()
    entry = lock.go_modules[REF]
    other = evolve(entry, changes=evolve(CHANGES, sums=SUMS[:1]))
    graph = RecipeGraph(TARGETS, world.load, ARCH, checks=False)
    keys = set()
    for each in (entry, other, evolve(entry, changes=GoModChanges())):
        linker = Linker(graph, Locked(lock, graph, ARCH), ARCH)
        app = world.load("app")
        assert app.go_modules is not None
        keys.add(linker.module_cache(app, app.go_modules, each))
    assert len(keys) == 3


def _replacing(*by: str) -> GoModChanges:
    return evolve(CHANGES, statements=tuple(f"replace {each}" for each in by))


@pytest.mark.parametrize(
    ("changes", "upstream", "fact"),
    [
        (GoModChanges(), (), "go-mod"),
        (_replacing("e.org/lib => e.org/lib v1.2.9"), None, "go-mod"),
        (
            evolve(CHANGES, statements=(*CHANGES.statements, "replace a => a v1.0.0")),
            None,
            "go-mod",
        ),
        (CHANGES, (), "upstream"),
    ],
)
def test_a_set_that_cannot_be_an_answer(
    changes: GoModChanges, upstream: tuple[()] | None, fact: str
):
    world = InsteadWorld()
    lock = world.lock()
    entry = lock.go_modules[REF]
    edited = evolve(
        entry, changes=changes, upstream=entry.upstream if upstream is None else upstream
    )
    with pytest.raises(LockError, match=f"upstream/k with another {fact} than") as why:
        world.linked(evolve(lock, go_modules={REF: edited}))
    assert why.value.details[0].startswith("locked: ")
    plain = InsteadWorld(instead="")
    specs = plain.lock().go_modules[REF].specs
    with pytest.raises(LockError, match="upstream/k with another go-mod than"):
        plain.linked(evolve(plain.lock(), go_modules={REF: evolve(entry, specs=specs)}))


def test_locking_stops_when_go_mod_moves():
    world = InsteadWorld(instead=INSTEAD.replace("v1.2.5", "v1.2.4"))
    with pytest.raises(OverrideEnded) as why:
        world.lock()
    assert why.value.message == (
        "upstream/k: e.org/lib: upstream has v1.2.5 now, and v1.3.0 is for v1.2.4"
    )
    assert why.value.details[0] == "upstream: v1.2.5  upstream go.mod:4"
    assert world.asked == []  # before anything is fetched


def test_all_modules_whose_end_has_come_are_told_at_once():
    other = "e.org/a: {value: v9.0.0, because: [x], while: v0.0.1}"
    world = InsteadWorld(instead=f"{INSTEAD.replace('v1.2.5', 'v1.2.4')}, {other}")
    with pytest.raises(RunFailed) as why:
        world.lock()
    assert [each.message for each in why.value.failures if isinstance(each, OverrideEnded)] == [
        "upstream/k: e.org/a: upstream has v1.0.0 now, and v9.0.0 is for v0.0.1",
        "upstream/k: e.org/lib: upstream has v1.2.5 now, and v1.3.0 is for v1.2.4",
    ]
    assert world.asked == []


@pytest.mark.parametrize(("today", "stops"), [("2027-03-01", False), ("2027-03-02", True)])
def test_locking_stops_when_the_day_is_over(today: str, *, stops: bool):
    lock = InsteadWorld().lock()
    world = InsteadWorld(today=today)
    for old in (lock, None):
        if stops:
            with pytest.raises(OverrideEnded, match=r"v1\.3\.0 instead of v1\.2\.5 was until 2027"):
                world.lock(old)
        else:
            assert world.lock(old) == lock


@pytest.mark.parametrize(
    ("by", "upstream"),
    [
        ("=> e.org/lib v1.2.5", "v1.2.5"),
        ("=> e.org/f v1.2.5", "e.org/f v1.2.5"),
        ("=> ./lib", "./lib"),
        ("v1.0.0 => ./lib", "./lib"),
    ],
)  # fmt: skip
def test_what_upstream_replaces_itself(by: str, upstream: str):
    go_mod = f"module e.org/k\nrequire e.org/lib v1.0.0\nreplace e.org/lib {by}\n"
    trees = Trees({**Trees().files, "go.mod": go_mod})
    world = InsteadWorld(INSTEAD.replace("while: v1.2.5", f"while: {upstream}"), trees=trees)
    (line,) = world.lock().go_modules[REF].upstream
    assert str(line) == f"e.org/lib {upstream} go.mod:3"


def test_a_module_that_go_mod_does_not_name_is_refused():
    world = InsteadWorld(INSTEAD.replace("e.org/lib", "e.org/b"))
    with pytest.raises(LockError, match=r"go.mod does not name e\.org/b: nothing") as why:
        world.lock()
    assert isinstance(why.value.where, Place)
    assert why.value.where.file == "recipes/app/recipe.yaml"


USER = """\
inputs: {{build: [go], go-modules: {{from: upstream{more}}}}}
architectures: [amd64]
build: x
"""


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("", "app and user use one set of Go modules, with other `instead`"),
        (f", instead: {{{INSTEAD.replace('v1.3.0', 'v1.4.0')}}}", "app and user use one set"),
        (f", packages: [], instead: {{{INSTEAD}}}", "app: modules can stand instead of go.mod's"),
    ],
)
def test_all_users_of_a_set_have_the_same(more: str, message: str):
    world = InsteadWorld(more={"user": USER.format(more=more)})
    with pytest.raises(RecipeError) as why:
        world.lock()
    assert message in why.value.message
    same = InsteadWorld(more={"user": USER.format(more=f", instead: {{{INSTEAD}}}")})
    assert len(same.lock().go_modules[REF].specs) == 2


def test_a_workspace_has_none():
    files = {**Trees().files, "go.work": "use .\n", "go.work.sum": ""}
    text = APP.format(instead=INSTEAD).replace(
        "packages: [./x]", "packages: [./x], workspace: true"
    )
    world = InsteadWorld(more={"app": text + "env: {GOWORK: auto}\n"}, trees=Trees(files))
    with pytest.raises(RecipeError, match=r"modules can stand instead of go\.mod's") as why:
        world.lock()
    assert "no `workspace`" in str(why.value.hint)


@pytest.mark.parametrize(
    ("instead", "message"),
    [
        (
            "e.org/lib: {value: v1, because: [x], while: v1.2.5}",
            "'value' is not a module's",
        ),
        (
            "e.org/lib: {value: ./x, because: [x], while: v1.2.5}",
            "'value' is not a module's",
        ),
        ("e.org/lib: {value: v1.2.6, because: [x], while: x}", "'while' is not a module's version"),
        ("'e.org/ lib': {value: v1.2.6, because: [x], while: v1.2.5}", "'value' is not a module's"),
        ("e.org/lib: {value: v1.2.6, while: v1.2.5}", "'because' is missing"),
        ("e.org/lib: v1.2.6", "a mapping (key: value) is expected"),
    ],
)
def test_what_such_an_override_must_say(instead: str, message: str):
    with pytest.raises(RecipeError) as why:
        InsteadWorld(instead).load("app")
    assert message in why.value.message


def test_a_module_may_be_replaced_by_another():
    recipe = InsteadWorld("e.org/lib: {value: e.org/f v1.2.6, because: [x], while: ./lib}").load(
        "app"
    )
    override = Override(value="e.org/f v1.2.6", because=("x",), upstream="./lib")
    assert recipe.overrides == (("app: e.org/lib", override),)


def test_the_files_of_a_go_sum_stay_what_they_are():
    """A set without overrides is named and written as it always was."""
    lock = InsteadWorld(instead="").lock()
    entry = lock.go_modules[REF]
    assert entry.go_sum == Digest.of(GO_SUM.encode()).hash
    text = write_lock(lock)
    assert not any(f"    {word}:" in text for word in ("upstream", "go-mod", "first-seen"))


def test_a_lock_says_why_or_is_none():
    """As of a pin: what it has as a spec is a person's decision, or nobody's."""
    lock = InsteadWorld().lock()
    entry = lock.go_modules[REF]
    odd = evolve(entry, specs=tuple(each.replace("[x]", "[]") for each in entry.specs))
    assert odd != entry
    text = write_lock(evolve(lock, go_modules={REF: odd}))
    with pytest.raises(LockError, match="'because' is missing"):
        read_lock(text.encode(), "rvbuild.lock")
