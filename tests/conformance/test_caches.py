"""What every cache does, proved over each kind."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bucket_server import BucketServer
from cache_places import PLACES, CachePlace

from rvbuild.caches import table
from rvbuild.caches.names import (
    MARK,
    MARK_TEXT,
    object_name,
    realisation_name,
    target_name,
)
from rvbuild.core.digest import EMPTY, Digest
from rvbuild.core.errors import CacheError, CacheMiss, CacheRefused, WrongContent
from rvbuild.transfers.urls import shown

LARGE = bytes(range(256)) * (13 << 10)  # 3.25 MiB, any shift of which by less than 256 differs
RECORD = realisation_name("ci", "ab" * 32)
PATIENCE = 10.0


def write(place: CachePlace, *contents: bytes) -> list[Digest]:
    """Let the cache have objects, whether it can be written or not."""
    digests = [Digest.of(data) for data in contents]
    for digest, data in zip(digests, contents, strict=True):
        if place.writes:
            place.cache.write(digest, io.BytesIO(data))
        else:
            place.behind.put(object_name(digest), data)
    return digests


def write_record(place: CachePlace, name: str, data: bytes) -> None:
    if place.writes:
        place.cache.write_record(name, data)
    else:
        place.behind.put(name, data)


def read(place: CachePlace, item: Digest, begin: int = 0) -> bytes:
    return b"".join(place.cache.read(item, begin))


def collect(pieces: Iterator[bytes], came: bytearray) -> None:
    """Keep what comes, even if it ends with an error."""
    for piece in pieces:
        came += piece


def gives_back_what_was_written(place: CachePlace) -> None:
    for data in (b"text", b"\0", LARGE):
        assert read(place, write(place, data)[0]) == data


def gives_the_empty_object(place: CachePlace) -> None:
    write(place, b"")
    assert place.cache.missing([EMPTY]) == frozenset()
    assert read(place, EMPTY) == b""


def gives_an_object_in_pieces(place: CachePlace) -> None:
    """Nobody has to hold a large one in memory; nor is it cut into crumbs."""
    pieces = list(place.cache.read(write(place, LARGE)[0]))
    assert b"".join(pieces) == LARGE
    assert 1 < len(pieces) <= len(LARGE) >> 10


def gives_the_rest_of_an_object(place: CachePlace) -> None:
    item = write(place, LARGE)[0]
    for begin in (1, 4096, 1 << 20, len(LARGE) - 1):
        assert read(place, item, begin) == LARGE[begin:]


def knows_what_it_lacks(place: CachePlace) -> None:
    there = write(place, b"one", b"two", LARGE)
    absent = [Digest.of(bytes([number])) for number in range(40)]
    assert place.cache.missing([*there, *absent]) == frozenset(absent)
    assert place.cache.missing([]) == frozenset()


def misses_what_is_not_there(place: CachePlace) -> None:
    write(place, b"something")
    with pytest.raises(CacheMiss) as caught:
        read(place, Digest.of(b"never written"))
    assert isinstance(caught.value, KeyError)


def misses_what_was_removed(place: CachePlace) -> None:
    """An evicted object is a miss, and can be written again."""
    item = write(place, LARGE)[0]
    place.behind.remove(object_name(item))
    assert place.cache.missing([item]) == {item}
    with pytest.raises(CacheMiss):
        read(place, item)
    write(place, LARGE)
    assert read(place, item) == LARGE


def lacks_a_truncated_object(place: CachePlace) -> None:
    """Its size gives it away; writing it again heals it."""
    item = write(place, LARGE)[0]
    place.behind.put(object_name(item), LARGE[:-1])
    assert place.cache.missing([item]) == {item}
    with pytest.raises(WrongContent):
        read(place, item)
    write(place, LARGE)
    assert place.cache.missing([item]) == frozenset()
    assert read(place, item) == LARGE


def refuses_wrong_bytes(place: CachePlace) -> None:
    """Whatever is wrong with them; and the error says which object of which cache it is."""
    item = write(place, LARGE)[0]
    flipped = bytearray(LARGE)
    flipped[len(LARGE) // 2] ^= 1
    for wrong in (bytes(flipped), LARGE[::-1], LARGE[:-1], LARGE + b"!", b"", b"<html>"):
        place.behind.put(object_name(item), wrong)
        came = bytearray()
        with pytest.raises(WrongContent) as caught:
            collect(place.cache.read(item), came)
        assert len(came) < item.size
        assert shown(place.address) in str(caught.value)
        assert item.hash in str(caught.value)


def leaves_what_is_there_alone(place: CachePlace) -> None:
    if place.writes:
        item = write(place, LARGE)[0]
        place.cache.write(item, _Unreadable(LARGE))
        assert read(place, item) == LARGE


class _Unreadable(io.BytesIO):
    def read(self, _size: int | None = -1, /) -> bytes:
        msg = "the object is there: nobody has to read it"
        raise AssertionError(msg)


def keeps_no_part_of_an_object(place: CachePlace) -> None:
    """Neither if there is less or more than was said, nor if the reading of it fails."""
    if not place.writes:
        return
    item = Digest.of(LARGE)
    for data in (io.BytesIO(LARGE[:-1]), io.BytesIO(LARGE + b"!"), _Broken(LARGE)):
        with pytest.raises(ValueError, match=r"bytes|broke"):
            place.cache.write(item, data)
        assert place.cache.missing([item]) == {item}
    assert object_name(item) not in place.behind.files()


class _Broken(io.BytesIO):
    """What breaks in the middle."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            msg = "it broke"
            raise ValueError(msg)
        return super().read(1000 if size in {None, -1} else size)


