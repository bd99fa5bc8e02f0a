"""What people are told of a source.

Knows: what somebody needs who looks for one. Must not know: kinds, locks, stores.
"""

from __future__ import annotations

from attrs import frozen

SHORT = 12
"""Digits of a digest that tell people which it is."""


@frozen(kw_only=True)
class SourceDescription:
    """A source in a line.

    Attributes:
        kind: Its kind's tag.
        name: What it is called.
        places: Where its bytes come from, without anybody's password.
        digest: Of its content, whole; empty where nobody knows it yet.
        tag: The name that upstream gave to its content, where a recipe asks for it by that.
        here: It is on this machine, so nobody need fetch it.
    """

    kind: str
    name: str
    places: tuple[str, ...]
    digest: str = ""
    tag: str = ""
    here: bool = False

    @property
    def short(self) -> str:
        """As much of the digest as people compare."""
        return (self.digest or "-").rpartition(":")[2][:SHORT]
