"""Locking: what is asked of whom, what must agree, and what an old lock still answers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import refs
from answers import answer
from attrs import define, evolve, field

from rvbuild.cli.remedies import hint_text
from rvbuild.core.digest import Digest
from rvbuild.core.errors import (
    Absent,
    Interrupted,
    LockError,
    RecipeError,
    RvbuildError,
    SandboxError,
    SourceError,
    StoreError,
    WrongContent,
)
from rvbuild.core.go_command import go_command
from rvbuild.core.go_source import GoModule
from rvbuild.core.lock import GoModuleSet, Lock
from rvbuild.core.locked import Locked
from rvbuild.core.place import Place
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.question import User
from rvbuild.core.recipe import FromSpec, Recipe, SourceUse
from rvbuild.core.snapshot import Snapshot
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec
from rvbuild.core.spec_text import spec_text
from rvbuild.core.tree import File, Nested
from rvbuild.engine.resolve import Resolver
from rvbuild.engine.source_files import SourceFiles
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.go.source import GoToolchain
from rvbuild.kinds.path.source import PathSource
from rvbuild.kinds.pypi.source import Wheel
from rvbuild.kinds.url.source import DebianFile, UrlSource
from rvbuild.recipes_yaml.lock import read_lock, write_lock
from rvbuild.recipes_yaml.recipe import read_recipe

K = "kind: source\nsources: {k: {git: 'https://e.org/k', commit: %s}}\n" % ("1" * 40)
GO = "kind: tool\nsources: {go: {go-toolchain: 1.26.1}}\nbuild: x\n"
KUBE = "kind: source\nsources: {kube: {url: 'https://e.org/kube.tar'}}\n"
H1 = "h1:" + "A" * 43 + "="
H2 = "h1:" + "B" * 43 + "="


@define
class Outside:
    """Registries that answer by rule, and note what they were asked."""

    asked: list[tuple[object, ...]] = field(factory=list)
    folders: int = 0
    broken: bool = False
    absent: set[str] = field(factory=set)
    error: RvbuildError | None = None
    snapshot: Snapshot | None = None
    earlier: list[Snapshot | None] = field(factory=list)
    tags: dict[str, str] = field(factory=dict)

    def _note(self, *question: object) -> None:
        self.asked.append(question)
        if self.error is not None:
            raise self.error
        if self.broken or (question[0] == "url" and not self.absent.isdisjoint(question[1])):
            msg = "nobody answers"
            raise SourceError(msg, details=("tried: all",))

    def git(self, url: str, commit: str, paths: tuple[str, ...], tag: str = "") -> GitSource:
        self._note("git", url, commit or tag, paths)
        commit = commit or self.tags[tag]
        return GitSource(
            url=url, commit=commit, tag=tag, tree="2" * 40, date=1742452828, paths=paths
        )

    def go_module(self, path: str, version: str) -> str:
        self._note("go-module", path, version)
        return H1

    def go_toolchain(self, version: str, platform: str) -> str:
        self._note("go-toolchain", version, platform)
        return H1

    def wheel(self, project: str, version: str, arch: str) -> Wheel:
        self._note("wheel", project, version, arch)
        return Wheel(
            project=project,
            version=version,
            filename=f"{project}-{version}-py3-none-any.whl",
            sha256="a" * 64,
        )

    def debian(
        self,
        packages: tuple[str, ...],
        suite: str,
        arch: str,
        without: tuple[str, ...],
        earlier: Snapshot | None,
    ) -> tuple[Source, ...]:
        self._note("debian", packages, suite, arch, without)
        self.earlier.append(earlier)
        return tuple(
            DebianPackage(
                name=name,
                version="1",
                architecture=arch,
                pool=name,
                sha256="b" * 64,
                size=1,
                snapshot=self.snapshot,
            )
            for name in packages
        )

    def url(self, source: UrlSource) -> str:
        urls = source.urls
        self._note("url", urls, source.debian)
        return hashlib.sha256(urls[0].encode()).hexdigest() if urls else "c" * 64

    def path(self, path: str) -> PathSource:
        self._note("path", path)
        self.folders += 1
        return PathSource(path=path, digest=f"{self.folders:064}/7")

    def resolve(self, spec: SourceSpec, context: ResolveContext) -> tuple[Source, ...]:
        return answer(self, spec, context)


@define
class FakeTrees:
    """Sources' files: ``texts`` by source label and path."""

    texts: Mapping[str, Mapping[str, str]] = field(factory=dict)
    blobs: dict[Digest, bytes] = field(factory=dict)
    fetched: list[str] = field(factory=list)

    def root(self, source: Source) -> Digest:
        self.fetched.append(source.label)
        return Digest.of(source.label.encode())

    def nested(self, root: Digest) -> Nested:
        (label,) = [label for label in self.texts if Digest.of(label.encode()) == root] or [""]
        nested: Nested = {}
        for path, text in self.texts.get(label, {}).items():
            *parents, name = path.split("/")
            level = nested
            for parent in parents:
                level = level.setdefault(parent, {})  # type: ignore[assignment]
            digest = Digest.of(text.encode())
            self.blobs[digest] = text.encode()
            level[name] = File(digest)
        return nested

    def read(self, blob: Digest) -> bytes:
        return self.blobs[blob]


