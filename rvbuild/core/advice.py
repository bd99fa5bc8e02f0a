"""What a reader can do next, as data.

Knows: what rvbuild offers to whoever called it. Must not know: the option, command or function by
which a caller asks for it; the command line's words are in `cli.remedies`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import groupby
from typing import Union

from attrs import frozen


class Remedy(Enum):
    """Something that rvbuild does for its caller; the value is its plain English."""

    LOCK = "lock again"
    LOCK_ONLINE = "lock again, online"
    RELOCK = "take its entry out of the lock, and lock again"
    FETCH_ONLINE = "fetch the sources first, online"
    MIRROR = "give a mirror"
    OVERRIDE = "override the source by a folder"
    STORE = "use another store"
    COLLECT = "collect the store's garbage"
    REPAIR = "repair the store"
    IMPORT = "import the former store's sources"
    FEWER_STEPS = "run fewer steps at once"
    NO_RELEASE = "build without being a release"
    NO_CHECKS = "do without the checks"
    VARIANT = "choose another option or input"
    COPIES = "have the results copied elsewhere"
    LIST = "look at the list of recipes"
    BUILD = "build it"
    LOG = "read the whole log"
    BEGIN = "begin with a starter recipe"
    MEND_CACHE = "have damaged objects removed from the cache"
    NEW_KEY = "make a key to sign with"
    TRUST_KEY = "trust its public key"
    KEYS = "look at whose word counts"
    COMPARE = "compare it with what a cache has"
    MOVE_TO = "say which version to move to"
    MOVE_ALONE = "move it alone"
    SAY = "say it with the update"
    SETTINGS = "look at the settings and their files"

    def of(self, subject: str) -> Use:
        """The remedy for a certain subject: a recipe, a target, a folder."""
        return Use(self, subject)


@frozen
class Use:
    """A remedy, and what it is used on."""

    remedy: Remedy
    subject: str = ""

    def __str__(self) -> str:
        plain = self.remedy.value
        return f"{plain}: {self.subject}" if self.subject else plain


@frozen
class Advice:
    """A sentence in which remedies stand: ``check the network, or `` and then `Remedy.MIRROR`.

    As text it is plain English, for a caller that has no better words.
    """

    parts: tuple[str | Use, ...]

    def __str__(self) -> str:
        return "".join(str(part) for part in self.parts)


Hint = Union[str, Advice]
"""What to do next; ``""`` for nothing."""


def advise(*parts: str | Remedy | Use | Advice) -> Advice:
    """Put a sentence together from text, remedies, and other advice."""
    sentence: list[str | Use] = []
    for part in parts:
        if isinstance(part, Advice):
            sentence += part.parts
        else:
            sentence.append(Use(part) if isinstance(part, Remedy) else part)
    return Advice(tuple(sentence))


_BETWEEN = "; "


def joined(hints: Iterable[Hint | None]) -> Advice | None:
    """Several hints as one, in their order; None if there is none.

    Each is said once: also one that an earlier call joined with others, and one whose words are a
    part of another's.
    """
    clauses = [clause for hint in hints if hint for clause in _clauses(hint)]
    by_text = {str(clause): clause for clause in clauses}
    parts: list[str | Advice] = []
    for text, clause in by_text.items():
        words = re.compile(rf"(?<!\w){re.escape(text)}(?!\w)")
        if not any(words.search(other) for other in by_text if other != text):
            parts += [_BETWEEN, clause] if parts else [clause]
    return advise(*parts) if parts else None


def _clauses(hint: Hint) -> Iterator[Advice]:
    """The hints that were joined to one."""
    parts = (hint,) if isinstance(hint, str) else hint.parts
    for is_between, clause in groupby(parts, lambda part: part == _BETWEEN):
        if not is_between:
            yield Advice(tuple(clause))
