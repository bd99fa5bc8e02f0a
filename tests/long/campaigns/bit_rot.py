"""Damage each file of a store in turn; then see that it is found, named and mended.

Trial K damages file K of a small store that has every kind of record: even trials of the
list flip one bit, at a position that follows from the seed; odd ones cut the file short.
``--count 0`` takes each file both ways. Then

* ``store verify`` exits with 5 and names the file, by any of its hard links,
* ``store repair`` succeeds, and the damaged bytes are still there afterwards,
* a build fetches or makes what is missing, and the store verifies.

Compile caches (``accelerators/``), lock files and ``tmp/`` hold nothing that has a name to
be held against, and are left out. A memo is only a convenience: damaged, it must be noticed
by the build, whose answer must be the same; ``failed/`` is about logs, and the same holds.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

from campaign import Options, hold, main, reap
from judge import bad_objects, objects
from program import read_modules
from small import TARGETS, SmallWorld

_VERIFIED = ("cas", "exec", "trees", "ac", "realisations", "accelerated", "roots")


class BitRot:
    """One small store, and the list of its files."""

    def __init__(self, folder: Path, _options: Options) -> None:
        read_modules()
        self.world = SmallWorld(folder, ("built",))
        self.world.restore("built")
        self._answer = self.world.program.run("build", *TARGETS, *self.world.options).fine().out
        self.world.copy(self.world.work, self.world.states / "remembered")
        self.doing = ""
        self._files = self._listed()

    def _listed(self) -> list[Path]:
        store = self.world.store
        found = {path.relative_to(store) for path in objects(store).values()}
        for kind in ("trees", "roots", "memo", "failed"):
            paths = (store / kind).rglob("*")
            found |= {p.relative_to(store) for p in paths if p.is_file() and not p.is_symlink()}
        return sorted(found)

    def trials(self) -> int:
        """Each file, with each damage."""
        return 2 * len(self._files)

    def trial(self, rng: random.Random, number: int) -> None:
        """Damage one file, and look."""
        path = self._files[number // 2 % len(self._files)]
        self.world.restore("remembered")
        self.world.marked.clear()
        file = self.world.store / path
        size = file.stat().st_size
        if number % 2 or not size:
            keep = rng.randrange(size) if size else 0
            self.doing = f"cut short: {path} after {keep} of {size}"
            self.world.damage(file, keep=keep)
        else:
            bit = rng.randrange(8 * size)
            self.doing = f"flip: {path} bit {bit} of {8 * size}"
            self.world.damage(file, flip=bit)
        if not size:
            self.doing += " (empty: nothing to damage)"
        elif path.parts[0] in _VERIFIED:
            self._found_and_mended(file)
        else:
            self._answered()

    def _found_and_mended(self, file: Path) -> None:
        world = self.world
        same = {str(path) for path in world.store.rglob("*") if _same(path, file)}
        ran = world.program.run("store", "verify", "--json")
        named = {finding["path"] for finding in ran.json["findings"]}
        hold(ran.code == 5, "verify does not find it", ran)
        hold(same & named, "verify names other files", named)
        world.program.run("store", "repair").fine()
        world.nothing_destroyed()
        self._answered()

    def _answered(self) -> None:
        world = self.world
        ran = world.program.run("build", *TARGETS, *world.options).fine()
        hold(ran.out == self._answer, "it answers something else", ran)
        world.converges(1)
        world.verified()
        hold(not (bad := bad_objects(world.store)), "after the repair", bad)
        world.results_hold(1)
        reap()


def _same(path: Path, file: Path) -> bool:
    return os.path.samestat(path.lstat(), file.lstat())


if __name__ == "__main__":
    sys.exit(main("bit-rot", __doc__, BitRot, 0))
