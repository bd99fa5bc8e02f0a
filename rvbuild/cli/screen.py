"""Draws a run on a terminal: lines that stay, and below them a small table that moves.

Knows: rich, and how wide and high the terminal is. Must not know: events.
Imported only when something is really drawn.

::

    built        31.2 s  libseccomp-riscv64

    elapsed  4 min 12 s  fetch 312/468  build  4/12  check 0/6
    fetched     512 MiB  12.3 MiB/s, about 15 s left
    build    3 min 01 s  k3s-server-riscv64  # k8s.io/kubernetes/pkg/apis/core
    fetch           4 s  k8s.io/client-go@v…  1.2 MiB of 3.4 MiB

The counts stand above what runs, so they stay in place while rows come and go.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console, ConsoleRenderable, Group
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

from rvbuild.cli.messages import count_text, duration_text, size_text
from rvbuild.cli.row import Row, Take
from rvbuild.cli.tally import Overview, Running
from rvbuild.core.events import Phase
from rvbuild.core.printable import printable_line

REFRESHES = 4
"""A second: times show whole seconds, and lines of logs can still be read."""

SLOW_FETCH = 2.0
"""Seconds from which one fetch gets a row: most are over before they could be read."""

_MOST_FETCHES = 4
_NARROW = 60
_ROOMY = 16
_GRID = 20
_STYLES = {
    "built": "green",
    "checked": "green",
    "merged": "green",
    "fetched": "green",
    "imported": "green",
    "reused": "cyan",
    "failed": "bold red",
    "warning": "yellow",
}


class RichScreen:
    """A live display.

    Args:
        stream: A terminal.
        view: Gives the run as it is now.
        take: Gives the lines that wait to be written above the table, each once.
        color: Whether to use colors.
    """

    def __init__(
        self, stream: TextIO, view: Callable[[], Overview], take: Take, *, color: bool
    ) -> None:
        self._console = Console(
            file=stream,
            force_terminal=True,
            no_color=not color,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
        )
        self._region = _Region(self._console, Table(view), take)

    def start(self) -> None:
        """Begin to draw, from a thread of its own."""
        with suppress(OSError, ValueError):
            self._region.start()

    def stop(self) -> None:
        """Write the lines that wait, clear the table, show the cursor."""
        try:
            with suppress(OSError, ValueError):
                self._region.stop()
        finally:  # after a second ^C, too
            with suppress(OSError, ValueError):
                self._console.show_cursor(show=True)


class Table:
    """The part that moves.

    Args:
        view: Gives the run as it is now.
    """

    def __init__(self, view: Callable[[], Overview]) -> None:
        self._view = view
        self._label_width = 0

    def lines(self, width: int, height: int) -> list[Text]:
        """Draw it: no line is wider than ``width``, and there are fewer than ``height``."""
        view = self._view()
        area = max(width - 1 - _GRID, 1)  # the last column stays free: no terminal wraps there
        head = _head(view, area)
        if height >= _ROOMY:
            head.insert(0, Text())
        running = _worth_a_row(view, max(height - 1 - len(head), 0))
        labels = [_tail(printable_line(each.label), area) for each in running]
        columns = self._columns(labels, area)
        rows = [
            _running_row(each, label, columns, view.now)
            for each, label in zip(running, labels, strict=True)
        ]
        lines = [*head, *rows][: max(height - 1, 1)]
        for line in lines:
            line.truncate(max(width - 1, 1), overflow="ellipsis")
        return lines

    def _columns(self, labels: Sequence[str], area: int) -> tuple[int, int]:
        """Widths of label and detail; the label's only grows, so that nothing moves about."""
        if area < _NARROW - _GRID:
            return area, 0
        width = max([self._label_width, *map(cell_len, labels)])
        self._label_width = min(width, max(area * 2 // 5, 18))
        return self._label_width, area - self._label_width - 2


class _Region(Live):
    """Lines that wait, then the table, in one write.

    Rich remembers how many lines it drew. When the terminal was made narrower since, the
    terminal has folded them, and there are more to clear.
    """

    def __init__(self, console: Console, table: Table, take: Take) -> None:
        self._table = table
        self._take = take
        self._next: list[int] = []
        self._drawn: list[int] = []
        self._drawn_width = 0
        super().__init__(
            console=console,
            refresh_per_second=REFRESHES,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            get_renderable=self._draw,
        )

    def refresh(self) -> None:
        """Write what waits, and draw the table anew."""
        waiting = self._take()
        with self._lock, suppress(OSError, ValueError), self.console:
            if waiting:
                self._live_render.set_renderable(self.renderable)
                lines = [_permanent(line, self.console.width) for line in waiting]
                self.console.print(*lines, sep="\n", soft_wrap=True)
            else:
                super().refresh()

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Put the table below what is printed."""
        regions = super().process_renderables(renderables)
        width = self.console.width
        if self._drawn and width < self._drawn_width:
            regions[0] = self._clear_folded(width)
        self._drawn, self._drawn_width = self._next, width
        return regions

    def _clear_folded(self, width: int) -> Control:
        rows = sum(max(-(-cells // width), 1) for cells in self._drawn)
        return Control(
            ControlType.CARRIAGE_RETURN,
            (ControlType.ERASE_IN_LINE, 2),
            *(((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)) * (rows - 1)),
        )

    def _draw(self) -> Group:
        size = self.console.size
        lines = self._table.lines(size.width, size.height)
        self._next = [line.cell_len for line in lines]
        return Group(*lines)


def _head(view: Overview, area: int) -> list[Text]:
    """Counts of each phase, and where fetching stands."""
    chunks = [_phase(view, phase) for phase in Phase if view.planned.get(phase)]
    chunks += [_phase(view, phase) for phase in view.done if phase not in view.planned]
    if view.failed:
        chunks.append(Text(f"{view.failed} failed", "bold red"))
    folded = _fold(chunks, area, " " if area < _NARROW - _GRID else "  ")
    first, *others = folded or [Text()]
    lines = [_grid("elapsed", _whole(view.elapsed)).append_text(first)]
    lines += [_grid("", "").append_text(each) for each in others]
    if view.planned.get(Phase.FETCH):
        line = _grid(view.verb, size_text(view.size))
        lines.append(line.append(_fetching(view, area), "dim"))
    return lines


def _phase(view: Overview, phase: Phase) -> Text:
    """``build  4/12``: as wide at the start as at the end."""
    done = view.done.get(phase, 0)
    planned = max(view.planned.get(phase, 0), done)
    text = f"{phase.value} {done:>{len(str(planned))}}/{planned}"
    return Text(text, "dim" if done == planned else "bold")


def _fold(chunks: Sequence[Text], area: int, gap: str) -> list[Text]:
    lines: list[Text] = []
    for chunk in chunks:
        if lines and lines[-1].cell_len + len(gap) + chunk.cell_len <= area:
            lines[-1].append(gap).append_text(chunk)
        else:
            lines.append(chunk)
    return lines


def _fetching(view: Overview, area: int) -> str:
    """Rate and estimate, or how long it took; the longest text that fits."""
    done, planned = view.done.get(Phase.FETCH, 0), view.planned[Phase.FETCH]
    if done >= planned:
        texts = [f"{count_text(done, 'source')} in {duration_text(view.fetch_seconds)}"]
    else:
        rate = f"{size_text(int(view.rate))}/s" if view.rate else ""
        left = "" if view.fetch_left is None else f"about {_roughly(view.fetch_left)} left"
        texts = [", ".join(filter(None, (rate, left))), left.removeprefix("about "), rate]
    return next((text for text in texts if len(text) <= area), "")


def _roughly(seconds: float) -> str:
    """An estimate, no finer than it is good for."""
    if seconds < 60:
        return f"{max(-(-int(seconds) // 5) * 5, 5)} s"
    return f"{round(seconds / 60)} min"


def _whole(seconds: float) -> str:
    return f"{int(seconds)} s" if seconds < 60 else duration_text(int(seconds))


def _worth_a_row(view: Overview, most: int) -> list[Running]:
    """Steps, then fetches that take long; the oldest first."""
    steps = [each for each in view.running if each.phase is not Phase.FETCH]
    slow = [
        each
        for each in view.running
        if each.phase is Phase.FETCH and view.now - each.since >= SLOW_FETCH
    ]
    return [*steps, *slow[:_MOST_FETCHES]][:most]


def _running_row(running: Running, label: str, columns: tuple[int, int], now: float) -> Text:
    label_width, detail_width = columns
    line = _grid(running.phase.value, _whole(now - running.since))
    line.append(_tail(label, label_width))
    if detail_width > 0:
        line.pad_right(max(_GRID + label_width - line.cell_len, 0))
        detail = Text("  " + _detail(running), "dim")
        detail.truncate(detail_width + 2, overflow="ellipsis")
        line.append_text(detail)
    line.rstrip()
    return line


def _detail(running: Running) -> str:
    if running.phase is not Phase.FETCH:
        return printable_line(running.line.strip().replace("\t", " "))
    if running.total:
        return f"{size_text(running.done)} of {size_text(running.total)}"
    return size_text(running.done) if running.done else ""


def _tail(text: str, width: int) -> str:
    """The end of a name says most: ``…/client-go@v0.32.3``."""
    if cell_len(text) <= width:
        return text
    while text and cell_len(text) >= width:
        text = text[1:]
    whole = text.find("/")
    return f"…{text[max(whole, 0) :]}"


def _grid(word: str, number: str) -> Text:
    return Text(f"{word:<7} {number:>10}  ", no_wrap=True)


def _permanent(line: Row | str, width: int) -> Text:
    if isinstance(line, str):
        return Text(line, "dim")
    text = Text()
    text.append(f"{line.word:<7}", _STYLES.get(line.word, ""))
    text.append(f" {line.number:>10}", "dim")
    return text.append("  " + _hanging(line.text, max(width - _GRID, 1)))


def _hanging(text: str, width: int) -> str:
    """Words below words; what has no space (a URL) stays whole, to be copied."""
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return ("\n" + " " * _GRID).join(lines)
