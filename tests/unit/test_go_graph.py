"""Which lines of a go.sum a module's graph can need."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import pytest
from attrs import evolve

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import LockError
from rvbuild.core.go_graph import MainModule, Module, needed_sums, sums_digest
from rvbuild.core.go_mod_changes import GoModChanges
from rvbuild.core.gomod import required_by

H1 = "h1:" + "A" * 43 + "="


def line(path: str, version: str, *, zipped: bool = True) -> str:
    mod = f"{path} {version}/go.mod {H1}\n"
    return f"{path} {version} {H1}\n{mod}" if zipped else mod


def main_of(go_mod: str, go_sum: str, more: Mapping[str, str] | None = None) -> MainModule:
    texts = {"go.mod": f"module m\n{go_mod}", "go.sum": go_sum, **(more or {})}
    return MainModule("app/app", {name: text.encode() for name, text in texts.items()}.get)


class Proxy:
    """The go.mod of each module, and which of them were asked for."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts
        self.asked: list[str] = []

    def __call__(self, mods: Sequence[tuple[Module, str]]) -> Iterator[bytes]:
        for (path, version), h1 in mods:
            assert h1 == H1
            self.asked.append(f"{path} {version}")
            yield self.texts.get(f"{path} {version}", "").encode()


TIDY = line("a", "v1.1.0") + line("b", "v1.0.0", zipped=False)
REQUIRES = {"a v1.1.0": "require b v1.0.0\n"}


def test_lines_that_nothing_requires_are_not_needed_and_nobody_is_asked_for_them():
    """Of old versions, of what only those require, and of modules that are gone altogether."""
    stale = line("a", "v1.0.0") + line("c", "v1.0.0") + line("gone", "v9.0.0")
    main = main_of("require a v1.1.0\n", stale + TIDY)
    proxy = Proxy({**REQUIRES, "a v1.0.0": "require c v1.0.0\n"})
    needed = needed_sums(main, proxy)
    assert proxy.asked == ["a v1.1.0", "b v1.0.0"]
    assert {*needed.mods} == {("a", "v1.1.0"), ("b", "v1.0.0")}
    assert {*needed.modules} == {("a", "v1.1.0")}
    assert sums_digest(main, needed) == hashlib.sha256(TIDY.encode()).hexdigest()


def test_a_go_sum_without_such_lines_is_named_by_its_own_bytes():
    """So its name is what locks have had ever since."""
    text = TIDY.replace(" v", "  v") + "\n"
    main = main_of("require a v1.1.0\n", text)
    needed = needed_sums(main, Proxy(REQUIRES))
    assert needed == main.sums()
    assert sums_digest(main, needed) == hashlib.sha256(text.encode()).hexdigest()


def test_of_a_go_mod_that_nobody_read_go_sum_may_have_no_line():
    """With pruning, the go command finds packages in the main module's requirements alone."""
    main = main_of("require a v1.1.0\n", f"a v1.1.0 {H1}\nb v1.0.0 {H1}\n")
    proxy = Proxy(REQUIRES)
    assert {*needed_sums(main, proxy).modules} == {("a", "v1.1.0")}
    assert proxy.asked == []


def test_a_module_without_dependencies_has_no_go_sum():
    main = MainModule("app/app", {"cmd/go.mod": b"module m\n"}.get, "cmd")
    needed = needed_sums(main, Proxy({}))
    assert (needed.mods, needed.modules) == ({}, {})
    assert sums_digest(main, needed) == hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize(
    ("go_mod", "wanted"),
    [
        ("replace a => fork/deep v2.0.0\n", {"fork/deep v2.0.0", "b v1.0.0"}),
        ("replace a v1.1.0 => fork/deep v2.0.0\n", {"fork/deep v2.0.0", "b v1.0.0"}),
        ("replace a v1.0.0 => fork/deep v2.0.0\n", {"a v1.1.0", "b v1.0.0"}),
        ("replace a => ./own\n", {"b v1.0.0"}),
        ("replace b => ../b\n", {"a v1.1.0"}),
        ("replace b => fork/deep v2.0.0\n", {"a v1.1.0", "fork/deep v2.0.0", "b v1.0.0"}),
        ("exclude b v1.0.0\n", {"a v1.1.0"}),
    ],
)
def test_the_main_modules_replacements_and_exclusions_hold(go_mod: str, wanted: set[str]):
    text = TIDY + line("fork/deep", "v2.0.0")
    files = {"own/go.mod": "require b v1.0.0\n"}
    main = main_of(f"require a v1.1.0\n{go_mod}", text, files)
    proxy = Proxy({**REQUIRES, "fork/deep v2.0.0": "require b v1.0.0\nreplace b => x v1.0.0\n"})
    if "replace b => fork" in go_mod:  # a fork that requires what it stands for
        wanted = wanted - {"b v1.0.0"}
    assert {f"{path} {version}" for path, version in needed_sums(main, proxy).mods} == wanted


