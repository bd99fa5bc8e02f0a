"""Forgeries: whatever is changed in an envelope, nobody takes it for a trusted key's word."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from signing import KIND, keyring, private_key, signed

from rvbuild.core.canonical import encode
from rvbuild.core.dsse import Envelope, Signature
from rvbuild.core.errors import Malformed, Untrusted
from rvbuild.trust.ed25519 import sign_bytes
from rvbuild.trust.verify import signers, verify_statement

ORDER = 2**252 + 27742317777372353535851937790883648493
BODY: dict[str, Any] = {
    "accelerated": False,
    "action": None,
    "builder": "ci",
    "derivation": "a" * 64 + "/5",
    "key": "ci",
    "milliseconds": 1500,
    "origin": {"from": "", "kind": "built"},
    "outputs": {"out": {"bytes": 3, "files": 1, "packs": [["b" * 64 + "/3", 1]], "tree": "c" * 64}},
    "target": "runc-riscv64",
}
GOOD = signed(BODY, "ci")
TRUST = keyring("ci", "lab", revoked=("old",))


def test_what_a_trusted_key_says_is_read():
    statement = verify_statement(GOOD.encode(), KIND, TRUST)
    assert statement.key == private_key("ci").public
    assert statement.body == BODY


def test_members_that_nobody_knows_are_skipped_in_the_envelope_and_kept_in_the_payload():
    document = json.loads(signed({**BODY, "new": [1]}, "ci").encode())
    document["new"] = document["signatures"][0]["new"] = 1
    statement = verify_statement(json.dumps(document).encode(), KIND, TRUST)
    assert statement.body["new"] == [1]


def repacked(body: object, of: Envelope = GOOD) -> bytes:
    """Another payload below the signatures that are there."""
    return evolve(of, payload=encode(body)).encode()  # type: ignore[arg-type]


def changed(value: Any) -> Any:  # noqa: ANN401 - any value of JSON
    if isinstance(value, dict):
        name = min(value)
        return {**value, name: changed(value[name])}
    if isinstance(value, list):
        return [changed(value[0]), *value[1:]]
    if isinstance(value, str):
        return value[:-1] + "0" if value else "x"
    return value + 1 if isinstance(value, int) and not isinstance(value, bool) else not value


def with_signature(change: Callable[[bytes], bytes]) -> bytes:
    [one] = GOOD.signatures
    return evolve(GOOD, signatures=(Signature(one.key_id, change(one.value)),)).encode()


def under(key_id: str, name: str = "ci") -> bytes:
    [one] = signed(BODY, name).signatures
    return evolve(GOOD, signatures=(Signature(key_id, one.value),)).encode()


def over(data: bytes) -> bytes:
    """Signed by the right key, but over something else than the encoding of both."""
    signature = sign_bytes(b"ci".ljust(32, b"\x01"), data)
    return evolve(
        GOOD, signatures=(Signature(private_key("ci").public.key_id, signature),)
    ).encode()


def flipped(at: int) -> Callable[[bytes], bytes]:
    return lambda value: bytes(byte ^ (at == index) for index, byte in enumerate(value))


def spelt(data: bytes, member: str, change: Callable[[str], str]) -> bytes:
    """With a member's text in another spelling."""
    document = json.loads(data)
    if member == "sig":
        document["signatures"][0]["sig"] = change(document["signatures"][0]["sig"])
    else:
        document[member] = change(document[member])
    return json.dumps(document).encode()


