"""What stands instead of upstream's values, where a move leaves the value that it was decided for.

Knows: which overrides a move may reach. Must not know: how they are edited, or found to have ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from attrs import field, frozen

from rvbuild.app.lock import LockResult
from rvbuild.app.pin_scope import own_names
from rvbuild.app.session import Session
from rvbuild.app.update_plan import edited_recipes
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import OverrideEnded, RvbuildError, each_once, single_failures
from rvbuild.core.pin_step import FactStep
from rvbuild.core.place import Place
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.recipe_edits import RecipeEdits
from rvbuild.recipes_yaml.recipe_layout import KeyPath
from rvbuild.release.ask import Ask
from rvbuild.release.move import PinMove, file_of
from rvbuild.release.override_place import WHILE, OverridePlace, override_places


@frozen
class MovedOverrides:
    """The overrides of the project's own recipes that a move may reach.

    One that stands beside the value is of all series that its recipe has: a move of one of several
    does not reach it.

    Attributes:
        session: The run, with the recipes as they are.
        series: The series that moves; empty: each.
        created: See `UpdatePlan`.
    """

    session: Session
    series: str = ""
    created: Mapping[str, bytes] = field(factory=dict)

    def decide(self, move: PinMove) -> None:
        """Change those of which the person says something."""
        decided = set[KeyPath]()
        while any(name.endswith(f".{WHILE}") for name in move.said):
            # where one goes, the keys of others may be others
            places = self._places(move.edits)
            undecided = (each for each in places if (each.recipe.base, *each.key) not in decided)
            changed = next((each for each in undecided if _decided(move, each)), None)
            if changed is None:
                return
            decided.add((changed.recipe.base, *changed.key))

    def are_after(self, edits: RecipeEdits) -> bool:
        """Whether there are any."""
        return bool(self._places(edits))

    def ask(self, move: PinMove, result: LockResult) -> None:
        """Ask for those of which upstream has another value now."""
        for place, end in self._ends(move.edits, result):
            move.asks.append(_ask(place, end.upstream, self._where(place)))

    def advise(self, edits: RecipeEdits, result: LockResult) -> None:
        """Add to each end how it is decided again together with the move."""
        for place, end in self._ends(edits, result):
            said = Remedy.SAY.of(f"{place.name}={end.upstream}")
            end.hint = advise(end.hint or "", ", or with the move: ", said)

    def _ends(
        self, edits: RecipeEdits, result: LockResult
    ) -> Iterator[tuple[OverridePlace, OverrideEnded]]:
        """Those of which upstream has another value now, and the errors that say so."""
        failures = each_once(single_failures(result.failures.values()))
        ends = [each for each in failures if isinstance(each, OverrideEnded) and each.upstream]
        for place in self._places(edits) if ends else ():
            yield from ((place, end) for end in ends if end.where == place.override.where)

    def _places(self, edits: RecipeEdits) -> list[OverridePlace]:
        """Those after edits."""
        recipes = edited_recipes(self.session, edits, self.created)
        readable = filter(None, map(recipes.series.readable, own_names(self.session)))
        return [each for each in override_places(readable) if self._reaches(recipes, each)]

    def _reaches(self, recipes: RecipeCollection, place: OverridePlace) -> bool:
        if not self.series or place.series:
            return not self.series or place.series == self.series
        with suppress(RvbuildError):  # whoever reads it says what is wrong
            variants = recipes.series.every(place.recipe.base)
            return all(each.series in {"", self.series} for each in variants)
        return False

    def _where(self, place: OverridePlace) -> Place:
        """Its place as the files are; of a series that is new, that of another with the same."""
        recipe = self.session.folder.series.readable(place.recipe.base)
        same = [each for each in override_places([recipe] if recipe else ()) if each.of == place.of]
        same.sort(key=lambda each: each.series != place.series)
        return next(
            (each.override.where for each in same if each.override.where), place.recipe.at("")
        )


def _decided(move: PinMove, place: OverridePlace) -> bool:
    """Whether the person says for which of upstream's values an override is; the edit is made."""
    if place.name not in move.said:
        return False
    move.taken.add(place.name)
    file, upstream = file_of(place.recipe.base), move.said[place.name]
    if place.is_of_literal:  # no lock has it, and so no difference of locks
        move.facts.append(_fact(place, upstream))
    if upstream:
        move.edits = move.edits.set_text(file, (*place.key, WHILE), upstream)
    else:
        move.edits = move.edits.remove_entry(file, place.alone)
    return True


def _fact(place: OverridePlace, upstream: str) -> FactStep:
    override = place.override
    if upstream:
        return FactStep(name=place.name, old=override.upstream, new=upstream)
    return FactStep(name=f"instead of {place.of}", old=override.value, new="")


def _ask(place: OverridePlace, upstream: str, where: Place) -> Ask:
    override = place.override
    why = (
        f"upstream has {upstream} now, and {override.value} is for {override.upstream} "
        f"({override.explanation}): {upstream} to keep it, empty to drop it"
    )
    return Ask(name=place.name, where=where, why=why)
