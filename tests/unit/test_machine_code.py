"""Programs of system calls: each instruction set does what the list says, and reports why not."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rvbuild.core.errors import SandboxError
from rvbuild.executors.machine_code import Call, Report, program

MACHINES = ("x86_64", "aarch64", "riscv64")
HERE = -100  # AT_FDCWD
REPORT = 0  # as in a sandbox, standard input is the pipe

Run = Callable[..., tuple[int, str, Report | None]]


def emulator(machine: str) -> list[str]:
    """What runs a program of ``machine`` here."""
    if machine == os.uname().machine:
        return []
    names = (f"qemu-{machine}-static", f"qemu-{machine}")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"no qemu-user for {machine}; its bytes are pinned below")
    return [found]


def text(path: Path | str) -> bytes:
    return os.fsencode(path) + b"\0"


@pytest.fixture(params=MACHINES)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Runs a program of each machine, with a command; gives what it wrote and reported."""

    def started(calls: list[Call], *command: str) -> tuple[int, str, Report | None]:
        file = tmp_path / "program"
        file.write_bytes(program(calls, REPORT, request.param))
        file.chmod(0o755)
        reader, writer = os.pipe()
        ended = subprocess.run(
            [*emulator(request.param), str(file), *command],
            stdin=writer,
            stdout=subprocess.PIPE,
            text=True,
            env={"WORD": "word"},
            check=False,
            timeout=60,
        )
        os.close(writer)
        with open(reader, "rb") as file_of_report:
            said = file_of_report.read()
        return ended.returncode, ended.stdout, Report.read(said) if said else None

    return started


def test_calls_are_made_in_order_and_the_command_gets_all(run: Run, tmp_path: Path):
    calls = [
        Call("mkdirat", (HERE, text(tmp_path / "a"), 0o755)),
        Call("chdir", (text(tmp_path / "a"),)),
        Call("mkdirat", (HERE, text("b"), 0o700)),
        Call("openat", (HERE, text("c"), 0o1 | 0o100, 0o640)),
    ]
    script = 'echo "$0 $1 $WORD"; pwd; ls; stat -c %a b; exit 5'
    ended = run(calls, "/bin/sh", "-c", f"PATH=/usr/bin:/bin; {script}", "zero", "one two")
    assert ended == (5, f"zero one two word\n{tmp_path}/a\nb\nc\n700\n", None)


def test_a_call_that_fails_ends_it_and_is_named(run: Run, tmp_path: Path):
    gone = text(tmp_path / "gone")
    calls = [Call("chdir", (text("/"),)), Call("chdir", (gone,)), Call("mkdirat", (HERE, gone, 0))]
    assert run(calls, "/bin/echo", "started") == (127, "", Report(1, errno.ENOENT))
    assert not (tmp_path / "gone").exists()


def test_only_the_errors_that_are_listed_may_come(run: Run, tmp_path: Path):
    gone, here = text(tmp_path / "gone"), text(tmp_path)
    both = (errno.EEXIST, errno.ENOENT)
    calls = [Call("chdir", (gone,), both), Call("mkdirat", (HERE, here, 0o700), both)]
    assert run(calls, "/bin/echo", "started") == (0, "started\n", None)
    calls = [Call("chdir", (gone,), (errno.EEXIST, errno.EPERM))]
    assert run(calls, "/bin/echo", "started") == (127, "", Report(0, errno.ENOENT))


def test_a_command_that_is_not_there_is_named(run: Run, tmp_path: Path):
    calls = [Call("chdir", (text("/"),))]
    assert run(calls, str(tmp_path / "no")) == (127, "", Report(1, errno.ENOENT))


def test_a_long_program(run: Run, tmp_path: Path):
    """Constants and jumps that take more than the short forms of numbers."""
    names = [str(number) * 9 for number in range(1000, 1300)]
    calls = [Call("chdir", (text(tmp_path),))]
    calls += [Call("mkdirat", (HERE, text(one), 0o755), (errno.EEXIST,)) for one in names]
    assert run(calls, "/bin/echo", "started") == (0, "started\n", None)
    assert set(names) < set(os.listdir(tmp_path))
    calls[1:1] = [Call("chdir", (text("gone"),))]
    assert run(calls, "/bin/echo", "started") == (127, "", Report(1, errno.ENOENT))


@pytest.mark.parametrize(("machine", "sha256"), [
    ("x86_64", "eb4cb8801bfcc5f0"),
    ("aarch64", "00c86e1bc135fade"),
    ("riscv64", "ed8a60e15ba4b401"),
])  # fmt: skip
def test_bytes_are_those_that_were_run(machine: str, sha256: str):
    """Of a program with every form of instruction, on machines that this one cannot emulate too."""
    calls = [Call("mount", (0, b"/a\0", 0x12345678, -100, 0)), Call("close", (4,), (2, 13))]
    assert hashlib.sha256(program(calls, 3, machine)).hexdigest().startswith(sha256)


def test_a_machine_that_is_only_built_for():
    with pytest.raises(SandboxError, match="cannot write programs for loongarch64"):
        program([], 3, "loongarch64")


def test_machine_without_instructions():
    with pytest.raises(SandboxError, match="kind 'vax'"):
        program([], 3, "vax")
