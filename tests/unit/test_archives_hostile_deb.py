"""Damaged and misleading Debian packages, and compressed data that only look right."""

from __future__ import annotations

import gzip
import io
import lzma
import re
import tarfile
from collections.abc import Callable

import pytest
import zstandard

from rvbuild.archives import Links
from rvbuild.core.errors import VerificationError

Refused = Callable[..., VerificationError]


def tarred(name: str = "./usr/x", target: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        info = tarfile.TarInfo(name)
        if target:
            info.type, info.linkname = tarfile.SYMTYPE, target
        archive.addfile(info)
    return buffer.getvalue()


def member(name: bytes, body: bytes, *, size: bytes | None = None, end: bytes = b"`\n") -> bytes:
    size = b"%d" % len(body) if size is None else size
    head = name.ljust(16) + b"0".ljust(12) + b"0     0     100644  " + size.ljust(10) + end
    return head + body + b"\n" * (len(body) % 2)


MAGIC, VERSION = b"!<arch>\n", member(b"debian-binary", b"2.0\n")
CONTROL, DATA = member(b"control.tar.gz", b"?"), member(b"data.tar", tarred())
WHOLE = MAGIC + VERSION + CONTROL + DATA


def packaged(data: bytes) -> bytes:
    return MAGIC + VERSION + CONTROL + member(b"data.tar.xz", data)


LIES = {
    "no members": (MAGIC, "without files"),
    "no version": (MAGIC + CONTROL + DATA, "not a Debian package of format 2"),
    "another version": (MAGIC + member(b"debian-binary", b"3.0\n") + DATA, "of format 2"),
    "an empty version": (MAGIC + member(b"debian-binary", b"") + DATA, "of format 2"),
    "no files": (MAGIC + VERSION + CONTROL, "without files"),
    "two sets of files": (WHOLE + DATA, "two sets of files"),
    "garbage after the members": (WHOLE + b"garbage", "truncated"),
    "much garbage after the members": (WHOLE + b"g" * 99, "header at byte .* is damaged"),
    "a member without its end": (MAGIC + member(b"debian-binary", b"2.0\n", end=b"``"), "damaged"),
    "a name not ASCII": (MAGIC + member("ä".encode(), b""), "not a Debian package"),
    "a name not UTF-8": (MAGIC + VERSION + member(b"data.tar\xff", tarred()), "without files"),
    "a long name, GNU's way": (MAGIC + VERSION + member(b"//", b"data.tar"), "without files"),
    "data that are no archive": (packaged(b"?" * 600), "data.tar.xz: neither a tar"),
    "data cut": (packaged(lzma.compress(tarred())[:-9]), "data.tar.xz: .* truncated"),
    "data too long": (packaged(lzma.compress(tarred()) + b"?"), "bytes after the xz data"),
    "data twice compressed": (packaged(lzma.compress(gzip.compress(tarred()))), "neither a tar"),
    "a zip in it": (packaged(b"PK\5\6" + bytes(600)), "neither a tar"),
    "data climbing out": (packaged(tarred("./../x")), "the path has '..'"),
    "data with an absolute name": (packaged(tarred("/etc/x")), "absolute"),
    "a link climbing out": (packaged(tarred("./l", "../x")), "leads out"),
    "an .a library": (MAGIC + member(b"/", bytes(8)) + member(b"x.o/", b"1"), "not a Debian"),
}
for number in (b"-1", b"+9", b"1_0", b"0x9", b" 9", b"", b"9999999999", b"\xb2", b"1.0"):
    broken = MAGIC + VERSION + member(b"data.tar", tarred(), size=number)
    LIES[f"size {number!r}"] = (broken, "header at byte 72 is damaged|truncated")


@pytest.mark.parametrize("what", LIES)
def test_packages_refused(what: str, refused: Refused) -> None:
    data, message = LIES[what]
    assert re.search(message, str(refused(data, links=Links.ROOTED)))


LOOKS = {
    "lzip": (b"LZIP\1\x0c" + bytes(99), "packed by lzip, which is not supported"),
    "compress": (b"\x1f\x9d\x90" + bytes(99), "packed by compress"),
    "7-Zip": (b"7z\xbc\xaf\x27\x1c" + bytes(99), "packed by 7-Zip"),
    "a gzip header alone": (b"\x1f\x8b", "truncated"),
    "gzip of an unknown method": (b"\x1f\x8b\x09" + bytes(20), "damaged"),
    "xz that needs much memory": (
        lzma.compress(tarred(), filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29}]),
        "damaged before byte .*[Mm]emory",
    ),
    "zstd that needs much memory": (
        zstandard.MAGIC_NUMBER.to_bytes(4, "little") + b"\0" + b"\xa0" + b"\1\0\0" + bytes(9),
        "need too much memory",
    ),
    "zstd with a dictionary": (
        zstandard.MAGIC_NUMBER.to_bytes(4, "little") + b"\x21" + b"\7" + b"\0" + b"\1\0\0",
        "damaged",
    ),
    "zstd with a reserved block": (
        zstandard.MAGIC_NUMBER.to_bytes(4, "little") + b"\x20\0" + b"\7\0\0" + bytes(9),
        "damaged before byte",
    ),
    "a zstd block too large": (
        zstandard.MAGIC_NUMBER.to_bytes(4, "little") + b"\x20\0" + b"\1\0\xff" + bytes(9),
        "damaged before byte",
    ),
    "a skippable frame cut": (b"\x50\x2a\x4d\x18\xff\0\0\0hello", "truncated"),
    "nothing": (b"", "neither a tar nor a zip"),
}


@pytest.mark.parametrize("what", LOOKS)
def test_compressed_data_refused(what: str, refused: Refused) -> None:
    data, message = LOOKS[what]
    assert re.search(message, str(refused(data)))
