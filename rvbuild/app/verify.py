"""Hashes everything in the store again.

Knows: what a finding means for a caller. Must not know: how a store is looked at.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from rvbuild.app.store import existing_store
from rvbuild.app.workspace import Workspace
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import Damaged
from rvbuild.stores.findings import Finding, Verified
from rvbuild.stores.verify import verify

__all__ = ["Finding", "Verification", "Verified", "verify_store"]


@frozen(kw_only=True)
class Verification:
    """What was looked at, and each thing that is not as it must be.

    Attributes:
        store: Its folder.
        counts: How much of each kind was looked at, and is damaged or missing.
        findings: In the order in which they were met.
    """

    store: str
    counts: Verified
    findings: tuple[Finding, ...]

    def refuse_findings(self) -> None:
        """See that the store is whole.

        Raises:
            VerificationError: something in it is damaged or missing.
        """
        if not self.findings:
            return
        damaged, missing = self.counts.damaged, self.counts.missing
        objects = f"{missing} missing object{'s' * (missing != 1)}"
        msg = f"the store has {damaged} damaged and {objects}"
        hint = advise(Remedy.REPAIR, ", which sets aside what is damaged; then build again")
        raise Damaged(msg, where=self.store, hint=hint)


def verify_store(
    workspace: Workspace, report: Callable[[Finding], None] | None = None
) -> Verification:
    """Look at everything in the store, and change nothing.

    Args:
        workspace: Its folders.
        report: Takes each finding at once: a large store takes minutes.

    Raises:
        UsageError: there is no store.
    """
    findings: list[Finding] = []

    def take(finding: Finding) -> None:
        findings.append(finding)
        if report is not None:
            report(finding)

    counts = verify(existing_store(workspace), take)
    return Verification(store=workspace.store, counts=counts, findings=tuple(findings))
