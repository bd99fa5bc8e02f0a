"""The errors that rvbuild reports, and the exit code of each.

Knows: what went wrong, where, why, and what to do next. Must not know: how it is printed.

::

    RvbuildError
     ├─ UsageError            2  the command line
     │   ├─ NoDefaultSeries   2  … a name that may mean several recipes
     │   └─ NoSeries          2  … a series of a recipe that has none
     ├─ RecipeError           3  a recipe, with file, line and column
     ├─ LockError             3  a lock, or a lock that does not fit its recipe
     │   ├─ Absent            3  … a place in a source that lacks what a pin reads there
     │   └─ OverrideEnded     3  … a value instead of upstream's that has to be decided again
     ├─ SourceError           4  a source could not be had
     │   └─ Unreachable       4  its server gives no usable answer
     ├─ SubstituteError       4  a cache does not give what it offered, so that it is made
     ├─ CacheError            4  a cache could not do what it was asked; no build fails for it
     │   ├─ CacheMiss         4  … it lacks an object
     │   ├─ CacheDown         4  … it gives no usable answer now, and may later
     │   │   └─ CacheBusy     4  … since somebody collects it, or pushes into it
     │   └─ CacheRefused      4  … it does not let us, or cannot: waiting does not help
     ├─ VerificationError     5  bytes, a tree or an output are not what they must be
     │   ├─ WrongContent      5  … bytes that are not the pinned ones
     │   ├─ Malformed         5  … an archive, an index, a program of no known form
     │   ├─ Damaged           5  … something in the store, which a repair sets aside
     │   │   └─ MissingObject 5  … a blob or a tree that something in the store names
     │   ├─ CacheFault        5  … something in a cache, which to push again heals
     │   ├─ Conflict          5  … two inputs with different things at one path
     │   ├─ Untrusted         5  … an index that no trusted key vouches for
     │   ├─ Outdated          5  … an index that was good once, and no longer is
     │   └─ AuditFailed       5  … an output that breaks its rules
     ├─ StepError             1  a step failed
     │   └─ CheckFailed       1  a check of a result failed
     ├─ StoreError            1  the store could not be read or written (disk full, …)
     │   ├─ NewerRecord       1  … a newer rvbuild wrote something there
     │   └─ CloneError        1  … a clone of one repository could not be kept there
     ├─ OutputError           1  an answer could not be written to standard output
     ├─ SandboxError          6  the machine cannot run sealed steps
     ├─ RunFailed             …  several of these in one run; the code of the first
     └─ Interrupted         130  ^C; 128 + N for another signal N
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Self, TypeVar

from rvbuild.core.advice import Hint
from rvbuild.core.loss import Loss, Unavailable
from rvbuild.core.place import Place

E = TypeVar("E", bound=Exception)

Where = Place | str
"""A place in a file; or a URL, the name of a step, a file of a store."""


_SIGINT = 2


class RvbuildError(Exception):
    """What happened (``message``), where (``where``), and what to do next (``hint``).

    Args:
        message: One sentence, no trailing newline.
        where: A place in a file, a URL, or the name of a step.
        hint: What the reader can do about it; the command line has its words for it.
        details: Further lines: each attempt of a transport, the last lines of a log.
    """

    exit_code: int = 1

    def __init__(
        self,
        message: str,
        *,
        where: Where | None = None,
        hint: Hint | None = None,
        details: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        self.details = details

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class UsageError(RvbuildError):
    """The command line asks for something that does not exist or does not fit."""

    exit_code = 2


class NoDefaultSeries(UsageError):
    """The command line names a recipe that has series, and none of these is the default.

    Args:
        message: See `RvbuildError`.
        where: The name.
        hint: What makes one of them the default.
        series: The series that the recipe has.
    """

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        series: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.series = series


class NoSeries(UsageError):
    """The command line names a series of a recipe that is the same in all."""


class RecipeError(RvbuildError):
    """A recipe is not valid; ``where`` is ``file:line:column``."""

    exit_code = 3


class LockError(RvbuildError):
    """A lock is not valid, or does not fit the recipes."""

    exit_code = 3


class Absent(LockError):
    """A place in a source does not have the value that a pin reads there."""


class OverrideEnded(LockError):
    """A value stands instead of upstream's, and upstream has another now, or its time is over.

    Args:
        message: See `RvbuildError`.
        where: The place of what stands instead.
        hint: See `RvbuildError`.
        details: See `RvbuildError`.
        upstream: Upstream's value, if that is why; empty: the last day is over.
    """

    def __init__(
        self,
        message: str,
        *,
        where: Where | None = None,
        hint: Hint | None = None,
        details: tuple[str, ...] = (),
        upstream: str = "",
    ) -> None:
        super().__init__(message, where=where, hint=hint, details=details)
        self.upstream = upstream


class SourceError(RvbuildError):
    """A source could not be had from any transport; ``details`` names each attempt."""

    exit_code = 4


class Unreachable(SourceError):
    """A server gave no usable answer, however often it was asked."""


class SubstituteError(RvbuildError):
    """A result that a cache offered could not be had there; whoever needs it makes it.

    Args:
        message: See `RvbuildError`.
        where: The name of the step.
        hint: See `RvbuildError`.
        details: What each cache said.
        loss: Why, as data; None: as ``message`` and ``details`` have it.
    """

    exit_code = 4

    def __init__(
        self,
        message: str,
        *,
        where: Where | None = None,
        hint: Hint | None = None,
        details: tuple[str, ...] = (),
        loss: Loss | None = None,
    ) -> None:
        super().__init__(message, where=where, hint=hint, details=details)
        self.loss = loss or Unavailable(message, details)


class CacheError(RvbuildError):
    """A cache could not do what it was asked; ``where`` has its address."""

    exit_code = 4


class CacheMiss(CacheError, KeyError):
    """A cache lacks an object: it never had it, or somebody removed it."""


class CacheDown(CacheError):
    """A cache gives no usable answer now: it is silent, broken, busy, or not reachable.

    Attributes:
        retry_after: Seconds for which the cache asked not to be asked; None if it did not say.
        late: Whether somebody waited for it as long as anybody waits.
    """

    def __init__(  # noqa: PLR0913 - keyword-only
        self,
        message: str,
        *,
        retry_after: float | None = None,
        late: bool = False,
        where: Where | None = None,
        hint: Hint | None = None,
        details: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, where=where, hint=hint, details=details)
        self.retry_after = retry_after
        self.late = late


class CacheBusy(CacheDown):
    """A cache is somebody else's for now, who collects it or pushes into it; or may be."""


