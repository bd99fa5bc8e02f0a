"""Fetching a module's dependencies: rvbuild against `go mod download`, in one run.

    python benchmarks/modules.py FOLDER [--rounds N] [--threads N] [--into DIR]
    python benchmarks/modules.py FOLDER --first dead
    python benchmarks/modules.py FOLDER --first silent [--read SECONDS]

FOLDER has a go.mod and a go.sum. Each round lets the go command fill an empty module cache
and rvbuild an empty store, with the same zips and go.mod files from the same proxies,
verified. They take turns at beginning.

With ``--first``, rvbuild is held against itself instead: with a proxy before the user's own, in
GOPROXY, that refuses connections (``dead``), or accepts them and never answers (``silent``).
That proxy's budget is what the tries of one file cost there: it is to be spent once, not for each
file. ``--read`` is how long one of them waits for a silent proxy, by default as long as a build's.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from attrs import define, evolve, field, frozen

from rvbuild.core.go_graph import MainModule
from rvbuild.core.go_source import GoModFiles, GoModule
from rvbuild.core.gomod import escape_path
from rvbuild.core.gosum import GoSum, parse_go_sum
from rvbuild.kinds.go.fetch import GoModFilesFetcher, GoModuleFetcher
from rvbuild.kinds.go.go_mod_reader import GoModReader
from rvbuild.kinds.go.go_proxy import GoProxy
from rvbuild.kinds.go.go_settings import GoSettings, Proxy, go_settings
from rvbuild.stores.local import LocalStore
from rvbuild.transfers.transport import Patience, Transport


@frozen
class Seconds:
    """Elapsed, and used by all processors."""

    elapsed: float
    cpu: float


def timed(work: Callable[[], object]) -> Seconds:
    """Run ``work``, its child processes included."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)

    def cpu() -> float:
        return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, who))

    began, used = time.monotonic(), cpu()
    work()
    return Seconds(time.monotonic() - began, cpu() - used)


def by_go(folder: Path, cache: Path) -> None:
    """Let the go command download into an empty cache."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("go.mod", "go.sum"):
            shutil.copy(folder / name, scratch)
        env = dict(os.environ, GOMODCACHE=str(cache), GOFLAGS="-modcacherw", GOTOOLCHAIN="local")
        subprocess.run(["go", "mod", "download"], cwd=scratch, env=env, check=True)


def by_rvbuild(
    sums: GoSum, store_path: Path, threads: int, settings: GoSettings, patience: Patience
) -> None:
    """Fetch every module of ``sums`` into an empty store."""
    store = LocalStore(str(store_path))
    lines = [f"{path} {version}/go.mod {h1}\n" for (path, version), h1 in sums.mods.items()]
    lines += [f"{path} {version} {h1}\n" for (path, version), h1 in sums.modules.items()]
    text = "".join(lines).encode()
    modules = tuple((*key, h1) for key, h1 in sorted(sums.modules.items()))
    transport = Transport(connections=threads * 2, patience=patience)
    with transport, ThreadPoolExecutor(threads) as pool:
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


@define
class SilentServer:
    """Accepts connections on the loopback device, and never answers.

    Attributes:
        tries: How many there were.
    """

    url: str
    tries: int = 0
    _kept: list[socket.socket] = field(factory=list, init=False)

    def listen(self, at: socket.socket) -> None:
        """Accept, until ``at`` is shut down."""
        while True:
            try:
                connection, _ = at.accept()
            except OSError:
                return
            self.tries += 1
            self._kept.append(connection)


@contextmanager
def silent_server() -> Iterator[SilentServer]:
    """One that listens meanwhile."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as at:
        server = SilentServer(f"http://127.0.0.1:{at.getsockname()[1]}")
        listening = threading.Thread(target=server.listen, args=(at,))
        listening.start()
        try:
            yield server
        finally:
            at.shutdown(socket.SHUT_RDWR)
            listening.join()


def budget(patience: Patience, *, silent: bool) -> float:
    """Seconds that the tries of one file cost at a server without an answer, at most."""
    pauses = (patience.first * 2.0**number for number in range(1, patience.tries))
    reads = patience.tries * patience.read if silent else 0.0
    return reads + sum(min(pause, patience.longest) for pause in pauses)


Rounds = list[tuple[Seconds, Seconds]]
Way = Callable[[], Seconds]


def rounds(count: int, names: tuple[str, str], first: Way, second: Way) -> Rounds:
    """Let both take turns at beginning; print each round."""
    results: Rounds = []
    for number in range(count):
        if number % 2:
            other, one = second(), first()
        else:
            one, other = first(), second()
        results.append((one, other))
        print(
            f"{names[0]} {one.elapsed:6.1f} s (cpu {one.cpu:5.1f})   "
            f"{names[1]} {other.elapsed:6.1f} s (cpu {other.cpu:5.1f})   "
            f"ratio {one.elapsed / other.elapsed:.2f}"
        )
        sys.stdout.flush()
    return results


def against_go(count: int, ours: Way, go: Way) -> None:
    """Print the ratio to the go command."""
    results = rounds(count, ("rvbuild", "go"), ours, go)
    ratio = statistics.median(one.elapsed / go.elapsed for one, go in results)
    print(
        f"ratio {ratio:.2f} (cpu {statistics.median(one.cpu / go.cpu for one, go in results):.2f})"
    )


def against_itself(count: int, with_it: Way, without: Way, cost: float) -> None:
    """Print the ratio to a run without the first proxy, ``cost`` seconds of its budget left out."""
    results = rounds(count, ("with it", "without"), with_it, without)
    ratio = statistics.median((one.elapsed - cost) / two.elapsed for one, two in results)
    cpu = statistics.median(one.cpu / two.cpu for one, two in results)
    print(f"ratio {ratio:.2f} beyond the budget of {cost:.1f} s (cpu {cpu:.2f})")


def main() -> None:
    """Print each round, and the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--into", type=Path, help="where the caches are made, and removed")
    parser.add_argument("--first", choices=["dead", "silent"], help="a proxy before the user's")
    parser.add_argument("--read", type=float, default=Patience().read)
    given = parser.parse_args()
    sums = parse_go_sum((given.folder / "go.sum").read_text(), "go.sum")
    settings = go_settings(os.environ)
    patience = Patience(read=given.read)
    with tempfile.TemporaryDirectory(dir=given.into) as scratch, silent_server() as silent:
        cache, store = Path(scratch, "go"), Path(scratch, "store")

        def go() -> Seconds:
            shutil.rmtree(cache, ignore_errors=True)
            return timed(lambda: by_go(given.folder, cache))

        def ours(by: GoSettings) -> Seconds:
            shutil.rmtree(store, ignore_errors=True)
            return timed(lambda: by_rvbuild(sums, store, given.threads, by, patience))

        go()  # warms the proxy for both, and tells what there is to download
        sums = downloaded(sums, cache)
        print(f"{len(sums.modules)} zips, {len(sums.mods)} go.mod files, {given.threads} threads")
        if given.first is None:
            against_go(given.rounds, partial(ours, settings), go)
            return
        url = silent.url if given.first == "silent" else "http://127.0.0.1:1"
        first = evolve(settings, proxies=(Proxy(url, on_any_error=True), *settings.proxies))
        cost = budget(patience, silent=given.first == "silent")
        against_itself(given.rounds, partial(ours, first), partial(ours, settings), cost)
        if given.first == "silent":
            print(f"{silent.tries / given.rounds:.0f} connections a round to the silent proxy")


if __name__ == "__main__":
    main()
