"""Which files of a source a step may read.

Knows: what is never compiled or installed by its name. Must not know: sources, commits, scripts.

What a script reads is not known before it runs. So this is a rule of names:

1. Where a source keeps some paths alone, all others are not there.
2. Tests and documents are not read: below a folder ``test``, ``tests``, ``testdata``, ``doc``,
   ``docs`` or ``.github``, or called ``…_test.go`` or ``….md``.
3. Whatever else is there may be read. What a source keeps by its own path is read, whatever it is
   called.
"""

from __future__ import annotations

from collections.abc import Iterable

_FOLDERS = frozenset({"test", "tests", "testdata", "doc", "docs", ".github"})
_ENDS = ("_test.go", ".md")


def may_be_read(path: str, kept: Iterable[str] = ()) -> bool:
    """Whether a step may read a file.

    Args:
        path: In the source.
        kept: The paths that the source keeps; empty: all.
    """
    roots = [f"{root}/" for root in kept]
    if not roots:
        return _is_read(path)
    return any(
        f"{path}/" == root or (path.startswith(root) and _is_read(path.removeprefix(root)))
        for root in roots
    )


def _is_read(path: str) -> bool:
    *folders, name = path.split("/")
    return not name.endswith(_ENDS) and _FOLDERS.isdisjoint(folders)
