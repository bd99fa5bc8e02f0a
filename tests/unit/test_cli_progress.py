"""Progress in lines, and who gets which kind."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from rvbuild.cli.progress import LiveProgress, PlainProgress, Progress, progress_for
from rvbuild.core.errors import UsageError
from rvbuild.core.events import (
    Audited,
    Event,
    Finished,
    Noticed,
    Phase,
    Planned,
    Progressed,
    Started,
    Wrote,
)
from rvbuild.core.finding import Finding, Weight

_MIB = 1 << 20


class _Clock:
    """Seconds that grow when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class _Gone(io.StringIO):
    """A pipe whose reader went away."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, text)


class _Slow(io.StringIO):
    """Takes a line in two parts, and lets other threads run in between."""

    _never = threading.Event()

    def write(self, text: str) -> int:
        super().write(text[:9])
        self._never.wait(1e-6)
        return super().write(text[9:])


@pytest.fixture
def _restless() -> Iterator[None]:
    """Threads take turns as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def _fetch(progress: Progress, label: str, size: int) -> None:
    progress(Started(label, Phase.FETCH))
    progress(Progressed(label, size, size))
    progress(Finished(label, Phase.FETCH, "fetched", 0.1))


def _told(*events: Event, verbose: bool = False) -> list[str]:
    stream = io.StringIO()
    with PlainProgress(stream, _Clock(), verbose=verbose) as progress:
        for event in events:
            progress(event)
    return stream.getvalue().splitlines()


# ---- lines


@pytest.mark.parametrize("done", [False, True])
def test_before_an_error_nothing_is_summed_up_that_was_not_done(*, done: bool):
    stream = io.StringIO()
    with suppress(UsageError), PlainProgress(stream, _Clock()) as progress:
        progress(Planned({}, 1))
        if done:
            progress(Finished("a", Phase.BUILD, "built", 1))
        msg = "no"
        raise UsageError(msg)
    assert ("kept 1 in" in stream.getvalue()) == done


def test_steps_have_a_line_at_their_start_and_at_their_end():
    assert _told(
        Planned({Phase.BUILD: 1, Phase.CHECK: 1}, 3),
        Started("runc-riscv64", Phase.BUILD, "no result"),
        Wrote("runc-riscv64", "# runtime/cgo"),
        Finished("runc-riscv64", Phase.BUILD, "built", 57.06),
        Started("check 1 of runc-riscv64", Phase.CHECK),
        Finished("check 1 of runc-riscv64", Phase.CHECK, "built", 0.4),
    ) == [
        "plan                build 1, check 1; keep 3",
        "build               runc-riscv64",
        "built       57.1 s  runc-riscv64",
        "check               check 1 of runc-riscv64",
        "checked      0.4 s  check 1 of runc-riscv64",
        "built 1, checked 1, kept 3 in 0.0 s",
    ]


def test_fetches_are_summed_up_every_five_seconds():
    """468 fetches are a handful of lines, and the last one has all."""
    stream, clock = io.StringIO(), _Clock()
    with PlainProgress(stream, clock) as progress:
        progress(Planned({Phase.FETCH: 468}, 0))
        for number in range(468):
            clock.now += 1 / 32
            _fetch(progress, f"module{number}", _MIB)
    assert stream.getvalue().splitlines() == [
        "plan                fetch 468",
        "fetched    159 MiB  159 of 468 sources, 31.8 MiB/s",
        "fetched    319 MiB  319 of 468 sources, 32.0 MiB/s",
        "fetched    468 MiB  468 of 468 sources, 32.2 MiB/s",
        "fetched 468 (468 MiB) in 14.6 s",
    ]


def test_one_slow_fetch_is_told_while_it_runs():
    stream, clock = io.StringIO(), _Clock()
    with PlainProgress(stream, clock) as progress:
        progress(Planned({Phase.FETCH: 1}, 0))
        progress(Started("toolchain", Phase.FETCH))
        for _ in range(3):
            clock.now += 4
            progress(Progressed("toolchain", int(clock.now - 1000) * _MIB, 100 * _MIB))
    lines = stream.getvalue().splitlines()
    assert lines[1] == "fetched    8.0 MiB  0 of 1 source, 1.0 MiB/s"
    assert lines[2:] == ["fetched   12.0 MiB  0 of 1 source, 1.0 MiB/s"]


def test_failed_step_is_one_line_without_its_log():
    """The log's tail is in the error."""
    lines = _told(
        Started("runc-riscv64", Phase.BUILD),
        Wrote("runc-riscv64", "cc: no such file"),
        Finished("runc-riscv64", Phase.BUILD, "failed", 3),
    )
    assert lines[1:] == ["failed       3.0 s  runc-riscv64", "failed 1 in 0.0 s"]


