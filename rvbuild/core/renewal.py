"""A source whose description stays while what it stands for moves on: the packages of a suite.

Knows: what such a source is now. Must not know: kinds, who asks.
"""

from __future__ import annotations

from attrs import frozen

from rvbuild.core.source import Source


@frozen(kw_only=True)
class Renewal:
    """What a description stands for now.

    Attributes:
        name: What upstream calls its state of now.
        parts: The source of now, by content.
    """

    name: str
    parts: tuple[Source, ...]
