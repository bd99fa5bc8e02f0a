"""Hostile tar archives: each is refused, and nothing appears outside of any sink."""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from made_tar import END, GNU, folder, hard, link, long, member, pax

from rvbuild.archives import Links, UnpackLimits
from rvbuild.core.errors import VerificationError

Refused = Callable[..., VerificationError]
Unpacked = Callable[..., dict[str, Any]]
Sample = tuple[str, bytes, str]
"""What it tries, the archive without its end, and what the message says."""

NAMED: dict[str, Callable[[bytes], bytes]] = {
    "a file": lambda name: member(name, b"evil"),
    "an old file": lambda name: member(name, b"evil", kind=b"\0", magic=bytes(8)),
    "a directory": folder,
    "a symlink": lambda name: link(name, b"x"),
    "a hard link": lambda name: member(b"x", b"evil") + hard(name, b"x"),
    "a pax path": lambda name: pax((b"path", name)) + member(b"x", b"evil"),
    "a long name": lambda name: long(name) + member(b"x", b"evil"),
    "a long name and link": lambda name: long(b"x", b"K") + long(name) + link(b"y", b"z"),
}
OUTSIDE = [
    *(b"/etc/x", b"//x", b"/", b"/../x", b"/./x"),
    *(b"..", b"../", b"../x", b"./../x", b".//..//x", b"../../../../x"),
    *(b"a/..", b"a/../x", b"a/../../x", b"a/b/../../../x", b"a/../../b/x", b"../spare", b"../a/x"),
]
TARGETED: dict[str, Callable[[bytes], bytes]] = {
    "a symlink": lambda target: link(b"l", target),
    "a pax linkpath": lambda target: pax((b"linkpath", target)) + link(b"l", b"x"),
    "a long link": lambda target: long(target, b"K") + link(b"l", b"x"),
    "a symlink, with a path through it": lambda target: link(b"l", target) + member(b"l/x", b"1"),
}
LED_OUT = [
    *(b"/", b"/etc/x", b"//x", b"/../x", b".."),
    *(b"../x", b"./../x", b".//../x", b"../../x", b"x/../..", b"x/../../x", b"x/./..//../x"),
]
LINKED: dict[str, Callable[[bytes], bytes]] = {
    "a hard link": lambda target: hard(b"h", target),
    "a hard link by pax": lambda target: pax((b"linkpath", target)) + hard(b"h", b"f"),
    "a hard link by a long link": lambda target: long(target, b"K") + hard(b"h", b"f"),
}
NO_FILE = [
    *LED_OUT,
    b"missing",
    b"d",
    b"d/",
    b"d/l",
    b"h",
    b"later",
    b"l/f",
    b"",
    b"D",
    b"./",
]


_ABSOLUTE = "the path is absolute|the path has '..'|4 bytes of content"


def names() -> Iterator[Sample]:
    for (how, make), name in itertools.product(NAMED.items(), OUTSIDE):
        yield f"{name!r} as {how}", make(name), _ABSOLUTE
    for prefix in (b"/", b"/etc", b"..", b"a/..", b"../.."):
        data = member(b"x", b"evil", prefix=prefix)
        yield f"prefix {prefix!r}", data, _ABSOLUTE
    for how, make in NAMED.items():
        if "old" not in how and "prefix" not in how:
            yield f"not UTF-8 as {how}", make(b"\xff\xfe"), "not UTF-8"
        if "long" in how or "pax" in how:
            yield f"NUL as {how}", make(b"a\0b"), "NUL in it"
            yield f"a long component as {how}", make(b"n" * 256), "more than 255 bytes"
            yield f"a long non-ASCII component as {how}", make("ä".encode() * 128), "more than 255"
            yield f"a long path as {how}", make(b"n/" * 1024 + b"n"), "longer than 2048"
            yield f"PATH_MAX as {how}", make((b"n" * 200 + b"/") * 300 + b"n"), "longer than 2048"
    for magic in (b"ustar 00", b"ustar000"):
        data = member(b"x", b"1", prefix=b"p", magic=magic)
        yield f"a prefix by {magic!r}", data, "neither ustar's nor GNU's|neither a tar nor a zip"
    yield "an empty name", member(b"", b"1"), "an empty name"
    yield "a file that is a directory", member(b"d/", b"evil"), "4 bytes of content"
    yield "a file at the root", member(b".", b"evil"), "the root's own"


