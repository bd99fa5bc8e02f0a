"""How a run tells a person what it does: not at all, in lines, or on a live screen.

Knows: when lines are written. Must not know: rich, until a live screen is drawn; which events are
worth a line (`rvbuild.cli.event_lines`).

Every line has the same three columns, so that a log reads as a table::

    build                libseccomp-riscv64
    fetched     120 MiB  134 of 468 sources, 24.0 MiB/s
    built        31.2 s  libseccomp-riscv64
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Protocol, Self, TextIO

from rvbuild.cli.audit_notes import unknown_line
from rvbuild.cli.event_lines import lines_for
from rvbuild.cli.messages import count_text, is_screen, size_text, wants_color
from rvbuild.cli.row import Row
from rvbuild.cli.tally import Summary, Tally
from rvbuild.core.events import Event, Noticed, Phase, Progressed, Started
from rvbuild.core.printable import printable_line

FETCH_INTERVAL = 5.0
"""Seconds between two lines about fetches."""

_MOST_PENDING = 2000


Clock = Callable[[], float]


class Progress:
    """Takes events and shows nothing, until a summary at the end if somebody asks for it.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._tally = Tally(clock)
        self._has_failed = False

    def __call__(self, event: Event) -> None:
        """Take one event; from any thread; never raises."""
        self._tally.take(event)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._has_failed = error is not None
        self.close()

    def close(self) -> None:
        """End: what was drawn is gone or final."""

    @property
    def summary(self) -> Summary:
        """What was done so far."""
        return self._tally.summary()

    def _last_lines(self) -> Iterator[Row | str]:
        """What is told once for the whole run; no summary before an error, if nothing was done."""
        summary = self.summary
        if summary.unknown:
            yield Row("note", "", printable_line(unknown_line(summary.unknown)))
        if summary.text and (summary.counts or not self._has_failed):
            yield summary.text


