"""Recipes and what they are pinned to, to derivations.

Knows: what a step sees (docs/recipes.md), and so what enters its key.
Must not know: stores, files, the network, how anything runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from attrs import field, frozen, mutable

from rvbuild.core import image
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.derivation import Derivation, Fetch, FolderOf, Input, Merge, OutputRule, Step
from rvbuild.core.errors import LockError, RecipeError, UsageError
from rvbuild.core.go_source import INSTEAD, GoModFiles
from rvbuild.core.gomod import escape_path
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.launchers import FOLDER as LAUNCHERS
from rvbuild.core.launchers import SYSTEM_PATH, finder, launchers, listing, prefix
from rvbuild.core.lock import GoModuleSet
from rvbuild.core.names import SetRef, SourceRef
from rvbuild.core.patches import AT as PATCHES
from rvbuild.core.patches import Patch, own_patches, patch_files, patch_script, patches_of
from rvbuild.core.pinned import Pinned, Values, named_source
from rvbuild.core.place import Place
from rvbuild.core.platform import Platform
from rvbuild.core.recipe import FOR_TARGET, QEMU, Check, GoModulesSpec, Recipe, substitute
from rvbuild.core.source import Files, Source
from rvbuild.core.step_values import check_date, check_output_path, check_words
from rvbuild.core.version_check import version_script

CHECK_TIMEOUT = 600
GO_MOD_INSTEAD = f"/in/go-modules/{INSTEAD}/go.mod"
"""Where a step has the go.mod that stands instead of its source's, with a go.sum beside it."""
LOCKED_MODULES = (
    "Go modules are the locked ones, also where a folder stands for their source; to lock those of "
    "the folder, name it in the recipe (`path: FOLDER`)"
)
"""What to do where a folder that stands for a source needs other modules, or none are locked."""


@frozen(kw_only=True)
class Linked:
    """Targets as derivations.

    Attributes:
        derivations: By digest; inputs come before who needs them.
        results: The digest of each target's result.
        checks: The digests of each target's checks.
        folders: The sources that are folders of this machine, by name: those that something is
            built from, and those that a pin or another answer of the lock was read from.
    """

    derivations: Mapping[str, Derivation]
    results: Mapping[Target, str]
    checks: Mapping[Target, tuple[str, ...]]
    folders: Mapping[SourceRef, Source] = field(factory=dict)


