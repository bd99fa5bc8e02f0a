"""End an update or a lock at a call that changes a file; then see that it did all or nothing.

In each of CASES, the program is killed at its N-th such call, or the call fails with ENOSPC or EIO.
``--count`` takes so many of these points, in an order that follows from the seed; 0 takes all.
Then the next command that reads the project must leave recipes and lock as they were, or as they
are after the whole update, in every byte, and nothing else beside them; ``git status`` says the
same. A command that did not say an error has done all. Where nothing was done, the same command
does it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

from attrs import frozen
from campaign import Options, hold, main, one_processor, reap
from judge import sha256
from program import Program, Ran, environment, read_modules
from trap import Trap, failure, killer

ACTS = ("kill", "kill", "ENOSPC", "EIO")
"""What happens at a call; a kill comes twice, once to the whole group."""

FAMILY, CHARTS = "https://example.org/family", "https://example.org/charts"
_SOURCE = """\
kind: source
sources: {{tree: {{git: "{url}", commit: "${{commit}}"}}}}
per-series:
  "1": {{commit: {commit}, end-of-support: "2030-02-28"}}
"""
_RECIPES = {
    "tool": 'kind: source\nversion: {from: family, line: 1, file: VERSION}\n'
    'sources: {tool: {git: "https://example.org/charts", tag: "${version}"}}\n',
    "user": "kind: tool\nsources: {family: {from: family}, charts: {from: charts}}\n"
    "build: x\noutputs: {out: {path: out}}\n",
}  # fmt: skip
_NEW = ("--series", "2", "--set", "end-of-support=2031-02-28", "--set")
_NEW_CHARTS = ("charts.end-of-support=2031-02-28", "--set")


@frozen
class Point:
    """The ``at``-th call of a case, and what happens there."""

    case: str
    act: str
    at: int


class Updates:
    """A project in several states, and every point at which a command of it can end."""

    def __init__(self, folder: Path, options: Options) -> None:
        one_processor()
        read_modules()
        self.doing = ""
        self._folder = folder
        self._project, self._states = folder / "project", folder / "states"
        self._states.mkdir()
        self._commits = {name: _upstream(folder / name) for name in ("family", "charts")}
        self._write()
        (folder / "tmp").mkdir()
        own = {**environment(folder), "TMPDIR": str(folder / "tmp")}
        self._program = Program(self._project, own)
        self._program.run("lock").fine()
        self._keep("one")
        self._cases = self._all_cases()
        self._after = {name: self._undisturbed(*case) for name, case in self._cases.items()}
        points = [point for name in self._cases for point in self._points(name)]
        self._points_in_order = sorted(points, key=lambda each: _rank(options.seed, each))

    def trials(self) -> int:
        """Every point."""
        return len(self._points_in_order)

    def trial(self, _rng: Random, number: int) -> None:
        """End one command, and look."""
        point = self._points_in_order[number % len(self._points_in_order)]
        state, words = self._cases[point.case]
        self.doing = f"{point.act}: call {point.at} of {point.case}"
        before, after = self._restore(state), self._after[point.case]
        ran = self._program.run(*words, hook=lambda: self._hook(point))
        reap()
        if point.act != "kill":
            hold(ran.code == 0 or ran.typed, "neither success nor a typed error", ran)
        self._program.run("show", "user").fine()
        now = _contents(self._project)
        hold(now in (before, after), "neither the old state nor the new one", ran, _unlike(now))
        hold(now == after or ran.code != 0, "a success without its files", ran)
        hold(self._status() == ("" if now == before else self._status_of(after)), "git status")
        if now == before:
            self._program.run(*words).fine()
            hold(_contents(self._project) == after, "it does something else now")

    # ---- cases

    def _all_cases(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        """The state, and the words of a command."""
        family, charts = self._commits["family"], self._commits["charts"]
        added = ("update", "family", "--to", family[1], *_NEW, *_NEW_CHARTS)
        cases = {
            "a move": ("one", ("update", "tool", "--to", family[1][:9])),
            "a new series": ("one", (*added, f"charts.commit={charts[1]}")),
        }
        self._undisturbed(*cases["a new series"])
        self._keep("two")
        cases["a series that goes"] = ("two", ("update", "family", "--series", "2", "--drop"))
        self._restore("one")
        recipe = self._project / "recipes/family/recipe.yaml"
        recipe.write_text(recipe.read_text().replace(family[0], family[1]))
        self._keep("edited")
        cases["a lock"] = ("edited", ("lock",))
        self._restore("one")
        for name in ("family", "charts"):
            recipe = self._project / f"recipes/{name}/recipe.yaml"
            recipe.write_text(recipe.read_text().replace("end-of", "update: major, end-of"))
        self._keep("free")
        cases["all that may move"] = ("free", ("update",))
        return cases

    def _undisturbed(self, state: str, words: tuple[str, ...]) -> dict[str, bytes]:
        """What a command makes of a state."""
        self._restore(state)
        self._program.run(*words).fine()
        return _contents(self._project)

    def _points(self, case: str) -> list[Point]:
        state, words = self._cases[case]
        self._restore(state)
        ran = self._program.run(*words, hook=lambda: self._trap(Point(case, "", 0))).fine()
        return [Point(case, act, at) for act in {*ACTS} for at in range(1, int(ran.report) + 1)]

    def _hook(self, point: Point) -> Trap:
        return self._trap(point)

    def _trap(self, point: Point) -> Trap:
        if point.act == "":
            return Trap(str, 0, str(self._project), reads=False)
        act = killer(group=bool(point.at % 2)) if point.act == "kill" else failure(point.act)
        return Trap(act, point.at, str(self._project), reads=False)

    # ---- the project

    def _write(self) -> None:
        for name in ("family", "charts"):
            commit = self._commits[name][0]
            text = _SOURCE.format(url=f"https://example.org/{name}", commit=commit)
            self._recipe(name, text)
        for name, text in _RECIPES.items():
            self._recipe(name, text)
        (self._project / "recipes/series.yaml").write_text('default: ["1"]\n')
        mirrors = "".join(
            f'"https://example.org/{name}" = "{self._folder / name}"\n' for name in self._commits
        )
        (self._project / "rvbuild.toml").write_text(f"[mirrors]\n{mirrors}")

    def _recipe(self, name: str, text: str) -> None:
        file = self._project / "recipes" / name / "recipe.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def _keep(self, state: str) -> None:
        """Remember the project as it is, committed."""
        git = self._project / ".git"
        shutil.rmtree(git, ignore_errors=True)
        _git(self._project, "init", "-q")
        _commit(self._project)
        shutil.copytree(self._project, self._states / state)

    def _restore(self, state: str) -> dict[str, bytes]:
        shutil.rmtree(self._project, ignore_errors=True)
        shutil.copytree(self._states / state, self._project)
        return _contents(self._project)

    def _status(self) -> str:
        return _git(self._project, "status", "--porcelain", "--untracked-files=all")

    def _status_of(self, after: dict[str, bytes]) -> str:
        """What git says of the files that differ from what is committed."""
        paths = _git(self._project, "ls-files").split("\n")
        committed = {path: _git_bytes(self._project, "show", f"HEAD:{path}") for path in paths}
        changed = [path for path in paths if committed[path] != after[path]]
        return "\n".join(f" M {path}" for path in changed).strip()


def _rank(seed: int, point: Point) -> str:
    return sha256(f"{seed} {point}".encode())


def _contents(project: Path) -> dict[str, bytes]:
    """All files but git's own."""
    return {
        str(path.relative_to(project)): path.read_bytes()
        for path in project.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(project).parts[:1]
    }


