"""A build with nothing to do: against `python -c pass`, and against nix-build on a large graph.

    python benchmarks/noop.py target runc-riscv64          # after it was built
    python benchmarks/noop.py graph 100 1000 10000         # builds the graphs first (minutes)
    python benchmarks/noop.py graph 10000 --chain          # one chain, as deep as it is long

The graph is a chain of N/10 steps with nine leaves each (speed of other tools is known on it).
`cold` is the same no-op with the memo removed: every recipe is read and every key made again.
nix-build (Debian's nix-bin) is left out if it is not installed. Ratios are medians of the
pairs of one run.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

RVBUILD = [sys.executable, "-m", "rvbuild"]
PASS = [sys.executable, "-c", "pass"]
ROUNDS = 11


def timed(command: list[str], folder: Path) -> float:
    """Wall seconds of one run."""
    began = time.perf_counter()
    subprocess.run(
        command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return time.perf_counter() - began


def ratio(
    one: Callable[[], float], other: Callable[[], float], rounds: int = ROUNDS
) -> tuple[float, float, float]:
    """Median seconds of each, and the median of the paired ratios."""
    pairs = [(one(), other()) for _ in range(rounds)]
    return (
        statistics.median(first for first, _ in pairs),
        statistics.median(second for _, second in pairs),
        statistics.median(first / second for first, second in pairs),
    )


def peak(command: list[str], folder: Path) -> float:
    """Peak memory of one run in MiB."""
    script = "import resource,subprocess,sys;subprocess.run(sys.argv[1:],stdout=-3,check=True);"
    script += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    run = subprocess.run(
        [sys.executable, "-c", script, *command], cwd=folder, check=True, capture_output=True
    )
    return int(run.stdout) / 1024


def target(name: str) -> None:
    """A no-op of a real target in this folder."""
    here = Path.cwd()
    timed([*RVBUILD, "-q", name], here)
    ours, bare, times = ratio(
        lambda: timed([*RVBUILD, "-q", name], here), lambda: timed(PASS, here), 31
    )
    print(f"no-op {name}: {ours * 1000:.0f} ms, python -c pass {bare * 1000:.0f} ms: {times:.2f} x")
    print(f"  peak memory {peak([*RVBUILD, '-q', name], here):.0f} MiB")


def inputs_of(number: int, count: int, *, chain: bool) -> list[int]:
    """The nodes that a node needs; the last one is the root."""
    if chain:
        return [number - 1] if number else []
    if number % 10:
        return []
    return ([number - 10] if number else []) + [
        n for n in range(number + 1, number + 10) if n < count
    ]


def root_of(count: int, *, chain: bool) -> int:
    """The node that needs all others."""
    return count - 1 if chain else (count - 1) // 10 * 10


def write_ours(folder: Path, count: int, *, chain: bool) -> None:
    """A project with one recipe a node."""
    for number in range(count):
        recipe = folder / "recipes" / f"n{number}"
        recipe.mkdir(parents=True)
        names = ", ".join(f"n{n}" for n in inputs_of(number, count, chain=chain))
        (recipe / "recipe.yaml").write_text(
            f"inputs: {{target: [{names}]}}\nbuild: echo {number} > $out/n\n"
        )
    (folder / "rvbuild.lock").write_text("lock: 1\npins: {}\nsources: {}\ngo-modules: {}\n")


def write_nix(folder: Path, count: int, *, chain: bool) -> None:
    """The same graph as a Nix expression."""
    rows = []
    for number in range(count):
        names = " ".join(f"n{n}" for n in inputs_of(number, count, chain=chain))
        rows.append(
            f'  n{number} = derivation {{ name = "n{number}"; system = builtins.currentSystem;'
            f' builder = "/bin/sh"; args = ["-c" "echo {number} > $out"]; inputs = [ {names} ]; }};'
        )
    roots = [root_of(part, chain=chain) for part in parts_of(count)]
    names = " ".join(f"part{part} = n{root};" for part, root in enumerate(roots))
    (folder / "default.nix").write_text("let\n" + "\n".join(rows) + f"\nin {{ {names} }}\n")


def parts_of(count: int) -> list[int]:
    """Where nix-build's first build stops and begins again; the last part is all.

    With thousands of nodes due at once it tries the locks of all after each one.
    """
    return [*range(500, count, 500), count]


def graph(count: int, *, chain: bool) -> None:
    """Build a generated graph, then measure no-ops over it."""
    folder = Path(tempfile.mkdtemp(prefix="noop-"))
    name = f"n{root_of(count, chain=chain)}-amd64"
    try:
        write_ours(folder, count, chain=chain)
        command = [*RVBUILD, "-q", name]
        built = timed(command, folder)
        timed(command, folder)  # writes the memo
        memo = folder / "cache" / "memo"

        def cold() -> float:
            shutil.rmtree(memo, ignore_errors=True)
            return timed(command, folder)

        cold_time = statistics.median(cold() for _ in range(3))
        time.sleep(0.2)  # past the racy moment of the last change
        timed(command, folder)
        memory = peak(command, folder)
        line = f"{count} nodes: built in {built:.1f} s; no-op"
        if not shutil.which("nix-build"):
            ours, bare, times = ratio(lambda: timed(command, folder), lambda: timed(PASS, folder))
            print(f"{line} {ours:.3f} s = {times:.2f} x python -c pass ({bare:.3f} s)")
        else:
            write_nix(folder, count, chain=chain)
            for name in ("STORE", "STATE", "LOG"):  # a store of its own, without a daemon
                os.environ[f"NIX_{name}_DIR"] = f"{folder}/nix/{name.lower()}"
            nix = ["nix-build", "--no-out-link", "--quiet", "--quiet"]
            for option in ("sandbox", "substitute"):
                nix += ["--option", option, "false"]
            nix += ["--option", "build-users-group", "", "--option", "substituters", ""]
            parts = range(len(parts_of(count)))
            nix_built = sum(timed([*nix, "-A", f"part{part}"], folder) for part in parts)
            nix += ["-A", f"part{parts[-1]}"]
            ours, theirs, times = ratio(lambda: timed(command, folder), lambda: timed(nix, folder))
            print(f"{line} {ours:.3f} s, nix-build {theirs:.3f} s: {times:.2f} x")
            print(f"  nix-build built it in {nix_built:.1f} s")
            print(f"  cold (no memo): {cold_time:.3f} s = {cold_time / theirs:.2f} x nix-build")
        print(f"  cold {cold_time:.3f} s, peak memory {memory:.0f} MiB", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    modes = parser.add_subparsers(dest="mode", required=True)
    one = modes.add_parser("target")
    one.add_argument("name")
    many = modes.add_parser("graph")
    many.add_argument("counts", type=int, nargs="+")
    many.add_argument("--chain", action="store_true")
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if arguments.mode == "target":
        target(arguments.name)
    else:
        for count in arguments.counts:
            graph(count, chain=arguments.chain)


if __name__ == "__main__":
    main()
