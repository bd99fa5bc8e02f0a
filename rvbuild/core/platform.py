"""The machine that a step needs, as properties of the Remote Execution API (REAPI).

Knows: names and values of REAPI's platform lexicon (platform.md). Must not know: this machine.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import field, frozen

from rvbuild._reapi import reapi_pb2 as pb
from rvbuild.core.architecture import ARCHITECTURES

SANDBOX = "rvbuild-sandbox"
"""The property of our own: which version of docs/sandbox.md says what a step may rely on."""

SANDBOX_VERSION = "1"
"""Raised when a step could tell the new sandbox from the old one."""


def _sorted(properties: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(properties))


@frozen
class Platform:
    """Properties, (name, value), sorted by name and then by value, as REAPI asks.

    Example: ``ISA=x86-64``, ``OSFamily=linux``, ``rvbuild-sandbox=1``.
    """

    properties: tuple[tuple[str, str], ...] = field(converter=_sorted)

    @classmethod
    def of(cls, architecture: str) -> Platform:
        """Our sandbox on Linux on a build machine, whose architecture has Go's name."""
        return cls(
            [
                ("OSFamily", "linux"),
                ("ISA", ARCHITECTURES[architecture].isa.value),
                (SANDBOX, SANDBOX_VERSION),
            ]
        )

    def message(self) -> pb.Platform:
        """The ``Platform`` message."""
        message = pb.Platform()
        for name, value in self.properties:
            message.properties.add(name=name, value=value)
        return message