def links() -> Iterator[Sample]:
    for (how, make), target in itertools.product(TARGETED.items(), LED_OUT):
        yield f"{target!r} as {how}", make(target), "leads out of the root|above it is"
    before = member(b"f", b"1") + folder(b"d") + link(b"l", b"f") + link(b"d/l", b"../f")
    for (how, make), target in itertools.product(LINKED.items(), NO_FILE):
        if target or how == "a hard link":  # an empty record or long link has no meaning
            text = "not an earlier file|absolute|'..'|empty name|root's own|leads out of the root"
            yield f"{target!r} as {how}", before + make(target) + member(b"later", b""), text
    yield "an empty target", link(b"l", b""), "a symbolic link to nothing"
    yield "NUL in a target", pax((b"linkpath", b"a\0b")) + link(b"l", b"x"), "a symbolic link to"
    yield "a huge target", long(b"t" * 4096, b"K") + link(b"l", b"x"), "a symbolic link to"
    yield "a target not UTF-8", link(b"l", b"\xff"), "not UTF-8"
    yield "a symlink with content", member(b"l", b"evil", kind=b"2", link=b"x"), "is damaged"
    for entry in (link(b"l", b"x"), folder(b"l"), hard(b"l", b"f")):
        data = member(b"f", b"1") + pax((b"size", b"512")) + entry + bytes(512)
        yield f"{entry[156:157]!r} with a size by pax", data, "bytes of content"


def tangles() -> Iterator[Sample]:
    """Links that lead out only together: each text alone stays below the root."""
    up = link(b"a/b/up", b"../..")
    for target in (b"a/b/up/..", b"a/b/up/../x", b"./a/b/up/./../x", b"a/b/../b/up/../x"):
        yield f"a link up, then {target!r}", up + link(b"l", target), "leads out"
        yield f"{target!r}, then the link up", link(b"l", target) + up, "leads out"
    yield "two links up", up + link(b"d/m", b"../a/b/up") + link(b"l", b"d/m/.."), "leads out"
    deep = b"".join(link(b"s%d" % n, b"a/b/up/s%d" % (n + 1)) for n in range(15))
    yield "fifteen links up", up + deep + link(b"s15", b".") + link(b"l", b"s0/.."), "leads out"
    maze = b"".join(link(b"m%d" % n, b"m%d/.." % (n + 1)) for n in range(30))
    yield "a maze", maze + link(b"m30", b"."), "leads out"
    long_way = link(b"w", b"/".join([b"x/.."] * 500))
    yield (
        "many long ways",
        pax((b"linkpath", b"/".join([b"v"] * 2000) + b"/.."))
        + link(b"v", b"x")
        + long_way[:0]
        + b"".join(
            pax((b"linkpath", b"/".join([b"x"] * 2000) + b"/..")) + link(b"w%d" % n, b"x")
            for n in range(5)
        ),
        "too tangled",
    )


def placements() -> Iterator[Sample]:
    """A name twice, or a path through what is no directory."""
    file, other = member(b"p", b"1"), member(b"f", b"1") + member(b"g", b"2")
    differing: dict[str, Callable[[bytes], bytes]] = {
        "file": lambda name: member(name, b"good"),
        "symlink": lambda name: link(name, b"g"),
        "hard link": lambda name: hard(name, b"g"),
    }
    makers: dict[str, Callable[[bytes], bytes]] = {
        "file": lambda name: member(name, b"evil"),
        "symlink": lambda name: link(name, b"f"),
        "hard link": lambda name: hard(name, b"f"),
        "directory": folder,
    }
    for first, second in itertools.product(makers, makers):
        if first == second == "directory":
            continue
        before = other + (differing if first == second else makers)[first](b"p")
        both = before + makers[second](b"p")
        yield f"{first}, then {second} of the same name", both, "where the archive has a"
        again = before + makers[second](b".//p")
        yield f"{first}, then {second} of the same path", again, "where the archive has a"
        if first != "directory":
            below = other + makers[first](b"p") + makers[second](b"p/x")
            yield f"{second} below a {first}", below, "above it is a"
            deeper = other + makers[first](b"p") + makers[second](b"p/x/y/z")
            yield f"{second} deep below a {first}", deeper, "above it is a"
            late = other + makers[second](b"p/x") + makers[first](b"p")
            yield (
                f"{first} in place of the directory of a {second}",
                late,
                "where the archive has a",
            )
    escape = link(b"p", b"/tmp")
    yield "a file through an absolute link", escape + member(b"p/x", b"evil"), "leads out"
    yield "a file through a link to itself", link(b"p", b"p") + member(b"p/x", b"1"), "above it"
    text = "where the archive has a file already that differs"
    yield "file at the path of a file", file + member(b"p", b"2"), text
    yield "a longer file at the path of a file", file + member(b"p", b"11"), text
    yield "an executable file at its path", file + member(b"p", b"1", mode=b"0000755\0"), text
    yield "a link to another file at its path", file + other + hard(b"p", b"g"), text


