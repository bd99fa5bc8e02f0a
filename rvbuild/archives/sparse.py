"""Where the bytes of a sparse file go: the maps that GNU tar and bsdtar write.

Knows: the forms of a map (GNU tar's manual, "Storing Sparse Files": the old one in the header,
and 0.0, 0.1 and 1.0 in pax records). Must not know: entries, sinks.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import Attribute, field, frozen

from rvbuild.archives.byte_stream import Flow
from rvbuild.archives.tar_header import BLOCK, HeaderError, parse_field

PREFIX = b"GNU.sparse."
"""What the keys of a sparse file's pax records begin with."""

Extents = tuple[tuple[int, int], ...]
"""(offset, length) of each piece that is there, in bytes."""

_ZEROS = bytes(256 << 10)
_MAP_MAX = 1 << 20
_MAGIC = slice(257, 265)
_IN_HEADER = slice(386, 482), 482
_IN_BLOCK = slice(0, 504), 504
_REAL_SIZE = slice(483, 495)
_FIELD = 12


@frozen
class SparseMap:
    """A file of ``size`` bytes: zeros, but for ``extents``.

    Raises:
        HeaderError: the extents are not in order, overlap, or lie beyond the file's end.
    """

    size: int
    extents: Extents = field()

    @extents.validator
    def _in_order(self, _: Attribute[Extents], extents: Extents) -> None:
        at = 0
        for offset, length in extents:
            if offset < at:
                message = "the pieces of a sparse file are out of order"
                raise HeaderError(message)
            at = offset + length
        if at > self.size:
            message = "the pieces of a sparse file lie beyond its end"
            raise HeaderError(message)

    @property
    def stored(self) -> int:
        """Bytes that the archive holds."""
        return sum(length for _, length in self.extents)

    @property
    def holes(self) -> int:
        """Bytes that it does not hold."""
        return self.size - self.stored

    def chunks(self, flow: Flow) -> Iterator[bytes]:
        """The file's content, of which ``flow`` holds the pieces.

        Raises:
            VerificationError: there are fewer bytes.
        """
        at = 0
        for offset, length in (*self.extents, (self.size, 0)):
            for left in range(offset - at, 0, -len(_ZEROS)):
                yield _ZEROS[:left]
            yield from flow.pieces(length)
            at = offset + length


@frozen
class SparseRecords:
    """What pax records say of a sparse file; ``extents`` is None if the map precedes the data."""

    size: int
    name: bytes | None = None
    extents: Extents | None = None

    def map_of(self, flow: Flow, size: int) -> SparseMap:
        """The map of the entry whose ``size`` bytes come next in ``flow``; form 1.0 is read there.

        Raises:
            HeaderError: damaged.
            VerificationError: truncated.
        """
        extents = self.extents
        return SparseMap(self.size, _leading_map(flow, size) if extents is None else extents)


def parse_sparse_records(records: list[tuple[bytes, bytes]]) -> SparseRecords:
    """Read the ``GNU.sparse.*`` of an entry's records; those of other keys do not matter.

    Raises:
        HeaderError: incomplete, damaged, or of an unknown form.
    """
    values = {key.removeprefix(PREFIX): value for key, value in records if key.startswith(PREFIX)}
    name = values.get(b"name") or None
    version = values.get(b"major", b"0"), values.get(b"minor", b"0")
    if version == (b"1", b"0"):
        return SparseRecords(_number(values.get(b"realsize", b"")), name)
    if version not in {(b"0", b"0"), (b"0", b"1")}:
        message = "a sparse file of an unknown version"
        raise HeaderError(message)
    pairs = [(key, value) for key, value in records if key in {PREFIX + b"offset", _NUMBYTES}]
    if (b"map" in values) == bool(pairs) or any(
        (key == _NUMBYTES) != index % 2 for index, (key, _) in enumerate(pairs)
    ):
        message = "the map of a sparse file is missing or ambiguous"
        raise HeaderError(message)
    numbers = values[b"map"].split(b",") if b"map" in values else [value for _, value in pairs]
    extents = _paired(numbers)
    if b"numblocks" in values and _number(values[b"numblocks"]) != len(extents):
        message = "the map of a sparse file is not as long as it should be"
        raise HeaderError(message)
    return SparseRecords(_number(values.get(b"size", b"")), name, extents)


_NUMBYTES = PREFIX + b"numbytes"


def header_map(block: bytes, flow: Flow) -> SparseMap:
    """The map of a header of type ``S`` (``block``) and of the blocks that continue it.

    Raises:
        HeaderError: damaged, or not GNU's.
        VerificationError: truncated.
    """
    if block[_MAGIC] != b"ustar  \0":
        message = "a sparse file, in a header that is not GNU's"
        raise HeaderError(message)
    size = parse_field(block[_REAL_SIZE])
    extents: list[tuple[int, int]] = []
    start = flow.position
    part, flag = _IN_HEADER
    while True:
        fields = block[part]
        for at in range(0, len(fields), 2 * _FIELD):
            offset, length = (parse_field(fields[n : n + _FIELD]) for n in (at, at + _FIELD))
            if length:  # a field that is not used is empty
                extents.append((offset, length))
        if not block[flag]:
            return SparseMap(size, tuple(extents))
        if flow.position - start > _MAP_MAX:
            raise _too_long()
        block = flow.exactly(BLOCK)
        part, flag = _IN_BLOCK


def _leading_map(flow: Flow, size: int) -> Extents:
    """Form 1.0: a count, then offsets and lengths, each with a newline, padded to a block."""
    blocks: list[bytes] = []
    lines, wanted = 0, 1
    while lines < wanted:
        if len(blocks) * BLOCK >= min(size, _MAP_MAX):
            raise _too_long()
        blocks.append(flow.exactly(BLOCK))
        lines += blocks[-1].count(b"\n")
        if lines and wanted == 1:
            wanted += 2 * _number(b"".join(blocks).partition(b"\n")[0])
    return _paired(b"".join(blocks).split(b"\n")[1:wanted])


def _too_long() -> HeaderError:
    return HeaderError("the map of a sparse file is damaged or too long")


def _paired(numbers: list[bytes]) -> Extents:
    values = [_number(number) for number in numbers]
    if len(values) % 2:
        message = "the map of a sparse file is damaged"
        raise HeaderError(message)
    return tuple(zip(values[::2], values[1::2], strict=True))


def _number(value: bytes) -> int:
    if not value.isdigit() or len(value) > 19:
        message = "a number of a sparse file is missing or is none"
        raise HeaderError(message)
    return int(value)
