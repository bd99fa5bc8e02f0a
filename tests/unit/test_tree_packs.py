"""Trees that become packs, and packs that become trees."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard
from attrs import evolve

from rvbuild.caches.pack import PackReader, write_pack
from rvbuild.caches.tree_packs import AT_ONCE, TreeUnpacker, packed_tree, plan_packs
from rvbuild.core.digest import Digest
from rvbuild.core.errors import Malformed, VerificationError, WrongContent
from rvbuild.core.packing import LARGE
from rvbuild.core.statement import Pack, PackedTree
from rvbuild.core.tree import Tree
from rvbuild.stores.memory import MemoryStore

Packs = dict[Digest, bytes]


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    return MemoryStore(str(tmp_path))


def a_tree(store: MemoryStore) -> Tree:
    """Every kind of thing that a tree can have: small and large, twice, of two modes, empty."""
    noise = bytes(at * at % 251 for at in range(LARGE + 5))
    with store.trees.new_tree() as writer:
        writer.file("large", [noise])
        writer.file("large-again", [noise])
        writer.file("large-tool", [noise], executable=True)
        writer.file("tools/large-tool", [noise], executable=True)
        for number in range(300):
            writer.file(f"many/{number:03}", [b"%d\n" % number * number])
        writer.file("tool", [b"#!/bin/sh\n"], executable=True)
        writer.file("text", [b"#!/bin/sh\n"])
        writer.file("nothing", [b""])
        writer.directory("empty/folder")
        writer.symlink("link", "many/007")
        return writer.commit()


def packed(store: MemoryStore, tree: Tree) -> tuple[PackedTree, Packs]:
    packs: Packs = {}
    said = []
    for plan in plan_packs(tree):
        file = io.BytesIO()
        pack = plan.write(store.cas, file)
        packs[pack.digest] = file.getvalue()
        said.append(pack)
    return packed_tree(tree, said), packs


def reader(packs: Packs, cut: int = 1000) -> Callable[[Digest], Iterator[bytes]]:
    """Gives packs in pieces of ``cut`` bytes."""

    def read(pack: Digest) -> Iterator[bytes]:
        data = packs[pack]
        return iter([data[at : at + cut] for at in range(0, len(data), cut)])

    return read


def unpacked(
    said: PackedTree, packs: Packs, store: MemoryStore, taken: Callable[[int], object] = str
) -> Tree:
    with store.trees.new_tree() as writer:
        TreeUnpacker(said, reader(packs), writer, taken).run()
        return writer.commit()


def test_a_tree_is_the_same_on_the_other_side(store: MemoryStore, tmp_path: Path):
    tree = a_tree(store)
    said, packs = packed(store, tree)
    sizes: list[int] = []
    there = unpacked(said, packs, MemoryStore(str(tmp_path / "there")), sizes.append)
    assert there == tree
    assert all(Digest.of(data) == digest for digest, data in packs.items())
    assert sum(sizes) == sum(blob.size for plan in plan_packs(tree) for blob in plan.blobs)


def test_nobody_reads_on_where_the_first_pack_is_wrong(store: MemoryStore, tmp_path: Path):
    """The others are asked for at once, but not all of them are read before one knows."""
    with store.trees.new_tree() as writer:
        for number in range(20):
            writer.file(f"large/{number:02}", [bytes([number]) * (LARGE + 1)])
        tree = writer.commit()
    said, packs = packed(store, tree)
    first = plain(packs[said.packs[0].digest])
    wrong, all_packs = again(packs, said, 0, pack_of(bytes([first[0] ^ 1]) + first[1:]))
    read: list[Digest] = []

    def watched(pack: Digest) -> Iterator[bytes]:
        read.append(pack)
        return reader(all_packs)(pack)

    there = MemoryStore(str(tmp_path / "there"))
    with there.trees.new_tree() as writer, pytest.raises(WrongContent, match="Tree message"):
        TreeUnpacker(wrong, watched, writer, str).run()
    assert len(read) <= 1 + AT_ONCE < len(said.packs)


def test_an_empty_tree_travels_too(store: MemoryStore, tmp_path: Path):
    with store.trees.new_tree() as writer:
        tree = writer.commit()
    said, packs = packed(store, tree)
    assert [pack.blobs for pack in said.packs] == [0]
    assert unpacked(said, packs, MemoryStore(str(tmp_path / "there"))) == tree


def test_the_same_tree_has_the_same_packs(store: MemoryStore):
    tree = a_tree(store)
    assert packed(store, tree) == packed(store, tree)


def again(packs: Packs, said: PackedTree, at: int, data: bytes) -> tuple[PackedTree, Packs]:
    """The same with another pack at a place, as somebody with a key could say it."""
    pack = Pack(Digest.of(data), said.packs[at].blobs)
    listed = (*said.packs[:at], pack, *said.packs[at + 1 :])
    return evolve(said, packs=listed), {**packs, pack.digest: data}


def pack_of(data: bytes) -> bytes:
    file = io.BytesIO()
    write_pack([data], len(data), file)
    return file.getvalue()


def plain(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


def flip(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


WRONG = {
    "a bit": lambda data: pack_of(flip(plain(data))),
    "the first bit": lambda data: pack_of(bytes([plain(data)[0] ^ 1]) + plain(data)[1:]),
    "a byte less": lambda data: pack_of(plain(data)[:-1]),
    "a byte more": lambda data: pack_of(plain(data) + b"x"),
    "a second frame": lambda data: data + pack_of(b"more"),
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda _: b"",
    "no zstd": lambda data: os.urandom(len(data)),
    "much out of little": lambda data: pack_of(plain(data) + bytes(1 << 24)),
}


@pytest.mark.parametrize("at", [0, 1, -1])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_pack_that_is_not_what_was_said_is_refused(
    store: MemoryStore, tmp_path: Path, wrong: str, at: int
):
    """Also where its own digest was signed: nobody believes a pack because of its name."""
    said, packs = packed(store, a_tree(store))
    at %= len(said.packs)
    forged, all_packs = again(packs, said, at, WRONG[wrong](packs[said.packs[at].digest]))
    with pytest.raises(VerificationError):
        unpacked(forged, all_packs, MemoryStore(str(tmp_path / "there")))


def test_another_tree_than_was_signed_is_refused(store: MemoryStore, tmp_path: Path):
    said, packs = packed(store, a_tree(store))
    for forged in (evolve(said, root=said.message), evolve(said, message=said.root)):
        with pytest.raises((WrongContent, Malformed)):
            unpacked(forged, packs, MemoryStore(str(tmp_path / "there")))


def test_blobs_in_another_order_are_refused(store: MemoryStore, tmp_path: Path):
    """As of one who has two packs of the same number of blobs, and gives one for the other."""
    with store.trees.new_tree() as writer:
        writer.file("a", [b"a" * (LARGE + 1)])
        writer.file("b", [b"b" * (LARGE + 1)])
        writer.file("c", [b"c" * (LARGE + 1)])
        tree = writer.commit()
    said, packs = packed(store, tree)
    swapped = evolve(said, packs=(said.packs[0], said.packs[2], said.packs[1]))
    with pytest.raises(WrongContent, match="is not what was signed"):
        unpacked(swapped, packs, MemoryStore(str(tmp_path / "there")))


def test_a_pack_is_never_read_further_than_was_asked_for():
    """16 MiB of zeros are 1 KiB of zstd; who asks for three bytes gets three."""
    pieces = PackReader([pack_of(bytes(1 << 24))])
    assert b"".join(pieces.blob(3)) == bytes(3)
    with pytest.raises(Malformed, match="more than was signed"):
        pieces.finish()