def test_modules_that_require_each_other_are_read_once():
    main = main_of("require a v1.1.0\n", TIDY)
    proxy = Proxy({**REQUIRES, "b v1.0.0": "require a v1.1.0\nrequire m v1.0.0\n"})
    assert needed_sums(main, proxy) == main.sums()
    assert proxy.asked == ["a v1.1.0", "b v1.0.0"]


def test_of_a_dependencys_go_mod_only_its_requirements_count():
    text = (
        b"module a\nreplace ( x\nfuture thing v1 v2 v3\nrequire (\n\tb v1.0.0 // indirect\n\tc\n)\n"
    )
    assert list(required_by(text)) == [("b", "v1.0.0")]
    assert list(required_by(b"require a v1.0.0\n\x00'\"\nrequire b v1.0.0\n")) == [("a", "v1.0.0")]


def test_a_source_without_a_go_mod_is_told():
    main = MainModule("app/app", lambda _path: None, "cmd/x")
    with pytest.raises(LockError, match=r"the source app/app has no file cmd/x/go\.mod") as caught:
        needed_sums(main, Proxy({}))
    assert "`directory` names" in hint_text(caught.value.hint)


# ---- workspaces

WORKSPACE = {
    "go.work": "go 1.24\nuse (\n  ./app\n  ./lib\n)\nreplace (\n  x => ./x\n  z => y v2.0.0\n)\n",
    "app/go.mod": "module app\nrequire a v1.1.0\nreplace a => ./a\nreplace z => w v9.0.0\n",
    "app/a/go.mod": "module a\nrequire c v1.0.0\nrequire x v1.0.0\n",
    "x/go.mod": "module x\nrequire z v1.0.0\n",
    "lib/go.mod": "module lib\nrequire b v1.0.0\nexclude c v1.0.0\n",
    "go.work.sum": line("y", "v2.0.0"),
    "lib/go.sum": line("b", "v1.0.0").removesuffix("\n"),
    "app/go.sum": line("w", "v9.0.0") + line("c", "v1.0.0") + line("a", "v1.1.0"),
}


def workspace_of(files: Mapping[str, str], directory: str = "app") -> MainModule:
    read = {name: text.encode() for name, text in files.items()}.get
    return MainModule("app/app", read, directory, in_workspace=True)


@pytest.mark.parametrize("directory", ["app", "lib/deep"])
def test_in_a_workspace_all_of_its_modules_count(directory: str):
    """The go.work's replacements go before a module's; each folder is that of who says it."""
    main = workspace_of(WORKSPACE, directory)
    needed = needed_sums(main, Proxy({}))
    assert {*needed.modules} == {("y", "v2.0.0"), ("b", "v1.0.0")}
    (alone,) = MainModule("app/app", main.read, "app").go_mods()
    assert alone.content.module == "app"


def test_a_workspace_is_named_by_all_of_its_sums():
    files = {name: WORKSPACE[name] for name in ("go.work", "app/go.mod", "lib/go.mod")}
    sums = ("app/go.sum", "lib/go.sum", "go.work.sum")
    main = workspace_of({**files, **{name: line(name[0], "v1.0.0") for name in sums}})
    text = "\n".join(line(name[0], "v1.0.0") for name in sums)
    assert sums_digest(main, main.sums()) == hashlib.sha256(text.encode()).hexdigest()
    assert {path for path, _ in main.sums().mods} == {"a", "l", "g"}


@pytest.mark.parametrize(
    ("absent", "says"),
    [
        ("go.work", "has no go.work for the module"),
        ("lib/go.mod", r"has no file lib/go\.mod, which its go\.work uses"),
    ],
)
def test_a_workspace_that_is_not_whole_is_refused(absent: str, says: str):
    files = {name: text for name, text in WORKSPACE.items() if name != absent}
    with pytest.raises(LockError, match=says):
        needed_sums(workspace_of(files), Proxy({}))


def test_a_use_of_several_folders_at_once_is_refused():
    main = workspace_of({"app/go.work": "use ./a ./b\n"})
    with pytest.raises(LockError, match="'use' takes one word") as caught:
        main.sums()
    assert str(caught.value.where) == "app/app:app/go.work:1"


# ---- what stands instead of another module


