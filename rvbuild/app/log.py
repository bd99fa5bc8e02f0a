"""The log of a step.

Knows: which of a target's steps people mean. Must not know: how a log is shown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from rvbuild.app.session import Session
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.derivation import Step
from rvbuild.core.digest import Digest
from rvbuild.core.errors import UsageError
from rvbuild.core.graph import Target
from rvbuild.core.link import Linked
from rvbuild.core.patches import AT as PATCHES
from rvbuild.core.ports.store import Store


def is_derivation(word: str) -> bool:
    """Whether a word is the digest of a derivation, and no target."""
    return bool(re.fullmatch(r"[0-9a-f]{64}", word))


def read_log(session: Session, subject: Target | str) -> bytes:
    """What a step wrote: of a target's steps the one that failed last, else that of the result.

    Args:
        session: Whose store is read; none is made.
        subject: A target, or the digest of a derivation.

    Raises:
        UsageError: no step of it has run here, or its log has gone.
    """
    steps = _steps(session, subject)
    log = _log(session.store, steps) if session.workspace.has_store else None
    if log is None:
        msg = "no step of it has run here"
        if session.workspace.has_store and os.path.isdir(session.store.layout.damaged):
            msg += ", or a repair of the store has set its result aside"
        raise UsageError(msg, where=str(subject), hint=advise(Remedy.BUILD.of(str(subject))))
    try:
        return session.store.cas.read(log)
    except KeyError:
        msg = "the log is not in the store any more"
        hint = advise(Remedy.BUILD.of(str(subject)), ": its log is there when its step has run")
        raise UsageError(msg, where=str(subject), hint=hint) from None


def _log(store: Store, steps: list[str]) -> Digest | None:
    """The log of the first step that failed, else of the first step."""
    failures = (store.failure_logs.failed(step) for step in steps)
    results = (store.realisations.realisation(step) for step in steps[:1])
    logs = [*failures, *(result.log for result in results if result)]
    return next((log for log in logs if log), None)


def _steps(session: Session, subject: Target | str) -> list[str]:
    """The derivations of a target's step, its checks, and what applies patches to its sources.

    Or the one that ``subject`` is.
    """
    if isinstance(subject, str):
        return [subject]
    _, linked = session.link((subject,), checks=True)
    result = linked.results[subject]
    return [result, *linked.checks[subject], *_patching(linked, result)]


def _patching(linked: Linked, result: str) -> Iterator[str]:
    """What applies patches to the sources of a step; no target is called so."""
    for digest in linked.derivations[result].inputs:
        needed = linked.derivations[digest]
        if isinstance(needed, Step) and any(each.path == PATCHES for each in needed.inputs_at):
            yield digest
