"""Public keys and revocations: one text for each, and a place for what is wrong with another."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvbuild.core.errors import UsageError
from rvbuild.core.key_name import is_key_name
from rvbuild.core.place import Place
from rvbuild.core.public_key import PublicKey
from rvbuild.core.realisation import derivation_of, record_name
from rvbuild.core.revocation import Revocation

RAW = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
LINE = "rvbuild-ed25519 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo= ci"
KEY = PublicKey("ci", RAW)
CANARY = base64.b64encode(b"s3cr" * 8).decode()
NAMES = st.from_regex("[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)


def test_a_key_is_one_line():
    assert str(KEY) == LINE
    assert (KEY.fingerprint, KEY.key_id) == ("21fe31dfa154a261", "ci:21fe31dfa154a261")
    assert "11qY" not in repr(KEY)


@given(name=NAMES, raw=st.binary(min_size=32, max_size=32).filter(any))
def test_what_was_written_is_read_back(name: str, raw: bytes):
    key = PublicKey(name, raw)
    for end in ("", "\n", "\r\n"):
        assert PublicKey.read((str(key) + end).encode(), "f") == key
    revocation = Revocation(key, "2026-11-29", "lost: a laptop, and its bag")
    for end in ("\n", "\r\n"):
        data = (str(revocation) + "\n").replace("\n", end).encode()
        assert Revocation.read(data, "f") == revocation


WRONG = {
    "empty": ("", "f:1"),
    "a word": ("x", "f:1"),
    "another word": (LINE.replace("rvbuild", "ssh"), "f:1"),
    "two spaces": (LINE.replace(" ci", "  ci"), "f:1"),
    "a tab": (LINE.replace(" ci", "\tci"), "f:1:61"),
    "a space before": (" " + LINE, "f:1"),
    "a comment behind": (LINE + " mine", "f:1"),
    "two lines": (f"{LINE}\n{LINE}\n", "f:2"),
    "an empty line": (LINE + "\n\n", "f:2"),
    "a thousand lines": ("\n" * 1000, "f:2"),
    "NUL": (LINE + "\0", "f:1:64"),
    "a carriage return": (LINE.replace(" ci", "\rci"), "f:1:61"),
    "not ASCII": (LINE + "é", "f:1:64"),
    "short": (f"rvbuild-ed25519 {base64.b64encode(RAW[1:]).decode()} ci", "f:1:17"),
    "long": (f"rvbuild-ed25519 {base64.b64encode(RAW + RAW).decode()} ci", "f:1:17"),
    "URL-safe": (LINE.replace("/", "_"), "f:1:17"),
    "no padding": (LINE.replace("=", ""), "f:1:17"),
    "bits behind the end": (LINE.replace("Ro=", "Rp="), "f:1:17"),
    "no base64": (LINE.replace("11qY", "11q!"), "f:1:17"),
    "hex": (f"rvbuild-ed25519 {RAW.hex()} ci", "f:1:17"),
    "a name with a slash": (LINE.replace(" ci", " ../ci"), "f:1:62"),
    "a name with a dot first": (LINE.replace(" ci", " .ci"), "f:1:62"),
    "a long name": (LINE + "i" * 63, "f:1:62"),
    "of a private key": (f"rvbuild-ed25519-private {CANARY} ci", "f:1"),
    "of a private key, spoilt": (f"rvbuild-ed25519-private {CANARY}", "f:1"),
    "nothing but zeros": (f"rvbuild-ed25519 {'A' * 43}= ci", "f:1"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "place"), WRONG.values(), ids=WRONG)
def test_what_is_no_key_has_a_place_and_is_not_quoted(text: str, place: str):
    with pytest.raises(UsageError) as caught:
        PublicKey.read(text.encode(), "f")
    assert str(caught.value.where) == place
    assert caught.value.hint
    assert CANARY not in f"{caught.value!r} {caught.value} {caught.value.hint}"


SMALL = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]


@pytest.mark.parametrize("raw", SMALL)
def test_a_key_for_which_anybody_can_sign_is_none(raw: str):
    with pytest.raises(ValueError, match="small order"):
        PublicKey("ci", bytes.fromhex(raw))


@pytest.mark.parametrize(("name", "raw"), [("", RAW), ("a/b", RAW), ("é", RAW), ("ci", RAW[1:])])
def test_an_invalid_key_cannot_be_made(name: str, raw: bytes):
    with pytest.raises(ValueError, match="key"):
        PublicKey(name, raw)


@pytest.mark.parametrize(
    ("name", "fits"), [("a", True), ("a.b-c_2", True), ("", False), ("a\n", False)]
)
def test_names(name: str, *, fits: bool):
    assert is_key_name(name) is fits


@given(name=NAMES | st.text(max_size=66))
def test_a_key_can_be_called_as_a_builder(name: str):
    pattern = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
    assert is_key_name(name) is bool(re.fullmatch(pattern, name))
    if is_key_name(name):
        assert record_name("a" * 64, name).endswith(f"@{name}")
        assert derivation_of(record_name("a" * 64, name)) == "a" * 64


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (LINE, "f:1"),
        (f"{LINE}\n2026-11-29 a\n\n", "f:3"),
        (f"{LINE}\n2026-11-29\n", "f:2"),
        (f"{LINE}\n2026-11-29 \n", "f:2"),
        (f"{LINE}\n29.11.2026 a\n", "f:2"),
        (f"{LINE}\n2026-11-29 {'a' * 501}\n", "f:2"),
        (f"{LINE}\n2026-11-29 \x1b[2J\n", "f:2:12"),
        ("rvbuild-ed25519 x ci\n2026-11-29 a\n", "f:1:17"),
    ],
)
def test_what_is_no_revocation_has_a_place(text: str, place: str):
    with pytest.raises(UsageError) as caught:
        Revocation.read(text.encode(), "f")
    assert str(caught.value.where) == place


def test_a_key_says_where_it_stands_in_another_text():
    with pytest.raises(UsageError) as caught:
        PublicKey.parse("x", Place("f", 7))
    assert caught.value.where == Place("f", 7)
