"""Reads tar archives: ustar, pax, GNU's long names and sparse files, and their old relatives.

Knows: how entries follow each other, and which belong together. Must not know:
compression, disks.

Where readers differ about what an archive holds, it is refused:

- split files;
- two extended headers for one entry that say the same thing of it, or one after a pax header with a
  size or a map. A long name and then a pax header with owner and times is taken: Apache Commons
  Compress writes that;
- a size in the pax header of a link or directory. The header's own size is passed over there: old
  programs wrote the one of the directory or of the linked file, and no content follows (POSIX).
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve, frozen

from rvbuild.archives.byte_stream import Flow
from rvbuild.archives.guard import Guard
from rvbuild.archives.sparse import (
    PREFIX,
    SparseMap,
    SparseRecords,
    header_map,
    parse_sparse_records,
)
from rvbuild.archives.tar_header import (
    BLOCK,
    Header,
    HeaderError,
    parse_header,
    parse_records,
    parse_size,
)
from rvbuild.core.errors import Malformed, VerificationError
from rvbuild.core.printable import brief
from rvbuild.core.web_page import is_web_page

_ZEROS = bytes(BLOCK)
_LOOK = "see what its address gives: it may want a login, or be the page about the file"
_EXTENSION_MAX = 1 << 20
_AT_ONCE = 1 << 20
_FILES = frozenset({b"0", b"\0", b"7"})
_HARD_LINK, _SYMLINK, _DIRECTORY, _SPARSE, _LABEL = b"1", b"2", b"5", b"S", b"V"
_PAX, _PAX_SOLARIS, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK = b"x", b"X", b"g", b"L", b"K"
_EXTENSIONS = frozenset({_PAX, _PAX_SOLARIS, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK})
_WITHOUT_CONTENT = frozenset({_HARD_LINK, _SYMLINK, _DIRECTORY})
_OTHERS = {
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a named pipe",
    b"M": "a part of a split file",
    b"D": "a directory listing of an incremental backup",
}


@frozen
class _Extension:
    """What headers before an entry's own said about it; ``kinds`` are their type flags."""

    kinds: bytes = b""
    name: bytes | None = None
    link: bytes | None = None
    size: int | None = None
    sparse: SparseRecords | None = None


_NOTHING = _Extension()


def read_tar(flow: Flow, guard: Guard, seen: Callable[[Header], None] | None = None) -> None:
    """Unpack the tar archive that ``flow`` is, to its end.

    Args:
        flow: The archive.
        guard: Takes the entries.
        seen: Called with an entry's header before that: a tree has no place for modes.

    Raises:
        VerificationError: no tar archive, damaged, truncated, or against the rules.
    """
    extension = _NOTHING
    while (block := flow.upto(BLOCK)) != _ZEROS:
        if flow.framed and flow.position and not block:
            break  # some programs write no blocks of zeros at the end
        header = _header(flow, block)
        if header.kind in _EXTENSIONS:
            extension = _extend(flow, guard, header, extension)
            continue
        header, sparse = _extended(flow, block, header, extension)
        extension = _NOTHING
        if seen is not None:
            seen(header)
        _place(flow, guard, header, sparse)
    if extension.kinds:
        raise _damaged(flow, "an extended header with no entry after it")
    _end(flow)
    guard.finish()


def _end(flow: Flow) -> None:
    """See that a second block of zeros follows, if anything does."""
    block = flow.upto(BLOCK)
    if block.strip(b"\0"):
        raise _damaged(flow, "one block of zeros, and then more entries")
    flow.drain()


def _damaged(flow: Flow, message: str) -> VerificationError:
    return Malformed(f"{message}, before byte {flow.position}", where=flow.name)


def _header(flow: Flow, block: bytes) -> Header:
    flow.entry = ""
    start = flow.position - len(block)
    try:
        if start and len(block) < BLOCK:
            flow.truncated()
        return parse_header(block)
    except HeaderError as error:
        if start == 0:
            raise _no_archive(flow.name, block, error) from error
        message = f"the header at byte {start} is damaged: {error}"
        raise Malformed(message, where=flow.name) from error


def _no_archive(name: str, begin: bytes, error: HeaderError) -> Malformed:
    """The error of what is of no format that is known, with what it looks like."""
    message = "neither a tar nor a zip archive nor a Debian package"
    if not begin:
        return Malformed(f"an empty file, {message}", where=name, hint=_LOOK)
    text = brief(begin.decode("ascii", errors="backslashreplace"), 60)
    details = (f"it begins with {text}", f"as a tar archive: {error}")
    if is_web_page(begin):
        return Malformed(f"a web page, {message}", where=name, hint=_LOOK, details=details)
    return Malformed(message, where=name, details=details)


def _padding(size: int) -> int:
    return -size % BLOCK


