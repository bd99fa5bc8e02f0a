"""The sources of targets: what the lock and the store have of each.

Knows: recipes' sources by name, and that the lock may not have one.
Must not know: how any is fetched, how it is printed.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve, field, frozen

from rvbuild.app.descriptions import (
    SourceDescription,
    describe_bundle,
    describe_modules,
    describe_source,
    describe_spec,
)
from rvbuild.core.derivation import Fetch
from rvbuild.core.errors import LockError
from rvbuild.core.graph import Target
from rvbuild.core.link import Linked, Linker
from rvbuild.core.names import SourceRef
from rvbuild.core.pinned import described, named_source
from rvbuild.core.plan import Lookup
from rvbuild.core.recipe import Recipe


@frozen(kw_only=True)
class SourceStatus:
    """One source, with what there is of it.

    Attributes:
        description: What it is.
        recipe: The recipe to lock it with.
        name: RECIPE/SOURCE, as `--override` takes it; empty for what no recipe names.
        derivation: Its digest; None if the lock does not have the source.
        stored: Whether the store has it.
        machine: The one that it has programs for, if they are no tools of the build machine.
        patches: What changes it before a step sees it, in their order, each as RECIPE/FILE.
    """

    description: SourceDescription
    recipe: str = ""
    name: str = ""
    derivation: str | None = None
    stored: bool = False
    machine: str = ""
    patches: tuple[str, ...] = ()


@frozen
class SourceInventory:
    """Finds out what there is of the sources that a graph's recipes name.

    Attributes:
        linker: Of the graph, with a lock that may lack some.
        lookup: What the store has.
    """

    linker: Linker
    lookup: Lookup
    _missing: dict[str, SourceStatus] = field(factory=dict, init=False)

    def link(self, targets: tuple[Target, ...]) -> Linked | LockError:
        """The targets' derivations, or what the lock lacks first; `missing` then has the rest."""
        try:
            return self.linker.link(targets, checks=False)
        except LockError as error:
            for target in self.linker.graph.order():
                lacking = self.lacking(self.linker.graph.recipe(target.recipe))
                self._missing.update({each.name or each.description.name: each for each in lacking})
            return error

    @property
    def missing(self) -> list[SourceStatus]:
        """The sources that the lock does not have, after `link`."""
        return list(self._missing.values())

    def of(self, recipe: Recipe) -> Iterator[SourceStatus]:
        """A recipe's sources."""
        for name, use in recipe.sources.items():
            owner, own = named_source(self.linker.graph, recipe, name, use.where)
            patches = (f"{by.base}/{file}" for by, file in self.linker.patches(recipe, name))
            yield evolve(self._source(owner, own), patches=tuple(patches))

    def all(self) -> Iterator[SourceStatus]:
        """Every source by content that was linked, and what is missing."""
        machines = self._declared_machines()
        for digest, derivation in self.linker.derivations.items():
            if isinstance(derivation, Fetch):
                machine = derivation.source.machine or machines.get(digest, "")
                tool = machine == self.linker.build_arch and digest not in machines
                yield SourceStatus(
                    description=describe_source(derivation.source),
                    derivation=digest,
                    stored=self.lookup(digest) is not None,
                    machine="" if tool else machine,
                )
        yield from self.missing

    def _declared_machines(self) -> dict[str, str]:
        """What recipes say with `architecture:`, by the derivations of what they say it of."""
        machines: dict[str, str] = {}
        for recipe in self.linker.graph.recipes.values():
            for name, use in recipe.sources.items():
                machine = use.spec.machine
                digest = self._source(recipe, name).derivation if machine else None
                if digest is not None:
                    parts = self.linker.derivations[digest].inputs
                    machines |= dict.fromkeys((digest, *parts), machine)
        return machines

    def lacking(self, recipe: Recipe) -> Iterator[SourceStatus]:
        """What a recipe asks for and the lock does not have."""
        yield from (source for source in self.of(recipe) if source.derivation is None)
        if recipe.go_modules is not None:
            try:
                self.linker.go_modules(recipe, recipe.go_modules)
            except LockError:
                modules = describe_modules(recipe.name, recipe.go_modules)
                yield SourceStatus(description=modules, recipe=recipe.name)

    def _source(self, owner: Recipe, name: str) -> SourceStatus:
        key = str(SourceRef(owner.name, name))
        linker = self.linker
        try:
            spec = described(owner, name, linker.pinned, linker.build_arch)
        except LockError:  # a pin in its text
            spec = owner.sources[name].spec
        try:
            digest = linker.source(owner, name)
        except LockError:
            machine = spec.machine
            return SourceStatus(
                description=describe_spec(spec), recipe=owner.name, name=key, machine=machine
            )
        made = linker.derivations[digest]
        shown = (
            describe_source(made.source)
            if isinstance(made, Fetch)
            else describe_bundle(spec, len(made.inputs))
        )
        stored = self.lookup(digest) is not None
        return SourceStatus(
            description=shown, recipe=owner.name, name=key, derivation=digest, stored=stored
        )
