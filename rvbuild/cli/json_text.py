"""What a program reads on standard output.

Knows: JSON. Must not know: what is told.
"""

from __future__ import annotations

import json
import os
import sys

from rvbuild.cli.messages import without_logins
from rvbuild.core.errors import RvbuildError


def error_row(error: Exception) -> dict[str, object]:
    """An error as ``{"place": "recipes/a/recipe.yaml:2:1", "problem", "details": [], "hint"}``.

    What it does not say is empty. A login in an address is left out.
    """
    if not isinstance(error, RvbuildError):
        text = f"{type(error).__qualname__}: {error}"
        return {"place": "", "problem": without_logins(text), "details": [], "hint": ""}
    return {
        "place": without_logins(str(error.where or "")),
        "problem": without_logins(error.message),
        "details": [without_logins(line) for line in error.details],
        "hint": without_logins(error.hint or ""),
    }


def print_json(value: object) -> None:
    """Write a document, its keys sorted."""
    sys.stdout.write(json.dumps(value, indent=2, sort_keys=True) + os.linesep)