def _extend(flow: Flow, guard: Guard, header: Header, so_far: _Extension) -> _Extension:
    """Take in a header that is about the next entry, or about all that follow."""
    if header.size > _EXTENSION_MAX:
        raise _damaged(flow, f"an extended header of {header.size} bytes")
    data = flow.exactly(header.size + _padding(header.size))[: header.size]
    if header.kind == _LONG_NAME:
        more = _Extension(header.kind, name=data.removesuffix(b"\0"))
    elif header.kind == _LONG_LINK:
        more = _Extension(header.kind, link=data.removesuffix(b"\0"))
    else:
        more = _pax(flow, data)
    if header.kind == _PAX_GLOBAL:
        if evolve(more, kinds=b"") != _NOTHING:
            guard.refuse("of a global header", "a name, link or size for all entries")
        return so_far
    return _joined(flow, so_far, more)


def _pax(flow: Flow, data: bytes) -> _Extension:
    try:
        pairs = parse_records(data)
        records = dict(pairs)
        size = parse_size(records[b"size"]) if b"size" in records else None
        is_sparse = any(key.startswith(PREFIX) for key in records)
        sparse = parse_sparse_records(pairs) if is_sparse else None
    except HeaderError as error:
        raise _damaged(flow, str(error)) from error
    name, link = records.get(b"path"), records.get(b"linkpath")
    if sparse and sparse.name is not None:
        name = sparse.name
    return _Extension(_PAX, name or None, link or None, size, sparse)


def _joined(flow: Flow, first: _Extension, second: _Extension) -> _Extension:
    """What two headers in a row say of one entry."""
    if (
        set(first.kinds) & set(second.kinds)
        or (first.name is not None and second.name is not None)
        or (first.link is not None and second.link is not None)
        or (first.size, first.sparse) != (None, None)  # of which of the two headers after it?
    ):
        raise _damaged(flow, "two extended headers for one entry")
    return _Extension(
        first.kinds + second.kinds,
        second.name if first.name is None else first.name,
        second.link if first.link is None else first.link,
        second.size,
        second.sparse,
    )


def _extended(
    flow: Flow, block: bytes, header: Header, extension: _Extension
) -> tuple[Header, SparseMap | None]:
    """A header (``block``) with what those before it said, and where a sparse file's bytes go.

    Its ``size`` is then that of the content that comes next in ``flow``: maps are read.
    """
    size = header.size if extension.size is None else extension.size
    if header.kind in _WITHOUT_CONTENT and not extension.size:
        size = 0
        header = evolve(header, size=size)
    if extension.kinds:
        name = header.name if extension.name is None else extension.name
        link = header.link if extension.link is None else extension.link
        header = evolve(header, name=name, size=size, link=link)
    if header.kind != _SPARSE and extension.sparse is None:
        return header, None
    start = flow.position
    try:
        if header.kind == _SPARSE and extension.sparse is None:
            sparse, start = header_map(block, flow), flow.position
        elif header.kind in _FILES and extension.sparse is not None:
            sparse = extension.sparse.map_of(flow, size)
        else:
            raise _damaged(flow, "the map of a sparse file, before what is none")
    except HeaderError as error:
        raise _damaged(flow, str(error)) from error
    header = evolve(header, size=size - (flow.position - start))
    if header.size != sparse.stored:
        raise _damaged(flow, "a sparse file with more or fewer bytes than its map says")
    return header, sparse


def _place(flow: Flow, guard: Guard, header: Header, sparse: SparseMap | None) -> None:
    """Hand one entry on as what it is."""
    entry = guard.decode(header.name)
    flow.entry = entry
    if (header.kind in _FILES or sparse) and not entry.endswith("/"):
        _file(flow, guard, entry, header, sparse)
    elif header.kind in _OTHERS:
        guard.refuse(entry, f"{_OTHERS[header.kind]}; only files, directories and links may be")
    elif header.size or sparse:
        guard.refuse(entry, f"type {ascii(header.kind)[1:]} with {header.size} bytes of content")
    elif header.kind == _HARD_LINK:
        guard.hard_link(entry, guard.decode(header.link))
    elif header.kind == _SYMLINK:
        guard.symlink(entry, guard.decode(header.link))
    elif header.kind == _DIRECTORY or header.kind in _FILES:
        guard.directory(entry)
    elif header.kind != _LABEL:
        guard.refuse(entry, f"an entry of the unknown type {ascii(header.kind)[1:]}")


def _file(flow: Flow, guard: Guard, entry: str, header: Header, sparse: SparseMap | None) -> None:
    size, executable = header.size, header.mode & 0o111 != 0
    if sparse is None and size <= _AT_ONCE:
        data = flow.exactly(size + _padding(size))[:size]
        guard.file(entry, (data,), executable=executable)
        return
    stop = flow.position + size
    if sparse is not None:
        guard.count_holes(entry, sparse.holes)
    chunks = flow.pieces(size) if sparse is None else sparse.chunks(flow)
    guard.file(entry, chunks, executable=executable)
    for _ in flow.pieces(stop - flow.position):
        """What a sink (or nobody, when the path is stripped away) did not take."""
    flow.exactly(_padding(size))
