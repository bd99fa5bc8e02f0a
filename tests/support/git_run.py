"""git, as tests run it: at a time of their own, for nobody, and without anybody's settings."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_ROLES = ("AUTHOR", "COMMITTER")
_WHO = {f"GIT_{role}_{what}": "a" for role in _ROLES for what in ("NAME", "EMAIL")}


def git_at(folder: Path, date: int, *words: str) -> str:
    """Run git in a folder at a time, in Unix seconds; what it says, without blanks around it."""
    when = {f"GIT_{role}_DATE": f"@{date} +0100" for role in _ROLES}
    home = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        env=home | _WHO | when,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()
