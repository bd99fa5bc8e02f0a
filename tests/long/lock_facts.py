"""Change one fact of a lock, again and again: each is refused, or means what it meant.

Run: ``PYTHONPATH=.:tests/support python tests/long/lock_facts.py [--seed N] [--count N]
[--sealed] [--lock small]``

``--seed``   the number of the first mutant; the same numbers are the same mutants (default 0).
``--count``  how many (default 2000: half an hour for the shipped lock).
``--sealed`` their checks are made to fit: what the recipes alone rule out. Facts that no recipe
             can know are counted apart; the content that is fetched must have them.
``--lock``   ``shipped``, linked for every recipe and architecture, or ``small``: one with every
             kind of entry, which is what the test run tries.

Prints what was tried; the exit status is not 0 when a mutant was built, or ended in a traceback.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lock_mutants import Tally, mutants, try_mutant, try_sealed_mutant
from lock_world import INDEPENDENT, LockWorld, small_world

from rvbuild.core.graph import Target
from rvbuild.recipes_yaml.collection import RecipeCollection

ROOT = Path(__file__).parents[2]


def shipped_world() -> LockWorld:
    """All of rvbuild's own recipes, each read once."""
    folder = RecipeCollection((str(ROOT / "recipes"),))
    known = {name: folder.load(name) for name in folder.names()}
    targets = [
        Target(name, arch)
        for name, recipe in known.items()
        for arch in ((INDEPENDENT,) if recipe.kind in {"tool", "source"} else recipe.architectures)
    ]
    text = (ROOT / "rvbuild.lock").read_text()
    return LockWorld(lambda name, _at=None, _series="": known[name], tuple(targets), text)


def main() -> int:
    """Try them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--sealed", action="store_true")
    parser.add_argument("--lock", choices=["shipped", "small"], default="shipped")
    said = parser.parse_args()
    world = small_world() if said.lock == "small" else shipped_world()
    attempt = try_sealed_mutant if said.sealed else try_mutant
    meaning, tally = world.meaning(world.text), Tally()
    for each in mutants(world.text, said.seed, said.count):
        attempt(world, meaning, each, tally)
    sys.stdout.write("\n".join([str(tally), *tally.failed, ""]))
    return 1 if tally.failed or not tally.tried else 0


if __name__ == "__main__":
    sys.exit(main())
