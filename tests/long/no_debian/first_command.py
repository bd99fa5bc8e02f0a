"""README's first command on a machine that is not Debian.

Run with the project's environment: ``python tests/long/no_debian/first_command.py``. README.md
says what is tried. Exit codes: 0 all of it holds, 1 something does not.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from archive import Debian, Site, served
from attrs import frozen

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/support"))

import no_debian  # noqa: E402 - from tests/support

TARGET = "runc-riscv64"
TABLE = ROOT / "tests/long/outputs/digests.tsv"
PACKAGE = re.compile(r"/(?P<from>archive|mirror)/.*/(?P<name>[^/_]+)_[^/]+\.deb")
RECIPE = """\
summary: packages that nobody locked before
license: MIT
homepage: https://example.invalid
version: "1"
kind: tool
toolbox: none
sources:
  debs: {debian: [busybox-static], suite: bookworm}
outputs:
  busybox: {path: bin/busybox, kind: file}
"""


@frozen
class Machine:
    """A clone of this repository, where nothing but ``site`` has packages of Debian."""

    folder: Path
    site: Site

    @property
    def clone(self) -> Path:
        return self.folder / "clone"

    @property
    def rvbuild(self) -> str:
        return shlex.quote(str(self.clone / ".venv/bin/rvbuild"))

    def run(self, script: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a shell script in the clone; what it writes to standard error is shown."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        words = ["unshare", "-Urm", "sh", "-euc"]
        script = f"{no_debian.SCRIPT} cd {shlex.quote(str(self.clone))}\n{script}"
        kept = {name: value for name, value in os.environ.items() if name[:8] != "RVBUILD_"}
        environment = kept | {"RVBUILD_DEBIAN_SNAPSHOT": f"{self.site.url}/archive"} | more
        return subprocess.run(
            [*words, script],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )

    def packages(self, kind: str) -> set[str]:
        """The names of the packages that came from the snapshot archive, or from the mirror."""
        matches = filter(None, map(PACKAGE.fullmatch, self.site.asked))
        return {match["name"] for match in matches if match["from"] == kind}


def build(machine: Machine) -> str:
    """`make` in a clone builds runc for riscv64, with the bytes that it has elsewhere."""
    made = machine.run("make >&2")
    if made.returncode:
        return f"make: exit code {made.returncode}"
    shown = machine.run(f"{machine.rvbuild} build --quiet --json --offline {TARGET}").stdout
    tree = json.loads(shown[shown.index("{") :])["results"][0]["tree"]
    if not re.search(rf"^{TARGET}@.*\t{tree}$", TABLE.read_text(), re.MULTILINE):
        return f"another result than elsewhere: {tree}"
    elf = (machine.clone / f"result/{TARGET}/bin/runc").read_bytes()[:20]
    if elf[:4] != b"\x7fELF" or int.from_bytes(elf[18:20], "little") != 243:
        return "no program for riscv64"
    count = len(machine.packages("archive"))
    return "" if count else "no package came from the snapshot archive"


def dropped(machine: Machine) -> str:
    """A mirror has dropped one package: that one alone comes from the snapshot archive."""
    machine.site.asked.clear()
    machine.site.dropped.add("dash")
    fetched = machine.run(
        f"{machine.rvbuild} fetch base-toolbox --store ../emptied >&2",
        RVBUILD_DEBIAN_MIRROR=f"{machine.site.url}/mirror",
    )
    if fetched.returncode:
        return f"fetch: exit code {fetched.returncode}"
    past, near = machine.packages("archive"), machine.packages("mirror")
    if past != {"dash"} or len(near) < 10 or "dash" in near:
        return f"from the snapshot archive: {past}; from the mirror: {near}"
    return ""


def lock(machine: Machine) -> str:
    """The index of the snapshot archive is believed by the keys that rvbuild brings."""
    machine.site.asked.clear()
    file = machine.folder / "project/recipes/packages/recipe.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(RECIPE)
    locked = machine.run(f"cd ../project\n{machine.rvbuild} lock packages >&2")
    if locked.returncode:
        return f"lock: exit code {locked.returncode}"
    text = (machine.folder / "project/rvbuild.lock").read_text()
    return "" if "busybox-static" in text else "the lock has no package"


TRIALS: dict[str, Callable[[Machine], str]] = {"build": build, "dropped": dropped, "lock": lock}
"""Each returns what is wrong; later ones use the environment that `build` made."""


def main() -> int:
    failed = 0
    with tempfile.TemporaryDirectory(prefix="no-debian-") as name:
        folder = Path(name)
        debian = Debian.of_this_machine(folder / "debian")
        with served(debian) as site:
            machine = Machine(folder, site)
            subprocess.run(["git", "clone", "-q", str(ROOT), str(machine.clone)], check=True)
            for trial, function in TRIALS.items():
                problem = function(machine)
                failed += bool(problem)
                sys.stdout.write(
                    f"{'FAIL' if problem else 'PASS'} {trial}: {problem or function.__doc__}\n"
                )
                sys.stdout.flush()
        debian.services.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
