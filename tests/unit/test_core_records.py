"""Records: every bit counts, what a newer rvbuild wrote is known as such, and nothing is lost."""

from __future__ import annotations

import json

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from rvbuild.core.canonical import Json
from rvbuild.core.derivation import Fetch
from rvbuild.core.digest import Digest
from rvbuild.core.envelope import kept, seal, unseal
from rvbuild.core.errors import NewerRecord, VerificationError
from rvbuild.core.realisation import Origin, Realisation, derivation_of
from rvbuild.core.tree import Extent, File, Nested, Tree
from rvbuild.kinds.debian.source import DebianPackage

A, B = Digest.of(b"a"), Digest.of(b"b")
NAMES = st.text(max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
BODIES = st.dictionaries(NAMES, VALUES, max_size=4)

FULL = Realisation(
    key=A,
    output=B,
    size=7,
    files=2,
    action="c" * 64,
    log=A,
    inputs=(A, B),
    builder="ci-1",
    milliseconds=1234,
    accelerated=True,
    accelerable=True,
    origin=Origin("substituted", "https://cache.example.org"),
    signatures=("s",),
)


@given(BODIES, st.integers(1, 9))
def test_a_record_is_read_back(body: dict[str, Json], version: int):
    assert unseal(seal("kind", version, body), "kind", version) == body


@given(BODIES, st.data())
def test_one_changed_bit_anywhere_is_damage(body: dict[str, Json], data: st.DataObject):
    """Also of the version: a flip does not make a newer record."""
    bad = bytearray(seal("kind", 1, body))
    at = data.draw(st.integers(0, 8 * len(bad) - 1))
    bad[at // 8] ^= 1 << at % 8
    with pytest.raises(VerificationError):
        unseal(bytes(bad), "kind", 1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"{}",
        b"[" * 100_000,
        seal("kind", 1, {}) + b"\n",
        b" " + seal("kind", 1, {}),
        seal("kind", 1, {}).replace(b'"kind":', b'"kind":"kind","kind":'),
        seal("other", 1, {}),
        seal("kind", 1, []),  # type: ignore[arg-type]
        seal("kind", "1", {}),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_record(data: bytes):
    with pytest.raises(VerificationError):
        unseal(data, "kind", 1)


def test_a_newer_record_is_no_damage():
    assert unseal(seal("kind", 1, {"a": 1}), "kind", 2) == {"a": 1}
    with pytest.raises(NewerRecord, match=r"newer rvbuild wrote this kind \(version 3\)"):
        unseal(seal("kind", 3, {"a": 1}), "kind", 2)


@given(BODIES, BODIES)
def test_what_is_kept(old: dict[str, Json], new: dict[str, Json]):
    merged = kept(old, new)
    assert merged.keys() == old.keys() | new.keys()
    assert kept(merged, new) == merged
    for name, value in new.items():
        if not isinstance(value, dict):
            assert merged[name] == value
    assert all(merged[name] == old[name] for name in old.keys() - new.keys())


# ---- realisations


@pytest.mark.parametrize("made", [FULL, Realisation(key=A, output=B)])
def test_a_realisation_is_read_back(made: Realisation):
    assert Realisation.decode(made.encode()) == made


def test_a_realisation_says_all_that_it_knows():
    body = json.loads(FULL.encode())["body"]
    assert body == {
        "derivation": str(A),
        "outputs": {"out": {"tree": str(B), "bytes": 7, "files": 2}},
        "action": "c" * 64,
        "log": str(A),
        "inputs": [str(A), str(B)],
        "builder": "ci-1",
        "milliseconds": 1234,
        "accelerated": True,
        "accelerable": True,
        "origin": {"kind": "substituted", "from": "https://cache.example.org"},
        "signatures": ["s"],
        "basis": [],
    }


def test_what_a_newer_rvbuild_says_there_stays():
    """At the top, and inside: another output, and where a cache had it from."""
    body = json.loads(FULL.encode())["body"]
    body["outputs"]["doc"] = {"tree": str(A), "bytes": 1, "files": 1}
    body["outputs"]["out"]["links"] = 3
    body["origin"]["when"] = "yesterday"
    body["reproduced"] = ["elsewhere"]
    found = Realisation.decode(seal("realisation", 1, body))
    assert found == FULL
    again = json.loads(evolve(found, signatures=("s", "t")).encode())["body"]
    assert again == {**body, "signatures": ["s", "t"]}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("derivation", "x"),
        ("derivation", 1),
        ("outputs", {}),
        ("outputs", {"out": {"tree": str(B), "bytes": "7", "files": 2}}),
        ("action", 1),
        ("inputs", 7),
        ("inputs", [7]),
        ("builder", "a/b"),
        ("builder", ".hidden"),
        ("milliseconds", None),
        ("accelerated", "yes"),
        ("origin", {"kind": "guessed", "from": ""}),
        ("signatures", None),
    ],
)
def test_what_is_no_realisation(name: str, value: Json):
    body = json.loads(FULL.encode())["body"]
    for bad in ({**body, name: value}, {key: body[key] for key in body.keys() - {name}}):
        with pytest.raises(VerificationError, match="not a realisation"):
            Realisation.decode(seal("realisation", 1, bad))


def test_names_of_records():
    assert FULL.name == f"{A.hash}@ci-1"
    assert Realisation(key=A, output=B).name == A.hash
    for name in (FULL.name, A.hash):
        assert derivation_of(name) == A.hash
    for name in ("x", A.hash[1:], f"{A.hash}@", f"{A.hash}@a/b", f"{A.hash}@.a", f"{A.hash}.tree"):
        assert derivation_of(name) == ""


def test_the_bytes_of_a_derivation_are_what_its_digest_is_of():
    deb = DebianPackage(
        name="n", version="1", architecture="amd64", pool="pool/n", sha256="1f", size=1
    )
    fetch = Fetch(source=deb)
    assert fetch.encode() == b'{"derivation":2,"kind":"fetch","source":{"deb":"1f"}}'
    assert fetch.key == Digest.of(fetch.encode())
    assert fetch.digest == fetch.key.hash


# ---- how much a tree is

NODES: st.SearchStrategy[Nested] = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.builds(File, st.sampled_from([A, B])), max_size=3),
    lambda inner: st.dictionaries(
        st.sampled_from("abc"), inner | st.builds(File, st.just(A)), max_size=3
    ),
    max_leaves=8,
)


@given(NODES)
def test_the_extent_of_a_tree(nested: Nested):
    """A folder that is there twice counts twice."""
    once = Tree.of(nested).extent()
    tree = Tree.of({"one": nested, "two": {"again": nested}, "f": File(A)})
    assert tree.extent() == Extent(2 * once.files + 1, 2 * once.size + A.size)


def test_the_extent_of_a_deep_tree():
    nested: Nested = {"f": File(A)}
    for _ in range(5_000):
        nested = {"d": nested}
    assert Tree.of(nested).extent() == Extent(1, 1)