class World:
    """The go.mod of each module that is outside, and which of them no go.sum knew."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts
        self.asked: list[str] = []

    def __call__(self, module: Module) -> tuple[bytes, str] | None:
        self.asked.append(" ".join(module))
        text = self.texts.get(" ".join(module))
        return None if text is None else (text.encode(), H1)


def discovered(go_mod: str, outside: Mapping[str, str], known: Mapping[str, str]) -> list[str]:
    """Of what the go.mod is asked for that no go.sum has, where ``a v2.0.0`` stands for a."""
    sums = "".join(line(*name.split(), zipped=False) for name in known)
    instead = GoModChanges(statements=("replace a => a v2.0.0",))
    main = evolve(main_of(go_mod, sums), changes=instead)
    world = World(outside)
    needed = needed_sums(main, Proxy(known), world)
    assert {*needed.mods} == {tuple(name.split()) for name in (*known, *world.asked)} - {
        tuple(name.split()) for name in (*world.asked, *known) if name not in {*outside, *known}
    }
    offered = tuple(f"{name.replace(' ', ' ')}/go.mod {H1}" for name in world.asked)
    again = evolve(main, changes=evolve(instead, offered=offered))
    proxy = Proxy({**outside, **known})
    assert sums_digest(again, needed_sums(again, proxy)) == sums_digest(main, needed)
    return world.asked


GO = "go 1.21\n"
A1 = {"a v1.0.0": ""}


def test_what_the_other_module_requires_is_read_where_it_is_higher():
    """As the go command does, if its go.mod has all that it needs."""
    outside = {
        "a v2.0.0": GO + "require (\nb v1.1.0\nc v1.0.0\nd v1.0.0\n)\n",
        "b v1.1.0": GO + "require (\ne v1.0.0\nc v0.9.0\n)\n",
        "d v1.0.0": GO,
        "e v1.0.0": GO,
    }
    go_mod = GO + "require (\na v1.0.0\nb v1.0.0\nc v1.0.0\n)\n"
    known = {"b v1.0.0": GO, "c v1.0.0": GO}
    assert discovered(go_mod, outside, known) == ["a v2.0.0", "b v1.1.0", "d v1.0.0", "e v1.0.0"]


def test_below_a_go_mod_that_does_not_have_all_everything_is_read():
    outside = {
        "a v2.0.0": "require b v0.9.0\n",
        "b v0.9.0": GO + "require c v0.1.0\n",
        "c v0.1.0": "",
    }
    go_mod = GO + "require (\na v1.0.0\nb v1.0.0\n)\n"
    asked = discovered(go_mod, outside, {"b v1.0.0": GO})
    assert asked == ["a v2.0.0", "b v0.9.0", "c v0.1.0"]


def test_beside_it_nothing_else_is_asked_for():
    """What is missing in a go.sum for other reasons is no matter of this."""
    go_mod = GO + "require (\na v1.0.0\nb v1.0.0\n)\n"
    known = {"b v1.0.0": GO + "require x v1.0.0\n"}
    assert discovered(go_mod, {"a v2.0.0": GO, "x v1.0.0": GO}, known) == ["a v2.0.0"]


def test_through_a_known_module_that_only_it_requires():
    go_mod = GO + "require (\na v1.0.0\nb v1.0.0\n)\n"
    outside = {"a v2.0.0": GO + "require b v1.1.0\n", "c v1.0.0": GO}
    known = {"b v1.0.0": GO, "b v1.1.0": GO + "require c v1.0.0\n"}
    assert discovered(go_mod, outside, known) == ["a v2.0.0", "c v1.0.0"]


def test_what_nobody_has_is_left_to_the_go_command():
    go_mod = GO + "require a v1.0.0\n"
    outside = {"a v2.0.0": GO + "require (\nlost v1.0.0\nb v1.0.0\n)\n", "b v1.0.0": GO}
    sums = evolve(main_of(go_mod, ""), changes=GoModChanges(statements=("replace a => a v2.0.0",)))
    world = World(outside)
    needed = needed_sums(sums, Proxy({}), world)
    assert world.asked == ["a v2.0.0", "lost v1.0.0", "b v1.0.0"]
    assert {*needed.mods} == {("a", "v2.0.0"), ("b", "v1.0.0")}
    assert needed_sums(sums, Proxy({})).mods == {}


def test_the_text_of_a_go_mod_with_what_stands_instead():
    main = main_of("require a v1.0.0\n", "")
    assert main.go_mod == "module m\nrequire a v1.0.0\n"
    changed = evolve(main, changes=GoModChanges(statements=("require a v2.0.0",)))
    assert changed.go_mod == "module m\n\nrequire a v2.0.0\n"
    (file,) = changed.go_mods()
    assert [each.version for each in file.content.requirements] == ["v2.0.0"]
