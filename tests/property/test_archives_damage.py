"""Damaged archives end in an error of ours or in a tree, and cut ones never in a tree."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from rvbuild.archives import unpack
from rvbuild.core.errors import RvbuildError, VerificationError
from rvbuild.core.tree import Tree
from rvbuild.stores.memory import MemoryStore

Unpacked = Callable[..., dict[str, Any]]


def a_tar() -> bytes:
    """Every kind of entry, with a name too long for one header."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("top/a", "top/" + "n" * 150 + "/b", "top/ä"):
            info = tarfile.TarInfo(name)
            info.size = 700
            archive.addfile(info, io.BytesIO(b"%03d\n" % len(name) * 175))
        for kind, name, target in (
            (tarfile.DIRTYPE, "top/d", ""),
            (tarfile.SYMTYPE, "top/l", "a"),
            (tarfile.LNKTYPE, "top/h", "top/a"),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    data = buffer.getvalue()
    return data.rstrip(b"\0") + bytes(-len(data.rstrip(b"\0")) % 512 + 1024)


def a_zip() -> bytes:
    """Stored and deflated, with a directory and a comment."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("m@v1/go.mod", b"module m\n" * 20, zipfile.ZIP_DEFLATED)
        archive.writestr("m@v1/d/", b"")
        archive.writestr("m@v1/stored", b"stored")
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"comment"
    return buffer.getvalue()


def an_ar(*members: tuple[str, bytes]) -> bytes:
    """The ar archive of a Debian package."""
    parts = [b"!<arch>\n"]
    for name, body in members:
        head = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(body):<10}`\n"
        parts += [head.encode(), body, b"\n" * (len(body) % 2)]
    return b"".join(parts)


TAR = a_tar()
ARCHIVES = {
    "tar": TAR,
    "tar.gz": gzip.compress(TAR, mtime=0),
    "tar.xz": lzma.compress(TAR),
    "tar.lzma": lzma.compress(TAR, lzma.FORMAT_ALONE),
    "tar.bz2": bz2.compress(TAR),
    "tar.zst": zstandard.ZstdCompressor(write_checksum=True).compress(TAR),
    "zip": a_zip(),
    "deb": an_ar(
        ("debian-binary", b"2.0\n"),
        ("control.tar.xz", b"!"),
        ("data.tar.xz", lzma.compress(TAR)),
    ),
}
FOLLOWING = {"tar": 512}  # the second block of zeros may be missing


def root_of(data: bytes) -> Tree:
    """Unpack; anything but a tree or an error of ours fails the test."""
    store = MemoryStore()
    with store.trees.new_tree() as writer:
        unpack(io.BytesIO(data), "damaged", writer)
        return store.trees.tree(writer.commit().root)


@pytest.mark.parametrize("kind", ARCHIVES)
def test_cut_anywhere(kind: str) -> None:
    """Every length for small archives, else every 64 bytes and all around each 512."""
    data = ARCHIVES[kind]
    ends = range(len(data) - FOLLOWING.get(kind, 0))
    step = 1 if len(data) < 2000 else 64
    for end in ends:
        if end % step and end % 512 not in {1, 511}:
            continue
        with pytest.raises(VerificationError):
            root_of(data[:end])


@pytest.mark.parametrize("kind", ARCHIVES)
def test_one_bit_flipped(kind: str) -> None:
    """What has a checksum of its content gives the same contents or an error."""
    data, bits = bytearray(ARCHIVES[kind]), 8 * len(ARCHIVES[kind])
    whole = root_of(bytes(data))
    checked = kind in {"tar.gz", "tar.xz", "tar.bz2", "tar.zst"}
    for bit in random.Random(kind).sample(range(bits), min(bits, 3000)):  # noqa: S311 - derandomised
        data[bit // 8] ^= 1 << bit % 8
        try:
            found = root_of(bytes(data))
        except RvbuildError:
            pass
        else:
            assert not checked or found == whole
        data[bit // 8] ^= 1 << bit % 8


@settings(max_examples=300, derandomize=True, deadline=None)
@given(
    kind=st.sampled_from(sorted(ARCHIVES)),
    edits=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=16), st.integers(0, 600)),
        min_size=1,
        max_size=6,
    ),
)
def test_pieces_replaced(kind: str, edits: list[tuple[float, bytes, int]]) -> None:
    data = ARCHIVES[kind]
    for where, new, removed in edits:
        at = int(where * len(data))
        data = data[:at] + new + data[at + removed :]
    try:
        root_of(data)
    except RvbuildError as error:
        where = str(error.where)
    else:
        where = "damaged"
    assert where.startswith("damaged")


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=60
).filter(lambda name: name not in {".", ".."} and len(name.encode()) <= 255)
LEAVES = st.one_of(
    st.tuples(st.binary(max_size=1500), st.booleans()),
    NAMES,  # a symlink
)
TREES = st.recursive(
    st.dictionaries(NAMES, LEAVES, max_size=4),
    lambda inner: st.dictionaries(NAMES, st.one_of(LEAVES, inner), max_size=4),
    max_leaves=12,
)


def place(tree: dict[str, Any], at: Path) -> None:
    at.mkdir()
    for name, node in tree.items():
        if isinstance(node, dict):
            place(node, at / name)
        elif isinstance(node, str):
            (at / name).symlink_to(node)
        else:
            (at / name).write_bytes(node[0])
            (at / name).chmod(0o755 if node[1] else 0o644)


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, node in tree.items():
        found[prefix + name] = None if isinstance(node, dict) else node
        if isinstance(node, dict):
            found.update(flat(node, f"{prefix}{name}/"))
    return found


@settings(max_examples=40, derandomize=True, deadline=None)
@given(tree=TREES, form=st.sampled_from(["gnu", "oldgnu", "posix"]))
def test_what_gnu_tar_packs_comes_back(tree: dict[str, Any], form: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place(tree, Path(folder) / "top")
        command = ["tar", "-C", folder, f"--format={form}", "-cf", "-", "top"]
        data = subprocess.run(command, check=True, capture_output=True).stdout
    store = MemoryStore()
    with store.trees.new_tree() as writer:
        unpack(io.BytesIO(data), "made", writer, strip=1)
        made = store.trees.tree(writer.commit().root)
    found = {
        path: (store.cas.read(node.digest), node.executable)
        if hasattr(node, "digest")
        else node.target
        for path, node in made.walk()
    }
    assert found == {path: node for path, node in flat(tree).items() if node is not None}
