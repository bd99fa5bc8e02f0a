"""What a correct lock is: updated step by step it equals a fresh one, and asks what changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Any

import pytest
from answers import answer
from attrs import define, evolve, field
from lock_world import ARCH, Outside

from rvbuild.core.canonical import encode
from rvbuild.core.digest import Digest
from rvbuild.core.errors import LockError, RecipeError
from rvbuild.core.go_command import go_command
from rvbuild.core.go_source import GoModFilesSpec
from rvbuild.core.lock import GoModuleSet, Lock
from rvbuild.core.locked import Locked
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.question import Question, User
from rvbuild.core.recipe import FromSpec, Recipe
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec
from rvbuild.core.spec_text import spec_text
from rvbuild.core.trace import Reads
from rvbuild.core.tree import File, Nested
from rvbuild.engine.resolve import Resolver
from rvbuild.engine.source_files import SourceFiles
from rvbuild.kinds.path.source import PathSource
from rvbuild.kinds.url.source import UrlSource
from rvbuild.recipes_yaml.lock import read_lock, write_lock
from rvbuild.recipes_yaml.recipe import read_recipe

SEEDS = 40
STEPS = 4
H1 = "h1:" + "A" * 43 + "="

READING = "{{from: {k}, shell: V{n}, file: v.sh}}"
ALIAS = "{{from: d, shell: V{n}, file: v.sh}}"
KINDS = {
    "url": "sources: {{s: {{url: 'https://e.org/{name}-{n}.tar.gz'}}}}\nbuild: x\n",
    "git": "sources: {{s: {{git: 'https://e.org/{name}', commit: {n:040}}}}}\nbuild: x\n",
    "debian": "kind: tool\nsources: {{s: {{debian: [p{n}, q{name}], suite: s}}}}\nbuild: x\n",
    "module": "sources: {{s: {{go-module: e.org/{name}, version: v1.{n}.0}}}}\nbuild: x\n",
    "summed": "sources: {{s: {{go-module: e.org/m{n}, version: v1.0.0, go-sum: {k}}}}}\nbuild: x\n",
    "pin": "version: " + READING + "\nbuild: x\n",
    "ladder": "version: {{first-of: [" + READING + ", {{literal: x}}], prefer: 1}}\nbuild: x\n",
    "alias": "version: {{first-of: [{{literal: x}}, " + ALIAS + "], prefer: 1}}\n"
    "sources: {{d: {{from: {k}}}}}\nbuild: x\n",
    "set": "inputs: {{build: [go], go-modules: {{from: {k}, packages: [./{n}{name}]}}}}\n"
    "build: x\n",
    "other set": "inputs: {{build: [go2], go-modules: {{from: {k}, packages: [./{n}{name}]}}}}\n"
    "build: x\n",
    "whole": "inputs: {{build: [go], go-modules: {{from: {k}, packages: []}}}}\nbuild: x\n",
    "path": "sources: {{s: {{path: ../../{name}}}}}\nbuild: x\n",
    "dated": "pins: {{d: {{from: {k}, git: commit}}}}\n"
    "sources: {{s: {{url: 'https://e.org/{name}-{k}-${{d}}.tar.gz'}}}}\nbuild: x\n",
}
UPSTREAM = "kind: source\nsources: {{{name}: {{git: 'https://e.org/{name}', commit: {n:040}}}}}\n"
MIDDLE = (
    "kind: source\nversion: " + READING + "\n"
    "sources: {{m: {{url: 'https://e.org/m-${{version}}.tar.gz'}}}}\n"
)
GO = (
    "kind: tool\nversion: " + READING + "\n"
    "sources: {{{tool}: {{go-toolchain: '${{version}}.{minor}'}}, src: {{from: {k}}}}}\nbuild: x\n"
)
SOURCES = ("k", "j", "mid")
TOOLS = ("go", "go2")
NAMES = tuple(f"r{number}" for number in range(8))
Texts = Mapping[str, str]


def text_of(name: str, chance: Random) -> str:
    """A recipe; of the sources that others read there is one each."""
    number, source = chance.randrange(4), chance.choice(("k", "j"))
    if name in {"k", "j"}:
        return UPSTREAM.format(name=name, n=number)
    if name == "mid":
        return MIDDLE.format(k=source, n=number)
    if name in TOOLS:
        minor, tool = chance.choice(tuple(enumerate(("go", "toolchain"))))
        return GO.format(k=source, n=number, tool=tool, minor=minor)
    source = chance.choice(SOURCES)
    kind = chance.choice(sorted(KINDS))
    if kind == "dated" and source == "mid":
        source = "k"
    return KINDS[kind].format(name=name, n=number, k=source)


def begin(chance: Random) -> dict[str, str]:
    names = (*SOURCES, *TOOLS, *chance.sample(NAMES, chance.randrange(1, 7)))
    return {name: text_of(name, chance) for name in names}


def edited(texts: Texts, chance: Random) -> dict[str, str]:
    """One or two recipes are added, changed or gone; what others read from stays there."""
    edit = dict(texts)
    for name in chance.sample((*SOURCES, *TOOLS, *NAMES), chance.randrange(1, 3)):
        if name in NAMES and chance.random() < 0.3:
            edit.pop(name, None)
        else:
            edit[name] = text_of(name, chance)
    return edit


@define
class Net(Outside):
    """Notes each question that reaches the outside; folders are none."""

    asked: list[str] = field(factory=list)

    def url(self, source: UrlSource) -> str:
        return hashlib.sha256(source.urls[0].encode()).hexdigest()

    def git(self, url: str, commit: str, paths: tuple[str, ...], _tag: str = "") -> Source:
        return evolve(super().git(url, commit, paths), tree=f"{int(commit) // 2:040}")

    def path(self, path: str) -> PathSource:
        return PathSource(path=f"/{path.rpartition('/')[2]}", digest=f"{7:064}/7")

    def resolve(self, spec: SourceSpec, context: ResolveContext) -> tuple[Source, ...]:
        parts = answer(self, spec, context)
        local = isinstance(parts[0], PathSource) or isinstance(spec, GoModFilesSpec) or spec.reads
        if not local:
            self.asked.append(f"{context.folder} {spec}")
        return parts


@define
class Trees:
    """Every file of a source follows from its content; the files of two commits may be equal."""

    blobs: dict[Digest, bytes] = field(factory=dict)

    def root(self, source: Source) -> Digest:
        data = encode(source.identity)
        self.blobs[Digest.of(data)] = data
        return Digest.of(data)

    def nested(self, root: Digest) -> Nested:
        number = int(hashlib.sha256(self.blobs[root]).hexdigest(), 16) % 5
        sums = (
            f"e.org/m{n} v1.0.0 {H1}\ne.org/m{n} v1.0.0/go.mod {H1}\n"
            f"e.org/x{n} v1.{number}.0 {H1}\ne.org/x{n} v1.{number}.0/go.mod {H1}\n"
            for n in range(4)
        )
        pins = "".join(f"V{n}=1.{(number + n) // 2}\n" for n in range(4))
        texts = {"v.sh": pins.encode(), "go.sum": "".join(sums).encode()}
        self.blobs.update((Digest.of(text), text) for text in texts.values())
        return {name: File(Digest.of(text)) for name, text in texts.items()}

    def read(self, blob: Digest) -> bytes:
        return self.blobs[blob]


@define
class Run:
    """One run of a resolver over recipes, and what it asked."""

    texts: Texts
    kind: type[Resolver] = Resolver
    net: Net = field(factory=Net)
    listed: set[str] = field(factory=set)

    def recipe(self, name: str, asked_at: object = None, _series: str = "") -> Recipe:
        if name not in self.texts:
            raise RecipeError(name, where=str(asked_at))
        return read_recipe(self.texts[name].encode(), name, f"recipes/{name}/recipe.yaml")

    def needed(
        self, users: Sequence[User], files: SourceFiles, _whole: GoModuleSet
    ) -> set[tuple[str, str]]:
        """What package N needs depends on the version of Go."""
        numbers: set[int] = set()
        for recipe, spec in users:
            self.listed.add(recipe.name)
            (name,) = go_command(self, recipe, None)
            tool = self.recipe(name)
            go, *_ = [files.source(tool, name, None) for name in tool.sources]
            minor = str(go[0].identity)[-4:]
            numbers |= {int(package[2]) for package in spec.packages} | {len(minor) % 2}
        return {(f"e.org/m{number}", "v1.0.0") for number in numbers}

    def lock(
        self,
        *earlier: Lock,
        names: tuple[str, ...] = (),
        others: tuple[str, ...] = (),
        shipped: tuple[str, ...] = (),
    ) -> Lock:
        resolver = self.kind(
            recipes=self,
            registries=self.net,
            trees=Trees(),
            needed=self.needed,
            build_arch=ARCH,
            earlier=tuple(map(written, earlier)),
        )
        groups = (names or sorted(self.texts), others, shipped)
        return resolver.lock(*([self.recipe(name) for name in group] for group in groups))


def written(lock: Lock) -> Lock:
    """The lock as the next run reads it."""
    return read_lock(write_lock(lock).encode(), "rvbuild.lock")


def over(old: Lock, new: Lock) -> Lock:
    """What a lock of some recipes leaves in the file."""
    return evolve(
        old,
        pins={**old.pins, **new.pins},
        sources={**old.sources, **new.sources},
        go_modules={**old.go_modules, **new.go_modules},
    )


def users_of_changed_sets(run: Run, old: Lock, new: Lock) -> set[str]:
    """The recipes whose packages must be listed: of sets with other users, source or Go."""
    changed = {
        spec
        for key, entry in new.go_modules.items()
        for spec in entry.specs
        if key not in old.go_modules
        or (entry.specs, entry.trace) != (old.go_modules[key].specs, old.go_modules[key].trace)
        if not any("packages: []" in each for each in entry.specs)
    }
    users = (run.recipe(name) for name in run.texts)
    return {user.name for user in users if user.go_modules and _text(user) in changed}


def _text(user: Recipe) -> str:
    assert user.go_modules is not None
    return spec_text(user.go_modules)


def steps(seed: int, kind: type[Resolver]) -> None:
    """Edits, after each of which all recipes are locked again."""
    chance = Random(seed)  # noqa: S311 - replayed by its seed
    texts: Texts = begin(chance)
    last = Run(texts, kind)
    lock = last.lock()
    for _ in range(STEPS):
        texts = edited(texts, chance)
        fresh, run = Run(texts, kind), Run(texts, kind)
        right, new = fresh.lock(), run.lock(lock)
        assert new == right
        before = Run(last.texts, kind)
        before.lock()
        assert {*run.net.asked} == {*fresh.net.asked} - {*before.net.asked}
        assert len(run.net.asked) == len({*run.net.asked})
        assert run.listed == users_of_changed_sets(run, lock, new)
        for name in texts:
            assert [*Locked(written(new), run, ARCH).refusals(run.recipe(name))] == []
        lock, last = new, run


def partial_steps(seed: int, kind: type[Resolver]) -> None:
    """Only recipes that were edited are locked; the lock is that of all of them."""
    chance = Random(seed)  # noqa: S311
    texts: Texts = begin(chance)
    lock = Run(texts, kind).lock()
    for _ in range(STEPS):
        last, texts = texts, edited(texts, chance)
        texts = {**last, **texts}  # what is gone stays in a lock of some recipes
        names = tuple(sorted(name for name in texts if texts[name] != last.get(name)))
        lock = over(lock, Run(texts, kind).lock(lock, names=names or ("k",), others=tuple(texts)))
        right = Run(texts, kind).lock()
        for section in ("pins", "sources"):
            has, wanted = getattr(lock, section), getattr(right, section)
            assert {key: has.get(key) for key in wanted} == wanted
        for key, entry in right.go_modules.items():  # one that lost a user may have too much
            held = lock.go_modules[key]
            assert {*held.specs} >= {*entry.specs}
            assert {*held.modules} >= {*entry.modules}
            assert (held.trace or ())[-1:] == (entry.trace or ())[-1:]


def shipped_steps(seed: int, kind: type[Resolver]) -> None:
    """A project over shipped recipes: either is edited, and the two locks answer everything."""
    chance = Random(seed)  # noqa: S311
    below: Texts = begin(chance)
    names = chance.sample((*SOURCES, *NAMES), 2)
    own = {name: text_of(name, chance) for name in names}
    lock = Lock()
    for _ in range(STEPS):
        shipped = Run(below).lock()
        texts = {**below, **own}
        run = Run(texts, kind)
        had = tuple({*own, *lock.recipes()} & {*texts})
        lock = run.lock(lock, shipped, names=had, others=had, shipped=tuple(below))
        both = written(lock).layered_over(written(shipped))
        right = Locked(Run(texts).lock(), run, ARCH)
        locked = Locked(both, run, ARCH)
        for recipe in map(run.recipe, texts):
            assert [*locked.refusals(recipe)] == []
            assert [locked.pin(recipe, n) for n in recipe.all_pins] == [
                right.pin(recipe, n) for n in recipe.all_pins
            ]
            for name, use in recipe.sources.items():
                if not isinstance(use.spec, FromSpec):
                    assert locked.source(recipe, name) == right.source(recipe, name)
        fixed = Run(texts, kind)
        had = tuple({*own, *lock.recipes()} & {*texts})
        again = fixed.lock(lock, shipped, names=had, others=had, shipped=tuple(below))
        assert (again, fixed.net.asked, fixed.listed) == (lock, [], set())
        if chance.random() < 0.5:
            below = {
                **below,
                **{n: text_of(n, chance) for n in chance.sample((*SOURCES, *TOOLS), 1)},
            }
        else:
            own = {name: text_of(name, chance) for name in own}


PROPERTIES = (steps, partial_steps, shipped_steps)


@pytest.mark.parametrize("holds", PROPERTIES)
def test_a_lock_is_that_of_its_recipes_and_nothing_is_asked_in_vain(
    holds: Callable[[int, type[Resolver]], None],
):
    for seed in range(SEEDS):
        try:
            holds(seed, Resolver)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise


@define
class KeepsDescriptions(Resolver):
    """A fault: every answer stands whose description is today's."""

    def _earlier(self, question: Question[Any], entries: Iterable[Any]) -> Any:  # noqa: ANN401
        texts = ((e, e.specs if isinstance(e, GoModuleSet) else (e.spec,)) for e in entries if e)
        return next((entry for entry, those in texts if question.text in those), None)


