"""Which Go modules the packages of a recipe need, as the go command itself sees it.

Knows: `go list`, run sealed as a step. Must not know: registries, the lock's form.

A module is needed if its path is a prefix of the path of a package that is imported: the
one that has the package, and every other that the go command must look into to see that
the import is not ambiguous.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from attrs import define, evolve

from rvbuild.core.derivation import Derivation, Input, Step
from rvbuild.core.digest import Digest
from rvbuild.core.errors import RecipeError
from rvbuild.core.graph import Instance
from rvbuild.core.link import Linker
from rvbuild.core.recipe import GoModulesSpec, Recipe
from rvbuild.core.tree import File, Nested

_SCRIPT = """\
cd "/src/module/$directory"
go list -deps -tags "$tags" -f '{{if not .Standard}}{{.ImportPath}}{{end}}' $packages \
  > "$out/packages"
go list -m -f '{{.Path}} {{with .Replace}}{{.Path}} {{.Version}}{{else}}{{.Path}} {{.Version}}\
{{end}}' all > "$out/modules"
"""
_TIMEOUT = 1800

Outputs = Callable[[Mapping[str, Derivation], Iterable[str]], "Mapping[str, Digest]"]
"""Realises derivations; the output of each wanted one."""


@define
class GoList:
    """Answers engine.resolve's question for the modules that packages need.

    Attributes:
        linker: Links the go command and the module cache that holds all of go.sum.
        outputs: Runs what was linked.
        nested: The files of a tree.
        read: The bytes of a blob.
    """

    linker: Linker
    outputs: Outputs
    nested: Callable[[Digest], Nested]
    read: Callable[[Digest], bytes]

    def __call__(self, recipe: Recipe, spec: GoModulesSpec) -> set[tuple[str, str]]:
        """The (path, version) of each module, over all of the recipe's architectures."""
        steps = [self._step(recipe, spec, arch) for arch in recipe.architectures]
        outputs = self.outputs(self.linker.derivations, steps)
        needed: set[tuple[str, str]] = set()
        for digest in steps:
            files = self.nested(outputs[digest])
            needed |= needed_modules(self._lines(files, "packages"), self._lines(files, "modules"))
        return needed

    def _lines(self, files: Nested, name: str) -> list[str]:
        node = files[name]
        if not isinstance(node, File):
            msg = f"go list left no file {name}"
            raise TypeError(msg)
        return self.read(node.digest).decode().split("\n")

    def _step(self, recipe: Recipe, spec: GoModulesSpec, arch: str) -> str:
        """A step like the recipe's own, with all of go.sum for its module cache."""
        if "go" not in recipe.build_inputs:
            msg = "'go-modules' needs the go command"
            raise RecipeError(msg, where=spec.where, hint="add `go` to inputs.build")
        everything = evolve(spec, packages=(), tags=(), cgo=False)
        inputs = (
            *self.linker.tools(Instance(recipe.name, arch), ("go",)),
            Input(path="src/module", derivation=self.linker.source(recipe, spec.source)),
            Input(path="in/go-modules", derivation=self.linker.go_modules(recipe, everything)),
        )
        environment = {
            **self.linker.tool_environment(Instance(recipe.name, arch), ("go",)),
            "CGO_ENABLED": "1" if spec.cgo else "0",
            "directory": spec.directory,
            "packages": " ".join(spec.packages),
            "tags": ",".join(spec.tags),
        }
        return self.linker.add(
            Step(
                label=f"go list of {recipe.name}-{arch}",
                inputs_at=inputs,
                script=_SCRIPT,
                environment=tuple(sorted(environment.items())),
                timeout=_TIMEOUT,
            )
        )


def needed_modules(packages: Iterable[str], modules: Iterable[str]) -> set[tuple[str, str]]:
    """The (path, version) of the modules whose path is a prefix of an imported package's.

    Args:
        packages: Import paths, one a line; empty lines are skipped.
        modules: ``PATH PATH-OF-REPLACEMENT VERSION`` lines of ``go list -m all``.
    """
    prefixes: set[str] = set()
    for package in packages:
        parts = package.split("/")
        prefixes.update("/".join(parts[:count]) for count in range(1, len(parts) + 1))
    needed = set()
    for line in modules:
        words = line.split()
        if len(words) == 3 and words[0] in prefixes:
            needed.add((words[1], words[2]))
    return needed
