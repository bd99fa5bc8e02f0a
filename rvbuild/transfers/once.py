"""A value that is made when it is first needed, once for all threads.

Knows: nothing of the value.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from attrs import define, field

T = TypeVar("T")


@define
class Once(Generic[T]):
    """Calls ``make`` at the first call, and again only if ``make`` raised."""

    make: Callable[[], T]
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)
    _values: list[T] = field(factory=list, init=False)

    def __call__(self) -> T:
        with self._lock:
            if not self._values:
                self._values.append(self.make())
            return self._values[0]
