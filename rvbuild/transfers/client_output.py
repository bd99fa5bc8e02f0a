"""What a package client of the user's says when it is run.

Knows: how a client is run so that it asks nobody and obeys no project's settings.
Must not know: which clients there are, what they say.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from attrs import frozen

from rvbuild.core.printable import brief

_TIMEOUT = 60.0
_QUOTED = 5


@frozen(kw_only=True)
class ClientOutput:
    """What a client wrote; ``success`` if it ended with 0. Bytes that are no UTF-8 are replaced."""

    stdout: str = ""
    stderr: str = ""
    success: bool = False

    def complaint(self, client: str) -> tuple[str, ...]:
        """The first lines of standard error, for an error's details.

        The first ones say what is wrong; what follows may be a backtrace.
        """
        lines = [line for line in self.stderr.splitlines() if line.strip()]
        quoted = lines[:_QUOTED] or ["it wrote nothing on standard error"]
        return tuple(f"{client}: {brief(line)}" for line in quoted)


def client_output(
    command: Sequence[str], environment: Mapping[str, str], timeout: float = _TIMEOUT
) -> ClientOutput:
    """Run a client in ``/``, since clients obey the settings of every folder above.

    It gets no input. Of one that cannot be started, or takes longer, ``stderr`` is the reason.

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
    except subprocess.TimeoutExpired:
        return ClientOutput(stderr=f"it did not end within {timeout:.0f} s")
    except (OSError, ValueError) as error:
        return ClientOutput(stderr=f"it cannot be run: {error}")
    return ClientOutput(
        stdout=process.stdout.decode(errors="replace"),
        stderr=process.stderr.decode(errors="replace"),
        success=process.returncode == 0,
    )
