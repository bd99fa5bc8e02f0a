"""What fetching depends on.

Knows: the settings of one run. Must not know: what any fetcher does with them.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from rvbuild.core.advice import Hint, Remedy, advise
from rvbuild.core.errors import SourceError
from rvbuild.core.events import Reporter, silent
from rvbuild.core.transparent_log import IsSignature

OFFLINE_HINT = advise(Remedy.FETCH_ONLINE)
"""What to do where the store lacks a pinned source, and an offline run may not get it."""

CHECK_OR_MIRROR = advise("check the network, or ", Remedy.MIRROR)
"""What to do where no address has a file."""

OFFLINE_LOCK_HINT = advise(Remedy.LOCK_ONLINE)
"""What to do where something is to be pinned."""

OFFLINE_ASK_HINT = advise("ask again in a run that is not offline")
"""What to do where an upstream is to be asked what it has."""


def unsigned(_key: bytes, _signature: bytes, _data: bytes) -> bool:
    """What holds where no signature can be verified."""
    return False


def offline_error(
    where: str, *, hint: Hint = OFFLINE_HINT, details: tuple[str, ...] = ()
) -> SourceError:
    """The refusal to ask ``where`` (an address, a commit of one) over the network."""
    msg = "not asked: this run is offline"
    return SourceError(msg, where=where, hint=hint, details=details)


@frozen(kw_only=True)
class FetchSettings:
    """What fetching depends on.

    Attributes:
        tmp: A folder for temporary files, on one file system with what becomes of them;
            clones of single commits are kept in ``git`` below it until it is emptied.
        mirrors: ``--mirror``'s pairs (from, to).
        offline: Reach nothing but this machine.
        environment: The user's; the clients' configurations are found through it.
        notice: Told what a person should know and that stops nothing.
        is_signature: Whether somebody has signed bytes; without a library nobody has.
    """

    tmp: str
    mirrors: tuple[tuple[str, str], ...] = ()
    offline: bool = False
    environment: Mapping[str, str] = field(factory=dict, repr=False)
    notice: Reporter = field(default=silent)
    is_signature: IsSignature = field(default=unsigned)
