"""The first archive that has what somebody asks for.

Knows: what an archive's answer means for the next one. Must not know: how an index is read, what
is in one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from rvbuild.core.advice import Hint
from rvbuild.core.errors import Outdated
from rvbuild.kinds.debian.debian_index import Missing
from rvbuild.kinds.debian.debian_release import NoIndex
from rvbuild.kinds.debian.index_policy import Archive, Foreign
from rvbuild.transfers.attempts import Attempts

T = TypeVar("T")


def first_answer(
    suite: str, archives: Iterable[Archive], answer: Callable[[Archive], T], hint: Hint
) -> T:
    """What the first archive answers that has all of it.

    What an archive answers decides what comes next:

    - All that was asked for, by an index that is believed (`IndexPolicy`): no further archive is
      asked.
    - No answer, a refusal, or a page that is no index (a portal's); an index of another vendor; one
      without the architecture or one of the packages: the next archive is asked.
    - An index that was good once and is too old: the next archive is asked. If none has all of it,
      this is the error.
    - Any other index: an error at once. Somebody wants it to be believed, and the next archive's
      index may be old.

    Example: apt has ``a``, which is Docker's, and ``b``, a mirror whose index expired last week.
    The snapshot archive ``c`` has a good one, which is taken. If ``c`` does not answer, the error
    says that ``b``'s expired, and has a line for each of the three.

    Args:
        suite: For messages.
        archives: In the order to ask.
        answer: Asks one.
        hint: What to do if none has it.

    Raises:
        SourceError: no archive has it.
        VerificationError: an index is not to be believed.
    """
    attempts = Attempts(f"Debian {suite}")
    errors: list[Outdated | Missing] = []
    for archive in archives:
        try:
            return answer(archive)
        except NoIndex as error:
            attempts.include(error)
        except Foreign as error:
            attempts.add(archive.base, error)
        except (Outdated, Missing) as error:
            attempts.add(archive.base, error)
            errors.append(error)
    if not errors:
        raise attempts.error(hint)
    chief = next((error for error in errors if isinstance(error, Outdated)), errors[0])
    where = f"Debian {suite}" if isinstance(chief, Missing) else chief.where
    raise type(chief)(
        chief.message, where=where, hint=chief.hint, details=tuple(attempts.lines)
    ) from chief
