"""What a cache gave a run, and what it cost.

Knows: figures. Must not know: caches.
"""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class CacheUse:
    """What a cache gave a run, and what it cost.

    Attributes:
        name: The cache's name.
        requests: How often it was asked.
        hits: Results that it offered first.
        pulled: Results that were taken from it.
        size: Bytes that came.
        waited: Seconds for which somebody waited for it.
        saved: Seconds that its results took to make, where they were made.
        reason: Why it was left out; empty if it was not.
    """

    name: str
    requests: int = 0
    hits: int = 0
    pulled: int = 0
    size: int = 0
    waited: float = 0.0
    saved: float = 0.0
    reason: str = ""
