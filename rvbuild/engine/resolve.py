"""`rvbuild lock`: questions about recipes, their answers, and what each was read from.

Knows: which questions there are, and when an earlier answer stands. Must not know: kinds of
sources but Go's sets of modules (ADR 3), registries, how trees are made. The only part of
rvbuild that resolves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress

from attrs import define, evolve, field

from rvbuild.core.errors import RecipeError, RvbuildError, leaves_others_whole, single_failures
from rvbuild.core.go_command import go_reads
from rvbuild.core.lock import AnyEntry, Entry, GoModuleSet, Lock, LockedSource, PinValue, source_ref
from rvbuild.core.names import AnyRef, PinRef, SetRef, SourceRef
from rvbuild.core.pinned import Recipes, described, git_fact
from rvbuild.core.place import Place
from rvbuild.core.question import (
    OpenQuestions,
    Question,
    User,
    pin_question,
    set_question,
    set_ref,
    source_question,
)
from rvbuild.core.recipe import GoModulesSpec, Reading, Recipe
from rvbuild.core.source import Source
from rvbuild.core.spec_text import spec_text
from rvbuild.core.trace import Trace, content_digest, moved
from rvbuild.engine.go_instead import (
    ChangedModules,
    asked_again,
    nothing_changed,
    overridden_set,
    refuse_ended,
    upstream_modules,
)
from rvbuild.engine.go_modules import (
    NeededModules,
    all_modules,
    asked,
    is_listed,
    needed_by,
    with_go_sum,
)
from rvbuild.engine.override_ends import OverrideEnds
from rvbuild.engine.pins import pin_value
from rvbuild.engine.source_files import SourceFiles, SourceTrees
from rvbuild.engine.sources import Registries, SourceFinder


@define
class Resolver:
    """Answers as core.pinned.Pinned does, and keeps each answer for the new lock.

    Rules of a run:

    1. It asks each question (`core.question`) once.
    2. An entry of an earlier lock is the answer if the question takes it. The project's own lock
       comes first, then the shipped one. A source whose kind changes by itself, which is a
       folder, is looked at in each run, and so is one that is to be renewed. A set of Go modules
       must have been made for just the descriptions of today's users.
    3. Else it asks the outside. The new entry's trace names what was read for the answer.
    4. A recipe that the run was not asked for is resolved too, if an entry of it was read from a
       source that this run asked for, and that is another now. The same holds for a listed set
       of Go modules (rule 6) if this run asked for a source of its go command, which has other
       sources now. No other source is looked at.
    5. A set of Go modules is made for all recipes of the project that use it together. A shipped
       recipe shares it only if the run resolves that recipe; else the shipped lock has its set.
    6. If each user of a set names packages, ``go list`` says which modules they need: the set
       is listed. Its trace names its source and those of each user's go command. It does not name
       those of the toolbox, whose shell starts the go command: they do not change what packages
       import. If a user names none, the set is all that the module's graph needs of go.sum, and
       its trace names its source alone.
    7. What is wrong with a recipe, or with what it asks for (a source cannot be had, a pin is not
       there), is the error of the run. If the caller has a place for it (``failures``), it fails
       that recipe, and each that asks for the same. A question without an answer is not asked
       again either, and the answers to others stand. A recipe that cannot say which set of Go
       modules it uses has no part in any.
    8. Overrides that have ended are told together: the run asks all else before they stop it.
    9. A sum of Go's that nobody vouched for yet is asked about in each run; the entry stands.

    Example: ``k`` is a source. The pin ``mid/version`` is read in it. The source ``mid/mid`` has
    ``${version}`` in its URL, and the pin ``end/version`` is read in ``mid/mid``. Somebody moves
    ``k`` to another commit, in which the version is the same, and runs `rvbuild lock k`. The run
    asks for ``k``: its description is another one (rule 3). It resolves ``mid``, whose pin was
    read from ``k`` (rule 4), and finds the same version. So ``mid/mid`` has the same description
    and content (rule 2), and nobody looks at ``end``.

    Attributes:
        recipes: Reads recipes by name.
        registries: The outside.
        trees: Sources' content.
        needed: Which modules packages need.
        changed: The same where others stand instead of what go.mod says.
        build_arch: The build machine's architecture.
        earlier: Locks whose answers may stand, the project's own first.
        renewed: The sources, on any machine, whose answers do not stand.
        failures: Gets what is wrong with each recipe that cannot be resolved, by name.
        today: YYYY-MM-DD: overrides that were until an earlier day stop the run; empty: none does.
        resolved: What `lock` resolved, by name: the recipes that it was asked for, and those of
            rule 4.
    """

    recipes: Recipes
    registries: Registries
    trees: SourceTrees
    needed: NeededModules
    build_arch: str
    earlier: tuple[Lock, ...] = ()
    renewed: Collection[SourceRef] = ()
    failures: dict[str, RvbuildError] | None = None
    today: str = ""
    changed: ChangedModules = nothing_changed
    resolved: dict[str, Recipe] = field(factory=dict, init=False)
    pins: dict[PinRef, PinValue] = field(factory=dict, init=False)
    sources: dict[SourceRef, LockedSource] = field(factory=dict, init=False)
    go_modules: dict[SetRef, GoModuleSet] = field(factory=dict, init=False)
    _users: dict[SetRef, list[User]] = field(factory=dict, init=False)
    _digests: dict[SourceRef, str] = field(factory=dict, init=False)
    _open: OpenQuestions = field(factory=OpenQuestions, init=False)
    _unanswered: dict[str, RvbuildError] = field(factory=dict, init=False)
    _readers: list[SourceFiles] = field(factory=list, init=False)
    _ends: OverrideEnds = field(factory=OverrideEnds, init=False)

    def lock(
        self,
        recipes: Collection[Recipe],
        project: Collection[Recipe] = (),
        shipped: Collection[Recipe] = (),
    ) -> Lock:
        """The entries of ``recipes``, and of what rules 4 and 5 add.

        Args:
            recipes: What to resolve.
            project: All recipes that an entry of an earlier lock may be of.
            shipped: The recipes that came with rvbuild; the last of the earlier locks is theirs.
        """
        sharing = {recipe.name: recipe for recipe in (*recipes, *project)}
        groups = (project, self.earlier), (shipped, self.earlier[-1:])
        resolved = self.resolved
        fresh = {recipe.name: recipe for recipe in recipes}
        while fresh:
            resolved |= fresh
            for recipe in fresh.values():
                with self._of(recipe):
                    self._pins_and_sources(recipe)
            stale = (each for group, locks in groups for each in self._stale([*group], locks))
            fresh = {recipe.name: recipe for recipe in stale if recipe.name not in resolved}
        for recipe in (sharing | resolved).values():
            with self._of(recipe) if recipe.name in resolved else suppress(RecipeError):
                self._use_modules(recipe)
        for recipe in resolved.values():
            if recipe.go_modules is not None:
                with self._of(recipe), self._ends.apart(recipe.name):
                    self.modules(recipe, recipe.go_modules)
        self._ends.refuse() if self.failures is None else self._ends.put(self.failures)
        return Lock(pins=self.pins, sources=self.sources, go_modules=self.go_modules)

    @contextmanager
    def _of(self, recipe: Recipe) -> Iterator[None]:
        """While a recipe is resolved; see rule 7."""
        try:
            yield
        except RvbuildError as error:
            if self.failures is None and self._ends:
                self._ends.refuse(*single_failures([error]))
            if self.failures is None or not leaves_others_whole(error):
                raise
            self.failures.setdefault(recipe.name, error)

    def _use_modules(self, recipe: Recipe) -> None:
        if recipe.go_modules is not None:
            ref = set_ref(self.recipes, recipe, recipe.go_modules)
            self._users.setdefault(ref, []).append((recipe, recipe.go_modules))

    def _pins_and_sources(self, recipe: Recipe) -> None:
        for name in recipe.all_pins:
            with self._ends.apart(recipe.name):
                self.pin(recipe, name)
        for name, use in recipe.sources.items():
            owner, own = self._reader().named(recipe, name, use.where)
            with self._ends.apart(recipe.name):
                self.source(owner, own)

    def _stale(self, recipes: Collection[Recipe], locks: Iterable[Lock]) -> Iterator[Recipe]:
        """Those of which a lock has an answer that was read from what is another now."""
        names: set[str] = set()
        specs: set[str] = set()
        for lock in locks:
            names.update(ref.recipe for ref, e in lock.pins.items() if self._moved(e))
            names.update(ref.recipe for ref, e in lock.sources.items() if self._moved(e))
            specs.update(
                spec
                for ref, entry in lock.go_modules.items()
                if self._moved(entry) or self._of_another_go(ref, entry, recipes)
                for spec in entry.specs
            )
        for recipe in recipes:
            if recipe.name in names or (
                recipe.go_modules is not None and spec_text(recipe.go_modules) in specs
            ):
                yield recipe

    def _moved(self, entry: Entry) -> bool:
        """Whether a source of its trace was asked for in this run, and is another now."""
        known = tuple(pair for pair in entry.trace or () if pair[0] in self._digests)
        return any(moved(known, self._digests.get))

    def _of_another_go(self, ref: SetRef, entry: GoModuleSet, recipes: Collection[Recipe]) -> bool:
        """Whether its users' go command has other sources than it had when the set was listed."""
        names = {asked for asked, _ in entry.trace or ()}
        if names <= {ref.source}:  # nothing was listed
            return False
        sources: set[SourceRef] = set()
        for user in recipes:
            spec = user.go_modules
            if spec is None or spec_text(spec) not in entry.specs:
                continue
            try:
                if set_ref(self.recipes, user, spec) == ref:
                    sources |= go_reads(self.recipes, user, spec.where)
            except RecipeError:  # whoever needs that user says so
                return False
        if (names | sources).isdisjoint(self._digests.keys() - {ref.source}):
            return False  # nobody asked for the go command in this run
        return names | {ref.source} != sources | {ref.source}

    # ---- traces

    def _reader(self) -> SourceFiles:
        """Reads sources for the question that is open, or for nobody."""
        return self._readers[-1] if self._readers else self._new_reader()

    def _new_reader(self) -> SourceFiles:
        return SourceFiles(self.recipes, self, self.trees)

    @contextmanager
    def _asking(self, key: str, where: Place | None) -> Iterator[SourceFiles]:
        """While a question is open: what its answer is read with."""
        if key in self._unanswered:
            raise self._unanswered[key]
        with self._open.asking(key, where):
            self._readers.append(self._new_reader())
            try:
                yield self._readers[-1]
            except RvbuildError as error:
                self._unanswered[key] = error
                raise
            finally:
                self._readers.pop()

    def _trace(self, files: SourceFiles) -> Trace:
        return tuple((asked, self._digests[asked]) for asked in sorted(files.asked))

    def _digest(self, asked: SourceRef) -> str:
        """What a source is today."""
        self.source(self.recipes.recipe(asked.recipe), asked.name)
        return self._digests[asked]

    # ---- questions

    def pin(self, recipe: Recipe, name: str) -> str:
        """The value of a pin."""
        pin = recipe.all_pins[name]
        if isinstance(pin, str):
            return pin
        if isinstance(pin, Reading) and pin.reader == "git":
            return git_fact(self._reader().source(recipe, pin.source, pin.where)[0], pin)
        ref = PinRef(recipe.name, name)
        if ref not in self.pins:
            with self._asking(f"pin {ref}", pin.where) as files:
                question = pin_question(self.recipes, self, recipe, name, pin)
                answer = self._earlier(question, (lock.pins.get(ref) for lock in self.earlier))
                if answer is None:
                    value = pin_value(files, recipe, name, pin)
                    answer = evolve(value, trace=self._trace(files))
                if pin.instead is not None:
                    place = answer.origin
                    pin.instead.refuse_ended(str(ref), answer.upstream, place, self.today)
                self.pins[ref] = answer
        return self.pins[ref].value

    def _earlier(
        self, question: Question[AnyRef, AnyEntry], entries: Iterable[AnyEntry | None]
    ) -> AnyEntry | None:
        """The first entry of earlier locks that is an answer."""
        for entry in entries:
            if entry is not None and question.refusal(entry, self._digest) is None:
                return entry
        return None

    def _finder(self, files: SourceFiles) -> SourceFinder:
        return SourceFinder(self.registries, files, self.build_arch, self.earlier)

    def source(self, recipe: Recipe, name: str) -> tuple[Source, ...]:
        """The parts of one of the recipe's own sources."""
        use = recipe.sources[name]
        ref = source_ref(recipe.name, name, use.spec, self.build_arch)
        if ref not in self.sources:
            with self._asking(f"source {ref}", use.where) as files:
                spec = described(recipe, name, self, self.build_arch)
                question = source_question(self.recipes, recipe, name, spec, self.build_arch)
                is_new = spec.volatile or ref.on_any_machine in self.renewed
                entries = () if is_new else self.earlier
                answer = self._earlier(question, (lock.sources.get(ref) for lock in entries))
                if answer is None:
                    finder = self._finder(files)
                    known = (lock.sources[ref] for lock in self.earlier if ref in lock.sources)
                    parts = finder.parts(recipe, spec, use.where, next(known, None))
                    trace = self._trace(files)
                    answer = LockedSource(spec=question.text, parts=parts, trace=trace)
            self.sources[ref] = answer
            self._digests[ref.on_any_machine] = content_digest(ref, answer.spec, answer.parts)
        return self.sources[ref].parts

    def modules(self, recipe: Recipe, spec: GoModulesSpec) -> GoModuleSet:
        """The modules that all users of a source's module need together."""
        ref = set_ref(self.recipes, recipe, spec)
        users = self._users.get(ref, [(recipe, spec)])
        if ref not in self.go_modules:
            with self._asking(f"modules {ref}", spec.where) as files:
                question = set_question(self.recipes, users, listed=is_listed(users))
                answer = self._earlier(question, self._sets(ref, users))
                if answer is not None:
                    refuse_ended(ref, spec, answer.upstream, self.today)
                    answer = asked_again(self._finder(files), users[0], answer)
                else:
                    answer = evolve(self._listed(ref, users, files), trace=self._trace(files))
                self.go_modules[ref] = answer
        return self.go_modules[ref]

    def _listed(self, ref: SetRef, users: list[User], files: SourceFiles) -> GoModuleSet:
        """A set without its trace, asked for anew."""
        finder, (recipe, spec) = self._finder(files), users[0]
        if not spec.instead:
            return needed_by(files, users, all_modules(finder, recipe, spec), self.needed)
        upstream = upstream_modules(files, users[0])
        refuse_ended(ref, spec, upstream, self.today)
        modules = overridden_set(finder, users, self.changed)
        return evolve(modules, upstream=upstream)

    def _sets(self, ref: SetRef, users: list[User]) -> Iterator[GoModuleSet]:
        """What earlier locks have for these users, each with the digest of its go.sum."""
        for lock in self.earlier:
            entry = lock.go_modules.get(ref)
            if entry is not None and entry.specs == asked(users):
                yield with_go_sum(self._new_reader(), *users[0], entry)
