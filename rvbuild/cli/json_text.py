"""What a program reads on standard output.

Knows: JSON. Must not know: what is told.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from rvbuild.cli.public import details_cut, public
from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import RvbuildError


def error_row(error: Exception, store: str | None = None) -> dict[str, object]:
    """An error as ``{"kind", "place": "recipes/a/recipe.yaml:2:1", "problem", "details", "hint"}``.

    ``kind`` is the class of `core.errors`, also where an adapter has a narrower one of its own.
    What the error does not say is empty. A login or a query in an address is left out.
    ``store`` is the one that the command line named.
    """
    kind = _kind(type(error))
    if not isinstance(error, RvbuildError):
        text = f"{kind}: {error}"
        return {
            "kind": kind,
            "place": "",
            "problem": public(text),
            "details": [],
            "hint": "",
        }
    return {
        "kind": kind,
        "place": public(str(error.where or "")),
        "problem": public(error.message),
        "details": list(map(details_cut(error), error.details)),
        "hint": public(hint_text(error.hint, store)),
    }


def _kind(error: type[Exception]) -> str:
    own = [each for each in error.__mro__ if each.__module__ == RvbuildError.__module__]
    return [*own, error][0].__qualname__


VERSION = 1
"""Of every answer: raised when a member goes away or changes its meaning. New members may come."""


def answer_text(members: Mapping[str, object]) -> str:
    """The document of an answer: its version, then its members."""
    return json.dumps({"version": VERSION, **members}, indent=2) + "\n"


def print_answer(members: Mapping[str, object]) -> None:
    """Write the document of an answer to standard output."""
    sys.stdout.write(answer_text(members))
