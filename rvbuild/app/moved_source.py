"""A source as it is once a value of its recipe moves, before anything is written.

Knows: how its description gets the value, and its files. Must not know: what is read in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial

from attrs import evolve, frozen

from rvbuild.app.pin_scope import own_names
from rvbuild.app.services import services_of
from rvbuild.app.session import Session
from rvbuild.app.source_outputs import SourceOutputs
from rvbuild.core.errors import LockError, SourceError
from rvbuild.core.patch_fit import ReadFile
from rvbuild.core.patches import patches_of_source
from rvbuild.core.pinned import described
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.recipe import FromSpec, Recipe
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec
from rvbuild.core.tree import file_at
from rvbuild.kinds.declaration import keys
from rvbuild.release.literal_pin import LiteralPin, PinUse, source_text
from rvbuild.release.locked_values import LockedValues
from rvbuild.release.move import FOLLOWERS
from rvbuild.release.patch_verdict import PatchUse, PatchVerdict, SourceMove, patch_verdict


@frozen
class MovedSource:
    """The source that a value chooses.

    Attributes:
        session: The run.
        pin: The value as it is.
        values: What recipes and the lock have.
    """

    session: Session
    pin: LiteralPin
    values: LockedValues

    @property
    def context(self) -> ResolveContext:
        """How its upstream is asked; no file of another source is read."""
        recipe = self.pin.recipe
        return ResolveContext(
            build_arch=self.values.build_arch,
            folder=recipe.folder,
            where=recipe.at("sources"),
            read=lambda *_: b"",
        )

    def described(self, value: str | None = None, use: PinUse | None = None) -> SourceSpec | None:
        """A description, with the values that the recipe and the lock say; None: there is none.

        Args:
            value: What the value is to be, which stands beside the description; None: what it is.
            use: The source; None: the one whose upstream is asked.

        Raises:
            LockError: it needs a value that is not locked.
            RecipeError: it needs one that the recipe has not.
        """
        use = use or self.pin.chief
        if use is None:
            return None
        pin, values = self.pin, self.values
        moved = {} if value is None else {pin.variable: value}
        spec = described(pin.recipe, use.source, values, values.build_arch, moved)
        if value is None:
            return spec
        if pin.is_in_source:
            spec = evolve(spec, **{_attribute(spec, pin.variable): value})
        return _without_followers(spec, use)

    def others(self, value: str) -> dict[str, str]:
        """The commits of tags in the other repositories that the value chooses, by source."""
        commits: dict[str, str] = {}
        for use in self.pin.uses:
            spec = None if use == self.pin.chief else self.described(value, use)
            if spec is None or not spec.has_revisions or not source_text(use.spec, "commit"):
                continue
            with suppress(SourceError):  # a person may know it
                revision = self.session.sources.revision(spec, source_text(spec, use.word))
                commits[use.source] = revision.commit
        return commits

    def patches(self, value: str, in_series: tuple[str, ...]) -> PatchVerdict:
        """What becomes of the patches of the sources that the value chooses.

        A source that somebody patches is fetched for that.

        Args:
            value: What the value is to be.
            in_series: The patches that the series is to have.
        """
        recipe, users = self.pin.recipe, self._users()
        verdict = PatchVerdict(users=users)
        for use in self.pin.uses:
            files = patches_of_source(recipe, use.source, in_series)
            own = [*_patches(recipe, use.source, files)]
            is_lent = use.source == recipe.lent_source
            further = [[*_patches_for(each, recipe.base)] for each in users.values() if is_lent]
            if own or further:
                move = self._move(value, use)
                for patches in ([], *further):
                    verdict = verdict.beside(patch_verdict(move, [*own, *patches]))
        return verdict

    def _users(self) -> dict[str, Recipe]:
        """The project's recipes that have patches of their own for what this one lends."""
        base, names = self.pin.recipe.base, own_names(self.session)
        recipes = filter(None, map(self.session.folder.series.readable, names))
        return {user.base: user for user in recipes if any(_patches_for(user, base))}

    def _move(self, value: str, use: PinUse) -> SourceMove:
        spec = self.described(value, use)
        new = () if spec is None else self.session.sources.resolve(spec, self.context)
        old: tuple[Source, ...] = ()
        with suppress(LockError):  # what it was nobody knows
            old = self.values.source(self.pin.recipe, use.source)
        return SourceMove(
            old=self._reader(old) if old else None,
            new=self._reader(new),
            new_commits=partial(self._new_commits, old, new),
        )

    def _new_commits(
        self, old: tuple[Source, ...], new: tuple[Source, ...], commits: frozenset[str]
    ) -> frozenset[str]:
        """Those of the commits that came with the move; none if nobody can say it."""
        if not (commits and old and new and new[0].commit_facts):
            return frozenset()
        with suppress(SourceError):  # whether the patch stays is a person's to say then
            log = self.session.sources.log(old[0], new[0])
            return commits & {each.commit for each in log if not each.is_gone}
        return frozenset()

    def _reader(self, parts: tuple[Source, ...]) -> ReadFile:
        outputs = SourceOutputs(services_of(self.session), self.session.jobs())

        def read(path: str) -> bytes | None:
            trees = (outputs.nested(outputs.root(part)) for part in parts)
            node = next(filter(None, (file_at(tree, path) for tree in trees)), None)
            return None if node is None else outputs.read(node.digest)

        return read


def _patches(recipe: Recipe, source: str, files: Iterable[str]) -> Iterator[tuple[PatchUse, bytes]]:
    """Patches with their content; of a file that is missing, whoever reads the recipe says it."""
    contents = {file: data for file, data, _ in recipe.files}
    for file in files:
        if file in contents:
            yield PatchUse(recipe.base, source, file), contents[file]


def _patches_for(user: Recipe, lender: str) -> Iterator[tuple[PatchUse, bytes]]:
    """The patches that a recipe has for a source of another one."""
    for source, use in user.sources.items():
        if isinstance(use.spec, FromSpec) and use.spec.recipe == lender:
            yield from _patches(user, source, use.patches)


def _attribute(spec: SourceSpec, word: str) -> str:
    """The attribute of a description that one of its keys gives."""
    return next(each.attribute for each in keys(type(spec)) if each.word == word)


def _without_followers(spec: SourceSpec, use: PinUse) -> SourceSpec:
    """A description without the words that are of the version from before."""
    words = set(FOLLOWERS) - {use.word}
    changes = {each.attribute: "" for each in keys(type(spec)) if each.word in words}
    return evolve(spec, **changes)
