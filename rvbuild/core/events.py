"""What happens during a build, as data.

Knows: that something started, moved on, or ended. Must not know: how it is shown.
The engine and the adapters *tell*; only the command line draws.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol, Union

from attrs import frozen

from rvbuild.core.cache_use import CacheUse
from rvbuild.core.finding import Finding
from rvbuild.core.loss import Loss


class Phase(Enum):
    """What kind of work a label stands for."""

    RESOLVE = "resolve"
    SUBSTITUTE = "pull"
    FETCH = "fetch"
    MERGE = "merge"
    BUILD = "build"
    CHECK = "check"
    PUSH = "push"
    COUNT = "count"
    COLLECT = "collect"
    VERIFY = "verify"


@frozen
class Planned:
    """The plan is known: how many of each phase have to be done; ``kept`` need nothing."""

    counts: dict[Phase, int]
    kept: int


@frozen
class Started:
    """Work on ``label`` began. ``reason`` says why it had to be done."""

    label: str
    phase: Phase
    reason: str = ""


@frozen
class Progressed:
    """``done`` of ``total`` bytes of ``label`` (``total`` 0: not known)."""

    label: str
    done: int
    total: int = 0


@frozen
class Wrote:
    """A step wrote one line to its log."""

    label: str
    line: str


@frozen
class Finished:
    """Work on ``label`` ended.

    ``how``: ``built``; ``pulled`` from a cache, or ``lost`` if it was not to be had there, as
    ``loss`` says, and is made after all; ``pushed`` into one, or ``there`` if it was; ``fetched``,
    ``merged``, ``reused``, ``failed``, or ``stopped`` because something else failed or the person
    pressed ^C. A source that is looked for in another store is ``imported``, ``present`` (here
    already) or ``absent`` (there). A recipe that is resolved is ``linked``, or ``unknown`` where
    nobody can tell which sources it needs. A walk over a cache is ``done``.
    """

    label: str
    phase: Phase
    how: str
    seconds: float
    size: int = 0
    loss: Loss | None = None


@frozen
class Noticed:
    """Something that a person should know and that stops nothing.

    ``security`` if something was believed without the proof that it should have: nobody may
    silence that.
    """

    label: str
    text: str
    security: bool = False


@frozen
class Audited:
    """The outputs of ``label`` are fit; ``findings`` are what somebody should know of them."""

    label: str
    findings: tuple[Finding, ...]


@frozen
class CacheUsed:
    """A run is done with a cache."""

    use: CacheUse


@frozen
class Shortfall:
    """Results that caches have and that were not taken: too few keys vouch for them.

    Attributes:
        labels: What people call them.
        keys: How many keys' word counts for each of them.
        needed: How many are needed.
        fallen: The ids of keys on whose word others took some of them, or what these are made of,
            and that are not known here or were revoked.
    """

    labels: tuple[str, ...]
    keys: int
    needed: int
    fallen: tuple[str, ...] = ()


Event = Union[Planned, Started, Progressed, Wrote, Finished, Noticed, Audited, CacheUsed, Shortfall]


class Reporter(Protocol):
    """Takes events; called from any thread; must not raise."""

    def __call__(self, event: Event, /) -> None: ...


def silent(_: Event) -> None:
    """A reporter that tells nobody."""
