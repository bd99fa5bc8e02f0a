"""Patches of sources: which are taken, where they are applied, and who sees that."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from attrs import define

from rvbuild.core.derivation import Fetch, Step
from rvbuild.core.errors import RecipeError
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.link import Linked, Linker
from rvbuild.core.lock import GoModuleSet
from rvbuild.core.patches import changed_files, own_patches, patches_of
from rvbuild.core.place import Place
from rvbuild.core.question import pin_question, set_question, source_question
from rvbuild.core.recipe import GoModulesSpec, Recipe
from rvbuild.core.series import SeriesRecipes
from rvbuild.core.source import Files, Source
from rvbuild.kinds.path.source import PathSource
from rvbuild.kinds.url.source import UrlSource
from rvbuild.recipes_yaml.recipe import read_recipe

FIX = b"""\
Origin: https://example.org/commit/1
diff --git a/src/x.c b/src/x.c
--- a/src/x.c\t2024-01-01
+++ b/src/x.c
@@ -1,2 +1,2 @@
 a
--- old/words
+++ new/words
@@ -9 +9 @@
-b
+c
\\ No newline at end of file
--- a/go.mod
+++ b/go.mod
@@ -1 +1 @@
-a
+b
"""
ADD = b"From: Somebody <s@example.org>\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+x\n"
MOVE = b"Author: S\ndiff --git a/p b/q\nsimilarity index 100%\nrename from p\nrename to q\n"
FILES = tuple((f"{n}.patch", d, False) for n, d in (("add", ADD), ("fix", FIX), ("move", MOVE)))
APP = "sources:\n  s: {url: https://e.org/s.tar%s}\nbuild: x\n"
TEXTS = {
    "base-toolbox": "kind: tool\ntoolbox: none\nsources: {box: {url: https://e.org/box.tar}}\n",
    "other-toolbox": "kind: tool\ntoolbox: none\nsources: {box: {url: https://e.org/other.tar}}\n",
    "shared": "kind: source\nsources: {t: {url: https://e.org/t.tar, patches: [fix.patch]}}\n",
}


@define
class Pins:
    """Every recipe is pinned to files by their name."""

    def pin(self, recipe: Recipe, name: str) -> str:
        value = recipe.all_pins[name]
        assert isinstance(value, str)
        return value

    def source(self, recipe: Recipe, name: str) -> tuple[Source, ...]:
        key = f"{recipe.name}/{name}"
        return (UrlSource(urls=(key,), sha256=key.encode().hex().ljust(64, "0")),)

    def modules(self, _recipe: Recipe, _spec: GoModulesSpec) -> GoModuleSet:
        raise NotImplementedError


def read(text: str, name: str = "app", files: tuple[tuple[str, bytes, bool], ...] = FILES):
    return read_recipe(text.encode(), name, f"{name}/recipe.yaml", files)


def linked(
    app: str,
    *,
    files: tuple[tuple[str, bytes, bool], ...] = FILES,
    overrides: Mapping[str, Source] | None = None,
) -> tuple[Linked, Step]:
    recipes = {name: read(text, name) for name, text in TEXTS.items()} | {
        "app": read(app, files=files)
    }
    target = Target("app", "amd64")
    graph = RecipeGraph([target], lambda name, _at=None, _series="": recipes[name], "amd64")
    made = Linker(graph, Pins(), "amd64", overrides or {}).link((target,), checks=False)
    step = made.derivations[made.results[target]]
    assert isinstance(step, Step)
    return made, step


def at(made: Linked, step: Step, path: str):
    (found,) = [given.derivation for given in step.inputs_at if given.path == path]
    return made.derivations[found]


@pytest.mark.parametrize(
    ("path", "files"),
    [
        ("fix.patch", {"src/x.c", "go.mod"}),
        ("add.patch", {"new"}),
        ("move.patch", {"p", "q"}),
        ("none", set()),
    ],
)
def test_what_a_patch_changes_is_read_outside_of_its_hunks(path: str, files: set[str]):
    assert changed_files(read("build: x\n"), path) == files


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "there is no file 'fix.patch' beside the recipe"),
        (b"Origin: upstream\nnothing\n", "it names no file"),
        (FIX.replace(b"a/go.mod", b'"a/go.mod'), 'a name in quotes that nobody can read: "a/go.mo'),
        (FIX.replace(b"a/go.mod", b'"a/\\303"'), "fix.patch has a name in quotes that"),
        (ADD.replace(b"b/new", b"new"), "names new without a folder before it"),
        (FIX.replace(b"a/go.mod", b"go.mod").replace(b"b/go.mod", b"go.mod"), "names go.mod with"),
        (ADD + b"Binary files a/x.png and b/x.png differ\n", "no text, .* Binary files a/x.png"),
        (FIX + b"diff --git a/x b/x\nGIT binary patch\nliteral 3\n", "no text, .* GIT binary"),
        (FIX.replace(b"Origin:", b"Original:"), "does not say where it is from"),
        (FIX.replace(b" https://example.org/commit/1", b" "), "does not say where it is from"),
        (FIX.replace(b"@@ -9", b"From: x\n@@ -9").removeprefix(b"Origin: h"), "where it is from"),
    ],
)
def test_a_patch_must_be_there_and_say_where_it_is_from(data: bytes | None, message: str):
    files = () if data is None else (("fix.patch", data, False),)
    with pytest.raises(RecipeError, match=message) as caught:
        read(APP % ", patches: [fix.patch]", files=files)
    assert str(caught.value.where) == "app/recipe.yaml:2:43"


@pytest.mark.parametrize(
    "data",
    [
        FIX.replace(b"--- a/go.mod", b"--- go.mod"),
        FIX.replace(b"-b\n+c", b"-GIT binary patch\n+Binary files a and b differ"),
        b"From: S\ndiff --git a/p b/p\nold mode 100644\nnew mode 100755\n",
    ],
    ids=["a folder in one name", "words of a file", "a mode alone"],
)
def test_what_patch_applies_is_a_patch(data: bytes):
    """GNU patch takes the name that it finds, and the mode that git's form names."""
    read(APP % ", patches: [fix.patch]", files=(("fix.patch", data, False),))


