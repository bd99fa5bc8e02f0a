"""What differs between two results: files, programs, layers of images.

Knows: trees. Must not know: stores, targets, how a difference is told.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from rvbuild.core.program_facts import ProgramChange
from rvbuild.core.tree import File, Symlink, Tree


@frozen(kw_only=True)
class FileFacts:
    """A file or a link of a result.

    Attributes:
        mode: ``file``, ``executable`` or ``link``.
        size: In bytes; 0 of a link.
        content: The SHA-256 of a file, where a link leads to.
    """

    mode: str
    size: int
    content: str


@frozen(kw_only=True)
class FileChange:
    """A path of two results; None where a side has nothing there."""

    path: str
    old: FileFacts | None
    new: FileFacts | None


@frozen(kw_only=True)
class LayerChange:
    """The layer of an image by the digest of its archive; empty where a side lacks the image."""

    image: str
    old: str
    new: str


@frozen(kw_only=True)
class ResultDiff:
    """What differs, each list sorted.

    Attributes:
        old_size: The bytes of all files of the former result.
        new_size: The same of the one now.
        files: Paths that differ.
        programs: Of these, programs on both sides.
        layers: Of images, by their names without a tag.
    """

    old_size: int
    new_size: int
    files: tuple[FileChange, ...]
    programs: tuple[ProgramChange, ...] = ()
    layers: tuple[LayerChange, ...] = ()


def compare_trees(old: Tree, new: Tree) -> ResultDiff:
    """The paths that differ."""
    then, now = _files(old), _files(new)
    changes = (
        FileChange(path=path, old=then.get(path), new=now.get(path))
        for path in sorted({*then, *now})
    )
    return ResultDiff(
        old_size=old.extent().size,
        new_size=new.extent().size,
        files=tuple(change for change in changes if change.old != change.new),
    )


def compare_layers(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[LayerChange, ...]:
    """The images that have another layer; each side has digests by the images' names."""
    names = sorted({*old, *new})
    changes = (LayerChange(image=n, old=old.get(n, ""), new=new.get(n, "")) for n in names)
    return tuple(change for change in changes if change.old != change.new)


def _files(tree: Tree) -> dict[str, FileFacts]:
    return {path: _facts(node) for path, node in tree.walk()}


def _facts(node: File | Symlink) -> FileFacts:
    if isinstance(node, Symlink):
        return FileFacts(mode="link", size=0, content=node.target)
    mode = "executable" if node.executable else "file"
    return FileFacts(mode=mode, size=node.digest.size, content=node.digest.hash)
