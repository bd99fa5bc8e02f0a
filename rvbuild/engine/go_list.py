"""Which Go modules the packages of a recipe need: what the go command itself asks for.

Knows: `go list`, run sealed as a step. Must not know: registries, the lock's form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from attrs import evolve, frozen

from rvbuild.core.derivation import Derivation, Input, Step
from rvbuild.core.digest import Digest
from rvbuild.core.errors import LockError, RunFailed, RvbuildError, StepError, single_failures
from rvbuild.core.go_build import KEY
from rvbuild.core.go_command import go_command
from rvbuild.core.go_graph import MainModule
from rvbuild.core.go_mod_changes import (
    GoModChanges,
    changed_statements,
    changed_sums,
    united,
)
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.link import GO_MOD_INSTEAD, Linker
from rvbuild.core.lock import GoModuleSet
from rvbuild.core.place import Place
from rvbuild.core.platform import Platform
from rvbuild.core.question import User
from rvbuild.core.recipe import GoModulesSpec, Recipe
from rvbuild.core.tree import File, Nested
from rvbuild.engine.go_instead import SeenSet
from rvbuild.engine.source_files import SourceFiles

_SCRIPT = """\
cd "/src/module/$directory"
status=0
go list -deps -tags "$tags" $packages > /dev/null 2> "$TMPDIR/messages" || status=$?
while read -r go verb path version more; do
  [ "$go $verb" != "go: downloading" ] || echo "$path $version"
done < "$TMPDIR/messages" > "$out/missing"
[ $status != 0 ] && [ ! -s "$out/missing" ] || exit 0
[ -n "$(sed '/: pattern .*: no matching files found$/d' "$TMPDIR/messages")" ] || exit 0
cat "$TMPDIR/messages" >&2
[ ! -e /src/module/go.work ] || [ "${GOWORK:-}" != off ] ||
  echo "the source has a go.work, which counts with 'workspace: true' under go-modules" >&2
