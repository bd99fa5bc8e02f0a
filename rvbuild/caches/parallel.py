"""Many questions at once.

Knows: threads. Must not know: what is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

AT_ONCE = 16
"""Questions of one call that are asked at once."""

A = TypeVar("A")
Q = TypeVar("Q")


def ask_all(ask: Callable[[Q], A], questions: Sequence[Q]) -> list[A]:
    """The answers, in the order of the questions.

    The first error is raised, and what was not asked by then is not asked: of a server that is
    silent, nobody waits for the answer to each of a thousand questions.
    """
    if len(questions) < 2:
        return [ask(question) for question in questions]
    with ThreadPoolExecutor(min(AT_ONCE, len(questions))) as pool:
        futures = [pool.submit(ask, question) for question in questions]
        try:
            return [future.result() for future in futures]
        except BaseException:  # an interrupt, too
            pool.shutdown(wait=False, cancel_futures=True)
            raise
