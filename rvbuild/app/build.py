"""From targets to results in the user's hand.

Knows: the order of a build's parts. Must not know: how a part works.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from attrs import frozen

from rvbuild.app.asked_caches import asked_caches
from rvbuild.app.deliver import Goal, TargetResult, deliver
from rvbuild.app.ended_overrides import tell_of_ended
from rvbuild.app.folders import tell_of_modules
from rvbuild.app.refusals import refuse_no_folder, refuse_occupied, refuse_own
from rvbuild.app.result_place import Identity, identity, link_place
from rvbuild.app.services import services_of
from rvbuild.app.session import Session
from rvbuild.app.targets import goals, link_sound, link_unedited
from rvbuild.app.unvouched import tell_of_unvouched
from rvbuild.core.errors import raise_failures
from rvbuild.core.graph import RecipeGraph, Target, with_checkers
from rvbuild.core.link import Linked
from rvbuild.core.realisation import Realisation
from rvbuild.engine.build import build
from rvbuild.engine.realise import tell_nobody

if TYPE_CHECKING:
    from rvbuild.app.cache_uploads import CacheUploads

__all__ = ["BuildView", "TargetResult", "build_targets"]


@frozen(kw_only=True)
class BuildView:
    """What a build left.

    Attributes:
        results: In the order of the targets.
        recipes: The names of the recipes that were read.
        made: What the store says of them.
        failures: What is wrong with recipes and lock; what went wrong, in the order of the plan;
            then what kept a result from appearing.
        missing: The targets that have no result: they, or what they need, cannot be read; that or a
            check of theirs failed, or was not begun after a failure.
    """

    results: tuple[TargetResult, ...]
    recipes: tuple[str, ...]
    made: tuple[Realisation, ...] = ()
    failures: tuple[Exception, ...] = ()
    missing: tuple[str, ...] = ()

    def refuse_failures(self) -> None:
        """See that nothing failed.

        Raises:
            RvbuildError: the only failure.
            RunFailed: there are several.
        """
        raise_failures(self.failures, self.results, kept=True)


def build_targets(  # noqa: PLR0913 - each is an option of its own
    session: Session,
    targets: tuple[Target, ...],
    *,
    output: str | None = None,
    checks: bool = True,
    checkers: bool = False,
    keep_going: bool = False,
    uploads: CacheUploads | None = None,
) -> BuildView:
    """Build targets, run their checks, and let the results that are finished and checked appear.

    A failure is in the value, beside what was built: whoever calls this asks the value
    (``refuse_failures``).

    Args:
        session: Recipes, lock and store.
        targets: What to build.
        output: A folder for copies, DIR/TARGET; None: links at ./result/TARGET.
        checks: Whether to run the targets' checks.
        checkers: Whether to build what the targets are `checked-by`, too.
        keep_going: Whether to go on with what does not depend on a failure, also of a recipe that
            cannot be read.
        uploads: Takes what is made, while it is made; whoever gave them finishes them.

    Raises:
        UsageError: results cannot appear there; nothing was built.
        LockError: a folder was edited since it was locked; nothing was built.
        CacheError: uploads are required, and a cache takes none; nothing was built.
        Interrupted: the person pressed ^C; no result appears.
    """

    def link(targets: tuple[Target, ...], *, partly: bool) -> tuple[RecipeGraph, Linked]:
        every = with_checkers(targets, session.folder.load) if checkers else targets
        return link_unedited(session, every, checks=checks, partly=partly)

    _refuse_places(session, targets, output)
    (graph, linked), failures = link_sound(targets, link, keep_going=keep_going)
    tell_of_ended(session, graph.recipes.values())
    tell_of_unvouched(session, graph)
    checkers_only = (target for target in linked.results if target not in targets)
    _refuse_places(session, checkers_only, output)
    places = {target: _place(str(target), output) for target in linked.results}
    before = {place: identity(place) for place in places.values()}
    if uploads:
        uploads.begin(linked)
    with (
        session.store.locks.shared(),  # until the results are linked, so that no gc takes them
        asked_caches(session, linked) as substitutes,
    ):
        built = build(
            linked.derivations,
            goals(linked),
            services_of(session, substitutes, uploads.made if uploads else tell_nobody),
            jobs=session.jobs(),
            keep_going=keep_going,
        )
        wanted = _goals(linked, places, before)
        results, problems = deliver(session, built, wanted, as_copies=output is not None)
    tell_of_modules(built.failures, session.choices)
    asked = dict.fromkeys(map(str, (*targets, *linked.results)))
    there = {result.target for result in results}
    if uploads:
        uploads.results(target for target in linked.results if str(target) in there)
    return BuildView(
        results=tuple(results),
        recipes=tuple(graph.recipes),
        made=tuple(built.realised[each] for each in goals(linked) if each in built.realised),
        failures=(*failures, *built.failures, *problems),
        missing=tuple(name for name in asked if name not in there),
    )


def _goals(
    linked: Linked, places: Mapping[Target, str], before: Mapping[str, Identity | None]
) -> Iterator[Goal]:
    for target, digest in linked.results.items():
        yield Goal(
            target=str(target),
            derivation=digest,
            needs=frozenset({digest, *linked.checks[target]}),
            place=places[target],
            before=before[places[target]],
        )


def _place(target: str, output: str | None) -> str:
    return link_place(target) if output is None else os.path.abspath(os.path.join(output, target))


def _refuse_places(session: Session, targets: Iterable[Target], output: str | None) -> None:
    """Say before the build what would go wrong after it."""
    places = tuple(_place(str(target), output) for target in targets)
    if output is None:
        refuse_occupied(places)
    else:
        workspace = session.workspace
        refuse_no_folder(output)
        refuse_own(places, workspace.store, workspace.recipes, workspace.locks[0])
