"""Values that stand instead of upstream's, and whose time is over.

Knows: that a build goes on with them. Must not know: how a build is made.
"""

from __future__ import annotations

from collections.abc import Iterable

from rvbuild.app.session import Session
from rvbuild.core.events import Noticed
from rvbuild.core.recipe import Recipe


def tell_of_ended(session: Session, recipes: Iterable[Recipe]) -> None:
    """Tell of each override whose last day is over.

    It stops the next lock. A build has its lock: no day makes another one of it.
    """
    for recipe in recipes:
        for name, each in recipe.overrides:
            if each.has_ended(session.today):
                text = f"{each.value} instead of {each.upstream} was until {each.until}"
                note = f"{text} (because {each.reason}): decide again before the next lock"
                session.report(Noticed(name, note))