def test_a_missing_patch_is_told_with_what_is_there():
    with pytest.raises(RecipeError) as caught:
        read(APP % ", patches: [fx.patch]")
    assert str(caught.value.hint) == "there are: add.patch, fix.patch, move.patch"


def test_a_patched_source_is_a_step_of_its_own_with_just_its_patches():
    made, step = linked(APP % ", writable: true, patches: [fix.patch, add.patch]")
    patched = at(made, step, "build/src/s")
    assert isinstance(patched, Step)
    assert [each.path for each in patched.inputs_at] == ["", "src/s", "in/patches"]
    files = at(made, patched, "in/patches")
    assert isinstance(files, Fetch)
    assert isinstance(files.source, Files)
    assert files.source.files == (("0/fix.patch", FIX, False), ("1/add.patch", ADD, False))
    assert patched.script.index("/in/patches/0/fix.patch") < patched.script.index("1/add.patch")
    beside = at(made, step, "in/recipe")
    assert isinstance(beside, Fetch)
    assert isinstance(beside.source, Files)
    assert [path for path, _, _ in beside.source.files] == ["move.patch"]


def test_the_order_and_the_content_of_patches_are_in_the_key():
    def key(*names: str, files: tuple[tuple[str, bytes, bool], ...] = FILES) -> str:
        text = APP % f", patches: [{', '.join(names)}]"
        made, step = linked(text, files=files)
        return at(made, step, "src/s").digest

    other = tuple((n, d + b"\n" * (n == "fix.patch"), x) for n, d, x in FILES)
    unused = (*FILES[:2], ("move.patch", MOVE + b"\n", False))
    keys = [key("fix.patch", "add.patch"), key("add.patch", "fix.patch"), key("fix.patch")]
    keys += [key("fix.patch", files=other)]
    assert len(set(keys)) == len(keys)
    assert key("fix.patch", files=unused) == keys[2]


