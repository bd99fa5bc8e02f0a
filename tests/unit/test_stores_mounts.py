"""Nothing goes from a store in which something is mounted: neither there nor elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kept_results import built, hold

from rvbuild.stores.local import LocalStore

MOUNTED = """\
mount --bind "$1/decoy" "$2"
exec "$3" -c '
import sys
from rvbuild.core.errors import StoreError
from rvbuild.stores.collect import collect
from rvbuild.stores.local import LocalStore
from rvbuild.stores.repair import repair
store = LocalStore(sys.argv[1], durable=False)
acts = {"gc": lambda: collect(store, keep_days=-1), "repair": lambda: repair(store, print)}
try:
    acts[sys.argv[2]]()
except StoreError as error:
    sys.exit(f"{error} {error.hint}")' "$1/store" "$4"
"""


def seen(top: Path) -> list[tuple[str, int]]:
    """All below a folder but locks: those who look take some."""
    paths = (path for path in sorted(top.rglob("*")) if path.parent.name != "locks")
    return [(str(path), path.lstat().st_ino) for path in paths]


def ran(tmp_path: Path, place: Path, act: str) -> subprocess.CompletedProcess[str]:
    own = ["unshare", "--user", "--map-root-user", "--mount"]
    if not os.environ.get("CI") and subprocess.run([*own, "true"], check=False).returncode:
        pytest.skip("no unprivileged user namespaces")
    words = ["sh", "-euc", MOUNTED, "sh", tmp_path, place, sys.executable, act]
    return subprocess.run([*own, *words], check=False, capture_output=True, text=True)


def filled(tmp_path: Path, place: str) -> Path:
    """A store with a place for a mount; the place."""
    store = LocalStore(str(tmp_path / "store"), durable=False)
    hold(store, tmp_path / "one", built(store, "one"))
    built(store, "two")
    (tmp_path / "decoy").mkdir()
    for name in ("file", "0" * 64):
        (tmp_path / "decoy" / name).write_bytes(b"precious")
    for folder in ("tmp/a b/c", "damaged/x", "views/00", "failed/00", "accelerators/go", "memo"):
        Path(store.layout.root, folder).mkdir(parents=True, exist_ok=True)
    return Path(store.layout.root, place)


PLACES = ["tmp", "tmp/a b/c", "damaged", "damaged/x", "views/00", "failed/00", "cas", "trees"]
PLACES += ["ac", "roots", "locks"]


@pytest.mark.privileged
@pytest.mark.parametrize("place", PLACES)
def test_nothing_goes(tmp_path: Path, place: str) -> None:
    """Also of the same disk, where the device's number does not tell."""
    path = filled(tmp_path, place)
    before = seen(tmp_path)
    for act in ("gc", "repair"):
        done = ran(tmp_path, path, act)
        assert "something is mounted inside the store: unmount it" in done.stderr
        assert done.returncode == 1
        assert seen(tmp_path) == before


@pytest.mark.privileged
@pytest.mark.parametrize("act", ["gc", "repair"])
def test_an_accelerator_may_be_on_a_disk_of_its_own(tmp_path: Path, act: str) -> None:
    place = filled(tmp_path, "accelerators")
    before = seen(tmp_path / "decoy")
    done = ran(tmp_path, place / "go", act)
    assert (done.returncode, done.stderr) == (0, "")
    assert seen(tmp_path / "decoy") == before


@pytest.mark.privileged
def test_a_repair_empties_an_accelerator_on_a_disk_of_its_own(tmp_path: Path) -> None:
    """The place stays: to unmount it is not repair's."""
    place = filled(tmp_path, "accelerators") / "go"
    damaged = next(Path(tmp_path, "store/trees").glob("*/*/doc"))
    damaged.chmod(0o644)
    damaged.write_bytes(bytes(damaged.stat().st_size))
    damaged.chmod(0o444)
    done = ran(tmp_path, place, "repair")
    assert (done.returncode, done.stderr) == (0, "")
    assert (list((tmp_path / "decoy").iterdir()), place.is_dir()) == ([], True)
    again = ran(tmp_path, place, "repair")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
