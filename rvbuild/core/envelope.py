"""The envelope that every record of a store is in: what it is, its version, and its own check.

Knows: canonical JSON, SHA-256. Must not know: what records say, where they are.

A record is one JSON object in canonical form (RFC 8785)::

    {"body":{…},"kind":"realisation","sha256":"5f1c…","version":1}

Rules for whoever reads one:

1. ``sha256`` is that of the canonical form of the object without it. If it is not, or the bytes
   are not in canonical form, the record is damaged: one changed bit anywhere is noticed.
2. A version that is newer than the reader's is ``NewerRecord``. Who looks for a result goes on as
   if there were none; who would remove or mend things stops, for nobody here knows what the
   record needs. Example: a collection refuses rather than take a tree that only this record names.
3. Members that the reader does not know are no damage, and stay when it writes the record again
   (``kept``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.canonical import Json, encode
from rvbuild.core.errors import Malformed, NewerRecord

Body = Mapping[str, Json]


def seal(kind: str, version: int, body: Body) -> bytes:
    """The bytes of a record."""
    record: dict[str, Json] = {"body": body, "kind": kind, "version": version}
    return encode({**record, "sha256": _sum(record)})


def unseal(data: bytes, kind: str, version: int) -> Body:
    """The body of a record of a kind.

    Args:
        data: Bytes, of which nothing is known.
        kind: What the record must be.
        version: The newest that the caller reads.

    Raises:
        VerificationError: it is damaged, or a record of another kind.
        NewerRecord: it is sound, and its version is newer.
    """
    try:
        record = json.loads(data)
        check = record.pop("sha256")
        sound = check == _sum(record) and encode({**record, "sha256": check}) == data
        found_kind, found_version, body = record["kind"], record["version"], record["body"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        msg = f"not a record: {type(error).__name__}: {error}"
        raise Malformed(msg) from error
    if not sound or not isinstance(found_version, int) or not isinstance(body, dict):
        msg = "not the bytes of a record: its own SHA-256 says otherwise"
        raise Malformed(msg)
    if found_kind != kind:
        msg = f"the record of another kind: {found_kind!r} instead of {kind!r}"
        raise Malformed(msg)
    if found_version > version:
        msg = f"a newer rvbuild wrote this {kind} (version {found_version})"
        raise NewerRecord(msg, hint=advise("use that rvbuild, or ", Remedy.STORE))
    return body


def kept(old: Body, new: Body) -> Body:
    """``new``, with the members of ``old`` that it lacks, also in objects inside."""
    merged = {**old, **new}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            merged[name] = kept(before, value)
    return merged


def _sum(record: Body) -> str:
    return hashlib.sha256(encode(record)).hexdigest()
