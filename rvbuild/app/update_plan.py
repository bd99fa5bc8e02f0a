"""The edits of an update together, and what they make of recipes and lock.

Knows: which files a plan changes, and what is compared afterwards. Must not know: why a value
moves, how it is edited.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import chain

from attrs import field, frozen

from rvbuild.app.diff_side import whole_side
from rvbuild.app.lock import LockResult
from rvbuild.app.project_files import project_lock, required_project
from rvbuild.app.session import Session, locked_text
from rvbuild.app.update_view import FileChange, difference
from rvbuild.core.advice import Hint, Remedy, advise
from rvbuild.core.errors import RecipeError, RvbuildError, UsageError, single_failures, suggestion
from rvbuild.core.lock import Lock
from rvbuild.core.lock_diff import LockDiff
from rvbuild.core.names import PinRef, SourceRef
from rvbuild.core.pin_step import PinStep
from rvbuild.core.place import Place, place_before
from rvbuild.core.recipe import Recipe
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.edited_root import EditedRoot
from rvbuild.recipes_yaml.project_file import near_path
from rvbuild.recipes_yaml.recipe_edits import RecipeEdits
from rvbuild.recipes_yaml.recipe_root import RecipeRoot
from rvbuild.release.ask import Ask
from rvbuild.release.literal_pin import LiteralPin, file_pins
from rvbuild.release.move import PinMove, file_of

_RECIPES = "recipes"


@frozen(kw_only=True)
class UpdatePlan:
    """What changes in a project's recipes.

    Attributes:
        session: The run, with the recipes as they are.
        steps: The pins that move.
        edits: The files, with what was changed.
        created: The bytes of new files, by their paths below the folder of recipes.
        renewed: Sources whose descriptions stay, and which are asked for anew.
    """

    session: Session
    steps: tuple[PinStep, ...]
    edits: RecipeEdits
    created: Mapping[str, bytes] = field(factory=dict)
    renewed: frozenset[SourceRef] = frozenset()

    @cached_property
    def recipes(self) -> RecipeCollection:
        """All recipes after the edits, which are read once.

        Raises:
            RecipeError: one that changed is not valid, or a default is of no series any more.
        """
        recipes = edited_recipes(self.session, self.edits, self.created)
        recipes.series.refuse_vain_defaults()
        return recipes

    def files(self) -> dict[str, FileChange]:
        """The bytes of each file before and after, by its path in the project."""
        files: dict[str, FileChange] = {
            path: (self.edits.before[path], data) for path, data in self.edits.changed.items()
        }
        files |= {path: (None, data) for path, data in self.created.items()}
        return {f"{_RECIPES}/{path}": change for path, change in files.items()}

    def unused_patches(self) -> tuple[str, ...]:
        """Files that were patches of a source and are none any more, by their paths there."""
        bases = sorted(path.partition("/")[0] for path in self.edits.changed)
        before, after = self.session.folder, self.recipes
        unused = (
            f"{_RECIPES}/{base}/{file}"
            for base in bases
            for file in sorted(_patches(before.file(base)) - _patches(after.file(base)))
        )
        return tuple(unused)

    def difference(self, result: LockResult, series: tuple[str, str] = ("", "")) -> LockDiff:
        """What differs of pins, sources and sets.

        Args:
            result: The lock of the recipes after the edits.
            series: Which series before and after are compared alone; empty: all.
        """
        session, edited = self.session, self.recipes.roots[0]
        old = whole_side(session, "old", _old_lock(session), own_root(session)).side
        new = whole_side(session, "new", result.new, edited).side
        return difference(old, new, series)


def beside(session: Session, steps: Iterable[PinStep]) -> tuple[PinRef, ...]:
    """All values by which sources are chosen in recipes of which one moves."""
    every = session.folder.series.every
    recipes = dict.fromkeys(step.recipe for step in steps)
    return tuple(pin.ref for name in recipes for pin in file_pins(every(name)))


def _patches(recipe: Recipe) -> set[str]:
    """The patches of all sources and series."""
    sources = (use.patches for use in recipe.sources.values())
    series = (each.patches for each in recipe.per_series.values())
    return {*chain(*sources, *series)}


def own_root(session: Session) -> RecipeRoot:
    """The project's own recipes as they are.

    Raises:
        UsageError: there is no project.
    """
    required_project(session.workspace, "go to a project")
    return session.folder.roots[0]


def refuse_shipped(session: Session, pins: Iterable[LiteralPin]) -> None:
    """See that pins are the project's own.

    Raises:
        UsageError: a recipe came with rvbuild.
    """
    root = own_root(session)
    for pin in pins:
        if root.folder(pin.recipe.base) is None:
            msg = f"{pin.recipe.base} came with rvbuild: it is no recipe of the project"
            hint = "copy its folder into recipes/, and move that"
            raise UsageError(msg, where=str(pin.recipe.at("")), hint=hint)


def no_edits(session: Session) -> RecipeEdits:
    """The project's own recipe files as they are."""
    root = own_root(session)
    texts = {file_of(name): root.recipe(name) for name in sorted(root.names())}
    return RecipeEdits(
        {path: text.data for path, text in texts.items()},
        labels={path: text.label for path, text in texts.items()},
    )


