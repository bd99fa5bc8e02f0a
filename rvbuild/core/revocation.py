"""The word that a key is no longer good: nothing that it signed is accepted, whenever it did.

Knows: the text of such a word. Must not know: files, clocks.

Two lines: the key, so that the word holds also where the key's own file is gone or has another
name; then the day and the reason::

    rvbuild-ed25519 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo= ci
    2026-11-29 the laptop was stolen
"""

from __future__ import annotations

import re

from attrs import field, frozen
from attrs.validators import matches_re

from rvbuild.core.errors import UsageError
from rvbuild.core.place import Place
from rvbuild.core.public_key import PublicKey, text_lines

_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_WHY = r"[!-~]([ -~]{0,498}[!-~])?"
_SECOND = re.compile(f"({_DAY}) ({_WHY})")
_FORM = "write two lines: the public key; then YEAR-MONTH-DAY and the reason"


@frozen
class Revocation:
    """Which key, since which day (``2026-11-29``), and why: one line of ASCII."""

    key: PublicKey
    day: str = field(validator=matches_re(_DAY))
    why: str = field(validator=matches_re(_WHY))

    def __str__(self) -> str:
        return f"{self.key}\n{self.day} {self.why}"

    @classmethod
    def read(cls, data: bytes, file: str) -> Revocation:
        """Read a file that ``str`` was written to.

        Raises:
            UsageError: it holds something else; with line and column.
        """
        first, second = text_lines(data, file, 2, _FORM)
        match = _SECOND.fullmatch(second)
        if match is None:
            msg = "a day and a reason must be here"
            raise UsageError(msg, where=Place(file, 2), hint=_FORM)
        return cls(PublicKey.parse(first, Place(file, 1)), match[1], match[2])
