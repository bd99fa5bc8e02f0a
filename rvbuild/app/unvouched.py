"""Sums of Go modules that no go.sum has, and that nobody vouches for.

Knows: that a build goes on with them, as the go command does. Must not know: who vouches, how a
build is made.
"""

from __future__ import annotations

from rvbuild.app.session import Session
from rvbuild.core.events import Noticed
from rvbuild.core.graph import RecipeGraph
from rvbuild.core.names import SetRef
from rvbuild.core.question import set_ref
from rvbuild.core.recipe import GoModulesSpec
from rvbuild.core.spec_text import spec_text


def overridden_sets(graph: RecipeGraph) -> dict[SetRef, GoModulesSpec]:
    """The sets of Go modules with modules instead of go.mod's, each for one of its users."""
    sets: dict[SetRef, GoModulesSpec] = {}
    for recipe in graph.recipes.values():
        if recipe.go_modules is not None and recipe.go_modules.instead:
            sets.setdefault(set_ref(graph, recipe, recipe.go_modules), recipe.go_modules)
    return dict(sorted(sets.items()))


def tell_of_unvouched(session: Session, graph: RecipeGraph) -> None:
    """Tell of what a release is built from on the word of the server that it came from."""
    sets = overridden_sets(graph) if session.choices.release else {}
    lock = session.lock(partly=True) if sets else None
    for ref, spec in sets.items():
        entry = lock.set_for(ref, spec_text(spec)) if lock else None
        if entry is not None and entry.unvouched:
            names = ", ".join(entry.unvouched_modules)
            text = f"nobody vouches for what the lock has of {names}"
            hint = "lock again where Go's checksum database can be asked, unless they are private"
            session.report(Noticed(str(ref), f"{text}: {hint}", security=True))
