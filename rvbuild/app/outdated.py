"""`outdated`: each pin of recipes, held against its upstream.

Knows: which recipes are meant, and what is set. Must not know: what an answer means, how it is
shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from attrs import frozen

from rvbuild.app.pin_scope import locked_values, overridden_recipes, own_recipes, pin_recipes
from rvbuild.app.session import Session
from rvbuild.caches.parallel import ask_all
from rvbuild.core.errors import RvbuildError, each_once, raise_failures
from rvbuild.core.pin_status import PinStatus, Unasked
from rvbuild.core.update_policy import UpdatePolicy, policy_of
from rvbuild.release.literal_pin import LiteralPin, literal_pins
from rvbuild.release.pin_review import PinReview
from rvbuild.release.upstreams import Upstreams


@frozen(kw_only=True)
class OutdatedView:
    """Every pin.

    Attributes:
        pins: Literal ones, and then derived ones, each in the order of their recipes.
        failures: What is wrong with recipes that were left out.
    """

    pins: tuple[PinStatus, ...]
    failures: tuple[RvbuildError, ...] = ()

    @property
    def is_outdated(self) -> bool:
        """Whether something may be moved, or must be decided again."""
        return any(pin.is_outdated for pin in self.pins)

    def refuse_failures(self) -> None:
        """See that every recipe could be read.

        Raises:
            RvbuildError: one could not.
            RunFailed: several could not.
        """
        raise_failures(self.failures, self)

    def refuse_unanswered(self) -> None:
        """See that every upstream that was asked gave an answer: else nobody knows what there is.

        Raises:
            RvbuildError: one did not.
            RunFailed: several did not.
        """
        silent = (pin.problem for pin in self.pins if pin.unasked is Unasked.UNREACHABLE)
        raise_failures(each_once(filter(None, silent)), self)


def outdated_pins(
    session: Session,
    names: tuple[str, ...] = (),
    *,
    clock: Callable[[], float] = time.time,
) -> OutdatedView:
    """Hold pins against their upstreams; nothing is changed, and no lock need be up to date.

    Args:
        session: Whose recipes they are.
        names: Recipes, as `app.lock_scope` has them: these, and those that their sources and pins
            are read from. Empty: all of the project.
        clock: Tells the time, in Unix seconds.

    Raises:
        UsageError: there is no recipe of a name.
        RecipeError: a named recipe is broken, or one that it reads from.
        LockError: the lock cannot be read.
    """
    failures: list[RvbuildError] = []
    recipes = [*pin_recipes(session, names)] if names else [*own_recipes(session, failures)]
    others = () if names else [*overridden_recipes(session, recipes)]
    look = pin_review(session, clock())
    pins = (*literal_pins(recipes), *(pin for pin in literal_pins(others) if pin.instead))
    derived = (*look.derived(recipes), *(pin for pin in look.derived(others) if pin.instead))
    return OutdatedView(
        pins=(*review_pins(session, look, pins), *derived), failures=tuple(failures)
    )


def pin_review(session: Session, now: float) -> PinReview:
    """What looks at pins in a run.

    Args:
        session: The run.
        now: The time, in Unix seconds.

    Raises:
        LockError: the lock cannot be read.
    """
    return PinReview(
        upstreams=Upstreams(session.sources),
        values=locked_values(session),
        policy=default_policy(session),
        now=now,
        today=session.today,
        offline=session.workspace.settings.offline,
    )


def review_pins(
    session: Session, look: PinReview, pins: Sequence[LiteralPin]
) -> Sequence[PinStatus]:
    """What there is for each pin; all upstreams are asked at a time."""
    try:
        return ask_all(look.literal, pins)
    except BaseException:
        session.sources.cancel()  # those that still wait for a server
        raise


def default_policy(session: Session) -> UpdatePolicy:
    """What pins may move to by themselves, if neither recipe nor series says anything."""
    said = session.workspace.settings.update
    return policy_of(said.get("policy", ""), said.get("min-age", ""))
