"""Fetching a module's dependencies: rvbuild against `go mod download`, in one run.

    python benchmarks/modules.py FOLDER [--rounds N] [--threads N] [--into DIR]

FOLDER has a go.mod and a go.sum. Each round lets the go command fill an empty module cache
and rvbuild an empty store, with the same zips and go.mod files from the same proxies,
verified. They take turns
at beginning.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from rvbuild.core.go_graph import MainModule
from rvbuild.core.go_source import GoModFiles, GoModule
from rvbuild.core.gomod import GoSum, escape_path, parse_go_sum
from rvbuild.kinds.go.fetch import GoModFilesFetcher, GoModuleFetcher
from rvbuild.kinds.go.go_mod_reader import GoModReader
from rvbuild.kinds.go.go_proxy import GoProxy
from rvbuild.kinds.go.go_settings import go_settings
from rvbuild.stores.local import LocalStore
from rvbuild.transfers.transport import Transport

Seconds = tuple[float, float]
"""Elapsed, and used by all processors."""


def timed(work: Callable[[], object]) -> Seconds:
    """Run ``work``, its child processes included."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)

    def cpu() -> float:
        return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, who))

    began, used = time.monotonic(), cpu()
    work()
    return time.monotonic() - began, cpu() - used


def by_go(folder: Path, cache: Path) -> None:
    """Let the go command download into an empty cache."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("go.mod", "go.sum"):
            shutil.copy(folder / name, scratch)
        env = dict(os.environ, GOMODCACHE=str(cache), GOFLAGS="-modcacherw", GOTOOLCHAIN="local")
        subprocess.run(["go", "mod", "download"], cwd=scratch, env=env, check=True)


def by_rvbuild(sums: GoSum, store_path: Path, threads: int) -> None:
    """Fetch every module of ``sums`` into an empty store."""
    store = LocalStore(str(store_path))
    lines = [f"{path} {version}/go.mod {h1}\n" for (path, version), h1 in sums.mods.items()]
    lines += [f"{path} {version} {h1}\n" for (path, version), h1 in sums.modules.items()]
    text = "".join(lines).encode()
    modules = tuple((*key, h1) for key, h1 in sorted(sums.modules.items()))
    settings = go_settings(os.environ)
    with Transport(connections=threads * 2) as transport, ThreadPoolExecutor(threads) as pool:
        proxy = GoProxy(transport, lambda: settings)
        main = MainModule("it", {"go.sum": text}.get)
        go_sum = hashlib.sha256(text).hexdigest()
        files = GoModFiles(go_sum=go_sum, modules=modules, main=main)

        def one(fetch: Callable[..., None], source: object) -> None:
            with store.trees.new_tree() as tree:
                fetch(source, tree, lambda _done, _total: None)
                tree.commit()

        jobs: list[Future[None]] = [
            pool.submit(one, GoModFilesFetcher(GoModReader(proxy)).fetch, files)
        ]
        for path, version, h1 in modules:
            source = GoModule(path=path, version=version, h1=h1)
            jobs.append(pool.submit(one, GoModuleFetcher(proxy).fetch, source))
        wait(jobs)
        for job in jobs:
            job.result()


def downloaded(sums: GoSum, cache: Path) -> GoSum:
    """What of ``sums`` the go command had downloaded."""

    def kept(known: Mapping[tuple[str, str], str], kind: str) -> dict[tuple[str, str], str]:
        root = cache / "cache/download"
        return {
            key: h1
            for key, h1 in known.items()
            if (root / escape_path(key[0]) / "@v" / (escape_path(key[1]) + kind)).exists()
        }

    return GoSum(modules=kept(sums.modules, ".zip"), mods=kept(sums.mods, ".mod"))


def main() -> None:
    """Print each round, and the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--into", type=Path, help="where the caches are made, and removed")
    given = parser.parse_args()
    sums = parse_go_sum((given.folder / "go.sum").read_text(), "go.sum")
    rounds: list[tuple[Seconds, Seconds]] = []
    with tempfile.TemporaryDirectory(dir=given.into) as scratch:
        cache, store = Path(scratch, "go"), Path(scratch, "store")

        def go() -> Seconds:
            shutil.rmtree(cache, ignore_errors=True)
            return timed(lambda: by_go(given.folder, cache))

        def ours() -> Seconds:
            shutil.rmtree(store, ignore_errors=True)
            return timed(lambda: by_rvbuild(sums, store, given.threads))

        go()  # warms the proxy for both, and tells what there is to download
        sums = downloaded(sums, cache)
        print(f"{len(sums.modules)} zips, {len(sums.mods)} go.mod files, {given.threads} threads")
        for number in range(given.rounds):
            if number % 2:
                theirs, mine = go(), ours()
            else:
                mine, theirs = ours(), go()
            rounds.append((mine, theirs))
            print(
                f"rvbuild {mine[0]:6.1f} s (cpu {mine[1]:5.1f})   "
                f"go {theirs[0]:6.1f} s (cpu {theirs[1]:5.1f})   ratio {mine[0] / theirs[0]:.2f}"
            )
            sys.stdout.flush()
    ratio = statistics.median(m[0] / t[0] for m, t in rounds)
    print(f"ratio {ratio:.2f} (cpu {statistics.median(m[1] / t[1] for m, t in rounds):.2f})")


if __name__ == "__main__":
    main()