def kinds() -> Iterator[Sample]:
    for kind, what in {b"3": "character", b"4": "block", b"6": "named pipe"}.items():
        yield what, member(b"dev", kind=kind), what
        yield f"{what} by pax", pax((b"path", b"dev/sda")) + member(b"x", kind=kind), what
    for letter in string.ascii_letters + "89 !":
        if letter not in "xXgLKV":
            kind = letter.encode()
            yield f"type {letter}", member(b"x", kind=kind), "sparse|split|backup|unknown type"
    yield "a label with content", member(b"x", b"evil", kind=b"V"), "bytes of content"
    yield "a folder with content", member(b"x", b"evil", kind=b"5"), "is damaged"
    for key in (b"GNU.volume.size", b"GNU.volume.filename", b"SUN.holesdata", b"SCHILY.realsize"):
        data = pax((key, b"1")) + member(b"x", b"1")
        yield f"sparse by {key!r}", data, "sparse or split files are not supported"


def sparse_header(*fields: bytes, size: bytes = b"1", more: bytes = b"") -> bytes:
    """A sparse file of one byte in GNU's old form.

    ``fields`` of 12 bytes each are in its header, ``more`` in the block that continues it.
    """
    block = bytearray(member(b"x", more or b"1", kind=b"S", magic=GNU))
    block[386:482] = b"".join(each.ljust(12, b"\0") for each in fields).ljust(96, b"\0")
    block[482], block[483:495] = bool(more), size.ljust(12, b"\0")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    return bytes(block)


def sparse(*records: tuple[bytes, bytes], name: bytes = b"x", content: bytes = b"1") -> bytes:
    named = ((b"GNU.sparse." + key, value) for key, value in records)
    return pax(*named) + member(name, content)


MAJOR = ((b"major", b"1"), (b"minor", b"0"))


