"""Whatever stands where a project has a file: it is read, or refused with its place, at once."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from workspaces import workspace

from rvbuild.app.choices import Choices
from rvbuild.app.folders import override_sources
from rvbuild.app.session import Session, lock_at
from rvbuild.cli.excerpt import excerpt
from rvbuild.cli.options import table
from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import LockError, RecipeError, RvbuildError, UsageError
from rvbuild.core.place import Place
from rvbuild.core.recipe import RESERVED_NAMES
from rvbuild.recipes_yaml import folder_root as folders
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.project_file import read_file

RECIPE = b"summary: a\nbuild: x\n"
LATIN_1 = os.fsdecode(b"caf\xe9.patch")


def fifo(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the whole path can be too long for a socket's address
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_fifo(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


ODD: dict[str, tuple[Callable[[Path], None], str]] = {
    "fifo": (fifo, "it is a FIFO"),
    "socket": (a_socket, "it is a socket"),
    "device": (device, "it is a device"),
    "link to a fifo": (link_to_fifo, "it is a FIFO"),
    "folder": (Path.mkdir, "Is a directory"),
    "link to nothing": (lambda path: path.symlink_to("gone"), "No such file"),
    "link to itself": (lambda path: path.symlink_to(path.name), "Too many levels"),
}


def refused_recipe(path: Path) -> RvbuildError:
    with pytest.raises(RecipeError) as caught:
        RecipeCollection((str(path.parents[1]),)).load("a")
    assert RecipeCollection((str(path.parents[1]),)).names() == ["a"], "it is told, not passed over"
    return caught.value


def refused_lock(path: Path) -> RvbuildError:
    with pytest.raises(LockError) as caught:
        lock_at(str(path))
    return caught.value


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    ("name", "refused"), [("recipe.yaml", refused_recipe), ("rvbuild.lock", refused_lock)]
)
def test_what_is_no_file_is_refused_with_its_place(
    tmp_path: Path, odd: str, name: str, refused: Callable[[Path], RvbuildError]
):
    folder = tmp_path / "recipes" / "a"
    folder.mkdir(parents=True)
    make, says = ODD[odd]
    make(folder / name)
    error = refused(folder / name)
    assert says in error.message
    assert str(error.where) == str(folder / name)
    assert hint_text(error.hint)


@pytest.mark.parametrize(("mode", "says"), [(0, "chmod u+r"), (0o400, "")])
def test_a_file_that_nobody_may_read_is_told_with_what_to_do(mode: int, says: str):
    with tempfile.TemporaryDirectory() as top:
        Path(top).chmod(0o755)
        file = Path(top, "rvbuild.lock")
        file.touch()
        file.chmod(mode)
        user = os.geteuid()
        os.chown(file, 54321 if user == 0 else -1, -1)
        os.seteuid(54321 if user == 0 else user)
        try:
            if not says:
                read_file(str(file), "it", limit=1, error=LockError)
                return
            with pytest.raises(LockError, match="Permission denied") as caught:
                read_file(str(file), "it", limit=1, error=LockError)
        finally:
            os.seteuid(user)
        assert f"{says} it" in hint_text(caught.value.hint)


@pytest.mark.parametrize("link", [False, True])
def test_a_plain_file_is_read_also_through_a_link(tmp_path: Path, *, link: bool):
    """The positive control: projects share recipes by links."""
    (tmp_path / "a").mkdir()
    file = tmp_path / "a" / "recipe.yaml"
    if link:
        (tmp_path / "shared.yaml").write_bytes(RECIPE)
        file.symlink_to("../shared.yaml")
    else:
        file.write_bytes(RECIPE)
    assert RecipeCollection((str(tmp_path),)).load("a").summary == "a"


@pytest.mark.parametrize("odd", sorted(ODD.keys() - {"folder"}))
def test_only_plain_files_lie_beside_a_recipe(tmp_path: Path, odd: str):
    (tmp_path / "a" / "below").mkdir(parents=True)
    (tmp_path / "a" / "recipe.yaml").write_bytes(RECIPE)
    (tmp_path / "a" / "below" / "file").write_bytes(b"x")
    assert RecipeCollection((str(tmp_path),)).load("a").files == (("below/file", b"x", False),)
    ODD[odd][0](tmp_path / "a" / "below" / "odd")
    with pytest.raises(RecipeError, match="only plain files may lie beside a recipe"):
        RecipeCollection((str(tmp_path),)).load("a")


def test_names_beside_a_recipe_are_utf_8(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "recipe.yaml").write_bytes(RECIPE)
    (tmp_path / "a" / "café.patch").write_bytes(b"x")
    assert [path for path, _, _ in RecipeCollection((str(tmp_path),)).load("a").files] == [
        "café.patch"
    ]
    (tmp_path / "a" / LATIN_1).mkdir()
    with pytest.raises(RecipeError, match="must be UTF-8") as caught:
        RecipeCollection((str(tmp_path),)).load("a")
    assert str(caught.value.where) == str(tmp_path / "a" / LATIN_1)


def test_a_recipe_folder_with_another_name_is_told(tmp_path: Path):
    (tmp_path / LATIN_1).mkdir()
    (tmp_path / LATIN_1 / "recipe.yaml").write_bytes(RECIPE)
    with pytest.raises(RecipeError, match="not a recipe name"):
        RecipeCollection((str(tmp_path),)).load(LATIN_1)


def test_folders_beside_a_recipe_have_a_depth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(folders, "MAX_DEPTH", 2)
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "a" / "recipe.yaml").write_bytes(RECIPE)
    (tmp_path / "a" / "b" / "c" / "d").write_bytes(b"x")
    assert len(RecipeCollection((str(tmp_path),)).load("a").files) == 1
    (tmp_path / "a" / "b" / "c" / "e" / "f").mkdir(parents=True)
    with pytest.raises(RecipeError, match="at most 2 folders in each other"):
        RecipeCollection((str(tmp_path),)).load("a")


@pytest.mark.parametrize("name", ["", ".", "..", "../a", "a/../a", "/a", "a\0b"])
def test_a_recipes_name_leads_nowhere_else(tmp_path: Path, name: str):
    (tmp_path / "a").mkdir()
    for place in (tmp_path, tmp_path / "a"):
        (place / "recipe.yaml").write_bytes(RECIPE)
    with pytest.raises(UsageError, match="there is no recipe called"):
        RecipeCollection((str(tmp_path / "a"), str(tmp_path))).load(name)


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_a_recipe_is_not_called_as_a_place_of_rvbuilds_own(tmp_path: Path, name: str):
    for each in (name, f"{name}-x"):
        (tmp_path / each).mkdir()
        (tmp_path / each / "recipe.yaml").write_bytes(RECIPE)
    recipes = RecipeCollection((str(tmp_path),))
    assert recipes.load(f"{name}-x").summary == "a"
    with pytest.raises(RecipeError, match=f"cannot be called '{name}': /in/{name} is ") as caught:
        recipes.load(name)
    assert str(caught.value.where) == str(tmp_path / name / "recipe.yaml")
    with pytest.raises(RecipeError) as caught:
        recipes.load(name, "user.yaml:2:3")
    assert str(caught.value.where) == "user.yaml:2:3"


def test_a_file_is_read_up_to_its_limit(tmp_path: Path):
    file = tmp_path / "f"
    file.write_bytes(b"12345")
    assert read_file(str(file), "f", limit=5, error=RecipeError).data == b"12345"
    assert read_file(str(file), "f", limit=2, error=RecipeError).data == b"123"


def test_nothing_of_what_a_link_leads_to_is_shown(tmp_path: Path):
    (tmp_path / "secret").write_text("token: x\n")
    (tmp_path / "recipe.yaml").symlink_to("secret")
    assert excerpt(Place(f"{tmp_path}/secret", 1, 1)) == ("", "token", ": x")
    assert excerpt(Place(f"{tmp_path}/recipe.yaml", 1, 1)) is None


def test_an_override_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("one", "two", "recipes/k"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "recipes/k/recipe.yaml").write_text("kind: source\nsources: {k: {path: .}}\n")

    def overrides(*words: str) -> list[str]:
        choices = Choices(overrides=table(words, "--override", "NAME=PATH"))
        session = Session(workspace(str(tmp_path), str(tmp_path / "store")), print, choices)
        with closing(session):
            sources = override_sources(choices, session.folder, session.own)
            return [source.path for source in sources.values()]

    assert overrides("k=one", "k=one") == ["one"]
    with pytest.raises(UsageError, match="--override k is said twice, as one and as two"):
        overrides("k=one", "k=two")
    with pytest.raises(UsageError, match="the overrides of k and k/k"):
        overrides("k=one", "k/k=two")
