"""Go modules instead of what a go.mod says: in recipes, in the lock, while it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import refs
from attrs import define, evolve, field
from lock_world import ARCH, GO_SUM, H1, RECIPES, Outside, Trees

from rvbuild.core.digest import Digest
from rvbuild.core.errors import LockError, OverrideEnded, RecipeError, RunFailed
from rvbuild.core.go_mod_changes import GoModChanges
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.link import GO_MOD_INSTEAD, Linker
from rvbuild.core.lock import GoModuleSet, Lock
from rvbuild.core.locked import Locked
from rvbuild.core.override import Override
from rvbuild.core.place import Place
from rvbuild.core.question import User
from rvbuild.core.recipe import Recipe
from rvbuild.engine.go_instead import SeenSet
from rvbuild.engine.resolve import Resolver
from rvbuild.engine.source_files import SourceFiles
from rvbuild.recipes_yaml.lock import read_lock, write_lock
from rvbuild.recipes_yaml.recipe import read_recipe

INSTEAD = "e.org/lib: {value: v1.3.0, because: [x], while: v1.2.5, until: 2027-03-01}"
APP = """\
inputs: {{build: [go], go-modules: {{from: upstream, packages: [./x], instead: {{{instead}}}}}}}
architectures: [amd64]
build: x
outputs: {{it: {{path: out.txt}}}}
"""
TARGETS = (Target("app", ARCH),)
REF = refs.go_set("upstream/k")
SUMS = (f"e.org/lib v1.3.0 {H1}", f"e.org/lib v1.3.0/go.mod {H1}")
CHANGES = GoModChanges(statements=("replace e.org/lib => e.org/lib v1.3.0",), sums=SUMS)


@define
class World:
    """Recipes, and what is outside; the go command is content with what it gets."""

    instead: str = INSTEAD
    more: dict[str, str] = field(factory=dict)
    today: str = ""
    trees: Trees = field(factory=Trees)
    asked: list[Sequence[User]] = field(factory=list)

    def load(self, name: str, _place: Place | None = None, _series: str = "") -> Recipe:
        texts = {**RECIPES, "app": APP.format(instead=self.instead), **self.more}
        return read_recipe(texts[name].encode(), name, f"recipes/{name}/recipe.yaml")

    def changed(
        self, users: Sequence[User], files: SourceFiles, seen: SeenSet, changes: GoModChanges
    ) -> GoModuleSet:
        self.asked.append(users)
        files.source(self.load("go"), "go", None)
        assert seen.sum_line("e.org/lib", "v1.3.0") == SUMS[0]
        return seen.whole(evolve(changes, sums=SUMS))

    def lock(self, old: Lock | None = None) -> Lock:
        names = ("upstream", "go", "app", *self.more)
        resolver = Resolver(
            recipes=RecipeGraph(TARGETS, self.load, ARCH),
            registries=Outside(),
            trees=self.trees,
            needed=lambda _users, _files, _whole: set(),
            changed=self.changed,
            build_arch=ARCH,
            earlier=(old or Lock(),),
            today=self.today,
        )
        return resolver.lock([self.load(name) for name in dict.fromkeys(names)])

    def linked(self, lock: Lock) -> Mapping[str, object]:
        """The environment of the program's step."""
        graph = RecipeGraph(TARGETS, self.load, ARCH, checks=False)
        whole = evolve(lock, sources={**lock.sources, **_toolbox()})
        linker = Linker(graph, Locked(whole, graph, ARCH), ARCH)
        linked = linker.link(TARGETS, checks=False)
        return dict(linked.derivations[linked.results[TARGETS[0]]].environment)


def _toolbox() -> Mapping[object, object]:
    world = World(instead="")
    resolver = Resolver(
        recipes=RecipeGraph(TARGETS, world.load, ARCH),
        registries=Outside(),
        trees=Trees(),
        needed=lambda _users, _files, _whole: set(),
        build_arch=ARCH,
    )
    return resolver.lock([world.load("base-toolbox")]).sources


def test_the_lock_has_what_go_mod_says_and_what_stands_there():
    world = World()
    lock = world.lock()
    entry = lock.go_modules[REF]
    assert entry.changes == CHANGES
    assert [str(each) for each in entry.upstream] == ["e.org/lib v1.2.5 go.mod:4"]
    text = write_lock(lock)
    assert read_lock(text.encode(), "rvbuild.lock") == lock
    assert f"    first-seen: |\n      {SUMS[0]}\n      {SUMS[1]}\n" in text
    assert world.lock(lock) == lock
    assert len(world.asked) == 1  # the set stands


