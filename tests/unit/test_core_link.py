"""Linking: what a step sees, and what enters its key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from attrs import define, evolve, field

from rvbuild.cli.remedies import hint_text
from rvbuild.core.derivation import Derivation, Fetch, Merge, Step
from rvbuild.core.errors import LockError, RecipeError, UsageError
from rvbuild.core.go_source import GoModFiles, GoModule
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.link import Linked, Linker
from rvbuild.core.lock import GoModuleSet
from rvbuild.core.pinned import git_fact
from rvbuild.core.recipe import GoModulesSpec, Reading, Recipe
from rvbuild.core.source import Files, Source
from rvbuild.core.variants import Variants
from rvbuild.core.version_check import version_script
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.path.source import PathSource
from rvbuild.kinds.url.source import UrlSource
from rvbuild.recipes_yaml.recipe import read_recipe

TOOLBOX = "kind: tool\ntoolbox: none\nsources: {box: {url: https://e.org/box.tar}}\n"
QEMU = "kind: toolchain\ntoolbox: none\nsources: {qemu: {url: https://e.org/qemu.tar}}\n"
APP = """\
summary: An app
license: MIT
version: {from: app, line: 1, file: VERSION}
date: {from: app, git: date}
pins: {flavour: plain}
sources:
  app: {git: "https://e.org/app", commit: 1111111111111111111111111111111111111111}
  shared: {from: shared}
inputs: {build: [cc], target: [lib], go-modules: {from: app, packages: [.]}}
env: {GREETING: "hello ${flavour}"}
per-architecture: {riscv64: {triplet: riscv64-linux}, arm64: {triplet: aarch64-linux}}
build: |
  make
outputs:
  app: {path: "bin/app-${version}", kind: executable, static: true}
  doc: {path: doc, kind: tree}
  man: {path: man}
checks:
  - {run: "app-${version} --version", expect: "v${version}"}
limits: {timeout: 60}
accelerators: [go]
"""
TEXTS = {
    "base-toolbox": TOOLBOX,
    "qemu-user": QEMU,
    "shared": "kind: source\nsources: {tree: {url: https://e.org/shared.tar}}\n",
    "cc": """\