@define
class World:
    """Recipes by their texts, what is outside, and what packages import."""

    texts: Mapping[str, str]
    files: Mapping[str, Mapping[str, str]] = field(factory=dict)
    needed: Mapping[str, set[tuple[str, str]]] = field(factory=dict)
    outside: Outside = field(factory=Outside)
    listed: list[str] = field(factory=list)
    fetched: list[str] = field(factory=list)
    resolver: Resolver | None = None

    def recipe(self, name: str, asked_at: str | None = None, _series: str = "") -> Recipe:
        try:
            text = self.texts[name]
        except KeyError:
            msg = f"there is no recipe called {name!r}"
            raise RecipeError(msg, where=asked_at) from None
        return read_recipe(text.encode(), name, f"recipes/{name}/recipe.yaml")

    def lock(
        self,
        *names: str,
        old: Lock | None = None,
        users: tuple[str, ...] = (),
        below: Lock | None = None,
        shipped: tuple[str, ...] = (),
        failures: dict[str, RvbuildError] | None = None,
    ) -> Lock:
        """Resolve some recipes (all of them by default)."""
        trees = FakeTrees(self.files)
        self.fetched = trees.fetched
        self.resolver = Resolver(
            recipes=self,
            registries=self.outside,
            trees=trees,
            build_arch="amd64",
            needed=self._needed,
            earlier=(old or Lock(), below or Lock()),
            failures=failures,
        )
        wanted = [self.recipe(name) for name in names or sorted(self.texts)]
        others, below_them = (list(map(self.recipe, names)) for names in (users, shipped))
        return self.resolver.lock(wanted, others, below_them)

    def _needed(
        self, users: Sequence[User], files: SourceFiles, whole: GoModuleSet
    ) -> set[tuple[str, str]]:
        assert whole.modules
        found: set[tuple[str, str]] = set()
        for recipe, spec in users:
            self.listed.append(recipe.name)
            for tool in map(self.recipe, go_command(self, recipe, spec.where)):
                for name in tool.sources:
                    files.source(tool, name, None)
            found |= self.needed[recipe.name]
        return found


def refused(world: World, kind: type[Exception] = LockError, **options: Any) -> Any:  # noqa: ANN401
    with pytest.raises(kind) as caught:
        world.lock(**options)
    return caught.value


# ---- sources

EVERY = """\
version: "1.2"
sources:
  git: {git: "https://e.org/g", commit: 1111111111111111111111111111111111111111, paths: [b, a]}
  module: {go-module: e.org/m, version: "v${version}.0"}
  toolchain: {go-toolchain: "${version}"}
  wheel: {pypi: ziglang, version: "${version}"}
  debian: {debian: [x, y], suite: bookworm, without: [z]}
  guest: {debian: [x], suite: trixie, architecture: riscv64}
  url: {url: "https://e.org/${version}.tar", debian-source: {package: p, file: f}}
  known: {url: "https://e.org/known.tar", sha256: %s, strip: 0}
  only: {debian-source: {package: p, file: f}, unpack: false}
  path: {path: ../there}
  from: {from: k}
build: x
""" % ("d" * 64)


def test_every_kind_of_source_is_asked_for_once():
    world = World({"app": EVERY, "k": K})
    lock = world.lock()
    debian = DebianFile(package="p", file="f")
    assert world.outside.asked == [
        ("git", "https://e.org/g", "1" * 40, ("a", "b")),
        ("go-module", "e.org/m", "v1.2.0"),
        ("go-toolchain", "1.2", "linux-amd64"),
        ("wheel", "ziglang", "1.2", "amd64"),
        ("debian", ("x", "y"), "bookworm", "amd64", ("z",)),
        ("debian", ("x",), "trixie", "riscv64", ()),
        ("url", ("https://e.org/1.2.tar",), debian),
        ("url", (), debian),
        ("path", "recipes/there"),
        ("git", "https://e.org/k", "1" * 40, ()),
    ]
    parts = {str(key): source.parts for key, source in lock.sources.items()}
    assert parts["app/module"] == (GoModule(path="e.org/m", version="v1.2.0", h1=H1),)
    assert parts["app/toolchain@amd64"] == (
        GoToolchain(version="1.2", platform="linux-amd64", h1=H1),
    )
    assert [part.label for part in parts["app/debian@amd64"]] == ["x_1_amd64.deb", "y_1_amd64.deb"]
    assert [part.label for part in parts["app/guest"]] == ["x_1_riscv64.deb"]
    assert parts["app/known"] == (
        UrlSource(urls=("https://e.org/known.tar",), sha256="d" * 64, strip=0),
    )
    assert parts["app/only"] == (UrlSource(urls=(), sha256="c" * 64, debian=debian, unpack=False),)
    assert "app/from" not in parts
    assert parts["k/k"][0].label == "k@11111111"


