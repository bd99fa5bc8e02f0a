"""Records of a log are proved by hashes up to a signed root, or refused."""

from __future__ import annotations

from random import Random

import pytest
from attrs import evolve
from sum_log import NAME, SEED, SumLog, key_of, signed

from rvbuild.core.errors import Untrusted
from rvbuild.core.transparent_log import LogHead, LogKey, LogProof, Tile
from rvbuild.trust.ed25519 import is_signature

KEY = LogKey.parse(key_of())
GO = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
SIGNATURE = (
    "Az3grnoCyOZnuqwJan/1nex80iVk0qpMqqo3cVs9X77X9rEBAfCWej/ryHmx2WQbXvqvsrGgvPd/IWg35g5B0+QNjQU="
)
HEAD = f"""\
go.sum database tree
72470197
zn3Ur98p8tbHWCUsglZg8HAVmwMHRKc/UTR2lN1G//A=

\u2014 sum.golang.org {SIGNATURE}
"""


def log(size: int) -> SumLog:
    return SumLog([f"e.org/m{n} v1.0.0 h1:x\n" for n in range(size)])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 255, 256, 257, 700])
def test_each_record_of_a_log_is_in_it(size: int):
    made = log(size)
    proof = LogProof(LogHead.parse(made.head()), made.tile)
    chance = Random(size)  # noqa: S311
    for number in {0, size - 1, *(chance.randrange(size) for _ in range(5))}:
        proof.refuse_absent(number, made.records[number].encode())
        for wrong in (number + 1, size, size + 300):
            with pytest.raises(Untrusted, match="is not in the log"):
                proof.refuse_absent(wrong, made.records[number].encode())
        with pytest.raises(Untrusted, match="is not in the log"):
            proof.refuse_absent(number, b"e.org/other v1.0.0 h1:x\n")


def test_a_wrong_tile_leads_to_another_root():
    made = log(300)

    def forged(tile: Tile) -> bytes:
        return bytes(reversed(made.tile(tile)))

    proof = LogProof(LogHead.parse(made.head()), forged)
    with pytest.raises(Untrusted, match="is not in the log"):
        proof.refuse_absent(7, made.records[7].encode())


def test_each_tile_is_read_once():
    made, read = log(700), list[Tile]()

    def tile(each: Tile) -> bytes:
        read.append(each)
        return made.tile(each)

    proof = LogProof(LogHead.parse(made.head()), tile)
    for number in (3, 4, 600, 699):
        proof.refuse_absent(number, made.records[number].encode())
    assert len(read) == len({*read})


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0, 256), "tile/8/0/000"),
        (Tile(0, 1234067, 256), "tile/8/0/x001/x234/067"),
        (Tile(2, 41, 7), "tile/8/2/041.p/7"),
        (Tile(1, 1000, 1), "tile/8/1/x001/000.p/1"),
    ],
)
def test_where_a_tile_is(tile: Tile, path: str):
    assert tile.path == path
    assert tile.whole == evolve(tile, width=256)
    assert tile.size == tile.width * 32


def test_gos_own_head_is_signed_by_gos_own_key():
    text = LogKey.parse(GO).signed_text(HEAD, is_signature)
    assert LogHead.parse(text).size == 72470197


@pytest.mark.parametrize(
    "note",
    [
        HEAD,
        "",
        "text",
        signed(log(2).head(), bytes(32)),
        signed(log(2).head(), name="other.example"),
        signed(log(2).head()).replace("\n2\n", "\n3\n"),
        signed(log(2).head()).replace("\u2014 ", ""),
        signed(log(2).head()).replace(f"{NAME} ", f"{NAME} !"),
    ],
)
def test_what_the_key_did_not_sign_counts_for_nothing(note: str):
    with pytest.raises(Untrusted, match=f"not signed by the key of {NAME}"):
        KEY.signed_text(note, is_signature)


def test_a_note_may_have_other_signatures_too():
    note = signed(log(2).head()).rstrip("\n")
    other = signed(log(2).head(), bytes(32), "witness.example").rpartition("\n\n")[2]
    assert KEY.signed_text(f"{note}\n{other}", is_signature) == log(2).head()


@pytest.mark.parametrize(
    "text",
    [
        "go.sum database tree\n2\nAAAA\n",
        "go.sum database tree\nx\n" + "A" * 43 + "=\n",
        "go.sum database tree\n" + "9" * 40 + "\n" + "A" * 43 + "=\n",
        "another tree\n2\n" + "A" * 43 + "=\n",
        "go.sum database tree\n",
        "go.sum database tree\n2\n!\n",
    ],
)
def test_what_is_no_head(text: str):
    with pytest.raises(Untrusted, match="no head of a log"):
        LogHead.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        key_of().replace(NAME, "other.example"),
        key_of().replace("+", "+0", 1),
        key_of()[:-4],
        f"{NAME}+00000000+!",
        key_of(name=""),
    ],
)
def test_what_is_no_key(text: str):
    with pytest.raises(ValueError, match=r"key|base64|padding|Only|alphabet|incorrect"):
        LogKey.parse(text)


def test_a_key_is_an_ed25519_key():
    assert LogKey.parse(GO).name == "sum.golang.org"
    assert KEY.raw != bytes(32)
    assert len(SEED) == len(KEY.raw)
