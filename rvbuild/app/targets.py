"""Targets, and the derivations that are asked for with them.

Knows: words for targets, and that a target's checks belong to it. Must not know: what is done
with them.
"""

from __future__ import annotations

from collections.abc import Iterable

from rvbuild.app.session import Session
from rvbuild.core.graph import Target, parse_target
from rvbuild.core.link import Linked


def targets_of(session: Session, words: Iterable[str]) -> tuple[Target, ...]:
    """The targets that words name, each once.

    Raises:
        UsageError: a word names none.
    """
    return tuple(dict.fromkeys(parse_target(word, session.folder.load) for word in words))


def goals(linked: Linked) -> list[str]:
    """The derivations of targets, then those of their checks."""
    checks = (check for checks in linked.checks.values() for check in checks)
    return [*linked.results.values(), *checks]
