"""Values that recipes have instead of upstream's, each with its reason and its end.

Knows: when an override holds. Must not know: how recipes and locks are written, the clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import field, frozen

from rvbuild.core.errors import OverrideEnded
from rvbuild.core.names import PinRef, SetRef
from rvbuild.core.place import Place
from rvbuild.core.spec import word


class OverrideEnd(Enum):
    """Why an override holds no longer; the value is its word in JSON."""

    UPSTREAM = "upstream"
    DAY = "day"


@frozen(kw_only=True)
class Override:
    """A value instead of upstream's.

    Attributes:
        value: What is built.
        because: Why: names of vulnerabilities, addresses; at least one.
        upstream: Upstream's value for which it was decided.
        until: The last day (YYYY-MM-DD) for which it was decided; empty for no end.
        where: Its place in the recipe.
    """

    value: str
    because: tuple[str, ...]
    upstream: str = field(metadata=word("while"))
    until: str = ""
    where: Place | None = field(default=None, eq=False)

    @property
    def reason(self) -> str:
        """Why, as one text."""
        return ", ".join(self.because)

    @property
    def explanation(self) -> str:
        """Why, and for how long: ``because CVE-1, CVE-2, until 2031-01-01``."""
        return f"because {self.reason}" + (f", until {self.until}" if self.until else "")

    def has_ended(self, today: str) -> bool:
        """Whether its last day is over; ``today`` is YYYY-MM-DD, or empty where no day counts."""
        return bool(self.until) and self.until < today

    def end(self, upstream: str, today: str) -> OverrideEnd | None:
        """Why somebody has to decide again; None: it holds.

        Args:
            upstream: Upstream's value now; empty where nobody knows.
            today: YYYY-MM-DD, or empty where no day counts.
        """
        if upstream and upstream != self.upstream:
            return OverrideEnd.UPSTREAM
        return OverrideEnd.DAY if self.has_ended(today) else None

    def refuse_ended(self, name: str, upstream: str, place: str, today: str) -> None:
        """See that it is still decided.

        Args:
            name: What it is of: ``runc@1.32/version``.
            upstream: Upstream's value now.
            place: Where that was read.
            today: YYYY-MM-DD, or empty where no day counts.

        Raises:
            OverrideEnded: upstream's value is another, or the last day is over.
        """
        details = (
            f"upstream: {upstream}  {place}",
            f"instead:  {self.value}",
            f"while:    {self.upstream}{f', until {self.until}' if self.until else ''}",
            f"because:  {self.reason}",
        )
        if upstream != self.upstream:
            msg = f"{name}: upstream has {upstream} now, and {self.value} is for {self.upstream}"
            hint = f"remove it from 'instead', or decide again: `while: {upstream}`"
            if upstream == self.value:
                hint = "upstream has it now: remove it from 'instead'"
            raise OverrideEnded(
                msg, where=self.where, details=details, hint=hint, upstream=upstream
            )
        if self.has_ended(today):
            msg = f"{name}: {self.value} instead of {self.upstream} was until {self.until}"
            hint = "remove it from 'instead', or decide again: a later `until`"
            raise OverrideEnded(msg, where=self.where, details=details, hint=hint)


@frozen(kw_only=True)
class SeriesOverrides:
    """Overrides of one series; names of recipes in them are without it.

    Attributes:
        pins: By pin: ``runc/version``.
        modules: By set of Go modules, then by module: ``k3s-source/k3s``, ``golang.org/x/net``.
    """

    pins: Mapping[PinRef, Override] = field(factory=dict)
    modules: Mapping[SetRef, Mapping[str, Override]] = field(factory=dict)

    @property
    def places(self) -> Mapping[PinRef | SetRef, Place | None]:
        """Where each of them is said."""
        pins = {ref: each.where for ref, each in self.pins.items()}
        return pins | {ref: o.where for ref, each in self.modules.items() for o in each.values()}

    @property
    def wheres(self) -> frozenset[Place]:
        """The places of all of them."""
        modules = (each for of_set in self.modules.values() for each in of_set.values())
        overrides = (*self.pins.values(), *modules)
        return frozenset(each.where for each in overrides if each.where)

    @property
    def explanation(self) -> str:
        """Each with its reasons: ``runc/version v1.2.8 while v1.2.5, because CVE-1``."""
        pins = {str(ref): each for ref, each in self.pins.items()}
        modules = {
            f"{ref} {module}": each
            for ref, of_set in self.modules.items()
            for module, each in of_set.items()
        }
        return "; ".join(
            f"{name} {each.value} while {each.upstream}, {each.explanation}"
            for name, each in (pins | modules).items()
        )
