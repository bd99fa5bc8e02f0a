"""What there is to say of a pin, held against its upstream.

Knows: the answers that there are. Must not know: who asks, how they are told.
"""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen

from rvbuild.core.candidate import Choice
from rvbuild.core.component import ComponentChange
from rvbuild.core.errors import RvbuildError
from rvbuild.core.lock_diff import PinOrigin
from rvbuild.core.names import PinRef
from rvbuild.core.override import Override, OverrideEnd
from rvbuild.core.place import Place
from rvbuild.core.update_policy import UpdatePolicy
from rvbuild.core.version_listing import CommitsBehind


class PinState(Enum):
    """What a pin's row is about; the value is its word in JSON."""

    MOVABLE = "may-be-moved"
    HELD = "held-back"
    CURRENT = "current"
    DERIVED = "derived"
    UNASKED = "not-asked"


class Unasked(Enum):
    """Why nobody knows what there is; the value is its word in JSON."""

    OFFLINE = "offline"
    NO_LISTING = "no-listing"
    UNREACHABLE = "unreachable"
    NO_ORDER = "no-order"
    NOT_LOCKED = "not-locked"
    NO_SOURCE = "no-source"


@frozen(kw_only=True)
class PinStatus:
    """A pin, and what upstream has.

    Attributes:
        pin: The name of the pin. One that stands in a source is called by its keys:
            ``sources.charts.commit``; a Go module that another stands for by its path. Where it is
            the same in all series, its recipe is named without one.
        name: What a person calls it to have it moved, and it alone; empty for a derived one.
        place: Where its value stands, or where it says what it is read from.
        current: Its value; upstream's, if the recipe has another instead. Of packages, once their
            suite was asked, the index that the lock has them from.
        state: What follows.
        kind: The tag of the source that it chooses; empty for a derived one.
        upstream: Who was asked; empty if nobody.
        label: What upstream calls a commit that is named barely; empty if it has no name for it.
        policy: What it may move to by itself; None for a derived one.
        choice: What that comes to.
        behind: How far a commit is behind; None if nobody here knows.
        packages: What became of the packages of a suite.
        origin: Where a derived one was read; None if it is no derived one, or not locked.
        decided_by: The pin that chooses the source of ``origin``.
        unasked: Why nobody knows what there is.
        problem: What went wrong, if something did beside that nobody may be asked.
        instead: What the recipe has instead of ``current``.
        ended_by: Why that holds no longer; None: it holds, or there is none.
    """

    pin: PinRef
    place: Place | None
    current: str
    state: PinState
    name: str = ""
    kind: str = ""
    upstream: str = ""
    label: str = ""
    policy: UpdatePolicy | None = None
    choice: Choice = field(factory=Choice)
    behind: CommitsBehind | None = None
    packages: tuple[ComponentChange, ...] = ()
    origin: PinOrigin | None = None
    decided_by: PinRef | None = None
    unasked: Unasked | None = None
    problem: RvbuildError | None = None
    instead: Override | None = None
    ended_by: OverrideEnd | None = None

    @property
    def is_outdated(self) -> bool:
        """Whether there is something to do: it may be moved, or what stands instead has ended."""
        return self.state is PinState.MOVABLE or self.ended_by is not None
