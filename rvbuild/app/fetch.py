"""Brings the sources of targets into the store.

Knows: which of a target's derivations are sources. Must not know: how one is fetched.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from rvbuild.app.services import services_of
from rvbuild.app.session import Session
from rvbuild.app.targets import link_sound, link_unedited
from rvbuild.core.derivation import Fetch
from rvbuild.core.digest import Digest
from rvbuild.core.errors import raise_failures
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.link import Linked
from rvbuild.engine.build import build


@frozen(kw_only=True)
class FetchView:
    """What fetching left.

    Attributes:
        labels: What each source that was asked for is called, by its derivation, in hex.
        trees: The digest of the tree of each that is there, by its derivation.
        failures: What is wrong with recipes and lock; what went wrong, in the order of the plan.
        unknown: The targets whose sources nobody can tell: they, or what they need, cannot be read.
    """

    labels: Mapping[str, str]
    trees: Mapping[str, Digest]
    failures: tuple[Exception, ...] = ()
    unknown: tuple[str, ...] = ()

    def refuse_failures(self) -> None:
        """See that every source could be had.

        Raises:
            RvbuildError: the only failure.
            RunFailed: there are several.
        """
        raise_failures(self.failures, self.trees, kept=True)

    @property
    def missing(self) -> tuple[str, ...]:
        """The labels of the sources that are not there, then the targets that are `unknown`."""
        labels = (label for key, label in self.labels.items() if key not in self.trees)
        return (*labels, *self.unknown)


def fetch_sources(
    session: Session, targets: tuple[Target, ...], *, keep_going: bool = False
) -> FetchView:
    """Fetch every source that targets and their checks need.

    Args:
        session: Whose store takes them.
        targets: Whose sources.
        keep_going: Whether to go on after a failure, also of a recipe that cannot be read.

    A failure is in the value, beside what was fetched (``refuse_failures``).

    Raises:
        LockError: a folder was edited since it was locked; nothing was fetched.
        Interrupted: the person pressed ^C; what was fetched is kept.
    """

    def link(targets: tuple[Target, ...], *, partly: bool) -> tuple[RecipeGraph, Linked]:
        return link_unedited(session, targets, checks=True, partly=partly)

    (_, linked), failures = link_sound(targets, link, keep_going=keep_going)
    sources = [key for key, each in linked.derivations.items() if isinstance(each, Fetch)]
    services = services_of(session)
    built = build(linked.derivations, sources, services, jobs=1, keep_going=keep_going)
    trees = {key: built.realised[key].output for key in sources if key in built.realised}
    labels = {key: linked.derivations[key].label for key in sources}
    return FetchView(
        labels=labels,
        trees=trees,
        failures=(*failures, *built.failures),
        unknown=tuple(str(target) for target in targets if target not in linked.results),
    )
