"""`rvbuild lock`: questions about recipes, their answers, and what each was read from.

Knows: which questions there are, and when an earlier answer stands. Must not know: kinds of
sources, registries, how trees are made. The only part of rvbuild that resolves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from attrs import define, evolve, field

from rvbuild.core.agreement import set_contradiction, source_contradiction
from rvbuild.core.errors import RecipeError, UsageError
from rvbuild.core.lock import (
    GoModuleSet,
    Lock,
    LockedSource,
    PinValue,
    modules_key,
    source_key,
)
from rvbuild.core.names import PinRef, SetRef, SourceRef
from rvbuild.core.pinned import (
    OpenQuestions,
    Recipes,
    described,
    git_fact,
    go_reads,
    pin_misfit,
    pin_reads,
    set_reads,
    source_reads,
)
from rvbuild.core.place import Place
from rvbuild.core.recipe import GoModulesSpec, Ladder, Reading, Recipe
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec
from rvbuild.core.spec_text import spec_text
from rvbuild.core.trace import Reads, Trace, content_digest, moved, question
from rvbuild.engine.go_modules import (
    Imports,
    User,
    all_modules,
    asked,
    needed_by,
    with_go_sum,
)
from rvbuild.engine.pins import pin_value
from rvbuild.engine.source_files import SourceFiles, SourceTrees
from rvbuild.engine.sources import Registries, SourceFinder


@define
class Resolver:
    """Answers as core.pinned.Pinned does, and keeps each answer for the new lock.

    A question is what a pin, a source, or a set of Go modules is. Its trace is each source that
    was read to answer it, with a digest of the content.

    Rules:

    1. Each question is answered once.
    2. An answer of an earlier lock stands if its description is today's, it can be an answer
       (core.agreement), its kind does not change by itself (a folder does), its trace names what
       the recipe's names mean today, and each source of it is today what it was then.
    3. The project's own lock is looked at before the shipped one.
    4. Where no answer stands, the question is asked again, and has a new trace.
    5. A run resolves a further recipe, too, if an earlier lock has an answer of it whose trace
       names a source that this run asked for, and that is another today. The same holds for a set
       of Go modules where ``go`` names other sources today.
    6. The trace of a set of Go modules names its source and the sources of ``go``. The toolbox,
       whose shell starts the go command, does not change what packages import.

    Example: ``k`` is a source, the pin ``mid/version`` is read in it, the source ``mid/mid`` has
    ``${version}`` in its URL, and ``end/version`` is read in that. ``k`` moves to a commit with
    another file but the same version. `rvbuild lock` asks for ``k`` (another description), reads
    ``mid/version`` (its trace does not hold) and finds the same value. So ``mid/mid`` has the
    same description and stands, and with it ``end/version``, which nobody reads again.

    Attributes:
        recipes: Reads recipes by name.
        registries: The outside.
        trees: Sources' content.
        imports: What packages import.
        build_arch: The build machine's architecture.
        earlier: Locks whose answers may stand, the project's own first.
    """

    recipes: Recipes
    registries: Registries
    trees: SourceTrees
    imports: Imports
    build_arch: str
    earlier: tuple[Lock, ...] = ()
    pins: dict[str, PinValue] = field(factory=dict, init=False)
    sources: dict[str, LockedSource] = field(factory=dict, init=False)
    go_modules: dict[str, GoModuleSet] = field(factory=dict, init=False)
    _users: dict[str, list[User]] = field(factory=dict, init=False)
    _whole: dict[str, GoModuleSet] = field(factory=dict, init=False)
    _digests: dict[str, str] = field(factory=dict, init=False)
    _open: OpenQuestions = field(factory=OpenQuestions, init=False)
    _readers: list[SourceFiles] = field(factory=list, init=False)

    def lock(
        self,
        recipes: Collection[Recipe],
        others: Collection[Recipe] = (),
        shipped: Collection[Recipe] = (),
    ) -> Lock:
        """Resolve all of ``recipes``, and what was read from a source that is another now.

        Args:
            recipes: What to resolve.
            others: Further recipes; see rule 5. They share sets of Go modules with ``recipes``.
            shipped: The same, by the last lock alone, and those that are not resolved share
                nothing: that lock serves them.
        """
        sharing = {recipe.name: recipe for recipe in (*recipes, *others)}
        groups = (others, self.earlier), (shipped, self.earlier[-1:])
        resolved: dict[str, Recipe] = {}
        fresh = {recipe.name: recipe for recipe in recipes}
        while fresh:
            resolved |= fresh
            for recipe in fresh.values():
                self._pins_and_sources(recipe)
            stale = (each for group, locks in groups for each in self._stale(group, locks))
            fresh = {recipe.name: recipe for recipe in stale if recipe.name not in resolved}
        for recipe in (sharing | resolved).values():
            if recipe.go_modules is not None:
                key = self._modules_key(recipe, recipe.go_modules)
                self._users.setdefault(key, []).append((recipe, recipe.go_modules))
        for recipe in resolved.values():
            if recipe.go_modules is not None:
                self.modules(recipe, recipe.go_modules)
        return Lock(pins=self.pins, sources=self.sources, go_modules=self.go_modules)

    def _pins_and_sources(self, recipe: Recipe) -> None:
        for name in recipe.all_pins:
            self.pin(recipe, name)
        for name, use in recipe.sources.items():
            owner, own = self._reader().named(recipe, name, use.where)
            self.source(owner, own)

    def _stale(self, recipes: Iterable[Recipe], locks: Iterable[Lock]) -> Iterator[Recipe]:
        """Those of which a lock has an answer that was read from what is another now."""
        names: set[str] = set()
        specs: set[str] = set()
        for lock in locks:
            names.update(PinRef.parse(k).recipe for k, e in lock.pins.items() if self._moved(e))
            names.update(
                SourceRef.parse(k).recipe for k, e in lock.sources.items() if self._moved(e)
            )
            specs.update(
                spec
                for key, entry in lock.go_modules.items()
                if self._moved(entry) or self._of_another_go(SetRef.parse(key), entry)
                for spec in entry.specs
            )
        for recipe in recipes:
            if recipe.name in names or (
                recipe.go_modules is not None and spec_text(recipe.go_modules) in specs
            ):
                yield recipe

    def _moved(self, entry: PinValue | LockedSource | GoModuleSet) -> bool:
        """Whether a source of its trace was asked for in this run, and is another now."""
        known = tuple(pair for pair in entry.trace or () if pair[0] in self._digests)
        return any(moved(known, self._digests.get))

    def _of_another_go(self, ref: SetRef, entry: GoModuleSet) -> bool:
        """Whether ``go`` names other sources than it named when the set was listed."""
        names = {asked for asked, _ in entry.trace or ()}
        listed = names - {question(ref.source)}
        if listed.isdisjoint(self._digests):  # nobody asked for `go` in this run
            return False
        try:
            return not listed <= go_reads(self.recipes) <= names
        except RecipeError:
            return False

    # ---- traces

    def _reader(self) -> SourceFiles:
        """Reads sources for the question that is open, or for nobody."""
        return self._readers[-1] if self._readers else self._new_reader()

    def _new_reader(self) -> SourceFiles:
        return SourceFiles(self.recipes, self, self.trees)

    @contextmanager
    def _asking(self, key: str, where: Place | None) -> Iterator[SourceFiles]:
        """While a question is open: what its answer is read with."""
        with self._open.asking(key, where):
            self._readers.append(self._new_reader())
            try:
                yield self._readers[-1]
            finally:
                self._readers.pop()

    def _trace(self, files: SourceFiles) -> Trace:
        return tuple((asked, self._digests[asked]) for asked in sorted(files.asked))

    def _holds(self, trace: Trace | None, reads: Reads) -> bool:
        """Whether a trace has the sources of today, and each is what it was then."""
        return reads.fit(trace) and not any(moved(trace, self._digest))

    def _digest(self, asked: str) -> str | None:
        """What a source is today; None if there is none of that name."""
        ref = SourceRef.parse(asked)
        try:
            recipe = self.recipes.recipe(ref.recipe)
            if ref.name in recipe.sources:
                self.source(recipe, ref.name)
        except (RecipeError, UsageError):  # the question itself is in error then: it says so
            return None
        return self._digests.get(asked)

    # ---- questions

    def pin(self, recipe: Recipe, name: str) -> str:
        """The value of a pin."""
        pin = recipe.all_pins[name]
        if isinstance(pin, str):
            return pin
        if isinstance(pin, Reading) and pin.reader == "git":
            return git_fact(self._reader().source(recipe, pin.source, pin.where)[0], pin)
        key = str(PinRef(recipe.name, name))
        if key not in self.pins:
            with self._asking(f"pin {key}", pin.where) as files:
                answer = self._earlier_pin(key, recipe, pin)
                if answer is None:
                    value = pin_value(files, recipe, name, pin)
                    answer = evolve(value, trace=self._trace(files))
                self.pins[key] = answer
        return self.pins[key].value

    def _earlier_pin(self, key: str, recipe: Recipe, pin: Reading | Ladder) -> PinValue | None:
        for lock in self.earlier:
            answer = lock.pins.get(key)
            if (
                answer is not None
                and answer.spec == spec_text(pin)
                and self._holds(answer.trace, pin_reads(self.recipes, recipe, pin))
                and pin_misfit(self.recipes, self, recipe, pin, answer) is None
            ):
                return answer
        return None

    def source(self, recipe: Recipe, name: str) -> tuple[Source, ...]:
        """The parts of one of the recipe's own sources."""
        use = recipe.sources[name]
        key = source_key(recipe.name, name, use.spec, self.build_arch)
        if key not in self.sources:
            ref = SourceRef.parse(key)
            with self._asking(f"source {key}", use.where) as files:
                spec = described(recipe, name, self, self.build_arch)
                answer = self._earlier_source(ref, recipe, spec)
                if answer is None:
                    finder = SourceFinder(self.registries, files, self.build_arch)
                    parts = finder.parts(recipe, spec, use.where)
                    trace = self._trace(files)
                    answer = LockedSource(spec=spec_text(spec), parts=parts, trace=trace)
            self.sources[key] = answer
            self._digests[question(ref)] = content_digest(ref, answer.spec, answer.parts)
        return self.sources[key].parts

    def _earlier_source(
        self, ref: SourceRef, recipe: Recipe, spec: SourceSpec
    ) -> LockedSource | None:
        if spec.volatile:
            return None
        reads = source_reads(self.recipes, recipe, spec, recipe.sources[ref.name].where)
        for lock in self.earlier:
            answer = lock.sources.get(str(ref))
            if (
                answer is not None
                and answer.spec == spec_text(spec)
                and source_contradiction(spec, answer.parts, ref.machine) is None
                and self._holds(answer.trace, reads)
            ):
                return answer
        return None

    def modules(self, recipe: Recipe, spec: GoModulesSpec) -> GoModuleSet:
        """The modules that all users of a source's module need together.

        Who asks for everything (no ``packages``) beside those users, to see what packages
        import, gets all of go.sum, and the lock does not hold it.
        """
        key = self._modules_key(recipe, spec)
        users = self._users.get(key, [(recipe, spec)])
        if not spec.packages and all(wanted.packages for _, wanted in users):
            return self._all_modules(key, recipe, spec)
        if key not in self.go_modules:
            with self._asking(f"modules {key}", spec.where) as files:
                answer = self._earlier_set(key, users)
                if answer is None:
                    files.source(recipe, spec.source, spec.where)
                    whole = self._all_modules(key, *users[0])
                    answer = needed_by(files, users, whole, self.imports)
                    answer = evolve(answer, trace=self._trace(files))
                self.go_modules[key] = answer
        return self.go_modules[key]

    def _all_modules(self, key: str, recipe: Recipe, spec: GoModulesSpec) -> GoModuleSet:
        """All of a go.sum, which is read once."""
        if key not in self._whole:
            self._whole[key] = all_modules(self._reader(), recipe, spec)
        return self._whole[key]

    def _earlier_set(self, key: str, users: list[User]) -> GoModuleSet | None:
        recipe, spec = users[0]
        for lock in self.earlier:
            answer = lock.go_modules.get(key)
            if answer is None or answer.specs != asked(users):
                continue
            listed = all(wanted.packages for _, wanted in users)
            reads = set_reads(self.recipes, recipe, spec, listed=listed)
            if not self._holds(answer.trace, reads):
                continue
            answer = with_go_sum(self._new_reader(), recipe, spec, answer)
            if set_contradiction(answer.modules, answer.go_sum) is None:
                return answer
        return None

    def _modules_key(self, recipe: Recipe, spec: GoModulesSpec) -> str:
        owner, name = self._reader().named(recipe, spec.source, spec.where)
        return modules_key(owner.name, name, spec.directory)
