"""Give the program archives that grow without end; see how soon it refuses them.

Trial K fetches the K-th of FORMS x SHAPES: zeros in one file, in many files, as a long name,
as an extended header. The bar: exit code 5, at most a second of processor time more than a
small archive of that form takes, at most 256 MiB of memory, nothing in the store.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import random
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import zstandard
from campaign import Options, hold, main
from judge import sha256
from program import Ran, read_modules
from small import HERE, SmallWorld

FORMS: dict[str, tuple[Callable[[], Any], int]] = {
    "gz": (lambda: _Whole(gzip.compress), 256),
    "bz2": (bz2.BZ2Compressor, 256),
    "xz": (lambda: lzma.LZMACompressor(preset=1), 512),
    "zst": (lambda: zstandard.ZstdCompressor(level=3).compressobj(), 2048),
}
"""How each is packed, and MiB of zeros: zstd makes 32,000 of them one."""

SHAPES = ("one file", "many files", "long name", "extended header")
_BLOCK = bytes(1 << 20)
_RECIPE = """\
summary: bomb
license: MIT
homepage: https://example.invalid
version: "1"
kind: source
sources:
  it: {{url: "https://example.invalid/{file}", sha256: {sha256}, strip: 0}}
"""


class _Whole:
    """A compressor of whole members, as gzip files may have several."""

    def __init__(self, pack: Callable[[bytes], bytes]) -> None:
        self._pack = pack
        self._zeros = pack(_BLOCK)

    def compress(self, data: bytes) -> bytes:
        return self._zeros if data is _BLOCK else self._pack(data)

    @staticmethod
    def flush() -> bytes:
        return b""


class Bombs:
    """A project with one source, that is another archive for each trial."""

    def __init__(self, folder: Path, _options: Options) -> None:
        read_modules()
        self.world = SmallWorld(folder, ("locked",))
        self.doing = ""
        self._all = [(form, shape) for form in FORMS for shape in SHAPES]

    def trials(self) -> int:
        """Each form with each shape."""
        return len(self._all)

    def trial(self, _rng: random.Random, number: int) -> None:
        """Fetch one small archive, which works, and one bomb."""
        form, shape = self._all[number % len(self._all)]
        self.doing = f"{form}: {shape}"
        self.world.restore("locked")
        small = self._fetched(form, [_header("a", 4), b"fine".ljust(512, b"\0"), bytes(1024)])
        hold(small.code == 0, "a small archive is refused", small)
        big = self._fetched(form, _endless(shape, FORMS[form][1]))
        self.doing += f", {big.cpu - small.cpu:.2f} s more, {big.peak} MiB"
        hold(big.code == 5 and big.typed, "it is not refused", big)
        hold(big.cpu - small.cpu <= 1, "it takes long", self.doing)
        hold(big.peak <= 256, "it takes memory", self.doing)
        left = os.listdir(self.world.store / "tmp")
        hold(left in ([], ["git"]), "something is left", left)

    def _fetched(self, form: str, pieces: Iterator[bytes] | list[bytes]) -> Ran:
        world, packer = self.world, FORMS[form][0]()
        file = world.mirror / f"bomb.tar.{form}"
        with file.open("wb") as archive:
            for piece in pieces:
                archive.write(packer.compress(piece))
            archive.write(packer.flush())
        recipe = world.project / "recipes/bomb/recipe.yaml"
        recipe.parent.mkdir(exist_ok=True)
        text = _RECIPE.format(file=file.name, sha256=sha256(file.read_bytes()))
        recipe.write_text(text)
        user = recipe.parents[1] / "user/recipe.yaml"
        user.parent.mkdir(exist_ok=True)
        user.write_text(
            text.replace("kind: source", "build: 'exit 1'").partition("sources")[0]
            + f"architectures: [{HERE}]\n"
            + "sources:\n  it: {from: bomb}\noutputs:\n  it: {path: it, kind: file}\n"
        )
        locked = world.program.execute("lock", "user", *world.options)
        if locked.code:
            return locked
        return world.program.execute("fetch", f"user-{HERE}", *world.options)


def _header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


def _endless(shape: str, mebibytes: int) -> Iterator[bytes]:
    """The blocks of an archive."""
    if shape == "many files":
        for number in range(mebibytes):
            yield _header(f"{number}", 1 << 20)
            yield _BLOCK
        return
    kinds = {"long name": tarfile.GNUTYPE_LONGNAME, "extended header": tarfile.XHDTYPE}
    yield _header("a", mebibytes << 20, kinds.get(shape, tarfile.REGTYPE))
    for _ in range(mebibytes):
        yield _BLOCK


if __name__ == "__main__":
    sys.exit(main("bombs", __doc__, Bombs, 0))
