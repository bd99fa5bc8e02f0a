"""Audits the results of targets again, by the rules of today.

Knows: which result is a target's. Must not know: the rules, how findings are shown.
"""

from __future__ import annotations

from attrs import frozen

from rvbuild.app.services import forbidden_paths
from rvbuild.app.session import Session
from rvbuild.core.advice import joined
from rvbuild.core.derivation import Step
from rvbuild.core.errors import AuditFailed, UsageError
from rvbuild.core.finding import Finding, Weight
from rvbuild.core.graph import Target
from rvbuild.engine.outputs import Inspection, inspect_outputs
from rvbuild.images.image_audit import audit_image


@frozen(kw_only=True)
class TargetAudit:
    """What is to be said of a target's result.

    Attributes:
        target: Whose.
        output: The digest of its tree.
        findings: All of them, also those that refuse nothing; none if its outputs are fit.
    """

    target: Target
    output: str
    findings: tuple[Finding, ...]

    @property
    def is_fit(self) -> bool:
        """Whether a build would accept it."""
        return not any(finding.weight is Weight.FAULT for finding in self.findings)


def audit_target(session: Session, target: Target) -> TargetAudit:
    """Look at a target's result as it is in the store; nothing is built or changed.

    Raises:
        UsageError: there is none.
        AuditFailed: somebody changed it.
    """
    _, linked = session.link((target,), checks=False)
    derivation = linked.derivations[linked.results[target]]
    result = session.lookup()(derivation.digest)
    if result is None:
        msg = "it has no result here that could be audited"
        raise UsageError(msg, where=str(target), hint="build it first")
    findings: list[Finding] = []
    if isinstance(derivation, Step):
        store = session.store
        how = Inspection(
            forbidden=forbidden_paths(store.layout), audit_image=audit_image, wanted=lambda: None
        )
        findings = inspect_outputs(derivation, store, store.trees.tree(result.output), how)
    return TargetAudit(target=target, output=str(result.output), findings=tuple(findings))


def refuse_unfit(audits: list[TargetAudit]) -> None:
    """See that all results are fit.

    Raises:
        AuditFailed: one is not.
    """
    unfit = [str(each.target) for each in audits if not each.is_fit]
    if unfit:
        msg = f"{len(unfit)} of {len(audits)} results are not what they must be"
        hints = [f.hint for each in audits for f in each.findings if f.weight is Weight.FAULT]
        raise AuditFailed(msg, where=", ".join(unfit), hint=joined(hints))
