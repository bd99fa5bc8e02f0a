"""Recipes of a project that its lock is no answer to.

Knows: what is asked for, and what the lock has. Must not know: who wrote them, who is told.
"""

from __future__ import annotations

from collections.abc import Iterator

from rvbuild.app.lock_scope import LockScope, lock_scope
from rvbuild.app.session import Session, lock_at, with_recipes
from rvbuild.core.errors import RecipeError, RvbuildError
from rvbuild.core.lock import Lock
from rvbuild.core.locked import Locked
from rvbuild.core.names import PinRef, RecipeName, SourceRef
from rvbuild.core.recipe import Recipe
from rvbuild.recipes_yaml.collection import RecipeCollection


def lock_gaps(session: Session) -> tuple[str, ...]:
    """The recipes that the lock is to be made anew for, without series, in order.

    Recipes and lock are read as they are now, and nobody outside is asked: what stands in folders
    of this machine, and which upstream moved, is not seen.
    """
    session = with_recipes(session, RecipeCollection(session.workspace.recipes))
    try:
        old = lock_at(session.workspace.locks[0], partly=True)
        scope = lock_scope(session, (), old)
        names = {*scope.failures, *_unanswered(session, scope), *_vain(old, scope.project)}
    except RvbuildError:  # whoever locks is told
        return ()
    return tuple(sorted({RecipeName.parse(name).base for name in names}))


def _unanswered(session: Session, scope: LockScope) -> Iterator[str]:
    """Recipes that the lock lacks something for, or has what that cannot be."""
    locked = Locked(session.known(partly=True), scope.graph, session.build_arch)
    for recipe in scope.recipes.values():
        try:
            is_answered = not any(locked.refusals(recipe))
        except RecipeError:
            is_answered = False
        if not is_answered:
            yield recipe.name


def _vain(lock: Lock, recipes: tuple[Recipe, ...]) -> Iterator[str]:
    """Recipes of which the lock has a pin or a source that they do not have."""
    there = {recipe.name: recipe for recipe in recipes}
    refs: tuple[PinRef | SourceRef, ...] = (*lock.pins, *lock.sources)
    for ref in refs:
        if recipe := there.get(ref.recipe):
            names = recipe.all_pins if isinstance(ref, PinRef) else recipe.sources
            if ref.name not in names:
                yield recipe.name