def edited_recipes(
    session: Session, edits: RecipeEdits, created: Mapping[str, bytes] | None = None
) -> RecipeCollection:
    """All recipes, the project's own after edits.

    Raises:
        RecipeError: one that changed is not valid.
    """
    root = EditedRoot(own_root(session), {**edits.changed, **(created or {})})
    recipes = RecipeCollection((root, *session.folder.roots[1:]))
    try:
        for path in edits.changed:
            recipes.file(path.partition("/")[0])
    except RecipeError as error:
        show_own_lines(session, edits, [error])
        raise
    return recipes


def show_own_lines(session: Session, edits: RecipeEdits, errors: Iterable[Exception]) -> None:
    """Let errors show the lines of edited files, not those that are on disk."""
    root = own_root(session)
    labels = {root.recipe(path.partition("/")[0]).label: path for path in edits.changed}
    for error in single_failures(errors):
        where = error.where if isinstance(error, RvbuildError) else None
        if type(where) is Place and where.file in labels:
            path = labels[where.file]
            there = place_before(where, edits.changed[path], edits.before[path])
            error.where = there  # type: ignore[attr-defined]


def refuse_vain(move: PinMove, where: str) -> None:
    """See that something takes each value that a person says.

    Raises:
        UsageError: nothing takes one.
    """
    if move.vain:
        msg = f"nothing here takes a value called {', '.join(move.vain)}"
        known = ", ".join(sorted(move.taken))
        otherwise = f"known: {known}" if known else "leave it out: nothing else is to be said"
        near = suggestion(move.vain[0], move.taken)
        raise UsageError(msg, where=where, hint=near or otherwise)


def refuse_asks(move: PinMove, where: str, alone: Hint = "") -> None:
    """See that nothing is left to ask for.

    Args:
        move: The edits of a value.
        where: What a person calls it.
        alone: How it is moved alone, if others move with it.

    Raises:
        UsageError: something is.
    """
    if move.asks:
        names = [*dict.fromkeys(each.name for each in move.asks if each.name)]
        msg = f"a person has to say {', '.join(names)}" if names else "recipes have to change first"
        details = tuple(map(_ask_text, move.asks))
        said = Remedy.SAY.of(" ".join(f"{name}=…" for name in names))
        hint = advise(said) if names else advise("write by hand what is listed")
        hint = advise(*((alone, "; ") if alone else ()), hint)
        raise UsageError(msg, where=where, details=details, hint=hint)


def _ask_text(ask: Ask) -> str:
    name = f"{ask.name}: " if ask.name else ""
    return f"{ask.where}: {name}{ask.why}"


def _old_lock(session: Session) -> Lock:
    path = session.workspace.locks[0]
    data = project_lock(path)
    return Lock() if data is None else locked_text(data, near_path(path), partly=True)
