"""What every kind of cache is reached with.

Knows: one run's transport and settings. Must not know: any kind of cache.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.deadline import Wait
from rvbuild.transfers.transport import Transport


@frozen(kw_only=True)
class CacheServices:
    """What a cache is reached with.

    Attributes:
        transport: The network, or what refuses it.
        wait: How long its owner waits for a cache; see `Wait`.
        environment: The user's: logins of buckets are read from it.
        own_addresses: None: the user set the cache. Else somebody else did, and these are the
            addresses that the user set: a login of the user goes to the same servers only.
        cancellation: Ends all waits.
        durable: Whether what is written in a folder outlives a crash of the machine.
    """

    transport: Transport
    wait: Wait
    environment: Mapping[str, str] = field(factory=dict, repr=False)
    own_addresses: tuple[str, ...] | None = None
    cancellation: Cancellation = field(factory=Cancellation)
    durable: bool = True
