"""What an upstream says that it has.

Knows: what is asked of any upstream. Must not know: kinds of sources, pins, policies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import field, frozen

from rvbuild.core.version_form import Form, tag_form

Moments = Callable[[Sequence[str]], Mapping[str, int]]
"""Returns when versions were published, in Unix seconds, without those of which nobody knows it."""


@frozen(kw_only=True)
class CommitsBehind:
    """How far a commit is behind a branch.

    Attributes:
        branch: The branch's name.
        count: Of the commits that the branch has and the commit has not.
    """

    branch: str
    count: int


def _unknown(versions: Sequence[str]) -> Mapping[str, int]:
    del versions
    return {}


def _unseen(commit: str) -> CommitsBehind | None:
    del commit
    return None


@frozen(kw_only=True)
class VersionListing:
    """The versions of an upstream.

    Attributes:
        versions: As upstream spells them; what it took back is not among them.
        form: Reads a version.
        moments: Asked for few versions at once, since each may cost a request.
        commits: The commit that each version is, where upstream is a repository.
        behind: How far a commit is behind; None where nobody on this machine can say that.
    """

    versions: tuple[str, ...] = ()
    form: Form = tag_form
    moments: Moments = field(default=_unknown, eq=False)
    commits: Mapping[str, str] = field(factory=dict)
    behind: Callable[[str], CommitsBehind | None] = field(default=_unseen, eq=False)


@frozen(kw_only=True)
class VersionTemplate:
    """How upstream spells the value of a pin: ``release-${version}`` is ``release-`` before it."""

    prefix: str = ""
    suffix: str = ""

    def spelled(self, value: str) -> str:
        """A value as upstream has it."""
        return f"{self.prefix}{value}{self.suffix}"

    def value_of(self, version: str) -> str | None:
        """The value that gives a version; None if none does."""
        middle = version.removeprefix(self.prefix).removesuffix(self.suffix)
        return middle if middle and self.spelled(middle) == version else None