def holes() -> Iterator[Sample]:
    """Sparse files whose map is not what it must be, in each of the four forms."""
    for key in (b"major", b"minor", b"map", b"name", b"size", b"offset", b"numbytes", b"what"):
        text = "missing or ambiguous|missing or is none|map of a sparse file|unknown version"
        yield f"only {key!r}", sparse((key, b"1")), text
    yield "a later version", sparse((b"major", b"2"), (b"minor", b"0")), "unknown version"
    for numbers, text in {
        b"0,1,0": "map of a sparse file is damaged",
        b"1,1": "beyond its end",
        b"0,2": "beyond its end",
        b"0,0": "more or fewer bytes",
        b"-1,1": "missing or is none",
        b"0,1,": "missing or is none",
        b"": "missing or is none",
        b"0,%d" % (1 << 80): "missing or is none",
    }.items():
        yield f"map {numbers!r}", sparse((b"size", b"1"), (b"map", numbers)), text
        if numbers.count(b",") != 1:
            continue
        leading = b"%d\n" % (len(numbers.split(b",")) // 2) + numbers.replace(b",", b"\n") + b"\n"
        data = sparse(*MAJOR, (b"realsize", b"1"), content=leading.ljust(512, b"\0") + b"1")
        yield f"map {numbers!r} before the data", data, f"{text}|more or fewer bytes"
    apart = sparse((b"size", b"9"), (b"map", b"4,1,0,0,2,1"), content=b"12")
    yield "out of order", apart, "out of order"
    yield "twice", sparse((b"size", b"9"), (b"map", b"0,1,0,1"), content=b"12"), "out of order"
    two = ((b"size", b"1"), (b"map", b"0,1"), (b"offset", b"0"), (b"numbytes", b"1"))
    yield "two maps", sparse(*two), "ambiguous"
    yield "numbers in turn", sparse(two[0], two[3], two[2]), "ambiguous"
    yield "too few blocks", sparse(*two[:2], (b"numblocks", b"2")), "not as long"
    yield "no map before the data", sparse(*MAJOR, (b"realsize", b"1"), content=b""), "too long"
    endless = sparse(*MAJOR, (b"realsize", b"1"), content=b"9" * 4096)
    yield "a map without an end", endless, "too long"
    many = sparse(*MAJOR, (b"realsize", b"1"), content=b"999999999\n".ljust(2048, b"\0"))
    yield "a map with more than there is", many, "too long"
    old = pax((b"GNU.sparse.size", b"1"), (b"GNU.sparse.map", b"0,1"))
    yield "two kinds of map", old + sparse_header(b"0", b"1"), "before what is none"
    yield "the map of a link", old + link(b"l", b"x"), "before what is none"
    yield "the map of a folder", old + member(b"d/", b"1"), "bytes of content"
    every = pax((b"GNU.sparse.size", b"1"), (b"GNU.sparse.map", b"0,1"), kind=b"g")
    yield "a map for every entry", every + member(b"x", b"1"), "for all entries"
    for fields, text in {
        (b"0", b"2"): "beyond its end",
        (b"0", b"0"): "more or fewer bytes",
        (b"x", b"1"): "is not a number",
        (b"0", b"1", b"0", b"1"): "out of order",
    }.items():
        yield f"a header with {fields}", sparse_header(*fields), text
    yield "a header that goes on", sparse_header(b"0", b"1", more=b"x"), "not a number"
    yield "a path that leads out", sparse((b"name", b"../x"), *two[:2]), "'..'"
    for size in (b"%d" % (65 << 20), b"%d" % (1 << 60)):
        hole = sparse((b"size", size), (b"map", b"0,1"))
        yield f"a hole of {size!r}", hole, "sparse files with more than 67108864 bytes"
    half = ((b"size", b"%d" % (40 << 20)), (b"map", b"0,1"))
    yield "two holes", sparse(*half) + sparse(*half, name=b"y"), "sparse files with more than"


BAD_NUMBERS = [
    *(b"-1", b"+1", b"0x10", b"1_0", b"1 1", b"8", b"1\0001", b"\t1", b"1.0", b"0o7", b"abc"),
    *("\u0661".encode(), b"\xff" * 8, b"\xff" + bytes(7), b"\x81" + bytes(7), b"\xc0" + bytes(7)),
]


def numbers() -> Iterator[Sample]:
    for number in BAD_NUMBERS:
        size = number.ljust(12, b"\xff" if number[0] == 0xFF else b"\0")
        yield (
            f"size {number!r}",
            member(b"a", b"1") + member(b"x", size=size),
            "is not a number|negative",
        )
        yield (
            f"mode {number!r}",
            member(b"a", b"1") + member(b"x", mode=number),
            "is not a number|negative",
        )
        data = member(b"a", b"1") + member(b"x", checksum=number.ljust(8, b"\0"))
        yield f"checksum {number!r}", data, "is damaged"
        if number != b"8":
            data = pax((b"size", number)) + member(b"x", b"1")
            yield (
                f"pax size {number!r}",
                data,
                "size in its extended header|extended header is damaged|truncated",
            )
    for power in (33, 40, 61):
        size = (1 << power).to_bytes(12, "big")
        size = b"\x80" + size[1:]
        yield f"a file of 2**{power} bytes", member(b"x", b"1", size=size), "more than|truncated"
        data = pax((b"size", b"%d" % (1 << power))) + member(b"x", b"1")
        yield f"a pax file of 2**{power} bytes", data, "more than|truncated"
    for power in (62, 63, 64, 87):
        size = b"\x80" + (1 << power).to_bytes(11, "big")
        data = member(b"a", b"1") + member(b"x", b"1", size=size)
        yield f"a file of 2**{power} bytes", data, "negative or too large"
        data = pax((b"size", b"%d" % (1 << power))) + member(b"x", b"1")
        yield f"a pax file of 2**{power} bytes", data, "too large"
    yield "the largest octal size", member(b"x", b"1", size=b"7" * 12), "more than|truncated"


def extensions() -> Iterator[Sample]:
    entry = member(b"x", b"1")
    for body in (b"x", b"9", b"9 ", b"5 a=b", b"0 a=b\n", b"-6 a=b\n", b"+6 a=b\n", b"6 a=b ",
                 b"6 a b\n", b"5 =b\n", b"99 a=b\n", b"6  a=b\n", b" 6 a=b\n", b"6\ta=b\n",
                 b"6 a=b\n6", b"6 a=b\n\0\0", b"000000000000000000000006 a=b\n",
                 b"9" * 400 + b" a=b\n", "\u0666 a=b\n".encode()):  # fmt: skip
        data = member(b"a", b"") + member(b"pax", body, kind=b"x") + entry
        yield f"pax records {body[:30]!r}", data, "extended header is damaged"
    name, target = pax((b"path", b"a")), pax((b"linkpath", b"b"))
    for what, headers in {
        "pax twice": name + target,
        "pax, then a long name": name + long(b"b"),
        "pax with a size, then a long name": pax((b"size", b"512")) + long(b"b"),
        "a long name, then pax": long(b"b") + name,
        "a long name twice": long(b"a") + long(b"b"),
        "a long link twice": long(b"a", b"K") + long(b"b", b"K"),
        "a long link, then pax": long(b"a", b"K") + target,
        "pax, then Solaris' pax": name + pax((b"mtime", b"1"), kind=b"X"),
        "pax with a map, then a long name": pax(
            (b"GNU.sparse.size", b"1"), (b"GNU.sparse.map", b"0,1")
        )
        + long(b"b"),
    }.items():
        yield what, headers + entry, "two extended headers for one entry"
    for kind in (b"x", b"L", b"K"):
        yield (
            f"type {kind!r} about nothing",
            (long(b"a", kind) if kind != b"x" else name),
            "no entry",
        )
        huge = member(b"x", kind=kind, size=b"%011o\0" % (1 << 21))
        yield f"type {kind!r} of 2 MiB", member(b"a") + huge, "an extended header of 2097152 bytes"
    for key in (b"path", b"linkpath", b"size"):
        data = pax((key, b"1"), kind=b"g") + entry
        yield f"{key!r} for all", data, "for all entries"
    yield "entries after zeros", entry + bytes(512) + member(b"y", b"1"), "one block of zeros"
    yield "a damaged header later", entry + member(b"y", checksum=b"000001\0 "), "checksum is wrong"
    yield "text", b"this is no archive at all\n" * 100, "neither a tar nor a zip"
    yield "HTML", b"<!DOCTYPE html><html>" + b" " * 2000, "neither a tar nor a zip"


SAMPLES = [
    *names(), *links(), *tangles(), *placements(), *kinds(), *holes(), *numbers(), *extensions(),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "message"), [pytest.param(data, text, id=what) for what, data, text in SAMPLES]
)
def test_refused(data: bytes, message: str, refused: Refused) -> None:
    assert re.search(message, str(refused(data + END)))


