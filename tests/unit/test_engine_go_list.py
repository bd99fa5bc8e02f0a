"""Which modules packages need: rounds of a sealed `go list`, and what each asks for."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from go_command import needs_go

from rvbuild.cli.remedies import hint_text
from rvbuild.core.derivation import Derivation, Merge, Step
from rvbuild.core.digest import Digest
from rvbuild.core.errors import LockError, RecipeError, RunFailed, StepError, raise_failures
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.lock import GoModuleSet
from rvbuild.core.names import SourceRef
from rvbuild.core.question import User
from rvbuild.core.recipe import GoModulesSpec, Recipe
from rvbuild.core.source import Source
from rvbuild.core.tree import File, Nested
from rvbuild.engine.go_list import _SCRIPT, GoList
from rvbuild.engine.source_files import SourceFiles
from rvbuild.kinds.url.source import UrlSource
from rvbuild.recipes_yaml.recipe import read_recipe

TEXTS = {
    "base-toolbox": "kind: tool\ntoolbox: none\nsources: {b: {url: b}}\n",
    "go": """\
kind: toolchain
sources: {g: {url: g}}
exports: {path: [bin], env: {GOROOT: /in/go, GOARCH: "${arch}"}}
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


WORK = Digest.of(b"")
H1 = "h1:" + "A" * 43 + "="
WHOLE = GoModuleSet(
    specs=(),
    modules=tuple((f"e.org/{name}", "v1.0.0", H1) for name in ("a", "b", "c", "unused")),
    go_sum="ab" * 32,
)


class Pins:
    """Every source is one archive."""

    def pin(self, recipe: Recipe, name: str) -> str:
        return str(recipe.all_pins[name])

    def source(self, recipe: Recipe, name: str) -> tuple[Source, ...]:
        return (UrlSource(urls=(f"{recipe.name}/{name}",), sha256=name[0] * 64),)

    def modules(self, recipe: Recipe, spec: GoModulesSpec) -> GoModuleSet:
        raise AssertionError(recipe, spec)


class Ran:
    """Runs steps as the go command would: a module that is there may lead to the next.

    ``leads`` has for each architecture what each module leads to; ``main`` is where it starts.
    """

    def __init__(self, leads: Mapping[str, Mapping[str, str]]) -> None:
        self.leads = leads
        self.rounds: list[dict[str, set[str]]] = []
        self.steps: list[Step] = []
        self.blobs: dict[Digest, bytes] = {}
        self.files: tuple[str, ...] = ()

    def __call__(
        self, derivations: Mapping[str, Derivation], wanted: Iterable[str]
    ) -> dict[str, Digest]:
        self.rounds.append({})
        return {digest: self._run(derivations, digest) for digest in wanted}

    def _run(self, derivations: Mapping[str, Derivation], digest: str) -> Digest:
        step = derivations[digest]
        assert isinstance(step, Step)
        assert all(given in derivations for given in step.inputs)
        self.steps.append(step)
        arch = dict(step.environment)["GOARCH"]
        cache = derivations[step.inputs_at[-1].derivation]
        assert isinstance(cache, Merge)
        has = {path.partition("@")[0] for path, _ in cache.parts if path}
        self.rounds[-1][arch] = has
        leads = self.leads[arch]
        missing = {leads[name] for name in ("main", *has) if name in leads} - has
        data = "".join(f"{path} v1.0.0\n" for path in sorted(missing)).encode()
        self.blobs[Digest.of(data)] = data
        return Digest.of(data)

    def root(self, source: Source) -> Digest:
        return Digest.of(source.label.encode())

    def nested(self, root: Digest) -> Nested:
        return (
            {"missing": File(root)}
            if root in self.blobs
            else {name: File(WORK) for name in self.files}
        )

    def read(self, blob: Digest) -> bytes:
        return self.blobs.get(blob, b"")


def go_list(
    ran: Ran, changed: Mapping[str, str] | None = None
) -> tuple[GoList, list[User], SourceFiles]:
    texts = {**TEXTS, **(changed or {})}
    recipes = {
        name: read_recipe(text.encode(), name, f"{name}.yaml") for name, text in texts.items()
    }
    graph = RecipeGraph(
        [Target("app", "riscv64")], lambda name, _at=None, _series="": recipes[name], "amd64"
    )
    files = SourceFiles(graph, Pins(), ran)
    users = [(recipe, recipe.go_modules) for recipe in recipes.values() if recipe.go_modules]
    return GoList(graph, ran, "amd64"), users, files


