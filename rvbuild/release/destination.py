"""Where a value moves to.

Knows: what upstream calls it. Must not know: repositories, recipes.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen


@frozen(kw_only=True)
class Destination:
    """Where a value moves to.

    Attributes:
        value: The new value.
        tag: The upstream's tag, if that is what was named.
        commit: The commit that it is, where upstream is a repository.
        others: The commits of the other sources that the value chooses, by source, where known.
    """

    value: str
    tag: str = ""
    commit: str = ""
    others: Mapping[str, str] = field(factory=dict)
