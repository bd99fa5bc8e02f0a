"""All that a person, or a program, may read of an error."""

from __future__ import annotations

from rvbuild.cli.messages import render_error
from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import RvbuildError


def words(error: RvbuildError) -> str:
    """Its words before and after the command line's own cut."""
    own = [str(error), str(error.where), hint_text(error.hint), *error.details]
    return "\n".join([*own, render_error(error, color=False)])
