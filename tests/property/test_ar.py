"""An ar archive says the same in memory (audits) and as it streams in (Debian packages)."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from rvbuild.archives.byte_stream import ByteStream
from rvbuild.archives.deb import _members
from rvbuild.core import ar
from rvbuild.core.errors import VerificationError

NAMES = st.sampled_from([b"a.o/", b"data.tar", b"x y", b"\xc3\xa4", b"\xff", b"0123456789abcdef"])
SIZES = st.none() | st.sampled_from([b"", b"-1", b" 1", b"1 ", b"+1", b"99", b"1_0", b"\xb2"])
ENDS = st.just(b"`\n") | st.just(b"``")


def member(name: bytes, body: bytes, size: bytes | None, end: bytes) -> bytes:
    digits = b"%d" % len(body) if size is None else size
    head = name.ljust(16) + b"0".ljust(12) + b"0     0     100644  " + digits.ljust(10) + end
    return head + body + b"\n" * (len(body) % 2)


MEMBERS = st.builds(member, NAMES, st.binary(max_size=5), st.none(), st.just(b"`\n"))
ODD = st.builds(member, NAMES, st.binary(max_size=5), SIZES, ENDS)


def in_memory(data: bytes) -> list[tuple[str, bytes]] | None:
    try:
        return [(name.removesuffix("/"), bytes(body[:])) for name, body in ar.members(data)]
    except VerificationError:
        return None


def streamed(data: bytes) -> list[tuple[str, bytes]] | None:
    try:
        return [(one.name, one.read(99)) for one in _members(ByteStream(io.BytesIO(data), "x"))]
    except VerificationError:
        return None


@given(st.lists(MEMBERS, max_size=3), ODD | st.binary(max_size=70), st.integers(0, 9))
def test_both_readers_agree(good: list[bytes], last: bytes, cut: int):
    data = ar.MAGIC + b"".join(good) + last
    data = data[: len(data) - cut]
    assert in_memory(data) == streamed(data)


@given(st.lists(MEMBERS, max_size=3))
def test_whole_archives_are_read(members: list[bytes]):
    found = in_memory(ar.MAGIC + b"".join(members))
    assert found is not None
    assert len(found) == len(members)
