"""Which trees a result was made of: noted beside its realisation.

Knows: the record's form. Must not know: why somebody asks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from rvbuild.core.digest import Digest
from rvbuild.core.errors import VerificationError


def encode_inputs(derivation: str, inputs: Sequence[Digest]) -> bytes:
    """A line for the derivation, one for each tree, and the SHA-256 of these lines.

    No blob has these bytes, so the record itself tells of a changed bit.
    """
    lines = "".join(f"{line}\n" for line in (derivation, *inputs))
    return f"{lines}{hashlib.sha256(lines.encode()).hexdigest()}\n".encode()


def decode_inputs(derivation: str, data: bytes) -> tuple[Digest, ...] | None:
    """Read what ``encode_inputs`` wrote; None where a crash left the record empty.

    Raises:
        VerificationError: it is anything else, to the byte.
    """
    if not data.strip(b"\0"):  # it is not durable on purpose
        return None
    try:
        name, *trees, _ = data.decode("ascii").splitlines()
        inputs = tuple(Digest.parse(tree) for tree in trees)
    except ValueError as error:
        msg = f"not the inputs of a result: {error}"
        raise VerificationError(msg) from error
    if name != derivation or encode_inputs(name, inputs) != data:
        msg = "not the inputs of this result, in their one form"
        raise VerificationError(msg)
    return inputs
