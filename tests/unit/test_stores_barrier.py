"""Waiting for the disk: who waits, and that a failure is not forgotten.

What syncfs answers is told by the test: a disk that fails is nothing that it could make.
"""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from rvbuild.core.errors import StoreError
from rvbuild.stores.barrier import AHEAD, Barrier


class Disk(Barrier):
    """A file system whose ``answers`` are given; afterwards all is well, as Linux says it."""

    def __init__(self, folder: Path, *answers: OSError | None) -> None:
        super().__init__(str(folder))
        self.answers = list(answers)

    def _sync(self) -> OSError | None:
        return self.answers.pop(0) if self.answers else super()._sync()


def test_each_wait_asks_a_disk_that_takes_everything(tmp_path: Path):
    """What was written after a barrier is not durable by it: the next one asks again."""
    disk = Disk(tmp_path, None, None, None)
    for left in (2, 1, 0):
        disk.wait()
        assert len(disk.answers) == left
    assert disk._sync() is None, "the test's own disk takes everything, too"


def test_after_a_failure_nothing_counts_as_durable(tmp_path: Path):
    """The kernel reports it once; what it lost may be part of what a later barrier is for."""
    disk = Disk(tmp_path, None, OSError(errno.EIO, "Input/output error"))
    disk.wait()
    for _ in range(3):
        with pytest.raises(StoreError, match="Input/output error") as caught:
            disk.wait()
        assert str(caught.value.where) == str(tmp_path)
    assert disk.answers == []


def test_after_an_interrupt_nothing_counts_as_durable(tmp_path: Path):
    """The kernel may have told a failure to the call that ^C ended, and tells it once."""

    class Pressed(Disk):
        pressed = False

        def _sync(self) -> OSError | None:
            if not self.pressed:
                self.pressed = True
                raise KeyboardInterrupt
            return super()._sync()

    disk = Pressed(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        disk.wait()
    for _ in range(2):
        with pytest.raises(StoreError, match="interrupted"):
            disk.wait()


class Watched(Disk):
    """A disk that says when it is asked."""

    def __init__(self, folder: Path, *answers: OSError | None) -> None:
        super().__init__(folder, *answers)
        self.asked = threading.Event()

    def _sync(self) -> OSError | None:
        self.asked.set()
        return super()._sync()


def test_the_disk_begins_before_somebody_waits(tmp_path: Path):
    """Otherwise all that was written lies in memory until the end."""
    disk = Watched(tmp_path)
    disk.wrote(AHEAD - 1)
    assert not disk.asked.is_set()
    disk.wrote(1)
    assert disk.asked.wait(10)


def test_a_failure_that_nobody_waited_for_is_told_to_who_waits(tmp_path: Path):
    """Linux reports it once, to the sync that nobody saw."""
    disk = Watched(tmp_path, OSError(errno.EIO, "Input/output error"))
    disk.wrote(AHEAD)
    assert disk.asked.wait(10)
    with pytest.raises(StoreError, match="Input/output error"):
        disk.wait()


def test_a_store_that_need_not_be_durable_asks_no_disk(tmp_path: Path):
    before = threading.active_count()
    barrier = Barrier(str(tmp_path), durable=False)
    barrier.wrote(AHEAD)
    assert threading.active_count() == before
