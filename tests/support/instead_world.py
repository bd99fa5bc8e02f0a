"""A project in which a Go module stands instead of what a go.mod says, without files.

The go command is content with what it gets; what is outside answers by rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import refs
from attrs import define, evolve, field
from lock_world import ARCH, H1, RECIPES, Outside, Trees

from rvbuild.core.go_mod_changes import GoModChanges
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.link import Linker
from rvbuild.core.lock import GoModuleSet, Lock
from rvbuild.core.locked import Locked
from rvbuild.core.place import Place
from rvbuild.core.question import User
from rvbuild.core.recipe import Recipe
from rvbuild.engine.go_instead import SeenSet
from rvbuild.engine.resolve import Resolver
from rvbuild.engine.source_files import SourceFiles
from rvbuild.engine.sources import Registries
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
class InsteadWorld:
    """Recipes, and what is outside; the go command is content with what it gets."""

    instead: str = INSTEAD
    more: dict[str, str] = field(factory=dict)
    today: str = ""
    trees: Trees = field(factory=Trees)
    registries: Registries = field(factory=Outside)
    sums: tuple[str, ...] = SUMS
    asked: list[Sequence[User]] = field(factory=list)

    def load(self, name: str, _place: Place | None = None, _series: str = "") -> Recipe:
        return read_recipe(self.texts[name].encode(), name, f"recipes/{name}/recipe.yaml")

    @property
    def texts(self) -> dict[str, str]:
        """The recipes."""
        return {**RECIPES, "app": APP.format(instead=self.instead), **self.more}

    def changed(
        self, users: Sequence[User], files: SourceFiles, seen: SeenSet, changes: GoModChanges
    ) -> GoModuleSet:
        self.asked.append(users)
        files.source(self.load("go"), "go", None)
        assert seen.sum_line("e.org/lib", "v1.3.0") == SUMS[0]
        return seen.whole(evolve(changes, sums=self.sums))

    def lock(self, old: Lock | None = None) -> Lock:
        names = ("upstream", "go", "app", *self.more)
        resolver = Resolver(
            recipes=RecipeGraph(TARGETS, self.load, ARCH),
            registries=self.registries,
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
        whole = evolve(lock, sources={**lock.sources, **toolbox()})
        linker = Linker(graph, Locked(whole, graph, ARCH), ARCH)
        linked = linker.link(TARGETS, checks=False)
        return dict(linked.derivations[linked.results[TARGETS[0]]].environment)


def toolbox() -> Mapping[object, object]:
    """The sources of the toolbox, which no other recipe here asks for."""
    world = InsteadWorld(instead="")
    resolver = Resolver(
        recipes=RecipeGraph(TARGETS, world.load, ARCH),
        registries=Outside(),
        trees=Trees(),
        needed=lambda _users, _files, _whole: set(),
        build_arch=ARCH,
    )
    return resolver.lock([world.load("base-toolbox")]).sources
