"""Runs tasks as soon as their inputs are there.

Knows: *in what order*, on how many workers, and what a failure stops.
Must not know: what a task does.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from attrs import frozen

from rvbuild.core.events import Phase
from rvbuild.core.plan import Plan, Task

FETCH_WORKERS = 16
"""Fetches wait for the network, not for a core."""

Work = Callable[[Task], None]


@frozen(kw_only=True)
class Failures:
    """Errors by derivation digest, and the digests of tasks that were not tried."""

    errors: Mapping[str, Exception]
    skipped: frozenset[str]


class Scheduler:
    """One run of a plan.

    Args:
        plan: What to do; every task's inputs are tasks or kept.
        work: Does one task, in a worker's thread.
        jobs: How many steps run at once.
        keep_going: Whether work that does not depend on a failed task goes on.
    """

    def __init__(self, plan: Plan, work: Work, *, jobs: int, keep_going: bool) -> None:
        self._tasks = plan.tasks
        self._work = work
        self._keep_going = keep_going
        self._jobs = jobs
        self._missing: dict[str, int] = {}
        self._users: dict[str, list[str]] = {}
        for digest, task in plan.tasks.items():
            inputs = {given for given in task.derivation.inputs if given in plan.tasks}
            self._missing[digest] = len(inputs)
            for given in inputs:
                self._users.setdefault(given, []).append(digest)
        self._done: queue.SimpleQueue[tuple[str, Future[None]]] = queue.SimpleQueue()
        self._errors: dict[str, Exception] = {}

    def run(self, stop: Callable[[], None]) -> Failures:
        """Do everything that can be done.

        Args:
            stop: Ends what is running, at once: after ^C, or a failure without ``keep_going``.
        """
        fetching = ThreadPoolExecutor(FETCH_WORKERS, thread_name_prefix="fetch")
        stepping = ThreadPoolExecutor(self._jobs, thread_name_prefix="step")
        try:
            finished = self._loop(fetching, stepping)
            if self._errors and not self._keep_going:
                stop()
        except BaseException:
            stop()
            raise
        finally:
            # What waits in a pool is dropped; what runs is waited for.
            fetching.shutdown(cancel_futures=True)
            stepping.shutdown(cancel_futures=True)
        skipped = frozenset(self._tasks) - finished - frozenset(self._errors)
        return Failures(errors=self._errors, skipped=skipped)

    def _loop(self, fetching: ThreadPoolExecutor, stepping: ThreadPoolExecutor) -> set[str]:
        def start(digest: str) -> None:
            task = self._tasks[digest]
            pool = fetching if task.phase is Phase.FETCH else stepping
            future = pool.submit(self._work, task)
            future.add_done_callback(lambda done: self._done.put((digest, done)))

        running = 0
        for digest, missing in self._missing.items():
            if not missing:
                start(digest)
                running += 1
        finished: set[str] = set()
        while running:
            digest, future = self._done.get()
            running -= 1
            error = future.exception()
            if error is None:
                finished.add(digest)
                ready = self._release(digest) if self._keep_going or not self._errors else []
                for user in ready:
                    start(user)
                running += len(ready)
            elif isinstance(error, Exception):
                self._errors[digest] = error
                if not self._keep_going:
                    return finished
            else:
                raise error
        return finished

    def _release(self, digest: str) -> list[str]:
        ready = []
        for user in self._users.get(digest, ()):
            self._missing[user] -= 1
            if not self._missing[user]:
                ready.append(user)
        return ready
