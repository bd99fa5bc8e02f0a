"""DSSE envelopes: what is signed, and that only one form of each is read."""

from __future__ import annotations

import base64
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvbuild.core.dsse import LARGEST, MOST_SIGNATURES, Envelope, Signature, pae
from rvbuild.core.errors import Malformed

KIND = "application/vnd.rvbuild.realisation+json"
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
SIGNATURES = st.lists(st.builds(Signature, TEXTS, st.binary(max_size=70)), max_size=3).map(tuple)


@pytest.mark.parametrize(
    ("kind", "payload", "encoded"),
    [
        (
            "http://example.com/HelloWorld",
            b"hello world",
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world",
        ),
        ("", b"", b"DSSEv1 0  0 "),
        ("ä", b"\x00\n", b"DSSEv1 2 \xc3\xa4 2 \x00\n"),
    ],
)
def test_what_is_signed_is_as_the_specification_has_it(kind: str, payload: bytes, encoded: bytes):
    assert pae(kind, payload) == encoded
    assert Envelope(payload=payload, payload_type=kind).signed_bytes == encoded


@given(one=st.tuples(TEXTS, st.binary()), other=st.tuples(TEXTS, st.binary()))
def test_two_things_are_never_signed_alike(one: tuple[str, bytes], other: tuple[str, bytes]):
    assert (pae(*one) == pae(*other)) == (one == other)


@given(payload=st.binary(), kind=TEXTS, signatures=SIGNATURES)
def test_what_was_encoded_is_read_back(
    payload: bytes, kind: str, signatures: tuple[Signature, ...]
):
    envelope = Envelope(payload=payload, payload_type=kind, signatures=signatures)
    assert Envelope.decode(envelope.encode()) == envelope


def document(**changes: object) -> bytes:
    plain = {
        "payload": "-_8=",
        "payloadType": KIND,
        "signatures": [{"sig": "+/8=", "keyid": "ci:0123"}],
    }
    return json.dumps({**plain, **changes}).encode()


def test_either_alphabet_is_read_and_unknown_members_are_skipped():
    data = document(more={"nested": [1.5]}, signatures=[{"sig": "+/8=", "x": 1}])
    assert Envelope.decode(data) == Envelope(
        payload=b"\xfb\xff", payload_type=KIND, signatures=(Signature("", b"\xfb\xff"),)
    )


MALFORMED = {
    "empty": b"",
    "no JSON": b"{",
    "no object": b"[]",
    "text": b'"payload"',
    "UTF-16": document().decode().encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + document(),
    "no UTF-8": document(payloadType="x").replace(b'"x"', b'"\xff"'),
    "more behind it": document() + b"{}",
    "no payload": b'{"payloadType": "", "signatures": []}',
    "no type": b'{"payload": "", "signatures": []}',
    "no signatures": b'{"payload": "", "payloadType": ""}',
    "payload twice": document().replace(b'"payload":', b'"payload": "", "payload":'),
    "type twice": document().replace(b'"payloadType":', b'"payloadType": "", "payloadType":'),
    "signature twice": document().replace(b'"sig":', b'"sig": "", "sig":'),
    "key id twice": document().replace(b'"keyid":', b'"keyid": "", "keyid":'),
    "twice in what nobody reads": document(x=1).replace(b'"x": 1', b'"x": {"y": 1, "y": 1}'),
    "payload is a number": document(payload=1),
    "payload is null": document(payload=None),
    "type is a list": document(payloadType=["x"]),
    "type is long": document(payloadType="x" * 257),
    "type with half a character": document(payloadType="\ud800"),
    "signatures is an object": document(signatures={}),
    "a signature is a text": document(signatures=["+/8="]),
    "a signature without sig": document(signatures=[{"keyid": "ci"}]),
    "key id is null": document(signatures=[{"sig": "", "keyid": None}]),
    "key id is long": document(signatures=[{"sig": "", "keyid": "x" * 257}]),
    "too many signatures": document(signatures=[{"sig": ""}] * (MOST_SIGNATURES + 1)),
    "no number": document(x=1).replace(b'"x": 1', b'"x": NaN'),
    "endless number": document(x=1).replace(b'"x": 1', b'"x": ' + b"9" * 5000),
    "deep": document(x=1).replace(b'"x": 1', b'"x": ' + b"[" * 200_000),
    "too large": document(x="x" * LARGEST),
    "many members": document(**{f"x{at}": 1 for at in range(1000)}),
    "many objects": b"[" + b"{}," * 1000 + b"0]",
    "many lists": document(x=[[]] * 1000),
    "both alphabets": document(payload="-_+/"),
    "no padding": document(payload="-_8"),
    "more padding": document(payload="-_8=="),
    "padding within": document(payload="-_8=-_8="),
    "bits behind the end": document(payload="-_9="),
    "space": document(payload=" -_8="),
    "newline": document(payload="-_8=\n"),
    "not base64": document(payload="-_8!"),
    "not ASCII": document(payload="-_8é"),
    "signature with a newline": document(signatures=[{"sig": "+/8=\n"}]),
}  # fmt: skip


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_envelope_is_refused(data: bytes):
    with pytest.raises(Malformed):
        Envelope.decode(data)


_MINE, _OTHER = f"ci:{'ab' * 8}", f"ci:{'cd' * 8}"


@pytest.mark.parametrize(
    ("ids", "valid", "namesake"),
    [
        ((_OTHER,), (_MINE,), _OTHER),
        ((_OTHER, _MINE), (_MINE,), ""),
        (("",), (_MINE,), ""),
        ((_OTHER, ""), (_MINE,), ""),
        ((_OTHER,), (), ""),
        ((_OTHER,), (f"lab:{'ab' * 8}",), ""),
        ((f"lab:{'cd' * 8}",), (_MINE,), ""),
        (("ci", "ci:", "ci:x", f"{_OTHER}\n", f"x{_OTHER}"), (_MINE,), ""),
        ((), (_MINE,), ""),
    ],
)
def test_another_key_of_a_name_is_told_by_its_id(
    ids: tuple[str, ...], valid: tuple[str, ...], namesake: str
):
    """Where nobody here has that name, or a key that counts may have signed, there is no other."""
    signatures = tuple(Signature(each, b"") for each in ids)
    envelope = Envelope(payload=b"{}", payload_type="x", signatures=signatures)
    assert envelope.namesake("ci", valid) == namesake


def test_a_payload_is_shown_nowhere():
    envelope = Envelope(payload=b"canary", payload_type=KIND, signatures=(Signature("a", b"s3cr"),))
    assert "canary" not in repr(envelope)
    assert base64.b64encode(b"canary") in envelope.encode()


@pytest.mark.parametrize("unit", [b"{}", b"[]", b'""', b"1.5", b'{"":0}'])
def test_what_nobody_signed_takes_no_memory(unit: bytes):
    """Of many small parts a parser makes twenty times as much, before a signature is looked at."""
    data = b"[" + b",".join([unit] * (LARGEST // (len(unit) + 1) - 1)) + b"]"
    tracemalloc.start()
    try:
        with pytest.raises(Malformed):
            Envelope.decode(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * LARGEST


def test_what_nobody_would_read_is_not_written():
    """A record that no reader takes would end each collection, too."""
    fits = Envelope(payload=bytes(LARGEST * 3 // 4 - 200), payload_type=KIND)
    assert Envelope.decode(fits.encode()) == fits
    with pytest.raises(Malformed, match="more than"):
        Envelope(payload=bytes(LARGEST * 3 // 4), payload_type=KIND).encode()
