"""A small project with everything that a build can have, and what its results must be.

Knows: recipes, sources on this machine, states of a store. Must not know: what is done to
them. Its tools are the machine's own shell and six programs with their libraries.

States, each made from the one before it: ``unlocked``, ``locked``, ``fetched``, ``built``,
``edited`` (built, then a script was changed), ``garbage`` (built again, so the first
results are needed by nobody), ``damaged`` (built, then a file lost a bit, one its end and
one its name).
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from campaign import hold
from judge import contents, sha256
from program import Program, environment

from rvbuild.core.architecture import of_machine

HERE = of_machine(platform.machine()).name
AFAR = "https://example.invalid/"
TARGETS = tuple(f"{name}-{HERE}" for name in ("top", "plain"))
PINNED = (f"right-{HERE}",)
"""Made of pinned sources only: a release may be."""

STATES = ("unlocked", "locked", "fetched", "built", "edited", "garbage", "damaged")
VERSION = {"edited": 2, "garbage": 2}
"""Which of the two texts of its recipe a state has; else the first."""

_PROGRAMS = ("sh", "cat", "chmod", "cp", "ln", "mkdir", "mkfifo")
_HEAD = """\
summary: {name}
license: MIT
homepage: https://example.invalid
version: "1"
architectures: [{here}]
"""
_RECIPES = {
    "base-toolbox": """kind: tool
toolbox: none
sources:
  it: {{url: "https://example.invalid/toolbox.tar", sha256: {toolbox}, strip: 0}}
outputs:
  sh: {{path: bin/sh, kind: file}}
""",
    "data": """kind: source
sources:
  it: {{url: "https://example.invalid/data.tar", sha256: {data}, strip: 0}}
""",
    "repo": """kind: source
sources:
  it: {{git: "https://example.invalid/repo.git", commit: {repo}}}
""",
    "left": """sources:
  data: {{from: data}}
build: |
  cp -r /src/data/. "$out"
  mkdir "$out/empty"
  echo left {version} > "$out/left"
  ln -s left "$out/link"
outputs:
  it: {{path: left, kind: file}}
""",
    "right": """sources:
  repo: {{from: repo, writable: true}}
