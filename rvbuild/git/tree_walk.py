"""The trees of a commit, each checked by its name, and what must be there of its files.

Knows: how trees name each other. Must not know: what names may be, what files are for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rvbuild.core.errors import Malformed
from rvbuild.git.object_reader import Objects
from rvbuild.git.objects import RawEntry, checked, raw_entries
from rvbuild.git.process import Failed

MAX_ENTRIES = 2_000_000
"""A tree that names itself over and over is small in git and endless on a disk."""


def walk(
    reader: Objects, root: str, enters: Callable[[bytes], bool]
) -> Iterator[tuple[bytes, list[RawEntry]]]:
    """The entries of a tree and of trees below it, each with the path that its names begin with.

    That path is empty for the root, else it ends with a slash. All trees of one depth come before
    those below them.

    Args:
        reader: Has the objects.
        root: The name of the tree.
        enters: Whether the folder of a path, with its slash, is looked at.

    Raises:
        Failed: one is not there.
        VerificationError: one is another than its name says, or is none; or they are endless.
    """
    level, count = [(b"", root)], 0
    while level:
        below: list[tuple[bytes, str]] = []
        read = reader.read("tree", [name for _, name in level])
        for (prefix, _), (name, data) in zip(level, read, strict=True):
            if data is None:
                msg = f"it lacks the tree {name}"
                raise Failed(msg)
            entries = list(raw_entries(checked("tree", data, name), name))
            count += len(entries)
            if count > MAX_ENTRIES:
                msg = f"the git tree has more than {MAX_ENTRIES:,} entries"
                raise Malformed(msg)
            yield prefix, entries
            folders = ((prefix + each.name + b"/", each) for each in entries if each.is_folder)
            below += [(path, each.object) for path, each in folders if enters(path)]
        level = below


def sizes_of(reader: Objects, names: Sequence[str]) -> dict[str, int]:
    """The size of each of a commit's files, by the names of their blobs.

    Raises:
        Failed: one is not there.
    """
    sizes = reader.sizes(sorted(set(names)))
    present = {name: size for name, size in sizes.items() if size is not None}
    if len(present) < len(sizes):
        msg = f"it lacks {len(sizes) - len(present)} of the commit's {len(sizes)} files"
        raise Failed(msg)
    return present
