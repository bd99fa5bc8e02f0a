"""A cache in a folder that others write, too, and into which they put what they like."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rvbuild.caches.directory import DirectoryCache
from rvbuild.caches.names import RECORD_LIMIT, object_name
from rvbuild.core.digest import Digest
from rvbuild.core.errors import CacheDown, CacheMiss, CacheRefused

ITEM = Digest.of(b"text")
NAME = object_name(ITEM)
RECORD = "records/ci/targets/t"


def filled(path: Path) -> DirectoryCache:
    (path / "cache").mkdir(exist_ok=True)
    cache = DirectoryCache(str(path / "cache"))
    cache.write(ITEM, io.BytesIO(b"text"))
    cache.write_record(RECORD, b"record")
    return cache


def odd(kind: str, path: Path, outside: Path) -> None:
    """Put something in the place of a file."""
    path.unlink()
    if kind == "link":
        path.symlink_to(outside)
    elif kind == "link to nowhere":
        path.symlink_to(outside.with_name("nothing"))
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()


@pytest.mark.parametrize("kind", ["link", "link to nowhere", "fifo", "folder"])
def test_what_is_no_regular_file_is_not_there_and_is_not_opened(tmp_path: Path, kind: str):
    """To open a FIFO would wait for ever, to follow a link would read what it leads to."""
    cache = filled(tmp_path)
    outside = tmp_path / "outside"
    outside.write_bytes(b"text")
    for name in (NAME, RECORD):
        odd(kind, tmp_path / "cache" / name, outside)
    assert cache.missing([ITEM]) == {ITEM}
    with pytest.raises(CacheMiss):
        list(cache.read(ITEM))
    assert cache.record(RECORD) is None
    assert not [entry for entry in cache.entries("") if entry.name in {NAME, RECORD}]


@pytest.mark.parametrize("kind", ["link", "link to nowhere", "fifo"])
def test_a_write_replaces_what_is_no_regular_file_and_nothing_behind_it(tmp_path: Path, kind: str):
    cache = filled(tmp_path)
    outside = tmp_path / "outside"
    outside.write_bytes(b"kept")
    for name in (NAME, RECORD):
        odd(kind, tmp_path / "cache" / name, outside)
    cache.write(ITEM, io.BytesIO(b"text"))
    cache.write_record(RECORD, b"record")
    assert b"".join(cache.read(ITEM)) == b"text"
    assert cache.record(RECORD) == b"record"
    assert outside.read_bytes() == b"kept"
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("folder", ["objects", f"objects/{ITEM.hash[:2]}", "records/ci", "tmp"])
def test_a_link_in_the_place_of_a_folder_is_refused(tmp_path: Path, folder: str):
    """Nothing is read, written, listed or removed behind it."""
    cache = filled(tmp_path)
    inside = tmp_path / "cache" / folder
    inside.rename(tmp_path / "elsewhere")
    inside.symlink_to(tmp_path / "elsewhere")
    before = sorted((tmp_path / "elsewhere").rglob("*"))
    other = Digest.of(b"other")
    asks = {
        "objects": [lambda: list(cache.read(ITEM)), lambda: cache.missing([ITEM])],
        "records/ci": [lambda: cache.record(RECORD), lambda: cache.remove(RECORD)],
        "tmp": [lambda: list(cache.entries("tmp/"))],
    }
    writes = [
        lambda: cache.write(other, io.BytesIO(b"other")),
        lambda: cache.write_record(RECORD, b"new"),
    ]
    if folder in {"objects", "records/ci"}:
        writes = [writes[folder == "records/ci"]]
    for ask in [*asks.get(folder, asks["objects"]), *(writes if folder in asks else [])]:
        with pytest.raises(CacheRefused, match="a symbolic link, where a folder must be"):
            ask()
    assert sorted((tmp_path / "elsewhere").rglob("*")) == before
    names = {entry.name for entry in cache.entries("")}
    assert not any(name.startswith(folder) for name in names)


def test_the_folder_itself_may_be_a_link(tmp_path: Path):
    filled(tmp_path)
    (tmp_path / "link").symlink_to("cache")
    assert DirectoryCache(str(tmp_path / "link")).record(RECORD) == b"record"


@pytest.mark.parametrize("folder", ["cache", "stick/cache"])
def test_a_folder_of_a_disk_that_is_not_there_is_no_empty_cache(tmp_path: Path, folder: str):
    """Where a disk is mounted stands an empty folder while it is not: nothing is made in it."""
    cache = DirectoryCache(str(tmp_path / folder))
    for ask in (
        lambda: cache.missing([ITEM]),
        lambda: list(cache.read(ITEM)),
        lambda: cache.record(RECORD),
        lambda: cache.write(ITEM, io.BytesIO(b"text")),
        lambda: list(cache.entries("")),
    ):
        with pytest.raises(CacheDown, match="no such folder"):
            ask()
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path):
    (tmp_path / "cache").write_bytes(b"")
    with pytest.raises(CacheRefused, match="Not a directory"):
        DirectoryCache(str(tmp_path / "cache")).record(RECORD)


@contextmanager
def as_somebody(path: str, mode: int) -> Iterator[None]:
    """As a user whose neither the path is nor the cache; the path has a mode meanwhile."""
    if os.geteuid() != 0:
        pytest.skip("only root can be another user for a while")
    before = os.stat(path).st_mode
    os.chmod(path, mode)
    os.seteuid(12345)
    try:
        yield
    finally:
        os.seteuid(0)
        os.chmod(path, before)


ASKS: dict[str, Callable[[DirectoryCache], object]] = {
    NAME: lambda cache: list(cache.read(ITEM)),
    RECORD: lambda cache: cache.record(RECORD),
}


@pytest.mark.parametrize("name", ASKS)
def test_what_may_not_be_read_is_named(name: str):
    """A file, or the folder: who looks at the wrong one's rights finds nothing."""
    with tempfile.TemporaryDirectory() as top:
        Path(top).chmod(0o755)
        cache = filled(Path(top))
        for path, mode in ((f"{cache.path}/{name}", 0o600), (cache.path, 0o700)):
            with (
                as_somebody(path, mode),
                pytest.raises(CacheRefused, match="Permission denied") as caught,
            ):
                ASKS[name](cache)
            assert caught.value.where == path