@mutable
class Linker:
    """Turns targets into derivations, each once.

    Attributes:
        graph: The recipes.
        pinned: What they are pinned to.
        build_arch: The build machine's architecture.
        overrides: Folders that stand for sources, by ``recipe`` or ``recipe/source``.
    """

    graph: RecipeGraph
    pinned: Pinned
    build_arch: str
    overrides: Mapping[str, Source] = field(factory=dict)
    derivations: dict[str, Derivation] = field(factory=dict, init=False)
    _results: dict[Target, str] = field(factory=dict, init=False)
    _overridden: set[str] = field(factory=set, init=False)

    def link(self, targets: tuple[Target, ...], *, checks: bool) -> Linked:
        """Derivations for everything that ``targets`` need, and for their checks.

        Raises:
            UsageError: an override names a source that nothing here uses.
        """
        for target in self.graph.order():
            self.result(target)
        found = {target: tuple(self._checks(target)) if checks else () for target in targets}
        for name in set(self.overrides) - self._overridden:
            msg = f"the override of {name}: no source of these targets is called so"
            raise UsageError(msg, hint="NAME is a 'kind: source' recipe, or RECIPE/SOURCE")
        results = {target: self.result(target) for target in targets}
        return Linked(derivations=self.derivations, results=results, checks=found)

    def result(self, target: Target) -> str:
        """The derivation of a target's result, whose inputs have been linked before."""
        if target not in self._results:
            recipe = self.graph.recipe(target.recipe)
            if recipe.build is None:
                self._results[target] = self._patched(recipe, next(iter(recipe.sources)))
            else:
                self._results[target] = self.add(self._step(target, recipe, recipe.build))
        return self._results[target]

    def add(self, derivation: Derivation) -> str:
        """Keep a derivation; its digest."""
        self.derivations.setdefault(derivation.digest, derivation)
        return derivation.digest

    def source(self, recipe: Recipe, name: str) -> str:
        """The derivation that brings the source that ``recipe`` calls ``name``, as published."""
        owner, name = self._owned(recipe, name)
        key = self._override(owner, name)
        if key:
            self._overridden.add(key)
            return self.add(Fetch(source=self.overrides[key]))
        parts = self.pinned.source(owner, name)
        if len(parts) == 1:
            return self.add(Fetch(source=parts[0]))
        merged = tuple(("", self.add(Fetch(source=part))) for part in parts)
        return self.add(Merge(label=str(SourceRef(owner.name, name)), parts=merged))

    def patches(self, recipe: Recipe, name: str) -> list[Patch]:
        """What changes the source; a folder that stands for it is as its owner made it."""
        if self._override(*self._owned(recipe, name)):
            return []
        return patches_of(self.graph, recipe, name, recipe.sources[name].where)

    def _patched(self, recipe: Recipe, name: str) -> str:
        """The derivation of the source with its patches."""
        digest, patches = self.source(recipe, name), self.patches(recipe, name)
        if not patches:
            return digest
        files = patch_files(SourceRef(recipe.name, name), patches)
        return self.add(
            Step(
                label=f"{SourceRef(recipe.name, name)} with patches",
                inputs_at=(
                    Input(path="", derivation=self.result(self.graph.check_toolbox)),
                    Input(path=f"src/{name}", derivation=digest),
                    Input(path=PATCHES, derivation=self.add(Fetch(source=files))),
                ),
                script=patch_script(name, files),
                environment=tuple(sorted(_fixed("", []).items())),
                timeout=CHECK_TIMEOUT,
                platform=Platform.of(self.build_arch),
            )
        )

    def _owned(self, recipe: Recipe, name: str) -> tuple[Recipe, str]:
        """The recipe that a source is of, and what it calls it."""
        use = recipe.sources.get(name)
        return named_source(self.graph, recipe, name, use.where if use else Place(recipe.file))

    def _override(self, owner: Recipe, name: str) -> str:
        """By which name a folder stands for a source; empty if none does."""
        keys = SourceRef(owner.name, name).overrides
        return next((key for key in keys if key in self.overrides), "")

    def go_modules(self, recipe: Recipe, spec: GoModulesSpec) -> str:
        """The derivation of the GOMODCACHE that has the locked modules.

        Raises:
            LockError: the lock does not have them, or not the source that their go.sum is in. A
                folder that stands for that source does not help.
        """
        try:
            return self.module_cache(recipe, spec, self.pinned.modules(recipe, spec))
        except LockError as error:
            owner, name = named_source(self.graph, recipe, spec.source, spec.where)
            if self._override(owner, name):
                error.hint = advise(Remedy.LOCK.of(recipe.name), ": ", LOCKED_MODULES)
            raise

    def module_cache(self, recipe: Recipe, spec: GoModulesSpec, held: GoModuleSet) -> str:
        """The derivation of a GOMODCACHE: each module at its place, and ``cache/download``."""
        owner, name = named_source(self.graph, recipe, spec.source, spec.where)
        listed = GoModFiles(
            go_sum=held.go_sum,
            modules=held.modules,
            in_workspace=spec.workspace,
            changes=held.changes,
        )
        parts = [("", self.add(Fetch(source=listed, by=self._main_module(owner, name, spec))))]
        for module in held.sources():
            at = f"{escape_path(module.path)}@{escape_path(module.version)}"
            parts.append((at, self.add(Fetch(source=module))))
        label = f"go-modules of {SetRef(SourceRef(owner.name, name), spec.scope)}"
        return self.add(Merge(label=label, parts=tuple(parts)))

    def _main_module(self, owner: Recipe, name: str, spec: GoModulesSpec) -> FolderOf:
        """Where the go.sum is: in the locked source, also if a folder stands for that one."""
        parts = self.pinned.source(owner, name)
        if len(parts) != 1:
            msg = f"{spec.source!r} is more than one tree: it has no go.sum"
            raise RecipeError(msg, where=spec.where)
        source = self.add(Fetch(source=parts[0]))
        return FolderOf(derivation=source, path=spec.directory)

    # ---- steps

    def _step(self, target: Target, recipe: Recipe, script: str) -> Step:
        values = self._values(recipe, target.arch)
        environment, path = self._exported(target, recipe, self.graph.needs(target))
        environment |= _substituted(recipe, recipe.env, values)
        environment |= values
        check_date(recipe, values["date"])
        environment |= _fixed(values["date"], path)
        if recipe.go_modules is not None and recipe.go_modules.instead:
            environment |= with_go_mod(environment)
        named = Target(recipe.name, target.arch)  # a target without a series is of the default one
        check_words(recipe, environment, script, "build")
        _refuse_without_workspace(recipe, environment)
        return Step(
            label=str(named),
            inputs_at=tuple(self._inputs(target, recipe)),
            script=script,
            environment=tuple(sorted(environment.items())),
            timeout=recipe.timeout,
            platform=Platform.of(self.build_arch),
            outputs=tuple(self._outputs(target, recipe, values)),
            accelerators=recipe.accelerators,
        )

    def _values(self, recipe: Recipe, arch: str) -> dict[str, str]:
        """What ``${…}`` may name, and what the script has as variables."""
        arch = arch or self.build_arch
        fixed = {"name": recipe.base, "arch": arch, "build_arch": self.build_arch}
        fixed |= recipe.per_architecture.get(arch, {})
        values = dict(Values(recipe, self.pinned, fixed))
        if recipe.image is not None:
            values |= image.environment(recipe, recipe.image, values)
        return values

    def tools(self, user: Target, names: tuple[str, ...]) -> tuple[Input, ...]:
        """The default toolbox and some of the build inputs of ``user``, for a step about it."""
        given = [self.graph.build_input(user, name) for name in names]
        toolbox = Input(path="", derivation=self.result(self.graph.check_toolbox))
        return (
            toolbox,
            *(
                Input(path=f"in/{self.graph.place(user, each)}", derivation=self.result(each))
                for each in given
            ),
        )

    def tool_environment(self, user: Target, names: tuple[str, ...], prefix: str) -> dict[str, str]:
        """The environment that goes with ``tools``.

        Args:
            user: Whose step it would be.
            names: The tools.
            prefix: Of variables that the tools read: those of the user's own ``env`` are there too.
        """
        recipe = self.graph.recipe(user.recipe)
        given = [self.graph.build_input(user, name) for name in names]
        environment, path = self._exported(user, recipe, given)
        own = {name: text for name, text in recipe.env.items() if name.startswith(prefix)}
        environment |= _substituted(recipe, own, self._values(recipe, user.arch))
        return environment | _fixed("", path)

    def _exported(
        self, target: Target, recipe: Recipe, needed: Iterable[Target]
    ) -> tuple[dict[str, str], list[str]]:
        """The variables and PATH folders that the inputs export."""
        environment: dict[str, str] = {}
        path: list[str] = []
        for given in needed:
            giver = self.graph.recipe(given.recipe)
            if not (giver.exports.env or giver.exports.path):
                continue
            values = self._values(giver, given.arch or target.arch)
            place = self.graph.place(target, given)
            path += [f"/in/{place}/{folder}" for folder in giver.exports.path]
            for name, text in giver.exports.env.items():
                value = substitute(text, values, giver.at(f"exports.env.{name}"))
                if environment.setdefault(name, value) != value and name not in recipe.env:
                    msg = f"two inputs export {name}: {environment[name]!r} and {value!r}"
                    hint = f"set {name} under 'env' to decide"
                    raise RecipeError(msg, where=recipe.at("inputs"), hint=hint)
        return environment, path

    def _inputs(self, target: Target, recipe: Recipe) -> Iterator[Input]:
        toolbox, *needed = self.graph.needs(target)
        yield Input(path="", derivation=self.result(toolbox))
        for given in needed:
            place = self.graph.place(target, given)
            yield Input(path=f"in/{place}", derivation=self.result(given))
        for name, use in recipe.sources.items():
            at = f"build/src/{name}" if use.writable else f"src/{name}"
            yield Input(path=at, derivation=self._patched(recipe, name), writable=use.writable)
        if recipe.go_modules is not None:
            cache = self.go_modules(recipe, recipe.go_modules)
            yield Input(path="in/go-modules", derivation=cache)
        patches = own_patches(recipe)  # they are in their sources already
        files = tuple(each for each in recipe.files if each[0] not in patches)
        if files:
            beside = Files(label=f"files of {recipe.name}", files=files)
            yield Input(path="in/recipe", derivation=self.add(Fetch(source=beside)))

    def _outputs(
        self, target: Target, recipe: Recipe, values: Mapping[str, str]
    ) -> Iterator[OutputRule]:
        arch = target.arch if recipe.kind in FOR_TARGET else self.build_arch
        for name, output in recipe.outputs.items():
            yield OutputRule(
                name=name,
                path=_inside(output.path, values, recipe.at(f"outputs.{name}.path")),
                kind=output.kind,
                static=output.static,
                architecture=None if output.kind == "file" else arch,
                tls=output.tls,
                detected=tuple(sorted(output.detected.items())),
            )

    # ---- checks

    def _checks(self, target: Target) -> Iterator[str]:
        recipe = self.graph.recipe(target.recipe)
        for number, check in enumerate(recipe.checks, 1):
            yield self.add(self._check(target, recipe, check, number))

    def _check(self, target: Target, recipe: Recipe, check: Check, number: int) -> Step:
        values = self._values(recipe, target.arch)
        where = recipe.at("checks")
        foreign = recipe.kind in FOR_TARGET and target.arch != self.build_arch
        rules = list(self._outputs(target, recipe, values))
        emulated = target.arch if foreign else None
        named = Files(
            label=f"launchers of {target}",
            files=tuple(sorted(launchers(recipe.base, rules, emulated))),
        )
        inputs = [
            Input(path="", derivation=self.result(self.graph.check_toolbox)),
            Input(path=f"in/{recipe.base}", derivation=self.result(target)),
            Input(path="in/run", derivation=self.add(Fetch(source=named))),
        ]
        if foreign:
            emulator = self.result(Target(QEMU, target.arch))
            inputs.append(Input(path=f"in/{QEMU}", derivation=emulator))
        environment = values | _fixed(values["date"], [LAUNCHERS])
        asks = (
            version_script(values["version"], listing(recipe.base, rules), prefix(emulated))
            if check.is_version
            else substitute(check.run, values, where)
        )
        script = finder(recipe.base, rules, emulated) + asks
        check_words(recipe, environment, script, "checks")
        return Step(
            label=f"check {number} of {target}",
            inputs_at=tuple(inputs),
            script=script,
            environment=tuple(sorted(environment.items())),
            timeout=CHECK_TIMEOUT,
            platform=Platform.of(self.build_arch),
            expect=None if check.expect is None else substitute(check.expect, values, where),
            tries=self.result(target),
        )