class QuietProgress(Progress):
    """Notices of security alone.

    Args:
        stream: Where the lines go.
        clock: Seconds that only grow.
    """

    def __init__(self, stream: TextIO, clock: Clock = time.monotonic) -> None:
        super().__init__(clock)
        self._write = _Writer(stream)
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Take one event; from any thread; never raises."""
        super().__call__(event)
        if isinstance(event, Noticed) and event.security:
            with self._lock:
                for line in lines_for(event, verbose=False, starts=False):
                    self._write(f"{line}\n")


class PlainProgress(Progress):
    """Lines, for pipes and the logs of CI. Fetches are summed up every few seconds.

    Args:
        stream: Where the lines go.
        clock: Seconds that only grow.
        verbose: Whether to show reasons and what steps write.
    """

    def __init__(
        self, stream: TextIO, clock: Clock = time.monotonic, *, verbose: bool = False
    ) -> None:
        super().__init__(clock)
        self._write = _Writer(stream)
        self._clock = clock
        self._verbose = verbose
        self._lock = threading.Lock()
        self._fetches_told = 0
        self._told_at = clock()
        self._closed = False

    def __call__(self, event: Event) -> None:
        """Take one event; from any thread; never raises.

        What a thread tells after the end has no line: an interrupt may reach it late, and the line
        would stand below the last word.
        """
        with self._lock:
            self._tally.take(event)
            if self._closed:
                return
            if self._clock() - self._told_at >= FETCH_INTERVAL:
                self._tell_fetches()
            for line in lines_for(event, verbose=self._verbose, starts=True):
                self._write(f"{line}\n")

    def close(self) -> None:
        """Tell what was not told yet, and the summary."""
        with self._lock:
            self._closed = True
            self._tell_fetches()
            for line in self._last_lines():
                self._write(f"{line}\n")

    def _tell_fetches(self) -> None:
        view = self._tally.view()
        self._told_at = view.now
        done = view.done.get(Phase.FETCH, 0)
        if done == self._fetches_told and not any(
            each.phase is Phase.FETCH for each in view.running
        ):
            return
        self._fetches_told = done
        rate = f", {size_text(int(view.rate))}/s" if view.rate else ""
        planned = max(view.planned.get(Phase.FETCH, 0), done)
        text = f"{done} of {count_text(planned, 'source')}{rate}"
        self._write(f"{Row(view.verb, size_text(view.size), text)}\n")


class Screen(Protocol):
    """A live display; see rvbuild.cli.screen."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class LiveProgress(Progress):
    """A live display on a terminal, above it lines that stay.

    The display (and with it rich) appears with the first work: a run without any does not
    pay for it. Events change the tally and the waiting lines; the display's own thread
    reads them a few times a second.

    Args:
        stream: A terminal.
        clock: Seconds that only grow.
        color: Whether to use colors.
        verbose: Whether to show reasons and what steps write.
    """

    def __init__(
        self,
        stream: TextIO,
        clock: Clock = time.monotonic,
        *,
        color: bool = True,
        verbose: bool = False,
    ) -> None:
        super().__init__(clock)
        self._stream = stream
        self._color = color
        self._verbose = verbose
        self._lock = threading.Lock()
        self._pending = _Pending()
        self._screen: Screen | None = None
        self._closed = False

    def __call__(self, event: Event) -> None:
        """Take one event; from any thread; never raises."""
        self._tally.take(event)
        if isinstance(event, Progressed):  # by far the most
            return
        for line in lines_for(event, verbose=self._verbose, starts=False):
            self._pending.add(line)
        if isinstance(event, Started) and self._screen is None:
            self._open()
        elif isinstance(event, Noticed):
            self._write_now()

    def close(self) -> None:
        """Clear the display, show the cursor, write the lines that wait, and the summary."""
        with self._lock:
            self._closed = True
            screen, self._screen = self._screen, None
        if screen is not None:
            screen.stop()
        write = _Writer(self._stream)
        for line in (*self._pending.take(), *self._last_lines()):
            write(f"{line}\n")

    def _write_now(self) -> None:
        """Write what waits, where no display will: a lock draws none, and may take long."""
        with self._lock:
            if self._screen is None and not self._closed:
                write = _Writer(self._stream)
                for line in self._pending.take():
                    write(f"{line}\n")

    def _open(self) -> None:
        # The only late import: rich costs more time than a run without work takes.
        from rvbuild.cli.screen import RichScreen  # noqa: PLC0415 - see above

        with self._lock:
            if self._screen is None and not self._closed:
                self._screen = RichScreen(
                    self._stream, self._tally.view, self._pending.take, color=self._color
                )
                self._screen.start()


def progress_for(
    stream: TextIO,
    environ: Mapping[str, str],
    *,
    quiet: bool,
    verbose: bool,
    clock: Clock = time.monotonic,
) -> Progress:
    """The progress that fits where it is shown: a context manager that is a Reporter.

    Args:
        stream: For people: standard error.
        environ: ``TERM`` and ``NO_COLOR`` are looked at.
        quiet: Show nothing but notices of security.
        verbose: Show what steps write, and reasons.
        clock: Seconds that only grow.
    """
    if quiet:
        return QuietProgress(stream, clock)
    if is_screen(stream, environ) and _has_ellipsis(stream):
        color = wants_color(stream, environ)
        return LiveProgress(stream, clock, color=color, verbose=verbose)
    return PlainProgress(stream, clock, verbose=verbose)


def _has_ellipsis(stream: TextIO) -> bool:
    """Whether the live display can be written: it shortens names with an ellipsis."""
    try:
        "…".encode(stream.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


class _Writer:
    """Writes until that fails: a reader that went away must not stop a build."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._broken = False

    def __call__(self, text: str) -> None:
        if self._broken:
            return
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        try:
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: closed
            self._broken = True


class _Pending:
    """Lines that wait for the next drawing, at most so many."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: list[Row | str] = []
        self._dropped = 0

    def add(self, line: Row | str) -> None:
        with self._lock:
            if isinstance(line, str) and len(self._lines) >= _MOST_PENDING:
                self._dropped += 1
            else:
                self._lines.append(line)

    def take(self) -> list[Row | str]:
        with self._lock:
            lines, self._lines = self._lines, []
            dropped, self._dropped = self._dropped, 0
        if dropped:
            lines.append(f"({dropped} lines are not shown here; `rvbuild log` has them)")
        return lines
