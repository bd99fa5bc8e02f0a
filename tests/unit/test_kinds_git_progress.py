"""What a `git fetch` may tell for how long before it is given up."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from attrs import define

from rvbuild.git.fetch_progress import GitProgress

STALL = 60.0

Lines = Callable[[int], bytes]

NO_PROGRESS: dict[str, Lines] = {
    "silence": lambda _: b"",
    "words": lambda n: b"remote: hello %d\r" % n,
    "the same number": lambda _: b"remote: Counting objects:  34% (34/100)\r",
    "falling numbers": lambda n: b"remote: Counting objects: %d\r" % (10**6 - n),
    "another phase each time": lambda n: b"remote: Phase %s: 1\r" % bytes([97 + n % 26]) * 3,
    "a line without an end": lambda n: b"Receiving objects: %d" % n,
    "no data": lambda _: b"Receiving objects:   0% (0/100), 0 bytes | 0 bytes/s\r",
    "a byte at a time": lambda n: b"Receiving objects: 1%% (1/999), %d bytes | 1 bytes/s\r" % n,
    "an object at a time": lambda n: b"Receiving objects: 0%% (%d/999999)\r" % n,
    "nothing that git writes": lambda n: bytes([n % 256]) * 100,
}

PROGRESS: dict[str, Lines] = {
    "data": lambda n: b"Receiving objects: 1%% (1/999), %d.50 KiB | 99 KiB/s\r" % (n * 5),
    "much data": lambda n: b"Receiving objects: 1%% (1/999), 1.%02d GiB | 99 KiB/s\r" % (n % 100),
    "small objects": lambda n: b"Receiving objects: 1%% (%d/999999), 1.00 GiB | 1\r" % (n * 64),
    "deltas": lambda n: b"Resolving deltas:  1%% (%d/999999)\r" % n,
    "connectivity": lambda n: b"Checking connectivity: %d\r" % n,
    "data in two reads": lambda n: b"s: 1%% (1/9), %d.50 KiB | 9 KiB/s\rReceiving object" % (n * 5),
}


@define
class Clock:
    """A time that a test sets."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def lasted(lines: Lines, *, every: float) -> float:
    """Seconds until it is given up, up to a thousand stalls."""
    clock = Clock()
    progress = GitProgress(STALL, lambda _: None, clock)
    for number in itertools.count(1):
        if progress.left() <= 0 or clock.now > 1000 * STALL:
            break
        progress.take(lines(number))
        clock.now += min(every, max(progress.left(), 0.001))
    return clock.now


@pytest.mark.parametrize("lines", NO_PROGRESS.values(), ids=NO_PROGRESS.keys())
def test_what_is_no_progress_ends(lines: Lines):
    """After a stall, or soon after: the first of it may be new."""
    assert lasted(lines, every=1.0) < 4 * STALL


@pytest.mark.parametrize("lines", PROGRESS.values(), ids=PROGRESS.keys())
def test_what_is_progress_goes_on(lines: Lines):
    """The control: for as long as the test looks, though a line comes but every 50 seconds."""
    numbers = iter(range(99)) if lines is PROGRESS["much data"] else itertools.count(1)

    def each(_: int) -> bytes:
        return lines(next(numbers, 0))

    assert lasted(each, every=50.0) > (80 if lines is PROGRESS["much data"] else 900) * STALL


def test_a_server_may_prepare_for_a_while():
    """Its numbers rise: that is progress, and not for ever."""
    seconds = lasted(lambda n: b"remote: Counting objects: %d\r" % n, every=1.0)
    assert 10 * STALL <= seconds <= 11 * STALL


def test_the_bytes_that_came_are_told():
    told: list[int] = []

    def pieces() -> Iterator[bytes]:
        yield b"remote: Counting objects: 100% (9/9), done.\nReceiving objects:  4"
        yield b"5% (9/20), 1.50 KiB | 300 KiB/s\rReceiving objects: 99% (19/20), 2.00 MiB | 1\r"

    progress = GitProgress(STALL, told.append)
    for piece in pieces():
        progress.take(piece)
    assert told == [1536, 2 << 20]
