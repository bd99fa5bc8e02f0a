"""The program in namespaces of its own, where a test may change what the machine is."""

from __future__ import annotations

import os
import re
import shlex
import subprocess

import pytest
from world import HERE, Ran, World


def namespaced(world: World, script: str) -> Ran:
    """Run a shell script as root of namespaces of its own; ``rvbuild`` is the program.

    A test that cannot be run is a failure where CI is set, else it is skipped.
    """
    if (
        not os.environ.get("CI")
        and subprocess.run(["unshare", "-Urm", "true"], check=False).returncode
    ):
        pytest.skip("no unprivileged user namespaces")
    program = shlex.join(world.words())
    function = f'rvbuild() {{ {program} "$@" && code=0 || code=$?; echo "code $code"; }}\n'
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-euc", function + script],
        cwd=world.folder,
        env={**world.environment, "STORE": str(world.store), "TARGET": f"hello-{HERE}"},
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def codes(ran: Ran) -> list[int]:
    """The exit codes of the program's runs in a script."""
    assert "Traceback" not in ran.err
    return [int(code) for code in re.findall(r"^code (\d+)$", ran.out, re.MULTILINE)]
