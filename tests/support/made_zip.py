"""Zip archives made field by field, also such as no program writes."""

from __future__ import annotations

import struct
import zlib

from attrs import frozen

UNIX, REGULAR, SYMLINK = 3 << 8 | 20, 0o100644, 0o120777
MAX16, MAX32 = 0xFFFF, 0xFFFFFFFF


@frozen
class Spec:
    """One entry, as the central directory and as the local header have it.

    What is None in the second is as in the first.
    """

    name: bytes = b"x"
    content: bytes = b"evil"
    packed: bytes | None = None
    method: int = 0
    flags: int = 0
    mode: int = REGULAR
    made: int = UNIX
    crc: int | None = None
    size: int | None = None
    compressed: int | None = None
    extra: bytes = b""
    disk: int = 0
    offset: int | None = None
    local_name: bytes | None = None
    local_method: int | None = None
    local_flags: int | None = None
    local_sizes: tuple[int, int, int] | None = None
    local_extra: bytes = b""
    local_magic: bytes = b"PK\3\4"
    after: bytes = b""

    @property
    def body(self) -> bytes:
        if self.packed is not None:
            return self.packed
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(self.content) + packer.flush()
        return packed if self.method == 8 else self.content

    @property
    def sizes(self) -> tuple[int, int, int]:
        crc = zlib.crc32(self.content) if self.crc is None else self.crc
        size = len(self.content) if self.size is None else self.size
        return crc, len(self.body) if self.compressed is None else self.compressed, size

    def local(self) -> bytes:
        name = self.name if self.local_name is None else self.local_name
        method = self.method if self.local_method is None else self.local_method
        flags = self.flags if self.local_flags is None else self.local_flags
        fields = (20, flags, method, 0, 33, *(self.local_sizes or self.sizes))
        lengths = (len(name), len(self.local_extra))
        head = struct.pack("<4s5H3L2H", self.local_magic, *fields, *lengths)
        return head + name + self.local_extra + self.body + self.after

    def central(self, offset: int) -> bytes:
        offset = offset if self.offset is None else self.offset
        head = (self.made, 20, self.flags, self.method, 0, 33, *self.sizes)
        lengths = (len(self.name), len(self.extra), 0, self.disk, 0, self.mode << 16, offset)
        packed = struct.pack("<4s6H3L5H2L", b"PK\1\2", *head, *lengths)
        return packed + self.name + self.extra


@frozen
class End:
    """The end of the central directory; None: what is true."""

    count: int | None = None
    here: int | None = None
    size: int | None = None
    offset: int | None = None
    disk: int = 0
    first: int = 0
    comment: bytes = b""
    comment_size: int | None = None
    after: bytes = b""

    def packed(self, count: int, size: int, offset: int) -> bytes:
        count = count if self.count is None else self.count
        here = count if self.here is None else self.here
        size = size if self.size is None else self.size
        offset = offset if self.offset is None else self.offset
        told = len(self.comment) if self.comment_size is None else self.comment_size
        fields = (self.disk, self.first, here, count, size, offset, told)
        return struct.pack("<4s4H2LH", b"PK\5\6", *fields) + self.comment + self.after


def zipped(*specs: Spec, end: End | None = None, before: bytes = b"", middle: bytes = b"") -> bytes:
    data, directory = before, b""
    for spec in specs:
        directory += spec.central(len(data))
        data += spec.local()
    data += middle
    ends = (end or End()).packed(len(specs), len(directory), len(data))
    return data + directory + ends


def zipped64(  # noqa: PLR0913 - a record's fields
    *,
    count: int = 1,
    size: int | None = None,
    offset: int | None = None,
    shift: int = 0,
    record: int = 44,
    disks: int = 1,
    disk: int = 0,
    end: End | None = None,
    magic: bytes = b"PK\6\6",
) -> bytes:
    """One entry, the end of its directory told in 64 bits."""
    spec = Spec()
    data, directory = spec.local(), spec.central(0)
    size = len(directory) if size is None else size
    offset = len(data) if offset is None else offset
    at = len(data) + len(directory)
    values = (record, 45, 45, disk, 0, count, count, size, offset)
    end64 = struct.pack("<4sQ2H2L4Q", magic, *values)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at + shift, disks)
    short = end or End(count=MAX16, size=MAX32, offset=MAX32)
    return data + directory + end64 + locator + short.packed(1, len(directory), len(data))


def extra(kind: int, data: bytes) -> bytes:
    return struct.pack("<2H", kind, len(data)) + data