TAGGED = "kind: source\nsources: {k: {git: 'https://e.org/k', tag: v1%s}}\n"


@pytest.mark.parametrize("lock", ["old", "below"])
@pytest.mark.parametrize(
    ("name", "more"), [("a", ", paths: [x]"), ("b", ""), ("b", ", paths: [x]")]
)
def test_a_tag_is_what_any_entry_of_a_lock_has(lock: str, name: str, more: str):
    """Whichever recipe asks, and whether the lock is the project's own or the shipped one."""
    world = World({"a": TAGGED % ""})
    world.outside.tags["v1"] = "1" * 40
    known = read_lock(write_lock(world.lock()).encode(), "some.lock")
    world.texts = {name: TAGGED % more}
    assert world.lock(**{lock: known}).sources
    world.outside.tags["v1"] = "4" * 40
    why = refused(world, WrongContent, **{lock: known})
    assert why.message == "the tag v1 is another commit than the lock has"
    place = known.sources[refs.source("a/k")].where
    assert why.details[:2] == (f"the lock has: {'1' * 40}  {place}", f"upstream: {'4' * 40}")
    assert world.lock().sources, "nobody locked it"


def test_what_was_locked_answers_a_build():
    """Written, read again, and asked with the same recipes."""
    world = World({"app": EVERY, "k": K})
    text = write_lock(world.lock())
    locked = Locked(read_lock(text.encode(), "rvbuild.lock"), world, "amd64")
    recipe = world.recipe("app")
    for name in recipe.sources:
        if name != "from":
            assert locked.source(recipe, name)


def test_an_old_lock_answers_for_what_did_not_change():
    """Only the source whose description changed is asked for, and every folder."""
    old = World({"app": EVERY, "k": K}).lock()
    world = World({"app": EVERY.replace('version: "1.2"', 'version: "1.3"'), "k": K})
    world.lock(old=old)
    assert [question[0] for question in world.outside.asked] == [
        "go-module", "go-toolchain", "wheel", "url", "path",
    ]  # fmt: skip
    again = World({"app": EVERY, "k": K})
    new = again.lock(old=old)
    assert again.outside.asked == [("path", "recipes/there")]
    assert {k: v for k, v in new.sources.items() if str(k) != "app/path"} == {
        k: v for k, v in old.sources.items() if str(k) != "app/path"
    }


def test_a_partial_lock_resolves_what_it_is_asked_for():
    world = World(
        {"app": EVERY, "k": K, "other": "sources: {o: {url: 'https://e.org/o'}}\nbuild: x\n"}
    )
    lock = world.lock("other")
    assert [*map(str, lock.sources)] == ["other/o"]


LINE = "version: {from: %s, line: 1, file: v}\n"
READERS = {
    "k": K,
    "mid": "kind: source\n" + LINE % "k" + "sources: {mid: {url: 'https://e.org/m-${version}'}}\n",
    "end": LINE % "mid" + "build: x\n",
    "ladder": "version:\n  first-of:\n    - {literal: '7'}\n    - {from: k, line: 1, file: v}\n"
    "  prefer: 1\nbuild: x\n",
    "summed": "sources: {m: {go-module: e.org/m, version: v1.0.0, go-sum: k}}\nbuild: x\n",
    "user": "inputs: {build: [go], go-modules: {from: k, packages: []}}\nbuild: x\n",
    "calm": LINE % "z" + "build: x\n",
    "z": "kind: source\nsources: {z: {url: 'https://e.org/z', sha256: %s}}\n" % ("e" * 64),
}
MOVED = {**READERS, "k": K.replace("1" * 40, "3" * 40)}


def reading(texts: Mapping[str, str]) -> World:
    """Each source with one version, and a go.sum in each commit of ``k``."""
    go_mod = f"e.org/m v1.0.0/go.mod {H1}\n"
    old, new = f"e.org/m v1.0.0 {H1}\n{go_mod}", f"e.org/m v1.0.0 {H2}\n{go_mod}"
    files = {
        "k@11111111": {"v": "1\n", "go.sum": old},
        "k@33333333": {"v": "3\n", "go.sum": new},
        "m-1": {"v": "one\n"},
        "m-3": {"v": "three\n"},
        "z": {"v": "z\n"},
    }
    return World(texts, files)


