"""Which Go modules the packages of a recipe need, as the go command itself sees it.

Knows: `go list`, run sealed as a step. Must not know: registries, the lock's form.

A module is needed if it has a package that is imported, or if its path is a prefix of such a
package's path: the go command looks into those too, to see that the import is not ambiguous.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from attrs import evolve, frozen

from rvbuild.core.derivation import Derivation, Input, Step
from rvbuild.core.digest import Digest
from rvbuild.core.errors import RecipeError
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.link import Linker
from rvbuild.core.platform import Platform
from rvbuild.core.recipe import GoModulesSpec, Recipe
from rvbuild.core.tree import File, Nested
from rvbuild.engine.source_files import SourceFiles

_SCRIPT = """\
cd "/src/module/$directory"
go list -deps -tags "$tags" -f '{{if not .Standard}}{{.ImportPath}} {{with .Module}}\
{{with .Replace}}{{.Path}} {{.Version}}{{else}}{{.Path}} {{.Version}}{{end}}{{end}}{{end}}' \
  $packages > "$out/imports"
"""
_TIMEOUT = 1800


@frozen(kw_only=True)
class Import:
    """An imported package, and the module (after ``replace``) that has it."""

    package: str
    path: str
    version: str


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
    """Answers engine.resolve's question for what packages import, with a derivation like any other.

    Attributes:
        graph: The recipes of the go command and its toolbox.
        outputs: Runs what is linked.
        build_arch: The build machine's architecture.
    """

    graph: RecipeGraph
    outputs: Outputs
    build_arch: str

    def __call__(self, recipe: Recipe, spec: GoModulesSpec, files: SourceFiles) -> set[Import]:
        """Every import of the packages, over all of the recipe's architectures."""
        if "go" not in recipe.build_inputs:
            msg = "'go-modules' needs the go command"
            raise RecipeError(msg, where=spec.where, hint="add `go` to inputs.build")
        tool = self.graph.recipe("go", spec.where)
        for name, use in tool.sources.items():
            files.source(tool, name, use.where)
        linker = Linker(self.graph, files.pinned, self.build_arch)
        steps = [_step(linker, recipe, spec, arch) for arch in recipe.architectures]
        outputs = self.outputs(linker.derivations, steps)
        return {found for digest in steps for found in self._imports(outputs[digest])}

    def _imports(self, output: Digest) -> Iterator[Import]:
        node = self.outputs.nested(output)["imports"]
        if not isinstance(node, File):
            msg = "go list left no file"
            raise TypeError(msg)
        for line in self.outputs.read(node.digest).decode().splitlines():
            words = line.split()  # a package of the main module has no version
            if len(words) == 3:
                yield Import(package=words[0], path=words[1], version=words[2])


def _step(linker: Linker, recipe: Recipe, spec: GoModulesSpec, arch: str) -> str:
    """A step like the recipe's own, with all of go.sum for its module cache."""
    everything = evolve(spec, packages=(), tags=(), cgo=False)
    inputs = (
        *linker.tools(Target(recipe.name, arch), ("go",)),
        Input(path="src/module", derivation=linker.source(recipe, spec.source)),
        Input(path="in/go-modules", derivation=linker.go_modules(recipe, everything)),
    )
    environment = {
        **linker.tool_environment(Target(recipe.name, arch), ("go",)),
        "CGO_ENABLED": "1" if spec.cgo else "0",
        "directory": spec.directory,
        "packages": " ".join(spec.packages),
        "tags": ",".join(spec.tags),
    }
    return linker.add(
        Step(
            label=f"go list of {recipe.name}-{arch}",
            inputs_at=inputs,
            script=_SCRIPT,
            environment=tuple(sorted(environment.items())),
            timeout=_TIMEOUT,
            platform=Platform.of(linker.build_arch),
        )
    )


def needed_modules(
    imports: Iterable[Import], sums: Iterable[tuple[str, str]]
) -> set[tuple[str, str]]:
    """The (path, version) of the modules that ``imports`` need, out of those of a go.sum."""
    listed = list(imports)
    prefixes: set[str] = set()
    for found in listed:
        parts = found.package.split("/")
        prefixes.update("/".join(parts[:count]) for count in range(1, len(parts) + 1))
    having = {(found.path, found.version) for found in listed}
    return having | {(path, version) for path, version in sums if path in prefixes}