class CacheRefused(CacheError):
    """A cache refuses (a login, a right), or cannot do at all what it was asked."""


class VerificationError(RvbuildError):
    """Something is not what it must be, and nothing is made of it.

    Whoever raises one raises a class below, which says what can be done about it.
    """

    exit_code = 5


class WrongContent(VerificationError):
    """Bytes came that are not the pinned ones: what was published changed, or a mirror is wrong."""


class Malformed(VerificationError):
    """Something has no form that is known, or one that nothing may have.

    An archive is damaged, or leads out of its tree; an index, a message or a program is not one.
    """


class Damaged(VerificationError):
    """Something in the store is not what its name says; a repair sets it aside."""


class MissingObject(Damaged, KeyError):
    """A blob or a tree is not in the store.

    Whoever can do without it catches a KeyError. For whoever cannot, something in the store names
    what it lacks: then the store is damaged.
    """


class CacheFault(VerificationError):
    """A cache lacks what it should have, or has other bytes; to push again heals what is lost."""


class Conflict(VerificationError):
    """Two inputs have different things at one path."""


class Untrusted(VerificationError):
    """An index has no proof of being what it claims: no good signature, or another suite's."""


class Outdated(VerificationError):
    """An index is what an archive once said, and no longer what holds."""


class AuditFailed(VerificationError):
    """The output of a step breaks the rules of its recipe, or those of all outputs."""


class StepError(RvbuildError):
    """A step ran and failed; ``details`` holds the last lines of its log."""

    exit_code = 1


class CheckFailed(StepError):
    """A check of a result ran and failed; the result is there."""


class StoreError(RvbuildError):
    """The store could not be read or written."""

    exit_code = 1


class NewerRecord(StoreError):
    """A record of the store is of a version that only a newer rvbuild reads."""


class CloneError(StoreError):
    """The clone of one repository could not be read or written; the store takes other things."""


class OutputError(RvbuildError):
    """The answer could not be written to standard output; what was done is done."""


class SandboxError(RvbuildError):
    """This machine cannot run sealed steps; ``hint`` says how to get there."""

    exit_code = 6


class Interrupted(RvbuildError):
    """The person pressed ^C, or the terminal or the machine asked for the end."""

    exit_code = 130

    @classmethod
    def by(cls, error: KeyboardInterrupt, message: str) -> Self:
        """The one for a signal, whose number ``error`` has (see `cli.interrupts`)."""
        interrupted = cls(message)
        interrupted.exit_code = 128 + next(iter(error.args), _SIGINT)
        return interrupted


class RunFailed(RvbuildError):
    """Several things went wrong in one run.

    Its exit code is that of the first failure.

    Attributes:
        failures: At least two, in the order of the plan.
        results: What went well, as the operation's own value has it.
    """

    def __init__(
        self, failures: Sequence[Exception], results: object = (), *, kept: bool = False
    ) -> None:
        """``kept`` is whether the operation stored what went well."""
        kept_text = "; what went well is kept" if kept else ""
        super().__init__(f"{len(failures)} failures{kept_text}")
        self.failures = tuple(failures)
        self.results = results
        first = failures[0]
        self.exit_code = first.exit_code if isinstance(first, RvbuildError) else 1


def single_failures(failures: Iterable[Exception]) -> list[Exception]:
    """The same failures, each alone where several came as one."""
    nested = (each.failures if isinstance(each, RunFailed) else [each] for each in failures)
    return [failure for group in nested for failure in group]


def each_once(errors: Iterable[E]) -> list[E]:
    """The errors that say something else, each once: several recipes may meet one."""
    return list({(str(error), *_details(error)): error for error in errors}.values())


def _details(error: Exception) -> tuple[str, ...]:
    return error.details if isinstance(error, RvbuildError) else ()


def leaves_others_whole(error: Exception) -> bool:
    """Whether an error is of one recipe, or of what that asked for.

    Others can be dealt with all the same: the machine, the store and the command line are as good
    for them as before, which `StoreError`, `SandboxError` and `UsageError` deny. A `CloneError` is
    of one repository.
    """
    if isinstance(error, RunFailed):
        return all(map(leaves_others_whole, error.failures))
    of_one = RecipeError | LockError | SourceError | VerificationError | StepError | CloneError
    return isinstance(error, of_one)


def raise_failures(
    failures: Sequence[Exception], results: object = (), *, kept: bool = False
) -> None:
    """Raise what went wrong, if anything did.

    Args:
        failures: What went wrong.
        results: What went well beside it.
        kept: Whether the operation stored that; one that only looks stores nothing.

    Raises:
        Exception: the only failure.
        RunFailed: there are several.
    """
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise RunFailed(failures, results, kept=kept)


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """``did you mean …?`` for a word that is close to a known one."""
    close = closest(word, known)
    return f"did you mean {close!r}?" if close else None


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that another is most like, if it is like any."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else None
