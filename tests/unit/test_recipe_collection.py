"""Folders of recipes on disk, and what fields refuse."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import LockError, RecipeError, UsageError
from rvbuild.core.lock import Lock, LockedSource
from rvbuild.core.source import Files
from rvbuild.recipes_yaml import folder_root as folders
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.document import MAX_BYTES
from rvbuild.recipes_yaml.lock import read_lock, write_lock
from rvbuild.recipes_yaml.recipe import read_recipe


def put(root: Path, name: str, text: str = "build: x\n") -> Path:
    (root / name).mkdir(parents=True)
    (root / name / "recipe.yaml").write_text(text)
    return root / name


def test_an_earlier_folder_hides_a_later_ones_recipe(tmp_path: Path):
    put(tmp_path / "mine", "a", "summary: mine\nbuild: x\n")
    put(tmp_path / "theirs", "a", "summary: theirs\nbuild: x\n")
    put(tmp_path / "theirs", "b")
    (tmp_path / "mine" / "no-recipe").mkdir()
    both = RecipeCollection(
        (str(tmp_path / "mine"), str(tmp_path / "theirs"), str(tmp_path / "gone"))
    )
    assert both.names() == ["a", "b"]
    assert both.load("a").summary == "mine"
    assert both.load("b").file.endswith("theirs/b/recipe.yaml")


def test_places_are_relative_to_where_the_person_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    put(tmp_path / "recipes", "a")
    monkeypatch.chdir(tmp_path)
    assert RecipeCollection((str(tmp_path / "recipes"),)).load("a").file == "recipes/a/recipe.yaml"


def test_a_recipe_that_is_not_there(tmp_path: Path):
    """The command line's mistake has no place, a recipe's has one; both get a suggestion."""
    put(tmp_path, "libseccomp")
    recipes = RecipeCollection((str(tmp_path),))
    with pytest.raises(UsageError) as asked:
        recipes.load("libsecomp")
    assert hint_text(asked.value.hint) == "did you mean 'libseccomp'?"
    with pytest.raises(RecipeError) as needed:
        recipes.load("zzz", "a.yaml:1:1")
    assert str(needed.value.where) == "a.yaml:1:1"
    assert str(tmp_path) in hint_text(needed.value.hint)


def test_files_beside_a_recipe_are_taken_in_order_with_their_bit(tmp_path: Path):
    recipe = put(tmp_path, "a")
    (recipe / "z").mkdir()
    (recipe / "z" / "b.patch").write_bytes(b"b")
    (recipe / "a.sh").write_bytes(b"#!")
    (recipe / "a.sh").chmod(0o755)
    (recipe / "z" / "b.patch").chmod(0o645)  # root may execute it; its owner may not
    assert RecipeCollection((str(tmp_path),)).load("a").files == (
        ("a.sh", b"#!", True),
        ("z/b.patch", b"b", False),
    )


def test_what_may_not_lie_beside_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    recipes = RecipeCollection((str(tmp_path),))
    recipe = put(tmp_path, "a")
    (recipe / "link").symlink_to("/etc/passwd")
    with pytest.raises(RecipeError, match="only plain files"):
        recipes.load("a")
    (recipe / "link").unlink()
    (recipe / "link").symlink_to(tmp_path)
    with pytest.raises(RecipeError, match="only plain files") as caught:
        recipes.load("a")
    assert str(caught.value.where) == str(recipe / "link")
    (recipe / "link").unlink()
    os.mkfifo(recipe / "pipe")
    with pytest.raises(RecipeError, match="only plain files"):
        recipes.load("a")
    (recipe / "pipe").unlink()
    (recipe / "large").write_bytes(b"x" * (MAX_BYTES + 1))
    with pytest.raises(RecipeError, match="too much beside the recipe") as caught:
        recipes.load("a")
    assert "give them a URL" in hint_text(caught.value.hint)
    (recipe / "large").write_bytes(b"x")
    monkeypatch.setattr(folders, "MAX_FILES", 1)
    assert len(recipes.load("a").files) == 1
    (recipe / "more").write_bytes(b"x")
    with pytest.raises(RecipeError, match="at most 1 files"):
        RecipeCollection((str(tmp_path),)).load("a")


def test_a_recipe_that_cannot_be_read(tmp_path: Path):
    (tmp_path / "a" / "recipe.yaml").mkdir(parents=True)
    with pytest.raises(RecipeError, match="cannot be read: Is a directory") as caught:
        RecipeCollection((str(tmp_path),)).load("a")
    assert str(caught.value.where).endswith("a/recipe.yaml")


def test_a_large_recipe_is_refused_by_its_size(tmp_path: Path):
    put(tmp_path, "a", "# " + "x" * MAX_BYTES)
    with pytest.raises(RecipeError, match="at most"):
        RecipeCollection((str(tmp_path),)).load("a")


LINE = "{from: k, line: 1, file: V}"
SOURCE = (
    "kind: source\nsources: {s: {git: 'https://e.org/r', commit: '${commit}', paths: ['${p}']}}\n"
)
HEX = "1" * 40
SERIES = (
    f"{SOURCE}per-series:\n  2: {{commit: {HEX}, p: a, release: v2, end-of-support: 2027-02-28}}\n"
)


@pytest.mark.parametrize(
    ("last", "says", "hint"),
    [
        ("{p: a}", "the series '1' has no 'commit', which the series '2' has", "every series"),
        (
            f"{{commit: {HEX}, q: a}}",
            "the series '1' sets 'q', and the source has no ${q}",
            "leave",
        ),
        (f"{{commit: {HEX}, p: a, relese: v1}}", "the series '1' sets 'relese'", "mean 'release'"),
        (f"{{comit: {HEX}, p: a}}", "the series '1' sets 'comit'", "did you mean 'commit'?"),
        (f"{{commit: {HEX}, p: a, patch: [x]}}", "'patch' must be one value", ""),
        (
            "{end-of-suport: 2027-02-28}",
            "'end-of-suport' is not a",
            "did you mean 'end-of-support'",
        ),
        (f"{{commit: {HEX}, p: a, update: minr}}", "'update' cannot be 'minr'", "mean 'minor'"),
        (f"{{commit: {HEX}, p: a, min-age: 7}}", "'min-age' must be a time such as 12h", ""),
        ("{a-b: c}", "'a-b' is not a variable name", "letters, digits and _"),
        *(
            (f"{{end-of-support: '{day}'}}", f"must be a day, not '{day}'", "YYYY-MM-DD")
            for day in ("soon", "20270228", "2027-W08-7", "2027-02-29", "2027-2-28", "27-02-28")
        ),
    ],
)
def test_a_series_has_the_keys_of_all_others(last: str, says: str, hint: str):
    with pytest.raises(RecipeError) as caught:
        read_recipe(f"{SERIES}  1: {last}\n".encode(), "r", "r.yaml")
    assert says in caught.value.message
    assert hint in (caught.value.hint or "")
    assert str(caught.value.where).startswith("r.yaml:5:")


@pytest.mark.parametrize(
    ("more", "says", "hint"),
    [
        ("", "the source has ${tag}, and the series '2' has no 'tag'", "add it to each series"),
        ("{commit: c}", "the source has ${tag}, and the series '2' has no 'tag'", "as `tag: …`"),
        ("{tags: c}", "the series '2' sets 'tags', and the source has no ${tags}", "mean 'tag'?"),
    ],
)
def test_what_no_series_has_is_told_with_the_series(more: str, says: str, hint: str):
    source = "{git: 'https://e.org/${name}', tag: '${tag}', paths: ['${commit}', '${version}']}"
    source = source if more else source.replace("'${commit}', ", "")
    text = f"kind: source\nsources: {{s: {source}}}\nper-series:\n  2: {more or '{}'}\n"
    with pytest.raises(RecipeError) as caught:
        read_recipe(text.encode(), "r", "r.yaml")
    assert says in caught.value.message
    assert hint in (caught.value.hint or "")
    assert str(caught.value.where).startswith("r.yaml:4:")


def test_the_first_series_may_be_the_one_that_lacks_a_value():
    text = f"{SOURCE}per-series:\n  2: {{p: a}}\n  1: {{p: b, commit: {HEX}}}\n"
    with pytest.raises(RecipeError, match="the series '2' has no 'commit'") as caught:
        read_recipe(text.encode(), "r", "r.yaml")
    assert str(caught.value.where).startswith("r.yaml:4:")


def test_a_series_needs_no_values():
    assert read_recipe(f"{SERIES}  1: {{commit: {HEX}, p: b}}\n".encode(), "r", "r.yaml")
    plain = "kind: source\nsources: {s: {url: u}}\nper-series: {2: {release: a}, 1: {}}\n"
    assert read_recipe(plain.encode(), "r", "r.yaml").per_series["1"].release == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("build: x\nenv: [a]\n", "a mapping"),
        ("build: x\nenv: {PATH: /bin}\n", "'PATH' is set by rvbuild itself"),
        ("build: x\nenv: {1a: b}\n", "not a variable name"),
        ("build: x\nexports: {env: {out: b}}\n", "'out' is set by rvbuild itself"),
        ("build: x\nper-architecture: {arm64: {jobs: 1}}\n", "'jobs' is set by rvbuild itself"),
        ("build: x\npins: {a: b}\nenv: {a: c}\n", "'a' is also set under 'pins'"),
        ("build: x\nenv: {a: c}\nper-architecture: {arm64: {a: b}}\n", "also set under 'env'"),
        ("build: x\npins: {a: c}\nper-architecture: {arm64: {a: b}}\n", "also set under 'pins'"),
        ("kind: source\nsources: {a: {from: b}}\n", "cannot be another recipe's"),
        ("build: x\nversion: {first-of: []}\n", "must be a list of pins"),
        ("build: x\nversion: {first-of: [{literal: a}], prefer: 2}\n", "under 'first-of', not 2"),
        ("build: x\nversion: {one-of: []}\n", "'one-of' must be a list of pins"),
        (
            "build: x\nversion: {one-of: [{from: k, git: date}], prefer: 1}\n",
            "unknown key 'prefer'",
        ),
        (f"build: x\nversion: {{one-of: [{LINE}, {{literal: a}}]}}\n", "'one-of' has a 'literal'"),
        (f"build: x\npins: {{a: {{one-of: [{LINE}, {{from: k, git: short}}]}}}}\n", "has a 'git'"),
        ("build: x\nper-series: {2: {version: a}}\n", "'version' is set by rvbuild itself"),
        ("build: x\nper-series: {A: {commit: a}}\n", "'A' is not the name of a series"),
        ("build: x\nper-series: {2: {end-of-support: soon}}\n", "must be a day, not 'soon'"),
        ("build: x\nper-series: {2: {commit: a}}\n", "has no values per series"),
        ("build: x\nsources: {a: {}}\n", "exactly one kind"),
    ],
)
def test_recipes_that_say_two_things(text: str, says: str):
    with pytest.raises(RecipeError) as caught:
        read_recipe(text.encode(), "r", "r.yaml")
    assert says in caught.value.message
    assert str(caught.value.where).startswith("r.yaml:")


def test_architectures_may_each_have_their_own_value():
    text = "build: x\nper-architecture: {arm64: {a: b}, riscv64: {a: c}}\n"
    assert read_recipe(text.encode(), "r", "r.yaml").per_architecture["riscv64"] == {"a": "c"}


REST = "module-sets: {}\n"
HEAD = f"lock: 2\npins: {{}}\nsources:\n  a/b:\n    spec: s\n    parts: %s\n{REST}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"lock: 2\npins: []\nsources: {{}}\n{REST}", "'pins' must be a mapping"),
        (f"lock: 2\nsources: {{}}\n{REST}", "'pins' is missing"),
        (HEAD % "[]", "at least one source"),
        (HEAD % "x", "'parts' must be a list"),
        (HEAD % "[{kind: path, path: p, digest: abc}]", "must be the digest of a tree"),
        (f"lock: 2\npins: {{}}\nsources: {{}}\n{REST}more: 1\n", "unknown key 'more'"),
    ],
)
def test_locks_of_another_form(text: str, says: str):
    with pytest.raises(LockError) as caught:
        read_lock(text.encode(), "l")
    assert says in caught.value.message


def test_an_empty_lock_is_a_beginning():
    assert read_lock(b" \n", "l") == read_lock(write_lock(read_lock(b"", "l")).encode(), "l")


def test_the_last_entry_of_a_section_can_be_taken_out():
    """As the hint about changed bytes asks for; the section's name alone is left."""
    text = f"lock: 2\npins: {{}}\nsources:\n{REST}"
    assert read_lock(text.encode(), "l") == read_lock(b"", "l")


