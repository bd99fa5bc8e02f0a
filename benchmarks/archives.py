"""Unpacks one tree from every archive format, beside GNU tar and unzip in the same run.

Usage: python benchmarks/archives.py [FOLDER] [--rounds N] [--work DIR]

FOLDER (default: the GOROOT that `go env` names) is packed once. Each round unpacks
every archive by each way, into a fresh folder on the file system of DIR; figures are
medians of the rounds, by the clock and in CPU seconds, as ratios to `tar -xf` of the
plain tar archive. On a busy machine only the second figure means something.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import resource
import shutil
import statistics
import subprocess
import tarfile
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import zstandard

from rvbuild.archives import UnpackLimits, unpack
from rvbuild.core.errors import VerificationError

FORMATS = {
    "tar": "tar -cf {to} -C {above} {name}",
    "tar.gz": "tar -cf - -C {above} {name} | gzip -6 > {to}",
    "tar.zst": "tar -cf - -C {above} {name} | zstd -q -3 -o {to}",
    "tar.xz": "tar -cf - -C {above} {name} | xz -1 > {to}",
    "zip": "cd {above} && zip -qry {to} {name}",
}


class Folder:
    """A sink that writes files below a directory descriptor, hashed or not."""

    def __init__(self, path: str, *, hashed: bool) -> None:
        self._at = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self._made = {""}
        self._hashed = hashed

    def directory(self, path: str) -> None:
        if path not in self._made:
            self.directory(path.rpartition("/")[0])
            self._made.add(path)
            os.mkdir(path, dir_fd=self._at)

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        self.directory(path.rpartition("/")[0])
        mode = 0o755 if executable else 0o644
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode, dir_fd=self._at)
        sha256 = hashlib.sha256() if self._hashed else None
        for chunk in chunks:
            if sha256:
                sha256.update(chunk)
            os.write(fd, chunk)
        os.close(fd)
        return sha256.hexdigest() if sha256 else ""

    def symlink(self, path: str, target: str) -> None:
        self.directory(path.rpartition("/")[0])
        os.symlink(target, path, dir_fd=self._at)

    def copy(self, path: str, of: str) -> None:
        os.link(of, path, src_dir_fd=self._at, dst_dir_fd=self._at)


class Nothing:
    """A sink that takes everything and keeps nothing: what reading alone costs."""

    def directory(self, path: str) -> None:
        pass

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        del path, executable
        for _ in chunks:
            pass
        return ""

    def symlink(self, path: str, target: str) -> None:
        pass

    def copy(self, path: str, of: str) -> None:
        pass


def by_program(archive: Path, into: str) -> None:
    """Let GNU tar or unzip do it."""
    command = (
        ["unzip", "-q", str(archive), "-d", into]
        if archive.suffix == ".zip"
        else ["tar", "-xf", str(archive), "-C", into]
    )
    subprocess.run(command, check=True)


def by_us(*, hashed: bool) -> Callable[[Path, str], None]:
    """Unpack into a folder with our readers."""

    def run(archive: Path, into: str) -> None:
        with archive.open("rb") as stream:
            unpack(stream, archive.name, Folder(into, hashed=hashed))

    return run


def only_read(archive: Path, _: str) -> None:
    """Read all of it with our readers, and write nothing."""
    with archive.open("rb") as stream:
        unpack(stream, archive.name, Nothing())


WAYS: dict[str, Callable[[Path, str], None]] = {
    "tar, unzip": by_program,
    "rvbuild": by_us(hashed=False),
    "rvbuild, sha256 of each file": by_us(hashed=True),
    "rvbuild, reading alone": only_read,
}


def used() -> float:
    """CPU seconds of this process and of those that it ran."""
    both = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def timed(way: Callable[[Path, str], None], archive: Path, work: str) -> tuple[float, float]:
    """Seconds by the clock, and CPU seconds."""
    into = tempfile.mkdtemp(dir=work)
    start, before = time.perf_counter(), used()
    way(archive, into)
    seconds = time.perf_counter() - start, used() - before
    shutil.rmtree(into)
    return seconds


def packed(folder: Path, work: str) -> dict[str, Path]:
    """``folder`` in every format."""
    archives = {}
    for form, command in FORMATS.items():
        archives[form] = Path(work) / f"packed.{form}"
        line = command.format(to=archives[form], above=folder.parent, name=folder.name)
        subprocess.run(["sh", "-c", line], check=True)
    return archives


Figures = dict[tuple[str, str], tuple[float, float]]


def measure(archives: dict[str, Path], work: str, rounds: int) -> Figures:
    """The medians of both kinds of seconds, by format and way."""
    seen: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for _ in range(rounds):
        for form, archive in archives.items():
            for name, way in WAYS.items():
                if name == "tar, unzip" and form == "zip" and not shutil.which("unzip"):
                    continue
                seen[form, name].append(timed(way, archive, work))
    return {
        key: (statistics.median(by[0] for by in runs), statistics.median(by[1] for by in runs))
        for key, runs in seen.items()
    }


def bomb() -> None:
    """8 GiB of zeros in a tar archive, 32,000 to 1 by zstd: how soon it is refused."""
    header = tarfile.TarInfo("zeros")
    header.size = 8 << 30
    packer = zstandard.ZstdCompressor(level=3).compressobj()
    zeros = bytes(1 << 24)
    data = packer.compress(header.tobuf())
    data += b"".join(packer.compress(zeros) for _ in range(header.size >> 24)) + packer.flush()
    for limits in (UnpackLimits(), UnpackLimits(ratio=1 << 30, total=1 << 30)):
        start = time.perf_counter()
        try:
            unpack(io.BytesIO(data), "bomb", Nothing(), limits=limits)
        except VerificationError as error:
            seconds = time.perf_counter() - start
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
            ratio = header.size // len(data)
            print(f"{ratio}:1, {error.message}: refused after {seconds:.2f} s, {peak} MiB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", default=None)
    options = parser.parse_args()
    folder = options.folder or subprocess.check_output(["go", "env", "GOROOT"], text=True).strip()
    with tempfile.TemporaryDirectory(dir=options.work) as work:
        archives = packed(Path(folder).resolve(), work)
        result = measure(archives, work, options.rounds)
    wall, cpu = result["tar", "tar, unzip"]
    print(f"tar -xf packed.tar: {wall:.2f} s, {cpu:.2f} CPU s = 1.00, 1.00")
    for (form, name), (seconds, used_seconds) in result.items():
        print(f"{form:8} {name:30} {seconds / wall:6.2f} {used_seconds / cpu:6.2f}")
    bomb()


if __name__ == "__main__":
    main()
