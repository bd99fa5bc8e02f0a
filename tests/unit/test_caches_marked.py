"""Folders that are no caches, and what becomes of what is in them: nothing."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import frozen
from cache_places import CachePlace, folder
from team import NOW

from rvbuild.caches.collect import Collector
from rvbuild.caches.decorator import CacheDecorator
from rvbuild.caches.directory import DirectoryCache
from rvbuild.caches.lease import Lease
from rvbuild.caches.marked import MarkedCache
from rvbuild.caches.names import MARK, MARK_TEXT, object_name
from rvbuild.core.digest import Digest
from rvbuild.core.errors import CacheRefused
from rvbuild.core.ports.cache import CacheEntry

DAYS = 3 * 24 * 3600.0
ITEM = Digest.of(b"text")
RECORD = "records/ci/targets/t"

LOOK_ALIKE = {
    "tmp/thesis.pdf": b"a thesis",
    "tmp/sub/inner": b"inner",
    f"tmp/{'ab' * 20}": b"a temporary file of somebody else",
    "objects/model.obj": b"a model",
    "objects/ab/mesh": b"a mesh",
    f"objects/ab/{'ab' * 20}": b"of git",
    f"objects/cd/{'ab' * 32}": b"at another place",
    "leases/contract.pdf": b"a contract",
    "leases/push-abc": b"no lease of ours",
}
"""Others' files where a cache has its own."""


def _files(files: dict[str, bytes]) -> Callable[[Path], None]:
    def make(top: Path) -> None:
        for name, data in files.items():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_bytes(data)

    return make


def _link(top: Path) -> None:
    (top / "link").symlink_to("/nowhere")


def _pipe(top: Path) -> None:
    os.mkfifo(top / "pipe")


def _empty_folder(top: Path) -> None:
    (top / "photos").mkdir()


DECOYS: dict[str, Callable[[Path], None]] = {
    "a bare git repository": _files(
        {"HEAD": b"ref", "config": b"", f"objects/ab/{'ab' * 19}": b"blob", "refs/heads/main": b""}
    ),
    "names of a cache": _files(LOOK_ALIKE),
    "a file with a space": _files({"my thesis.pdf": b"a thesis"}),
    "a file deep below": _files({"a/b/.c/d e/f": b"deep"}),
    "a file beside half a mark": _files({f"tmp/{'ab' * 12}": b"1", "tmp/a": b""}),
    "a cache that lost its mark": _files({object_name(ITEM): b"text", RECORD: b"record"}),
    "a link": _link,
    "a pipe": _pipe,
    "an empty folder": _empty_folder,
}
NOTHING: dict[str, Callable[[Path], None]] = {
    "nothing at all": _files({}),
    "what a web server receives, and hidden files": _files({".body/0001": b"", ".nfs01": b""}),
    "a file system's own folder": lambda top: (top / "lost+found").mkdir(),
    "the mark that a killed writer began": _files({f"tmp/{'ab' * 12}": b"1"}),
    "an empty folder for what is being written": lambda top: (top / "tmp").mkdir(),
}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[CachePlace]:
    with folder(tmp_path) as made:
        yield made


def top(place: CachePlace) -> Path:
    return Path(place.address)


def age(place: CachePlace) -> None:
    """Let some days go by."""
    for path in sorted(top(place).rglob("*"), reverse=True):
        then = path.lstat().st_mtime - DAYS
        os.utime(path, (then, then), follow_symlinks=False)


def state(place: CachePlace) -> dict[str, tuple[int, int, bytes]]:
    """All that is there: with folders and their times, which change if a file comes and goes."""
    return {
        str(path): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in [top(place), *top(place).rglob("*")]
    }


def collector(place: CachePlace) -> Collector:
    lease = Lease(place.cache, "team", lambda: NOW, "ci")
    return Collector(place.cache, lease, "team", 0, -NOW)