CI, LAB, OLD = (private_key(name).public.key_id for name in ("ci", "lab", "old"))
FORGED: dict[str, tuple[bytes, str]] = {
    **{
        f"another {name}": (repacked({**BODY, name: changed(BODY[name])}), "not of these bytes")
        for name in BODY
    },
    **{
        f"without {name}": (
            repacked({each: BODY[each] for each in BODY if each != name}),
            "not of these bytes",
        )
        for name in BODY
    },
    "one member more": (repacked({**BODY, "x": 1}), "not of these bytes"),
    "nothing in the payload": (evolve(GOOD, payload=b"").encode(), "not of these bytes"),
    "another payload's type": (
        evolve(GOOD, payload_type="application/vnd.rvbuild.closure+json").encode(),
        "another kind of record",
    ),
    "signed as another type": (
        signed(BODY, "ci", kind="application/vnd.rvbuild.closure+json").encode(),
        "another kind of record",
    ),
    "signed as another type, and called this": (
        evolve(signed(BODY, "ci", kind="application/vnd.in-toto+json"), payload_type=KIND).encode(),
        "not of these bytes",
    ),
    "no type": (evolve(GOOD, payload_type="").encode(), "another kind of record"),
    "a type with a space": (evolve(GOOD, payload_type=KIND + " ").encode(), "another kind"),
    "a bit of R": (with_signature(flipped(0)), "not of these bytes"),
    "a bit of S": (with_signature(flipped(32)), "not of these bytes"),
    "the last bit": (with_signature(flipped(63)), "not of these bytes"),
    "truncated": (with_signature(lambda value: value[:63]), "not of these bytes"),
    "half": (with_signature(lambda value: value[:32]), "not of these bytes"),
    "empty signature": (with_signature(lambda _: b""), "not of these bytes"),
    "longer": (with_signature(lambda value: value + b"\0"), "not of these bytes"),
    "zeros": (with_signature(lambda _: bytes(64)), "not of these bytes"),
    "S + L": (
        with_signature(
            lambda value: value[:32]
            + (int.from_bytes(value[32:], "little") + ORDER).to_bytes(32, "little")
        ),
        "not of these bytes",
    ),
    "of another statement": (
        evolve(GOOD, signatures=signed({**BODY, "target": "x"}, "ci").signatures).encode(),
        "not of these bytes",
    ),
    "by a stranger": (signed({**BODY, "key": "eve"}, "eve").encode(), "not a trusted key"),
    "by a stranger, as ci": (signed(BODY, "eve").encode(), "not a trusted key"),
    "by a stranger with ci's id": (under(CI, "eve"), "not of these bytes"),
    "by a stranger, unnamed": (under("", "eve"), "not of these bytes"),
    "with another's id": (under(LAB), "not of these bytes"),
    "with the id of a revoked key": (under(OLD), "not of these bytes"),
    "with a name alone": (under("ci"), "not a trusted key"),
    "with another fingerprint": (under("ci:0123456789abcdef"), "not a trusted key"),
    "with half a fingerprint": (under(CI[:-1]), "not a trusted key"),
    "by a revoked key": (
        signed({**BODY, "key": "old"}, "old").encode(),
        "revoked on 2026-11-29: the laptop was stolen",
    ),
    "by a revoked key, unnamed": (
        evolve(
            signed({**BODY, "key": "old"}, "old"),
            signatures=(Signature("", signed({**BODY, "key": "old"}, "old").signatures[0].value),),
        ).encode(),
        "revoked on",
    ),
    "lab signs what ci said": (signed(BODY, "lab").encode(), "which did not sign it"),
    "a revoked key beside the right one": (
        signed({**BODY, "key": "old"}, "old", "ci").encode(),
        "which did not sign it",
    ),
    "for nobody": (signed({**BODY, "key": ""}, "ci").encode(), "which did not sign it"),
    "key is a list": (signed({**BODY, "key": ["ci"]}, "ci").encode(), "which did not sign it"),
    "nobody signed": (evolve(GOOD, signatures=()).encode(), "nobody signed"),
    "two strangers": (signed(BODY, "eve", "mallory").encode(), "not a trusted key"),
    "over the payload alone": (over(GOOD.payload), "not of these bytes"),
    "over the base64": (over(base64.b64encode(GOOD.payload)), "not of these bytes"),
    "over the envelope": (over(GOOD.encode()), "not of these bytes"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "reason"), FORGED.values(), ids=FORGED)
