"""Links, FIFOs, sockets, devices, and folders for files, in every place of a store.

Each case puts one odd thing into one place of a store that is otherwise sound. What is outside
stays as it was to the byte, the inode and the time; nobody waits; ``verify`` names the place,
``gc`` collects nothing, a build ends well or with an error that names what to do, and ``repair``
sets the thing aside as what it is. The same with nothing odd in it: nothing happens.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kept_results import built, hold

from rvbuild.app.memo import Memo
from rvbuild.cli.remedies import hint_text
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.digest import Digest
from rvbuild.core.errors import RvbuildError, StoreError
from rvbuild.stores.collect import collect
from rvbuild.stores.local import LocalStore
from rvbuild.stores.repair import Repair, repair
from rvbuild.stores.verify import verify

SHARDS = ["cas", "exec", "trees", "ac", "realisations", "failed"]
SHARDS += ["accelerated/ac", "accelerated/realisations"]
FOLDERS = [*SHARDS, "accelerated", "roots", "locks", "memo", "accelerators", "damaged", "tmp"]
RECORDS = [*SHARDS, "roots", "memo", "locks/store", "locks/on-x", "accelerators/go"]
RECORDS += ["tree folder", "folder in a tree", "file in a tree"]

UNSEEN = {"folder in a tree", "file in a tree"}
"""What gc does not look into: it removes a tree whole, or leaves it."""


def filled(tmp_path: Path) -> LocalStore:
    """A store with something in every folder."""
    store = LocalStore(str(tmp_path / "store"), durable=False)
    hold(store, tmp_path / "one", built(store, "one"))
    built(store, "two", accelerated=True)
    store.failure_logs.record_failure("f" * 64, store.cas.write(b"log of a failure"))
    Memo(store.layout.root, ["question"]).keep("answer", [], [], [])
    for folder in ("accelerators/go", "damaged/earlier", "tmp/left"):
        Path(store.layout.root, folder).mkdir(parents=True)
    Path(store.layout.locks, "on-x").touch()
    return store


def place(store: LocalStore, what: str, depth: str) -> Path:
    """The path that a case is about; of several the first."""
    root = Path(store.layout.root)
    if depth == "folder":
        return root / what
    if depth == "shard":
        return min((root / what).iterdir())
    tree = Path(store.mountable.path(built(store, "one").output))
    of_tree = {
        "tree folder": tree,
        "folder in a tree": tree / "bin",
        "file in a tree": tree / "doc",
    }
    if what in of_tree:
        return of_tree[what]
    if what == "trees":
        return Path(f"{tree}.tree")
    path = root / what
    while path.is_dir() and what != "accelerators/go":
        path = min(path.iterdir())
    return path


def link_to_decoy(path: Path, decoy: Path, *, folder: bool) -> None:
    path.symlink_to(decoy if folder else decoy / "file")


def link_to_nothing(path: Path, decoy: Path, *, folder: bool) -> None:
    del folder
    path.symlink_to(decoy / "no/such")


def fifo(path: Path, decoy: Path, *, folder: bool) -> None:
    del decoy, folder
    os.mkfifo(path)


def endpoint(path: Path, decoy: Path, *, folder: bool) -> None:
    del decoy, folder
    here = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as bound:  # the name of a socket is short
        bound.bind(f"/proc/self/fd/{here}/s")
    os.close(here)
    (path.parent / "s").rename(path)


def device(path: Path, decoy: Path, *, folder: bool) -> None:
    del decoy, folder
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes devices")


def the_other(path: Path, decoy: Path, *, folder: bool) -> None:
    """A file for a folder, a folder for a file."""
    del decoy
    if folder:
        path.write_bytes(b"somebody's words")
    else:
        path.mkdir()
        (path / "words").write_bytes(b"somebody's words")


KINDS = (link_to_decoy, link_to_nothing, fifo, endpoint, device, the_other)


def seen(top: Path) -> dict[str, object]:
    """All that can change of what is below a folder, without following or opening anything odd."""
    found: dict[str, object] = {}
    for path in [top, *top.rglob("*")]:
        there = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(there.st_mode) else None
        content = os.readlink(path) if stat.S_ISLNK(there.st_mode) else content
        times = () if stat.S_ISDIR(there.st_mode) and top.name == "store" else (there.st_mtime_ns,)
        found[str(path)] = (there.st_ino, there.st_mode, there.st_nlink, content, times)
    return found


@pytest.fixture
def decoy(tmp_path: Path) -> Path:
    """A folder outside, which looks a little like what a link stands for."""
    top = tmp_path / "decoy"
    (top / "sub").mkdir(parents=True)
    for name in ("file", "sub/file", "a" * 64, "store", "on-x", "f" * 64):
        (top / name).write_bytes(b"precious")
    for path in (top / "file", top / "sub"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return top


@pytest.fixture(autouse=True)
def _awake() -> Iterator[None]:
    """A call that waits for ever fails here."""

    def ring(*_: object) -> None:
        msg = "it waits"
        raise TimeoutError(msg)

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(60)
    yield
    signal.alarm(0)


def findings(store: LocalStore) -> set[str]:
    found: set[str] = set()
    verify(store, lambda finding: found.add(finding.path))
    return found


def use(root: str, tmp_path: Path) -> None:
    """What a build does, as far as it gets: each part ends well or with an error of ours."""
    parts: list[Callable[[LocalStore], object]] = [
        lambda store: built(store, "one"),
        lambda store: built(store, "two", accelerated=True),
        lambda store: built(store, "new"),
        lambda store: store.trees.merge([("a", built(store, "one").output)]).root,
        lambda store: hold(store, tmp_path / "one", built(store, "one")),
        lambda store: store.realisations.realisation(Digest.of(b"two").hash),
        lambda store: store.failure_logs.failed("f" * 64),
        lambda store: store.failure_logs.record_failure("f" * 64, Digest.of(b"log")),
        lambda store: store.failure_logs.forget_failure("f" * 64),
        lambda store: store.mountable.refuse_changed(built(store, "one").output),
        lambda store: store.roots.roots(),
    ]
    errors = []
    for part in parts:
        try:
            store = LocalStore(root, durable=False)
            with store.locks.shared(), store.locks.lock("x"):
                part(store)
        except RvbuildError as error:
            errors.append(error)
    assert all(error.where and hint_text(error.hint) for error in errors)
    Memo(root, ["question"]).recall()
    Memo(root, ["question"]).keep("answer", [], [], [])


CASES = [
    *((what, "folder") for what in FOLDERS),
    *((what, "shard") for what in SHARDS),
    *((what, "record") for what in RECORDS),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("what", "depth"), CASES)
def test_nothing_outside_is_touched(
    tmp_path: Path,
    decoy: Path,
    what: str,
    depth: str,
    kind: Callable[..., None],
) -> None:
    path = place(filled(tmp_path), what, depth)
    folder = path.is_dir()
    path.rename(tmp_path / "good")
    kind(path, decoy, folder=folder)
    before, root = seen(decoy), tmp_path / "store"
    good, odd = seen(tmp_path / "good"), path.lstat()

    assert str(path) in findings(LocalStore(str(root), durable=False))
    inside = seen(root)
    if what not in UNSEEN:
        with pytest.raises(StoreError, match="the store is damaged") as caught:
            collect(LocalStore(str(root), durable=False), keep_days=-1)
        assert "nothing was collected" in hint_text(caught.value.hint)
        assert str(caught.value.where) == str(path)
        assert seen(root) == inside
    assert seen(decoy) == before

    done: list[Repair] = []
    repair(LocalStore(str(root), durable=False), done.append)
    assert findings(LocalStore(str(root), durable=False)) == set()
    (kept,) = (Path(each.kept) for each in done if each.path == str(path) and each.kept)
    assert (kept.lstat().st_ino, kept.lstat().st_mode) == (odd.st_ino, odd.st_mode)

    use(str(root), tmp_path)
    assert findings(LocalStore(str(root), durable=False)) == set()
    collect(LocalStore(str(root), durable=False), keep_days=-1)
    assert seen(decoy) == before
    assert seen(tmp_path / "good").keys() == good.keys()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("what", "depth"), CASES)
def test_a_build_that_meets_it_ends(
    tmp_path: Path, decoy: Path, what: str, depth: str, kind: Callable[..., None]
) -> None:
    path = place(filled(tmp_path), what, depth)
    folder = path.is_dir()
    path.rename(tmp_path / "good")
    kind(path, decoy, folder=folder)
    before = seen(decoy)
    use(str(tmp_path / "store"), tmp_path)
    assert seen(decoy) == before


def test_a_store_with_nothing_odd_is_left_alone(tmp_path: Path, decoy: Path) -> None:
    store, before = filled(tmp_path), seen(decoy)
    assert findings(store) == set()
    done: list[Repair] = []
    repair(store, done.append)
    assert done == []
    inside = seen(Path(store.layout.trees))
    assert collect(store, keep_days=1).results == 0
    assert seen(Path(store.layout.trees)) == inside
    use(store.layout.root, tmp_path)
    assert findings(store) == set()
    assert seen(decoy) == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_that_is_no_folder_is_refused(
    tmp_path: Path, decoy: Path, kind: Callable[..., None]
) -> None:
    filled(tmp_path)
    (tmp_path / "store").rename(tmp_path / "good")
    kind(tmp_path / "store", decoy, folder=True)
    before = seen(decoy)
    with pytest.raises(StoreError) as caught:
        LocalStore(str(tmp_path / "store"))
    assert (caught.value.where, bool(hint_text(caught.value.hint))) == (
        str(tmp_path / "store"),
        True,
    )
    assert Memo(str(tmp_path / "store"), ["question"]).recall() is None
    assert seen(decoy) == before


def test_where_no_folder_can_be_made_another_place_is_wanted():
    """Linux says of a new folder in /proc that it is not there, which is no damage."""
    with pytest.raises(StoreError, match="no folder can be made there") as caught:
        LocalStore("/proc/rvbuild/store")
    assert (caught.value.where, caught.value.hint) == ("/proc/rvbuild", advise(Remedy.STORE))
