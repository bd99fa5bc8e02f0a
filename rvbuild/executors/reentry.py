"""A script that leads into the folder of a step that failed, as the step saw it.

Knows: shells, bubblewrap's command line. Must not know: actions, stores, how a step is watched.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence

from rvbuild.executors.bwrap import SandboxView

SCRIPT = "enter"
"""Its name, in the step's folder, where the step itself can put nothing."""

_NO_TERMINAL = "--new-session"
_TEXT = """\
#!/bin/sh
# Leads into the sandbox of {label}, with what the step left in /build and /tmp.
#
#   ./{script}          runs the step's command once more
#   ./{script} sh       opens a shell in /build; or any other program of the toolbox
#
# It has the step's inputs, environment and no network, as the step had. It does not have the
# step's limits, its filter of system calls, or a compile cache. Whoever collects the store's
# garbage removes this folder.
[ $# -gt 0 ] || set -- {command}
exec {bwrap} -- "$@"
"""


def script(label: str, program: str, view: SandboxView, command: Sequence[str]) -> str:
    """The text of the script.

    Args:
        label: The step's, for whoever reads it.
        program: bwrap.
        view: What the step saw.
        command: What it ran.
    """
    # a terminal stays the shell's own: this is run by a person, who trusts the step so far
    options = [word for word in view.arguments() if word != _NO_TERMINAL]
    return _TEXT.format(
        label=shlex.quote(label),
        script=SCRIPT,
        command=shlex.join(command),
        bwrap=shlex.join([program, *options]),
    )


def write_script(
    here: int, label: str, program: str, view: SandboxView, command: Sequence[str]
) -> None:
    """Put the script into a step's open folder ``here``; see `script`.

    Raises:
        OSError: the disk could not take it.
    """
    data = os.fsencode(script(label, program, view, command))  # a path may be no UTF-8
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(SCRIPT, flags, 0o755, dir_fd=here), "wb") as file:
        file.write(data)