def test_what_was_read_from_a_source_that_changed_is_read_again():
    """Also where the source of that is another now; and nothing that was read elsewhere."""
    old = reading(READERS).lock()
    world = reading({**MOVED, "new": LINE % "k" + "build: x\n"})
    lock = world.lock("k", old=old, users=(*READERS, "new"))
    assert {str(key): pin.value for key, pin in lock.pins.items()} == {
        "mid/version": "3", "end/version": "three", "ladder/version": "7",
    }  # fmt: skip
    assert refs.texts(lock.sources) == {"k/k", "mid/mid", "summed/m"}
    assert lock.sources[refs.source("summed/m")].parts == (
        GoModule(path="e.org/m", version="v1.0.0", h1=H2),
    )
    assert lock.go_modules[refs.go_set("k/k")].modules == (("e.org/m", "v1.0.0", H2),)
    merged = evolve(
        old,
        pins={**old.pins, **lock.pins},
        sources={**old.sources, **lock.sources},
        go_modules={**old.go_modules, **lock.go_modules},
    )
    assert merged == reading(MOVED).lock()


def test_who_reads_from_what_did_not_change_is_left_alone():
    """Not even its files are fetched."""
    old = reading(READERS).lock()
    world = reading(READERS)
    lock = world.lock("k", old=old, users=tuple(READERS))
    assert (lock.pins, refs.texts(lock.sources)) == ({}, {"k/k"})
    lock = world.lock("calm", old=old, users=tuple(READERS))
    assert refs.texts(lock.pins) == {"calm/version"}


def test_what_shipped_recipes_read_from_a_replaced_source_is_the_projects_own():
    """Each time, also when the project's lock has it already; the rest the lock below serves."""
    below = reading(READERS).lock()
    first = reading(MOVED).lock("k", old=below, below=below, shipped=tuple(READERS))
    assert refs.texts(first.pins) == {"mid/version", "end/version", "ladder/version"}
    assert refs.texts(first.sources) == {"k/k", "mid/mid", "summed/m"}
    both = first.layered_over(below)
    assert both == evolve(reading(MOVED).lock(), shadowed_sets=both.shadowed_sets)
    again = reading(MOVED).lock("k", old=both, below=below, shipped=tuple(READERS))
    assert again == first
    back = reading(READERS).lock("k", old=both, below=below, shipped=tuple(READERS))
    back = back.layered_over(below)
    assert back == evolve(below, shadowed_sets=back.shadowed_sets)


def test_pins_that_came_with_rvbuild_are_taken_over_unread():
    """A project's new recipe needs none of what a shipped tool's version is read from."""
    below = reading(READERS).lock()
    world = reading({**READERS, "new": "inputs: {build: [end]}\nbuild: x\n"})
    lock = world.lock("new", "end", old=below, below=below)
    assert lock.pins == {
        ref: below.pins[ref] for ref in map(refs.pin, ("mid/version", "end/version"))
    }
    assert (world.outside.asked, world.fetched) == ([], [])


def test_shipped_recipes_that_are_not_resolved_share_no_modules():
    """What they need the lock below has; a project need not be able to tell it."""
    texts = {"mine": USER % "./x", "theirs": USER % "./y"}
    below = shared(texts, {"mine": ONE, "theirs": TWO}).lock("theirs")
    world = shared(texts, {"mine": ONE})
    lock = world.lock("mine", old=below, below=below, shipped=("k", "theirs"))
    assert world.listed == ["mine"]
    assert modules(lock.go_modules[refs.go_set("k/k")]) == ["e.org/a", "e.org/a/b"]


def test_an_error_says_which_recipe_asks():
    world = World({"app": EVERY, "k": K}, outside=Outside(broken=True))
    error = refused(world, SourceError)
    assert error.details == ("tried: all", "asked for at recipes/app/recipe.yaml:3:8")


def test_a_source_that_is_no_source():
    error = refused(
        World({"app": "pins: {x: {from: lib, line: 1, file: f}}\nbuild: x\n", "lib": "build: x\n"}),
        RecipeError,
    )
    assert "neither a source of this recipe nor a 'kind: source' recipe" in error.message
    error = refused(
        World({"app": "version: {from: gone, line: 1, file: f}\nbuild: x\n"}), RecipeError
    )
    assert str(error.where) == "recipes/app/recipe.yaml:1:10"


# ---- go.sum

WITH_SUM = """\
version: {from: k, go-module: e.org/runc}
sources: {runc: {go-module: e.org/runc, version: "${version}", go-sum: k}}
build: x
"""
GO_MOD = "module k\nrequire e.org/runc v1.2.5\n"


def test_a_module_is_held_against_another_sources_go_sum():
    """The hash is go.sum's: nobody else is asked for it."""
    files = {"k@11111111": {"go.mod": GO_MOD, "go.sum": f"e.org/runc v1.2.5 {H2}\n"}}
    world = World({"app": WITH_SUM, "k": K}, files)
    lock = world.lock()
    assert lock.sources[refs.source("app/runc")].parts == (
        GoModule(path="e.org/runc", version="v1.2.5", h1=H2),
    )
    assert [question[0] for question in world.outside.asked] == ["git"]


