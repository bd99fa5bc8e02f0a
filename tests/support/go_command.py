"""The go command of this machine, as a peer to compare with.

Without a home it has no folder for its telemetry. With one it may leave a process that writes
there after the command has ended, while the test's folder is being removed.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

GO = shutil.which("go")

needs_go = pytest.mark.skipif(GO is None, reason="no go command to compare with")


def go(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[bytes]:
    """Run ``go`` in ``folder``; its caches are a folder beside it, unless ``settings`` say so."""
    caches = folder.parent / f"{folder.name}-go"
    return subprocess.run(
        ["go", *arguments],
        cwd=folder,
        env={
            "PATH": str(Path(GO or "").parent),
            "GOPATH": str(caches / "path"),
            "GOCACHE": str(caches / "build"),
            "GOFLAGS": "-modcacherw",
            "GOSUMDB": "off",
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
            **settings,
        },
        capture_output=True,
        check=False,
    )
