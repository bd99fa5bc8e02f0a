"""What an object of a store needs: the one place that says which record refers to what.

Knows: what each kind of record names. Must not know: whether it is there, or who asks.

The rules:

1. A root needs the realisation of its derivation.
2. A realisation needs its output's tree, the derivation's bytes, its log and its action's outcome.
3. An outcome needs its output's tree, that tree's ``Tree`` message and its log.
4. A failure needs its log.
5. A tree needs its ``Tree`` message and the content of each file; nothing of a link.
6. A derivation names those of its inputs. Nothing fails where their bytes are not there; they say
   what a result was made of, so what a root reaches in this way stays.

For example, ``./result/a`` is a root of the derivation D. D's realisation names the tree T, the
blob with D's bytes, a log and the action A. T names three files and its message. Garbage collection
keeps all of these, and verification looks for each.

There is no walk from a root to all that it reaches: whoever asks goes through every record anyway
(a damaged one that nothing names must be seen, too) and takes one step from each. Collection also
adds record by record, the most important first, until a size is reached. ``readers`` goes the other
way, along inputs, which are no need: a result stays when its inputs go.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from attrs import frozen

from rvbuild.core.action import Outcome
from rvbuild.core.derivation_facts import Facts
from rvbuild.core.digest import Digest
from rvbuild.core.errors import Malformed
from rvbuild.core.ports.roots import Root
from rvbuild.core.realisation import Realisation
from rvbuild.core.tree import File, Tree


@frozen(kw_only=True)
class Needs:
    """What one record names; None for what it does not name.

    Attributes:
        output: The root of a tree.
        message: The blob of that tree's ``Tree`` message.
        derivation: The blob of a derivation's bytes.
        log: The blob of a log.
        action: The key of an outcome.
        realisation: The derivation whose realisation it is.
    """

    output: Digest | None = None
    message: Digest | None = None
    derivation: Digest | None = None
    log: Digest | None = None
    action: str | None = None
    realisation: str | None = None

    def blobs(self) -> Iterator[tuple[str, Digest]]:
        """Each blob, and what it is."""
        named = (("derivation", self.derivation), ("log", self.log), ("Tree message", self.message))
        return ((what, blob) for what, blob in named if blob is not None)


@frozen(kw_only=True)
class Presence:
    """What a store has, by hash: blobs and trees that are there, and records by their keys."""

    blobs: Container[str]
    trees: Container[str]
    actions: Container[str]
    realisations: Container[str]

    def absences(self, needs: Needs) -> Iterator[str]:
        """A sentence about each thing that is needed and not there."""
        if needs.realisation is not None and needs.realisation not in self.realisations:
            yield f"its derivation {needs.realisation} has no realisation"
        if needs.action is not None and needs.action not in self.actions:
            yield f"its action {needs.action} is not in the store"
        if needs.output is not None and needs.output.hash not in self.trees:
            yield f"its output {needs.output} is not in the store"
        for what, blob in needs.blobs():
            if blob.hash not in self.blobs:
                yield f"its {what} {blob} is not in the store"


def root_needs(root: Root) -> Needs:
    """What a root needs (rule 1)."""
    return Needs(realisation=root.derivation)


def realisation_needs(made: Realisation) -> Needs:
    """What a realisation needs (rule 2)."""
    return Needs(output=made.output, derivation=made.key, log=made.log, action=made.action)


def outcome_needs(made: Outcome) -> Needs:
    """What an action's outcome needs (rule 3)."""
    return Needs(output=made.output, message=made.tree, log=made.log)


def failure_needs(log: Digest | None) -> Needs:
    """What the failure that left ``log`` needs (rule 4)."""
    return Needs(log=log)


def tree_blobs(tree: Tree, message: Digest) -> frozenset[str]:
    """The hashes of the blobs that a tree needs, given the digest of its ``Tree`` message."""
    files = (node.digest.hash for _, node in tree.walk() if isinstance(node, File))
    return frozenset({message.hash, *files})


def derivation_inputs(data: bytes) -> frozenset[str]:
    """The digests of the derivations that one names (rule 6); none, if nobody here can read it."""
    try:
        return frozenset(slot.derivation for slot in Facts.read(data).slots)
    except Malformed:
        return frozenset()
