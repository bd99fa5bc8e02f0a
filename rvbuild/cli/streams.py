"""The standard streams of the process, as somebody started it with them.

Knows: streams that are closed, full, or read by nobody any more. Must not know: what is written.
Imports nothing that costs start-up time: a build with nothing to do writes, too.
"""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Callable
from typing import Any, TextIO

STANDARD_OUTPUT = "standard output"
"""The file name of an OSError that came from there."""


class _Results(io.FileIO):
    """Standard output: whoever cannot write it is told that it was this."""

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - what a buffered writer hands on
        try:
            return _write(self.fileno(), super().write, data)
        except OSError as error:
            error.filename = STANDARD_OUTPUT
            raise


class _Messages(io.FileIO):
    """Standard error: a message that nobody can get ends no build."""

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - what a buffered writer hands on
        try:
            return _write(self.fileno(), super().write, data)
        except OSError:
            return len(data)


def _write(number: int, write: Callable[[Any], int | None], data: memoryview) -> int:
    """Write to a stream that another process may have made non-blocking."""
    while (count := write(data)) is None:
        select.select([], [number], [])
    return count


def open_streams() -> None:
    """Give the process three standard streams that behave.

    A file that takes the number of a closed stream would get what is meant for a person.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # what is opened takes the lowest free number, so this one
            os.open(os.devnull, os.O_WRONLY if number == 2 else os.O_RDONLY)
    sys.stdout = _text(_Results(1, "w", closefd=False), sys.stdout, lines=False)
    sys.stderr = _text(_Messages(2, "w", closefd=False), sys.stderr, lines=True)


def _text(raw: io.FileIO, like: TextIO | None, *, lines: bool) -> io.TextIOWrapper:
    """A stream of text whose letters any terminal can show. ``like`` is None if it was closed."""
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=like.encoding if like else "utf-8",
        errors="backslashreplace",
        line_buffering=lines or raw.isatty(),
    )


def drop_output() -> None:
    """Let what is still to be written to standard output go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
