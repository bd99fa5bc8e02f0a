"""What people read when something goes wrong."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from rvbuild.cli.excerpt import excerpt
from rvbuild.cli.json_text import error_row
from rvbuild.cli.messages import (
    LONGEST_DETAIL,
    count_text,
    duration_text,
    render_bug,
    render_error,
    size_text,
)
from rvbuild.core.errors import (
    Interrupted,
    LockError,
    RecipeError,
    SourceError,
    StepError,
    StoreError,
)
from rvbuild.core.place import Place, place_before
from rvbuild.core.printable import brief, printable, printable_line

_RECIPE = "summary: runc\nsumary: OCI\noutputs:\n\trunc: {path: bin/runc}\n"


def test_error_says_what_where_why_and_what_next():
    """The four parts, in this order, aligned."""
    error = StepError(
        "the step failed: exit code 2",
        where="runc-riscv64",
        details=("cc: no such file", "make: *** [all] Error 1"),
        hint="the whole log: `rvbuild log runc-riscv64`",
    )
    assert render_error(error, color=False) == (
        "error: the step failed: exit code 2\n"
        "  --> runc-riscv64\n"
        "   |\n"
        "   | cc: no such file\n"
        "   | make: *** [all] Error 1\n"
        "   |\n"
        "hint: the whole log: `rvbuild log runc-riscv64`\n"
    )


def test_error_with_nothing_but_a_message_is_one_line():
    assert render_error(SourceError("gone"), color=False) == "error: gone\n"


def test_color_changes_no_text():
    """What is left without the color codes is the plain text."""
    error = StepError("failed", where="x", details=("a", ""), hint="look")
    error.add_note("y: failed, too")
    colored = render_error(error, color=True)
    assert "\x1b[1;31merror\x1b[0m" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == render_error(error, color=False)


def test_hostile_text_reaches_no_terminal():
    """Every field of an error may come from a server or a log."""
    bad = "\x1b]0;owned\x07\r\x9b31m\u202ereversed"
    error = SourceError(bad, where=bad + "\n", hint=bad, details=(bad,))
    error.add_note(bad)
    text = render_error(error, color=False)
    assert text.replace("\n", "").isprintable()
    assert text.count("\\x1b]0;owned\\x07\\r\\x9b31m\\u202ereversed") == 5


def test_newline_in_where_makes_no_line_of_its_own():
    text = render_error(SourceError("gone", where="x\nerror: fake"), color=False)
    assert text == "error: gone\n  --> x\\nerror: fake\n"


def test_messages_of_many_lines_hang():
    text = render_error(SourceError("one\ntwo"), color=False)
    assert text == "error: one\n       two\n"


def test_a_hint_is_one_line():
    """It often names a path, and the working directory's may hold anything."""
    hint = "move /tmp/a\nb\tc\x1b[2J away, or go elsewhere"
    text = render_error(StoreError("no", hint=hint), color=False)
    assert text == "error: no\nhint: move /tmp/a\\nb\\tc\\x1b[2J away, or go elsewhere\n"


@pytest.mark.parametrize(("count", "text"), [(0, "0 sources"), (1, "1 source"), (2, "2 sources")])
def test_one_is_no_plural(count: int, text: str):
    assert count_text(count, "source") == text


def test_log_lines_end_where_they_ended():
    """A log with CR LF shows no escapes; a detail of several lines stays in the gutter."""
    text = render_error(StepError("failed", details=("a\r\nb\r",)), color=False)
    assert text == "error: failed\n   |\n   | a\n   | b\n   |\n"


def test_endless_line_is_cut():
    text = render_error(StepError("failed", details=("x" * (LONGEST_DETAIL + 7),)), color=False)
    assert "x" * LONGEST_DETAIL + " [7 more characters]\n" in text


@pytest.mark.parametrize("part", ["message", "where", "hint"])
def test_no_part_of_an_error_is_endless(part: str):
    """A name that somebody gave may be: each line of a message is cut by itself."""
    parts = {"message": "failed", "where": "here", "hint": "look", part: "x" * 5000}
    error = StepError(parts["message"], where=parts["where"], hint=parts["hint"])
    lines = render_error(error, color=False).splitlines()
    assert max(map(len, lines)) < LONGEST_DETAIL + 50
    assert "x [4000 more characters]" in "\n".join(lines)
    assert len(lines) == 3


def test_each_line_of_a_message_is_cut_by_itself():
    lines = render_error(StepError("a\n" + "b" * 2000 + "\nc"), color=False).splitlines()
    assert lines == ["error: a", "       " + "b" * 1000 + " [1000 more characters]", "       c"]


def test_other_failures_are_named_and_many_are_counted():
    error = StepError("failed")
    for number in range(23):
        error.add_note(f"step {number}")
    lines = render_error(error, color=False).splitlines()
    assert lines[1] == "also: step 0"
    assert lines[-1] == "also: 3 more"
    assert len(lines) == 22


def test_interrupted_is_no_error():
    text = render_error(Interrupted("interrupted; what was finished is kept"), color=False)
    assert text == "interrupted; what was finished is kept\n"


def test_recipe_error_shows_the_line_and_marks_the_word(tmp_path: Path):
    """As compilers do."""
    file = tmp_path / "recipe.yaml"
    file.write_text(_RECIPE)
    error = RecipeError("unknown key", where=Place(str(file), 2, 1), hint="did you mean `summary`?")
    assert render_error(error, color=False).splitlines()[2:] == [
        "   |",
        "   | sumary: OCI",
        "   | ^^^^^^",
        "   |",
        "hint: did you mean `summary`?",
    ]


