"""Tar archives made field by field, also such as no program writes."""

from __future__ import annotations

import itertools

END = bytes(1024)
USTAR, GNU = b"ustar\x0000", b"ustar  \0"


def member(  # noqa: PLR0913 - a header's fields
    name: bytes,
    content: bytes = b"",
    *,
    kind: bytes = b"0",
    link: bytes = b"",
    mode: bytes = b"0000644\0",
    size: bytes | None = None,
    checksum: bytes | None = None,
    magic: bytes = USTAR,
    prefix: bytes = b"",
) -> bytes:
    """One entry; every field as given, whatever it may be."""
    size = b"%011o\0" % len(content) if size is None else size
    ids, time = b"0000000\0" * 2, b"0" * 11 + b"\0"
    start = name[:100].ljust(100, b"\0") + mode.ljust(8, b"\0") + ids + size.ljust(12, b"\0") + time
    rest = kind + link[:100].ljust(100, b"\0") + magic + bytes(80) + prefix.ljust(155, b"\0")
    total = sum(start) + sum(rest) + 8 * 0x20
    told = b"%06o\0 " % total if checksum is None else checksum
    return start + told + rest + bytes(12) + content + bytes(-len(content) % 512)


def record(key: bytes, value: bytes) -> bytes:
    body = b" " + key + b"=" + value + b"\n"
    length = next(n for n in itertools.count(len(body)) if n == len(b"%d" % n) + len(body))
    return b"%d" % length + body


def pax(*records: tuple[bytes, bytes], kind: bytes = b"x") -> bytes:
    return member(b"pax", b"".join(itertools.starmap(record, records)), kind=kind)


def long(text: bytes, kind: bytes = b"L") -> bytes:
    return member(b"././@LongLink", text + b"\0", kind=kind, magic=GNU)


def link(name: bytes, target: bytes) -> bytes:
    return member(name, kind=b"2", link=target)


def hard(name: bytes, target: bytes) -> bytes:
    return member(name, kind=b"1", link=target)


def folder(name: bytes) -> bytes:
    return member(name, kind=b"5", mode=b"0000755\0")