def test_a_step_reads_the_other_go_mod():
    world = World()
    plain = World(instead="")
    assert world.linked(world.lock())["GOFLAGS"] == f"-modfile={GO_MOD_INSTEAD}"
    assert "GOFLAGS" not in plain.linked(plain.lock())


def test_what_is_another_in_the_lock_is_another_key():
    """The go.mod that is read is a part of what a step is made of."""
    world = World()
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
    world = World()
    lock = world.lock()
    entry = lock.go_modules[REF]
    edited = evolve(
        entry, changes=changes, upstream=entry.upstream if upstream is None else upstream
    )
    with pytest.raises(LockError, match=f"upstream/k with another {fact} than") as why:
        world.linked(evolve(lock, go_modules={REF: edited}))
    assert why.value.details[0].startswith("locked: ")
    plain = World(instead="")
    specs = plain.lock().go_modules[REF].specs
    with pytest.raises(LockError, match="upstream/k with another go-mod than"):
        plain.linked(evolve(plain.lock(), go_modules={REF: evolve(entry, specs=specs)}))


def test_locking_stops_when_go_mod_moves():
    world = World(instead=INSTEAD.replace("v1.2.5", "v1.2.4"))
    with pytest.raises(OverrideEnded) as why:
        world.lock()
    assert why.value.message == (
        "upstream/k: e.org/lib: upstream has v1.2.5 now, and v1.3.0 is for v1.2.4"
    )
    assert why.value.details[0] == "upstream: v1.2.5  upstream go.mod:4"
    assert world.asked == []  # before anything is fetched


def test_all_modules_whose_end_has_come_are_told_at_once():
    other = "e.org/a: {value: v9.0.0, because: [x], while: v0.0.1}"
    world = World(instead=f"{INSTEAD.replace('v1.2.5', 'v1.2.4')}, {other}")
    with pytest.raises(RunFailed) as why:
        world.lock()
    assert [each.message for each in why.value.failures if isinstance(each, OverrideEnded)] == [
        "upstream/k: e.org/a: upstream has v1.0.0 now, and v9.0.0 is for v0.0.1",
        "upstream/k: e.org/lib: upstream has v1.2.5 now, and v1.3.0 is for v1.2.4",
    ]
    assert world.asked == []


@pytest.mark.parametrize(("today", "stops"), [("2027-03-01", False), ("2027-03-02", True)])
def test_locking_stops_when_the_day_is_over(today: str, *, stops: bool):
    lock = World().lock()
    world = World(today=today)
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
    world = World(INSTEAD.replace("while: v1.2.5", f"while: {upstream}"), trees=trees)
    (line,) = world.lock().go_modules[REF].upstream
    assert str(line) == f"e.org/lib {upstream} go.mod:3"


def test_a_module_that_go_mod_does_not_name_is_refused():
    world = World(INSTEAD.replace("e.org/lib", "e.org/b"))
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
    world = World(more={"user": USER.format(more=more)})
    with pytest.raises(RecipeError) as why:
        world.lock()
    assert message in why.value.message
    same = World(more={"user": USER.format(more=f", instead: {{{INSTEAD}}}")})
    assert len(same.lock().go_modules[REF].specs) == 2


def test_a_workspace_has_none():
    files = {**Trees().files, "go.work": "use .\n", "go.work.sum": ""}
    text = APP.format(instead=INSTEAD).replace(
        "packages: [./x]", "packages: [./x], workspace: true"
    )
    world = World(more={"app": text + "env: {GOWORK: auto}\n"}, trees=Trees(files))
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
        World(instead).load("app")
    assert message in why.value.message


def test_a_module_may_be_replaced_by_another():
    recipe = World("e.org/lib: {value: e.org/f v1.2.6, because: [x], while: ./lib}").load("app")
    override = Override(value="e.org/f v1.2.6", because=("x",), upstream="./lib")
    assert recipe.overrides == (("app: e.org/lib", override),)


def test_the_files_of_a_go_sum_stay_what_they_are():
    """A set without overrides is named and written as it always was."""
    lock = World(instead="").lock()
    entry = lock.go_modules[REF]
    assert entry.go_sum == Digest.of(GO_SUM.encode()).hash
    text = write_lock(lock)
    assert not any(f"    {word}:" in text for word in ("upstream", "go-mod", "first-seen"))
