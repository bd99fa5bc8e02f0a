"""A sparse index: where its files are, and what is in them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rvbuild.core.errors import SourceError
from rvbuild.kinds.crates.source import Crate
from rvbuild.kinds.crates.sparse_index import checksum, index_path, parse_config

PAGE = "https://u:p@index.invalid/config.json"
CRATE = Crate(name="SerDe_x", version="1.0.0-rc.1+b", sha256="c" * 64)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a", "1/a"),
        ("B2", "2/b2"),
        ("Syn", "3/s/syn"),
        ("rand", "ra/nd/rand"),
        ("Inflector", "in/fl/inflector"),
        ("a-_b", "a-/_b/a-_b"),
    ],
)
def test_the_path_of_a_crate(name: str, path: str):
    assert index_path(name) == path


@pytest.mark.parametrize(
    ("dl", "address"),
    [
        ("https://a.invalid/api/v1/crates", "/api/v1/crates/SerDe_x/1.0.0-rc.1+b/download"),
        ("https://a.invalid/{crate}-{version}.crate", "/SerDe_x-1.0.0-rc.1+b.crate"),
        ("https://a.invalid/{prefix}/{lowerprefix}/{crate}", "/Se/rD/se/rd/SerDe_x"),
        ("https://a.invalid/{sha256-checksum}?f={crate}", f"/{'c' * 64}?f=SerDe_x"),
        ("https://a.invalid/{other}", "/{other}/SerDe_x/1.0.0-rc.1+b/download"),
    ],
)
def test_the_address_of_a_crate(dl: str, address: str):
    config = parse_config(json.dumps({"dl": dl, "api": "https://b.invalid"}).encode(), PAGE)
    assert config.address(CRATE) == f"https://a.invalid{address}"
    assert not config.needs_token


def test_a_registry_that_wants_a_token():
    text = b'{"dl": "https://a.invalid", "auth-required": true, "more": []}'
    assert parse_config(text, PAGE).needs_token


@pytest.mark.parametrize(
    "found",
    [{}, {"dl": 1}, {"dl": ""}, {"dl": "file:///etc"}, {"dl": "a.invalid"}, {"dl": "http://a b"}],
    ids=str,
)
def test_a_configuration_without_an_address(found: dict[str, Any]):
    with pytest.raises(SourceError, match="no address of its crates") as caught:
        parse_config(json.dumps(found).encode(), PAGE)
    assert caught.value.where == "https://index.invalid/config.json"


@pytest.mark.parametrize(
    "data", [b"", b"<html>", b"[]", b"\xff", b"[" * 100_000], ids=lambda x: x[:6]
)
def test_an_answer_that_is_no_index(data: bytes):
    with pytest.raises(SourceError, match="no index of crates"):
        parse_config(data, PAGE)


def test_the_checksum_of_a_version():
    rows: list[dict[str, object]] = [
        {"name": "Serde", "vers": "1.0.0", "cksum": "x"},
        {"name": "serde", "vers": "1.0.0", "cksum": "a"},
        {"name": "serde", "vers": "1.0.1", "cksum": "b", "yanked": True},
    ]
    lines = b"\n".join(json.dumps(row).encode() for row in rows) + b"\n\n"
    assert checksum(lines, "serde", "1.0.0", PAGE) == "a"
    assert checksum(lines, "serde", "1.0.1", PAGE) == "b"
    with pytest.raises(SourceError, match=r"does not have the version 1\.0"):
        checksum(lines, "serde", "1.0", PAGE)
    with pytest.raises(SourceError, match="no index of crates"):
        checksum(b"not found", "serde", "1.0.0", PAGE)


@pytest.mark.parametrize("name", ["Serde", "serde-x", "", None, 1, ["serde"]], ids=str)
def test_a_line_of_another_crate_does_not_count(name: object):
    """Its checksum would be pinned for the crate that was asked for."""
    row = json.dumps({"name": name, "vers": "1.0.0", "cksum": "a"}).encode()
    with pytest.raises(SourceError, match=r"here, not serde") as caught:
        checksum(row, "serde", "1.0.0", PAGE)
    assert caught.value.where == "https://index.invalid/config.json"
