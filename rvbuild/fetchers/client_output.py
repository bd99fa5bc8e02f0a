"""What a package client of the user's says when it is run.

Knows: how a client is run so that it asks nobody and obeys no project's settings.
Must not know: which clients there are, what they say.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from attrs import frozen

_TIMEOUT = 60.0


@frozen(kw_only=True)
class ClientOutput:
    """What a client wrote; ``success`` if it ended with 0. Bytes that are no UTF-8 are replaced."""

    stdout: str = ""
    stderr: str = ""
    success: bool = False


def client_output(
    command: Sequence[str], environment: Mapping[str, str], timeout: float = _TIMEOUT
) -> ClientOutput:
    """Run a client in ``/``, since clients obey the settings of every folder above.

    It gets no input. One that cannot be started, or takes longer, said nothing.

    Args:
        command: The program, by its path, and its arguments.
        environment: All of its environment.
        timeout: Seconds.
    """
    try:
        process = subprocess.run(  # noqa: S603 - no shell, the user's own program, fixed arguments
            command,
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return ClientOutput()
    return ClientOutput(
        stdout=process.stdout.decode(errors="replace"),
        stderr=process.stderr.decode(errors="replace"),
        success=process.returncode == 0,
    )
