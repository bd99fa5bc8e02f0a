"""Somebody who follows a page: a home, a project, and what the page's examples mean there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from attrs import evolve, frozen
from world import PATIENCE, clean_environment

_NOBODY = {
    f"GIT_{role}_{what}": "n@example.invalid"
    for role in ("AUTHOR", "COMMITTER")
    for what in ("NAME", "EMAIL")
}


@frozen(kw_only=True)
class Reader:
    """A person at a machine.

    Attributes:
        folder: Has the person's home, the project, and what stands for folders of the machine.
        seed: A store with what steps need.
        table: What each example of the page means here.
        environment: Of each shell.
    """

    folder: Path
    seed: Path
    table: Mapping[str, str]
    environment: Mapping[str, str]

    @classmethod
    def at(cls, folder: Path, seed: Path, table: Mapping[str, str]) -> Reader:
        """Somebody with an empty home, who has rvbuild, and no login of the machine's owner."""
        (folder / "home").mkdir(parents=True)
        (folder / "bin").mkdir()
        program = folder / "bin/rvbuild"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m rvbuild "$@"\n')
        program.chmod(0o755)
        environment = clean_environment(folder, ("XDG_CONFIG_HOME",))
        del environment["XDG_CACHE_HOME"]
        return cls(
            folder=folder,
            seed=seed,
            table=table,
            environment={
                **{name: text for name, text in environment.items() if not name.startswith("AWS_")},
                **_NOBODY,
                "HOME": str(folder / "home"),
                "PATH": f"{folder}/bin:{os.environ['PATH']}",
            },
        )

    @property
    def project(self) -> Path:
        return self.folder / "project"

    def knowing(self, table: Mapping[str, str], **environment: str) -> Reader:
        """The same person, for whom more examples mean something."""
        return evolve(
            self,
            table={**self.table, **table},
            environment={**self.environment, **environment},
        )

    def here(self, text: str) -> str:
        """A text of the page with what its examples mean."""
        names = sorted(self.table, key=len, reverse=True)
        return re.sub("|".join(map(re.escape, names)), lambda match: self.table[match[0]], text)

    def run(self, scripts: Iterable[str], **environment: str) -> str:
        """Run scripts in one shell in the project; what they said."""
        text = self.here("\n".join(scripts))
        ran = subprocess.run(
            ["bash", "-euc", text],
            cwd=self.project,
            env={
                **self.environment,
                **{name: self.here(value) for name, value in environment.items()},
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert ran.returncode == 0, f"{text}\n---\n{ran.stdout}"
        return ran.stdout

    def begin_project(self, files: Mapping[str, str]) -> None:
        """A project with one commit, in a repository that all clone; its store has the seed."""
        for name, text in files.items():
            (self.project / name).parent.mkdir(parents=True, exist_ok=True)
            (self.project / name).write_text(text)
        origin = self.folder / "origin.git"
        self.run([f"git init -q --bare -b main {origin}", "git init -q -b main", "git add ."])
        self.run(
            ["git commit -qm one", f"git remote add origin {origin}", "git push -qu origin main"]
        )
        self._take_tools()

    def colleague(self, name: str, *, tools: bool = False, origin: str = "origin.git") -> Reader:
        """Somebody else with a fresh clone; the store has what steps need, or nothing."""
        folder = self.folder / name
        (folder / "home").mkdir(parents=True)
        (folder / "project").mkdir()
        reader = evolve(
            self, folder=folder, environment={**self.environment, "HOME": str(folder / "home")}
        )
        reader.run([f"git clone -q {self.folder}/{origin} ."])
        if tools:
            reader._take_tools()
        return reader

    def _take_tools(self) -> None:
        subprocess.run(["cp", "-al", f"{self.seed}/.", str(self.project / "cache")], check=True)

    def key(self, name: str) -> str:
        """The text of a private key of this person."""
        return (self.folder / f"home/.config/rvbuild/keys/{name}.key").read_text().strip()
