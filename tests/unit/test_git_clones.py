"""The folder of clones: what is in its way, what is discarded of it, and by whom."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from attrs import define, evolve, frozen
from git_server import serving, smart_http

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import CloneError, StoreError, leaves_others_whole
from rvbuild.git.clones import Clones
from rvbuild.git.process import Failed, Git
from rvbuild.git.repository import Repository
from rvbuild.git.revision import Revision

TAG = Revision(tag="v1")


def not_told(_count: int) -> None:
    """Nobody wants to know of the bytes."""


@define
class Store:
    """A store's folder for what passes, a repository that a server has, and decoys beside them."""

    root: Path
    address: str

    @property
    def tmp(self) -> Path:
        return self.root / "store/tmp"

    def clones(self) -> Clones:
        """Those of one run."""
        return Clones(folder=self.tmp / "git", temp=self.tmp)

    def make(self, clones: Clones, revision: Revision = TAG, *, renew: bool = False) -> Repository:
        program = shutil.which("git") or ""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.root)}
        git = Git(program, environment | {"GIT_CONFIG_NOSYSTEM": "1"})
        return clones.make(git, self.address, revision, not_told, renew=renew)

    def kept(self, clones: Clones) -> Repository:
        kept = clones.kept(self.address, TAG)
        assert kept is not None
        return kept

    def decoy(self) -> Path:
        """A folder outside, with whatever a run might take for its own."""
        outside = self.root / "outside"
        for name in ("git", "git-1", "x.git/objects"):
            (outside / name).mkdir(parents=True)
            (outside / name / "file").write_text("mine")
        return outside


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    folder = tmp_path / "r"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    folder.mkdir()
    for command in (
        ["init", "-q"],
        ["-c", "user.name=A", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-mx"],
        ["tag", "v1"],
    ):
        subprocess.run(["git", *command], cwd=folder, env=environment, check=True)
    with serving(smart_http(tmp_path)) as address:
        yield Store(tmp_path, f"{address}/r/.git")


def listed(folder: Path) -> list[tuple[str, bytes]]:
    """All that is in a folder, links not followed."""
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    return [(str(file), file.read_bytes()) for file in files]


# ---- what is in the way


def a_file(store: Store, at: Path) -> None:
    assert store.root in at.parents
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_text("")


def a_link(store: Store, at: Path) -> None:
    at.parent.mkdir(parents=True, exist_ok=True)
    at.symlink_to(store.decoy())


def a_link_to_nowhere(store: Store, at: Path) -> None:
    at.parent.mkdir(parents=True, exist_ok=True)
    at.symlink_to(store.root / "nowhere")


THINGS = {"file": a_file, "link": a_link, "link to nowhere": a_link_to_nowhere}


@pytest.mark.parametrize("renew", [True, False])
@pytest.mark.parametrize("at", ["store/tmp", "store/tmp/git"])
@pytest.mark.parametrize("put", THINGS.values(), ids=THINGS)
def test_what_is_in_the_way_is_named_and_left_alone(
    store: Store,
    put: Callable[[Store, Path], None],
    at: str,
    renew: bool,  # noqa: FBT001
):
    put(store, store.root / at)
    before = listed(store.root)
    with pytest.raises(CloneError) as caught:
        store.make(store.clones(), renew=renew)
    assert str(caught.value.where) == str(store.root / at)
    assert "where a folder must be" in str(caught.value)
    assert "move it away" in hint_text(caught.value.hint)
    assert listed(store.root) == before
    assert not (store.root / "nowhere").exists()


def test_a_store_as_a_file(store: Store):
    a_file(store, store.root / "store")
    with pytest.raises(StoreError) as caught:
        store.make(store.clones())
    assert "cannot look for the clone: Not a directory" in str(caught.value)
    assert "a file is in the way" in hint_text(caught.value.hint)


@pytest.mark.parametrize(
    ("place", "hint"),
    [("x" * 300, "a shorter path"), ("/proc/nowhere", "repair")],
    ids=["a long name", "no such file system"],
)
def test_what_the_system_refuses_is_the_stores_matter(store: Store, place: str, hint: str):
    folder = store.root / place
    with pytest.raises(StoreError, match=r"cannot (look for|keep) the clone: ") as caught:
        store.make(Clones(folder=folder / "git", temp=folder))
    assert hint in hint_text(caught.value.hint)


@frozen
class Failing(Git):
    """Whose transfers end as a call of the system does that fails."""

    number: int = 0

    def fetch(self, *_: object, **__: object) -> None:
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize(
    ("number", "is_of_one"),
    [(errno.EACCES, True), (errno.ENOTDIR, True), (errno.ENOSPC, False), (errno.EROFS, False)]
    + [(each, False) for each in (errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENOMEM)],
)
def test_what_is_of_one_clone_leaves_others_whole(store: Store, number: int, *, is_of_one: bool):
    git = Failing("git", {}, number=number)
    with pytest.raises(StoreError) as caught:
        store.clones().make(git, store.address, TAG, not_told)
    assert isinstance(caught.value, CloneError) is is_of_one
    assert leaves_others_whole(caught.value) is is_of_one


# ---- what is discarded


@pytest.mark.parametrize("old", [True, False], ids=["of an earlier run", "of this run"])
def test_whoever_is_late_discards_no_newer_clone(store: Store, *, old: bool):
    """Two have read one damaged clone; the quicker one has made another in its place."""
    run = store.clones()
    store.make(store.clones() if old else run)
    quick, slow = store.kept(run), store.kept(run)
    assert quick.old is old
    run.discard(quick)
    assert run.kept(store.address, TAG) is None
    new = store.make(run)
    assert new.clone != quick.clone
    run.discard(slow)
    assert store.kept(run).clone == new.clone
    assert not store.kept(run).old
    assert new.objects.is_dir()


def test_a_clone_of_an_earlier_run_stays_until_another_is_there(store: Store):
    """Nobody knows whether it can be had again."""
    store.make(store.clones())
    run = store.clones()
    old = store.kept(run)
    run.discard(old)
    (store.root / "r").rename(store.root / "away")
    with pytest.raises(Failed):
        store.make(run)
    (store.root / "away").rename(store.root / "r")
    assert (old.folder / "HEAD").exists()
    assert store.kept(store.clones()).clone == old.clone
    assert store.make(run).objects == old.objects
    assert store.kept(run).clone != old.clone
    assert [each.name for each in store.tmp.iterdir()] == ["git"]


@pytest.mark.parametrize("old", [True, False], ids=["of an earlier run", "of this run"])
def test_another_clone_with_the_same_inode_is_told_apart(store: Store, *, old: bool):
    """A file system gives the number of an inode that went away to the next one."""
    run = store.clones()
    store.make(store.clones() if old else run)
    kept = store.kept(run)
    assert kept.clone is not None
    gone = evolve(kept, clone=evolve(kept.clone, changed=kept.clone.changed - 1))
    run.discard(gone)
    assert store.kept(run) == kept
    run.discard(kept)
    assert run.kept(store.address, TAG) is None


def test_many_threads_with_one_damaged_clone_make_one(store: Store):
    store.make(store.clones())
    run, together = store.clones(), Barrier(6)

    def mend(_number: int) -> Repository:
        old = store.kept(run)
        together.wait()
        run.discard(old)
        return store.make(run)

    with ThreadPoolExecutor(6) as pool:
        made = {mended.clone for mended in pool.map(mend, range(6))}
    assert made == {store.kept(run).clone}


def test_a_tag_that_is_called_like_a_commit_has_a_clone_of_its_own(store: Store):
    """Each lacks what the other has, and whoever misses it would discard the other."""
    folder = store.root / "r"
    command = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    name = commit.stdout.strip()
    subprocess.run(["git", "tag", name], cwd=folder, check=True)
    run = store.clones()
    revisions = (Revision(tag=name), Revision(commit=name))
    made = [store.make(run, each) for each in revisions]
    assert made[0].folder != made[1].folder
    kept = [run.kept(store.address, each) for each in revisions]
    assert [each and each.clone for each in kept] == [each.clone for each in made]
    assert (made[0].folder / "refs/tags" / name).exists()


def test_a_clone_that_is_renewed_is_there_all_the_time(store: Store):
    store.make(store.clones())
    run = store.clones()
    old = store.kept(run)
    new = store.make(run, renew=True)
    assert new.objects == old.objects
    assert new.clone != old.clone
    run.discard(old)
    assert (new.folder / "HEAD").exists()
    assert [each.name for each in store.tmp.iterdir()] == ["git"]


def test_a_link_in_the_place_of_a_clone_is_replaced_and_not_followed(store: Store):
    run = store.clones()
    name = store.make(run).folder
    shutil.rmtree(name)
    outside = store.decoy()
    name.symlink_to(outside)
    before = listed(outside)
    assert run.kept(store.address, TAG) is None
    assert store.make(run).folder == name
    assert not name.is_symlink()
    assert listed(outside) == before


def test_a_folder_that_became_a_link_meanwhile_is_not_emptied(store: Store):
    run = store.clones()
    made = store.make(run)
    outside = store.root / "outside"
    (store.tmp / "git").rename(outside)
    (store.tmp / "git").symlink_to(outside)
    before = listed(outside)
    with pytest.raises(StoreError, match="cannot remove the clone: a symbolic link"):
        run.discard(made)
    assert listed(outside) == before