LEADS = {
    "riscv64": {"main": "e.org/a", "e.org/a": "e.org/b"},
    "arm64": {"main": "e.org/b", "e.org/b": "e.org/c"},
}
PATHS = {"e.org/a", "e.org/b", "e.org/c"}


def test_modules_come_in_rounds_until_no_architecture_asks_for_more():
    """One that asks for no more is not run again, and what nobody asks for is not there."""
    ran = Ran(LEADS)
    asked, *arguments = go_list(ran)
    assert asked(*arguments, WHOLE) == {(path, "v1.0.0") for path in PATHS}
    assert ran.rounds == [
        {"riscv64": set(), "arm64": set()},
        {"riscv64": {"e.org/a", "e.org/b"}, "arm64": {"e.org/a", "e.org/b"}},
        {"arm64": PATHS},
    ]


def test_users_of_one_module_run_together():
    """What one of them needs is there for the others, each with its own go command."""
    other = TEXTS["app"].replace("riscv64, arm64", "arm64").replace("build: [go]", "build: [go2]")
    other = other.replace("from: app", "from: src").replace("{app: {url: a}}", "{src: {url: a}}")
    ran = Ran(LEADS)
    asked, users, files = go_list(ran, {"other": other, "go2": TEXTS["go"]})
    assert asked(users, files, WHOLE) == {(path, "v1.0.0") for path in PATHS}
    assert [len(steps) for steps in ran.rounds] == [2, 2, 1]
    labels = [step.label for step in ran.steps]
    assert labels.count("go list of other-arm64") == 3
    assert {SourceRef("go", "g"), SourceRef("go2", "g")} <= files.asked


def test_the_step_sees_the_source_the_go_command_and_a_module_cache():
    ran = Ran(LEADS)
    asked, users, files = go_list(ran)
    asked(users, files, WHOLE)
    assert [step.label for step in ran.steps[:2]] == [
        "go list of app-riscv64",
        "go list of app-arm64",
    ]
    step = ran.steps[0]
    assert [given.path for given in step.inputs_at] == ["", "in/go", "src/module", "in/go-modules"]
    environment = dict(step.environment)
    assert environment["PATH"].startswith("/in/go/bin:")
    assert files.asked == {
        SourceRef("go", "g"),
        SourceRef("app", "app"),
    }  # the trace has the go command, and not the toolbox
    facts = ("CGO_ENABLED", "directory", "packages", "tags")
    assert [environment[name] for name in facts] == ["1", "cmd", "./a ./b", "x,y"]


def test_without_cgo_none_is_listed():
    ran = Ran(LEADS)
    asked, *arguments = go_list(ran, {"app": TEXTS["app"].replace(", cgo: true", "")})
    asked(*arguments, WHOLE)
    assert dict(ran.steps[0].environment)["CGO_ENABLED"] == "0"


@pytest.mark.parametrize(
    "text",
    [
        TEXTS["go"],
        TEXTS["go"].replace("GOROOT: /in/go, ", "").replace("url: g", "go-toolchain: 1.24.5"),
        TEXTS["go"].replace("GOROOT: /in/go", "GOMODCACHE: /in/go-modules"),
    ],
)
def test_any_toolchain_recipe_can_bring_the_go_command(text: str):
    """By what it exports, or by its source; the one called `go` may be there beside it."""
    app = TEXTS["app"].replace("build: [go]", "build: [go124]")
    ran = Ran(LEADS)
    asked, users, files = go_list(ran, {"app": app, "go124": text})
    asked(users, files, WHOLE)
    assert "in/go124" in [given.path for given in ran.steps[0].inputs_at]
    assert files.asked == {SourceRef("go124", "g"), SourceRef("app", "app")}


@pytest.mark.parametrize("inputs", ["[]", "[zig]", "[made-go]"])
def test_a_recipe_without_the_go_command_is_told(inputs: str):
    """A package that brings one would have to be built before anything is locked."""
    app = TEXTS["app"].replace("build: [go]", f"build: {inputs}")
    package = "exports: {env: {GOROOT: /x}}\narchitectures: [amd64]\nbuild: x\n"
    others = {"app": app, "zig": TEXTS["go"].replace("GOROOT", "ZIG"), "made-go": package}
    asked, *arguments = go_list(Ran(LEADS), others)
    with pytest.raises(RecipeError, match="'go-modules' needs the go command") as caught:
        asked(*arguments, WHOLE)
    assert str(caught.value.where) == "app.yaml:5:15"
    assert "inputs.build" in hint_text(caught.value.hint)


