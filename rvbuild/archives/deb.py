"""Unpacks Debian packages: what ``dpkg-deb --extract`` would.

Knows: the members of a package (deb(5)). Must not know: control information.
"""

from __future__ import annotations

from rvbuild.archives.ar import Member, members
from rvbuild.archives.compression import decompressed
from rvbuild.archives.guard import Guard
from rvbuild.archives.limits import Limits, Links, Meter
from rvbuild.archives.source import Flow, Readable, Source
from rvbuild.archives.tar import read_tar
from rvbuild.core.errors import VerificationError
from rvbuild.core.ports import TreeSink


def read_deb(  # noqa: PLR0913 - all but three have a default
    stream: Readable,
    into: TreeSink,
    *,
    name: str,
    strip: int = 0,
    limits: Limits | None = None,
    links: Links = Links.ROOTED,
) -> None:
    """Unpack the files of a binary package.

    Raises:
        VerificationError: no package, damaged, truncated, against the rules, over a limit.
    """
    limits = limits or Limits()
    guard = Guard(into, name, strip=strip, limits=limits, links=links)
    done = False
    for number, member in enumerate(members(Source(stream, name))):
        if number == 0:
            _check_version(member, name)
        elif member.name == "data.tar" or member.name.startswith("data.tar."):
            if done:
                message = "a Debian package with two sets of files"
                raise VerificationError(message, where=name)
            chunks = decompressed(Source(member, f"{name}: {member.name}"), Meter(name, limits))
            read_tar(Flow(chunks, f"{name}: {member.name}"), guard)
            done = True
    if not done:
        message = "a Debian package without files (no data.tar in it)"
        raise VerificationError(message, where=name)


def _check_version(member: Member, name: str) -> None:
    if member.name != "debian-binary" or not member.read(64).startswith(b"2."):
        message = "not a Debian package of format 2"
        raise VerificationError(message, where=name)
