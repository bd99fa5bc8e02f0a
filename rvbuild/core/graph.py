"""The graph that recipes declare: which recipe, for which architecture, needs which others.

Knows: how inputs choose an architecture; cycles; order. Must not know: locks, sources, keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import networkx as nx
from attrs import frozen

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.architecture import ARCHITECTURES, EXAMPLE, named
from rvbuild.core.errors import NoDefaultSeries, NoSeries, RecipeError, UsageError, closest
from rvbuild.core.names import RecipeName
from rvbuild.core.patches import patches_of
from rvbuild.core.place import Place
from rvbuild.core.recipe import FOR_TARGET, QEMU, Recipe
from rvbuild.core.toolboxes import DEFAULT, toolbox_of
from rvbuild.core.variants import PLAIN, Variants

INDEPENDENT = ""
"""The architecture of what is the same for every target."""


@frozen(order=True)
class Target:
    """A recipe for one target architecture (``""`` for tools).

    In a series ``recipe`` has it, and the text has it at the end: ``k3s-riscv64@1.34``.
    """

    recipe: str
    arch: str

    def __str__(self) -> str:
        if not self.arch:
            return self.recipe
        name = RecipeName.parse(self.recipe)
        return str(RecipeName(f"{name.base}-{self.arch}", name.series))


class Load(Protocol):
    """Reads a recipe by name.

    ``place`` asks for it; ``series`` is that of the recipe which asks (`core.series`).
    """

    def __call__(self, name: str, place: Place | None = None, series: str = "") -> Recipe: ...


def parse_target(text: str, load: Load) -> Target:
    """Read ``NAME-ARCH``, with ``@SERIES`` if it is not the default one; a tool has no ``-ARCH``.

    Raises:
        UsageError: no such recipe, or it is not for that architecture, or of that series.
    """
    target = target_form(text)
    if target.arch:
        recipe = _load(text, target, load)
        if recipe.kind in {"tool", "source"}:
            msg = f"{recipe.base} is the same for every architecture"
            raise UsageError(msg, where=text, hint=f"say `{target.recipe}`")
        if target.arch not in recipe.architectures:
            msg = f"{target.recipe} is not for {target.arch}"
            raise UsageError(msg, where=text, hint=f"it is for {', '.join(recipe.architectures)}")
        return target
    try:
        recipe = _load(text, target, load)
    except UsageError as error:
        raise _near_miss(text, load) or error from None
    if recipe.kind not in {"tool", "source"}:
        msg = "the target's architecture is missing"
        choices = ", ".join(str(Target(text, known)) for known in recipe.architectures)
        raise UsageError(msg, where=text, hint=f"one of: {choices}")
    return target


def _load(text: str, target: Target, load: Load) -> Recipe:
    """The recipe of a target.

    Raises:
        UsageError: there is none, or none of its series is the default.
    """
    try:
        return load(target.recipe, None)
    except NoSeries as error:
        base = RecipeName.parse(target.recipe).base
        raise UsageError(
            error.message, where=text, hint=f"say `{Target(base, target.arch)}`"
        ) from None
    except NoDefaultSeries as error:
        names = [str(RecipeName(target.recipe, series)) for series in error.series]
        first = load(names[0], None)
        whole = target.arch or first.kind in {"tool", "source"}
        architectures = (target.arch,) if whole else first.architectures
        targets = [str(Target(name, arch)) for name in names for arch in architectures]
        hint = f"one of: {', '.join(targets)}; or {error.hint}"
        raise UsageError(error.message, where=text, hint=hint) from None


def target_form(text: str) -> Target:
    """What a text names if it names a target; no recipe is read."""
    name = RecipeName.parse(text)
    base, dash, arch = name.base.rpartition("-")
    if not (dash and arch in ARCHITECTURES):
        return Target(text, INDEPENDENT)
    return Target(str(RecipeName(base, name.series)), arch)


def _near_miss(text: str, load: Load) -> UsageError | None:
    """A better error for what is no recipe, if it is nearly a target."""
    if "/" in text:
        msg = "a target is a name, not a path or an address"
        return UsageError(
            msg, where=text, hint=advise(f"for example runc-{EXAMPLE}; ", Remedy.LIST)
        )
    if text in ARCHITECTURES:
        msg = "an architecture alone is no target"
        return UsageError(msg, where=text, hint=advise(f"for example runc-{text}; ", Remedy.LIST))
    whole = RecipeName.parse(text)
    name, _, arch = whole.base.rpartition("-")
    row = named(arch)
    near = row.name if row else closest(arch, ARCHITECTURES)
    try:
        known = (
            parse_target(str(RecipeName(f"{name}-{near}", whole.series)), load) if near else None
        )
    except UsageError:  # the name is wrong as well, or all of it is a name
        return None
    msg = f"there is no architecture {arch!r}"
    return UsageError(msg, where=text, hint=f"did you mean `{known}`?") if known else None


def _as_source(recipe: Recipe) -> str:
    name = recipe.base
    return (
        f"no step makes anything of it; `sources: {{{name}: {{from: {name}}}}}` is at /src/{name}"
    )


def with_checkers(targets: Iterable[Target], load: Load) -> tuple[Target, ...]:
    """The targets, and the recipes that they are ``checked-by``, where those are for the same.

    Raises:
        RecipeError: a recipe is checked by one that is no package.
    """
    found = dict.fromkeys(targets)
    waiting = list(found)
    for target in waiting:  # grows
        recipe = load(target.recipe, None)
        for name in recipe.checked_by:
            where = recipe.at(f"checked-by.{name}")
            checker = load(name, where, recipe.series)
            if checker.kind != "package":
                msg = f"{name!r} is a {checker.kind}, not a package"
                raise RecipeError(msg, where=where, hint="its build must be the check")
            checking = Target(checker.name, target.arch)
            if target.arch in checker.architectures and checking not in found:
                waiting.append(checking)
                found[checking] = None
    return tuple(found)


class RecipeGraph:
    """All targets that some targets need, with an edge from input to user.

    Args:
        targets: Where to start.
        load: Reads a recipe by name.
        build_arch: The architecture of the build machine.
        checks: Whether what the targets' checks need belongs to it.
        variants: Recipes that others stand for as target inputs.

    Raises:
        RecipeError: a cycle (as its path), or an input that does not exist or does not fit.
        UsageError: nothing here has an input or an option that ``variants`` names.
    """

    check_toolbox = Target(DEFAULT, INDEPENDENT)

    def __init__(
        self,
        targets: Iterable[Target],
        load: Load,
        build_arch: str,
        *,
        checks: bool = False,
        variants: Variants = PLAIN,
    ) -> None:
        self._load = load
        self._build_arch = build_arch
        self._variants = variants
        self.recipes: dict[str, Recipe] = {}
        self._recipes: dict[tuple[str, str], Recipe] = {}
        graph: nx.DiGraph[Target] = nx.DiGraph()
        waiting = list(targets)
        if checks:
            waiting += {tool for target in waiting for tool in self._check_needs(target)}
        graph.add_nodes_from(waiting)
        while waiting:
            user = waiting.pop()
            for needed in (*self.needs(user), *self._patching(user)):
                if needed not in graph:
                    waiting.append(needed)
                graph.add_edge(needed, user)
        self._graph = graph
        variants.refuse_unfit([self.recipe(name) for name in sorted({n.recipe for n in graph})])
        self._refuse_cycles()

    def recipe(self, name: str, asked_at: Place | None = None, series: str = "") -> Recipe:
        """A recipe; see `core.pinned.Recipes`."""
        key = (name, series)
        if key not in self._recipes:
            recipe = self._load(name, asked_at, series)
            self._recipes[key] = self.recipes.setdefault(recipe.name, recipe)
        return self._recipes[key]

    def order(self) -> list[Target]:
        """Every target after all that it needs; the same order each time."""
        return list(nx.lexicographical_topological_sort(self._graph))

    def needed_by(self, target: Target) -> list[Target]:
        """All that a target needs, and what that needs, in the order of the work."""
        below = nx.ancestors(self._graph, target)
        return [each for each in self.order() if each in below]

    def needs(self, user: Target) -> list[Target]:
        """The targets that a step of ``user`` sees, the toolbox first."""
        recipe = self.recipe(user.recipe)
        if recipe.kind == "source":
            return []
        needed = []
        if recipe.toolbox is not None and recipe.build is not None:
            needed.append(self._toolbox(user, recipe))
        needed += [self.build_input(user, name) for name in recipe.build_inputs]
        needed += [
            self._target_input(user, name)
            for name in recipe.target_inputs
            if self._is_new(user, recipe, name)
        ]
        return needed

    def _patching(self, user: Target) -> Iterator[Target]:
        """What applies patches to the sources of ``user``: no step of its own sees that."""
        recipe = self.recipe(user.recipe)
        for name, use in recipe.sources.items():
            if patches_of(self, recipe, name, use.where):
                where = recipe.at(f"sources.{name}.patches")
                yield self._tool(recipe, self.check_toolbox.recipe, "apply patches", where)

    def _is_new(self, user: Target, recipe: Recipe, name: str) -> bool:
        """Whether a target input is not the same as a build input, whose place it would take."""
        if name not in recipe.build_inputs:
            return True
        built, target = self.build_input(user, name), self._target_input(user, name)
        if built != target:
            msg = f"/in/{name} cannot be both {built} and {target}"
            raise RecipeError(msg, where=recipe.at(f"inputs.target.{name}"))
        return False

    def _check_needs(self, target: Target) -> Iterator[Target]:
        recipe = self.recipe(target.recipe)
        if recipe.checks:
            where = recipe.at("checks")
            yield self._tool(recipe, self.check_toolbox.recipe, "be the toolbox of checks", where)
            if recipe.kind in FOR_TARGET and target.arch != self._build_arch:
                purpose = "run programs in checks"
                emulator = self._of_kind(recipe, "toolchain", QEMU, purpose, where)
                yield self._for(emulator, target.arch, where)

    def _toolbox(self, user: Target, recipe: Recipe) -> Target:
        given = [
            self.recipe(name, recipe.at(f"inputs.build.{name}"), recipe.series)
            for name in recipe.build_inputs
        ]
        where = recipe.at("toolbox")
        name = toolbox_of(recipe, given)
        self._refuse_unfit_tool(self.recipe(name, where, recipe.series), user, where)
        return self._tool(recipe, name, "be a toolbox", where)

    def _refuse_unfit_tool(self, tool: Recipe, user: Target, where: Place | None) -> None:
        """See that a tool which says for which targets it works is used for one of these.

        Raises:
            RecipeError: the user is for another.
        """
        if user.arch and "architectures" in tool.where:
            self._for(tool, user.arch, where)

    def _tool(self, user: Recipe, name: str, purpose: str, where: Place | None) -> Target:
        return Target(self._of_kind(user, "tool", name, purpose, where).name, INDEPENDENT)

    def _of_kind(
        self, user: Recipe, kind: str, name: str, purpose: str, where: Place | None
    ) -> Recipe:
        recipe = self.recipe(name, where, user.series)
        if recipe.kind != kind:
            msg = f"{name!r} cannot {purpose}: it is not a 'kind: {kind}' recipe"
            raise RecipeError(msg, where=where)
        return recipe

    def build_input(self, user: Target, name: str) -> Target:
        """What ``inputs.build: [name]`` stands for in a step of ``user``."""
        recipe = self.recipe(user.recipe)
        where = recipe.at(f"inputs.build.{name}")
        given = self.recipe(name, where, recipe.series)
        if given.kind == "tool":
            self._refuse_unfit_tool(given, user, where)
            return Target(given.name, INDEPENDENT)
        if given.kind == "toolchain":
            return self._for(given, user.arch or self._build_arch, where)
        if given.kind == "source":
            msg = f"{name!r} is a source: name it under 'sources' with 'from:'"
            raise RecipeError(msg, where=where, hint=_as_source(given))
        return self._for(given, self._build_arch, where)

    def _target_input(self, user: Target, name: str) -> Target:
        recipe = self.recipe(user.recipe)
        where = recipe.at(self._variants.place_of_choice(recipe, name))
        given = self.recipe(self.chosen_recipe(user, name), where, recipe.series)
        if given.kind not in FOR_TARGET:
            msg = f"{given.name!r} is a {given.kind}, not a package or an image"
            hint = _as_source(given) if given.kind == "source" else "name it under 'inputs.build'"
            raise RecipeError(msg, where=where, hint=hint)
        return self._for(given, user.arch or self._build_arch, where)

    def place(self, user: Target, given: Target) -> str:
        """The name that a step of ``user`` has for ``given``: that of the recipe it asks for."""
        base = RecipeName.parse(given.recipe).base
        asked = self.recipe(user.recipe).target_inputs
        chosen = ((name, RecipeName.parse(self.chosen_recipe(user, name))) for name in asked)
        return next((name for name, recipe in chosen if recipe.base == base), base)

    def chosen_recipe(self, user: Target, name: str) -> str:
        """The recipe that the target input ``name`` of ``user`` is."""
        return self._variants.chosen_recipe(self.recipe(user.recipe), name)

    def _for(self, recipe: Recipe, arch: str, where: Place | None) -> Target:
        if arch not in recipe.architectures:
            msg = f"{recipe.name} is not for {arch}"
            raise RecipeError(msg, where=where, hint=f"it is for {', '.join(recipe.architectures)}")
        return Target(recipe.name, arch)

    def _refuse_cycles(self) -> None:
        if nx.is_directed_acyclic_graph(self._graph):
            return
        inputs = [given for given, _ in nx.find_cycle(self._graph)]
        circle = [inputs[0], *reversed(inputs)]  # each needs the next
        recipe = self.recipe(circle[0].recipe)
        msg = f"the recipes need each other in a circle: {' → '.join(map(str, circle))}"
        raise RecipeError(msg, where=recipe.at("inputs"), hint="one of these inputs must go")
