"""What end-to-end tests share: a small project, and the program as people start it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from rvbuild.core.architecture import of_machine

ROOT = Path(__file__).parents[2]
HERE = of_machine(platform.machine()).name
"""The build machine's architecture: checks of its programs need no emulator."""

OTHER = "arm64" if HERE != "arm64" else "amd64"
PATIENCE = 120
"""Seconds until a program that hangs fails its test."""

HELLO = """\
summary: says hello
license: MIT
homepage: https://example.invalid/hello
version: "1"
build: |
  echo "making $name $version for $arch"
  mkdir -p "$out/share"
  echo "hello $version for $arch" > "$out/share/hello.txt"
outputs:
  text: {path: share/hello.txt, kind: file}
checks:
  - run: cat /in/hello/share/hello.txt
    expect: "hello 1"
"""


@frozen
class Ran:
    """How a run of the program ended."""

    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"exit code {self.code}\n{self.out}---\n{self.err}"

    @property
    def json(self) -> Any:  # noqa: ANN401 - what JSON holds
        return json.loads(self.out)

    def said(self, *parts: str) -> Ran:
        """Each part is in what the program told people, in this order."""
        at = 0
        for part in parts:
            found = self.err.find(part, at)
            assert found >= 0, f"{part!r} is not in:\n{self.err}"
            at = found + len(part)
        return self


@frozen(kw_only=True)
class World:
    """A project in ``folder``, and the store that its runs use.

    ``environment`` is all that the program gets; ``program`` is how it is started.
    """

    folder: Path
    store: Path
    environment: Mapping[str, str]
    program: tuple[str, ...] = (sys.executable, "-m", "rvbuild")

    # ---- the project

    def recipe(self, name: str, text: str) -> Path:
        """Write a recipe; its file."""
        file = self.folder / "recipes" / name / "recipe.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def step(self, name: str, script: str, more: str = "", output: str = "out.txt") -> Path:
        """Write a recipe with one script and one output."""
        lines = "".join(f"  {line}\n" for line in script.splitlines())
        return self.recipe(
            name,
            f'summary: {name}\nlicense: MIT\nhomepage: https://example.invalid\nversion: "1"\n'
            f"{more}build: |\n{lines}outputs:\n  it: {{path: {output}, kind: file}}\n",
        )

    # ---- the program

    def at(self, folder: Path) -> World:
        """The same store, seen from another folder."""
        return evolve(self, folder=folder)

    def with_environment(self, **more: str) -> World:
        return evolve(self, environment={**self.environment, **more})

    def words(self, *words: str, wrapper: Sequence[str] = ()) -> list[str]:
        return [*wrapper, *self.program, *words]

    def start(self, *words: str, wrapper: Sequence[str] = (), **options: Any) -> Program:  # noqa: ANN401
        """Start the program in a session of its own; see `Program`."""
        process = subprocess.Popen(
            self.words(*words, wrapper=wrapper),
            cwd=self.folder,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
            start_new_session=True,
            **options,
        )
        return Program(process)

    def run(self, *words: str, wrapper: Sequence[str] = (), **options: Any) -> Ran:  # noqa: ANN401
        """Run the program to its end."""
        return self.start(*words, wrapper=wrapper, **options).wait()

    def run_each(self, lines: Iterable[Sequence[str]]) -> list[Ran]:
        """Run it with each line of words, as many at once as there are cores."""
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            return list(pool.map(lambda words: self.run(*words), lines))

    def fine(self, *words: str) -> Ran:
        """Run it; it must succeed."""
        ran = self.run(*words)
        assert ran.code == 0, f"{words}: {ran}"
        return ran

    def plan(self, *words: str) -> dict[str, str]:
        """What `plan` would do: the reason by label."""
        return {task["label"]: task["reason"] for task in self.planned(*words)["tasks"]}

    def planned(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = self.fine("plan", "--json", *words).json
        return found

    # ---- the store

    def clone(self, seed: Path) -> None:
        """Begin with what another store has."""
        subprocess.run(["cp", "-al", str(seed), str(self.store)], check=True)

    def records(self) -> set[str]:
        """The names of every result that is registered."""
        kinds = ("realisations", "ac", "accelerated/realisations", "accelerated/ac")
        return {f"{kind}/{file.name}" for kind in kinds for file in (self.store / kind).glob("*/*")}

    def forget_memo(self) -> None:
        shutil.rmtree(self.store / "memo", ignore_errors=True)

    def sound(self) -> None:
        """The store verifies, and nothing half-made is in it."""
        self.fine("store", "verify")
        tmp = self.store / "tmp"
        assert [path for path in tmp.iterdir() if path.name != "git"] == []


@frozen
class Program:
    """The program, running."""

    process: subprocess.Popen[str]

    def until(self, text: str) -> None:
        """Wait until a line that it tells people has ``text`` in it."""
        assert self.process.stderr
        lines = []
        for line in self.process.stderr:
            lines.append(line)
            if text in line:
                return
        msg = f"ended without {text!r}:\n{''.join(lines)}"
        raise AssertionError(msg)

    def wait(self) -> Ran:
        """How it ends."""
        try:
            out, err = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, 9)
            raise
        return Ran(self.process.returncode, out, err)


def clean_environment(home: Path, more: Iterable[str] = ()) -> dict[str, str]:
    """This environment without what a person may have set for rvbuild or a terminal.

    HOME is kept: the clients' configurations are found through it.
    """
    dropped = {"NO_COLOR", "FORCE_COLOR", "TERM", "PYTHONDONTWRITEBYTECODE", *more}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in dropped and not name.startswith("RVBUILD_")
    }
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
        "XDG_CACHE_HOME": str(home / "cache"),
    }


def git(folder: Path, *words: str) -> str:
    """Run git as nobody in particular, at a fixed time."""
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (
            ("NAME", "n"),
            ("EMAIL", "n@example.invalid"),
            ("DATE", "@1700000000 +0000"),
        )
    }
    return subprocess.run(
        ["git", *words],
        cwd=folder,
        env={**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def repository(folder: Path, files: Mapping[str, str]) -> str:
    """Make a repository with one commit, or add a commit to it; the commit."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / ".git").exists():
        git(folder, "init", "-q", "-b", "main")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "one")
    return git(folder, "rev-parse", "HEAD")