def test_a_forgery_is_refused_with_the_reason(data: bytes, reason: str):
    with pytest.raises(Untrusted) as caught:
        verify_statement(data, KIND, TRUST, "records/ci/x")
    assert caught.value.where == "records/ci/x"
    assert any(reason in text for text in (caught.value.message, *caught.value.details))


def test_there_are_enough_forgeries():
    assert len(FORGED) >= 40


MALFORMED: dict[str, bytes] = {
    "truncated": GOOD.encode()[:-1],
    "payload twice": GOOD.encode().replace(b'"payload":', b'"payload":"e30=","payload":', 1),
    "signatures twice": GOOD.encode()[:-1] + b',"signatures":[]}',
    "key id twice": GOOD.encode().replace(b'"keyid":', b'"keyid":"","keyid":'),
    "payload with a newline": spelt(GOOD.encode(), "payload", lambda text: text + "\n"),
    "payload without padding": spelt(signed({"key": "ci", "a": "1"}, "ci").encode(), "payload",
                                     lambda text: text.rstrip("=")),
    "signature without padding": spelt(GOOD.encode(), "sig", lambda text: text.rstrip("=")),
    "signature with a space": spelt(GOOD.encode(), "sig", lambda text: " " + text),
    "signed text with a space": Envelope.sign(KIND, b'{"key": "ci"}', private_key("ci")).encode(),
    "signed member twice": Envelope.sign(
        KIND, b'{"key":"ci","key":"lab"}', private_key("ci")).encode(),
    "signed list": Envelope.sign(KIND, b"[]", private_key("ci")).encode(),
    "signed nothing": Envelope.sign(KIND, b"", private_key("ci")).encode(),
    "signed fraction": Envelope.sign(KIND, b'{"key":"ci","x":1.5}', private_key("ci")).encode(),
}  # fmt: skip


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_what_has_another_form_is_refused(data: bytes):
    """Also if it is signed: two readers could take it for two statements."""
    with pytest.raises(Malformed) as caught:
        verify_statement(data, KIND, TRUST, "records/ci/x")
    assert caught.value.where == "records/ci/x"


def test_url_safe_base64_is_the_same_envelope():
    change = str.maketrans("+/", "-_")
    for member in ("payload", "sig"):
        data = spelt(GOOD.encode(), member, lambda text: text.translate(change))
        assert verify_statement(data, KIND, TRUST).body == BODY


@pytest.mark.parametrize(
    ("names", "by"),
    [
        (("ci",), ["ci"]),
        (("eve", "ci"), ["ci"]),
        (("old", "ci"), ["ci"]),
        (("ci", "lab"), ["ci", "lab"]),
        (("lab", "ci", "ci"), ["lab", "ci"]),
    ],
)
def test_each_good_signature_counts_once(names: tuple[str, ...], by: list[str]):
    envelope = signed(BODY, *names)
    assert [key.name for key in signers(envelope, KIND, TRUST)] == by
    unnamed = evolve(
        envelope, signatures=tuple(Signature("", each.value) for each in envelope.signatures)
    )
    assert [key.name for key in signers(unnamed, KIND, TRUST)] == by


def test_of_two_who_signed_the_statement_is_the_named_ones():
    statement = verify_statement(signed({**BODY, "key": "lab"}, "ci", "lab").encode(), KIND, TRUST)
    assert statement.key.name == "lab"


def test_without_keys_nobody_is_trusted():
    with pytest.raises(Untrusted, match="no trusted key"):
        verify_statement(GOOD.encode(), KIND, keyring())


def test_what_steers_a_terminal_and_what_is_long_is_not_quoted():
    data = under("\x1b[2J" + "x" * 250)
    with pytest.raises(Untrusted) as caught:
        verify_statement(data, KIND, TRUST)
    [reason] = caught.value.details
    assert "\x1b" not in reason
    assert len(reason) < 300