def test_failed_fetch_has_its_own_line_and_what_was_stopped_has_none():
    lines = _told(
        Finished("module@v1", Phase.FETCH, "failed", 3),
        Finished("module@v2", Phase.FETCH, "stopped", 3),
        Finished("runc-riscv64", Phase.BUILD, "stopped", 3),
    )
    assert lines[0] == "failed       3.0 s  module@v1"
    assert not any("stopped" in line or "v2" in line or "runc" in line for line in lines)


def test_only_long_merges_are_told():
    short = Finished("modules", Phase.MERGE, "merged", 0.1)
    assert _told(short) == []
    long = Finished("modules", Phase.MERGE, "merged", 2.5)
    assert _told(long) == ["merged       2.5 s  modules"]


def test_warnings_hang_below_each_other():
    lines = _told(Noticed("k3s-source", "archive changed\ntree did not\n"), Noticed("", "slow"))
    assert lines == [
        "warning             k3s-source: archive changed",
        "                    tree did not",
        "warning             slow",
    ]


def test_verbose_shows_reasons_and_logs_with_their_label():
    lines = _told(
        Started("runc-riscv64", Phase.BUILD, "no result; k3s needs it"),
        Wrote("runc-riscv64", "\tCC\tmain.o\r"),
        verbose=True,
    )
    assert lines == [
        "build               runc-riscv64: no result; k3s needs it",
        "runc-riscv64 | \tCC\tmain.o",
    ]


def test_nothing_steers_the_terminal():
    """Names and logs come from outside, in every event."""
    bad = "\x1b[2J\x9b1m\u202e\rx"
    text = "\n".join(
        _told(
            Started(bad, Phase.BUILD, bad),
            Wrote(bad, bad + "\nfake"),
            Noticed(bad, bad),
            Finished(bad, Phase.BUILD, "built", 1),
            verbose=True,
        )
    )
    assert text.replace("\n", "").isprintable()
    assert text.count("\\x1b[2J") == 7


def test_nothing_done_is_nothing_said():
    assert _told() == []
    assert _told(Planned({}, 0)) == []


def test_reader_that_went_away_stops_nothing():
    with PlainProgress(_Gone()) as progress:
        progress(Started("a", Phase.BUILD))
        progress(Finished("a", Phase.BUILD, "built", 1))
    assert progress.summary.counts == {"built": 1}


def test_names_beyond_the_streams_encoding_are_escaped():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    with PlainProgress(stream, _Clock()) as progress:
        progress(Noticed("", "naïve"))
    assert raw.getvalue() == b"warning             na\\xefve\n"


@pytest.mark.usefixtures("_restless")
def test_lines_of_many_threads_stay_whole():
    """Eight threads, each with its own steps: every line is one of theirs, none is lost."""
    stream = _Slow()
    progress = PlainProgress(stream, _Clock())

    def work(thread: int) -> None:
        for number in range(50):
            label = f"step-{thread}-{number}"
            progress(Started(label, Phase.BUILD))
            progress(Progressed(label, number, 0))
            progress(Finished(label, Phase.BUILD, "built", 1))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = stream.getvalue().splitlines()
    labels = [f"step-{thread}-{number}" for thread in range(8) for number in range(50)]
    wanted = [f"build               {label}" for label in labels]
    wanted += [f"built        1.0 s  {label}" for label in labels]
    assert sorted(lines) == sorted(wanted)
    assert progress.summary.counts == {"built": 400}


# ---- who gets what


@pytest.mark.parametrize(
    ("terminal", "environ", "kind"),
    [
        (True, {"TERM": "xterm"}, LiveProgress),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, LiveProgress),
        (True, {"TERM": "dumb"}, PlainProgress),
        (True, {}, PlainProgress),
        (False, {"TERM": "xterm"}, PlainProgress),
    ],
)
def test_the_kind_fits_the_stream(*, terminal: bool, environ: dict[str, str], kind: type):
    stream = _Terminal() if terminal else io.StringIO()
    assert type(progress_for(stream, environ, quiet=False, verbose=False)) is kind


def test_quiet_shows_nothing_and_still_counts():
    stream = _Terminal()
    with progress_for(stream, {"TERM": "xterm"}, quiet=True, verbose=True) as progress:
        _fetch(progress, "a", 5)
        progress(Noticed("a", "old"))
    assert not stream.getvalue()
    assert progress.summary.counts == {"fetched": 1}