kind: toolchain
sources: {cc: {url: https://e.org/cc.tar}}
build: x
exports: {path: [bin, sbin], env: {CC: "cc-${arch}"}}
""",
    "lib": "sources: {lib: {url: https://e.org/lib.tar}}\nbuild: y\n",
    "app": APP,
}
MODULES = GoModuleSet(
    specs=(),
    modules=(("e.org/Upper/m", "v1.0.0-RC", "h1:a="), ("e.org/b", "v2.0.0", "h1:b=")),
    go_sum="cd" * 32,
)


@define
class Pins:
    """What every recipe is pinned to: files by their URL, one commit, one set of modules."""

    values: Mapping[str, str] = field(factory=lambda: {"app/version": "1.2"})
    commit: str = "1" * 40
    parts: Mapping[str, tuple[Source, ...]] = field(factory=dict)

    def pin(self, recipe: Recipe, name: str) -> str:
        pin = recipe.all_pins[name]
        if isinstance(pin, str):
            return pin
        if isinstance(pin, Reading) and pin.reader == "git":
            return git_fact(self.source(recipe, pin.source)[0], pin)
        return self.values[f"{recipe.name}/{name}"]

    def source(self, recipe: Recipe, name: str) -> tuple[Source, ...]:
        key = f"{recipe.name}/{name}"
        if key in self.parts:
            return self.parts[key]
        if key == "app/app":
            return (GitSource(url="u", commit=self.commit, tree=self.commit, date=86400),)
        return (UrlSource(urls=(f"{key}.tar",), sha256=key.encode().hex().ljust(64, "0")),)

    def modules(self, _recipe: Recipe, _spec: GoModulesSpec) -> GoModuleSet:
        return MODULES


def graph_of(texts: Mapping[str, str], targets: list[Target], **options: Any) -> RecipeGraph:  # noqa: ANN401
    recipes = {
        name: read_recipe(text.encode(), name, f"{name}/recipe.yaml")
        for name, text in texts.items()
    }
    files = options.pop("files", ())
    recipes = {n: evolve(r, files=files) if n == "app" else r for n, r in recipes.items()}
    return RecipeGraph(
        targets, lambda name, _at=None, _series="": recipes[name], "amd64", **options
    )


def link(
    target: str = "app-riscv64",
    *,
    pins: Pins | None = None,
    checks: bool = False,
    files: tuple[tuple[str, bytes, bool], ...] = (),
    overrides: Mapping[str, PathSource] | None = None,
    **changed: str,
) -> tuple[Linked, Step]:
    """The linked target, and its step; ``changed`` recipe texts by name (``_`` is ``-``)."""
    texts = {**TEXTS, **{name.replace("_", "-"): text for name, text in changed.items()}}
    name, _, arch = target.rpartition("-")
    instance = Target(name, arch)
    graph = graph_of(texts, [instance], checks=checks, files=files)
    linker = Linker(graph, pins or Pins(), "amd64", overrides or {})
    linked = linker.link((instance,), checks=checks)
    step = linked.derivations[linked.results[instance]]
    assert isinstance(step, Step)
    return linked, step


def at(linked: Linked, step: Step, path: str) -> Derivation:
    """What a step has at a path."""
    (found,) = [given.derivation for given in step.inputs_at if given.path == path]
    return linked.derivations[found]


@pytest.mark.parametrize("date", ["tomorrow", "-1", "1.5", "253402300800", "1" * 5000, "\uff11"])
@pytest.mark.parametrize("arch", ["riscv64", "amd64"])
def test_a_date_that_is_none_is_told_with_its_place(date: str, arch: str):
    fine = APP.replace("date: {from: app, git: date}", "date: '253402300799'")
    _, step = link(f"app-{arch}", app=fine)
    assert dict(step.environment)["SOURCE_DATE_EPOCH"] == "253402300799"
    with pytest.raises(RecipeError, match="not a date in seconds since 1970") as caught:
        link(f"app-{arch}", app=fine.replace("253402300799", date))
    assert str(caught.value.where).startswith("app/recipe.yaml:")


# ---- what a step sees


def test_inputs_lie_at_fixed_human_paths():
    linked, step = link()
    assert [given.path for given in step.inputs_at] == [
        "", "in/cc", "in/lib", "src/app", "src/shared", "in/go-modules",
    ]  # fmt: skip
    assert at(linked, step, "").label == "box.tar"
    assert at(linked, step, "in/cc").label == "cc-riscv64"
    assert at(linked, step, "in/lib").label == "lib-riscv64"
    assert not any(given.writable for given in step.inputs_at)


def test_the_environment_has_pins_exports_and_fixed_variables_and_no_more():
    environment = dict(link()[1].environment)
    assert environment == {
        "CC": "cc-riscv64",
        "GREETING": "hello plain",
        "HOME": "/tmp",  # noqa: S108 - the sandbox's own
        "LC_ALL": "C.UTF-8",
        "PATH": "/in/cc/bin:/in/cc/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
        "SOURCE_DATE_EPOCH": "86400",
        "TMPDIR": "/tmp",  # noqa: S108 - the sandbox's own
        "TZ": "UTC",
        "arch": "riscv64",
        "build_arch": "amd64",
        "date": "86400",
        "flavour": "plain",
        "name": "app",
        "out": "/build/out",
        "triplet": "riscv64-linux",
        "version": "1.2",
    }


def test_without_a_date_time_stands_still_at_the_epoch():
    assert dict(link(app="build: x\n")[1].environment)["SOURCE_DATE_EPOCH"] == "0"


def test_output_rules_are_for_the_target_where_elf_files_are_meant():
    _, step = link()
    assert [(r.name, r.path, r.static, r.architecture) for r in step.outputs] == [
        ("app", "bin/app-1.2", True, "riscv64"),
        ("doc", "doc", False, "riscv64"),
        ("man", "man", False, None),
    ]
    tool = "kind: toolchain\nbuild: x\noutputs: {cc: {path: cc, kind: executable}}\n"
    linked, step = link(cc=tool)
    compiler = at(linked, step, "in/cc")
    assert isinstance(compiler, Step)
    assert compiler.outputs[0].architecture == "amd64"


def test_any_recipe_lends_the_source_of_its_name_or_its_only_one():
    """As it is published there: what else the recipe has and does is nobody's business."""
    app = "sources: {mine: {from: lib}}\nbuild: x\n"
    alone = "{tree: {url: https://e.org/tree.tar}}"
    named = "{x: {url: https://e.org/x.tar}, lib: {url: https://e.org/lib.tar}}"
    for sources, label in ((alone, "tree.tar"), (named, "lib.tar")):
        linked, step = link(app=app, lib=f"sources: {sources}\nbuild: y\n")
        assert [given.path for given in step.inputs_at] == ["", "src/mine"]
        assert at(linked, step, "src/mine").label == label
    several = "{a: {url: https://e.org/a.tar}, b: {url: https://e.org/b.tar}}"
    for sources, says in (("{}", "none"), ("{lib: {from: shared}}", "none"), (several, "a, b")):
        with pytest.raises(
            RecipeError, match="'lib' has no source of its own, or several"
        ) as caught:
            link(app=app, lib=f"sources: {sources}\nbuild: y\n")
        assert hint_text(caught.value.hint).endswith(f"lib has: {says}")
        assert str(caught.value.where).startswith("app/recipe.yaml:1")


def test_a_writable_source_lies_where_the_step_may_write():
    text = APP.replace("shared: {from: shared}", "shared: {from: shared, writable: true}")
    _, step = link(app=text)
    assert [(g.path, g.writable) for g in step.inputs_at if g.writable] == [
        ("build/src/shared", True)
    ]
    assert step.digest != link()[1].digest


def test_files_beside_the_recipe_are_an_input():
    linked, step = link(files=(("fix.patch", b"--- a\n", False),))
    beside = at(linked, step, "in/recipe")
    assert isinstance(beside, Fetch)
    assert beside.source == Files(label="files of app", files=(("fix.patch", b"--- a\n", False),))
    assert step.digest != link()[1].digest


def test_go_modules_lie_where_the_go_command_looks_for_them():
    """GOMODCACHE's own layout: capital letters are escaped, cache/download is the root's."""
    linked, step = link()
    cache = at(linked, step, "in/go-modules")
    assert isinstance(cache, Merge)
    assert [path for path, _ in cache.parts] == ["", "e.org/!upper/m@v1.0.0-!r!c", "e.org/b@v2.0.0"]
    sources = [linked.derivations[digest] for _, digest in cache.parts]
    assert [each.source for each in sources if isinstance(each, Fetch)] == [
        GoModFiles(go_sum=MODULES.go_sum, modules=MODULES.modules),
        GoModule(path="e.org/Upper/m", version="v1.0.0-RC", h1="h1:a="),
        GoModule(path="e.org/b", version="v2.0.0", h1="h1:b="),
    ]


@pytest.mark.parametrize("setting", ["auto", "/src/app/go.work"])
def test_a_workspaces_modules_go_with_a_go_command_that_uses_it(setting: str):
    """The same set of another scope; nothing but where its files are read differs."""
    app = APP.replace("packages: [.]", "packages: [.], workspace: true")
    off = {"cc": TEXTS["cc"].replace("env: {", 'env: {GOWORK: "off", ')}
    with pytest.raises(RecipeError, match="GOWORK=off keeps it from the go command") as caught:
        link(**{**off, "app": app})
    assert "GOWORK: auto" in str(caught.value.hint)
    linked, step = link(**{**off, "app": app.replace("env: {", f"env: {{GOWORK: {setting}, ")})
    cache = at(linked, step, "in/go-modules")
    assert isinstance(cache, Merge)
    assert cache.label == "go-modules of app/app:go.work"
    files = linked.derivations[cache.parts[0][1]]
    assert isinstance(files, Fetch)
    assert isinstance(files.source, GoModFiles)
    assert files.source.in_workspace
    assert link(**off)[1].digest != step.digest


def test_the_go_sum_is_read_from_the_locked_source():
    """Also if a folder stands for the source: the lock is what was made from the locked one."""
    for overrides in ({}, {"app": PathSource(path="/clone")}):
        linked, step = link(overrides=overrides)
        cache = at(linked, step, "in/go-modules")
        assert isinstance(cache, Merge)
        listed = linked.derivations[cache.parts[0][1]]
        assert isinstance(listed, Fetch)
        assert listed.by is not None
        assert listed.inputs == (listed.by.derivation,)
        source = linked.derivations[listed.by.derivation]
        assert isinstance(source, Fetch)
        assert isinstance(source.source, GitSource)
        assert listed.by.path == "."
        assert listed.digest == Fetch(source=listed.source).digest


def test_a_source_of_several_trees_has_no_go_sum():
    git = GitSource(url="u", commit="1" * 40, tree="1" * 40, date=86400)
    parts = (git, UrlSource(urls=("b",), sha256="b" * 64))
    with pytest.raises(RecipeError, match="more than one tree: it has no"):
        link(pins=Pins(parts={"app/app": parts}))


def test_a_source_of_several_parts_is_laid_together():
    parts = tuple(UrlSource(urls=(x,), sha256=x * 64) for x in "ab")
    linked, step = link(pins=Pins(parts={"lib/lib": parts}))
    library = at(linked, step, "in/lib")
    assert isinstance(library, Step)
    merged = at(linked, library, "src/lib")
    assert isinstance(merged, Merge)
    assert merged.label == "lib/lib"
    assert [path for path, _ in merged.parts] == ["", ""]


def test_what_several_need_is_linked_once():
    text = "sources: {l: {from: shared}}\nbuild: y\n"
    linked, _ = link(lib=text, cc="kind: toolchain\nsources: {l: {from: shared}}\nbuild: x\n")
    fetches = [d.label for d in linked.derivations.values() if isinstance(d, Fetch)]
    assert sorted(fetches) == sorted(set(fetches))
    assert fetches.count("tree.tar") == 1


def test_an_input_of_both_lists_is_mounted_once_or_refused():
    """For the build machine itself both are one; for another they would take one place."""
    text = "inputs: {build: [lib], target: [lib]}\nbuild: x\n"
    _, step = link("app-amd64", app=text)
    assert [given.path for given in step.inputs_at] == ["", "in/lib"]
    with pytest.raises(RecipeError, match="/in/lib cannot be both lib-amd64 and lib-riscv64") as e:
        link("app-riscv64", app=text)
    assert str(e.value.where) == "app/recipe.yaml:1:33"


# ---- exports


def test_two_inputs_that_export_different_values_are_refused_until_the_recipe_decides():
    other = "kind: tool\nbuild: z\nexports: {env: {CC: other}}\n"
    text = APP.replace("build: [cc]", "build: [cc, ld]")
    with pytest.raises(RecipeError, match="two inputs export CC: 'cc-riscv64' and 'other'") as e:
        link(app=text, ld=other)
    assert "'env'" in hint_text(e.value.hint)
    decided = text.replace("env: {", "env: {CC: mine, ")
    assert dict(link(app=decided, ld=other)[1].environment)["CC"] == "mine"
    same = other.replace("CC: other", "CC: cc-riscv64")
    assert dict(link(app=text, ld=same)[1].environment)["CC"] == "cc-riscv64"


def test_what_a_package_exports_is_about_the_machine_that_it_was_built_for():
    text = 'build: y\nexports: {env: {LIB: "lib-${arch}"}}\n'
    app = "inputs: {build: [lib, tool]}\nbuild: x\n"
    tool = 'kind: tool\nbuild: z\nexports: {env: {TOOL: "for-${arch}"}}\n'
    environment = dict(link(app=app, lib=text, tool=tool)[1].environment)
    assert environment["LIB"] == "lib-amd64"
    assert environment["TOOL"] == "for-riscv64"


def test_what_stands_for_another_lies_where_that_one_would():
    texts = {
        **TEXTS,
        "app": "inputs: {target: [root]}\nbuild: x\n",
        "root": "build: y\n",
        "whole": "inputs: {target: [root]}\nbuild: z\nexports: {path: [bin]}\n",
    }
    app = Target("app", "riscv64")
    graph = graph_of(texts, [app], variants=Variants(replace={"root": "whole"}))
    linked = Linker(graph, Pins(), "amd64", {}).link((app,), checks=False)
    step = linked.derivations[linked.results[app]]
    assert isinstance(step, Step)
    whole = at(linked, step, "in/root")
    assert isinstance(whole, Step)
    assert (whole.label, whole.script) == ("whole-riscv64", "z")
    assert at(linked, whole, "in/root").label == "root-riscv64"
    assert dict(step.environment)["PATH"].startswith("/in/root/bin:")


def test_a_recipe_without_a_script_gives_its_source():
    linked, step = link(app="inputs: {build: [shared-tool]}\nbuild: x\n", shared_tool=TOOLBOX)
    assert at(linked, step, "in/shared-tool").label == "box.tar"
    assert isinstance(at(linked, step, "in/shared-tool"), Fetch)


# ---- overrides


@pytest.mark.parametrize("key", ["shared", "shared/tree"])
def test_an_override_stands_for_a_source(key: str):
    folder = PathSource(path="/home/me/shared", digest="d")
    linked, step = link(overrides={key: folder})
    found = at(linked, step, "src/shared")
    assert isinstance(found, Fetch)
    assert found.source == folder
    assert step.digest != link()[1].digest


@define
class NoModules(Pins):
    """The lock has no set of Go modules."""

    def modules(self, _recipe: Recipe, _spec: GoModulesSpec) -> GoModuleSet:
        msg = "rvbuild.lock does not have app/app"
        raise LockError(msg, hint="look at what changes")


@pytest.mark.parametrize("key", ["app", "app/app", ""])
def test_a_folder_brings_no_go_modules(key: str):
    """They are those of the source that it stands for; an override of it is no way out."""
    overrides = {key: PathSource(path="/clone")} if key else {}
    with pytest.raises(LockError) as caught:
        link(pins=NoModules(), overrides=overrides)
    text = hint_text(caught.value.hint)
    assert text.startswith("run `rvbuild lock app`: Go modules are the locked" if key else "look")


def test_an_override_that_names_nothing_here_is_refused():
    with pytest.raises(UsageError, match="the override of shraed: no source of these targets") as e:
        link(overrides={"shraed": PathSource(path="/x")})
    assert "RECIPE/SOURCE" in hint_text(e.value.hint)


# ---- checks


def check_of(linked: Linked) -> Step:
    ((digest,),) = linked.checks.values()
    check = linked.derivations[digest]
    assert isinstance(check, Step)
    return check


def launcher(linked: Linked) -> str:
    run = at(linked, check_of(linked), "in/run")
    assert isinstance(run, Fetch)
    assert isinstance(run.source, Files)
    ((path, data, executable),) = run.source.files
    assert (path, executable) == ("bin/app-1.2", True)
    return data.decode()


def test_a_foreign_target_is_checked_through_the_emulator():
    linked, step = link(checks=True)
    check = check_of(linked)
    assert [given.path for given in check.inputs_at] == ["", "in/app", "in/run", "in/qemu-user"]
    assert at(linked, check, "in/app") == step
    assert (check.script, check.expect) == ("app-1.2 --version", "v1.2")
    assert check.is_check
    assert check.timeout == 600
    assert dict(check.environment)["PATH"].startswith("/in/run/bin:")
    assert launcher(linked) == (
        "#!/bin/sh\nexec /in/qemu-user/bin/qemu-riscv64 "
        "-cpu rv64,zba=false,zbb=false,zbc=false,zbs=false "
        '/in/app/bin/app-1.2 "$@"\n'
    )


def test_a_further_architecture_changes_nobody_elses_keys():
    """Toolchain and emulator have a row for each target, and are keyed by that of their own."""
    rows = "per-architecture: {riscv64: {cpu: a}%s}\narchitectures: [riscv64%s]\n"
    texts = {"cc": TEXTS["cc"], "qemu_user": QEMU.replace("toolbox: none\n", "build: x\n")}

    def keys(*more: str) -> Linked:
        added = {name: text + rows % more for name, text in texts.items()}
        return link(checks=True, **added)[0]

    alone, both = keys("", ""), keys(", arm64: {cpu: b}", ", arm64")
    assert (both.results, both.checks) == (alone.results, alone.checks)
    changed = link(checks=True, cc=(texts["cc"] + rows % ("", "")).replace("cpu: a", "cpu: b"))[0]
    assert changed.results != alone.results


def test_a_native_target_is_checked_without():
    linked, _ = link("app-amd64", checks=True)
    assert [given.path for given in check_of(linked).inputs_at] == ["", "in/app", "in/run"]
    assert launcher(linked) == '#!/bin/sh\nexec /in/app/bin/app-1.2 "$@"\n'


def test_an_output_with_a_strange_name_is_quoted():
    text = APP.replace("bin/app-${version}", "bin/a b;c")
    linked, _ = link("app-amd64", app=text, checks=True)
    run = at(linked, check_of(linked), "in/run")
    assert isinstance(run, Fetch)
    assert isinstance(run.source, Files)
    assert b"exec '/in/app/bin/a b;c' \"$@\"" in run.source.files[0][1]


def test_programs_of_a_pattern_are_found_by_the_check_itself():
    """Its own line stays the first one, and what is named lies before what is found."""
    more = "  rest: {path: 'libexec/**', kind: executable}\n  logs: {path: 'log/*'}\nchecks:"
    linked, _ = link(app=APP.replace("checks:", more), checks=True)
    first, _, rest = check_of(linked).script.partition("app-1.2 --version")
    assert rest == ""
    assert first.endswith("; PATH=/in/run/bin:/tmp/launchers:$PATH; ")
    assert "\n" not in first
    assert r"-regex '/in/app/libexec/.*' ! -regex '/in/app/bin/app-1\.2'" in first
    assert "'/in/qemu-user/bin/qemu-riscv64 -cpu" in first
    assert "log" not in first
    assert "app-1.2" in launcher(linked)


def test_the_version_of_each_program_is_asked_for():
    text = APP.replace('{run: "app-${version} --version", expect: "v${version}"}', "version")
    check = check_of(link(app=text, checks=True)[0])
    qemu = "/in/qemu-user/bin/qemu-riscv64 -cpu rv64,zba=false,zbb=false,zbc=false,zbs=false "
    assert check.script == version_script("1.2", "printf '%s\\n' /in/app/bin/app-1.2", qemu)
    assert check.expect is None
    assert launcher(link(app=text, checks=True)[0]).endswith('/in/app/bin/app-1.2 "$@"\n')


def test_checks_are_linked_only_when_they_are_wanted():
    linked, step = link(checks=False)
    assert list(linked.checks.values()) == [()]
    assert not any(getattr(d, "is_check", False) for d in linked.derivations.values())
    assert link(checks=True)[1].digest == step.digest
    plain = APP.replace(', expect: "v${version}"', "")
    assert check_of(link(app=plain, checks=True)[0]).expect is None


# ---- tools for a step about a recipe


def test_tools_are_the_default_toolbox_and_the_named_build_inputs():
    instance = Target("app", "riscv64")
    graph = graph_of(TEXTS, [instance])
    linker = Linker(graph, Pins(), "amd64")
    tools = linker.tools(instance, ("cc",))
    assert [given.path for given in tools] == ["", "in/cc"]
    environment = linker.tool_environment(instance, ("cc",), "GREET")
    assert environment["GREETING"] == "hello plain"
    assert "GREETING" not in linker.tool_environment(instance, ("cc",), "GO")
    assert environment["CC"] == "cc-riscv64"
    assert environment["PATH"].startswith("/in/cc/bin:/in/cc/sbin:")
    assert environment["SOURCE_DATE_EPOCH"] == "0"


# ---- keys


def key(**changed: Any) -> str:  # noqa: ANN401
    return link(**changed)[1].digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("summary: An app", "summary: Another text"),
        ("license: MIT", "license: Apache-2.0\nhomepage: https://e.org"),
        ("build: |\n", "# a comment\nbuild: |\n"),
        ("accelerators: [go]\n", ""),
        ("{from: app, line: 1, file: VERSION}", "{from: app, line: 2, file: OTHER}"),
        ("arm64: {triplet: aarch64-linux}", "arm64: {triplet: changed}"),
        ("--version", "--help"),
    ],
)
def test_what_does_not_change_what_a_step_sees_does_not_change_its_key(old: str, new: str):
    """People's texts, the place of a pin with the same value, other targets, the checks."""
    assert key(app=APP.replace(old, new)) == key()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  make\n", "  make all\n"),
        ("  make\n", "  make # now\n"),
        ("hello", "good day"),
        ("flavour: plain", "flavour: bitter"),
        ("triplet: riscv64-linux", "triplet: changed"),
        ("build: [cc]", "build: []"),
        ("target: [lib]", "target: []"),
        ("timeout: 60", "timeout: 61"),
        ("static: true", "static: false"),
        ("kind: tree", "kind: file"),
        ("  doc: {path: doc", "  doc: {path: docs"),
    ],
)
def test_what_changes_what_a_step_sees_changes_its_key(old: str, new: str):
    assert old in APP
    assert key(app=APP.replace(old, new)) != key()