@define
class AsksAgain(Resolver):
    """A fault: nothing stands."""

    def _earlier(self, question: Question[Any], entries: Iterable[Any]) -> Any:  # noqa: ANN401
        del question, entries


@define
class ForgetsTracesOfSets(Resolver):
    """A fault: sets are written as if they had been read nowhere."""

    def lock(self, *groups: object) -> Lock:
        lock = Resolver.lock(self, *groups)  # type: ignore[arg-type]
        sets = {key: evolve(entry, trace=()) for key, entry in lock.go_modules.items()}
        return evolve(lock, go_modules=sets)


@define
class ForgetsNames(Resolver):
    """A fault: an answer stands though a name of its recipe means another source now."""

    def _earlier(self, question: Question[Any], entries: Iterable[Any]) -> Any:  # noqa: ANN401
        for entry in entries:
            names = frozenset(asked for asked, _ in (entry.trace if entry else None) or ())
            answer = Resolver._earlier(self, evolve(question, reads=Reads(names)), [entry])
            if answer is not None:
                return answer
        return None


@pytest.mark.parametrize("fault", [KeepsDescriptions, AsksAgain, ForgetsTracesOfSets, ForgetsNames])
def test_a_resolver_with_a_fault_fails(fault: type[Resolver]):
    failed = 0
    for seed in range(SEEDS):
        try:
            steps(seed, fault)
        except (AssertionError, LockError, KeyError):
            failed += 1
    assert failed
