"""The process between rvbuild and its sandboxes, where descriptors or its Python are short."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import SandboxError
from rvbuild.executors import keeper as module
from rvbuild.executors.keeper import Child, Keeper, Request

PLACES = 6  # output, report, status, options, filter, threshold


@contextmanager
def files() -> Iterator[list[int]]:
    """What a child gets; it takes them all for what they are not, and does not mind."""
    descriptors = [os.open(os.devnull, os.O_RDWR) for _ in range(PLACES)]
    try:
        yield descriptors
    finally:
        for one in descriptors:
            os.close(one)


def start(keeper: Keeper, program: str = "/bin/true") -> Child:
    with files() as descriptors:
        return keeper.start(Request(program=program, command=[]), descriptors)


def outcome(keeper: Keeper) -> str:
    """An exit code, or the words of the refusal."""
    try:
        return str(start(keeper).wait())
    except SandboxError as error:
        return f"{error}; {hint_text(error.hint)}; {error.details}"


def limited(open_files: int) -> Keeper:
    """One whose process may have so many open files."""
    return Keeper([(resource.RLIMIT_NOFILE, open_files)])


def test_a_child_lives_and_ends() -> None:
    assert start(Keeper([])).wait() == 0
    assert start(Keeper([]), "/bin/false").wait() == 1


@pytest.mark.parametrize("open_files", range(5, 16))
def test_with_few_open_files_a_start_fails_and_the_next_is_answered(open_files: int) -> None:
    """Each number of free descriptors ends in another place: not one hangs, or ends the keeper."""
    keeper = limited(open_files)
    outcomes = {outcome(keeper) for _ in range(3)}
    assert len(outcomes) == 1
    (one,) = outcomes
    assert one == "0" or "ulimit -n" in one


def test_enough_and_too_few_are_both_among_them() -> None:
    assert start(limited(15)).wait() == 0
    with pytest.raises(SandboxError):
        start(limited(5))


def test_this_process_may_have_no_number_free_for_the_handle() -> None:
    code = (
        "import os, resource, sys; sys.path.insert(0, sys.argv[1]);"
        "from test_keeper import *; keeper = Keeper([]); start(keeper).wait();"
        "has = max(map(int, os.listdir('/proc/self/fd')));"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (has + 9, has + 9));"
        "spare = [];"
        "exec('''\n"
        "while True:\n"
        "    try:\n"
        "        start(keeper).wait()\n"
        "        spare.append(os.open('/', os.O_RDONLY))\n"
        "    except SandboxError as error:\n"
        "        assert 'ulimit -n' in str(error.hint), error\n"
        "        break\n"
        "''');"
        "[os.close(one) for one in spare]; print(start(keeper).wait())"
    )
    here = str(Path(__file__).parent)
    ran = subprocess.run(
        [sys.executable, "-c", code, here], capture_output=True, text=True, check=False
    )
    assert (ran.stdout, ran.stderr) == ("0\n", "")


def test_it_says_why_it_could_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "keeper_process.py"
    broken.write_text("import not_there\n")
    monkeypatch.setattr(module, "_PROCESS", (sys.executable, "-I", "-S", str(broken)))
    keeper = Keeper([])
    for _ in range(2):  # it ends while it is asked, and has ended
        with pytest.raises(SandboxError) as refusal:
            start(keeper)
        assert refusal.value.details == ("ModuleNotFoundError: No module named 'not_there'",)


def test_it_starts_where_python_needs_a_library_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its children do not get that path."""
    shown = tmp_path / "python"
    shown.write_text(
        f'#!/bin/sh\n[ "$LD_LIBRARY_PATH" = /some/where ] && exec {sys.executable} "$@"\n'
    )
    shown.chmod(0o755)
    monkeypatch.setattr(module, "_PROCESS", (str(shown), *module._PROCESS[1:]))
    monkeypatch.setenv("LD_LIBRARY_PATH", "/some/where")
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\n[ -z "$LD_LIBRARY_PATH" ]\n')
    program.chmod(0o755)
    assert start(Keeper([]), str(program)).wait() == 0
