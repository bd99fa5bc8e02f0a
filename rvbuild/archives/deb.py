"""Unpacks Debian packages: what ``dpkg-deb --extract`` would.

Knows: the members of a package (deb(5)). Must not know: control information.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, field

from rvbuild.archives.byte_stream import CHUNK, ByteStream, Flow, Readable
from rvbuild.archives.compression import decompressed
from rvbuild.archives.guard import Guard
from rvbuild.archives.tar import read_tar
from rvbuild.archives.unpack_limits import Links, Meter, UnpackLimits
from rvbuild.core import ar
from rvbuild.core.errors import Malformed, VerificationError
from rvbuild.core.ports.sink import TreeSink


def read_deb(  # noqa: PLR0913 - all but three have a default
    stream: Readable,
    into: TreeSink,
    *,
    name: str,
    strip: int = 0,
    limits: UnpackLimits | None = None,
    links: Links = Links.ROOTED,
) -> None:
    """Unpack the files of a binary package.

    Raises:
        VerificationError: no package, damaged, truncated, against the rules, over a limit.
    """
    limits = limits or UnpackLimits()
    guard = Guard(into, name, strip=strip, limits=limits, links=links)
    done = False
    for number, member in enumerate(_members(ByteStream(stream, name))):
        if number == 0:
            _check_version(member, name)
        elif member.name == "data.tar" or member.name.startswith("data.tar."):
            if done:
                message = "a Debian package with two sets of files"
                raise Malformed(message, where=name)
            part = f"{name}: {member.name}"
            chunks = decompressed(ByteStream(member, part), Meter(name, limits))
            read_tar(Flow(chunks, part, framed=True), guard)
            done = True
    if not done:
        message = "a Debian package without files (no data.tar in it)"
        raise Malformed(message, where=name)


def _check_version(member: _Member, name: str) -> None:
    if member.name != "debian-binary" or not member.read(64).startswith(b"2."):
        message = "not a Debian package of format 2"
        raise Malformed(message, where=name)


@define
class _Member:
    """One member; what is not read of it is passed over when the next one is asked for."""

    name: str
    left: int
    _source: ByteStream = field(repr=False)

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; nothing at the end.

        Raises:
            VerificationError: the archive ends before the member does.
        """
        size = min(size, self.left, CHUNK)
        data = self._source.exactly(size, f"member {self.name}") if size else b""
        self.left -= size
        return data


def _members(source: ByteStream) -> Iterator[_Member]:
    """Every member in turn; each is readable until the next is asked for.

    deb(5): no index of symbols, no long names; a name may end with a slash.

    Raises:
        VerificationError: not an ar archive, damaged or truncated.
    """
    if source.exactly(len(ar.MAGIC), "its first line") != ar.MAGIC:
        message = "not an ar archive"
        raise Malformed(message, where=source.name)
    while source.peek(1):
        header = _header(source)
        member = _Member(header.name.removesuffix("/"), header.size, source)
        yield member
        while member.read(CHUNK):
            """Passed over."""
        if header.padding:
            source.read(header.padding)


def _header(source: ByteStream) -> ar.MemberHeader:
    at = source.taken
    try:
        return ar.parse_header(source.exactly(ar.HEADER_SIZE, "a member's header"), at)
    except VerificationError as error:
        raise Malformed(error.message, where=source.name) from error
