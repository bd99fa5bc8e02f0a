"""`update`: moves what a recipe says, and all that follows from it, in recipes and lock together.

Knows: the order in which a move is found out. Must not know: how a value is edited, how a change
is told.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from attrs import define, evolve, field

from rvbuild.app.diff_side import whole_side
from rvbuild.app.lock import LockResult, lock
from rvbuild.app.moved_source import MovedSource
from rvbuild.app.project_files import project_lock
from rvbuild.app.session import Session, locked_text, with_recipes
from rvbuild.app.update_view import UpdateRequest, UpdateView, difference
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import SourceError, UsageError, suggestion
from rvbuild.core.lock import Lock
from rvbuild.core.ports.candidates import Candidates
from rvbuild.core.spec import SourceSpec
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.edited_root import EditedRoot
from rvbuild.recipes_yaml.project_file import near_path
from rvbuild.recipes_yaml.recipe_edits import RecipeEdits
from rvbuild.recipes_yaml.recipe_root import SERIES_FILE, RecipeRoot
from rvbuild.release.family import family_lacking, family_with
from rvbuild.release.literal import Literal, literal_of
from rvbuild.release.move import Ask, Destination, PatchVerdict, PinMove, file_of

_RECIPES = "recipes"


def update(
    session: Session, request: UpdateRequest, candidates: Candidates | None = None
) -> UpdateView:
    """What an update changes.

    Args:
        session: The run, in a project.
        request: What is asked for.
        candidates: Chooses a version where the request has none.

    Raises:
        UsageError: there is no project, nothing of that name moves, or something is asked for
            that nobody can derive: then each is in the details, with its place.
        RvbuildError: the recipes that follow cannot be read or locked.
    """
    return _Update.of(session, request, candidates).run()


@define
class _Update:
    """One update.

    Attributes:
        session: The run.
        request: What is asked for, with the series that it means.
        literal: The value that moves.
        root: The project's own recipes as they are.
        candidates: See `update`.
    """

    session: Session
    request: UpdateRequest
    literal: Literal
    root: RecipeRoot
    candidates: Candidates | None
    created: dict[str, bytes] = field(factory=dict, init=False)

    @classmethod
    def of(cls, session: Session, request: UpdateRequest, candidates: Candidates | None) -> _Update:
        if session.workspace.project is None:
            msg = "this is no project: here are neither recipes/ nor rvbuild.lock"
            raise UsageError(msg, where=os.getcwd(), hint="go to a project")
        name, _, series = request.name.partition("@")
        if series and request.series not in {"", series}:
            msg = f"two series are named: {series} and {request.series}"
            raise UsageError(msg, where=request.name, hint="name the one that moves")
        literal, root = literal_of(session.folder, name), session.folder.roots[0]
        if root.folder(literal.recipe.name) is None:
            msg = f"{literal.recipe.name} came with rvbuild: it is no recipe of the project"
            hint = "copy its folder into recipes/, and move that"
            raise UsageError(msg, where=str(literal.recipe.at("")), hint=hint)
        known = evolve(request, series=series or request.series)
        return cls(session, known, literal, root, candidates)

    def run(self) -> UpdateView:
        literal, request = self.literal, self.request
        former = self._former() if literal.in_series else request.former
        if request.drop:
            move, to = self._dropped(), Destination(value="")
        else:
            to = self._destination(former)
            move = self._moved(former, to)
            self._refuse_asks(move)
        recipes = self._edited(move.edits)
        series = request.series or (former if literal.in_series else "")
        result = lock(
            with_recipes(self.session, recipes), self._to_lock(former, series), every_failure=True
        )
        result.refuse_failures()
        return self._view(move, result, recipes, former, series, to)

    def _to_lock(self, former: str, series: str) -> tuple[str, ...]:
        """The recipes to lock: all of a series, or the one that moves, and what follows it."""
        if self.request.drop or not series:
            return (self.literal.recipe.name,)
        first = () if self.literal.in_series or not former else (f"@{former}",)
        return (*first, f"@{series}")

    # ---- which series

    def _former(self) -> str:
        """The series that moves, or that a new one comes from.

        Raises:
            UsageError: there is none of that name, or nobody says which.
        """
        recipe, request = self.literal.recipe, self.request
        there = [*recipe.per_series]
        wanted = request.former if request.series not in there else request.series
        if request.former and request.series in there:
            msg = f"{recipe.name} has the series {request.series} already"
            raise UsageError(msg, where=recipe.name, hint="it moves without one that it comes from")
        chosen = wanted or self._default(there)
        if chosen in there:
            return chosen
        if chosen:
            msg = f"{recipe.name} has no series {chosen!r}"
            near = suggestion(chosen, there) or f"it has {', '.join(there)}"
            raise UsageError(msg, where=recipe.name, hint=near)
        msg = f"{recipe.name} has several series, and none is the default: {', '.join(there)}"
        raise UsageError(msg, where=recipe.name, hint="name the one")

    def _default(self, there: Sequence[str]) -> str:
        if len(there) == 1:
            return there[0]
        return next((each for each in self.session.folder.default_series() if each in there), "")

    # ---- where to

    def _destination(self, former: str) -> Destination:
        """What the person's word for a version means.

        Raises:
            UsageError: there is none.
            SourceError: upstream has no such revision.
        """
        name, literal = self.literal.recipe.name, self.literal
        to = self.request.to
        if not to and self.candidates is not None:
            to = self.candidates.newest(self.request.name, former) or ""
        if not to:
            msg = f"to which version is {name} to move?"
            raise UsageError(msg, where=self.request.name, hint=advise(Remedy.MOVE_TO))
        plain = MovedSource(self.session, literal, former).described()
        if plain is None or not plain.has_revisions:
            return Destination(value=literal.value(to))
        if literal.word != "tag":
            revision = self.session.sources.revision(plain, to)
            return Destination(value=revision.commit, tag=revision.tag)
        tag = literal.tag(to)
        try:
            self.session.sources.revision(plain, tag)
        except SourceError as error:
            if self._is_commit(plain, to):
                msg = f"{name} names a tag, and this is a commit"
                hint = f"name a tag, or say `commit` in its place: {literal.at('')}"
                raise UsageError(msg, where=to, hint=hint) from error
            raise
        return Destination(value=literal.value(tag), tag=tag)

    def _is_commit(self, spec: SourceSpec, name: str) -> bool:
        with suppress(SourceError, UsageError):
            return not self.session.sources.revision(spec, name).tag
        return False

    # ---- edits

    def _edits(self) -> RecipeEdits:
        names = self.root.names()
        return RecipeEdits({file_of(name): self.root.recipe(name).data for name in sorted(names)})

    def _moved(self, former: str, to: Destination) -> PinMove:
        literal, series = self.literal, self.request.series
        source = MovedSource(self.session, literal, former)
        move = PinMove(self._edits(), self.request.values, partial(source.patches, to.value))
        if not literal.in_series and not series:
            move.in_recipe(literal, to)
        elif not literal.in_series:
            move.first_series(literal, series, former, to)
            self._default_series(former or series)
        elif series in {"", former}:
            move.in_series(literal, former, to)
        else:
            move.new_series(literal, series, former, to)
            self._family(move, series, former)
        return move

    def _default_series(self, series: str) -> None:
        """Let names alone mean what they meant, if nothing says yet what they mean."""
        if self.root.series() is None:
            self.created[SERIES_FILE] = f'default: ["{series}"]\n'.encode()

    def _family(self, move: PinMove, series: str, former: str) -> None:
        """Ask for the series in other recipes that the same recipes need."""
        own = self.root.names()
        recipes = family_lacking(self.session.folder, self.literal.recipe.name, former, series)
        for recipe in recipes:
            if recipe.name not in own:
                continue
            literal = literal_of(self.session.folder, recipe.name)
            said = self.request.values.get(f"{recipe.name}.{literal.variable}", "")
            resolved = {}
            if said and literal.in_series:
                other = _Update(
                    self.session, UpdateRequest(name=recipe.name, to=said), literal, self.root, None
                )
                resolved = {literal.variable: other._destination(former).value}
            move.other_series(recipe, series, former, resolved)

    def _dropped(self) -> PinMove:
        """The edits that take a series away.

        Raises:
            UsageError: there is no such series, or something else is asked for, too.
        """
        recipe, request = self.literal.recipe, self.request
        if request.series not in recipe.per_series or request.to or request.values:
            msg = "a series that is to go is named, and nothing else is"
            there = f"{recipe.name} has {', '.join(recipe.per_series) or 'no series'}"
            raise UsageError(msg, where=request.series or recipe.name, hint=there)
        own = self.root.names()
        family = family_with(self.session.folder, recipe.name, request.series)
        move = PinMove(self._edits(), {}, lambda _: PatchVerdict())
        move.without_series([each for each in family if each.name in own], request.series)
        return move

    def _refuse_asks(self, move: PinMove) -> None:
        """See that nothing is left to ask for.

        Raises:
            UsageError: something is; or something is said that nothing takes.
        """
        if move.vain:
            msg = f"nothing here takes a value called {', '.join(move.vain)}"
            known = (
                suggestion(move.vain[0], move.taken) or f"known: {', '.join(sorted(move.taken))}"
            )
            raise UsageError(msg, where=self.literal.recipe.name, hint=known)
        if move.asks:
            msg = "what follows from nothing has to be said"
            details = tuple(map(_ask_text, move.asks))
            names = " ".join(dict.fromkeys(f"{each.name}=…" for each in move.asks if each.name))
            hint = advise(Remedy.SAY.of(names)) if names else "change the recipes first"
            raise UsageError(msg, where=self.request.name, details=details, hint=hint)

    def _edited(self, edits: RecipeEdits) -> RecipeCollection:
        """The recipes after the edits.

        Raises:
            RecipeError: one that changed is not valid, or a default is of no series any more.
        """
        root = EditedRoot(self.root, {**edits.changed, **self.created})
        recipes = RecipeCollection((root, *self.session.folder.roots[1:]))
        for path in edits.changed:
            recipes.file(path.partition("/")[0])
        recipes.series.refuse_vain_defaults()
        return recipes

    # ---- what changed

    def _view(  # noqa: PLR0913, PLR0917 - all that a view is made of
        self,
        move: PinMove,
        result: LockResult,
        recipes: RecipeCollection,
        former: str,
        series: str,
        to: Destination,
    ) -> UpdateView:
        literal, dropped = self.literal, self.request.drop
        pair = (former, series) if literal.in_series and not dropped else ("", "")
        old = whole_side(self.session, "old", self._old_lock(), self.root).side
        new = whole_side(self.session, "new", result.new, recipes.roots[0]).side
        was = self.request.series if dropped else former
        edits = move.edits
        files: dict[str, tuple[bytes | None, bytes]] = {
            f"{_RECIPES}/{path}": (edits.before[path], data) for path, data in edits.changed.items()
        }
        files |= {f"{_RECIPES}/{path}": (None, data) for path, data in self.created.items()}
        return UpdateView(
            moved=literal.recipe.name,
            variable=literal.variable,
            old=literal.text(was if literal.in_series else ""),
            new=to.value,
            old_series=pair[0],
            series=pair[1],
            diff=difference(old, new, pair),
            left_out=tuple(move.left_out),
            lock=result,
            files=files,
            project=str(self.session.workspace.project),
        )

    def _old_lock(self) -> Lock:
        path = self.session.workspace.locks[0]
        data = project_lock(path)
        return Lock() if data is None else locked_text(data, near_path(path), partly=True)


def _ask_text(ask: Ask) -> str:
    name = f"{ask.name}: " if ask.name else ""
    return f"{ask.where}: {name}{ask.why}"
