"""What a lock says of one thing in several entries: it cannot have two contents.

Knows: which things have one content wherever they are named. Must not know: recipes.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import LockError
from rvbuild.core.go_source import MODULE
from rvbuild.core.lock import Lock
from rvbuild.core.names import Ref
from rvbuild.core.place import Place
from rvbuild.core.source import Thing

Word = tuple[object, Ref, "Place | None"]
"""What an entry says that a thing's content is: that, the entry's name, and its place."""


def refuse_two_contents(lock: Lock) -> None:
    """See that entries of a lock agree with each other.

    Raises:
        LockError: two entries have one thing with different contents.
    """
    for thing, *words in two_contents(lock):
        msg = f"{lock.file} has {' '.join(thing)} with two contents"
        details = tuple(f"{where or ref}: {content}" for content, ref, where in words)
        hint = advise(Remedy.LOCK, ", which asks for both again")
        raise LockError(msg, where=words[1][2] or lock.file, hint=hint, details=details)


def in_agreement(lock: Lock) -> Lock:
    """The lock without the entries that contradict each other."""
    wrong = {word[1] for _, *words in two_contents(lock) for word in words}
    return evolve(
        lock,
        sources={ref: entry for ref, entry in lock.sources.items() if ref not in wrong},
        go_modules={ref: entry for ref, entry in lock.go_modules.items() if ref not in wrong},
    )


def two_contents(lock: Lock) -> Iterator[tuple[Thing, Word, Word]]:
    """What entries contradict each other about, with the first word on it and the other one."""
    known: dict[Thing, Word] = {}
    for thing, word in _words(lock):
        first = known.setdefault(thing, word)
        if first[0] != word[0]:
            yield thing, first, word


def _words(lock: Lock) -> Iterator[tuple[Thing, Word]]:
    for ref, source in lock.sources.items():
        for number, part in enumerate(source.parts):
            for thing, content in part.contents:
                yield thing, (content, ref, source.place(number, "kind"))
    for set_ref, modules in lock.go_modules.items():
        for path, version, h1 in modules.modules:
            yield (MODULE, path, version), (h1, set_ref, modules.where)
