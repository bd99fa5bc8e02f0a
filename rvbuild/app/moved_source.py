"""A source as it is once a value of its recipe moves, before anything is written.

Knows: how its description gets the value, and its files. Must not know: what is read in them.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from attrs import evolve, frozen

from rvbuild.app.pin_scope import own_names
from rvbuild.app.services import services_of
from rvbuild.app.session import Session
from rvbuild.app.source_outputs import SourceOutputs
from rvbuild.core.errors import LockError, SourceError
from rvbuild.core.patch_fit import ReadFile
from rvbuild.core.patches import Patch, patches_of_source
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
from rvbuild.release.patch_verdict import PatchVerdict, patch_verdict


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
            own = [(recipe, path) for path in patches_of_source(recipe, use.source, in_series)]
            is_lent = use.source == recipe.lent_source
            further = [_patches_for(user, recipe.base) for user in users.values() if is_lent]
            if own or further:
                parts = self._parts(value, use)
                read, took = self._reader(parts), partial(self._took, use, parts)
                for patches in ([], *further):
                    verdict = verdict.beside(patch_verdict(read, [*own, *patches], took))
        return verdict

    def _users(self) -> dict[str, Recipe]:
        """The project's recipes that have patches of their own for what this one lends."""
        base, names = self.pin.recipe.base, own_names(self.session)
        recipes = filter(None, map(self.session.folder.series.readable, names))
        return {user.base: user for user in recipes if _patches_for(user, base)}

    def _parts(self, value: str, use: PinUse) -> tuple[Source, ...]:
        spec = self.described(value, use)
        return () if spec is None else self.session.sources.resolve(spec, self.context)

    def _took(self, use: PinUse, parts: tuple[Source, ...], commits: frozenset[str]) -> bool:
        """Whether one of the commits came with the move; not if nobody can say it."""
        new = parts[0] if parts else None
        if new is None or not new.commit_facts:
            return False
        try:
            old = self.values.source(self.pin.recipe, use.source)[0]
            log = self.session.sources.log(old, new)
        except (LockError, SourceError):  # whether the patch stays is a person's to say then
            return False
        return any(each.commit in commits and not each.is_gone for each in log)

    def _reader(self, parts: tuple[Source, ...]) -> ReadFile:
        session = self.session
        outputs = SourceOutputs(services_of(session), session.jobs())
        trees = [outputs.nested(outputs.root(part)) for part in parts]

        def read(path: str) -> bytes | None:
            nodes = (file_at(tree, path) for tree in trees)
            node = next(filter(None, nodes), None)
            return None if node is None else outputs.read(node.digest)

        return read


def _patches_for(user: Recipe, lender: str) -> list[Patch]:
    """The patches that a recipe has for a source of another one."""
    return [
        (user, path)
        for use in user.sources.values()
        if isinstance(use.spec, FromSpec) and use.spec.recipe == lender
        for path in use.patches
    ]


def _attribute(spec: SourceSpec, word: str) -> str:
    """The attribute of a description that one of its keys gives."""
    return next(each.attribute for each in keys(type(spec)) if each.word == word)


def _without_followers(spec: SourceSpec, use: PinUse) -> SourceSpec:
    """A description without the words that are of the version from before."""
    words = set(FOLLOWERS) - {use.word}
    changes = {each.attribute: "" for each in keys(type(spec)) if each.word in words}
    return evolve(spec, **changes)
