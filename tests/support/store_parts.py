"""A store of which one port is another's: to plant a fault, or to watch a call."""

from __future__ import annotations

import copy
from typing import TypeVar

from rvbuild.core.ports.store import Store

S = TypeVar("S", bound=Store)


def with_parts(store: S, **parts: object) -> S:
    """The same store, with other ports: ``with_parts(store, locks=locks)``."""
    changed = copy.copy(store)
    for name, part in parts.items():
        object.__setattr__(changed, name, part)  # a store is frozen
    return changed
