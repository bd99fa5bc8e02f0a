"""`rvbuild lock`: finds out what recipes are pinned to.

Knows: which facts a lock holds and when an old one still stands. Must not know: registries,
how trees are made. The only part of rvbuild that resolves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from attrs import define, field

from rvbuild.core.digest import Digest
from rvbuild.core.errors import LockError, RecipeError, RvbuildError
from rvbuild.core.gomod import parse_go_sum
from rvbuild.core.lock import (
    GoModuleSet,
    Lock,
    LockedSource,
    PinValue,
    modules_key,
    source_key,
    spec_text,
)
from rvbuild.core.pinned import Recipes, described, git_fact, named_source
from rvbuild.core.recipe import (
    DebianSpec,
    GitSpec,
    GoModuleSpec,
    GoModulesSpec,
    GoToolchainSpec,
    Ladder,
    PathSpec,
    Reading,
    Recipe,
    SourceSpec,
    UrlSpec,
    WheelSpec,
)
from rvbuild.core.source import (
    DebianFile,
    GitSource,
    GoModule,
    GoToolchain,
    PathSource,
    Source,
    UrlSource,
)
from rvbuild.core.tree import File, Nested
from rvbuild.engine.go_list import Import, needed_modules
from rvbuild.readers import Found, adjust, read_pin


class Registries(Protocol):
    """Asks the outside what a description stands for; see rvbuild.fetchers."""

    def git(self, url: str, commit: str, paths: tuple[str, ...]) -> GitSource: ...

    def go_module(self, path: str, version: str) -> str:
        """The module's h1."""
        ...

    def go_toolchain(self, version: str, platform: str) -> str: ...

    def wheel(self, project: str, version: str, arch: str) -> Source: ...

    def debian(
        self, packages: tuple[str, ...], suite: str, arch: str, without: tuple[str, ...]
    ) -> tuple[Source, ...]: ...

    def url(self, urls: tuple[str, ...], debian: DebianFile | None) -> str:
        """The SHA-256 of the file."""
        ...

    def path(self, path: str) -> PathSource: ...


class Trees(Protocol):
    """Gives sources' trees and their files, fetching what is missing."""

    def root(self, source: Source) -> Digest: ...

    def nested(self, root: Digest) -> Nested: ...

    def read(self, blob: Digest) -> bytes: ...


