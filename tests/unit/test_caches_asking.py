"""Questions to several caches at once: each has an answer, whatever a cache does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing

import pytest
from attrs import define
from team import Ticks, member
from workshop import PATIENCE

from rvbuild.caches.asking import ask
from rvbuild.caches.verifying import VerifyingCache
from rvbuild.core.errors import CacheDown, CacheRefused, Interrupted, StoreError

NAMES = [f"records/ci/targets/{number}" for number in range(30)]


@define
class Asked:
    """A cache of records, of which one is answered otherwise."""

    answer: Callable[[], bytes | None]

    def record(self, name: str) -> bytes | None:
        return self.answer() if name == NAMES[17] else b"record"


def raising(error: Exception) -> Callable[[], bytes | None]:
    def answer() -> bytes | None:
        raise error

    return answer


def asked(*answers: Callable[[], bytes | None]) -> list[object]:
    """What came of all questions; an exception ends it. It must not wait for ever."""
    came: list[object] = []
    clock = Ticks()
    members = [
        member(VerifyingCache(Asked(each), str(at)), clock, str(at))  # type: ignore[arg-type]
        for at, each in enumerate(answers)
    ]

    def collect() -> None:
        try:
            with closing(ask(members, NAMES)) as told:
                came.extend(told)
        except Exception as error:  # noqa: BLE001 - what this is about
            came.append(error)

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive(), "somebody waits for an answer that nobody gives"
    return came


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("can't start new thread"),
        MemoryError(),
        KeyError("x"),
        OSError(24, "too many open files"),
        StoreError("no space"),
        Interrupted("^C"),
    ],
    ids=repr,
)
def test_what_is_no_answer_of_a_cache_is_raised(error: Exception):
    assert asked(raising(error), lambda: b"record")[-1] is error


@pytest.mark.parametrize("error", [CacheDown("silent"), CacheRefused("a login")], ids=repr)
def test_a_cache_that_gives_none_has_its_faults_as_answers(error: Exception):
    came = asked(raising(error), lambda: None)
    assert len(came) == 2 * len(NAMES)
    faults = [answer for answer in came if answer.fault]  # type: ignore[attr-defined]
    assert {answer.member.name for answer in faults} == {"0"}  # type: ignore[attr-defined]
