"""What somebody must know of an output.

Knows: what a finding says, and how much it weighs. Must not know: rules, files.
"""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from rvbuild.core.advice import Hint


class Weight(Enum):
    """What follows from a finding."""

    FAULT = "fault"
    """The output is refused."""

    DETECTED = "detected"
    """Code beyond the baseline that runs only after it has asked what the processor can do."""

    UNKNOWN = "unknown"
    """Nothing says whether it is within the baseline."""

    UNUSED = "unused"
    """A declaration that nothing in the output needs."""


@frozen
class Remark:
    """``what`` is to be said of a file, and what to do about it.

    ``pattern`` is the one that declared it, if its weight is `Weight.DETECTED`. ``trace``: a word
    is inside that one machine looks for and another does not, as the path of a store.
    """

    what: str
    hint: Hint = ""
    weight: Weight = Weight.FAULT
    pattern: str = ""
    trace: bool = False


@frozen
class Finding:
    """A remark on the output at ``path``; the fields are those of `Remark`."""

    path: str
    what: str
    hint: Hint
    weight: Weight = Weight.FAULT
    pattern: str = ""
    trace: bool = False

    @classmethod
    def at(cls, path: str, remark: Remark) -> Finding:
        """A remark on the file at ``path``."""
        return cls(
            path, remark.what, remark.hint, remark.weight, remark.pattern, trace=remark.trace
        )
