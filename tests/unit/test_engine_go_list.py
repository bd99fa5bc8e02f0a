"""Which modules packages need: the sealed `go list`, and what is read out of its answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from rvbuild.core.derivation import Derivation, Step
from rvbuild.core.digest import Digest
from rvbuild.core.errors import RecipeError
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.lock import GoModuleSet
from rvbuild.core.names import SourceRef
from rvbuild.core.recipe import GoModulesSpec, Recipe
from rvbuild.core.source import Source
from rvbuild.core.tree import File, Nested
from rvbuild.engine.go_list import GoList, Import, needed_modules
from rvbuild.engine.source_files import SourceFiles
from rvbuild.kinds.url.source import UrlSource
from rvbuild.recipes_yaml.recipe import read_recipe

TEXTS = {
    "base-toolbox": "kind: tool\ntoolbox: none\nsources: {b: {url: b}}\n",
    "go": """\
kind: toolchain
sources: {g: {url: g}}
exports: {path: [bin], env: {GOARCH: "${arch}"}}
""",
    "app": """\
architectures: [riscv64, arm64]
sources: {app: {url: a}}
inputs:
  build: [go]
  go-modules: {from: app, directory: cmd, packages: [./a, ./b], tags: [y, x], cgo: true}
build: x
""",
}


class Pins:
    """Every source is one archive; whoever asks for modules is noted."""

    def __init__(self) -> None:
        self.asked: list[GoModulesSpec] = []

    def pin(self, recipe: Recipe, name: str) -> str:
        return str(recipe.all_pins[name])

    def source(self, recipe: Recipe, name: str) -> tuple[Source, ...]:
        return (UrlSource(urls=(f"{recipe.name}/{name}",), sha256=name * 64),)

    def modules(self, _recipe: Recipe, spec: GoModulesSpec) -> GoModuleSet:
        self.asked.append(spec)
        return GoModuleSet(specs=(), modules=(), go_sum="")


class Ran:
    """Runs steps: each writes what its architecture imports."""

    def __init__(self, imports: Mapping[str, str]) -> None:
        self.imports = imports
        self.steps: list[Step] = []
        self.blobs: dict[Digest, bytes] = {}

    def __call__(
        self, derivations: Mapping[str, Derivation], wanted: Iterable[str]
    ) -> dict[str, Digest]:
        found: dict[str, Digest] = {}
        for digest in wanted:
            step = derivations[digest]
            assert isinstance(step, Step)
            assert all(given in derivations for given in step.inputs)
            self.steps.append(step)
            text = self.imports[dict(step.environment)["GOARCH"]]
            found[digest] = Digest.of(text.encode())
            self.blobs[found[digest]] = text.encode()
        return found

    def root(self, source: Source) -> Digest:
        raise AssertionError(source)

    def nested(self, root: Digest) -> Nested:
        return {"imports": File(root)}

    def read(self, blob: Digest) -> bytes:
        return self.blobs[blob]


def go_list(
    ran: Ran, pins: Pins, **changed: str
) -> tuple[GoList, Recipe, GoModulesSpec, SourceFiles]:
    texts = {**TEXTS, **changed}
    recipes = {
        name: read_recipe(text.encode(), name, f"{name}.yaml") for name, text in texts.items()
    }
    graph = RecipeGraph([Target("app", "riscv64")], lambda name, _at: recipes[name], "amd64")
    files = SourceFiles(graph, pins, ran)
    spec = recipes["app"].go_modules
    assert spec is not None
    return GoList(graph, ran, "amd64"), recipes["app"], spec, files


ANSWERS = {
    "riscv64": "e.org/app/cmd/a e.org/app \ne.org/x/p e.org/x v1.0.0\n",
    "arm64": "e.org/x/p e.org/x v1.0.0\ne.org/y e.org/fork v2.0.0\n",
}


def test_imports_are_the_union_over_the_architectures():
    """A package of the main module has no version, and needs no module."""
    asked, recipe, spec, files = go_list(Ran(ANSWERS), Pins())
    assert asked(recipe, spec, files) == {
        Import(package="e.org/x/p", path="e.org/x", version="v1.0.0"),
        Import(package="e.org/y", path="e.org/fork", version="v2.0.0"),
    }


def test_the_step_sees_the_source_the_go_command_and_all_of_go_sum():
    ran, pins = Ran(ANSWERS), Pins()
    asked, recipe, spec, files = go_list(ran, pins)
    asked(recipe, spec, files)
    assert [step.label for step in ran.steps] == ["go list of app-riscv64", "go list of app-arm64"]
    step = ran.steps[0]
    assert [given.path for given in step.inputs_at] == ["", "in/go", "src/module", "in/go-modules"]
    environment = dict(step.environment)
    assert environment["PATH"].startswith("/in/go/bin:")
    assert files.asked == {
        SourceRef("go", "g")
    }  # the trace has the go command, and not the toolbox
    facts = ("CGO_ENABLED", "directory", "packages", "tags")
    assert [environment[name] for name in facts] == ["1", "cmd", "./a ./b", "x,y"]
    assert {
        (wanted.packages, wanted.tags, wanted.cgo, wanted.directory) for wanted in pins.asked
    } == {((), (), False, "cmd")}


def test_without_cgo_none_is_listed():
    ran = Ran(ANSWERS)
    asked, recipe, spec, files = go_list(ran, Pins(), app=TEXTS["app"].replace(", cgo: true", ""))
    asked(recipe, spec, files)
    assert dict(ran.steps[0].environment)["CGO_ENABLED"] == "0"


def test_a_recipe_without_the_go_command_is_told():
    app = TEXTS["app"].replace("build: [go]", "build: []")
    asked, recipe, spec, files = go_list(Ran(ANSWERS), Pins(), app=app)
    with pytest.raises(RecipeError, match="'go-modules' needs the go command") as caught:
        asked(recipe, spec, files)
    assert str(caught.value.where) == "app.yaml:5:15"
    assert "inputs.build" in (caught.value.hint or "")


def test_a_step_that_left_something_else_is_our_own_fault():
    class DirectoryNode(Ran):
        def nested(self, root: Digest) -> Any:  # noqa: ANN401, ARG002
            return {"imports": {}}

    asked, recipe, spec, files = go_list(DirectoryNode(ANSWERS), Pins())
    with pytest.raises(TypeError):
        asked(recipe, spec, files)


def test_needed_are_the_modules_that_have_a_package_or_a_prefix_of_its_path():
    imports = [Import(package="e.org/a/b/c", path="e.org/a/b", version="v1.0.0")]
    sums = [
        ("e.org/a", "v0.1.0"),
        ("e.org/a/b", "v1.0.0"),
        ("e.org/a/b", "v0.9.0"),
        ("e.org/a/b/c/d", "v1.0.0"),
        ("e.org/ab", "v1.0.0"),
        ("e.org", "v1.0.0"),
    ]
    assert needed_modules(imports, sums) == {
        ("e.org/a", "v0.1.0"),
        ("e.org/a/b", "v1.0.0"),
        ("e.org/a/b", "v0.9.0"),
        ("e.org", "v1.0.0"),
    }
