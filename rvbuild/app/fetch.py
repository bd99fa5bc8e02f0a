"""Brings the sources of targets into the store.

Knows: which of a target's derivations are sources. Must not know: how one is fetched.
"""

from __future__ import annotations

from collections.abc import Mapping

from rvbuild.app.folders import refuse_edited
from rvbuild.app.services import services_of
from rvbuild.app.session import Session
from rvbuild.core.derivation import Fetch
from rvbuild.core.digest import Digest
from rvbuild.core.graph import Target
from rvbuild.engine.build import build


def fetch_sources(
    session: Session, targets: tuple[Target, ...], *, keep_going: bool = False
) -> Mapping[str, Digest]:
    """Fetch every source that targets and their checks need.

    Args:
        session: Whose store takes them.
        targets: Whose sources.
        keep_going: Whether to go on after a failure.

    Returns:
        The tree of each source, by its derivation.

    Raises:
        LockError: a folder was edited since it was locked; nothing was fetched.
        RvbuildError: the only failure.
        RunFailed: there are several.
    """
    _, linked = session.link(targets, checks=True)
    refuse_edited(linked, session.lock)
    sources = [key for key, each in linked.derivations.items() if isinstance(each, Fetch)]
    services = services_of(session)
    built = build(linked.derivations, sources, services, jobs=1, keep_going=keep_going)
    built.refuse_failures()
    return {key: built.realised[key].output for key in sources}
