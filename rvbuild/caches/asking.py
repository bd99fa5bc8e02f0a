"""Asks several caches for records at once.

Knows: members, threads. Must not know: what records say, when an answer is enough.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Generator, Sequence

from attrs import frozen

from rvbuild.caches.member import Member
from rvbuild.core.errors import CacheError

AT_ONCE = 8
"""Questions to one cache at the same time."""


@frozen
class Answer:
    """What a cache has under a name: the record, or None. ``fault``: why it did not say."""

    member: Member
    name: str
    record: bytes | None
    fault: Exception | None = None


def ask(members: Sequence[Member], names: Sequence[str]) -> Generator[Answer, None, None]:
    """The answer of each member to each name, as they come.

    Whoever has enough closes the iterator: then no more is asked, and nobody waits for what is
    under way. The threads are left behind: a cache that hangs must not keep a program from ending.

    Raises:
        Interrupted: the run was cancelled.
        Exception: whatever else went wrong with a question.
    """
    answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    lists = [(member, deque(names)) for member in members if not member.is_out]
    try:
        for member, left in lists:
            for _ in range(min(AT_ONCE, len(names))):
                worker = threading.Thread(target=_work, args=(member, left, answers), daemon=True)
                worker.start()
        for _ in range(len(lists) * len(names)):
            answer = answers.get()
            if answer.fault and not isinstance(answer.fault, CacheError):
                raise answer.fault
            yield answer
    finally:
        for _, left in lists:
            left.clear()


def _work(member: Member, names: deque[str], answers: queue.SimpleQueue[Answer]) -> None:
    while True:
        try:
            name = names.popleft()
        except IndexError:
            return
        try:
            answer = Answer(member, name, member.record(name))
        except Exception as error:  # noqa: BLE001 - whoever waits for the answer raises it
            answer = Answer(member, name, None, error)
        answers.put(answer)
