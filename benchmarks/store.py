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
from pathlib import Path

from rvbuild.core.digest import Digest
from rvbuild.core.ports import TreeSink
from rvbuild.stores.local import LocalStore

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
    print(f"{what:42} {ours:7.2f} s   {ours / bare:5.2f} × {than} ({bare:.2f} s)", flush=True)


def add_tree(store: LocalStore, files: dict[str, bytes]) -> Digest:
    """One tree of all files."""
    with store.new_tree() as writer:
        fill(writer, files)
        return writer.commit()


def trees(base: Path) -> None:
    """20,000 files: from memory into the store, against cp -a from the page cache."""
    files = corpus(20_000, 5_600, 1)
    source = base / "source"
    lay_down(files, source)
    for turn in range(ROUNDS):
        copy = base / f"copy-{turn}"
        bare = timed(lambda copy=copy: subprocess.run(["cp", "-a", source, copy], check=True))
        settled = timed(lambda: None) + bare
        lazy = LocalStore(str(base / f"lazy-{turn}"), durable=False)
        report("add 20,000 files", timed(lambda: add_tree(lazy, files)), bare, "cp -a")
        store = LocalStore(str(base / f"store-{turn}"))
        ours = timed(lambda: add_tree(store, files))
        report("add 20,000 files, durable", ours, bare, "cp -a")
        report("add 20,000 files, durable", ours, settled, "cp -a and sync")
        again = {f"again/{path}": data for path, data in files.items()}
        report("add them again elsewhere", timed(lambda: add_tree(store, again)), bare, "cp -a")
    shutil.rmtree(source)


def one_file(base: Path) -> None:
    """1 GiB in chunks, against hashing the same chunks."""
    chunk = random.Random(2).randbytes(CHUNK)  # noqa: S311 - a benchmark's input

    def chunks() -> Iterator[bytes]:
        return (chunk for _ in range(1024))

    def bare() -> None:
        hasher = hashlib.sha256()
        for piece in chunks():
            hasher.update(piece)

    for turn in range(ROUNDS):
        limit = timed(bare)
        for durable in (False, True):
            store = LocalStore(str(base / f"big-{turn}-{durable}"), durable=durable)
            with store.new_tree() as writer:
                ours = timed(lambda writer=writer: writer.file("big", chunks()))
                ours += timed(writer.commit) if durable else 0
            report(f"add 1 GiB{', durable' * durable}", ours, limit, "bare SHA-256")
            shutil.rmtree(base / f"big-{turn}-{durable}")


def modules(base: Path) -> None:
    """468 trees with 67,000 files, sixteen at once; then their union by hard links."""
    whole = corpus(67_000, 11_400, 3)
    parts: list[dict[str, bytes]] = [{} for _ in range(468)]
    for number, (path, data) in enumerate(whole.items()):
        parts[number * 468 // len(whole)][path] = data
    copy, source = base / "flat", base / "modules"
    lay_down(whole, source)
    bare = timed(lambda: subprocess.run(["cp", "-a", source, copy], check=True))
    linked = timed(lambda: subprocess.run(["cp", "-al", source, base / "links"], check=True))
    store = LocalStore(str(base / "modules-store"))
    roots: list[Digest] = []

    def add() -> None:
        with ThreadPoolExecutor(16) as pool:
            roots.extend(pool.map(lambda files: add_tree(store, files), parts))

    report("add 468 trees, 67,000 files, durable", timed(add), bare, "cp -a")
    laid = [(f"at/m{number}", root) for number, root in enumerate(roots)]
    report("merge them", timed(lambda: store.merge(laid)), linked, "cp -al")


def main() -> None:
    """Everything, each on a fresh folder."""
    above = sys.argv[1] if len(sys.argv) > 1 else None
    for part in (trees, one_file, modules):
        with tempfile.TemporaryDirectory(dir=above) as folder:
            part(Path(folder))


if __name__ == "__main__":
    main()