@pytest.mark.parametrize("path", ["e.org/z", "e.org/a"])
def test_a_module_that_go_sum_lacks_or_that_is_there_ends_the_rounds(path: str):
    ran = Ran({arch: {"main": path, path: path} for arch in LEADS})
    if path == "e.org/a":
        ran.leads = {arch: {"main": "e.org/a"} for arch in LEADS}
        ran.read = lambda _blob: b"e.org/a v1.0.0\n"  # type: ignore[method-assign]
    asked, *arguments = go_list(ran)
    with pytest.raises(LockError, match=f"asks for {path} v1.0.0") as caught:
        asked(*arguments, WHOLE)
    assert "go mod tidy" in hint_text(caught.value.hint)


def test_the_recipes_own_settings_of_the_go_command_count():
    """And before those that its recipe exports; no other variable of the recipe is there."""
    ran = Ran(LEADS)
    go = TEXTS["go"].replace("GOROOT", "GOFLAGS: -mod=readonly, GOROOT")
    env = "env: {GOFLAGS: '-tags=${name}', GOEXPERIMENT: x, CFLAGS: y}\n"
    asked, *arguments = go_list(ran, {"go": go, "app": f"{TEXTS['app']}{env}"})
    asked(*arguments, WHOLE)
    environment = dict(ran.steps[0].environment)
    assert (environment["GOFLAGS"], environment["GOEXPERIMENT"]) == ("-tags=app", "x")
    assert "CFLAGS" not in environment


@pytest.mark.parametrize(
    ("exported", "own"), [("", ""), ("GOWORK: auto, ", ""), ("GOWORK: 'off', ", "auto")]
)
def test_a_workspace_is_refused_unless_it_is_off(exported: str, own: str):
    """The go command looks in the folders above the module, too."""
    ran = Ran(LEADS)
    ran.files = ("go.work",)
    go = TEXTS["go"].replace("GOROOT", f"{exported}GOROOT")
    app = f"{TEXTS['app']}env: {{GOWORK: {own}}}\n" if own else TEXTS["app"]
    asked, *arguments = go_list(ran, {"go": go, "app": app})
    with pytest.raises(LockError, match=r"would use the workspace of go\.work") as caught:
        asked(*arguments, WHOLE)
    assert "GOWORK: off" in hint_text(caught.value.hint)
    off = TEXTS["go"].replace("GOROOT", 'GOWORK: "off", GOROOT')
    asked, *arguments = go_list(ran, {"go": off})
    assert asked(*arguments, WHOLE)


def test_a_workspace_that_the_recipe_names_counts():
    """Also where the go command's recipe turns workspaces off for all others."""
    ran = Ran(LEADS)
    ran.files = ("go.work",)
    app = TEXTS["app"].replace("cgo: true", "cgo: true, workspace: true")
    off = TEXTS["go"].replace("GOROOT", 'GOWORK: "off", GOROOT')
    for go in (TEXTS["go"], off):
        asked, *arguments = go_list(ran, {"app": app, "go": go})
        assert asked(*arguments, WHOLE)
        assert dict(ran.steps[-1].environment)["GOWORK"] == "auto"


SAID = ("stat /src/module/cmd/a: directory not found",)
SHORT = """\
architectures: [riscv64, arm64]
sources: {app: {url: a}}
go: {directory: cmd, package: ./a, toolchain: go}
"""


class Failing(Ran):
    """Each step fails; ``says`` is the end of the log, by architecture."""

    says: ClassVar[Mapping[str, tuple[str, ...]]] = dict.fromkeys(LEADS, SAID)

    def __call__(
        self, derivations: Mapping[str, Derivation], wanted: Iterable[str]
    ) -> dict[str, Digest]:
        steps = [derivations[digest] for digest in wanted]
        raise_failures(
            [
                StepError("the step failed", where=step.label, details=self.says[arch])
                for step, arch in zip(steps, self.says, strict=True)
            ]
        )
        return {}


