"""`update`: moves what recipes say, and all that follows from it, in recipes and lock together.

Knows: which of the two ways to move a person means. Must not know: how a move is found out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from rvbuild.app.session import Session
from rvbuild.app.update_newest import update_to_newest
from rvbuild.app.update_plan import own_root
from rvbuild.app.update_to import update_to
from rvbuild.app.update_view import UpdateRequest, UpdateView
from rvbuild.core.errors import RvbuildError, UsageError
from rvbuild.core.events import Noticed
from rvbuild.core.recipe import Recipe
from rvbuild.release.literal_pin import is_literal
from rvbuild.release.override_place import WHILE
from rvbuild.release.pin_name import pin_of


def update(
    session: Session, request: UpdateRequest, *, clock: Callable[[], float] = time.time
) -> UpdateView:
    """What an update changes; nothing is written yet.

    With a version, a series that is new, or one that goes, it is one move (`app.update_to`); else
    each pin moves as far as its policy allows (`app.update_newest`).

    Args:
        session: The run, in a project.
        request: What is asked for.
        clock: Tells the time, in Unix seconds.

    Raises:
        UsageError: there is no project, nothing of a name moves, or something of one move is asked
            for that nobody can derive: then each is in the details, with its place.
        RvbuildError: the recipes that follow from one move cannot be read or locked.
    """
    own_root(session)
    _refuse_vain_series(request)
    for name in request.names:
        _tell_of_overrides(session, name, request)
    if _is_newest(session, request):
        return update_to_newest(session, request, clock())
    if len(request.names) != 1 or request.names[0].startswith("@"):
        msg = "one version is for one recipe"
        named = " ".join(request.names) or None
        raise UsageError(msg, where=named, hint="name the recipe that moves")
    return update_to(session, request.names[0], request)


def _refuse_vain_series(request: UpdateRequest) -> None:
    """See that one series at most is named for each name, and what a new one comes from with it.

    Raises:
        UsageError: a name has another series behind it than the one that is asked for, or an
            empty one; or nobody says which new series comes from the former one.
    """
    for name in request.names:
        _, at, series = name.partition("@")
        if at and not series:
            msg = "no series stands behind the @"
            raise UsageError(msg, where=name, hint="name one, or leave the @ out")
        if series and request.series not in {"", series}:
            msg = f"two series are named: {series} and {request.series}"
            raise UsageError(msg, where=name, hint="name the one that moves")
        if request.former and not (series or request.series):
            msg = f"a new series would come from {request.former}, and none is named"
            hint = f"name the new one, or {name}@{request.former} to move that"
            raise UsageError(msg, where=name, hint=hint)


def _tell_of_overrides(session: Session, name: str, request: UpdateRequest) -> None:
    """Tell where a version stands that does not follow the source which moves in its place."""
    base, _, behind = name.partition("@")
    recipes: tuple[Recipe, ...] = ()
    is_dropped = request.values.get(f"{base}/version.{WHILE}") == ""
    if base and "/" not in base and not is_dropped:
        with suppress(RvbuildError):  # what looks for the pin says so
            recipes = session.folder.series.every(base)
    for recipe in recipes:
        pin = recipe.version
        if isinstance(pin, str) or pin.instead is None:
            continue
        if recipe.series == (behind or request.series or recipe.series):
            moves = "upstream's value beside it" if is_literal(pin) else "its source"
            text = f"stays {pin.instead.value} instead of upstream's: what moves is {moves}"
            note = f"{text}; `instead` stands in {pin.instead.where}"
            session.report(Noticed(f"{recipe.name}/version", note))


def _is_newest(session: Session, request: UpdateRequest) -> bool:
    if request.to or request.former or request.drop:
        return False
    if not request.series or len(request.names) != 1:
        return not request.series
    name = request.names[0].partition("@")[0]
    if not name:
        return True
    return any(pin.series == request.series for pin in pin_of(session.folder, name))
