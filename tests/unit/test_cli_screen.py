"""The live display, looked at through a small terminal."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest

from rvbuild.cli.progress import LiveProgress
from rvbuild.cli.row import Row
from rvbuild.cli.screen import RichScreen, Table
from rvbuild.cli.tally import Tally
from rvbuild.core.events import (
    Finished,
    Noticed,
    Phase,
    Planned,
    Progressed,
    Started,
    Wrote,
)

_MIB = 1 << 20
_TOKEN = re.compile(r"\x1b\[(?P<arguments>[?0-9;]*)(?P<code>[A-Za-z])|(?P<char>.)", re.DOTALL)


class _Terminal(io.StringIO):
    """Understands what rich writes: lines, cursor up, erase line, colors, cursor on and off."""

    def __init__(self, width: int = 80) -> None:
        super().__init__()
        self.width = width
        self.rows = [""]
        self.at = 0
        self.column = 0
        self.cursor = True

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for token in _TOKEN.finditer(text):
            if token["char"]:
                self._put(token["char"])
            else:
                self._control(token["code"], token["arguments"])
        return super().write(text)

    def _put(self, char: str) -> None:
        if char == "\r":
            self.column = 0
        elif char == "\n":
            self._down()
        else:
            if self.column == self.width:
                self._down()
            row = self.rows[self.at].ljust(self.column)
            self.rows[self.at] = row[: self.column] + char + row[self.column + 1 :]
            self.column += 1

    def _down(self) -> None:
        self.at, self.column = self.at + 1, 0
        if self.at == len(self.rows):
            self.rows.append("")

    def _control(self, code: str, arguments: str) -> None:
        if code == "A":
            self.at -= int(arguments or 1)
            assert self.at >= 0, "went above the first line"
        elif code == "K":
            self.rows[self.at] = ""
        elif code in "hl":
            assert arguments == "?25"
            self.cursor = code == "h"
        else:
            assert code == "m", f"unexpected code {code}"

    def fold(self, width: int) -> None:
        """Become narrower: long rows are folded, as terminals do."""
        folded = []
        for number, row in enumerate(self.rows):
            parts = [row[at : at + width] for at in range(0, len(row), width)] or [""]
            folded += parts
            if number == self.at:
                at, self.column = len(folded) - 1, len(parts[-1])
        self.rows, self.at, self.width = folded, at, width

    @property
    def text(self) -> list[str]:
        return [row.rstrip() for row in self.rows]


class _Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "30")


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def tally(clock: _Clock) -> Tally:
    """A run in its middle: 312 of 468 fetched, 4 of 12 built, three at work."""
    tally = Tally(clock)
    tally.take(Planned({Phase.FETCH: 468, Phase.BUILD: 12, Phase.CHECK: 6}, 0))
    tally.take(Started("k3s-server-riscv64", Phase.BUILD))
    tally.take(Wrote("k3s-server-riscv64", "# k8s.io/kubernetes/pkg/apis/core\x1b"))
    clock.now += 200
    tally.take(Started("k8s.io/client-go@v0.32.3", Phase.FETCH))
    tally.take(Progressed("k8s.io/client-go@v0.32.3", _MIB, 4 * _MIB))
    clock.now += 52
    for number in range(312):
        tally.take(Started(f"m{number}", Phase.FETCH))
        tally.take(Progressed(f"m{number}", _MIB, _MIB))
        tally.take(Finished(f"m{number}", Phase.FETCH, "fetched", 1))
    for number in range(4):
        tally.take(Finished(f"b{number}", Phase.BUILD, "built", 1))
    tally.take(Started("just-now@v1", Phase.FETCH))
    return tally


def _lines(tally: Tally, width: int, height: int = 30) -> list[str]:
    return [line.plain for line in Table(tally.view).lines(width, height)]


def test_wide(tally: Tally):
    """Counts first, then steps, then fetches that take long, all in one grid."""
    assert _lines(tally, 120) == [
        "",
        "elapsed 4 min 12 s  fetch 312/468  build  4/12  check 0/6",
        "fetched    313 MiB  1.2 MiB/s, about 3 min left",
        "build   4 min 12 s  k3s-server-riscv64        # k8s.io/kubernetes/pkg/apis/core\\x1b",
        "fetch         52 s  k8s.io/client-go@v0.32.3  1.0 MiB of 4.0 MiB",
    ]


def test_narrow(tally: Tally):
    """Forty columns: no details, folded counts, ends of long names."""
    assert _lines(tally, 40) == [
        "",
        "elapsed 4 min 12 s  fetch 312/468",
        "                    build  4/12",
        "                    check 0/6",
        "fetched    313 MiB  3 min left",
        "build   4 min 12 s  k3s-server-riscv64",
        "fetch         52 s  …/client-go@v0.32.3",
    ]


@pytest.mark.parametrize("width", [1, 5, 20, 21, 39, 41, 59, 60, 61, 79, 80, 200])
@pytest.mark.parametrize("height", [1, 2, 3, 5, 16, 50])
def test_no_line_is_too_wide_and_no_table_too_high(tally: Tally, width: int, height: int):
    lines = Table(tally.view).lines(width, height)
    assert all(line.cell_len <= max(width - 1, 1) for line in lines)
    assert 1 <= len(lines) <= max(height - 1, 1)


def test_wide_characters_count_as_two(tally: Tally):
    tally.take(Started("建" * 60, Phase.BUILD))
    tally.take(Wrote("建" * 60, "構築" * 60))
    for width in (40, 80, 81):
        assert all(line.cell_len < width for line in Table(tally.view).lines(width, 30))


def test_hostile_names_and_logs_are_escaped(tally: Tally):
    tally.take(Started("\x1b[2Jx\n", Phase.BUILD))
    tally.take(Wrote("\x1b[2Jx\n", "a\r\x9b\tb\u202e"))
    assert all(line.isprintable() for line in _lines(tally, 120))


def test_no_more_than_four_fetches_have_rows_and_steps_come_first(tally: Tally, clock: _Clock):
    for number in range(9):
        tally.take(Started(f"slow{number}", Phase.FETCH))
    tally.take(Started("late-riscv64", Phase.BUILD))
    clock.now += 3
    rows = [line.split()[0] for line in _lines(tally, 80)[3:]]
    assert rows == ["build", "build", "fetch", "fetch", "fetch", "fetch"]


def test_label_column_does_not_shrink(tally: Tally):
    """What stands beside it would jump."""
    table = Table(tally.view)
    before = table.lines(120, 30)[-1].plain.index("1.0 MiB")
    label = "check 1 of containerd-shim-runc-v2-riscv64"[:38]
    tally.take(Started(label, Phase.CHECK))
    during = table.lines(120, 30)[-1].plain.index("1.0 MiB")
    tally.take(Finished(label, Phase.CHECK, "built", 1))
    after = table.lines(120, 30)[-1].plain.index("1.0 MiB")
    assert before < during == after


def test_once_fetched_the_row_says_how_long_it_took(clock: _Clock):
    tally = Tally(clock)
    tally.take(Planned({Phase.FETCH: 1}, 0))
    tally.take(Started("a", Phase.FETCH))
    clock.now += 63
    tally.take(Progressed("a", 5, 5))
    tally.take(Finished("a", Phase.FETCH, "fetched", 63))
    assert _lines(tally, 80)[-1] == "fetched        5 B  1 source in 1 min 03 s"


def test_failures_are_counted(tally: Tally):
    tally.take(Finished("x", Phase.BUILD, "failed", 1))
    assert _lines(tally, 80)[1].endswith("check 0/6  1 failed")


# ---- the whole display


@pytest.fixture
def shown(tally: Tally) -> Iterator[tuple[RichScreen, _Terminal, list[Row | str]]]:
    """A started display; what is put into the list is written above the table."""
    waiting: list[Row | str] = []

    def take() -> list[Row | str]:
        taken = waiting[:]
        waiting.clear()
        return taken

    terminal = _Terminal()
    screen = RichScreen(terminal, tally.view, take, color=True)
    screen._region.auto_refresh = False  # the tests say when
    screen.start()
    yield screen, terminal, waiting
    screen.stop()


def test_lines_that_stay_are_above_the_table(
    shown: tuple[RichScreen, _Terminal, list[Row | str]],
):
    screen, terminal, waiting = shown
    screen._region.refresh()
    assert terminal.text[1].startswith("elapsed")
    assert not terminal.cursor
    waiting += [Row("built", "1.0 s", "a"), Row("warning", "", "word " * 20), "x | y"]
    screen._region.refresh()
    screen._region.refresh()
    assert terminal.text[:6] == [
        "built        1.0 s  a",
        "warning             word word word word word word word word word word word word",
        "                    word word word word word word word word",
        "x | y",
        "",
        "elapsed 4 min 12 s  fetch 312/468  build  4/12  check 0/6",
    ]
    assert len(terminal.text) == 9


def test_stopping_clears_the_table_and_shows_the_cursor(
    shown: tuple[RichScreen, _Terminal, list[Row | str]],
):
    screen, terminal, waiting = shown
    screen._region.refresh()
    waiting.append(Row("built", "1.0 s", "a"))
    screen.stop()
    assert [row for row in terminal.text if row] == ["built        1.0 s  a"]
    assert (terminal.at, terminal.column, terminal.cursor) == (1, 0, True)


@pytest.mark.parametrize("width", [79, 60, 47, 40, 20])
def test_becoming_narrower_leaves_nothing_behind(
    shown: tuple[RichScreen, _Terminal, list[Row | str]], width: int
):
    """The terminal folds what was drawn; all of it must be cleared."""
    screen, terminal, waiting = shown
    waiting.append(Row("built", "1.0 s", "a"))
    screen._region.refresh()
    terminal.fold(width)
    screen._console.width = width
    screen._region.refresh()
    rows = terminal.text
    assert " ".join(rows[: rows.index("")]).split() == ["built", "1.0", "s", "a"]
    assert rows[rows.index("") + 1].startswith("elapsed")
    assert sum(row.startswith("elapsed") for row in rows) == 1
    assert sum(row.startswith("fetched") for row in rows) == 1


def test_progress_ends_clean_after_an_exception():
    """Cursor shown, table gone, summary last; later events draw nothing."""
    terminal = _Terminal()
    progress = LiveProgress(terminal, _Clock())

    def interrupted() -> None:
        with progress:
            progress(Planned({Phase.BUILD: 2}, 1))
            progress(Started("a", Phase.BUILD))
            progress(Finished("a", Phase.BUILD, "built", 3))
            progress(Started("b", Phase.BUILD))
            progress(Noticed("b", "old"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    progress(Started("c", Phase.BUILD))
    assert terminal.cursor
    assert [row for row in terminal.text if row] == [
        "built        3.0 s  a",
        "warning             b: old",
        "built 1, kept 1 in 0.0 s",
    ]


def test_without_color_only_the_cursor_is_steered():
    """NO_COLOR: bold and dim are no colors, and may stay."""
    terminal = _Terminal()
    with LiveProgress(terminal, _Clock(), color=False) as progress:
        progress(Started("a", Phase.BUILD))
        progress(Finished("a", Phase.BUILD, "failed", 3))
    codes = {
        code
        for found in re.findall(r"\x1b\[([0-9;]*)m", terminal.getvalue())
        for code in found.split(";")
    }
    assert codes <= {"", "0", "1", "2"}


def test_terminal_that_went_away_stops_nothing():
    class _Gone(_Terminal):
        def write(self, text: str) -> int:
            raise OSError(5, text)

    with LiveProgress(_Gone(), _Clock()) as progress:
        progress(Started("a", Phase.BUILD))
        progress(Finished("a", Phase.BUILD, "built", 3))
    assert progress.summary.counts == {"built": 1}


def test_flood_of_log_lines_is_cut_and_said():
    """More lines than anybody reads between two drawings cost nothing."""
    terminal = _Terminal(width=200)
    progress = LiveProgress(terminal, _Clock(), verbose=True)
    for number in range(5000):
        progress(Wrote("a", f"line {number}"))
    progress(Finished("a", Phase.BUILD, "built", 3))
    progress.close()
    assert terminal.text[0] == "a | line 0"
    assert terminal.text[1999:2002] == [
        "a | line 1999",
        "built        3.0 s  a",
        "(3000 lines are not shown here; `rvbuild log` has them)",
    ]
