"""RISC-V's names of instruction sets: ``rv64gc``, ``rv64i2p1_m2p0_zba1p0``.

Knows: how a string names its extensions. Must not know: where it stands.
Source: RISC-V unprivileged ISA, "ISA Extension Naming Conventions"; psABI, "Tag_RISCV_arch".
"""

from __future__ import annotations

import re

from rvbuild.core.errors import Malformed

_VERSION = re.compile(r"\d+p\d+$")
_LETTER = re.compile(r"([a-z])(?:\d+p\d+)?")


def riscv_extensions(arch: str) -> frozenset[str]:
    """The extensions of an ISA string, without versions: ``rv64i2p1_m2p0_zba1p0`` → i, m, zba.

    Raises:
        Malformed: not an ISA string.
    """
    head = re.match(r"rv(?:32|64|128)(?=[a-z])", arch)
    if head is None:
        msg = f"not a RISC-V ISA string: {arch[:80]!r}"
        raise Malformed(msg)
    found: set[str] = set()
    for part in arch[head.end() :].split("_"):
        if part[:1] in {"z", "s", "x"}:
            found.add(_VERSION.sub("", part))
        else:
            found.update(_LETTER.findall(part))
    if "g" in found:
        found = found - {"g"} | {"i", "m", "a", "f", "d", "zicsr", "zifencei"}
    return frozenset(found)
