"""What a person's word for a revision means upstream.

Knows: that a revision has a commit, and may have a tag. Must not know: repositories.
"""

from __future__ import annotations

from attrs import frozen


@frozen
class UpstreamRevision:
    """A revision of a repository.

    Attributes:
        commit: Its whole name.
        tag: The tag that the person named; empty if it was the commit.
    """

    commit: str
    tag: str = ""