def _substituted(
    recipe: Recipe, env: Mapping[str, str], values: Mapping[str, str]
) -> dict[str, str]:
    """Variables of a recipe's ``env``."""
    return {name: substitute(text, values, recipe.at(f"env.{name}")) for name, text in env.items()}


def _refuse_without_workspace(recipe: Recipe, environment: Mapping[str, str]) -> None:
    """See that the go command of a step uses the workspace whose modules it has."""
    spec = recipe.go_modules
    if spec is not None and spec.workspace and environment.get("GOWORK") == "off":
        msg = "its Go modules are those of a workspace, and GOWORK=off keeps it from the go command"
        raise RecipeError(msg, where=spec.where, hint="set `GOWORK: auto` under `env`")


def with_go_mod(environment: Mapping[str, str]) -> dict[str, str]:
    """What lets the go command read the go.mod that stands instead of the source's."""
    flags = f"{environment.get('GOFLAGS', '')} -modfile={GO_MOD_INSTEAD}"
    return {"GOFLAGS": flags.lstrip()}


def _fixed(date: str, path: list[str]) -> dict[str, str]:
    """The variables that every step has, whatever its recipe says."""
    return {
        "HOME": "/tmp",  # noqa: S108 - the sandbox's own
        "LC_ALL": "C.UTF-8",
        "PATH": ":".join([*path, SYSTEM_PATH]),
        "SOURCE_DATE_EPOCH": date or "0",
        "TMPDIR": "/tmp",  # noqa: S108 - the sandbox's own
        "TZ": "UTC",
        "out": "/build/out",
    }


def _inside(text: str, values: Mapping[str, str], where: Place | None) -> str:
    """The path of an output, below ``$out``."""
    path = substitute(text, values, where)
    check_output_path(path, where)
    return path