def test_a_module_that_go_sum_does_not_have_is_refused():
    files = {"k@11111111": {"go.mod": GO_MOD, "go.sum": f"e.org/runc v1.2.4 {H2}\n"}}
    error = refused(World({"app": WITH_SUM, "k": K}, files))
    assert error.message == "k's go.sum does not have e.org/runc v1.2.5"
    assert str(error.where) == "recipes/app/recipe.yaml:2:17"
    error = refused(World({"app": WITH_SUM, "k": K}, {"k@11111111": {"go.mod": GO_MOD}}))
    assert error.message == "the source k/k has no file go.sum"


# ---- pins

LADDER = """\
version:
  first-of:
    - {from: k, line: 1, file: .go-version}
    - {from: kube, yaml: go, file: build/deps.yaml}
    - {literal: "%s"}
    - {from: k, git: short}%s
build: x
"""


def ladder(first: str, second: str, literal: str, prefer: str = "") -> World:
    files = {
        "k@11111111": {".go-version": f"{first}\n"},
        "kube.tar": {"build/deps.yaml": f"x: 1\ngo: {second}\n"},
    }
    return World({"app": LADDER % (literal, prefer), "k": K, "kube": KUBE}, files)


def test_a_ladder_whose_rungs_agree_has_the_place_of_the_first():
    pin = ladder("11111111", "11111111", "11111111").lock().pins[refs.pin("app/version")]
    assert (pin.value, pin.source, pin.file, pin.line) == ("11111111", "k", ".go-version", 1)


def test_a_ladder_whose_rungs_disagree_stops_and_shows_each():
    error = refused(ladder("1.23.6", "1.23.7", "1.23.6"))
    assert error.message == "the places that declare app/version disagree"
    assert str(error.where) == "recipes/app/recipe.yaml:2:3"
    assert error.details == (
        "1.23.6  k .go-version:1",
        "1.23.7  kube build/deps.yaml:2",
        "1.23.6  recipes/app/recipe.yaml:5:7 (literal)",
        "11111111  k git short",
    )
    assert "prefer: N" in hint_text(error.hint)


@pytest.mark.parametrize(
    ("rung", "value", "place"),
    [(1, "a", ("k", 1)), (2, "b", ("kube", 2)), (3, "c", ("app", 0)), (4, "11111111", ("k", 0))],
)
def test_a_preferred_rung_wins(rung: int, value: str, place: tuple[str, int]):
    lock = ladder("a", "b", "c", f"\n  prefer: {rung}").lock()
    pin = lock.pins[refs.pin("app/version")]
    assert (pin.value, (pin.source, pin.line)) == (value, place)
    world = ladder("a", "b", "c", f"\n  prefer: {rung}")
    assert Locked(lock, world, "amd64").pin(world.recipe("app"), "version") == value


ALTERNATIVES = """\
version:
  one-of:
    - {from: k, line: 1, file: .go-version}
    - {from: kube, yaml: go, file: build/deps.yaml}
    - {from: kube, shell: GO, file: go.sh}
build: x
"""


def alternatives(text: str = ALTERNATIVES, **there: str) -> World:
    """A world in which files have texts: ``line``, ``yaml`` and ``sh``."""
    names = {"line": ".go-version", "yaml": "build/deps.yaml", "sh": "go.sh"}
    files: dict[str, dict[str, str]] = {"k@11111111": {}, "kube.tar": {}}
    for key, content in there.items():
        files["k@11111111" if key == "line" else "kube.tar"][names[key]] = content
    return World({"app": text, "k": K, "kube": KUBE}, files)


@pytest.mark.parametrize(
    ("there", "place"),
    [
        ({"line": "1.2\n", "yaml": "go: '1.2'\n", "sh": "GO=1.2\n"}, ("k", ".go-version", 1)),
        ({"yaml": "x: 1\ngo: '1.2'\n", "sh": "GO=1.2\n"}, ("kube", "build/deps.yaml", 2)),
        ({"yaml": "x: 1\n", "sh": "# Go\nGO=1.2\n"}, ("kube", "go.sh", 2)),
        ({"line": "\n", "sh": "GO=1.2\n"}, ("kube", "go.sh", 1)),
    ],
)
def test_alternatives_are_read_from_the_first_that_is_there(
    there: dict[str, str], place: tuple[str, str, int]
):
    world = alternatives(**there)
    lock = world.lock()
    pin = lock.pins[refs.pin("app/version")]
    assert (pin.value, (pin.source, pin.file, pin.line)) == ("1.2", place)
    assert [str(asked) for asked, _ in pin.trace or ()] == ["k/k", "kube/kube"], "one may come"
    assert Locked(lock, world, "amd64").pin(world.recipe("app"), "version") == "1.2"


