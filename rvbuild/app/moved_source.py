"""A source as it is once a value of its recipe moves, before anything is written.

Knows: how its description gets the value, and its files. Must not know: what is read in them.
"""

from __future__ import annotations

from attrs import frozen

from rvbuild.app.services import services_of
from rvbuild.app.session import Session
from rvbuild.app.source_outputs import SourceOutputs
from rvbuild.core.patch_fit import PatchFit, ReadFile, says_upstream
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.recipe import Recipe, substitute_spec, used_names
from rvbuild.core.spec import SourceSpec
from rvbuild.core.tree import file_at
from rvbuild.release.literal_pin import LiteralPin
from rvbuild.release.move import PatchVerdict


@frozen
class MovedSource:
    """The source that a value chooses.

    Attributes:
        session: The run.
        pin: The value as it is.
    """

    session: Session
    pin: LiteralPin

    def described(self, value: str | None = None) -> SourceSpec | None:
        """Its description, with the values that the recipe says itself; None: it has none.

        Args:
            value: What the value is to be; None: what it is.
        """
        chief, recipe = self.pin.chief, self.pin.recipe
        if chief is None:
            return None
        known = self._values(recipe)
        if value is not None:
            known[self.pin.variable] = value
        names = {name: known.get(name, name) for name in used_names(chief.spec)}
        return substitute_spec(chief.spec, names, recipe.at("sources"))

    def _values(self, recipe: Recipe) -> dict[str, str]:
        pins = {name: pin for name, pin in recipe.all_pins.items() if isinstance(pin, str)}
        fixed = {"name": recipe.base, "build_arch": self.session.build_arch}
        return {**fixed, **pins, **recipe.in_series.values}

    def patches(self, value: str, patches: tuple[str, ...]) -> PatchVerdict:
        """What becomes of patches; the source is fetched for that."""
        files = {path: data for path, data, _ in self.pin.recipe.files}
        fit = PatchFit(self._reader(value))
        there = {path for path in patches if fit.is_there(files[path])}
        upstream = tuple(path for path in patches if path in there and says_upstream(files[path]))
        problems = {
            path: "upstream has it" if path in there else fit.problem(files[path])
            for path in patches
            if path not in upstream
        }
        return PatchVerdict(
            problems={path: text for path, text in problems.items() if text}, upstream=upstream
        )

    def _reader(self, value: str) -> ReadFile:
        session, recipe, spec = self.session, self.pin.recipe, self.described(value)
        if spec is None:
            return lambda _: None
        context = ResolveContext(
            build_arch=session.build_arch,
            folder=recipe.folder,
            where=recipe.at("sources"),
            read=lambda *_: b"",
        )
        outputs = SourceOutputs(services_of(session), session.jobs())
        (source,) = session.sources.resolve(spec, context)
        tree = outputs.nested(outputs.root(source))

        def read(path: str) -> bytes | None:
            node = file_at(tree, path)
            return None if node is None else outputs.read(node.digest)

        return read
