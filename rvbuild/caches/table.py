"""The table of kinds of caches: an address becomes a cache, and only its kind is imported.

Knows: which scheme is whose. Must not know: how a cache is asked.
"""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from rvbuild.caches.cache_services import CacheServices
from rvbuild.caches.marked import MarkedCache
from rvbuild.caches.verifying import VerifyingCache
from rvbuild.core.errors import CacheRefused
from rvbuild.core.login import SplitAddress
from rvbuild.core.ports.cache import CollectableCache
from rvbuild.transfers.addresses import local_path
from rvbuild.transfers.urls import shown

_ROWS = {
    "": "directory",
    "file": "directory",
    "http": "http",
    "https": "http",
    "s3": "s3",
}
"""The module of each scheme. A path of this machine has none."""

_BUCKET_HINT = (
    "leave the login out of the address and of the endpoint of a bucket: set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
)
_HINT = "give a folder, or an address that begins with one of {}"


class CacheModule(Protocol):
    """What the module of a kind has."""

    def open_cache(self, address: str, services: CacheServices) -> CollectableCache:
        """The cache at an address; nobody is asked yet.

        Raises:
            CacheRefused: the address is none.
        """
        ...


def open_cache(address: str, services: CacheServices) -> VerifyingCache:
    """The cache at an address, which gives right bytes only.

    Nobody is asked yet.

    Args:
        address: ``/mnt/team/cache``, ``file:///mnt/team/cache``, ``https://cache.corp/team``.
        services: What it is reached with.

    Raises:
        CacheRefused: no cache has such an address.
    """
    cache = _module(address).open_cache(address, services)
    return VerifyingCache(MarkedCache(cache, shown(address)), shown(address))


def _module(address: str) -> CacheModule:
    """The module of an address's kind."""
    split = SplitAddress.of(address)
    scheme = split.scheme.removesuffix("://").lower()
    is_of_ssh = not scheme and local_path(address) is None
    if not address or split.is_ambiguous or scheme not in _ROWS or is_of_ssh:
        msg = "not the address of a cache"
        raise CacheRefused(msg, where=shown(address), hint=_hint(split, scheme))
    return cast("CacheModule", import_module(f"rvbuild.caches.{_ROWS[scheme]}"))


def _hint(split: SplitAddress, scheme: str) -> str:
    """What to write for what is no address of a cache."""
    if split.is_ambiguous and scheme == "s3":
        return _BUCKET_HINT
    if split.is_ambiguous and scheme in set(_ROWS) - {""}:
        return split.hint
    return _HINT.format(", ".join(f"{each}://" for each in _ROWS if each))
