"""A source as it is once a value of its recipe moves, before anything is written.

Knows: how its description gets the value, and its files. Must not know: what is read in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from attrs import evolve, frozen

from rvbuild.app.services import services_of
from rvbuild.app.session import Session
from rvbuild.app.source_outputs import SourceOutputs
from rvbuild.core.errors import SourceError
from rvbuild.core.patch_fit import PatchFit, Presence, ReadFile, says_upstream
from rvbuild.core.pinned import described
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.spec import SourceSpec
from rvbuild.core.tree import file_at
from rvbuild.kinds.declaration import keys
from rvbuild.release.literal_pin import LiteralPin, PinUse, source_text
from rvbuild.release.locked_values import LockedValues
from rvbuild.release.move import FOLLOWERS, PatchVerdict

_UPSTREAM_HAS = "upstream has it"
_UPSTREAM_MAY = "upstream may have it: its lines are there, and nobody knows if they are for it"


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
        return spec if value is None else _without_followers(spec, use)

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

    def patches(self, value: str, patches: tuple[str, ...]) -> PatchVerdict:
        """What becomes of patches; the source is fetched for that."""
        files = {path: data for path, data, _ in self.pin.recipe.files}
        return _verdict(PatchFit(self._reader(value)), {path: files[path] for path in patches})

    def _reader(self, value: str) -> ReadFile:
        session, spec = self.session, self.described(value)
        if spec is None:
            return lambda _: None
        outputs = SourceOutputs(services_of(session), session.jobs())
        (source,) = session.sources.resolve(spec, self.context)
        tree = outputs.nested(outputs.root(source))

        def read(path: str) -> bytes | None:
            node = file_at(tree, path)
            return None if node is None else outputs.read(node.digest)

        return read


def _verdict(fit: PatchFit, patches: Mapping[str, bytes]) -> PatchVerdict:
    """What becomes of patches of one source, which are applied in their order."""
    upstream, problems = list[str](), dict[str, str]()
    for path, data in patches.items():
        presence = fit.presence(data)
        if presence is Presence.THERE:
            if says_upstream(data):
                upstream.append(path)
            else:
                problems[path] = _UPSTREAM_HAS
            continue
        may = _UPSTREAM_MAY if presence is Presence.UNKNOWN else ""
        if problem := "; ".join(filter(None, (fit.problem(data), may))):
            problems[path] = problem
    return PatchVerdict(problems=problems, upstream=tuple(upstream))


def _without_followers(spec: SourceSpec, use: PinUse) -> SourceSpec:
    """A description without the words that are of the version from before."""
    words = set(FOLLOWERS) - {use.word}
    changes = {each.attribute: "" for each in keys(type(spec)) if each.word in words}
    return evolve(spec, **changes)
