"""What a pin may be moved to by itself.

Knows: how a policy is spelled, and what it lets through. Must not know: who says it, what moves.
"""

from __future__ import annotations

import re
from enum import Enum

from attrs import evolve, field, frozen

from rvbuild.core.version_form import VersionForm

_AGE = re.compile(r"([0-9]{1,6})([hdw])")
_SECONDS = {"h": 3600, "d": 86_400, "w": 7 * 86_400}
AGE_SCHEMA = f"^{_AGE.pattern}$"
"""A regular expression for the texts that `read_age` reads."""


class Reach(Enum):
    """How far a pin may move by itself; the value is its word in recipes and settings."""

    NONE = "none"
    PATCH = "patch"
    MINOR = "minor"
    MAJOR = "major"

    def allows(self, old: VersionForm, new: VersionForm) -> bool:
        """Whether a pin may move from one version to a higher one of its family."""
        if self is Reach.PATCH:
            return old.minor == new.minor
        if self is Reach.MINOR:
            return old.major == new.major
        return self is Reach.MAJOR


REACHES = tuple(each.value for each in Reach)
"""The words of a policy, the most careful first."""


@frozen(kw_only=True)
class UpdatePolicy:
    """What a pin may be moved to by itself.

    Attributes:
        reach: How far.
        min_age: For how many seconds a version must have been there.
        age_text: The same, as a person said it; empty for none.
    """

    reach: Reach = Reach.MINOR
    min_age: int = 0
    age_text: str = field(default="", eq=False)


def read_age(text: str) -> int:
    """The seconds of ``12h``, ``7d`` or ``2w``; the error's text is to follow a name.

    Raises:
        ValueError: it is no such text.
    """
    match = _AGE.fullmatch(text)
    if match is None:
        msg = f"must be a time such as 12h, 7d or 2w, not {text!r}"
        raise ValueError(msg)
    return int(match[1]) * _SECONDS[match[2]]


def policy_of(reach: str, min_age: str, *, otherwise: UpdatePolicy | None = None) -> UpdatePolicy:
    """What two texts say; an empty one says nothing, and ``otherwise`` holds.

    Raises:
        ValueError: one is not a policy's.
    """
    policy = otherwise or UpdatePolicy()
    if reach:
        policy = evolve(policy, reach=Reach(reach))
    if min_age:
        age = read_age(min_age)
        policy = evolve(policy, min_age=age, age_text=min_age if age else "")
    return policy
