"""Many questions at once.

Knows: threads. Must not know: what is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

AT_ONCE = 16
"""Questions of one call that are asked at once."""

A = TypeVar("A")
Q = TypeVar("Q")


@contextmanager
def workers(most: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that ask a cache; whoever uses them waits for them to end.

    After an error, an interrupt too, nobody waits: a server may take minutes for a large object.
    What is under way is left behind, and ended by whoever opened the cache.
    """
    pool = ThreadPoolExecutor(most)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def ask_all(ask: Callable[[Q], A], questions: Sequence[Q]) -> list[A]:
    """The answers, in the order of the questions.

    The first error is raised, and what was not asked by then is not asked: of a server that is
    silent, nobody waits for the answer to each of a thousand questions.
    """
    if len(questions) < 2:
        return [ask(question) for question in questions]
    with workers(min(AT_ONCE, len(questions))) as pool:
        return [each.result() for each in [pool.submit(ask, question) for question in questions]]