@pytest.mark.parametrize(
    ("app", "key", "line"), [(TEXTS["app"], "'packages'", 5), (SHORT, "'package' under 'go'", 3)]
)
def test_a_wrong_package_is_one_failure_at_the_recipe(app: str, key: str, line: int):
    """It is the same on each architecture."""
    asked, *arguments = go_list(Failing(LEADS), {"app": app})
    with pytest.raises(StepError, match=f"cannot list what {key}.* names: ./a") as caught:
        asked(*arguments, WHOLE)
    assert str(caught.value.where).startswith(f"app.yaml:{line}:")
    assert caught.value.details == ("go list of app-riscv64: the step failed", *SAID)


def test_what_differs_by_architecture_is_told_for_each():
    class Unlike(Failing):
        says: ClassVar[Mapping[str, tuple[str, ...]]] = {"riscv64": SAID, "arm64": ("another",)}

    asked, *arguments = go_list(Unlike(LEADS))
    with pytest.raises(RunFailed) as caught:
        asked(*arguments, WHOLE)
    assert [str(getattr(each, "where", "")) for each in caught.value.failures] == [
        "app.yaml:5:43"
    ] * 2


def test_what_is_no_failure_of_the_go_command_stays_as_it_is():
    class Elsewhere(Ran):
        def __call__(
            self, _derivations: Mapping[str, Derivation], _wanted: Iterable[str]
        ) -> dict[str, Digest]:
            raise StepError("the step failed", where="base-toolbox")  # noqa: EM101, TRY003

    asked, *arguments = go_list(Elsewhere(LEADS))
    with pytest.raises(StepError) as caught:
        asked(*arguments, WHOLE)
    assert caught.value.where == "base-toolbox"


def test_a_step_that_left_something_else_is_our_own_fault():
    class DirectoryNode(Ran):
        def nested(self, root: Digest) -> Any:  # noqa: ANN401, ARG002
            return {"missing": {}}

    asked, *arguments = go_list(DirectoryNode(LEADS))
    with pytest.raises(TypeError):
        asked(*arguments, WHOLE)


@pytest.mark.parametrize(
    ("message", "is_old"),
    [
        ("go: go.mod requires go >= 1.99.0 (running go 1.23.6; GOTOOLCHAIN=local)", True),
        ("go: e.org/a@v0.1.0 requires go >= 1.25.0 (running go 1.23.6)", True),
        ("go.mod:6: unknown directive: tool", True),
        ("main.go:3:8: missing go.sum entry for module providing package e.org/a", False),
    ],
)
def test_a_go_command_that_is_too_old_is_told(message: str, is_old: bool, tmp_path: Path):  # noqa: FBT001
    program = tmp_path / "go"
    program.write_text(f"#!/bin/sh\necho '{message}' >&2\nexit 1\n")
    program.chmod(0o755)
    names = {"directory": ".", "packages": ".", "tags": "", "out": str(tmp_path)}
    done = subprocess.run(
        ["sh", "-eu", "-c", _SCRIPT.replace("/src/module", str(tmp_path))],
        env={**names, "PATH": f"{tmp_path}:/usr/bin:/bin", "TMPDIR": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.decode().startswith(f"{message}\n")
    assert (b"toolchain: RECIPE" in done.stderr) is is_old


@needs_go
@pytest.mark.parametrize(("more", "code"), [("", 0), ('import _ "nowhere.invalid/x"\n', 1)])
def test_files_that_the_step_makes_may_be_embedded(tmp_path: Path, more: str, code: int):
    """What is not there yet is no module; another error beside it stays one."""
    module = tmp_path / "module"
    module.mkdir()
    (module / "go.mod").write_text("module e.org/m\n\ngo 1.21\n")
    page = module / "web/page.go"
    page.parent.mkdir()
    page.write_text(
        f'package web\n\nimport _ "embed"\n{more}\n//go:embed static\nvar Page string\n'
    )
    (module / "main.go").write_text('package main\n\nimport _ "e.org/m/web"\n\nfunc main() {}\n')
    names = {"directory": ".", "packages": ".", "tags": "", "out": str(tmp_path)}
    done = subprocess.run(
        ["sh", "-eu", "-c", _SCRIPT.replace("/src/module", str(module))],
        env={**os.environ, **names, "TMPDIR": str(tmp_path), "GOPROXY": "off", "GOFLAGS": ""},
        capture_output=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert (b"nowhere.invalid" in done.stderr) is bool(code)
    assert (tmp_path / "missing").read_bytes() == b""