def test_there_are_enough_samples() -> None:
    assert len({data for _, data, _ in SAMPLES}) >= 500


ROOTED = [
    link(b"l", b".."),
    link(b"a/l", b"../../x"),
    link(b"l", b"/.."),
    link(b"l", b"/../etc/x"),
    link(b"l", b"/a/../../x"),
    link(b"a/up", b"/") + link(b"l", b"a/up/.."),
    link(b"a/up", b"/") + link(b"l", b"/a/up/../x"),
    link(b"l", b"/x") + member(b"l/x", b"evil"),
    hard(b"h", b"/etc/passwd"),
    member(b"/x", b"evil"),
]


@pytest.mark.parametrize("data", ROOTED)
def test_the_root_of_a_root_file_system_is_not_left_either(data: bytes, refused: Refused) -> None:
    assert re.search("leads out|above it is|absolute", str(refused(data + END, links=Links.ROOTED)))


def test_absolute_links_lead_into_a_root_file_system(unpacked: Unpacked) -> None:
    data = link(b"a/up", b"/d") + link(b"l", b"a/up/../x") + link(b"m", b"/a/./up") + END
    found = unpacked(data, links=Links.ROOTED)
    assert found == {"a": None, "a/up": "/d", "l": "a/up/../x", "m": "/a/./up"}


@pytest.mark.parametrize("data", [link(b"l", b"x"), member(b"x") + hard(b"h", b"x")])
def test_no_links_where_none_may_be(data: bytes, refused: Refused) -> None:
    assert "a link, where only files" in str(refused(data + END, links=Links.NONE))


def test_links_may_go_in_circles(unpacked: Unpacked) -> None:
    """The kernel refuses to follow them, so they lead nowhere, and not out."""
    data = link(b"a", b"b/../b") + link(b"b", b"a/../a") + END
    assert unpacked(data) == {"a": "b/../b", "b": "a/../a"}


