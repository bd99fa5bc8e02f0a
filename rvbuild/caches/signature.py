"""AWS' Signature Version 4: what lets a server of S3 know who asks.

Knows: the algorithm, as AWS documents it for S3 ("Signature Calculations for the Authorization
Header: Transferring Payload in a Single Chunk"). Must not know: where a login is from, how a
request is sent.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from functools import reduce
from urllib.parse import quote, urlsplit

from attrs import field, frozen

_ALGORITHM = "AWS4-HMAC-SHA256"
_PORTS = {"http": 80, "https": 443}


@frozen
class BucketLogin:
    """Who asks: an access key, its secret, and the token of a login that ends; or no token."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)


@frozen
class Signer:
    """Signs requests of a login to a region."""

    login: BucketLogin
    region: str

    def headers(
        self,
        method: str,
        url: str,
        sha256: str,
        now: dt.datetime,
        also: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        """The headers that a request needs beside its own.

        Args:
            method: As it is sent.
            url: As it is sent; its query as `query_of` makes it.
            sha256: Of the body.
            now: With a time zone; a server takes a quarter of an hour more or less.
            also: Headers to sign, in lower case; others need no signature.
        """
        moment = now.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        signed = {
            **(also or {}),
            "host": _host(url),
            "x-amz-content-sha256": sha256,
            "x-amz-date": moment,
            **({"x-amz-security-token": self.login.token} if self.login.token else {}),
        }
        scope = f"{moment[:8]}/{self.region}/s3/aws4_request"
        names = ";".join(sorted(signed))
        digest = hashlib.sha256(_canonical(method, url, signed, sha256).encode()).hexdigest()
        signature = self._sign(f"{_ALGORITHM}\n{moment}\n{scope}\n{digest}", scope)
        credential = f"{self.login.access_key}/{scope}"
        authorization = (
            f"{_ALGORITHM} Credential={credential},SignedHeaders={names},Signature={signature}"
        )
        return {**signed, "authorization": authorization}

    def _sign(self, text: str, scope: str) -> str:
        key = f"AWS4{self.login.secret_key}".encode()
        return reduce(_hmac, [*scope.split("/"), text], key).hex()


def query_of(pairs: Iterable[tuple[str, str]]) -> str:
    """A query in the one form that can be signed."""
    encoded = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _host(url: str) -> str:
    """The header ``Host`` as clients send it: without the scheme's own port."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return host.removesuffix(f":{_PORTS.get(parts.scheme, '')}").lower()


def _canonical(method: str, url: str, signed: Mapping[str, str], sha256: str) -> str:
    parts = urlsplit(url)
    headers = "".join(f"{name}:{signed[name].strip()}\n" for name in sorted(signed))
    names = ";".join(sorted(signed))
    return "\n".join([method, parts.path or "/", parts.query, headers, names, sha256])