def test_a_recipe_that_is_all_patches_has_no_files_beside_it():
    _, step = linked(APP % ", patches: [fix.patch, add.patch, move.patch]")
    assert [each.path for each in step.inputs_at] == ["", "src/s"]


def test_patches_of_a_shared_source_come_before_those_of_its_user():
    made, step = linked("sources:\n  s: {from: shared, patches: [add.patch]}\nbuild: x\n")
    patched = at(made, step, "src/s")
    assert isinstance(patched, Step)
    files = at(made, patched, "in/patches")
    assert isinstance(files, Fetch)
    assert isinstance(files.source, Files)
    assert [path for path, _, _ in files.source.files] == ["0/fix.patch", "1/add.patch"]


def test_a_folder_that_stands_for_a_source_is_taken_as_it_is():
    folder = PathSource(path="/x", digest="1" * 64)
    made, step = linked(APP % ", patches: [fix.patch]", overrides={"app/s": folder})
    assert isinstance(at(made, step, "src/s"), Fetch)


@pytest.mark.parametrize("toolbox", ["", "toolbox: other-toolbox\n"])
def test_patches_are_applied_with_the_default_toolbox(toolbox: str):
    made, step = linked(toolbox + APP % ", patches: [fix.patch]")
    patched = at(made, step, "src/s")
    assert isinstance(patched, Step)
    box = at(made, patched, "")
    assert isinstance(box, Fetch)
    assert isinstance(box.source, UrlSource)
    assert box.source.urls == ("base-toolbox/box",)


@pytest.mark.parametrize("source", ["{url: u, patches: [fix.patch]}", "{from: shared}"])
def test_what_applies_patches_belongs_to_the_graph(source: str):
    texts = {**TEXTS, "app": f"toolbox: other-toolbox\nsources: {{s: {source}}}\nbuild: x\n"}
    graph = RecipeGraph(
        [Target("app", "amd64")],
        lambda name, _at=None, _series="": read(texts[name], name),
        "amd64",
    )
    assert Target("base-toolbox", "") in graph.order()
    assert [each.recipe for each in graph.needs(Target("app", "amd64"))] == ["other-toolbox"]


def test_the_toolbox_that_applies_patches_has_none_itself():
    text = "kind: tool\ntoolbox: none\nsources: {s: {url: u, patches: [fix.patch]}}\n"
    recipe = read(text, "base-toolbox")
    with pytest.raises(RecipeError, match="need each other in a circle"):
        RecipeGraph(
            [Target("base-toolbox", "")], lambda _name, _at=None, _series="": recipe, "amd64"
        )


def test_who_asks_for_the_source_gets_what_was_published():
    recipe = read(APP % ", patches: [fix.patch]")
    graph = RecipeGraph(
        [Target("app", "amd64")],
        lambda name, _at=None, _series="": recipe if name == "app" else read(TEXTS[name], name),
        "amd64",
    )
    linker = Linker(graph, Pins(), "amd64")
    assert isinstance(linker.derivations[linker.source(recipe, "s")], Fetch)


def test_without_a_script_the_patched_tree_is_the_result():
    _, step = linked((APP % ", patches: [fix.patch]").replace("build: x\n", ""))
    assert step.label == "app/s with patches"


@define
class Collection:
    """The recipes that are there."""

    files: tuple[tuple[str, bytes, bool], ...] = FILES

    def recipe(self, name: str, _at: object = None, _series: str = "") -> Recipe:
        return read(TEXTS[name], name, self.files)


