"""Uploads beside a build: in order, in a thread of their own, and no fault of the build's."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rvbuild.caches.uploader import Uploader
from rvbuild.core.errors import CacheDown, StoreError

PATIENCE = 60


class Around:
    """Whether something is under way."""

    inside = False

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self.inside = True
        try:
            yield
        finally:
            self.inside = False


def test_work_is_done_in_its_order_and_nobody_waits_for_it():
    around = Around()
    uploader, gate, done = Uploader(around), threading.Event(), list[int]()
    uploader.add(lambda: done.append(int(gate.wait(PATIENCE) and around.inside)))
    uploader.add(lambda: done.append(2))
    assert done == []  # the first one waits, and we go on
    gate.set()
    uploader.finish()
    assert done == [1, 2]
    assert (uploader.failure, around.inside) == (None, False)


def test_the_first_error_ends_it_and_is_kept():
    uploader, done = Uploader(Around()), list[int]()

    def fail() -> None:
        msg = "no answer"
        raise CacheDown(msg)

    uploader.add(lambda: done.append(1))
    uploader.add(fail)
    uploader.add(lambda: done.append(3))
    uploader.finish()
    assert done == [1]
    assert isinstance(uploader.failure, CacheDown)
    uploader.add(lambda: done.append(4))
    uploader.finish()
    assert done == [1]


def test_a_full_disk_is_told_as_one():
    uploader = Uploader(Around())

    def fail() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    uploader.add(fail)
    uploader.finish()
    assert isinstance(uploader.failure, StoreError)
    assert uploader.failure.hint


def test_without_work_there_is_nothing_to_wait_for():
    uploader = Uploader(Around())
    assert not uploader.has_work
    uploader.finish()
