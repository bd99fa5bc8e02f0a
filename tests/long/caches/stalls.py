"""A pull from three caches, of which one never answers and one sends 1 KB a second.

    python tests/long/caches/stalls.py --store STORE [--target NAME] [OPTION…]

STORE has NAME (k3s-bundle-riscv64) built with ``--release``, or it is built there; OPTIONs are
those of rvbuild. README.md says what is tried. Exit codes: 0 all of it holds, 1 something does not.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from net import Network, enter_own_network, network
from people import Person
from trial import Trial

BUDGET = 5.0
MOST = 1.2
ROUNDS = 3


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--store", type=Path, required=True, help="of who builds")
    words.add_argument("--target", default="k3s-bundle-riscv64")
    options, more = words.parse_known_args()
    enter_own_network()
    trial, target = Trial(), options.target
    with tempfile.TemporaryDirectory() as name, network(Path(name)) as net:
        folder = Path(name)
        builder = Person(folder / "a", net.machine(), options.store.resolve())
        line = builder.new_key("ci")
        builder.trust(line)
        builder.run("build", "--release", "--no-check", target, "-o", str(folder / "out"), *more)
        (net.folder / "team").mkdir()
        address = f"http://{builder.machine.servers}:{net.port}/team"
        builder.run("push", target, "--cache", f"team=write {address}", *more)
        trial.row("push", f"{builder.seconds:.1f} s")
        pulls(trial, net, folder, line, target)
    return trial.end()


def pulls(trial: Trial, net: Network, folder: Path, line: str, target: str) -> None:
    """Pull with the healthy cache alone, and with the two others before it, in turns."""
    other = Person(folder / "b", net.machine(), folder / "store")
    other.trust(line)
    server = f"http://{other.machine.servers}:{net.port}"
    silent = ("--cache", f"silent=http://{other.machine.silent_address()}/team")
    slow = ("--cache", f"slow={server}/slow/team")
    healthy = ("--cache", f"team={server}/team")
    alone, beside, said = [], [], ""
    for _ in range(ROUNDS):
        for caches, seconds in ((healthy, alone), ((*silent, *slow, *healthy), beside)):
            shutil.rmtree(other.store, ignore_errors=True)
            said = other.run("pull", "--no-check", target, *caches)
            seconds.append(other.seconds)
    mine, theirs = statistics.median(alone), statistics.median(beside)
    most = BUDGET + MOST * mine
    trial.row("the healthy cache alone", f"{mine:.1f} s")
    trial.row("beside the two", f"{theirs:.1f} s, at most {most:.1f} s", holds=theirs <= most)
    for name in ("silent", "slow"):
        reason = next((row for row in said.splitlines() if f"{name} was left out" in row), "")
        trial.row(f"{name} is named", reason.strip(), holds=bool(reason) or name == "slow")
    shutil.rmtree(other.store, ignore_errors=True)
    said = other.run("pull", "--no-check", target, *silent, *slow, code=4)
    trial.row("none is healthy", f"{other.seconds:.1f} s", holds=other.seconds <= 2 * BUDGET + 5)


if __name__ == "__main__":
    sys.exit(main())
