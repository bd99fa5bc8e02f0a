"""Audits the results of targets again, by the rules of today.

Knows: which result is a target's. Must not know: the rules, how findings are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from attrs import frozen

from rvbuild.app.services import forbidden_paths
from rvbuild.app.session import Session
from rvbuild.core.advice import joined
from rvbuild.core.derivation import Step
from rvbuild.core.errors import AuditFailed, UsageError, VerificationError, raise_failures
from rvbuild.core.finding import Finding, Weight
from rvbuild.core.graph import Target
from rvbuild.engine.outputs import Inspection, inspect_outputs
from rvbuild.images.image_audit import audit_image


@frozen(kw_only=True)
class AuditView:
    """What is to be said of the results of targets.

    Attributes:
        audits: In the order of the targets, without those that could not be looked at.
        failures: Why a target could not.
    """

    audits: tuple[TargetAudit, ...]
    failures: tuple[Exception, ...] = ()

    def refuse_failures(self) -> None:
        """See that all results could be looked at, and are fit.

        Raises:
            AuditFailed: some are not fit.
            RvbuildError: one could not be looked at.
            RunFailed: several of these.
        """
        unfit = [audit for audit in self.audits if not audit.is_fit]
        raise_failures([*_refusal(unfit, len(self.audits)), *self.failures], self.audits)


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


def audit_targets(
    session: Session, targets: Iterable[Target], report: Callable[[TargetAudit], None]
) -> AuditView:
    """Look at targets' results as they are in the store; nothing is built or changed.

    Args:
        session: Whose store.
        targets: Whose results.
        report: Takes each at once: a large result takes a minute.

    Raises:
        RecipeError, LockError: a recipe or a lock is not valid.
    """
    audits: list[TargetAudit] = []
    failures: list[Exception] = []
    for target in targets:
        try:
            audit = _audit(session, target)
        except (UsageError, VerificationError) as error:
            failures.append(error)
        else:
            audits.append(audit)
            report(audit)
    return AuditView(audits=tuple(audits), failures=tuple(failures))


def _audit(session: Session, target: Target) -> TargetAudit:
    """Look at one target's result.

    Raises:
        UsageError: there is none.
        VerificationError: somebody changed it.
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


def _refusal(unfit: Sequence[TargetAudit], count: int) -> Iterator[AuditFailed]:
    """The error for results of ``count`` that are not fit, if there are any."""
    if unfit:
        msg = f"{len(unfit)} of {count} results are not what they must be"
        faults = (f for each in unfit for f in each.findings if f.weight is Weight.FAULT)
        where = ", ".join(str(each.target) for each in unfit)
        yield AuditFailed(msg, where=where, hint=joined(fault.hint for fault in faults))