def test_alternatives_that_are_there_must_agree():
    error = refused(alternatives(line="1.2\n", sh="GO=1.3\n"))
    assert error.message == "the places that declare app/version disagree"
    assert error.details == ("1.2  k .go-version:1", "1.3  kube go.sh:1")


def test_one_of_the_alternatives_must_be_there():
    error = refused(alternatives(yaml="x: 1\n"))
    assert error.message == "none of the places has app/version"
    assert str(error.where) == "recipes/app/recipe.yaml:2:3"
    assert error.details == (
        "recipes/app/recipe.yaml:3:7: the source k/k has no file .go-version",
        "kube:build/deps.yaml: no single text at go",
        "recipes/app/recipe.yaml:5:7: the source kube/kube has no file go.sh",
    )


def test_an_alternative_that_is_wrong_is_not_passed_over():
    error = refused(alternatives(line="1.2\n", sh="GO=1.2\nGO=1.3\n"))
    assert error.message == "more than one plain assignment of GO"


def test_a_lock_has_alternatives_from_no_other_place():
    text = ALTERNATIVES.replace("go.sh}", "go.sh, prefix: v}")
    world = alternatives(text, yaml="go: '1.2'\n")
    lock = world.lock()
    entry = lock.pins[refs.pin("app/version")]
    for changed, fact in (
        ({"file": "go.txt"}, "source"),
        ({"source": "k"}, "file"),
        ({"file": "go.sh", "source": "kube"}, "value"),
    ):
        other = evolve(lock, pins={refs.pin("app/version"): evolve(entry, **changed)})
        with pytest.raises(LockError, match=f"with another {fact}"):
            Locked(other, world, "amd64").pin(world.recipe("app"), "version")
    assert Locked(lock, world, "amd64").pin(world.recipe("app"), "version") == "1.2"


def test_a_pin_stands_unread_while_its_sources_are_what_they_were():
    """Another rung's source counts too: it decides whether the rungs agree."""
    old = ladder("1", "1", "1", "\n  prefer: 1").lock()
    assert [str(asked) for asked, _ in old.pins[refs.pin("app/version")].trace or ()] == [
        "k/k",
        "kube/kube",
    ]
    again = ladder("2", "2", "1", "\n  prefer: 1")  # would be read otherwise
    assert again.lock(old=old) == old
    assert again.fetched == []
    moved = ladder("2", "2", "1", "\n  prefer: 1")
    moved.texts = {**moved.texts, "kube": KUBE.replace("kube.tar", "new/kube.tar")}
    assert moved.lock(old=old).pins[refs.pin("app/version")].value == "2"


def test_git_facts_are_adjusted_alike_by_lock_and_build():
    text = "pins: {d: {from: k, git: iso-date, prefix: on-, strip-suffix: 'T.*'}}\nbuild: x\n"
    world = World({"app": text, "k": K})
    lock = world.lock()
    assert lock.pins == {}
    assert world.resolver is not None
    recipe = world.recipe("app")
    assert world.resolver.pin(recipe, "d") == "on-2025-03-20"
    assert Locked(lock, world, "amd64").pin(recipe, "d") == "on-2025-03-20"


def test_when_debians_index_was_made_is_known_of_what_it_was_asked_for():
    """An entry that stands is not asked for again, though nobody knows its moment."""
    moment = Snapshot.parse("20260830T142311Z")
    text = "sources: {a: {debian: [x], suite: s}, b: {debian: [y], suite: s}}\nbuild: x\n"
    old = World({"app": text}).lock()
    assert [entry.snapshot for entry in old.sources.values()] == [None, None]
    world = World({"app": text.replace("[y]", "[y, z]")}, outside=Outside(snapshot=moment))
    lock = world.lock(old=read_lock(write_lock(old).encode(), "rvbuild.lock"))
    assert world.outside.asked == [("debian", ("y", "z"), "s", "amd64", ())]
    assert lock.sources[refs.source("app/a@amd64")].snapshot is None
    assert lock.sources[refs.source("app/b@amd64")].snapshot == moment


@pytest.mark.parametrize(
    ("change", "known"),
    [
        (("[x]", "[x, y]"), True),
        (("suite: s", "suite: s2"), False),
        (("suite: s", "suite: s"), None),
    ],
)
def test_the_moment_of_the_lock_is_told_to_who_asks_the_same_suite_again(
    change: tuple[str, str],
    known: bool | None,  # noqa: FBT001
):
    """An index of another suite may well be older."""
    moment = Snapshot.parse("20260830T142311Z")
    text = "sources: {a: {debian: [x], suite: s, without: [w]}}\nbuild: x\n"
    old = World({"app": text}, outside=Outside(snapshot=moment)).lock()
    world = World({"app": text.replace(*change)})
    world.lock(old=read_lock(write_lock(old).encode(), "rvbuild.lock"))
    assert world.outside.earlier == ([] if known is None else [moment if known else None])