def test_quiet_does_not_swallow_a_notice_of_security():
    stream = _Terminal()
    with progress_for(stream, {"TERM": "xterm"}, quiet=True, verbose=False) as progress:
        _fetch(progress, "a", 5)
        progress(Noticed("Debian", "it is not signed\nat all", security=True))
        assert stream.getvalue()  # at once: what follows may take long
    assert stream.getvalue() == (
        "warning             Debian: it is not signed\n                    at all\n"
    )


def test_closed_stream_is_no_terminal():
    stream = io.StringIO()
    stream.close()
    assert type(progress_for(stream, {"TERM": "x"}, quiet=False, verbose=False)) is PlainProgress


@pytest.mark.parametrize(("encoding", "kind"), [("utf-8", LiveProgress), ("ascii", PlainProgress)])
def test_terminal_without_an_ellipsis_gets_lines(encoding: str, kind: type):
    class _Screen(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    stream = _Screen(io.BytesIO(), encoding=encoding)
    assert type(progress_for(stream, {"TERM": "x"}, quiet=False, verbose=False)) is kind


def test_rich_is_loaded_only_when_something_is_drawn():
    """A run without work must not pay for a display."""
    program = (
        "import io, sys\n"
        "from rvbuild.cli.progress import progress_for\n"
        "from rvbuild.core.events import *\n"
        "class Terminal(io.StringIO):\n"
        "    def isatty(self): return True\n"
        "with progress_for(Terminal(), {'TERM': 'x'}, quiet=False, verbose=False) as tell:\n"
        "    tell(Planned({}, 12))\n"
        "    tell(Noticed('a', 'b'))\n"
        "    before = 'rich' in sys.modules\n"
        "    tell(Started('a', Phase.BUILD))\n"
        "    print(before, 'rich' in sys.modules)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout == "False True\n"


def test_nothing_is_written_after_the_end():
    """An interrupt may reach a thread late; `interrupted` is the last word all the same."""
    stream, clock = io.StringIO(), _Clock()
    with suppress(KeyboardInterrupt), PlainProgress(stream, clock, verbose=True) as progress:
        progress(Started("a", Phase.BUILD, "new"))
        raise KeyboardInterrupt
    text = stream.getvalue()
    clock.now += 100.0
    for event in (
        Wrote("a", "a line"),
        Finished("a", Phase.BUILD, "failed", 1.0),
        Noticed("a", "late"),
        Started("b", Phase.FETCH, "new"),
    ):
        progress(event)
    assert stream.getvalue() == text


# ---- what an audit says


def _unknown(path: str) -> Finding:
    return Finding(path, "nothing in it says which instructions it needs", "", Weight.UNKNOWN)


UNKNOWN = (
    "nothing says which instructions 4 files of one, two and 1 other need: "
    "`rvbuild audit TARGET` lists them"
)


def _detected(path: str) -> Finding:
    return Finding(path, "it asks the processor", "", Weight.DETECTED)


def test_what_nobody_knows_of_programs_is_one_line_a_run():
    """Whatever the number of programs; what is declared has a line a step."""
    lines = _told(
        Audited("one", (_unknown("bin/a"),)),
        Audited("two", (_detected("bin/b"), _unknown("bin/b"), _unknown("bin/b"))),
        Audited("three", (_unknown("x"), _unknown("y"))),
        Finished("three", Phase.BUILD, "built", 1),
    )
    assert [line.split("  ", 1)[1].strip() for line in lines if line.startswith("note")] == [
        "two: bin/b: it asks the processor",
        UNKNOWN,
    ]
    assert lines[-1].startswith("built 1")


def test_one_program_is_one():
    (line,) = _told(Audited("s", (_unknown("bin/a"),)))
    assert "which instructions 1 file of s needs: " in line


@pytest.mark.parametrize("form", ["live", "quiet"])
def test_what_nobody_knows_on_a_screen_and_with_q(form: str):
    stream = _Terminal()
    progress = progress_for(stream, {"TERM": "xterm"}, quiet=form == "quiet", verbose=False)
    with progress:
        progress(Audited("s", (_unknown("bin/a"),)))
    assert ("which instructions" in stream.getvalue()) is (form == "live")


def test_a_notice_is_written_at_once_where_no_display_is():
    """A lock draws none: who reads it later than the wait knows nothing of the wait."""
    stream = _Terminal()
    with LiveProgress(stream, _Clock(), color=False) as progress:
        progress(Noticed("the proxy http://p.example", "no answer yet: waiting"))
        line = "warning             the proxy http://p.example: no answer yet: waiting\n"
        assert stream.getvalue() == line
    assert stream.getvalue() == line
