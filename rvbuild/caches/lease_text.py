"""What the file of a lease says: who has it, since when, and when it was renewed.

Knows: one line of text, as ``1796091000 1796090400 5f1c93ab77de0142 ci``. Must not know: caches.

Whoever may push may write anything there, and others are shown whose lease keeps them out. So only
what a key can be called passes for an owner. What has moments and an identifier is a lease all the
same: an owner with another name is somebody.
"""

from __future__ import annotations

import datetime as dt

from attrs import frozen

from rvbuild.core.key_name import is_key_name

SOMEBODY = "somebody"
"""The owner who has no name that a key can have."""

_WORDS = 4


@frozen(kw_only=True)
class LeaseText:
    """A lease, as its file has it; the seconds are since 1970, by its owner's clock.

    Attributes:
        renewed: When it was last written.
        since: When it was first written.
        identifier: What no other lease has.
        owner: For messages: a key's name, or `SOMEBODY`.
    """

    renewed: int
    since: int
    identifier: str
    owner: str

    def encode(self) -> bytes:
        """The file."""
        return f"{self.renewed} {self.since} {self.identifier} {self.owner}\n".encode()

    @classmethod
    def decode(cls, data: bytes) -> LeaseText | None:
        """Read what ``encode`` wrote; None if it is no lease, as a trial's record."""
        words = data.decode(errors="replace").strip().split(" ", _WORDS - 1)
        if len(words) != _WORDS or not all(_is_moment(word) for word in words[:2]):
            return None
        renewed, since, identifier, name = words
        owner = name if is_key_name(name) else SOMEBODY
        return cls(renewed=int(renewed), since=int(since), identifier=identifier, owner=owner)

    def describe(self, void: float) -> str:
        """``ci since 2026-11-30 02:10 UTC (…)``, with the moment at which it ends by itself."""
        ends = _moment(self.renewed + void)
        return f"{self.owner} since {_moment(self.since)} (ends {ends}, unless it is renewed)"


def _is_moment(word: str) -> bool:
    """Whether it is a number of seconds that a calendar has."""
    return word.isascii() and word.isdecimal() and len(word) <= len("9999999999")


def _moment(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