def test_a_file_that_a_pin_cannot_be_read_from():
    text = (
        "version: {from: %s, line: 1, file: a/b/c}\n"
        "sources: {debs: {debian: [x, y], suite: s}}\nbuild: x\n"
    )
    for name, files in (
        ("k", {}),
        ("k", {"k@11111111": {"a/b": "a file and no folder"}}),
        ("k", {"k@11111111": {"a/b/c/d": "a folder and no file"}}),
        ("debs", {}),
    ):
        error = refused(World({"app": text % name, "k": K}, files))
        assert "has no file a/b/c" in error.message
        assert str(error.where) == "recipes/app/recipe.yaml:1:10"


@pytest.mark.parametrize(
    ("text", "circle"),
    [
        (
            (
                "version: {from: s, line: 1, file: f}\n"
                "sources: {s: {url: 'https://e.org/${version}'}}\nbuild: x\n"
            ),
            "pin app/version → source app/s → pin app/version",
        ),
        (
            "version: {from: s, git: short}\n"
            "sources: {s: {git: 'https://e.org/${version}', commit: %s}}\nbuild: x\n" % ("1" * 40),
            "source app/s → source app/s",
        ),
        (
            (
                "version: {from: a, line: 1, file: f}\npins: {other: {from: b, line: 1, file: f}}\n"
                "sources: {a: {url: 'u/${other}'}, b: {url: 'u/${version}'}}\nbuild: x\n"
            ),
            "pin app/version → source app/a → pin app/other → source app/b → pin app/version",
        ),
    ],
)
def test_pins_that_need_each_other(text: str, circle: str):
    error = refused(World({"app": text}), RecipeError)
    assert error.message == f"pins need each other in a circle: {circle}"
    assert str(error.where).startswith("recipes/app/recipe.yaml:")


# ---- Go modules

SUM = f"""\
e.org/a v1.0.0 {H1}
e.org/a v1.0.0/go.mod {H2}
e.org/a/b v1.0.0 {H1}
e.org/a/b v1.0.0/go.mod {H2}
e.org/b v1.0.0 {H1}
e.org/b v1.0.0/go.mod {H2}
e.org/c v1.0.0 {H1}
e.org/c v1.0.0/go.mod {H2}
e.org/d v1.0.0/go.mod {H2}
"""
USER = "inputs: {build: [go], go-modules: {from: k, packages: [%s]}}\nbuild: x\n"


def modules(found: GoModuleSet) -> list[str]:
    return [path for path, _, _ in found.modules]


def needing(*paths: str) -> set[tuple[str, str]]:
    return {(path, "v1.0.0") for path in paths}


def shared(texts: dict[str, str], needed: Mapping[str, set[tuple[str, str]]]) -> World:
    return World(
        {**texts, "k": K, "go": GO}, {"k@11111111": {"go.sum": SUM, "cmd/go.sum": SUM}}, needed
    )


ONE = needing("e.org/a", "e.org/a/b")
TWO = needing("e.org/c")


def test_users_of_one_module_share_the_union_of_what_they_need():
    world = shared({"one": USER % "./x", "two": USER % "./y"}, {"one": ONE, "two": TWO})
    lock = world.lock()
    (key,) = lock.go_modules
    held = lock.go_modules[key]
    assert str(key) == "k/k"
    assert modules(held) == ["e.org/a", "e.org/a/b", "e.org/c"]
    assert held.go_sum == hashlib.sha256(SUM.encode()).hexdigest()
    assert held.specs == tuple(sorted(held.specs))
    assert len(held.specs) == 2
    assert sorted(world.listed) == ["one", "two"]
    locked = Locked(lock, world, "amd64")
    for name in ("one", "two"):
        recipe = world.recipe(name)
        assert recipe.go_modules is not None
        assert locked.modules(recipe, recipe.go_modules) == held


def test_a_partial_lock_keeps_what_other_users_need():
    world = shared({"one": USER % "./x", "two": USER % "./y"}, {"one": ONE, "two": TWO})
    whole = world.lock()
    part = world.lock("one", users=("one", "two"))
    assert part.go_modules == whole.go_modules
    assert set(part.sources) <= set(whole.sources)


def test_the_old_set_stands_while_neither_users_nor_the_source_change():
    texts = {"one": USER % "./x", "two": USER % "./y"}
    world = shared(texts, {"one": ONE, "two": TWO})
    old = world.lock()
    world.listed.clear()
    assert world.lock(old=old).go_modules == old.go_modules
    assert world.listed == []
    changed = shared({**texts, "two": USER % "./z"}, {"one": ONE, "two": ONE})
    assert modules(changed.lock(old=old).go_modules[refs.go_set("k/k")]) == [
        "e.org/a",
        "e.org/a/b",
    ]
    moved = World(
        {**texts, "k": K.replace("1" * 40, "3" * 40), "go": GO},
        {"k@33333333": {"go.sum": SUM}},
        {"one": TWO, "two": TWO},
    )
    assert modules(moved.lock(old=old).go_modules[refs.go_set("k/k")]) == ["e.org/c"]
    lost = Lock(go_modules=old.go_modules)  # the source is asked for, and is the same
    world.listed.clear()
    assert world.lock(old=lost) == old
    assert world.listed == []


