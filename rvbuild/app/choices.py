"""What is asked for in one run.

Knows: what can be asked for. Must not know: what is set for more than one run.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen


@frozen(kw_only=True)
class Choices:
    """What is asked for in one run only, and set nowhere.

    Attributes:
        overrides: Folders that stand for sources, by the source's name.
        release: No compile caches, and nothing of this machine: what a release pipeline runs.
        keep_failed: The folder of a step that fails stays, for a look.
        pull: Nothing is made: what no cache has is an error.
        as_upstream: Recipes have no value instead of upstream's.
    """

    overrides: Mapping[str, str] = field(factory=dict)
    release: bool = False
    keep_failed: bool = False
    pull: bool = False
    as_upstream: bool = False
