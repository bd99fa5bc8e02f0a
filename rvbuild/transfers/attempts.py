"""What each place answered that was asked for one thing.

Knows: how answers become one error. Must not know: what was asked for, or how.
"""

from __future__ import annotations

from attrs import define, field

from rvbuild.core.advice import Hint, joined
from rvbuild.core.errors import SourceError, VerificationError, WrongContent
from rvbuild.transfers.fetch_settings import OFFLINE_HINT, OFFLINE_LOCK_HINT
from rvbuild.transfers.urls import OWN_LOGIN, USE_NETRC, host_of, shown

TRY_AGAIN = "check the network and the address, or configure a mirror; then try again"
"""What to do about a server that gives no answer, where nobody knows more."""
_GENERAL = frozenset((TRY_AGAIN, OFFLINE_HINT, OFFLINE_LOCK_HINT))


@define
class Attempts:
    """The answers, in the order in which they came.

    - Each place has a line, and its own details below it, indented.
    - The hints of all of them reach the person, each once, before the general one: a server that
      wants a password, and one whose certificate nobody vouches for, have other remedies.
    - Whoever refused a login that stands in its address wants no other one: what to do about a
      password is not said where the same host was asked without it.
    - ``wrong``: one of them sent other bytes. That is what the error says then, whatever the
      others said.

    Example: ``a`` says 404 and ``b`` 401. The error's details are a line for each, and its hint
    is about the password for ``b`` first.

    Attributes:
        label: What was asked for.
    """

    label: str
    lines: list[str] = field(init=False, factory=list)
    wrong: bool = field(init=False, default=False)
    _hints: dict[Hint, set[str]] = field(init=False, factory=dict)
    """By each the hosts of the places that it is for."""

    def add(self, place: str, error: SourceError | VerificationError) -> None:
        """What the place, an address or a folder, answered."""
        self.failed(place, error.message, error.hint)
        self.lines.extend(f"  {line}" for line in error.details)
        self.wrong = self.wrong or isinstance(error, VerificationError)

    def failed(self, place: str, reason: str, hint: Hint | None = None) -> None:
        """Why the place did not have it, in one line, and what to do."""
        self.lines.append(f"{shown(place)}: {reason}")
        self._keep_hint(hint, host_of(place))

    def include(self, error: SourceError) -> None:
        """What a search of its own within this one came to."""
        self.lines.extend(error.details)
        self._keep_hint(error.hint, "")

    def _keep_hint(self, hint: Hint | None, host: str) -> None:
        if hint and hint not in _GENERAL:  # the search says that in its own words
            self._hints.setdefault(hint, set()).add(host)

    def _advice(self) -> list[Hint]:
        corrected = self._hints.get(OWN_LOGIN, set())
        return [
            hint
            for hint, hosts in self._hints.items()
            if hint != USE_NETRC or not hosts <= corrected
        ]

    def note(self, line: str) -> None:
        """What a person should know of the search."""
        self.lines.append(line)

    def error(self, hint: Hint, message: str = "") -> SourceError | VerificationError:
        """The error of a thing that no place has.

        Args:
            hint: What to do in general; empty inside of another search.
            message: What is said if no place sent other bytes; by default, about addresses.
        """
        details = tuple(self.lines)
        if self.wrong:
            text = "an address gave other bytes than the pinned ones, and no other had them"
            changed = joined(
                [*self._advice(), "what was published has changed, or a mirror is wrong", hint]
            )
            return WrongContent(text, where=self.label, hint=changed, details=details)
        text = message or ("no address had it" if details else "no address is known for it")
        advice = joined([*self._advice(), hint])
        return SourceError(text, where=self.label, hint=advice, details=details)