def keeps_records(place: CachePlace) -> None:
    names = [RECORD, target_name("ci", "k3s-riscv64@1.34"), target_name("lab+2", "a_b.c-arm64")]
    assert [place.cache.record(name) for name in names] == [None, None, None]
    for name in names:
        write_record(place, name, name.encode())
    assert [place.cache.record(name) for name in names] == [name.encode() for name in names]


def replaces_a_record(place: CachePlace) -> None:
    for data in (b"first", b"", LARGE, b"last"):
        write_record(place, RECORD, data)
        assert place.cache.record(RECORD) == data


def gives_many_records(place: CachePlace) -> None:
    """Those that are there, each with its name."""
    there = {f"records/ci/targets/t{number}": b"%d" % number * number for number in range(70)}
    for name, data in there.items():
        write_record(place, name, data)
    absent = [f"records/nobody/targets/t{number}" for number in range(3)]
    assert dict(place.cache.records([*absent, *there])) == there
    assert list(place.cache.records([])) == []


def refuses_names_that_lead_elsewhere(place: CachePlace) -> None:
    for name in ("", "/etc/passwd", "../x", "records/../../x", "a//b", "records/.x", "a\0", "a?b"):
        for ask in (
            place.cache.record,
            lambda name: place.cache.write_record(name, b""),
            place.cache.remove,
        ):
            with pytest.raises(ValueError, match="not a name"):
                ask(name)


def is_marked_by_the_first_write(place: CachePlace) -> None:
    if place.writes:
        assert place.cache.record(MARK) is None
        write(place, b"text")
        assert place.cache.record(MARK) == MARK_TEXT


def is_not_written_if_a_newer_one_wrote_it(place: CachePlace) -> None:
    if place.writes:
        place.behind.put(MARK, b"2\n")
        with pytest.raises(CacheRefused, match="'2'"):
            write(place, b"text")
        assert set(place.behind.files()) == {MARK}


def is_not_begun_where_something_else_is(place: CachePlace) -> None:
    """As far as it can be listed."""
    for name in ("thesis.pdf", "my thesis.pdf") if place.writes and place.lists else ():
        place.behind.put(name, b"a thesis")
        assert name in {
            *place.cache.strangers(""),
            *(each.name for each in place.cache.entries("")),
        }
        with pytest.raises(CacheRefused, match="is not empty"):
            write(place, b"text")
        with pytest.raises(CacheRefused, match="this is no cache"):
            place.cache.remove(RECORD)
        assert place.behind.files() == {name: b"a thesis"}
        place.behind.remove(name)


def tells_strangers(place: CachePlace) -> None:
    """What has no name of a cache, and is not hidden at the top."""
    if place.lists:
        names = {"a b", "records/.c", "records/ci/d e"}
        for name in (*names, ".f", ".g/h", RECORD):
            place.behind.put(name, b"")
        assert set(place.cache.strangers("")) == names
        assert set(place.cache.strangers("records/")) == names - {"a b"}
    else:
        assert list(place.cache.strangers("")) == []