@pytest.mark.parametrize("source", ["{from: shared}", "{url: https://e.org, patches: [fix.patch]}"])
def test_nothing_is_read_out_of_what_a_patch_changes(source: str):
    recipe = read(
        f"version: {{from: s, line: 1, file: go.mod}}\nsources:\n  s: {source}\n"
        "pins: {other: {from: s, line: 1, file: README}}\n"
        "inputs: {go-modules: {from: s}}\nbuild: x\n"
    )
    message = "go.mod of s is read as it was published, and fix.patch changes it"
    pin, other, spec = recipe.version, recipe.pins["other"], recipe.go_modules
    assert spec is not None
    assert not isinstance(pin, str)
    assert not isinstance(other, str)
    with pytest.raises(RecipeError, match=message):
        pin_question(Collection(), Pins(), recipe, "version", pin)
    with pytest.raises(RecipeError, match=message):
        set_question(Collection(), [(recipe, spec)], listed=False)
    assert pin_question(Collection(), Pins(), recipe, "other", other).where == other.where


READERS = {
    "a Cargo.lock": ("c: {crates: s}", "Cargo.lock"),
    "one of a folder": ("c: {crates: s, file: d/Cargo.lock}", "d/Cargo.lock"),
    "the same": ("c: {crates: s, file: ./d/Cargo.lock}", "d/Cargo.lock"),
    "one in git's quotes": ("c: {crates: s, file: dé/Cargo.lock}", r'"a/d\303\251/Cargo.lock"'),
    "a go.sum": ("c: {go-module: e.org/c, version: v1.0.0, go-sum: s}", "go.sum"),
}


@pytest.mark.parametrize("source", ["{from: shared}", "{url: https://e.org, patches: [fix.patch]}"])
@pytest.mark.parametrize(("reader", "file"), READERS.values(), ids=READERS)
def test_no_source_is_read_out_of_what_a_patch_changes(reader: str, file: str, source: str):
    """What a description reads it says itself, so no kind of source has a rule of its own."""
    recipe = read(f"sources:\n  s: {source}\n  {reader}\nbuild: x\n")
    spec = recipe.sources["c"].spec
    assert source_question(Collection(), recipe, "c", spec, "amd64").where is not None
    name = file if file.startswith('"') else f"a/{file}"
    patch = FIX.replace(b"--- a/go.mod\n+++ b/go.mod", f"--- {name}\n+++ {name}".encode())
    files = (("fix.patch", patch, False),)
    recipes = Collection(files)
    recipe = read(f"sources:\n  s: {source}\n  {reader}\nbuild: x\n", files=files)
    with pytest.raises(RecipeError, match="is read as it was published, and fix") as caught:
        source_question(recipes, recipe, "c", spec, "amd64")
    assert caught.value.where == recipe.sources["c"].where


def test_a_workspace_is_read_from_its_own_file_too():
    spec = GoModulesSpec(source="s", directory="cmd", workspace=True)
    assert spec.files == ("cmd/go.mod", "cmd/go.sum", "cmd/go.work")


def test_a_series_has_patches_of_its_own():
    """They come after those of every series; the others have the source as it was."""
    text = (
        "kind: source\nsources: {t: {url: 'https://e.org/${v}.tar', patches: [fix.patch]}}\n"
        "per-series:\n  2: {v: b, patches: [add.patch]}\n  1: {v: a}\n"
    )
    tree = read(text, "tree")
    recipes = {"tree": tree}
    names = SeriesRecipes(lambda name, _at: recipes[name], lambda: ("2",))

    class Reader:
        def recipe(self, name: str, _at: Place | None = None, series: str = "") -> Recipe:
            return names.load(name, _at, series)

    for series, patches in (("2", ["fix.patch", "add.patch"]), ("1", ["fix.patch"])):
        owner = names.load(f"tree@{series}")
        assert [path for _, path in patches_of(Reader(), owner, "t", None)] == patches
    assert own_patches(tree) == {"fix.patch", "add.patch"}


def test_a_patch_of_a_series_that_is_not_there_is_named():
    text = "kind: source\nsources: {t: {url: 'https://e.org/t'}}\nper-series:\n  1:\n"
    text += "    patches: [gone.patch]\n"
    with pytest.raises(RecipeError, match=r"there is no file 'gone\.patch'") as why:
        read(text, "tree")
    assert str(why.value.where) == "tree/recipe.yaml:5:15"
