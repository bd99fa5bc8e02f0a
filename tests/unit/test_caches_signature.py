"""Signatures of requests to buckets, held against AWS' own examples.

They are of "Signature Calculations for the Authorization Header: Transferring Payload in a Single
Chunk" in AWS' reference of S3.
"""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest

from rvbuild.caches.signature import BucketLogin, Signer, query_of
from rvbuild.core.digest import EMPTY

LOGIN = BucketLogin("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
NOW = dt.datetime(2013, 5, 24, tzinfo=dt.UTC)
BUCKET = "https://examplebucket.s3.amazonaws.com"
WELCOME = hashlib.sha256(b"Welcome to Amazon S3.").hexdigest()
STORED = {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"}


@pytest.mark.parametrize(
    ("method", "url", "sha256", "also", "signature"),
    [
        (
            *("GET", f"{BUCKET}/test.txt", EMPTY.hash, {"range": "bytes=0-9"}),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            *("PUT", f"{BUCKET}/test%24file.text", WELCOME, STORED),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            *("GET", f"{BUCKET}/?lifecycle=", EMPTY.hash, {}),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            *("GET", f"{BUCKET}?max-keys=2&prefix=J", EMPTY.hash, {}),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_the_examples_of_aws(
    method: str, url: str, sha256: str, also: dict[str, str], signature: str
):
    headers = Signer(LOGIN, "us-east-1").headers(method, url, sha256, NOW, also)
    assert headers["authorization"].endswith(f"Signature={signature}")


def test_a_token_is_signed_and_sent():
    login = BucketLogin("k", "s", "t")
    headers = Signer(login, "r").headers("GET", BUCKET, EMPTY.hash, NOW)
    assert headers["x-amz-security-token"] == "t"
    assert "x-amz-security-token" in headers["authorization"]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://a.example/x", "a.example"),
        ("https://a.example:443/x", "a.example"),
        ("http://a.example:80/x", "a.example"),
        ("https://a.example:80/x", "a.example:80"),
        ("http://127.0.0.1:9000/x", "127.0.0.1:9000"),
    ],
)
def test_the_host_is_signed_as_it_is_sent(url: str, host: str):
    assert Signer(LOGIN, "r").headers("GET", url, EMPTY.hash, NOW)["host"] == host


def test_the_moment_is_of_one_time_zone():
    east = NOW.astimezone(dt.timezone(dt.timedelta(hours=9)))
    headers = [Signer(LOGIN, "r").headers("GET", BUCKET, EMPTY.hash, at) for at in (NOW, east)]
    assert headers[0] == headers[1]


def test_a_query_has_one_form():
    assert query_of([("b", "a/b c+d"), ("a", "~")]) == "a=~&b=a%2Fb%20c%2Bd"


def test_secrets_are_not_printed():
    assert "wJalr" not in repr(Signer(LOGIN, "r"))
    assert "tok" not in repr(BucketLogin("k", "s", "tok"))