Imports = Callable[[Recipe, GoModulesSpec], "set[Import]"]
"""What a recipe's packages import, on all its architectures."""


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
    """

    recipes: Recipes
    registries: Registries
    trees: Trees
    build_arch: str
    old: Lock
    imports: Imports | None = None
    pins: dict[str, PinValue] = field(factory=dict, init=False)
    sources: dict[str, LockedSource] = field(factory=dict, init=False)
    go_modules: dict[str, GoModuleSet] = field(factory=dict, init=False)
    _wanted: dict[str, list[tuple[Recipe, GoModulesSpec]]] = field(factory=dict, init=False)
    _under_way: list[str] = field(factory=list, init=False)

    def lock(self, recipes: Iterable[Recipe], users: Iterable[Recipe] = ()) -> Lock:
        """Resolve all of ``recipes``.

        Args:
            recipes: What to resolve.
            users: Further recipes that share sets of Go modules with them.
        """
        listed = list(recipes)
        names = {recipe.name for recipe in listed}
        for recipe in (*listed, *(user for user in users if user.name not in names)):
            if recipe.go_modules is not None:
                owner, name = self._named(recipe, recipe.go_modules.source, recipe.file)
                key = modules_key(f"{owner.name}/{name}", recipe.go_modules.directory)
                self._wanted.setdefault(key, []).append((recipe, recipe.go_modules))
        for recipe in listed:
            self._everything(recipe)
        return Lock(pins=self.pins, sources=self.sources, go_modules=self.go_modules)

    def _everything(self, recipe: Recipe) -> None:
        for name in recipe.all_pins:
            self.pin(recipe, name)
        for name, use in recipe.sources.items():
            owner, own = self._named(recipe, name, use.where)
            self.source(owner, own)
        if recipe.go_modules is not None:
            self.modules(recipe, recipe.go_modules)

    def _named(self, recipe: Recipe, name: str, where: str) -> tuple[Recipe, str]:
        return named_source(self.recipes, recipe, name, where)

    def _once(self, key: str, where: str, find: Callable[[], None]) -> None:
        """Refuse a fact that is needed to find itself."""
        if key in self._under_way:
            circle = " → ".join([*self._under_way[self._under_way.index(key) :], key])
            msg = f"pins need each other in a circle: {circle}"
            raise RecipeError(msg, where=where)
        self._under_way.append(key)
        try:
            find()
        finally:
            self._under_way.pop()

    # ---- pins

    def pin(self, recipe: Recipe, name: str) -> str:
        """The value of a pin."""
        pin = recipe.all_pins[name]
        if isinstance(pin, str):
            return pin
        if isinstance(pin, Reading) and pin.reader == "git":
            return self._fact(recipe, pin)
        key = f"{recipe.name}/{name}"
        if key not in self.pins:

            def find() -> None:
                self.pins[key] = self._climb(recipe, pin, key)

            self._once(f"pin {key}", pin.where, find)
        return self.pins[key].value

    def _fact(self, recipe: Recipe, pin: Reading) -> str:
        owner, source = self._named(recipe, pin.source, pin.where)
        return adjust(pin, git_fact(self.source(owner, source)[0], pin))

    def _climb(self, recipe: Recipe, pin: Reading | Ladder, key: str) -> PinValue:
        if isinstance(pin, Reading):
            return self._pinned(recipe, pin, spec_text(pin))
        values = [self._pinned(recipe, rung, spec_text(pin)) for rung in pin.rungs]
        if len({value.value for value in values}) > 1 and pin.prefer is None:
            msg = f"the places that declare {key} disagree"
            rungs = tuple(f"{v.value}  {v.source} {v.file}:{v.line}" for v in values)
            hint = "say `prefer: N` beside 'first-of' if one of them is right"
            raise LockError(msg, where=pin.where, details=rungs, hint=hint)
        return values[(pin.prefer or 1) - 1]

    def _pinned(self, recipe: Recipe, pin: Reading, spec: str) -> PinValue:
        if pin.reader == "literal":
            return PinValue(value=pin.argument, spec=spec, source=recipe.name)
        owner, name = self._named(recipe, pin.source, pin.where)
        if pin.reader == "git":
            fact = git_fact(self.source(owner, name)[0], pin)
            return PinValue(value=adjust(pin, fact), spec=spec, source=owner.name)
        found = self._read(owner, name, pin)
        return PinValue(
            value=found.value, spec=spec, source=owner.name, file=pin.file, line=found.line
        )

    def _read(self, owner: Recipe, name: str, pin: Reading) -> Found:
        data = self._file(owner, name, pin.file, pin.where)
        return read_pin(pin, data, f"{owner.name}:{pin.file}")

    def _file(self, owner: Recipe, name: str, file: str, where: str) -> bytes:
        parts = self.source(owner, name)
        node: object = self.trees.nested(self.trees.root(parts[0]))
        for part in file.split("/"):
            node = node.get(part) if isinstance(node, dict) else None
        if len(parts) != 1 or not isinstance(node, File):
            msg = f"the source {owner.name}/{name} has no file {file}"
            raise LockError(msg, where=where)
        return self.trees.read(node.digest)

    # ---- sources

    def source(self, recipe: Recipe, name: str) -> tuple[Source, ...]:
        """The parts of one of the recipe's own sources."""
        use = recipe.sources[name]
        key = source_key(recipe.name, name, use.spec, self.build_arch)
        if key not in self.sources:

            def find() -> None:
                spec = described(recipe, name, self, self.build_arch)
                text = spec_text(spec)
                held = self.old.sources.get(key)
                if held is None or held.spec != text:
                    parts = self._parts(recipe, spec, use.where)
                    held = LockedSource(spec=text, parts=parts)
                self.sources[key] = held

            self._once(f"source {key}", use.where, find)
        return self.sources[key].parts

    def _parts(self, recipe: Recipe, spec: SourceSpec, where: str) -> tuple[Source, ...]:
        try:
            return self._find(recipe, spec, where)
        except RvbuildError as error:
            error.details = (*error.details, f"asked for at {where}")
            raise

    def _find(  # noqa: PLR0911 - one return a kind
        self, recipe: Recipe, spec: SourceSpec, where: str
    ) -> tuple[Source, ...]:
        ask = self.registries
        match spec:
            case GitSpec():
                return (ask.git(spec.url, spec.commit, spec.paths),)
            case GoModuleSpec():
                return (self._go_module(recipe, spec, where),)
            case GoToolchainSpec():
                platform = f"linux-{self.build_arch}"
                h1 = ask.go_toolchain(spec.version, platform)
                return (GoToolchain(version=spec.version, platform=platform, h1=h1),)
            case WheelSpec():
                return (ask.wheel(spec.project, spec.version, self.build_arch),)
            case DebianSpec():
                return ask.debian(spec.packages, spec.suite, self.build_arch, spec.without)
            case UrlSpec():
                return (self._url(spec),)
            case PathSpec():
                folder = recipe.file.rsplit("/", 1)[0]
                return (ask.path(f"{folder}/{spec.path}"),)
        msg = f"no way to lock a {type(spec).__name__}"
        raise RecipeError(msg, where=where)

    def _go_module(self, recipe: Recipe, spec: GoModuleSpec, where: str) -> GoModule:
        h1 = ""
        if spec.go_sum:
            owner, name = self._named(recipe, spec.go_sum, where)
            sums = parse_go_sum(self._text(owner, name, "go.sum", where), f"{owner.name}:go.sum")
            h1 = sums.modules.get((spec.path, spec.version), "")
            if not h1:
                msg = f"{owner.name}'s go.sum does not have {spec.path} {spec.version}"
                raise LockError(msg, where=where)
        return GoModule(
            path=spec.path,
            version=spec.version,
            h1=h1 or self.registries.go_module(spec.path, spec.version),
        )

    def _text(self, owner: Recipe, name: str, file: str, where: str) -> str:
        return self._file(owner, name, file, where).decode(errors="replace")

    def _url(self, spec: UrlSpec) -> UrlSource:
        mirror = spec.debian
        debian = DebianFile(package=mirror[0], file=mirror[1]) if mirror else None
        urls = (spec.url,) if spec.url else ()
        sha256 = spec.sha256 or self.registries.url(urls, debian)
        return UrlSource(
            urls=urls, sha256=sha256, strip=spec.strip, unpack=spec.unpack, debian=debian
        )

    # ---- Go modules

    def modules(self, recipe: Recipe, spec: GoModulesSpec) -> GoModuleSet:
        """The modules of a source's module: without ``packages``, all of its go.sum."""
        owner, name = self._named(recipe, spec.source, spec.where)
        key = modules_key(f"{owner.name}/{name}", spec.directory)
        if not spec.packages:
            return self._all_modules(owner, name, spec)
        if key not in self.go_modules:

            def find() -> None:
                users = self._wanted.get(key, [(recipe, spec)])
                specs = tuple(sorted({spec_text(wanted) for _, wanted in users}))
                held = self.old.go_modules.get(key)
                if held is None or held.specs != specs or not self._unchanged(owner, name):
                    held = self._needed_modules(owner, name, users, specs)
                self.go_modules[key] = held

            self._once(f"modules {key}", spec.where, find)
        return self.go_modules[key]

    def _unchanged(self, owner: Recipe, name: str) -> bool:
        key = source_key(owner.name, name, owner.sources[name].spec, self.build_arch)
        held = self.old.sources.get(key)
        return held is not None and held.parts == self.source(owner, name)

    def _all_modules(self, owner: Recipe, name: str, spec: GoModulesSpec) -> GoModuleSet:
        file = "go.sum" if spec.directory == "." else f"{spec.directory}/go.sum"
        sums = parse_go_sum(self._text(owner, name, file, spec.where), f"{owner.name}:{file}")
        return GoModuleSet(
            specs=(spec_text(spec),),
            modules=_triples(sums.modules),
            mods=_triples(sums.mods),
        )

    def _needed_modules(
        self,
        owner: Recipe,
        name: str,
        users: list[tuple[Recipe, GoModulesSpec]],
        specs: tuple[str, ...],
    ) -> GoModuleSet:
        if self.imports is None:
            msg = "nobody can tell which Go modules are needed"
            raise LockError(msg, where=owner.file)
        whole = self._all_modules(owner, name, users[0][1])
        found = {each for recipe, spec in users for each in self.imports(recipe, spec)}
        wanted = needed_modules(found, ((path, version) for path, version, _ in whole.modules))
        modules = tuple(m for m in whole.modules if (m[0], m[1]) in wanted)
        return GoModuleSet(specs=specs, modules=modules, mods=whole.mods)


def _triples(sums: Mapping[tuple[str, str], str]) -> tuple[tuple[str, str, str], ...]:
    return tuple((path, version, h1) for (path, version), h1 in sorted(sums.items()))
