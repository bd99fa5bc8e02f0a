"""What another store has comes over, verified; what is damaged does not; nothing changes there."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import frozen
from former_stores import FormerStore, former_key

from rvbuild.core.derivation import Fetch
from rvbuild.core.digest import Digest
from rvbuild.core.errors import StoreError
from rvbuild.core.events import Event, Finished, Phase, Planned, Reporter, Started, silent
from rvbuild.core.former_keys import former_digest
from rvbuild.core.go_source import GoModule
from rvbuild.core.tree import Tree
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.pypi.source import Wheel
from rvbuild.kinds.url.source import UrlSource
from rvbuild.stores import former_store as room
from rvbuild.stores.local import LocalStore
from rvbuild.stores.takeover import TakenOver, take_over
from rvbuild.stores.verify import verify

CONTENT: dict[str, dict[str, object]] = {
    "one": {
        "bin": {"run": (b"#!/bin/sh\n",), "same": (b"shared",)},
        "doc": b"doc of one",
        "shared": b"shared",
        "link": "bin/run",
        "empty": {"deep": {}},
        "big": b"0123456789" * 200_000,
    },
    "two": {"doc": b"doc of two", "shared": b"shared"},
    "three": {},
}
FETCHES = {
    name: Fetch(source=Wheel(project=name, version="1", filename=name, sha256=name))
    for name in (*CONTENT, "absent")
}


def test_the_keys_of_version_1():
    """As its words were; tests/golden has those of a whole lock."""
    sources = (
        DebianPackage(name="n", version="1", architecture="amd64", pool="p", sha256="1", size=1),
        GitSource(url="u", commit="c", tree="t", date=1, paths=("é",)),
        GoModule(path="p", version="v1", h1="h1:="),
        UrlSource(urls=("https://e.org/a",), sha256="s", unpack=False),
    )
    for source in sources:
        assert former_digest(source) == former_key(source.identity)


@frozen
class Both:
    """A store of version 1 with three sources, and a new one."""

    old: FormerStore
    outputs: dict[str, Digest]
    new: LocalStore

    def taken(self, report: Reporter = silent) -> TakenOver:
        return take_over(
            self.new, room.FormerStore.at(str(self.old.root)), FETCHES.values(), report
        )

    def has(self, name: str) -> bool:
        found = self.new.realisations.realisation(FETCHES[name].digest)
        return found is not None and self.new.trees.has_tree(found.output)

    def record(self, name: str) -> Path:
        key = former_key(FETCHES[name].source.identity)
        return self.old.root / "realisations" / key[:2] / key

    def mark(self, name: str) -> Path:
        hash_ = self.outputs[name].hash
        return self.old.root / "trees" / hash_[:2] / f"{hash_}.tree"


@pytest.fixture
def both(tmp_path: Path) -> Both:
    old = FormerStore.at(tmp_path / "old")
    outputs = {}
    for name, content in CONTENT.items():
        outputs[name] = old.tree(content)
        old.realise(former_key(FETCHES[name].source.identity), outputs[name])
    return Both(old, outputs, LocalStore(str(tmp_path / "new"), durable=False))


def everything(root: Path) -> dict[str, tuple[int, ...]]:
    paths = (root, *root.rglob("*"))
    stats = ((str(path), path.lstat()) for path in paths)
    return {
        path: (s.st_ino, s.st_nlink, s.st_size, s.st_mode, s.st_mtime_ns, s.st_ctime_ns)
        for path, s in stats
    }


def findings(store: LocalStore) -> list[object]:
    found: list[object] = []
    verify(store, found.append)
    return found


def test_all_that_is_wanted_and_there_comes_over(both: Both) -> None:
    before = everything(both.old.root)
    done = both.taken()
    assert (done.taken, done.present, done.absent, done.left_out) == (3, 0, 1, ())
    assert done.size == 2_000_000 + 2 * len(b"doc of one") + 10 + 3 * len(b"shared")
    for name, output in both.outputs.items():
        made = both.new.realisations.realisation(FETCHES[name].digest)
        assert made is not None
        assert made.output == output
        assert both.new.cas.read(made.key) == FETCHES[name].encode()
        assert both.new.trees.tree(output).encode() == both.mark(name).read_bytes()
    assert findings(both.new) == []
    assert everything(both.old.root) == before, "no hard link, no lock, no time"


def test_what_is_here_is_not_read_again(both: Both) -> None:
    both.taken()
    for path in (both.old.root / "cas").rglob("*"):
        if path.is_file():
            path.unlink()
    done = both.taken()
    assert (done.taken, done.present, done.left_out) == (0, 3, ())


def test_a_store_of_this_version_can_be_taken_over_too(both: Both, tmp_path: Path) -> None:
    both.taken()
    third = LocalStore(str(tmp_path / "third"), durable=False)
    before = everything(Path(both.new.layout.root))
    former = room.FormerStore.at(both.new.layout.root)
    done = take_over(third, former, FETCHES.values(), silent)
    assert (done.taken, done.absent, done.left_out) == (3, 1, ())
    assert findings(third) == []
    assert everything(Path(both.new.layout.root)) == before


def test_each_source_is_told_when_it_begins_and_ends(both: Both) -> None:
    """Also a damaged one and one that is not there; a second import has nothing to do."""
    flipped(both.old.blob(b"doc of two"))
    labels = {name: fetch.label for name, fetch in FETCHES.items()}
    for hows in (
        {"one": "imported", "two": "failed", "three": "imported", "absent": "absent"},
        {"one": "present", "two": "failed", "three": "present", "absent": "absent"},
    ):
        events: list[Event] = []
        both.taken(events.append)
        assert events[0] == Planned({Phase.FETCH: len(FETCHES)}, kept=0)
        started = {event.label for event in events if isinstance(event, Started)}
        ended = {event.label: event for event in events if isinstance(event, Finished)}
        assert started == set(labels.values())
        assert {name: ended[labels[name]].how for name in labels} == hows
        size = 2_000_000 + len(b"doc of one") + 10 + 2 * len(b"shared")
        assert ended[labels["one"]].size == (size if hows["one"] == "imported" else 0)


def test_what_is_told_as_imported_is_registered(both: Both) -> None:
    """An import that is killed at any moment keeps all that it told of."""
    kept = []

    def report(event: Event) -> None:
        if isinstance(event, Finished) and event.how == "imported":
            (name,) = (name for name, fetch in FETCHES.items() if fetch.label == event.label)
            kept.append(both.has(name))

    both.taken(report)
    assert kept == [True, True, True]


def flipped(path: Path) -> None:
    mode = path.stat().st_mode
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(mode)


def cut(path: Path) -> None:
    mode = path.stat().st_mode
    path.chmod(0o644)
    os.truncate(path, path.stat().st_size - 1)
    path.chmod(mode)


def as_link(path: Path) -> None:
    copy = path.with_name("elsewhere")
    path.rename(copy)
    path.symlink_to(copy)


def as_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def blob_of(data: bytes, *, executable: bool = False) -> Callable[[Both], Path]:
    return lambda both: both.old.blob(data, executable=executable)


OF_ONE: dict[str, Callable[[Both], Path]] = {
    "a blob": blob_of(b"doc of one"),
    "a large blob": blob_of(b"0123456789" * 200_000),
    "an executable": blob_of(b"#!/bin/sh\n", executable=True),
    "a mark": lambda both: both.mark("one"),
}


@pytest.mark.parametrize("harm", [flipped, cut, Path.unlink, as_link, as_fifo])
@pytest.mark.parametrize("what", OF_ONE)
def test_what_is_damaged_is_left_out_by_name(
    both: Both, what: str, harm: Callable[[Path], None]
) -> None:
    path = OF_ONE[what](both)
    if what == "a mark":  # its blob is another name of it
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data)
    harm(path)
    done = both.taken()
    assert (done.taken, [each.label for each in done.left_out]) == (2, ["one"])
    assert done.left_out[0].problem
    assert not both.has("one")
    assert both.has("two")
    assert findings(both.new) == []


def test_no_flipped_bit_of_a_record_gives_a_wrong_source(both: Both) -> None:
    """A realisation of version 1 has no check: its output is another name then, or none."""
    path = both.record("two")
    good = path.read_bytes()
    path.chmod(0o644)
    for at in range(8 * len(good)):
        bad = bytearray(good)
        bad[at // 8] ^= 1 << at % 8
        path.write_bytes(bytes(bad))
        former = room.FormerStore.at(str(both.old.root))
        take_over(both.new, former, [FETCHES["two"]], silent)
        made = both.new.realisations.realisation(FETCHES["two"].digest)
        assert made is None or made.output == both.outputs["two"], at
        if made is not None:  # a flip in what nobody needs, such as the log
            Path(both.new.layout.record("realisations", made.name, accelerated=False)).unlink()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: root.mkdir(), "there is nothing in this store"),
        (lambda _: None, "cannot read the store"),
        (lambda root: root.write_bytes(b""), "damaged"),
        (
            lambda root: (root.mkdir(), (root / "version").write_text("3\n")),
            "a newer rvbuild made this store",
        ),
    ],
)
def test_what_is_no_store_to_take_from(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    make(tmp_path / "old")
    with pytest.raises(StoreError, match=message):
        room.FormerStore.at(str(tmp_path / "old"))


def test_a_disk_that_is_full_ends_it(both: Both) -> None:
    """That is no fault of what is taken over: nothing is called damaged."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(StoreError):
            both.taken()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not both.has("one")


READ_ONLY = """\
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
exec "$3" -m rvbuild --store "$2" store import "$1"
"""


@pytest.mark.privileged
def test_a_store_that_nobody_may_write(both: Both, tmp_path: Path) -> None:
    own = ["unshare", "--user", "--map-root-user", "--mount"]
    if not os.environ.get("CI") and subprocess.run([*own, "true"], check=False).returncode:
        pytest.skip("no unprivileged user namespaces")
    (tmp_path / "project").mkdir()
    (tmp_path / "project/rvbuild.lock").touch()
    words = ["sh", "-euc", READ_ONLY, "sh", str(both.old.root), str(tmp_path / "fresh")]
    ran = subprocess.run(
        [*own, *words, sys.executable],
        cwd=tmp_path / "project",
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("0 sources taken over (0 B), 0 already here, ")
    assert Tree.of({}).root == both.outputs["three"]
