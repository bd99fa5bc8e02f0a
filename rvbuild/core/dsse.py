"""A DSSE envelope (version 1): a payload, what kind it is, and who signed both.

Knows: the specification (github.com/secure-systems-lab/dsse): JSON form and pre-authentication
encoding. Must not know: what payloads say, keys, who is trusted.

Rules for whoever reads one, which an attacker may have written:

1. It is UTF-8 JSON, one object, in which no member of any object stands twice: two readers could
   take different ones. Members that nobody knows are skipped, as the specification wants it.
2. Base64 is in the standard or the URL-safe alphabet, with its padding; one value has one text in
   each. No other letter, such as a newline, is in it.
3. A `keyid` is a hint by which a key is looked for, and no proof of anything.
4. Sizes are limited (`LARGEST`, `MOST_SIGNATURES`) before anything is decoded or verified, and so
   is the number of members and list items: of 16 MiB of ``{},{},…`` a parser makes 400 MiB. Nobody
   writes what nobody would read.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from attrs import field, frozen
from attrs.validators import instance_of

from rvbuild.core.canonical import encode
from rvbuild.core.errors import Malformed
from rvbuild.core.ports.signer import Signer

LARGEST = 4 << 20
"""Bytes of the largest envelope; the statements of K3s' whole closure take some 100 KiB."""

MOST_SIGNATURES = 8
_MOST_PARTS = 1000
_LONGEST_WORD = 256
"""Characters of a payload's type, or of a key's id."""

_URL_SAFE = str.maketrans("-_", "+/")


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: the pre-authentication encoding of both."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


@frozen
class Signature:
    """A signature, and what it says of its key: nothing, or an id that nobody has verified."""

    key_id: str
    value: bytes = field(repr=False)


@frozen(kw_only=True)
class Envelope:
    """A payload with its type and signatures, none of which is verified."""

    payload: bytes = field(validator=instance_of(bytes), repr=False)
    payload_type: str
    signatures: tuple[Signature, ...] = ()

    @property
    def signed_bytes(self) -> bytes:
        """What each signature is over."""
        return pae(self.payload_type, self.payload)

    def namesake(self, name: str, valid_ids: Iterable[str]) -> str:
        """The id of another key of a name, by which this says to be signed; empty if there is none.

        An id is a hint (rule 3): it tells two keys apart whose owners do not know each other.

        Args:
            name: A key's name.
            valid_ids: The ids of the keys that count; without one of that name, there is no other.
        """
        ids = {each.key_id for each in self.signatures}
        valid = set(valid_ids)
        is_known = any(each.startswith(f"{name}:") for each in valid)
        if not is_known or not ids.isdisjoint({"", *valid}):
            return ""
        other = re.compile(rf"{re.escape(name)}:[0-9a-f]{{16}}")
        return next(filter(other.fullmatch, sorted(ids)), "")

    @classmethod
    def sign(cls, payload_type: str, payload: bytes, signer: Signer) -> Envelope:
        """The envelope of a payload that ``signer`` has signed.

        Raises:
            UsageError: the signer does not sign.
        """
        value = signer.sign(pae(payload_type, payload))
        signature = Signature(signer.public.key_id, value)
        return cls(payload=payload, payload_type=payload_type, signatures=(signature,))

    def encode(self) -> bytes:
        """Its JSON form.

        Raises:
            Malformed: it would be too large for whoever reads it.
        """
        rows = [{"keyid": each.key_id, "sig": _text(each.value)} for each in self.signatures]
        data = encode(
            {"payload": _text(self.payload), "payloadType": self.payload_type, "signatures": rows}
        )
        _refuse_large(data)
        return data

    @classmethod
    def decode(cls, data: bytes) -> Envelope:
        """Read the JSON form, whoever wrote it.

        Raises:
            Malformed: it is not one, or one that is too large.
        """
        _refuse_large(data)
        try:
            return cls._read(_document(data))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            msg = "not a DSSE envelope"
            raise Malformed(msg) from error

    @classmethod
    def _read(cls, document: Mapping[str, Any]) -> Envelope:
        rows = document["signatures"]
        if not isinstance(rows, list) or len(rows) > MOST_SIGNATURES:
            msg = f"signatures: a list of at most {MOST_SIGNATURES} must be here"
            raise ValueError(msg)
        return cls(
            payload=_bytes(document["payload"]),
            payload_type=_word(document["payloadType"]),
            signatures=tuple(map(_signature, rows)),
        )


def _refuse_large(data: bytes) -> None:
    if len(data) > LARGEST:
        msg = f"an envelope of more than {LARGEST} bytes"
        raise Malformed(msg)


def _document(data: bytes) -> Mapping[str, Any]:
    if sum(map(data.count, (b"{", b"[", b","))) > _MOST_PARTS:
        msg = f"more than {_MOST_PARTS} members or items"
        raise ValueError(msg)
    document = json.loads(data.decode(), object_pairs_hook=_members, parse_constant=_refuse)
    if not isinstance(document, dict):
        msg = "not an object"
        raise TypeError(msg)
    return document


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        msg = "a member that is there twice"
        raise ValueError(msg)
    return members


def _refuse(constant: str) -> NoReturn:
    msg = f"not JSON: {constant}"
    raise ValueError(msg)


def _signature(row: Any) -> Signature:  # noqa: ANN401 - whatever somebody wrote there
    if not isinstance(row, dict):
        msg = "a signature must be an object"
        raise TypeError(msg)
    return Signature(_word(row.get("keyid", "")), _bytes(row["sig"]))


def _word(value: object) -> str:
    """A short text; JSON can spell half of a character, which has no bytes to be signed."""
    if not isinstance(value, str) or len(value) > _LONGEST_WORD:
        msg = f"a text of at most {_LONGEST_WORD} characters must be here"
        raise ValueError(msg)
    value.encode()
    return value


def _bytes(value: object) -> bytes:
    if not isinstance(value, str) or ({*"-_"} & {*value} and {*"+/"} & {*value}):
        msg = "base64 must be here, in one alphabet"
        raise ValueError(msg)
    standard = value.translate(_URL_SAFE)
    data = base64.b64decode(standard, validate=True)
    if _text(data) != standard:
        msg = "base64 of another form than this value has"
        raise ValueError(msg)
    return data


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
