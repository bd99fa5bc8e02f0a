"""Archives as programs of many kinds wrote them: odd in form, and the same tree for every reader.

What other readers (GNU tar, bsdtar and Python's; unzip) make of the same bytes is asked of them.
Where they differ, the archive is in the tests of hostile ones.
"""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from made_tar import END, GNU, USTAR, folder, link, long, member, pax
from made_zip import MAX32, Spec, extra, zipped
from made_zip import End as ZipEnd

from rvbuild.core.errors import VerificationError

Unpacked = Callable[..., dict[str, Any]]
OnDisk = Callable[[Path], dict[str, Any]]
Reader = Callable[[bytes, Path], bool]
"""Unpacks bytes into a folder; False if it does not take them."""


def by_program(*command: str) -> Reader:
    def read(data: bytes, into: Path) -> bool:
        into.mkdir()
        file = into.with_suffix(".archive")
        file.write_bytes(data)
        words = [{"FILE": str(file), "INTO": str(into)}.get(word, word) for word in command]
        return subprocess.run(words, check=False, capture_output=True).returncode == 0

    return read


def by_python(data: bytes, into: Path) -> bool:
    into.mkdir()
    rules: Any = {"filter": "tar"} if sys.version_info >= (3, 12) else {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(into, **rules)  # noqa: S202 - archives of this test
    return True


GNU_TAR = by_program("tar", "--no-same-owner", "-xf", "FILE", "-C", "INTO")
TAR_READERS = {"tar": GNU_TAR, "python": by_python}
ZIP_READERS: dict[str, Reader] = {}
if shutil.which("bsdtar"):
    TAR_READERS["bsdtar"] = ZIP_READERS["bsdtar"] = by_program(
        "bsdtar", "-xf", "FILE", "-C", "INTO"
    )
if shutil.which("unzip"):
    ZIP_READERS["unzip"] = by_program("unzip", "-qo", "FILE", "-d", "INTO")

FILE, RUNS = member(b"f", b"1"), member(b"r", b"#!", mode=b"0000755\0")
NAME, TARGET = b"n" * 120, b"t" * 120
OWNER = (b"uid", b"3000000")
SIZED = b"%011o\0" % 4096
TARS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "a size of a folder": (member(b"d/", kind=b"5", size=SIZED) + FILE, {"d": None}),
    "a size of a symlink": (member(b"l", kind=b"2", link=b"f", size=SIZED) + FILE, {"l": "f"}),
    "a size of a hard link": (
        FILE + member(b"h", kind=b"1", link=b"f", size=SIZED) + RUNS,
        {"h": (b"1", False), "r": (b"#!", True)},
    ),
    "a long name, then pax": (
        long(NAME) + pax(OWNER) + member(NAME, b"2") + FILE,
        {NAME.decode(): (b"2", False)},
    ),
    "a long target and name, then pax": (
        long(TARGET, b"K") + long(NAME) + pax(OWNER, (b"mtime", b"1.5")) + link(NAME, b"t") + FILE,
        {NAME.decode(): TARGET.decode()},
    ),
    "a long name, all entries', then pax": (
        long(NAME) + pax((b"comment", b"c"), kind=b"g") + pax(OWNER) + member(NAME, b"2") + FILE,
        {NAME.decode(): (b"2", False)},
    ),
    "pax, then a long name": (
        pax(OWNER) + long(NAME) + member(NAME, b"2") + FILE,
        {NAME.decode(): (b"2", False)},
    ),
    "Solaris' pax": (
        pax((b"path", b"p"), kind=b"X") + member(b"x", b"2") + FILE,
        {"p": (b"2", False)},
    ),
    "a label by pax": (pax((b"GNU.volume.label", b"v"), kind=b"g") + FILE, {}),
    "names that are not UTF-8, said by pax": (
        pax((b"hdrcharset", b"BINARY"), (b"path", "ä".encode())) + member(b"x", b"2") + FILE,
        {"ä": (b"2", False)},
    ),
    **{
        f"ustar's version {version!r}": (
            member(b"x", b"2", prefix=b"p", magic=b"ustar\0" + version) + FILE,
            {"p": None, "p/x": (b"2", False)},
        )
        for version in (b"00", b"\0\0", b"  ", b"\0 ", b"0\0")
    },
    "a mode in other digits": (
        member(b"r", b"#!", mode=b"   755 \0") + FILE,
        {"r": (b"#!", True)},
    ),
    "a mode with the file's type": (
        member(b"r", b"#!", mode=b"0100755\0") + FILE,
        {"r": (b"#!", True)},
    ),
    "a file of type 7": (member(b"x", b"2", kind=b"7") + FILE, {"x": (b"2", False)}),
    "./ before all": (folder(b"./") + member(b"./x", b"2") + FILE, {"x": (b"2", False)}),
}


def test_the_plain_archive_is_read_by_all(
    tmp_path: Path, unpacked: Unpacked, seen_on_disk: OnDisk
) -> None:
    for name, read in TAR_READERS.items():
        assert read(FILE + END, tmp_path / name)
        assert seen_on_disk(tmp_path / name) == unpacked(FILE + END) == {"f": (b"1", False)}


@pytest.mark.parametrize("what", TARS)
def test_tar_archives(what: str, tmp_path: Path, unpacked: Unpacked, seen_on_disk: OnDisk) -> None:
    data, tree = TARS[what]
    assert unpacked(data + END) == {"f": (b"1", False), **tree}
    for name, read in TAR_READERS.items():
        assert read(data + END, tmp_path / name), name
        assert seen_on_disk(tmp_path / name) == unpacked(data + END), name