def _unlike(files: dict[str, bytes]) -> str:
    return ", ".join(f"{name} ({sha256(data)[:8]})" for name, data in sorted(files.items()))


def _upstream(repository: Path) -> tuple[str, str]:
    """A repository with two commits, each with a tag."""
    repository.mkdir()
    _git(repository, "init", "-q")
    commits = []
    for version in ("v1", "v2"):
        (repository / "VERSION").write_text(f"{version}\n")
        _commit(repository)
        _git(repository, "tag", version)
        commits.append(_git(repository, "rev-parse", "HEAD"))
    return commits[0], commits[1]


def _commit(folder: Path) -> None:
    _git(folder, "add", "-A")
    who = ("-c", "user.name=n", "-c", "user.email=n@example.invalid")
    _git(folder, *who, "commit", "-q", "-m", "one")


def _git(folder: Path, *words: str) -> str:
    return _git_bytes(folder, *words).decode().strip()


def _git_bytes(folder: Path, *words: str) -> bytes:
    nobody = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(
        ["git", *words], cwd=folder, env={**os.environ, **nobody}, check=True, capture_output=True
    )
    return done.stdout


__all__ = ["Ran", "Updates"]

if __name__ == "__main__":
    sys.exit(main("updates", __doc__, Updates, 1000))
