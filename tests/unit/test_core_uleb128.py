"""Numbers of as many bytes as they need."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvbuild.core.errors import Malformed
from rvbuild.core.uleb128 import read_uleb128


def encode(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


@given(st.integers(0, 2**64 - 1), st.binary(max_size=3), st.binary(max_size=3))
def test_what_was_written_is_read(value: int, before: bytes, after: bytes):
    data = before + encode(value) + after
    assert read_uleb128(data, len(before)) == (value, len(data) - len(after))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 9, b"\xff" * 10 + b"\0", encode(2**64),
                                  b"\xff" * 1_000_000])  # fmt: skip
def test_what_is_longer_or_ends_early_is_none(data: bytes):
    with pytest.raises(Malformed, match="a number without an end, at byte 0"):
        read_uleb128(data)