def test_pins_sources_and_inputs_are_in_the_key():
    assert key(pins=Pins(values={"app/version": "1.3"})) != key()
    assert key(pins=Pins(commit="2" * 40)) != key()
    assert key(lib=TEXTS["lib"].replace("build: y", "build: z")) != key()
    assert key(cc=TEXTS["cc"].replace("bin, sbin", "bin")) != key()
    assert key(lib="summary: other\n" + TEXTS["lib"]) == key()
    box = (UrlSource(urls=("box.tar",), sha256="f" * 64),)
    assert key(pins=Pins(parts={"base-toolbox/box": box})) != key()
    assert key(files=(("a", b"", True),)) != key(files=(("a", b"", False),))
    assert link("app-arm64")[1].digest != key()


def test_where_a_source_comes_from_is_not_in_the_key():
    mirror = UrlSource(urls=("https://mirror.e.org/other",), sha256=b"lib/lib".hex().ljust(64, "0"))
    assert key(pins=Pins(parts={"lib/lib": (mirror,)})) == key()


def test_the_check_is_in_the_checks_key_only():
    text = APP.replace("--version", "--help")
    before, after = link(checks=True), link(app=text, checks=True)
    assert before[1].digest == after[1].digest
    assert check_of(before[0]).digest != check_of(after[0]).digest


@pytest.mark.parametrize("path", ["../x", "/x", "a//b", "a/./b", "", "a/"])
def test_outputs_lie_below_out(path: str):
    with pytest.raises(RecipeError, match="not a path below") as caught:
        link(app=f"build: x\noutputs:\n  app: {{path: '{path}'}}\n")
    assert str(caught.value.where) == "app/recipe.yaml:3:9"
