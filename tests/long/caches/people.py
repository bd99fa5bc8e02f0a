"""People who share caches: each has a checkout, a user's folder, a store and a machine.

Knows: the program and its settings. Must not know: what is tried.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from attrs import define, field
from net import KEY, ROOT, SECRET, Machine

_KEPT = ("PATH", "TMPDIR", "LANG")


@define
class Person:
    """Somebody with a checkout of this repository.

    Attributes:
        home: All that is theirs.
        machine: Where they work.
        store: Their store.
    """

    home: Path
    machine: Machine
    store: Path
    seconds: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self.home.mkdir(parents=True)
        subprocess.run(["git", "clone", "-q", str(ROOT), str(self.checkout)], check=True)

    @property
    def checkout(self) -> Path:
        return self.home / "checkout"

    def run(self, *words: str, code: int = 0) -> str:
        """Run rvbuild; what it said, on both streams. Its time is in ``seconds``.

        Raises:
            SystemExit: it ended with another code.
        """
        program = [sys.executable, "-m", "rvbuild", *words]
        began = time.monotonic()
        done = subprocess.run(
            self.machine.words(*program),
            cwd=self.checkout,
            env=self._environment,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.seconds = time.monotonic() - began
        if done.returncode != code:
            sys.exit(f"rvbuild {' '.join(words)}: exit code {done.returncode}\n{done.stdout}")
        return done.stdout

    def new_key(self, name: str) -> str:
        """Make a key that signs here; its public line."""
        said = self.run("keys", "new", name)
        match = re.search(rf"rvbuild-ed25519 \S+ {name}", said)
        assert match, said
        config = self.home / "config/rvbuild/config.toml"
        config.write_text(f'signing-key = "{name}"\n')
        return match[0]

    def trust(self, line: str) -> None:
        self.run("keys", "trust", line)

    @property
    def _environment(self) -> dict[str, str]:
        return {
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "RVBUILD_STORE": str(self.store),
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }


def sums(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file below a folder, by path."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