def test_mark_is_below_its_word_after_a_tab_and_before_details(tmp_path: Path):
    file = tmp_path / "recipe.yaml"
    file.write_text(_RECIPE)
    error = LockError("no such output", where=Place(str(file), 4, 15), details=("locked: x",))
    lines = render_error(error, color=False).splitlines()
    assert lines[3][lines[4].index("^") :].startswith("bin/runc}")
    assert lines[4].count("^") == len("bin/runc")
    assert lines[5:] == ["   |", "   | locked: x", "   |"]


@pytest.mark.parametrize(("line", "column"), [(9, 1), (0, 1), (0, 0), (5, 1)])
def test_place_without_a_line_shows_none(tmp_path: Path, line: int, column: int):
    """Past the end, before the start, the whole file, an empty line."""
    file = tmp_path / "recipe.yaml"
    file.write_text(_RECIPE)
    assert excerpt(Place(str(file), line, column)) is None


def test_column_past_the_end_is_the_end(tmp_path: Path):
    file = tmp_path / "recipe.yaml"
    file.write_text("ab\n")
    assert excerpt(Place(str(file), 1, 99)) == ("ab", "", "")
    assert excerpt(Place(str(file), 1)) == ("", "ab", "")


def test_a_file_that_is_not_written_yet_has_its_own_lines(tmp_path: Path):
    file = tmp_path / "recipe.yaml"
    file.write_text(_RECIPE)
    data = "\ufeffa: 1\nb: \u00e9\tc\nd: https://u:p@e.org/\n".encode()
    shown = [excerpt(place_before(Place(str(file), line, 4), data, b"")) for line in range(5)]
    assert shown == [None, ("a: ", "1", ""), ("b: ", "\u00e9", " c"), None, None]
    place = place_before(Place("r", 1, 4), data, b"")
    text = render_error(RecipeError("no", where=place), color=False)
    assert text == "error: no\n  --> r:1:4 (not written)\n   |\n   | a: 1\n   |    ^\n   |\n"


def test_only_regular_files_of_text_are_opened(tmp_path: Path):
    """A FIFO would block for ever; bytes are not shown."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "long").write_text("x" * 1000)
    for name in ("fifo", "bytes", "long", "missing"):
        assert excerpt(Place(str(tmp_path / name), 1, 1)) is None


def _raise(error: Exception) -> Exception:
    try:
        raise error
    except type(error) as caught:
        return caught


def test_bug_is_short_and_its_traceback_is_in_a_file(tmp_path: Path):
    error = _raise(KeyError("run\x1bc"))
    text = render_bug(error, color=False, folder=str(tmp_path))
    (file,) = tmp_path.iterdir()
    lines = text.splitlines()
    assert lines[0] == "error: this is a bug in rvbuild"
    assert re.fullmatch(r"  --> .*test_cli_messages\.py:\d+, in _raise", lines[1])
    assert lines[3] == "   | KeyError: 'run\\x1bc'"
    assert lines[-1].endswith(str(file))
    assert "Traceback" not in text
    assert "Traceback (most recent call last)" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


def test_bug_whose_traceback_cannot_be_written_shows_it(tmp_path: Path):
    text = render_bug(_raise(ValueError("x")), color=False, folder=str(tmp_path / "missing"))
    assert "   | Traceback (most recent call last):\n" in text
    assert "No such file or directory" in text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (102348, "99.9 KiB"),
        (102400, "100 KiB"),
        (1047552, "1023 KiB"),
        (1048064, "1.0 MiB"),
        (806354944, "769 MiB"),
        (1 << 31, "2.0 GiB"),
        (1 << 51, "2048 TiB"),
    ],
)
def test_sizes(count: int, text: str):
    """Three digits or so, and never ``1024 KiB``."""
    assert size_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0 s"),
        (12.34, "12.3 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (245, "4 min 05 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (3725, "1 h 02 min"),
    ],
)
def test_durations(seconds: float, text: str):
    """Never ``60.0 s``, never ``60 min``."""
    assert duration_text(seconds) == text


def test_blocks_keep_tabs_and_newlines_and_lines_do_not():
    assert printable("a\tb\nc\r") == "a\tb\nc\\r"
    assert printable_line("a\tb\nc\r") == "a\\tb\\nc\\r"
    assert brief("a\tb\nc\r", most=3) == "a\\tb…"


@pytest.mark.parametrize("query", ["", "?key=hunter2", "#hunter2"])
@pytest.mark.parametrize("login", ["", "me:hunter2@"])
def test_no_secret_of_a_url_is_shown(login: str, query: str):
    """Whoever wrote it there: the message, the place, a detail, the hint, a note."""
    url = f"https://{login}h.example/x{query}"
    error = SourceError(f"no {url}", where=url, details=(f"tried {url}",), hint=f"see {url}")
    error.add_note(f"nor {url}")
    shown = render_error(error, color=False)
    assert "hunter2" not in shown
    assert shown.count("https://h.example/x") == 5
    row = error_row(error)
    assert "hunter2" not in str(row)
    assert str(row).count("https://h.example/x") == 4


def test_the_log_of_a_step_keeps_queries_and_no_logins():
    """Somebody looks there for what a step asked for. In all else of the error none is told."""
    line = "GET https://me:hunter2@h.example/x?page=2 404"
    error = StepError(line, where="a", details=(line,), hint=line)
    for told in (render_error(error, color=False), str(error_row(error))):
        assert "hunter2" not in told
        assert told.count("GET https://h.example/x?page=2 404") == 1
        assert told.count("GET https://h.example/x?… 404") == 2


def test_a_lock_of_another_recipe_is_told_without_the_query_of_its_address():
    details = ("locked: {url: 'https://h.example/d?sig=hunter2', size: 3}",)
    error = LockError("rvbuild.lock has a/a for another recipe", details=details)
    shown = render_error(error, color=False)
    assert "{url: 'https://h.example/d?…', size: 3}" in shown
