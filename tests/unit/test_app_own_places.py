"""Which folders rvbuild changes, and what is asked of the outside all the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import define, field

from rvbuild.app.own_places import OutsideOwn, OwnPlaces
from rvbuild.core.errors import LockError, RecipeError, SourceError
from rvbuild.core.place import Place
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec
from rvbuild.kinds.path.spec import PathSpec
from rvbuild.kinds.url.spec import UrlSpec
from rvbuild.stores.top import FOLDERS


@define
class Outside:
    """Notes what it is asked, and knows nothing."""

    asked: list[SourceSpec] = field(factory=list)

    def resolve(self, spec: SourceSpec, _context: ResolveContext) -> tuple[Source, ...]:
        self.asked.append(spec)
        return ()


def context(folder: Path) -> ResolveContext:
    return ResolveContext(
        build_arch="amd64",
        folder=str(folder),
        where=Place("recipes/k/recipe.yaml", 3, 2),
        read=lambda _source, _file: b"",
    )


def test_only_a_folder_that_holds_one_of_them_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A name that begins alike is another folder; so is one beside the store's own."""
    monkeypatch.chdir(tmp_path)
    own = OwnPlaces(lock=f"{tmp_path}/p/rvbuild.lock", store=f"{tmp_path}/store/of/mine")
    outside = Outside()
    guarded = OutsideOwn(outside, own)
    recipe = context(tmp_path / "p/recipes/k")
    free = [UrlSpec(url="https://e.org/a.tar"), PathSpec(path="../../src"), PathSpec(path=".")]
    free += [PathSpec(path=f"{tmp_path}/{name}") for name in ("sto", "store/of/mine/src", "pp")]
    for spec in free:
        guarded.resolve(spec, recipe)
    assert outside.asked == free
    for path in ("../..", f"{tmp_path}/store", f"{tmp_path}/store/of/mine", "/"):
        with pytest.raises(RecipeError, match="which rvbuild changes") as caught:
            guarded.resolve(PathSpec(path=path), recipe)
        assert caught.value.hint
    assert outside.asked == free


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize("below", ["", "/ab/cdef"])
@pytest.mark.parametrize("is_link", [False, True])
def test_no_folder_in_the_store_is_a_source(
    tmp_path: Path,
    name: str,
    below: str,
    is_link: bool,  # noqa: FBT001
):
    """By its own path, and by a link to it, as those to results are; whether it is there or not."""
    store = tmp_path / "store"
    own = OwnPlaces(lock=f"{tmp_path}/p/rvbuild.lock", store=str(store))
    folder = Path(f"{store}/{name}{below}")
    if is_link:
        folder.mkdir(parents=True)
        (tmp_path / "link").symlink_to(folder)
        folder = tmp_path / "link"
    refusals = [
        (RecipeError, own.refuse_source),
        (LockError, own.refuse_locked),
        (SourceError, own.refuse_override),
    ]
    for error, refuse in refusals:
        with pytest.raises(error, match="the folder lies in the store") as caught:
            refuse(str(folder))
        assert "copy what you need out of the store" in str(caught.value.hint)
        refuse(f"{store}{name}")


def test_links_to_results_count_while_they_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    own = OwnPlaces(lock="/elsewhere/rvbuild.lock", store="/elsewhere/store")
    own.refuse_locked(str(tmp_path))
    (tmp_path / "result").mkdir()
    with pytest.raises(LockError, match="holds links to results"):
        own.refuse_locked(str(tmp_path))
    own.refuse_override(str(tmp_path))
    with pytest.raises(SourceError, match="holds the store"):
        own.refuse_override("/elsewhere")
