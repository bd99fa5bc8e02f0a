"""What differs between the results of two targets, as they are in the store.

Knows: which result is a target's, and which files of it are looked into. Must not know: what is
compared of a file, how a difference is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import evolve, frozen

from rvbuild.app.session import Session
from rvbuild.app.targets import targets_of
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.derivation import Step
from rvbuild.core.errors import UsageError
from rvbuild.core.graph import Target
from rvbuild.core.program_facts import ProgramChange, ProgramFacts, compare_programs
from rvbuild.core.result_diff import (
    FileFacts,
    ResultDiff,
    compare_layers,
    compare_trees,
)
from rvbuild.core.tree import Tree, file_at
from rvbuild.images.oci_layout import read_layout


@frozen(kw_only=True)
class BuiltView:
    """Two targets, and what differs between their results."""

    old: str
    new: str
    diff: ResultDiff


def compare_built(session: Session, words: tuple[str, ...]) -> BuiltView:
    """Compare the results of two targets; nothing is built.

    Args:
        session: Whose store.
        words: Two targets.

    Raises:
        UsageError: these are not two targets, or one has no result here.
        VerificationError: somebody changed one.
        LockError: the lock is no answer to a recipe.
    """
    if len(words) != 2:
        msg = "two targets are compared"
        raise UsageError(msg, hint="for example k3s-riscv64@1.34 k3s-riscv64@1.35")
    targets = [target for word in words for target in targets_of(session, [word])]
    old, new = (_Result.of(session, target) for target in targets)
    diff = compare_trees(old.tree, new.tree)
    return BuiltView(
        old=words[0],
        new=words[1],
        diff=evolve(
            diff,
            programs=tuple(_programs(old, new, diff)),
            layers=compare_layers(old.layers(), new.layers()),
        ),
    )


@frozen
class _Result:
    """A target's result.

    Attributes:
        session: Whose store.
        tree: All of it.
        images: The paths of outputs that are images.
    """

    session: Session
    tree: Tree
    images: tuple[str, ...]

    @classmethod
    def of(cls, session: Session, target: Target) -> _Result:
        """Find it.

        Raises:
            UsageError: there is none.
        """
        _, linked = session.link((target,), checks=False)
        derivation = linked.derivations[linked.results[target]]
        result = session.lookup()(derivation.digest)
        if result is None:
            msg = "it has no result here that could be compared"
            raise UsageError(msg, where=str(target), hint=advise(Remedy.BUILD.of(str(target))))
        rules = derivation.outputs if isinstance(derivation, Step) else ()
        images = tuple(rule.path for rule in rules if rule.kind == "image")
        return cls(session, session.store.trees.tree(result.output), images)

    def read(self, path: str) -> bytes:
        """A file's content, which the tree has."""
        node = file_at(self.tree.nested(), path)
        return self.session.store.cas.read(node.digest) if node else b""

    def layers(self) -> Mapping[str, str]:
        """The digest of each image's layer, by the image's name without its tag."""
        root = self.session.store.mountable.path(self.tree.root)
        images = (each for path in self.images for each in read_layout(f"{root}/{path}", path))
        return {each.name.rpartition(":")[0] or each.name: each.layer.content for each in images}


def _programs(old: _Result, new: _Result, diff: ResultDiff) -> Iterator[ProgramChange]:
    """The programs among the files that differ; a library is one, too."""
    for each in diff.files:
        if _is_file(each.old) and _is_file(each.new):
            then, now = (ProgramFacts.read(side.read(each.path)) for side in (old, new))
            if then and now:
                yield compare_programs(each.path, then, now)


def _is_file(facts: FileFacts | None) -> bool:
    return facts is not None and facts.mode != "link"