newer="for a newer go command: toolchain: RECIPE under go, or RECIPE in place of the one under
inputs.build: go-current, or a recipe with a newer go-toolchain of its own"
! grep 'requires go >=\\|unknown directive' "$TMPDIR/messages" > /dev/null || echo "$newer" >&2
exit $status
"""
_TOLD = "[ -n \"$(sed '/: pattern"
_LOOKED_UP = r"""module='\([^[:space:]]*\)@\(v[^[:space:]:]*\)'
off='module lookup disabled by GOPROXY=off'
sed -n "s/^.*[[:space:]]$module: $off\$/\1 \2/p" "$TMPDIR/messages" > "$out/go-mods"
[ ! -s "$out/go-mods" ] || exit 0
"""
"""Which go.mod files it would look up: some that it reads since its own go.mod is another."""

_CHANGED_SCRIPT = f"""\
cat "{GO_MOD_INSTEAD}" > "$TMPDIR/instead.mod"
cat "{GO_MOD_INSTEAD.removesuffix("mod")}sum" > "$TMPDIR/instead.sum"
export GOSUMDB=off GOFLAGS="${{GOFLAGS:-}} -mod=mod -modfile=$TMPDIR/instead.mod"
(
{_SCRIPT.replace(_TOLD, _LOOKED_UP + _TOLD)})
cat "$TMPDIR/instead.mod" > "$out/go.mod"
cat "$TMPDIR/instead.sum" > "$out/go.sum"
"""
_TIMEOUT = 1800


class Outputs(Protocol):
    """Realises derivations, and reads what they gave."""

    def __call__(
        self, derivations: Mapping[str, Derivation], wanted: Iterable[str]
    ) -> Mapping[str, Digest]:
        """The output of each wanted one."""
        ...

    def nested(self, root: Digest) -> Nested: ...

    def read(self, blob: Digest) -> bytes: ...


@frozen
class GoList:
    """Answers engine.resolve's question for needed modules, with derivations like any other.

    The step has no network, so the modules come in rounds:

    1. `go list -deps` runs as each recipe's step would, on each architecture and with the
       recipe's own ``GO…`` variables, with the module cache of a set that is empty at first.
    2. Each says which modules it would download now. They join the set, and those that asked for
       any run again.
    3. When none asks for more, the set is what they looked into: exactly what the builds need.

    A package may embed files that only the recipe's step makes, such as a web page that npm builds:
    that they are not in the source says nothing of modules, and is no failure.

    So whatever rules the go command has (prefixes of import paths, replacements, pruning), it
    applies them itself, and what nothing needs is not fetched. Example: ``main`` imports ``a``
    and ``a`` imports ``b``. The rounds are {}, {a}, {a, b}; the last one asks for nothing.

    Attributes:
        graph: The recipes of the go command and its toolbox.
        outputs: Runs what is linked.
        build_arch: The build machine's architecture.
    """

    graph: RecipeGraph
    outputs: Outputs
    build_arch: str

    def __call__(
        self, users: Sequence[User], files: SourceFiles, whole: GoModuleSet
    ) -> set[tuple[str, str]]:
        """What the users' packages need of ``whole``, over all of their architectures.

        Raises:
            LockError: the go command asks for a module that ``whole`` does not have.
            StepError: it finds no such package, or one of it cannot be read.
        """
        linker = Linker(self.graph, files.pinned, self.build_arch)
        waiting = [run for user in users for run in self._runs(linker, user, files)]
        needed: set[tuple[str, str]] = set()
        while waiting:
            cache = linker.module_cache(*users[0], _part(whole, needed))
            steps = {run: run.step(linker, cache) for run in waiting}
            outputs = self._outputs_of(linker, steps)
            missing = {run: self._missing(root) for run, root in outputs.items()}
            fresh = set().union(*missing.values())
            known = {module[:2] for module in whole.modules}
            _refuse_unknown(fresh, needed, known, users[0][1])
            needed |= fresh
            waiting = [run for run in waiting if missing[run]]
        return needed

    def changed(
        self, users: Sequence[User], files: SourceFiles, seen: SeenSet, changes: GoModChanges
    ) -> GoModuleSet:
        """The same where modules stand instead of what go.mod says, in rounds of two kinds.

        1. As long as the go command asks for modules, as above, or for a go.mod. One that no go.sum
           knows is the one that is there now.
        2. Then it has a go.mod and a go.sum that it is content with: it raises what is required,
           and adds the sums of what it looked into. All begins again with these, and with nothing
           else beside, until it changes nothing. So a build, which may not change them, is content,
           and nothing is in the set that another go.mod would have needed.

        Raises: as above.
        """
        linker = Linker(self.graph, files.pinned, self.build_arch)
        runs = [run for user in users for run in self._runs(linker, user, files)]
        main = files.main_module(*users[0])
        needed: set[tuple[str, str]] = set()
        while True:
            whole = seen.whole(changes)
            cache = linker.module_cache(*users[0], _part(whole, needed))
            steps = {run: run.step(linker, cache, _CHANGED_SCRIPT) for run in runs}
            roots = [*self._outputs_of(linker, steps).values()]
            fresh = set().union(*map(self._missing, roots))
            if fresh:
                _refuse_unknown(fresh, needed, fresh, users[0][1])
                unknown = sorted(fresh - {module[:2] for module in whole.modules})
                changes = _offering(changes, (seen.sum_line(*module) for module in unknown))
                needed |= fresh
                continue
            looked_up = set().union(*map(self._looked_up, roots))
            if looked_up:
                more = _offering(changes, (seen.go_mod_line(*module) for module in looked_up))
                _refuse_offered(changes, more, users[0][1])
                changes = more
                continue
            content = united(self._changes(main, root) for root in roots)
            if content == changes:
                return _part(whole, needed)
            changes, needed = content, set()

    def _outputs_of(self, linker: Linker, steps: Mapping[_Run, str]) -> dict[_Run, Digest]:
        try:
            outputs = self.outputs(linker.derivations, steps.values())
        except (StepError, RunFailed) as error:
            raise _blamed(error, steps) from error
        return {run: outputs[step] for run, step in steps.items()}

    def _changes(self, main: MainModule, root: Digest) -> GoModChanges:
        """What a run made of the main module's files."""
        go_mod, go_sum = self._file(root, "go.mod"), self._file(root, "go.sum")
        return GoModChanges(
            statements=changed_statements(main.go_mod, go_mod.decode(errors="replace")),
            sums=changed_sums(main.go_sum, go_sum),
        )

    def _runs(self, linker: Linker, user: User, files: SourceFiles) -> Iterator[_Run]:
        """One for each architecture, with the go command of the user."""
        recipe, spec = user
        tools = go_command(self.graph, recipe, spec.where)
        for tool in tools:
            given = self.graph.recipe(tool, spec.where, recipe.series)
            for name, use in given.sources.items():
                files.source(given, name, use.where)
        main = files.main_module(recipe, spec)
        for arch in recipe.architectures:
            run = _Run(recipe, spec, arch, tools)
            _refuse_workspace(main, run.environment(linker), spec)
            yield run

    def _missing(self, output: Digest) -> set[tuple[str, str]]:
        """The modules that a step asked for and did not have."""
        lines = self._file(output, "missing").decode().splitlines()
        return {(path, version) for path, _, version in (line.partition(" ") for line in lines)}

    def _looked_up(self, output: Digest) -> set[tuple[str, str]]:
        """The modules whose go.mod a step asked for and did not have."""
        if "go-mods" not in self.outputs.nested(output):
            return set()
        lines = self._file(output, "go-mods").decode().splitlines()
        return {(path, version) for path, _, version in (line.partition(" ") for line in lines)}

    def _file(self, output: Digest, name: str) -> bytes:
        node = self.outputs.nested(output)[name]
        if not isinstance(node, File):
            msg = "go list left no file"
            raise TypeError(msg)
        return self.outputs.read(node.digest)


