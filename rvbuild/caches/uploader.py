"""Brings results into one cache beside a build, in a thread of its own.

Knows: an order of work, and that nobody waits for it. Must not know: which results, what is told.

The rules:

1. Nothing here blocks or fails who builds. The first error ends the upload, and is kept.
2. Work is done in the order in which it came: a target's closure comes after what is below it.
3. No work takes longer without progress than the cache's own calls do: each of them ends in time.
4. The thread is left behind when the program ends.

Example: a build makes a library, then a program. While the program is built, the library is sent.
The server dies then; the program is built all the same, and its target is owed.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from attrs import define, field

from rvbuild.core.errors import StoreError
from rvbuild.core.system_fault import Site, hint_for

Work = Callable[[], None]

_LOOK = 0.5
"""Seconds between two looks of who waits for the end."""


@define
class Uploader:
    """One cache's uploads.

    Attributes:
        around: What holds while something is sent, as that nothing in the store goes away.
        failure: What ended the uploads; None if nothing did.
    """

    around: Callable[[], AbstractContextManager[None]]
    failure: Exception | None = field(default=None, init=False)
    _works: queue.SimpleQueue[Work | None] = field(factory=queue.SimpleQueue, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    @property
    def has_work(self) -> bool:
        """Whether anybody gave it something to do."""
        return self._thread is not None

    def add(self, work: Work) -> None:
        """Do something after what was added before."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        self._works.put(work)

    def finish(self, look: Callable[[], None] = lambda: None) -> None:
        """Wait until all is done, or one of it failed; ``look`` is called every now and then."""
        if self._thread is not None:
            self._works.put(None)
            while self._thread.is_alive():
                self._thread.join(_LOOK)
                look()

    def _run(self) -> None:
        try:
            with self.around():
                while (work := self._works.get()) is not None:
                    work()
        except OSError as error:  # of the disk on which packs are made
            msg = f"packs cannot be made: {error.strerror or error}"
            self.failure = StoreError(msg, hint=hint_for(error.errno, Site.ELSEWHERE))
        except Exception as error:  # noqa: BLE001 - whoever finishes is told of any
            self.failure = error
