"""`rvbuild lock`: finds out what recipes are pinned to.

Knows: which facts a lock holds, that each is found once, and when an old one still stands.
Must not know: registries, how trees are made. The only part of rvbuild that resolves.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, field

from rvbuild.core.agreement import set_contradiction, source_contradiction
from rvbuild.core.errors import LockError
from rvbuild.core.lock import (
    GoModuleSet,
    Lock,
    LockedSource,
    PinValue,
    modules_key,
    source_key,
)
from rvbuild.core.names import PinRef, SourceRef
from rvbuild.core.pinned import OpenQuestions, Recipes, described, git_fact
from rvbuild.core.recipe import GoModulesSpec, Reading, Recipe
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec
from rvbuild.core.spec_text import spec_text
from rvbuild.engine.go_list import Import
from rvbuild.engine.go_modules import Imports, User, all_modules, asked, shared_modules, with_go_sum
from rvbuild.engine.pins import pin_value
from rvbuild.engine.source_files import SourceFiles, SourceTrees
from rvbuild.engine.sources import Registries, SourceFinder


def _nobody_tells(recipe: Recipe, spec: GoModulesSpec) -> set[Import]:
    msg = f"nobody can tell what the packages of {recipe.name} import"
    raise LockError(msg, where=spec.where)


@define
class Resolver:
    """Answers as core.pinned.Pinned does, and keeps each answer for the new lock.

    Attributes:
        recipes: Reads recipes by name.
        registries: The outside.
        trees: Sources' content.
        imports: What packages import.
        build_arch: The build machine's architecture.
        old: The lock so far; what it says of the same description stands.
        shipped: Of that, what came with rvbuild, which serves what nothing here changes.
        own: The recipes that did not come with rvbuild.
    """

    recipes: Recipes
    registries: Registries
    trees: SourceTrees
    build_arch: str
    old: Lock
    shipped: Lock = field(factory=Lock)
    own: frozenset[str] = frozenset()
    imports: Imports = _nobody_tells
    pins: dict[str, PinValue] = field(factory=dict, init=False)
    sources: dict[str, LockedSource] = field(factory=dict, init=False)
    go_modules: dict[str, GoModuleSet] = field(factory=dict, init=False)
    _wanted: dict[str, list[User]] = field(factory=dict, init=False)
    _open: OpenQuestions = field(factory=OpenQuestions, init=False)
    _standing: dict[str, bool] = field(factory=dict, init=False)
    _files: SourceFiles = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._files = SourceFiles(self.recipes, self, self.trees)

    def lock(
        self,
        recipes: Iterable[Recipe],
        others: Iterable[Recipe] = (),
        shipped: Iterable[Recipe] = (),
    ) -> Lock:
        """Resolve all of ``recipes``, and what was read from a source that is another now.

        Args:
            recipes: What to resolve.
            others: Further recipes. They share sets of Go modules with ``recipes``, and are
                resolved if a lock has them as they were read from what changed.
            shipped: The same, but who is not resolved shares nothing: the shipped lock has it.
        """
        sharing = {recipe.name: recipe for recipe in (*recipes, *others)}
        waiting = {recipe.name: recipe for recipe in (*others, *shipped)}
        found: dict[str, Recipe] = {}
        fresh = {recipe.name: recipe for recipe in recipes}
        while fresh:
            found |= fresh
            for recipe in fresh.values():
                waiting.pop(recipe.name, None)
                self._pins_and_sources(recipe)
            fresh = {name: other for name, other in waiting.items() if self._is_stale(other)}
        for recipe in (sharing | found).values():
            if recipe.go_modules is not None:
                key = self._modules_key(recipe, recipe.go_modules)
                self._wanted.setdefault(key, []).append((recipe, recipe.go_modules))
        for recipe in found.values():
            if recipe.go_modules is not None:
                self.modules(recipe, recipe.go_modules)
        return Lock(pins=self.pins, sources=self.sources, go_modules=self.go_modules)

    def _stands(self, recipe: Recipe) -> bool:
        """Whether what the shipped lock has of a recipe's pins was read from what there is now."""
        if recipe.name not in self._standing:
            known = recipe.name not in self.own and self.shipped.has(recipe)
            self._standing[recipe.name] = known and all(
                self._source_stands(recipe, *self._files.named(recipe, name, where))
                for name, where in recipe.reads()
            )
        return self._standing[recipe.name]

    def _source_stands(self, reader: Recipe, owner: Recipe, name: str) -> bool:
        if owner.name == reader.name:
            return True
        if not self._stands(owner):
            self.source(owner, name)
            return self._as_in(self.shipped, owner, name)
        key = source_key(owner.name, name, owner.sources[name].spec, self.build_arch)
        return self.old.sources.get(key) == self.shipped.sources.get(key)

    def _is_stale(self, recipe: Recipe) -> bool:
        """Whether a lock has the recipe, and a source that it reads is another now."""
        locks = [lock for lock in (self.old, self.shipped) if lock.has(recipe)]
        if not locks:  # it need not even be right
            return False
        read = [self._files.named(recipe, name, where) for name, where in recipe.reads()]
        return any(not self._as_in(lock, *source) for lock in locks for source in read)

    def _as_in(self, lock: Lock, owner: Recipe, name: str) -> bool:
        """Whether a source is what it is in a lock, as far as it was looked at."""
        key = source_key(owner.name, name, owner.sources[name].spec, self.build_arch)
        found, held = self.sources.get(key), lock.sources.get(key)
        return found is None or (held is not None and held.parts == found.parts)

    def _pins_and_sources(self, recipe: Recipe) -> None:
        for name in recipe.all_pins:
            self.pin(recipe, name)
        for name, use in recipe.sources.items():
            self._files.source(recipe, name, use.where)

    def pin(self, recipe: Recipe, name: str) -> str:
        """The value of a pin."""
        pin = recipe.all_pins[name]
        if isinstance(pin, str):
            return pin
        if isinstance(pin, Reading) and pin.reader == "git":
            return git_fact(self._files.source(recipe, pin.source, pin.where)[0], pin)
        key = str(PinRef(recipe.name, name))
        if key not in self.pins and key in self.shipped.pins and self._stands(recipe):
            self.pins[key] = self.shipped.pins[key]
        if key not in self.pins:
            with self._open.asking(f"pin {key}", pin.where):
                self.pins[key] = pin_value(self._files, recipe, name, pin)
        return self.pins[key].value

    def source(self, recipe: Recipe, name: str) -> tuple[Source, ...]:
        """The parts of one of the recipe's own sources."""
        use = recipe.sources[name]
        key = source_key(recipe.name, name, use.spec, self.build_arch)
        if key not in self.sources:
            with self._open.asking(f"source {key}", use.where):
                spec = described(recipe, name, self, self.build_arch)
                text = spec_text(spec)
                held = self.old.sources.get(key)
                if held is None or held.spec != text or self._is_no_answer(key, spec, held):
                    finder = SourceFinder(self.registries, self._files, self.build_arch)
                    held = LockedSource(spec=text, parts=finder.parts(recipe, spec, use.where))
                self.sources[key] = held
        return self.sources[key].parts

    def _is_no_answer(self, key: str, spec: SourceSpec, held: LockedSource) -> bool:
        """Whether what a lock has for the same description cannot be so, or not any more."""
        if spec.volatile:
            return True
        return source_contradiction(spec, held.parts, SourceRef.parse(key).machine) is not None

    def modules(self, recipe: Recipe, spec: GoModulesSpec) -> GoModuleSet:
        """The modules that all users of a source's module need together.

        Who asks for everything (no ``packages``) beside those users, to see what packages
        import, gets all of go.sum, and the lock does not hold it.
        """
        key = self._modules_key(recipe, spec)
        users = self._wanted.get(key, [(recipe, spec)])
        if not spec.packages and all(wanted.packages for _, wanted in users):
            return all_modules(self._files, recipe, spec)
        if key not in self.go_modules:
            with self._open.asking(f"modules {key}", spec.where):
                held = self.old.go_modules.get(key)
                if held is not None:
                    held = with_go_sum(self._files, recipe, spec, held)
                stands = held is not None and held.specs == asked(users)
                if held is None or not stands or not self._unchanged(recipe, spec, held):
                    held = shared_modules(self._files, users, self.imports)
                self.go_modules[key] = held
        return self.go_modules[key]

    def _modules_key(self, recipe: Recipe, spec: GoModulesSpec) -> str:
        owner, name = self._files.named(recipe, spec.source, spec.where)
        return modules_key(owner.name, name, spec.directory)

    def _unchanged(self, recipe: Recipe, spec: GoModulesSpec, held: GoModuleSet) -> bool:
        """Whether the set can be one, and the source is what it was for the old lock."""
        if set_contradiction(held.modules, held.go_sum) is not None:
            return False
        owner, name = self._files.named(recipe, spec.source, spec.where)
        self.source(owner, name)
        return self._as_in(self.old, owner, name)