def _offering(changes: GoModChanges, lines: Iterable[str]) -> GoModChanges:
    """The same changes, with further lines that are offered."""
    return evolve(changes, offered=tuple(sorted({*changes.offered, *lines})))


def _refuse_offered(changes: GoModChanges, more: GoModChanges, spec: GoModulesSpec) -> None:
    """See that what the go command looks up was not there: else it would ask again and again."""
    if changes == more:
        msg = "the go command looks up what it has"
        raise LockError(msg, where=spec.where, hint="let another version stand there")


def _blamed(error: StepError | RunFailed, runs: Iterable[_Run]) -> RvbuildError:
    """What went wrong, with the place of the recipe that names the packages.

    Runs differ in nothing but the architecture, so what several say alike is one failure.
    """
    by_label = {run.label: run for run in runs}
    failures: dict[object, Exception] = {}
    for failure in single_failures([error]):
        run = by_label.get(str(getattr(failure, "where", "")))
        if run is None or not isinstance(failure, StepError):
            failures.setdefault(failure, failure)
        else:
            key = (run.recipe.name, failure.message, failure.details)
            failures.setdefault(key, run.blamed(failure))
    first, *others = failures.values()
    if others or not isinstance(first, RvbuildError):
        return RunFailed((first, *others))
    return first


def _part(whole: GoModuleSet, keys: set[tuple[str, str]]) -> GoModuleSet:
    modules = tuple(module for module in whole.modules if module[:2] in keys)
    return evolve(whole, modules=modules)


def _refuse_unknown(
    fresh: set[tuple[str, str]],
    needed: set[tuple[str, str]],
    known: set[tuple[str, str]],
    spec: GoModulesSpec,
) -> None:
    """See that each module that was asked for can be had, and was not there."""
    for path, version in sorted(fresh - (known - needed)):
        why = "and has it" if (path, version) in known else "which the go.sum does not have"
        msg = f"the go command asks for {path} {version}, {why}"
        hint = "run `go mod tidy` in the source, and pin what it changes"
        raise LockError(msg, where=spec.where, hint=hint)


def _refuse_workspace(
    main: MainModule, environment: Mapping[str, str], spec: GoModulesSpec
) -> None:
    """See that no go.work would choose other versions than the module's own go.mod.

    Unless the recipe says that it does, a set is that of one go.mod and its go.sum.
    """
    work = main.workspace()
    if work and not spec.workspace and environment.get("GOWORK") != "off":
        msg = f"the go command would use the workspace of {work}, and a set is of one module"
        hint = (
            "say `workspace: true` under `go-modules`, or set `GOWORK: off` under `env`, as the "
            "recipe `go` exports it"
        )
        raise LockError(msg, where=spec.where, hint=hint)


@frozen(eq=False)
class _Run:
    """A run of the go command that one recipe, on one architecture, would make."""

    recipe: Recipe
    spec: GoModulesSpec
    arch: str
    tools: tuple[str, ...]

    @property
    def target(self) -> Target:
        return Target(self.recipe.name, self.arch)

    @property
    def label(self) -> str:
        return f"go list of {self.target}"

    def blamed(self, failure: StepError) -> StepError:
        """A failure of the run, with the key that names its packages."""
        is_short = self.spec.where == self.recipe.where.get(KEY)
        key = "'package' under 'go'" if is_short else "'packages' under 'go-modules'"
        msg = f"the go command cannot list what {key} names: {' '.join(self.spec.packages)}"
        details = (f"{self.label}: {failure.message}", *failure.details)
        return StepError(msg, where=self._place(), details=details, hint=failure.hint)

    def _place(self) -> Place | None:
        """The key that names the packages, or what it would be in."""
        places = ("inputs.go-modules.packages", f"{KEY}.package")
        return next(
            (self.recipe.where[key] for key in places if key in self.recipe.where), self.spec.where
        )

    def environment(self, linker: Linker) -> dict[str, str]:
        spec = self.spec
        return {
            **linker.tool_environment(self.target, self.tools, "GO"),
            **({"GOWORK": "auto"} if spec.workspace else {}),
            "CGO_ENABLED": "1" if spec.cgo else "0",
            "directory": spec.directory,
            "packages": " ".join(spec.packages),
            "tags": ",".join(spec.tags),
        }

    def step(self, linker: Linker, cache: str, script: str = _SCRIPT) -> str:
        """A step like the recipe's own, with the module cache ``cache``."""
        source = linker.source(self.recipe, self.spec.source)
        return linker.add(
            Step(
                label=self.label,
                inputs_at=(
                    *linker.tools(self.target, self.tools),
                    Input(path="src/module", derivation=source),
                    Input(path="in/go-modules", derivation=cache),
                ),
                script=script,
                environment=tuple(sorted(self.environment(linker).items())),
                timeout=_TIMEOUT,
                platform=Platform.of(linker.build_arch),
            )
        )