def test_what_rvbuild_brings_itself_is_in_no_lock():
    brought = LockedSource(spec="", parts=(Files(label="x", files=()),))
    with pytest.raises(TypeError, match="Files does not stand in a lock"):
        write_lock(Lock(sources={"a": brought}))


def test_a_recipe_and_each_series_may_say_what_moves_by_itself():
    last = f"1: {{commit: {HEX}, p: a, update: none, min-age: 0d}}"
    said = f"update: patch\nmin-age: 7d\n{SERIES}  {last}\n"
    recipe = read_recipe(said.encode(), "r", "r.yaml")
    assert (recipe.update, recipe.min_age) == ("patch", "7d")
    two, one = recipe.per_series.values()
    assert (two.update, two.min_age, one.update, one.min_age) == ("", "", "none", "0d")
    assert "update" not in one.values


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("update: [minor]", "'update' must be one value"),
        ("update: latest", "'update' cannot be 'latest'"),
        ("min-age: ''", "'min-age' must be a time such as 12h, 7d or 2w, not ''"),
        ("min-age: a week", "'min-age' must be a time such as 12h, 7d or 2w, not 'a week'"),
    ],
)
def test_what_no_policy_can_be_is_refused_with_its_place(line: str, says: str):
    with pytest.raises(RecipeError, match=re.escape(says)) as caught:
        read_recipe(f"{line}\nbuild: x\n".encode(), "r", "r.yaml")
    assert str(caught.value.where).startswith("r.yaml:1:")