accelerators: [go]
build: |
  mkdir -p /tmp/go-cache "$out/share"
  echo kept > /tmp/go-cache/one
  cat src/repo/*.txt > "$out/share/right"
  echo right >> "$out/share/right"
outputs:
  it: {{path: share/right, kind: file}}
""",
    "top": """inputs:
  target: [left, right]
build: |
  cat /in/left/left /in/right/share/right > "$out/top"
  cp /in/left/run "$out/run"
outputs:
  it: {{path: top, kind: file}}
checks:
  - run: cat /in/top/top
    expect: left
""",
    "plain": """sources:
  notes: {{path: ../../notes}}
build: |
  cp /src/notes/* "$out"
outputs:
  it: {{path: notes, kind: file}}
""",
    "slow": """build: |
  mkfifo gate
  (cat gate &)
  echo ready to be killed
  read x < gate
outputs:
  it: {{path: it, kind: file}}
""",
}


class SmallWorld:
    """The project in ``folder``; ``work`` is all that a trial may change.

    States are copies of ``work`` beside it, put back at the same path: roots name paths.
    """

    def __init__(self, folder: Path, states: tuple[str, ...] = STATES) -> None:
        self.mirror = folder / "mirror"
        self.states = folder / "states"
        self.work = folder / "work"
        self.project, self.store = self.work / "project", self.work / "store"
        self.out = self.work / "out"
        self.program = Program(self.project, environment(self.work))
        self.options = ("--mirror", f"{AFAR}={self.mirror}/")
        self.trees: dict[int, dict[str, str]] = {}
        self.contents: dict[int, dict[str, object]] = {}
        self.marked: set[str] = set()
        for place in (self.mirror, self.states, self.project, self.work / "home"):
            place.mkdir(parents=True)
        self._names = self._sources()
        self._write(version=1)
        self._make(states)

    # ---- states

    def restore(self, state: str) -> None:
        """Begin with a copy of a state."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.copy(self.states / state, self.work)

    @staticmethod
    def copy(source: Path, target: Path) -> None:
        """Copy a folder with its links and times."""
        subprocess.run(["cp", "-a", str(source), str(target)], check=True)

    def _make(self, states: tuple[str, ...]) -> None:
        for state in STATES[: 1 + max(map(STATES.index, states))]:
            if state == "damaged":
                self.restore("built")
            getattr(self, f"_{state}")()
            self.copy(self.work, self.states / state)

    def _unlocked(self) -> None:
        (self.project / "rvbuild.lock").touch()

    def _locked(self) -> None:
        self.program.run("lock", *self.options).fine()

    def _fetched(self) -> None:
        self.program.run("fetch", *TARGETS, *self.options).fine()

    def _built(self) -> None:
        self._know(1)

    def _edited(self) -> None:
        self._write(version=2)

    def _garbage(self) -> None:
        self._know(2)

    def _damaged(self) -> None:
        """Three files that a build made: a flipped bit, a lost end, a lost name."""
        made = min((self.store / "realisations").glob("*/*"))
        blobs = sorted((self.store / "cas").glob("*/*"), key=lambda path: path.name)
        small = [blob for blob in blobs if 3 < blob.stat().st_size < 2000]
        self.damage(small[0], flip=8)
        self.damage(small[1], keep=1)
        self.damage(made, flip=100)
        small[2].unlink()

    def damage(self, path: Path, flip: int | None = None, keep: int | None = None) -> None:
        """Flip the bit numbered ``flip`` of a file, or keep so many bytes; note what it is now."""
        data = bytearray(path.read_bytes())
        if flip is not None:
            data[flip // 8] ^= 1 << flip % 8
        there = path.stat()
        path.chmod(0o644)
        path.write_bytes(data[:keep])  # the same inode, as rot is
        path.chmod(there.st_mode & 0o777)
        os.utime(path, ns=(there.st_atime_ns, there.st_mtime_ns))
        self.marked.add(sha256(data[:keep]))

    def _know(self, version: int) -> None:
        """Build, and remember what that makes."""
        made = self.program.run("build", *TARGETS, *PINNED, "--json", *self.options).fine().json
        self.trees[version] = {each["target"]: each["tree"] for each in made["results"]}
        self.contents[version] = {
            each["target"]: contents(Path(each["path"])) for each in made["results"]
        }

    # ---- what must hold

    def results_hold(self, *versions: int) -> None:
        """Every result's link leads to what one of these versions makes, as copies are."""
        for place in (self.project / "result", self.out):
            for target in self.trees[1]:
                at = place / target
                if at.is_symlink() or at.exists():
                    wanted = [self.contents[version][target] for version in versions]
                    hold(contents(at) in wanted, "a result is not whole", at, contents(at))

    def nothing_destroyed(self) -> None:
        """The damaged bytes are where they were, or were set aside."""
        files = [path for path in self.store.rglob("*") if path.is_file()]
        there = {sha256(path.read_bytes()) for path in files}
        hold(self.marked <= there, "a repair destroyed damaged bytes")

    def links(self) -> list[str]:
        """The results that are linked."""
        return sorted(os.listdir(self.project / "result"))

    def converges(self, version: int) -> None:
        """Building again gives the same."""
        made = self.program.run("build", *TARGETS, *PINNED, "--json", *self.options).fine().json
        found = {each["target"]: each["tree"] for each in made["results"]}
        hold(found == self.trees[version], "it builds something else", found)

    def tidy(self) -> None:
        """Garbage collection works, and leaves nothing that is half made."""
        self.program.run("gc").fine()
        left = os.listdir(self.store / "tmp")
        hold(not left, "gc leaves in tmp/", left)

    def verified(self) -> None:
        """The program's own verification finds nothing."""
        self.program.run("store", "verify").fine()

    # ---- the project

    def _write(self, version: int) -> None:
        facts = {"version": version, "here": HERE, **self._names}
        for name, text in _RECIPES.items():
            file = self.project / "recipes" / name / "recipe.yaml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text((_HEAD + text).format(name=name, **facts))
        notes = self.project / "notes"
        notes.mkdir(exist_ok=True)
        (notes / "notes").write_text("somebody's notes\n")

    def _sources(self) -> dict[str, str]:
        """Make the sources; what pins each."""
        self._toolbox(self.mirror / "toolbox")
        data = self.mirror / "data"
        (data / "sub").mkdir(parents=True)
        for number in range(6):
            (data / f"sub/file-{number}").write_text(f"file {number}\n" * 50)
        (data / "run").write_text("#!/bin/sh\necho runs\n")
        (data / "run").chmod(0o755)
        (data / "sub/link").symlink_to("../run")
        return {
            "toolbox": _packed(self.mirror / "toolbox"),
            "data": _packed(data),
            "repo": self._repository(self.mirror / "repo.git"),
        }

    @staticmethod
    def _toolbox(top: Path) -> None:
        """The machine's own programs and the libraries that they need."""
        files: set[str] = set()
        for name in _PROGRAMS:
            program = str(shutil.which(name))
            said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
            files |= set(re.findall(r"(/\S+) \(", said.stdout))
            _put(program, top / "bin" / name)
        for file in files:
            _put(file, top / file[1:])

    @staticmethod
    def _repository(folder: Path) -> str:
        folder.mkdir()
        for name in ("one.txt", "two.txt"):
            (folder / name).write_text(f"{name}\n")
        who = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "n"), ("EMAIL", "n@example.invalid"), ("DATE", "@0 +0000"))
        }
        none = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
            subprocess.run(
                ["git", *words], cwd=folder, env={**os.environ, **who, **none}, check=True
            )
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()


def _put(source: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(os.path.realpath(source), target)
    target.chmod(0o755)


def _packed(folder: Path) -> str:
    """Pack a folder as FOLDER.tar, the same each time; its SHA-256."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime = member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    file = folder.with_suffix(".tar")
    with tarfile.open(file, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.add(path, str(path.relative_to(folder)), recursive=False, filter=plain)
    return sha256(file.read_bytes())