def lists_what_it_holds(place: CachePlace) -> None:
    if not place.lists:
        with pytest.raises(CacheRefused, match="list"):
            list(place.cache.entries(""))
        return
    assert list(place.cache.entries("")) == []
    item = write(place, b"text")[0]
    write_record(place, RECORD, b"record")
    sizes = {entry.name: entry.size for entry in place.cache.entries("")}
    assert sizes == {MARK: 2, object_name(item): 4, RECORD: 6}
    assert [entry.name for entry in place.cache.entries("records/")] == [RECORD]
    assert [entry.name for entry in place.cache.entries("records/ci/")] == [RECORD]
    assert list(place.cache.entries("leases/")) == []


def says_which_was_written_later(place: CachePlace) -> None:
    """By the cache's own clock, whatever this machine's says."""
    if place.lists:
        for name in ("leases/one", "leases/two"):
            place.cache.write_record(name, b"")
            place.cache.write_record(name, b"again")
        times = {entry.name: entry.modified for entry in place.cache.entries("leases/")}
        assert times["leases/one"] <= times["leases/two"]


def removes(place: CachePlace) -> None:
    if not place.writes:
        return
    item = write(place, b"text")[0]
    write_record(place, RECORD, b"record")
    for name in (object_name(item), RECORD, RECORD, "records/nobody/targets/x"):
        place.cache.remove(name)
    assert place.cache.missing([item]) == {item}
    assert place.cache.record(RECORD) is None
    assert set(place.behind.files()) <= {MARK}


def serves_many_threads(place: CachePlace) -> None:
    """That write the same and other objects, and read them, all at once."""
    contents = [bytes([number % 20]) * 200_000 for number in range(40)]
    items = [Digest.of(data) for data in contents]
    barrier = threading.Barrier(8)

    def work(part: int) -> list[bytes]:
        barrier.wait(PATIENCE)
        mine = range(part, 40, 8)
        write(place, *(contents[number] for number in mine))
        return [read(place, items[number]) for number in mine]

    with ThreadPoolExecutor(8) as pool:
        came = list(pool.map(work, range(8)))
    assert came == [[contents[number] for number in range(part, 40, 8)] for part in range(8)]
    assert set(place.behind.files()) <= {MARK, *map(object_name, items)}


def lets_a_reader_stop(place: CachePlace) -> None:
    """Who wants no more of an object leaves nothing behind that disturbs the next one."""
    item = write(place, LARGE)[0]
    for _ in range(3):
        pieces = place.cache.read(item)
        assert LARGE.startswith(next(pieces))
        assert isinstance(pieces, Iterator)
        getattr(pieces, "close", lambda: None)()
    assert read(place, item) == LARGE


def refuses_writers_if_it_is_read_only(place: CachePlace) -> None:
    if not place.writes:
        with pytest.raises(CacheError):
            place.cache.write_record(RECORD, b"")
        with pytest.raises(CacheError):
            place.cache.write(Digest.of(b"x"), io.BytesIO(b"x"))
        assert place.behind.files() == {}


Check = Callable[[CachePlace], None]
CHECKS: list[Check] = [
    gives_back_what_was_written,
    gives_the_empty_object,
    gives_an_object_in_pieces,
    gives_the_rest_of_an_object,
    knows_what_it_lacks,
    misses_what_is_not_there,
    misses_what_was_removed,
    lacks_a_truncated_object,
    refuses_wrong_bytes,
    leaves_what_is_there_alone,
    keeps_no_part_of_an_object,
    keeps_records,
    replaces_a_record,
    gives_many_records,
    refuses_names_that_lead_elsewhere,
    is_marked_by_the_first_write,
    is_not_written_if_a_newer_one_wrote_it,
    is_not_begun_where_something_else_is,
    tells_strangers,
    lists_what_it_holds,
    says_which_was_written_later,
    removes,
    serves_many_threads,
    lets_a_reader_stop,
    refuses_writers_if_it_is_read_only,
]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("kind", PLACES)
def test_every_cache(kind: str, check: Check, tmp_path: Path, buckets: BucketServer):
    with PLACES[kind](tmp_path, buckets) as place:
        check(place)


def test_no_kind_is_left_out():
    assert {name.partition(":")[0] for name in PLACES} == set(table._ROWS.values())
