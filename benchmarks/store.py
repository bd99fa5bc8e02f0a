"""How fast the local store is, as ratios to what does the least: cp -a, a bare SHA-256.

Run: ``PYTHONPATH=. python benchmarks/store.py [FOLDER]``; FOLDER (default: the system's
temporary folder) should be on a file system that nobody else writes to. It needs 5 GB.

Ratios of one run only: the machine's own speed varies too much for absolute figures.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.tree import Tree
from rvbuild.stores.local import LocalStore
from rvbuild.stores.verify import verify

ROUNDS = 3
CHUNK = 1 << 20


def corpus(files: int, mean: int, seed: int) -> dict[str, bytes]:
    """``files`` files of ``mean`` bytes on average, nine to a folder, three levels deep."""
    rng = random.Random(seed)  # noqa: S311 - a benchmark's input, not a secret
    pool = rng.randbytes(1 << 22)
    made = {}
    for number in range(files):
        size = min(int(rng.expovariate(1 / mean)), len(pool) // 2)
        start = rng.randrange(len(pool) - size)
        path = f"m{number // 900}/d{number // 90}/e{number // 9}/file-{number}.go"
        made[path] = number.to_bytes(4, "big") + pool[start : start + size]
    return made


def fill(sink: TreeSink, files: dict[str, bytes]) -> None:
    """Write them all."""
    for path, data in files.items():
        sink.file(path, [data])


def lay_down(files: dict[str, bytes], folder: Path) -> None:
    """The same as plain files."""
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def timed(work: Callable[[], object]) -> float:
    """Seconds, after all earlier writes have settled."""
    os.sync()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def report(what: str, ours: float, bare: float, than: str) -> None:
    """One line."""
    print(f"{what:42} {ours:7.2f} s   {ours / bare:5.2f} x {than} ({bare:.2f} s)", flush=True)


def copied(source: Path, target: Path, *, settled: bool = False, how: str = "-a") -> float:
    """Seconds of cp, with the sync that makes it durable if ``settled``."""

    def work() -> None:
        subprocess.run(["cp", how, source, target], check=True)
        if settled:
            os.sync()

    return timed(work)


def add_tree(store: LocalStore, files: dict[str, bytes]) -> Tree:
    """One tree of all files."""
    with store.trees.new_tree() as writer:
        fill(writer, files)
        return writer.commit()


def add_to(folder: Path, files: dict[str, bytes], *, durable: bool) -> float:
    """Seconds to add one tree to a new store, or to the one in ``folder``."""
    store = LocalStore(str(folder), durable=durable)
    return timed(lambda: add_tree(store, files))


def trees(base: Path) -> None:
    """20,000 files: from memory into the store, against cp -a from the page cache."""
    files = corpus(20_000, 5_600, 1)
    again = {f"again/{path}": data for path, data in files.items()}
    source = base / "source"
    lay_down(files, source)
    for turn in range(ROUNDS):
        here = base / str(turn)
        here.mkdir()
        bare = copied(source, here / "copy")
        settled = copied(source, here / "settled", settled=True)
        report("add 20,000 files", add_to(here / "lazy", files, durable=False), bare, "cp -a")
        ours = add_to(here / "store", files, durable=True)
        report("add 20,000 files, durable", ours, settled, "cp -a; sync")
        ours = add_to(here / "store", again, durable=True)
        report("add them again elsewhere, durable", ours, settled, "cp -a; sync")
        verified(here / "store")
        lay_down(files, here / "out")
        ours = captured(here / "taken", here / "out")
        report("capture 20,000 files, durable", ours, settled, "cp -a; sync")


def captured(store: Path, out: Path) -> float:
    """Seconds for taking what a step left."""
    taken = LocalStore(str(store))
    return timed(lambda: taken.capturer.capture(str(out), lambda _entries, _size: None))


def verified(folder: Path) -> None:
    """Verify a store, against hashing the same files on as many cores."""
    files = [path for path in (folder / "cas").rglob("*") if path.is_file()]

    def hashed(some: list[Path]) -> None:
        for path in some:
            hashlib.sha256(path.read_bytes())

    cores = len(os.sched_getaffinity(0))

    def bare() -> None:
        with ThreadPoolExecutor(cores) as pool:
            list(pool.map(hashed, [files[number::cores] for number in range(cores)]))

    limit = timed(bare)
    store = LocalStore(str(folder))
    report("verify", timed(lambda: verify(store, print)), limit, "reading and hashing")


def pieces() -> Iterator[bytes]:
    """1 GiB, in chunks as a transport gives them."""
    chunk = random.Random(2).randbytes(CHUNK)  # noqa: S311 - a benchmark's input
    return (chunk for _ in range(1024))


def hash_pieces() -> None:
    """What nothing can be faster than."""
    hasher = hashlib.sha256()
    for piece in pieces():
        hasher.update(piece)


def write_pieces(path: Path, *, durable: bool) -> None:
    """What no store can be faster than either: the disk may be slower than the hash."""
    with path.open("wb", buffering=0) as file:
        for piece in pieces():
            file.write(piece)
        if durable:
            os.fsync(file.fileno())


def one_file(base: Path) -> None:
    """1 GiB in chunks, against hashing the same chunks, and against writing them."""
    for turn in range(ROUNDS):
        limit = timed(hash_pieces)
        for durable in (False, True):
            ours = add_big(base / f"big-{turn}-{durable}", durable=durable)
            plain = timed(partial(write_pieces, base / "plain", durable=durable))
            (base / "plain").unlink()
            what = f"add 1 GiB{', durable' * durable}"
            report(what, ours, limit, "bare SHA-256")
            report(what, ours, plain, "bare write")
        verified(base / f"big-{turn}-True")
        shutil.rmtree(base / f"big-{turn}-True")
        shutil.rmtree(base / f"big-{turn}-False")


def add_big(folder: Path, *, durable: bool) -> float:
    """Seconds for one file in one tree."""
    store = LocalStore(str(folder), durable=durable)

    def work() -> None:
        with store.trees.new_tree() as writer:
            writer.file("big", pieces())
            writer.commit()

    return timed(work)


def modules(base: Path) -> None:
    """468 trees with 67,000 files, sixteen at once; then their union by hard links."""
    whole = corpus(67_000, 11_400, 3)
    parts: list[dict[str, bytes]] = [{} for _ in range(468)]
    for number, (path, data) in enumerate(whole.items()):
        parts[number * 468 // len(whole)][path] = data
    source = base / "modules"
    lay_down(whole, source)
    bare = copied(source, base / "flat", settled=True)
    linked = copied(source, base / "links", settled=True, how="-al")
    store = LocalStore(str(base / "modules-store"))
    made: list[Tree] = []

    def add() -> None:
        with ThreadPoolExecutor(16) as pool:
            made.extend(pool.map(lambda files: add_tree(store, files), parts))

    report("add 468 trees, 67,000 files, durable", timed(add), bare, "cp -a; sync")
    laid = [(f"at/m{number}", tree.root) for number, tree in enumerate(made)]
    report("merge them", timed(lambda: store.trees.merge(laid)), linked, "cp -al; sync")


def main() -> None:
    """Everything, each on a fresh folder."""
    above = sys.argv[1] if len(sys.argv) > 1 else None
    for part in (trees, one_file, modules):
        with tempfile.TemporaryDirectory(dir=above) as folder:
            part(Path(folder))


if __name__ == "__main__":
    main()