WRITES: dict[str, Callable[[CachePlace], object]] = {
    "an object": lambda place: place.cache.write(ITEM, io.BytesIO(b"text")),
    "a record": lambda place: place.cache.write_record(RECORD, b"record"),
}
OTHER_ASKS: dict[str, Callable[[CachePlace], object]] = {
    "a removal": lambda place: place.cache.remove(object_name(ITEM)),
    "a collection": lambda place: collector(place).run(),
    "a dry collection": lambda place: collector(place).run(dry=True),
}


@pytest.mark.parametrize("ask", [*WRITES, *OTHER_ASKS])
@pytest.mark.parametrize("decoy", DECOYS)
def test_what_is_no_cache_stays_as_it_is(place: CachePlace, decoy: str, ask: str):
    DECOYS[decoy](top(place))
    age(place)
    before = state(place)
    with pytest.raises(CacheRefused, match=f"no file {MARK}, and is not empty: ") as caught:
        {**WRITES, **OTHER_ASKS}[ask](place)
    assert "first push" not in str(caught.value.hint), "a push would refuse it, too"
    assert state(place) == before


@pytest.mark.parametrize("ask", OTHER_ASKS)
@pytest.mark.parametrize("nothing", NOTHING)
def test_only_a_write_makes_a_cache(place: CachePlace, nothing: str, ask: str):
    NOTHING[nothing](top(place))
    before = state(place)
    with pytest.raises(CacheRefused, match=f"this is no cache: it has no file {MARK}$") as caught:
        OTHER_ASKS[ask](place)
    assert "the first push makes a cache" in str(caught.value.hint)
    assert state(place) == before


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("nothing", NOTHING)
def test_where_nothing_is_the_first_write_makes_a_cache(
    place: CachePlace, nothing: str, write: str
):
    NOTHING[nothing](top(place))
    WRITES[write](place)
    assert place.behind.files()[MARK] == MARK_TEXT


@frozen
class BesideAnother(CacheDecorator):
    """A cache that another writer begins just after this one saw no mark."""

    def entries(self, prefix: str) -> Iterator[CacheEntry]:
        self.inner.write(ITEM, io.BytesIO(b"text"))
        self.inner.write_record(MARK, MARK_TEXT)
        return self.inner.entries(prefix)


def test_who_begins_at_the_same_moment_is_no_stranger(tmp_path: Path):
    MarkedCache(BesideAnother(DirectoryCache(str(tmp_path))), "team").write_record(RECORD, b"")
    assert (tmp_path / RECORD).exists()


def test_a_collection_leaves_what_others_put_into_a_cache(place: CachePlace):
    place.cache.write_record(RECORD, b"record")
    place.cache.remove(RECORD)
    orphan = f"objects/ab/{'ab' * 32}"
    ours = {orphan: b"", f"tmp/{'ab' * 12}": b"", f"leases/push-{'ab' * 8}": b""}
    _files({**LOOK_ALIKE, **ours})(top(place))
    age(place)
    before = place.behind.files()
    assert collector(place).run().removed_objects == 1
    assert place.behind.files() == {name: data for name, data in before.items() if name not in ours}


def test_a_dry_run_needs_no_right_to_write_and_changes_nothing(place: CachePlace):
    """Not even for a moment: a file that came and went would be seen by the folder's time."""
    place.cache.write(ITEM, io.BytesIO(b"text"))
    age(place)
    folders = [top(place), *(each for each in top(place).rglob("*") if each.is_dir())]
    for each in folders:
        each.chmod(0o555)
    before = state(place)
    done = collector(place).run(dry=True)
    after = state(place)
    for each in folders:
        each.chmod(0o755)
    assert after == before
    assert done.removed_objects == 1


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        (b"2\n", "another version: rvbuild-cache says '2'"),
        (b"<!DOCTYPE html><p>Welcome", "this is a web page, not a cache"),
        (b"hello\n", "this is no cache: rvbuild-cache says 'hello'"),
    ],
)
def test_what_another_mark_means(place: CachePlace, mark: bytes, words: str):
    place.behind.put(MARK, mark)
    before = state(place)
    for ask in (*WRITES.values(), *OTHER_ASKS.values()):
        with pytest.raises(CacheRefused, match=words):
            ask(place)
    assert state(place) == before
