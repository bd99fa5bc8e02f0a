"""Modes that the store did not give, and names that it does not know: named, and mended."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kept_results import built, hold

from rvbuild.core.errors import StoreError
from rvbuild.stores.collect import collect
from rvbuild.stores.local import LocalStore
from rvbuild.stores.repair import Repair, repair
from rvbuild.stores.top import BESIDE, FOLDERS, VERSION_FILE
from rvbuild.stores.verify import verify

SOMEBODY = 54321
Place = Callable[[LocalStore], Path]


def in_tree(name: str) -> Place:
    return lambda store: Path(store.mountable.path(built(store, "one").output), name)


def folder(name: str) -> Place:
    return lambda store: Path(store.layout.root, name)


def shard(name: str) -> Place:
    return lambda store: min(Path(store.layout.root, name).iterdir())


def record(name: str) -> Place:
    return lambda store: min(Path(store.layout.root).glob(name))


PLACES: dict[str, tuple[Place, int]] = {
    "a tree": (in_tree(""), 0o755),
    "a folder of a tree": (in_tree("bin"), 0o755),
    "a deep folder of a tree": (in_tree("bin/deep/empty"), 0o755),
    "a file of a tree": (in_tree("doc"), 0o444),
    "a program of a tree": (in_tree("bin/run"), 0o555),
    **{f"a shard of {name}": (shard(name), 0o755) for name in ("cas", "exec", "trees", "ac")},
    **{name: (folder(name), 0o755) for name in ("cas", "trees", "realisations", "roots", "tmp")},
    "a root": (record("roots/*"), 0o444),
    "a realisation": (record("realisations/*/*"), 0o444),
    "an outcome": (record("ac/*/*"), 0o444),
}
MODES = [0, 0o200, 0o777]


@pytest.fixture
def store() -> Iterator[LocalStore]:
    """Where other users can go, too: nobody else enters pytest's folders."""
    with tempfile.TemporaryDirectory() as top:
        Path(top).chmod(0o755)
        made = LocalStore(f"{top}/store", durable=False)
        hold(made, Path(top, "one"), built(made, "one"))
        yield made


@pytest.fixture(params=["as root", "as another user"])
def _user(request: pytest.FixtureRequest, store: LocalStore) -> Iterator[None]:
    """Whoever runs the test, and, where that is root, also the store's owner, who is not."""
    if request.param == "as root":
        yield
        return
    if os.geteuid() != 0:
        pytest.skip("whoever runs this is the other user already")
    for path in (Path(store.layout.root), *Path(store.layout.root).rglob("*")):
        os.chown(path, SOMEBODY, SOMEBODY, follow_symlinks=False)
    os.setegid(SOMEBODY)
    os.seteuid(SOMEBODY)
    yield
    os.seteuid(0)
    os.setegid(0)


def findings(store: LocalStore) -> dict[str, str]:
    found: dict[str, str] = {}
    verify(store, lambda finding: found.setdefault(finding.path, finding.problem) and None)
    return found


@pytest.mark.usefixtures("_user")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("place", "right"), PLACES.values(), ids=PLACES.keys())
def test_a_mode_is_named_and_given_back(
    store: LocalStore, place: Place, right: int, mode: int
) -> None:
    path = place(store)
    assert findings(store) == {}
    path.chmod(mode)
    assert f"mode {mode:o}" in findings(store)[str(path)]
    done: list[Repair] = []
    repair(store, done.append)
    assert {each.done for each in done} == {"mended"}
    assert str(path) in {each.path for each in done}
    assert findings(store) == {}
    assert stat.S_IMODE(path.stat().st_mode) == right
    assert len(store.roots.roots()) == 1


def test_a_umask_is_no_damage(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        store = LocalStore(str(tmp_path / "store"), durable=False)
        built(store, "one")
    finally:
        os.umask(before)
    assert findings(store) == {}


@pytest.mark.parametrize("name", ["notes.txt", "cas.old", ".git", "Cas", "damaged.0"])
def test_what_the_store_does_not_know_at_its_top(store: LocalStore, name: str) -> None:
    """It is set aside as what it is; gc waits for that, a build does not."""
    odd = Path(store.layout.root, name)
    odd.mkdir()
    (odd / "words").write_text("mine")
    assert "a name that the store does not give" in findings(store)[str(odd)]
    with pytest.raises(StoreError, match="a name that the store does not give"):
        collect(store, keep_days=-1)
    built(LocalStore(store.layout.root, durable=False), "two")
    done: list[Repair] = []
    repair(store, done.append)
    (aside,) = done
    assert (aside.path, Path(aside.kept, "words").read_text()) == (str(odd), "mine")
    assert findings(store) == {}


def test_what_others_keep_at_its_top_is_no_damage(store: LocalStore) -> None:
    for name in BESIDE - {".gitignore"}:  # which every store has
        Path(store.layout.root, name).mkdir()
    assert Path(store.layout.root, ".gitignore").read_text().startswith("*\n!.gitignore\n")
    for name in FOLDERS:
        Path(store.layout.root, name).mkdir(exist_ok=True)
    assert findings(store) == {}
    done: list[Repair] = []
    repair(store, done.append)
    collect(store, keep_days=-1)
    assert done == []
    assert {path.name for path in Path(store.layout.root).iterdir()} == {
        *BESIDE,
        *FOLDERS,
        VERSION_FILE,
    }


def test_nobody_else_may_write_what_is_above_a_new_store(tmp_path: Path) -> None:
    """Under a umask of 0, too: whoever can write there can move the store away."""
    before = os.umask(0)
    try:
        LocalStore(str(tmp_path / "home/.cache/rvbuild"), durable=False)
    finally:
        os.umask(before)
    for path in ("home", "home/.cache", "home/.cache/rvbuild"):
        assert stat.S_IMODE((tmp_path / path).stat().st_mode) == 0o755