def test_files_of_others_are_not_listed(tmp_path: Path):
    cache = filled(tmp_path)
    (tmp_path / "cache" / ".nfs0001").write_bytes(b"")
    (tmp_path / "cache" / "lost found").mkdir()
    (tmp_path / "cache" / "lost found" / "a").write_bytes(b"")
    assert {entry.name for entry in cache.entries("")} == {NAME, RECORD}


def test_a_killed_writer_leaves_what_a_collection_sees(tmp_path: Path):
    """A part of a file stands in ``tmp/`` alone."""
    cache = filled(tmp_path)
    (tmp_path / "cache" / "tmp" / "00ff").write_bytes(b"te")
    assert [entry.name for entry in cache.entries("tmp/")] == ["tmp/00ff"]
    cache.remove("tmp/00ff")
    assert list(cache.entries("tmp/")) == []


def test_a_record_that_never_ends_is_refused(tmp_path: Path):
    cache = filled(tmp_path)
    os.truncate(tmp_path / "cache" / RECORD, RECORD_LIMIT + 1)
    with pytest.raises(CacheRefused, match="more than"):
        cache.record(RECORD)


def test_modes_are_those_of_the_umask(tmp_path: Path):
    """A team shares the folder: who may read a file is for its umask to say."""
    former = os.umask(0o002)
    try:
        filled(tmp_path)
    finally:
        os.umask(former)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "cache").rglob("*")}
    assert modes == {0o664, 0o775}
