"""What running actions has given, as the Remote Execution API has it.

Knows: outcomes by action. Must not know: derivations.
"""

from __future__ import annotations

from typing import Protocol

from rvbuild.core.action import Outcome
from rvbuild.core.digest import Digest


class ActionCache(Protocol):
    """What was run before, by action.

    With ``accelerated`` false, outcomes that a compile cache helped to make stay unseen.
    """

    def outcome(self, action: Digest, *, accelerated: bool) -> Outcome | None: ...

    def record(self, action: Digest, outcome: Outcome, *, accelerated: bool) -> None: ...
