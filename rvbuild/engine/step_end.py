"""How a step ended: what it left, or what is said of its failure.

Knows: outcomes, and the last lines of logs. Must not know: how a step is run, or its output judged.
"""

from __future__ import annotations

from rvbuild.core.action import Outcome
from rvbuild.core.advice import Remedy, Use, advise, joined
from rvbuild.core.derivation import Step
from rvbuild.core.digest import Digest
from rvbuild.core.errors import CheckFailed, RvbuildError, StepError
from rvbuild.core.ports.cas import Cas
from rvbuild.engine.exit_meaning import describe_exit

LOG_TAIL = 25
"""How many of a failed step's last lines its error shows."""


def output_of(step: Step, outcome: Outcome, cas: Cas, *, variant: bool) -> Digest:
    """What a step left, if it went well: the root of a tree.

    Args:
        step: Which.
        outcome: What running it gave.
        cas: Has its log.
        variant: Whether a target's name alone does not lead to the step.

    Raises:
        StepError: it did not go well, or left nothing.
        RvbuildError: what it left is none.
    """
    whole_log = _whole_log(step, variant=variant)
    if outcome.exit_code:
        raise _failure(step, outcome, cas.read(outcome.log), whole_log)
    if outcome.refusal is not None:
        raise _refused(step, outcome.refusal, whole_log)
    if outcome.output is None:
        msg = "the step left no output: $out is no folder any more"
        hint = 'put what it makes into $out, as `cp FILE "$out/"`, and leave the folder itself'
        raise StepError(msg, where=step.label, hint=hint)
    if step.expect is not None:
        log = cas.read(outcome.log)
        if step.expect.encode() not in log:
            msg = f"the check's output does not have {step.expect!r}"
            hint = "change the program, or the check's `expect`"
            raise CheckFailed(msg, where=step.label, details=_tail(log), hint=hint)
    return outcome.output


def _refused(step: Step, why: RvbuildError, whole_log: Use) -> RvbuildError:
    """What is wrong with an output, with the step that left it and where to read on."""
    why.where = step.label
    why.hint = joined([why.hint, advise(whole_log)])
    return why


def _whole_log(step: Step, *, variant: bool) -> Use:
    """How to read the step's log, which is that of a target or of a derivation."""
    name = step.label.rpartition(" of ")[2] if step.is_check else step.label
    return Remedy.LOG.of(step.digest if variant or " " in name else name)


def _tail(log: bytes) -> tuple[str, ...]:
    return tuple(log.decode(errors="replace").removesuffix("\n").split("\n")[-LOG_TAIL:])


def _failure(step: Step, outcome: Outcome, log: bytes, whole_log: Use) -> StepError:
    why = outcome.limit or describe_exit(outcome.exit_code)
    what = "the check failed" if step.is_check else "the step failed"
    hint = advise(whole_log)
    details = _tail(log)
    if outcome.folder:
        details += (f"its folder: {outcome.folder}",)
        again = "; run `enter` in its folder to try it again, `enter sh` to look around"
        hint = advise(hint, again)
    failure = CheckFailed if step.is_check else StepError
    return failure(f"{what}: {why}", where=step.label, details=details, hint=hint)
