"""Hostile zip archives: each is refused, and nothing appears outside of any sink."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import evolve
from made_zip import MAX16, MAX32, SYMLINK, End, Spec, extra, zipped, zipped64

from rvbuild.archives import Links, UnpackLimits
from rvbuild.core.errors import VerificationError

Refused = Callable[..., VerificationError]
Unpacked = Callable[..., dict[str, Any]]
Sample = tuple[str, bytes, str]

NAMES = [
    *(b"/etc/x", b"//x", b"/", b"..", b"../", b"../x", b"./../x", b"a/../x", b"a/../../x", b"a/.."),
    *(
        b"..\\x",
        b"a\\..\\x",
        b"C:\\x",
        b"\\x",
        b"a\0b",
        b"\0",
        b"",
        b".",
        b"./.",
        b"\xff",
        b"a/\xc0",
    ),
    *(b"n" * 256, b"n/" * 1024 + b"n", b"../" * 30 + b"tmp/x"),
]
TARGETS = [
    b"/",
    b"/etc/passwd",
    b"..",
    b"../x",
    b"./../x",
    b"x/../..",
    b"x/../../x",
    b"",
    b"a\0",
    b"\xff",
]


def names() -> Iterator[Sample]:
    text = (
        "absolute|'..'|backslash|NUL|empty|root's own|not UTF-8|more than 255|longer than|is none"
    )
    for name in NAMES:
        for what, spec in {
            "file": Spec(name),
            "deflated": Spec(name, method=8),
            "symlink": Spec(name, b"target", mode=SYMLINK),
            "DOS file": Spec(name, made=20, mode=0),
            "UTF-8 file": Spec(name, flags=1 << 11),
        }.items():
            yield f"{name[:40]!r} as {what}", zipped(spec), text
    for name in (b"/x/", b"../", b"a/../", b"\0/", b"\\/", b"/"):
        yield f"{name!r} as a directory", zipped(Spec(name, b"", mode=0o40755)), text


def links() -> Iterator[Sample]:
    for target in TARGETS:
        for method in (0, 8):
            link = Spec(b"l", target, mode=SYMLINK, method=method)
            text = "leads out|symbolic link to|not UTF-8"
            yield f"link to {target!r} by {method}", zipped(link), text
            through = zipped(link, Spec(b"l/x"))
            yield f"through a link to {target!r} by {method}", through, f"{text}|above it is"
    link = Spec(b"l", b"a/b", mode=SYMLINK)
    yield "a file below a link", zipped(link, Spec(b"l/x")), "above it is a symbolic link"
    yield "a link in place of a folder", zipped(Spec(b"l/x"), link), "has a directory already"
    up = Spec(b"a/b/up", b"../..", mode=SYMLINK)
    out = Spec(b"o", b"a/b/up/../x", mode=SYMLINK)
    yield "a link out through another", zipped(out, up), "leads out"
    yield "a long target", zipped(Spec(b"l", b"t" * 5000, mode=SYMLINK)), "a symbolic link to"
    yield "a full target", zipped(Spec(b"l", b"t" * 4096, mode=SYMLINK)), "a symbolic link to"


def kinds() -> Iterator[Sample]:
    for mode in (0o020666, 0o060666, 0o010666, 0o140666, 0o040755, 0o170000):
        yield f"mode {mode:o}", zipped(Spec(mode=mode)), "neither a file"
    yield "a directory with content", zipped(Spec(b"d/")), "is a directory's"
    yield "a link that ends with /", zipped(Spec(b"d/", b"", mode=SYMLINK)), "is a directory's"
    for method in (1, 2, 6, 9, 12, 14, 93, 95, 96, 97, 98, 99, MAX16):
        yield f"method {method}", zipped(Spec(method=method)), f"packed by method {method}"
    for flag in (0, 6, 13):
        yield f"flag {flag}", zipped(Spec(flags=1 << flag)), "it is encrypted"
    for flag in (4, 5, 7, 8, 9, 10, 12, 14, 15):
        yield f"flag {flag}", zipped(Spec(flags=1 << flag)), "packed in an unknown way"


def twice() -> Iterator[Sample]:
    for first in (b"p", b"./p", b"p/x"):
        for second in (b"p", b"./p", b".//p", b"p/."):
            both = zipped(Spec(first), Spec(second, b"other"))
            yield f"{first!r}, then {second!r}", both, "already|above it is"
    for second in (b"p/x", b"p//x/y", b"p/./x"):
        yield f"p, then {second!r}", zipped(Spec(b"p"), Spec(second)), "above it is a file"
    yield "a file and a directory", zipped(Spec(b"p"), Spec(b"p/", b"")), "has a file already"


def lies() -> Iterator[Sample]:
    """Local header, descriptor or data disagree with the central directory."""
    spec, packed = Spec(content=b"evil" * 100), Spec(content=b"evil" * 100, method=8)
    crc, compressed, size = packed.sizes
    text = "disagree"
    for what, changed in {
        "name": evolve(spec, local_name=b"y"),
        "longer name": evolve(spec, local_name=b"x/y"),
        "no name": evolve(spec, local_name=b""),
        "method": evolve(spec, local_method=8),
        "flags": evolve(spec, local_flags=1 << 11),
        "encryption": evolve(spec, local_flags=1),
        "descriptor": evolve(spec, local_flags=8),
        "magic": evolve(spec, local_magic=b"PK\1\2"),
        "no magic": evolve(spec, local_magic=b"\0\0\0\0"),
        "crc": evolve(packed, local_sizes=(crc ^ 1, compressed, size)),
        "size": evolve(packed, local_sizes=(crc, compressed, size + 1)),
        "compressed": evolve(packed, local_sizes=(crc, compressed - 1, size)),
        "no sizes": evolve(packed, local_sizes=(0, 0, 0)),
        "half of the sizes": evolve(packed, flags=8, local_sizes=(0, compressed + 1, size)),
        "crc, with a descriptor": evolve(packed, flags=8, local_sizes=(crc ^ 1, 0, 0)),
        "half a zip64": evolve(packed, local_sizes=(crc, MAX32, size)),
    }.items():
        yield f"local {what}", zipped(Spec(b"first"), changed), f"{text}|overlaps"
    full = evolve(packed, local_sizes=(crc, MAX32, MAX32))
    yield "zip64 without its field", zipped(full), "zip64 field"
    short = evolve(full, local_extra=extra(1, b"\0" * 8))
    yield "zip64 with a short field", zipped(short), "zip64 field"
    for sizes in ((size, compressed + 1), (size + 1, compressed), (1 << 63, 1 << 63)):
        lie = evolve(full, local_extra=extra(1, struct.pack("<2Q", *sizes)))
        yield f"zip64 with sizes {sizes}", zipped(lie), text
    broken = evolve(full, local_extra=b"\1\0\xff\0")
    yield "an extra field too long", zipped(broken), "extra field is longer"
    described = evolve(packed, flags=8, local_sizes=(0, 0, 0))
    values = (crc, compressed, size)
    for what, after in {
        "none": b"",
        "other crc": struct.pack("<4s3L", b"PK\7\x08", crc ^ 1, compressed, size),
        "other size": struct.pack("<4s3L", b"PK\7\x08", crc, compressed, size + 1),
        "other compressed": struct.pack("<4s3L", b"PK\7\x08", crc, compressed + 1, size),
        "other magic": struct.pack("<4s3L", b"PK\7\x09", *values),
        "half": struct.pack("<2L", crc, compressed),
        "two": struct.pack("<4s3L", b"PK\7\x08", *values) * 2,
        "much": bytes(70_000),
    }.items():
        yield f"descriptor: {what}", zipped(evolve(described, after=after)), text
    yield "bytes after the data", zipped(evolve(spec, after=b"!")), "belong to no entry"
    yield "a hidden entry", zipped(evolve(spec, after=Spec(b"h").local())), "belong to no entry"
    yield "bytes before the directory", zipped(spec, middle=b"!" * 99), "belong to no entry"


def contents() -> Iterator[Sample]:
    big = b"evil" * 600_000
    for what, content in {"small": b"evil" * 50, "large": big}.items():
        for method in (0, 8):
            spec = Spec(content=content, method=method)
            name = f"{what}, method {method}"
            crc, _, size = spec.sizes
            yield f"{name}: crc", zipped(evolve(spec, crc=crc ^ 1)), "the CRC-32"
            yield f"{name}: no crc", zipped(evolve(spec, crc=0)), "the CRC-32"
            damaged = bytearray(spec.body)
            damaged[len(damaged) // 2] ^= 8
            text = "the CRC-32|damaged|too early or too late"
            yield f"{name}: a bit", zipped(evolve(spec, packed=bytes(damaged))), text
        packed = evolve(spec, method=8)
        text = "the CRC-32|too early or too late|damaged"
        for lie in (0, 1, size - 1, size + 1, 2 * size, (1 << 20) + 1, MAX32 - 1):
            yield f"{what}: size {lie}", zipped(evolve(packed, size=lie)), f"{text}|unpacks to more"
        for cut in (0, 1, len(packed.body) // 2, len(packed.body) - 1):
            body = packed.body[:cut]
            yield f"{what}: cut at {cut}", zipped(evolve(packed, packed=body)), text
        for more in (b"\0", b"\3\0", packed.body):
            body = packed.body + more
            yield f"{what}: {len(more)} bytes more", zipped(evolve(packed, packed=body)), text
        stored = evolve(packed, method=0)
        yield f"{what}: stored twice", zipped(stored, evolve(stored, content=b"?")), "already"
        odd = evolve(stored, compressed=len(content) - 1)
        yield f"{what}: stored and short", zipped(odd), "two different sizes"


def overlaps() -> Iterator[Sample]:
    """Entries that share bytes, in the ways of known bombs."""
    kernel = Spec(content=bytes(1 << 20), method=8)
    data = kernel.local()
    directory = b"".join(evolve(kernel, name=b"%d" % n).central(0) for n in range(200))
    end = End().packed(200, len(directory), len(data))
    yield "all at one place", data + directory + end, "overlaps"
    inner = [Spec(b"%d" % n, bytes(9)) for n in range(20)]
    locals_ = [spec.local() for spec in inner]
    body = b"".join(locals_)
    directory, at = b"", 0
    for spec, local in zip(inner, locals_, strict=True):
        tail = body[at + len(local) - 9 :]
        quoting = evolve(spec, content=tail)
        directory += quoting.central(at)
        at += len(local)
    end = End().packed(len(inner), len(directory), len(body))
    yield "each quotes the next", body + directory + end, "overlaps"
    one, two = Spec(b"a", b"1" * 100), Spec(b"b", b"2" * 100)
    for offset in (0, 1, 30, 60, 100, 130):
        yield f"the second at {offset}", zipped(one, evolve(two, offset=offset)), "overlaps"
    text = "overlaps|before the first|out of place|disagree|belong to no"
    for offset in (1, 200, 262, 263, 400, 1 << 20, MAX32 - 1):
        yield f"the first at {offset}", zipped(evolve(one, offset=offset)), text
    for compressed in (101, 200, 1 << 20, MAX32 - 1):
        lie = evolve(one, compressed=compressed, size=compressed)
        yield f"{compressed} bytes", zipped(lie), "overlaps"


def ends() -> Iterator[Sample]:
    spec = Spec()
    for what, end, text in (
        ("no count", End(count=0), "more entries|fewer"),
        ("one more", End(count=2), "fewer entries"),
        ("many", End(count=MAX16), "fewer entries"),
        ("other disk's count", End(here=2), "split archive"),
        ("disk", End(disk=1), "split archive"),
        ("first disk", End(first=1), "split archive"),
        ("size", End(size=46), "not where"),
        ("no size", End(size=0), "not where"),
        ("size in full", End(size=MAX32), "not where"),
        ("offset", End(offset=1), "not where"),
        ("offset in full", End(offset=MAX32), "not where"),
        ("a comment too long", End(comment_size=9), "after the end"),
        ("a comment too short", End(comment=b"abc", comment_size=2), "after the end"),
        ("garbage", End(after=b"\0\1"), "after the end"),
        ("much garbage", End(after=bytes(70_000)), "no end of a central directory"),
        ("an end in the comment", End(comment=End().packed(0, 0, 0)), "not where"),
        ("a cut end in the comment", End(comment=b"PK\5\6"), "no end of|after the end"),
    ):
        yield f"end: {what}", zipped(spec, end=end), text
    yield (
        "bytes before",
        zipped(spec, before=b"PK\3\4#!/bin/sh\n"),
        "before the first entry|disagree",
    )
    yield "another disk", zipped(evolve(spec, disk=1)), "size or place is missing"
    for field in ("size", "compressed", "offset"):
        lie = evolve(spec, **{field: MAX32})
        yield f"{field} in zip64, which is missing", zipped(lie), "missing"
        for content in (b"", bytes(7)):
            short = evolve(lie, extra=extra(1, content))
            yield f"{field} in {len(content)} bytes of zip64", zipped(short), "zip64 field"
        huge = evolve(lie, extra=extra(1, b"\xff" * 24))
        yield f"{field} of 2**64", zipped(huge), "overlaps|two different|unpacks|before the first"
    double = evolve(spec, size=MAX32, extra=extra(1, bytes(8)) * 2)
    yield "two zip64 fields", zipped(double), "zip64 field"
    unicode = evolve(spec, extra=extra(0x7075, b"\1" + bytes(4) + b"y"))
    yield "a second name", zipped(unicode), "two names"
    yield "an extra field too long", zipped(evolve(spec, extra=b"\1\0\xff\xff")), "longer than its"
    for cut in range(1, 120, 7):
        yield (
            f"{cut} bytes missing",
            zipped(spec)[:-cut],
            "no end of|after the end|not where|neither|ends at byte 0",
        )
    yield "only magic", b"PK\3\4" + bytes(2000), "no end of a central directory"


def ends64() -> Iterator[Sample]:
    text = "out of place|not where|disagree|split|entries|central directory of"
    for number, lie in enumerate((
        {"count": 0}, {"count": 2}, {"count": 1 << 40}, {"size": 1}, {"size": 1 << 62},
        {"offset": 0}, {"offset": 1 << 62}, {"shift": 1}, {"shift": -1}, {"shift": 10_000},
        {"record": 43}, {"record": 45}, {"record": 1 << 60}, {"disks": 2}, {"disk": 1},
        {"magic": b"PK\5\6"}, {"end": End(count=7)}, {"end": End(size=7)}, {"end": End(offset=7)},
        {"end": End(size=MAX32, offset=MAX32, count=0)},
    )):  # fmt: skip
        yield f"zip64 {number}: {lie}", zipped64(**lie), text  # type: ignore[arg-type]


SAMPLES = [
    *names(), *links(), *kinds(), *twice(), *lies(), *contents(), *overlaps(), *ends(), *ends64(),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "message"), [pytest.param(data, text, id=what) for what, data, text in SAMPLES]
)
def test_refused(data: bytes, message: str, refused: Refused) -> None:
    assert re.search(message, str(refused(data)))


def test_there_are_enough_samples() -> None:
    assert len({data for _, data, _ in SAMPLES}) >= 350


def test_the_builder_is_not_what_is_refused(unpacked: Unpacked) -> None:
    """The same archives without their tricks are taken."""
    spec = Spec(content=b"fine", method=8)
    described = evolve(spec, flags=8, local_sizes=(0, 0, 0))
    descriptor = struct.pack("<3L", *spec.sizes)
    crc, compressed, size = spec.sizes
    field = extra(1, struct.pack("<2Q", size, compressed))
    for data in (
        zipped(spec),
        zipped64().replace(b"evil", b"fine").replace(
            struct.pack("<L", zlib.crc32(b"evil")), struct.pack("<L", zlib.crc32(b"fine"))
        ),
        zipped(evolve(spec, method=0), end=End(comment=b"a comment")),
        zipped(evolve(described, after=descriptor)),
        zipped(evolve(described, after=b"PK\7\x08" + descriptor)),
        zipped(evolve(described, after=b"PK\7\x08" + struct.pack("<L2Q", *spec.sizes))),
        zipped(evolve(spec, local_sizes=(crc, MAX32, MAX32), local_extra=field)),
        zipped(evolve(spec, size=MAX32, local_sizes=spec.sizes, extra=extra(1, field[4:12]))),
    ):  # fmt: skip
        assert unpacked(data) == {"x": (b"fine", False)}


def test_declared_sizes_count_before_anything_is_unpacked(refused: Refused) -> None:
    data = zipped(*(Spec(b"%d" % n, method=8, size=1 << 31) for n in range(4)))
    error = refused(data, limits=UnpackLimits(total=1 << 32))
    assert "more than 4294967296 bytes" in str(error)


def test_declared_ratio_counts_before_anything_is_unpacked(refused: Refused) -> None:
    data = zipped(*(Spec(b"%d" % n, method=8, size=1 << 31) for n in range(4)))
    assert "more than 250 times" in str(refused(data))


def test_entries_are_counted(refused: Refused) -> None:
    data = zipped(*(Spec(b"%d" % n) for n in range(11)))
    assert "more than 10 entries" in str(refused(data, limits=UnpackLimits(entries=10)))


def test_no_links_where_none_may_be(refused: Refused) -> None:
    data = zipped(Spec(b"l", b"x", mode=SYMLINK))
    assert "a link, where only files" in str(refused(data, links=Links.NONE))


@pytest.mark.parametrize("name", [b"x", b"./x"])
def test_what_says_the_same_again_is_taken(
    name: bytes, unpacked: Unpacked, refused: Refused
) -> None:
    data = zipped(Spec(), Spec(name, method=8), Spec(b"d/", b""), Spec(b"d/", b""))
    assert unpacked(data) == {"x": (b"evil", False), "d": None}
    assert "already" in str(refused(data, limits=UnpackLimits(repeats=False)))
