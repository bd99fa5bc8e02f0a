"""Runs tasks as soon as their inputs are there.

Knows: *in what order*, on how many workers, and what a failure stops.
Must not know: what a task does.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from attrs import define, field

from rvbuild.core.errors import Interrupted, RvbuildError, SubstituteError
from rvbuild.core.events import Phase
from rvbuild.core.plan import Plan, Task

FETCH_WORKERS = 16
"""Fetches wait for the network, not for a core."""

_WAITING = frozenset({Phase.FETCH, Phase.SUBSTITUTE})

LONGEST_WAIT = 0.5
"""Seconds after which ^C is seen, at the latest."""

Work = Callable[[Task], None]

Replan = Callable[[str], Mapping[str, Task]]
"""Tasks that make, after all, what one task could not take from a cache; in an order to run.

None of them is that one if somebody else has made it meanwhile. An RvbuildError is its failure.
"""


@define
class _Lane:
    """Workers for one kind of work, and the digests that wait until one is free."""

    pool: ThreadPoolExecutor
    free: int
    waiting: deque[str] = field(factory=deque)


class Scheduler:
    """One run of a plan.

    Args:
        plan: What to do; every task's inputs are tasks or kept.
        work: Does one task, in a worker's thread.
        jobs: How many steps run at once.
        keep_going: Whether work that does not depend on a failed task goes on.
        replan: What to do instead of a task whose offer was lost; None: that is its failure.
    """

    def __init__(
        self,
        plan: Plan,
        work: Work,
        *,
        jobs: int,
        keep_going: bool,
        replan: Replan | None = None,
    ) -> None:
        self._tasks: dict[str, Task] = {}
        self._work = work
        self._replan = replan
        self._keep_going = keep_going
        self._fetching = _Lane(ThreadPoolExecutor(FETCH_WORKERS, "fetch"), FETCH_WORKERS)
        self._stepping = _Lane(ThreadPoolExecutor(jobs, "step"), jobs)
        self._missing: dict[str, int] = {}
        self._users: dict[str, list[str]] = {}
        self._done: queue.SimpleQueue[tuple[str, Future[None]]] = queue.SimpleQueue()
        self._errors: dict[str, Exception] = {}
        self._finished: set[str] = set()
        self._add(plan.tasks)

    def run(self, stop: Callable[[], None]) -> Mapping[str, Exception]:
        """Do everything that can be done; the errors by derivation digest.

        Args:
            stop: Ends what is running, at once: after ^C, or a failure without ``keep_going``.
        """
        try:
            self._loop()
            if self._errors and not self._keep_going:
                stop()
        except BaseException:
            stop()
            raise
        finally:
            self._fetching.pool.shutdown()  # waits for what runs
            self._stepping.pool.shutdown()
        self._take_late()
        return self._errors

    def _take_late(self) -> None:
        """The failures of tasks that ended while a failure ended the run; none was stopped."""
        while not self._done.empty():
            digest, future = self._done.get()
            error = future.exception()
            is_lost = isinstance(error, SubstituteError) and self._replan
            if isinstance(error, Exception) and not isinstance(error, Interrupted) and not is_lost:
                self._errors[digest] = error

    def _loop(self) -> None:
        running = self._fill()
        while running:
            digest, future = self._next_done()
            running -= 1
            self._lane(digest).free += 1
            error = future.exception()
            if isinstance(error, SubstituteError) and self._replan:
                error = self._do_instead(digest, self._replan)
            elif error is None:
                self._release(digest)
            if isinstance(error, Exception):
                self._errors[digest] = error
                if not self._keep_going:
                    return
            elif error:
                raise error
            running += self._fill()

    def _do_instead(self, lost: str, replan: Replan) -> Exception | None:
        """Do what a lost offer would have saved; the error if nobody knows what that is."""
        try:
            tasks = replan(lost)
        except RvbuildError as error:
            return error
        del self._tasks[lost]  # who waits for it goes on waiting
        self._add(tasks)
        if lost not in self._tasks:
            self._release(lost)
        return None

    def _next_done(self) -> tuple[str, Future[None]]:
        """Wait for a task to end.

        A signal that comes just before the wait begins does not end it: ^C would be seen
        only when a task ends. So the wait is cut into pieces.
        """
        while True:
            with suppress(queue.Empty):
                return self._done.get(timeout=LONGEST_WAIT)

    def _lane(self, digest: str) -> _Lane:
        return self._fetching if self._tasks[digest].phase in _WAITING else self._stepping

    def _fill(self) -> int:
        """Give every free worker a task; how many that were.

        No more: what is in a pool starts even while a failure is on its way here.
        """
        started = 0
        for lane in (self._fetching, self._stepping):
            while lane.free and lane.waiting:
                self._start(lane, lane.waiting.popleft())
                started += 1
        return started

    def _start(self, lane: _Lane, digest: str) -> None:
        lane.free -= 1
        future = lane.pool.submit(self._work, self._tasks[digest])
        future.add_done_callback(lambda done: self._done.put((digest, done)))

    def _add(self, tasks: Mapping[str, Task]) -> None:
        """Take tasks on; one that is here already stays what it is."""
        fresh = {digest: task for digest, task in tasks.items() if digest not in self._tasks}
        self._tasks |= fresh
        for digest, task in fresh.items():
            inputs = {each for each in task.inputs if each in self._tasks} - self._finished
            self._missing[digest] = len(inputs)
            for given in inputs:
                self._users.setdefault(given, []).append(digest)
            if not inputs:
                self._lane(digest).waiting.append(digest)

    def _release(self, digest: str) -> None:
        """Let those go that waited for this input only."""
        self._finished.add(digest)
        for user in self._users.get(digest, ()):
            self._missing[user] -= 1
            if not self._missing[user]:
                self._lane(user).waiting.append(user)
