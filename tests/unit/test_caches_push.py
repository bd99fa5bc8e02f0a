"""Where a push makes its packs, and what comes of it where that cannot be done."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from attrs import evolve, field, frozen
from cache_places import CachePlace, folder
from team import NOW, signed_by, verify

from rvbuild.caches.decorator import CacheDecorator
from rvbuild.caches.lease import Lease
from rvbuild.caches.push import Pusher
from rvbuild.caches.shipment import Shipment
from rvbuild.core.digest import Digest
from rvbuild.core.errors import StoreError
from rvbuild.core.realisation import Realisation
from rvbuild.stores.memory import MemoryStore


@frozen
class Looked(CacheDecorator):
    """A cache that notes where the files are that it is given."""

    places: list[str] = field(factory=list)

    def write(self, item: Digest, data: BinaryIO) -> None:
        self.places.append(os.readlink(f"/proc/self/fd/{data.fileno()}"))
        self.inner.write(item, data)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[CachePlace]:
    with folder(tmp_path) as made:
        yield made


def pusher(cache: Looked, store: MemoryStore, tmp: Path) -> Pusher:
    return Pusher(
        cache=cache,
        cas=store.cas,
        trees=store.trees,
        key_id="ci:0123456789abcdef",
        valid_ids=(),
        sign=signed_by("ci"),
        open=lambda data, kind, where: verify(data, kind, where)[1],
        pushed=lambda *_: None,
        lease=Lease(cache, "team", lambda: NOW, "ci"),
        folder=str(tmp),
    )


def shipment(store: MemoryStore) -> Shipment:
    with store.trees.new_tree() as tree:
        tree.file("data", [b"x"])
        output = tree.commit().root
    realisation = Realisation(key=Digest.of(b"step"), output=output)
    return Shipment(label="app", realisation=realisation, checks={})


def test_packs_take_shape_where_it_is_said(tmp_path: Path, place: CachePlace):
    store, cache, tmp = MemoryStore(str(tmp_path / "store")), Looked(place.cache), tmp_path / "t"
    tmp.mkdir()
    pusher(cache, store, tmp).push_result(shipment(store))
    assert [os.path.dirname(each) for each in cache.places] == [str(tmp)]
    assert os.listdir(tmp) == []


@frozen
class FullDisk:
    """Blobs of a store whose disk, or that of a pack, is full."""

    def read_each(self, _blobs: Iterable[Digest]) -> Iterator[bytes]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("fault", ["no folder", "full"])
def test_a_pack_that_cannot_be_made_is_an_error_like_others(
    tmp_path: Path, place: CachePlace, fault: str
):
    """One that is none of ours would end the pushes into other caches, and the build beside it."""
    store, cache = MemoryStore(str(tmp_path / "store")), Looked(place.cache)
    ours = pusher(cache, store, tmp_path / "no folder" if fault == "no folder" else tmp_path)
    if fault == "full":
        ours = evolve(ours, cas=FullDisk())
    with pytest.raises(StoreError, match="a pack cannot be made: No"):
        ours.push_result(shipment(store))