NAMES = st.sampled_from([b"a", b"b", b"d/a", b"./b", b"d", NAME])
MAGICS = st.sampled_from([USTAR, GNU, b"ustar\0\0\0", b"ustar 00", bytes(8)])
KINDS = st.sampled_from([b"0", b"\0", b"1", b"2", b"5", b"7"])
RECORDS = st.lists(
    st.sampled_from(
        [(b"path", b"p"), (b"linkpath", b"a"), (b"size", b"1"), OWNER, (b"comment", b"c")]
    ),
    max_size=2,
    unique_by=lambda record: record[0],
)
PAX = st.sampled_from([b"x", b"X"])
EXTENSIONS = st.one_of(
    st.builds(
        lambda records, kind: pax(*records, kind=kind), RECORDS, st.sampled_from([b"x", b"X"])
    ),
    st.builds(long, NAMES, st.sampled_from([b"L", b"K"])),
)


@st.composite
def entries(draw: st.DrawFn) -> bytes:
    """One entry in any mixture of forms, with up to three headers about it."""
    kind = draw(KINDS)
    content = draw(st.sampled_from([b"", b"1", b"1", b"22"])) if kind in b"0\x007" else b""
    odd = draw(st.booleans()) and kind in {b"1", b"2", b"5"}
    entry = member(
        draw(NAMES),
        content,
        kind=kind,
        link=draw(st.sampled_from([b"a", b"b"])) if kind in b"12" else b"",
        mode=draw(st.sampled_from([b"0000644\0", b"0000755\0"])),
        size=b"%011o\0" % 512 if odd else None,
        magic=draw(MAGICS),
        prefix=draw(st.sampled_from([b"", b"", b"q"])),
    )
    return b"".join(draw(st.lists(EXTENSIONS, max_size=3))) + entry


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
@given(parts=st.lists(entries(), min_size=1, max_size=3))
def test_what_is_taken_is_what_tar_unpacks(
    parts: list[bytes],
    tmp_path_factory: pytest.TempPathFactory,
    unpacked: Unpacked,
    seen_on_disk: OnDisk,
) -> None:
    """Never another tree than that of GNU tar, whatever forms an archive mixes."""
    data = b"".join(parts) + END
    try:
        tree = unpacked(data)
    except VerificationError:
        assume(False)
    into = tmp_path_factory.mktemp("tar") / "out"
    try:
        assert GNU_TAR(data, into)
        assert seen_on_disk(into) == tree
    finally:
        shutil.rmtree(into.parent)


SPEC = Spec(b"x", b"evil" * 9, method=8)
CRC, COMPRESSED, SIZE = SPEC.sizes
LATE = evolve(SPEC, flags=8, after=struct.pack("<4s3L", b"PK\7\x08", *SPEC.sizes))
ZIPS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "no sizes yet": (zipped(evolve(LATE, local_sizes=(0, 0, 0))), {}),
    "only the size yet, as zip and bsdtar write into a pipe": (
        zipped(evolve(LATE, local_sizes=(0, 0, SIZE))),
        {},
    ),
    "all but the CRC-32 yet": (zipped(evolve(LATE, local_sizes=(0, COMPRESSED, SIZE))), {}),
    "no sizes yet, of 64 bits": (
        zipped(evolve(LATE, local_sizes=(0, MAX32, MAX32), local_extra=extra(1, bytes(16)))),
        {},
    ),
    "zeros to the end of a block": (zipped(SPEC, end=ZipEnd(after=bytes(9000))), {}),
    "zeros after a comment": (zipped(SPEC, end=ZipEnd(comment=b"c", after=bytes(9))), {}),
    "both cases": (zipped(SPEC, Spec(b"X", b"1")), {"X": (b"1", False)}),
    "a packed folder, as of Java": (
        zipped(SPEC, Spec(b"META-INF/", b"", method=8, made=20, mode=0)),
        {"META-INF": None},
    ),
    "padding between fields, as of Android": (zipped(evolve(SPEC, local_extra=bytes(7))), {}),
}


@pytest.mark.parametrize("what", ZIPS)
def test_zip_archives(what: str, tmp_path: Path, unpacked: Unpacked, seen_on_disk: OnDisk) -> None:
    data, tree = ZIPS[what]
    assert unpacked(data) == {"x": (SPEC.content, False), **tree}
    for name, read in ZIP_READERS.items():
        assert read(data, tmp_path / name), name
        assert seen_on_disk(tmp_path / name) == unpacked(data), name


@pytest.mark.parametrize("pack", ["zip -qr - top | cat", "bsdtar --format=zip -cf - top | cat"])
def test_zip_archives_from_a_pipe(
    pack: str, tmp_path: Path, unpacked: Unpacked, seen_on_disk: OnDisk
) -> None:
    """Neither program can go back to a header there."""
    if not shutil.which(pack.split(maxsplit=1)[0]):
        pytest.skip(f"{pack.split(maxsplit=1)[0]} is not installed")
    (tmp_path / "top/d").mkdir(parents=True)
    (tmp_path / "top/d/long").write_bytes(b"evil" * 700_000)
    (tmp_path / "top/empty").write_bytes(b"")
    (tmp_path / "top/runs").write_bytes(b"#!/bin/sh\n")
    (tmp_path / "top/runs").chmod(0o755)
    data = subprocess.run(["sh", "-c", pack], cwd=tmp_path, check=True, capture_output=True).stdout
    assert zipfile.is_zipfile(io.BytesIO(data))
    assert unpacked(data, strip=1) == seen_on_disk(tmp_path / "top")
