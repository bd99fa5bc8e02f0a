"""What a client says: where it runs, what it gets, and what becomes of one that fails."""

from __future__ import annotations

import sys

import pytest

from rvbuild.transfers.client_output import ClientOutput, client_output

SCRIPT = (
    "import os, sys; print(os.getcwd(), os.environ['A'], 'PATH' in os.environ, sys.stdin.read());"
    "sys.stderr.buffer.write(b'\\xff'); sys.exit(int(os.environ['A']))"
)


@pytest.mark.parametrize("code", [0, 3])
def test_a_client_runs_apart_from_every_project(code: int):
    """In the root folder, with no other environment and nothing to read."""
    output = client_output([sys.executable, "-I", "-c", SCRIPT], {"A": str(code)})
    expected = ClientOutput(stdout=f"/ {code} False \n", stderr="\ufffd", success=code == 0)
    assert output == expected


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["/nowhere/client"], "it cannot be run: [Errno 2] No such file or directory"),
        (["/"], "it cannot be run: [Errno 13] Permission denied"),
        ([sys.executable, "\0"], "it cannot be run: embedded null byte"),
        ([sys.executable, "-I", "-c", "import signal; signal.pause()"], "it did not end within"),
    ],
)
def test_a_client_that_cannot_be_run(command: list[str], reason: str):
    output = client_output(command, {}, timeout=0.5)
    assert (output.stdout, output.success) == ("", False)
    assert output.stderr.startswith(reason)
    assert output.complaint("it")[0].startswith(f"it: {reason}")
