"""A tree that was just written is known: nobody reads it back out of the store."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest
from attrs import define, field
from store_parts import with_parts

from rvbuild.core.derivation import Input, OutputRule, Step
from rvbuild.core.digest import Digest
from rvbuild.core.events import Phase, silent
from rvbuild.core.plan import Task
from rvbuild.core.platform import Platform
from rvbuild.core.realisation import Realisation
from rvbuild.core.tree import Tree
from rvbuild.engine.realise import Realiser, Services
from rvbuild.executors.local_executor import LocalExecutor
from rvbuild.images.image_audit import audit_image
from rvbuild.stores.trees import LocalTrees

sys.path.insert(0, str(Path(__file__).parent))
from sandboxes import Bench

pytestmark = pytest.mark.privileged


@define
class CountingTrees:
    """``Trees``; ``read`` counts how often each tree was read out of the store."""

    trees: LocalTrees
    read: Counter[Digest] = field(factory=Counter)

    def __getattr__(self, name: str) -> object:
        return getattr(self.trees, name)

    def tree(self, root: Digest) -> Tree:
        self.read[root] += 1
        return self.trees.tree(root)


def test_what_a_step_wrote_is_not_read_back(tmp_path: Path):
    """Not for its message's digest, nor to be audited, nor to be counted."""
    bench = Bench.at(tmp_path)
    trees = CountingTrees(bench.store.trees)
    store = with_parts(bench.store, trees=trees)
    executor = LocalExecutor(store, str(tmp_path / "tmp"))
    inputs = {Digest.of(mount.path.encode()): mount for mount in bench.mounts}
    step = Step(
        label="s",
        inputs_at=tuple(Input(path=each.path, derivation=key.hash) for key, each in inputs.items()),
        script='mkdir "$out/bin"; echo one > "$out/bin/a"; cp "$out/bin/a" "$out/b"',
        environment=(("PATH", "/usr/bin:/bin"), ("out", "/build/out")),
        timeout=60,
        platform=Platform.of("amd64"),
        outputs=(OutputRule(name="x", path="bin/a", kind="file"),),
    )
    services = Services(
        store=store,
        sources=None,
        executor=executor,
        report=silent,
        clock=lambda: 0.0,
        audit_image=audit_image,
    )
    realise = Realiser(services)
    for key, mount in inputs.items():
        realise.realised[key.hash] = Realisation(key=key, output=mount.tree)
    realise(Task(derivation=step, phase=Phase.BUILD, reason="asked for"))
    made = realise.realised[step.digest]
    assert (made.files, made.size) == (2, 8)
    assert trees.read[made.output] == 0