def test_a_hard_link_to_a_link_is_that_link(unpacked: Unpacked) -> None:
    """link(2) does not follow it, and it is a link of the same archive."""
    data = member(b"d/f", b"1") + link(b"d/l", b"f") + hard(b"d/m", b"d/l") + hard(b"d/n", b"d/m")
    assert unpacked(data + END) == {
        "d": None, "d/f": (b"1", False), "d/l": "f", "d/m": "f", "d/n": "f",
    }  # fmt: skip


FILE, RUNS = member(b"p", b"1"), member(b"p", b"1", mode=b"0000755\0")
REPEATS = {
    "a file": FILE + FILE,
    "a file by another spelling": FILE + member(b"./p", b"1"),
    "a file with other bits that do not count": FILE + member(b"p", b"1", mode=b"0000600\0"),
    "an executable file": RUNS + member(b"p", b"1", mode=b"0000711\0"),
    "a hard link to itself": FILE + hard(b"p", b"p"),
    "a hard link to itself by another spelling": FILE + hard(b"p", b"./p"),
    "a hard link twice": FILE + hard(b"q", b"p") + hard(b"q", b"p"),
    "a hard link in a ring": FILE + hard(b"q", b"p") + hard(b"p", b"q"),
    "a hard link to an equal file": FILE + member(b"q", b"1") + hard(b"q", b"p"),
    "a file that was a hard link": FILE + hard(b"q", b"p") + member(b"q", b"1"),
    "a link": link(b"p", b"f") + link(b"p", b"f"),
    "a link as a hard link to itself": link(b"p", b"f") + hard(b"p", b"p"),
    "a folder": folder(b"p") + folder(b"p"),
}


@pytest.mark.parametrize("data", REPEATS.values(), ids=REPEATS)
def test_what_says_the_same_again_is_taken(data: bytes, unpacked: Unpacked) -> None:
    """Whether the first or the last counts, whoever unpacks gets this tree."""
    found = unpacked(data + END)
    assert found["p"] in {(b"1", False), (b"1", True), "f", None}
    assert found["p"] == unpacked(data[: 512 * (2 if data[156:157] == b"0" else 1)] + END)["p"]
    assert set(found) <= {"p", "q"}


@pytest.mark.parametrize("what", [what for what in REPEATS if "folder" not in what])
def test_nothing_comes_again_where_nothing_may(what: str, refused: Refused) -> None:
    limits = UnpackLimits(repeats=False)
    assert "already" in str(refused(REPEATS[what] + END, limits=limits))


def test_a_repeated_file_counts_like_any(refused: Refused) -> None:
    """Holes of a file that is there already are hashed, too."""
    hole = sparse((b"size", b"%d" % (40 << 20)), (b"map", b"0,1"))
    assert "sparse files with more than" in str(refused(hole * 2 + END))


def test_names_of_the_stores_own_files_are_names_like_any(unpacked: Unpacked) -> None:
    names = [b".lock", b"lock", b"spare", b"message", b"tree/spare", b"cas/ab", b".complete"]
    data = b"".join(member(name, b"1") for name in names) + END
    assert {name.decode() for name in names} <= set(unpacked(data))


def test_entries_are_counted(refused: Refused) -> None:
    data = b"".join(folder(b"%d" % n) for n in range(11)) + END
    assert "more than 10 entries" in str(refused(data, limits=UnpackLimits(entries=10)))


def test_control_characters_in_names_never_reach_a_message(refused: Refused) -> None:
    name = "\x1b]0;owned\x07\u202e/../x".encode()
    assert str(refused(member(name, b"1") + END)).isprintable()


@pytest.mark.parametrize(
    ("limits", "most"), [(UnpackLimits(ratio=3), 64 << 20), (UnpackLimits(total=9 << 20), 9 << 20)]
)
def test_a_store_copies_no_more_for_hard_links_than_an_archive_may_hold(
    limits: UnpackLimits, most: int, refused: Refused, unpacked: Unpacked
) -> None:
    """Few bytes can ask for any number: each link is a file of its own in a store."""
    one = bytes(range(256)) * 4096  # 1 MiB
    fit = [hard(b"h%d" % number, b"f") for number in range((most >> 20) - 2)]
    assert len(unpacked(member(b"f", one) + b"".join(fit) + END, limits=limits)) == len(fit) + 1
    data = member(b"f", one) + b"".join((*fit, *(hard(b"i%d" % n, b"f") for n in range(3)))) + END
    message = f"hard links with more than {most} bytes behind them"
    assert message in str(refused(data, limits=limits))
