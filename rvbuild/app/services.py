"""What building uses: the adapters of a session, and the sandbox.

Knows: the executor and the auditor; only operations that build import them. Must not know: what
is built.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial

from rvbuild.app.asked_caches import why_unasked
from rvbuild.app.fit_executor import FitExecutor
from rvbuild.app.session import Session, cores
from rvbuild.core.events import Noticed, Reporter
from rvbuild.core.ports.substitutes import Substitutes
from rvbuild.core.recipe import ACCELERATORS
from rvbuild.engine.realise import Services, tell_nobody
from rvbuild.executors.local_executor import LocalExecutor
from rvbuild.images.image_audit import audit_image
from rvbuild.stores.layout import Layout


def services_of(
    session: Session,
    substitutes: Substitutes | None = None,
    made: Callable[[str], None] = tell_nobody,
) -> Services:
    """The services of a run; its store is made if there is none.

    Args:
        session: Whose run it is.
        substitutes: Takes results from caches, if any are asked.
        made: Told of each derivation that was made.
    """
    release, settings = session.choices.release, session.workspace.settings
    above = os.path.join(session.workspace.store, "accelerators")
    return Services(
        store=session.store,
        sources=session.sources,
        executor=_executor(session),
        report=session.report,
        clock=time.monotonic,
        audit_image=audit_image,
        substitutes=substitutes,
        made=made,
        accepts=session.accepts,
        pull=session.choices.pull,
        unasked=why_unasked(session) if session.choices.pull and not substitutes else "",
        release=release,
        builder=settings.builder,
        variant=bool(session.choices.overrides or settings.replace or settings.options),
        accelerators={} if release else {n: os.path.join(above, n) for n in ACCELERATORS},
        forbidden=forbidden_paths(session.store.layout),
    )


def forbidden_paths(layout: Layout) -> tuple[bytes, ...]:
    """The folders of a store that no output may name; its root it may, which can be ``/data``."""
    folders = (layout.trees, layout.tmp, layout.cas)
    return tuple(os.fsencode(f"{folder}/") for folder in folders)


def _executor(session: Session) -> FitExecutor:
    layout = session.store.layout
    executor = LocalExecutor(
        session.store,
        layout.tmp,
        jobs=cores(),
        keep_failed=session.choices.keep_failed,
        notice=partial(_notice, session.report),
        locks=layout.locks,
    )
    return FitExecutor(executor, (layout.trees, layout.tmp))


def _notice(report: Reporter, text: str) -> None:
    report(Noticed("steps", text))
