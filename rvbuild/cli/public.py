"""What of an error's text may be told: no login, query or fragment of an address.

Knows: whose words an error's lines are. Must not know: how they are drawn.
"""

from __future__ import annotations

from collections.abc import Callable

from rvbuild.core.errors import RvbuildError, StepError
from rvbuild.core.login import without_logins, without_secrets

__all__ = ["details_cut", "public"]

public = without_secrets
"""The text of an error, of a notice, or of advice: somebody keeps it, as a CI server does."""


def details_cut(error: RvbuildError) -> Callable[[str], str]:
    """What to do with each line of an error's details.

    Those of a step are lines of its log. A log is searched for an address that it has, so only the
    logins go.
    """
    return without_logins if isinstance(error, StepError) else public
