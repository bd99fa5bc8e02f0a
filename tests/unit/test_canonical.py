"""Canonical JSON: one value has one form, and no other is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvbuild.core.canonical import Json, decode, encode

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
)


@given(value=VALUES)
def test_what_was_encoded_is_read_back(value: Json):
    assert decode(encode(value)) == value


@pytest.mark.parametrize(
    "data",
    [
        b"", b" 1", b"1\n", b'{"a": 1}', b'{"b":1,"a":2}', b'{"a":1,"a":1}', b'"\\u0041"', b"1.0",
        b"1e3", b"-0", b"NaN", b"Infinity", b'"\\ud800"', b'"\xff"', b"[1,]", b"9" * 5000,
        b"[" * 200_000, b"\xef\xbb\xbf1", "1".encode("utf-16"),
    ],
)  # fmt: skip
def test_another_form_is_refused(data: bytes):
    with pytest.raises(ValueError, match=r"."):
        decode(data)
