"""A pin that moves: from what to what, and why.

Knows: what is told of it. Must not know: how it is found out, edited, locked, shown.
"""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from rvbuild.core.names import PinRef, RecipeName
from rvbuild.core.place import Place
from rvbuild.core.update_policy import UpdatePolicy


class StepCause(Enum):
    """Why a pin moves; the value is its word in JSON."""

    ASKED = "asked"
    POLICY = "policy"
    RENEWAL = "renewal"


@frozen(kw_only=True)
class FactChange:
    """A fact beside a value that changes with it: the day on which support ends, patches.

    Attributes:
        name: By which a person says it.
        old: What it was; of patches their files, with commas. Empty if there was none.
        new: The same of what it is now.
        is_said: Whether a person said it; else it goes, since it was of the former value.
    """

    name: str
    old: str
    new: str
    is_said: bool = True

    @property
    def files(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The patches that were and are there."""
        old, new = (tuple(filter(None, text.split(","))) for text in (self.old, self.new))
        return old, new


@frozen(kw_only=True)
class PinStep:
    """One move.

    Attributes:
        pin: The name of the pin as it was, as in `core.pin_status.PinStatus`.
        place: Where its value stood.
        old: The former value; of packages the index that they came from.
        new: The value now; empty if its series goes.
        old_series: The series that it had; empty where it is the same in all.
        series: The series that has it now.
        cause: Why.
        version: What upstream calls the new value.
        policy: What may be taken, where that is why.
        left_out: Patches that go, since upstream has them.
        facts: What else changes beside it.
    """

    pin: PinRef
    place: Place
    old: str
    new: str
    old_series: str = ""
    series: str = ""
    cause: StepCause = StepCause.ASKED
    version: str = ""
    policy: UpdatePolicy | None = None
    left_out: tuple[str, ...] = ()
    facts: tuple[FactChange, ...] = ()

    @property
    def recipe(self) -> str:
        """The recipe's name, without a series."""
        return RecipeName.parse(self.pin.recipe).base

    def is_of(self, recipe: str) -> bool:
        """Whether a recipe, named with its series, has the value."""
        name = RecipeName.parse(recipe)
        return name.base == self.recipe and self.series in {"", name.series}
