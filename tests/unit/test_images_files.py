"""A layout's files as a sink hands them on: what it says of them is the port's promise."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import pytest

from rvbuild.images.files import _Files

CHUNKS = (b"first", b"second", b"third")


@pytest.mark.parametrize("most", [0, 1, 3, 9])
def test_the_whole_file_is_hashed_however_much_is_taken(most: int):
    taken: list[bytes] = []

    def take(path: str, chunks: Iterable[bytes]) -> None:
        def some() -> Iterator[bytes]:  # closes what it reads from when it is dropped
            yield from chunks

        assert path == "blobs/x"
        taken.extend(chunk for chunk, _ in zip(some(), range(most), strict=False))

    found = _Files(take).file("blobs/x", iter(CHUNKS))
    assert found == hashlib.sha256(b"".join(CHUNKS)).hexdigest()
    assert taken == list(CHUNKS[:most])