def test_no_packages_are_all_of_go_sum():
    """For every user, and without asking what anybody needs."""
    world = shared({"all": USER % "", "one": USER % "./x"}, {})
    lock = world.lock()
    assert modules(lock.go_modules[refs.go_set("k/k")]) == [
        "e.org/a",
        "e.org/a/b",
        "e.org/b",
        "e.org/c",
    ]
    assert world.listed == []
    recipe = world.recipe("all")
    assert recipe.go_modules is not None
    assert Locked(lock, world, "amd64").modules(recipe, recipe.go_modules).modules


def test_another_folder_of_the_same_source_is_another_set():
    text = (USER % "./x").replace("from: k,", "from: k, directory: cmd,")
    world = shared({"one": USER % "./x", "two": text}, {"one": ONE, "two": TWO})
    lock = world.lock()
    assert {str(key): modules(held) for key, held in lock.go_modules.items()} == {
        "k/k": ["e.org/a", "e.org/a/b"],
        "k/k:cmd": ["e.org/c"],
    }


def test_spec_texts_do_not_hold_places():
    """A recipe that only moved its lines still fits its lock."""
    old = shared({"one": USER % "./x"}, {"one": ONE}).lock()
    moved = shared({"one": "\n\n# moved\n" + USER % "./x"}, {"one": ONE})
    assert moved.lock(old=old) == old
    assert moved.listed == []
    recipe = moved.recipe("one")
    assert recipe.go_modules is not None
    assert "recipe.yaml" not in spec_text(recipe.go_modules)


def test_a_description_that_nothing_answers_is_told():
    """Recipes that were read cannot hold it: `from` of a source recipe is refused there."""
    world = World({"k": K})
    use = SourceUse(spec=FromSpec(recipe="k"), where=Place("here"))
    recipe = evolve(world.recipe("k"), name="j", sources={"j": use})
    world.lock()
    assert world.resolver is not None
    with pytest.raises(RecipeError, match="no way to lock a reference to 'k'"):
        world.resolver.source(recipe, "j")


# ---- what has no answer


def locked_but(world: World, old: Lock | None = None) -> tuple[Lock, dict[str, RvbuildError]]:
    """A lock of all recipes, and what is wrong with those that it could not be made of."""
    failures: dict[str, RvbuildError] = {}
    return world.lock(old=old, failures=failures), failures


def test_a_source_that_cannot_be_had_fails_what_needs_it_and_nothing_else():
    """It is asked for once, whoever needs it."""
    texts = {
        "far": "kind: source\nsources: {b: {url: 'https://e.org/b'}}\n",
        "reader": "version: {from: far, line: 1, file: V}\nbuild: x\n",
        "user": "sources: {mine: {from: far}, own: {url: 'https://e.org/a'}}\nbuild: x\n",
        "kube": KUBE,
        "other": "sources: {mine: {from: kube}}\nbuild: x\n",
    }
    world = World(texts, outside=Outside(absent={"https://e.org/b"}))
    lock, failures = locked_but(world)
    assert sorted(failures) == ["far", "reader", "user"]
    assert len({id(error) for error in failures.values()}) == 1
    assert isinstance(failures["far"], SourceError)
    assert sorted(map(str, lock.sources)) == ["kube/kube"]
    assert not lock.pins
    assert [asked[1] for asked in world.outside.asked].count(("https://e.org/b",)) == 1
    with pytest.raises(SourceError):
        world.lock()


def test_a_pin_that_is_not_there_fails_its_recipe_alone():
    """Others need the source of that recipe, and have it."""
    texts = {
        "bad": f"version: {{from: bad, line: 1, file: gone}}\n{K}",
        "user": "sources: {mine: {from: bad}}\nbuild: x\n",
        "kube": KUBE,
    }
    lock, failures = locked_but(World(texts))
    assert {name: type(error) for name, error in failures.items()} == {"bad": Absent}
    assert sorted(map(str, lock.sources)) == ["bad/k", "kube/kube"]


@pytest.mark.parametrize("error", [StoreError("full"), SandboxError("none"), Interrupted("^C")])
def test_what_is_wrong_with_the_machine_is_wrong_for_all(error: RvbuildError):
    world = World({"kube": KUBE, "k": K}, outside=Outside(error=error))
    with pytest.raises(type(error)):
        locked_but(world)
