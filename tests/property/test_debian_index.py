"""Whatever is done to a signed index, no other text is believed, and nothing is a traceback."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from signed_archive import NOW, SignedArchive, Signer, together

from rvbuild.core.errors import SourceError, VerificationError
from rvbuild.kinds.debian.signatures import Keys, judge
from rvbuild.kinds.debian.signed_index import SignedIndex

ARCHIVE = SignedArchive(packages="Package: tool\n", more="- a dash: yes\n")
SIGNER = Signer()
GOOD = SIGNER.clear(ARCHIVE.index)
BOTH = together(Signer().apart(ARCHIVE.index), SIGNER.apart(ARCHIVE.index))
PIECES = st.one_of(
    st.binary(max_size=3),
    st.sampled_from(
        [b"\n", b"\r\n", b"- ", b"\n\n", b"Hash: SHA1\n", b"SHA256:\n", b"\n-----BEGIN PGP"]
    ),
    st.just(GOOD),
)


def believed(data: bytes) -> str | None:
    """The text of an ``InRelease``, if it is believed."""
    try:
        index = SignedIndex.parse(data)
    except (SourceError, VerificationError):
        return None
    judgement = judge(index, SIGNER.keys, NOW)
    return judgement.text if judgement.is_good else None


def lines(text: str) -> list[str]:
    """What a signature covers: no white space at the end of a line."""
    return [line.rstrip() for line in text.rstrip().splitlines()]


def test_the_good_one_is_believed():
    text = believed(GOOD)
    assert text is not None
    assert lines(text) == lines(ARCHIVE.index)
    assert judge(SignedIndex.parse_unsigned(ARCHIVE.index.encode(), BOTH), SIGNER.keys, NOW).is_good


@given(begin=st.integers(0, len(GOOD)), length=st.integers(0, 90), piece=PIECES)
@example(begin=0, length=0, piece=b"")
@example(begin=GOOD.index(b"SHA256:"), length=0, piece=b"Suite: evil\n")
def test_a_message_that_somebody_changed(begin: int, length: int, piece: bytes):
    text = believed(GOOD[:begin] + piece + GOOD[begin + length :])
    assert text is None or lines(text) == lines(ARCHIVE.index)


@given(begin=st.integers(0, len(BOTH)), length=st.integers(0, 90), piece=st.binary(max_size=4))
def test_signatures_that_somebody_changed(begin: int, length: int, piece: bytes):
    """Over another text none is good, whatever it was made to say."""
    signatures = BOTH[:begin] + piece + BOTH[begin + length :]
    index = SignedIndex(text=b"Codename: evil\n", signatures=signatures)
    assert not judge(index, SIGNER.keys, NOW).is_good


@given(data=st.binary(max_size=200))
def test_any_bytes_for_keys_and_signatures(data: bytes):
    for signatures in (data, b"-----BEGIN PGP SIGNATURE-----\n\n" + data):
        index = SignedIndex(text=b"Codename: x\n", signatures=signatures)
        assert not judge(index, SIGNER.keys, NOW).is_good
    try:
        keys = Keys.read(data)
    except ValueError:
        return
    assert not keys.certificates


@pytest.mark.parametrize("size", [0, 1, 10, 100])
def test_a_message_that_was_cut(size: int):
    assert believed(GOOD[: len(GOOD) * size // 100 - 2]) is None
