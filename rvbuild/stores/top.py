"""What lies at the top of a store, and the folder in which links into it appear.

Knows: names. Must not know: what is in them. Imports nothing: whoever looks whether a
folder could become a store pays for this module.
"""

from __future__ import annotations

VERSION = 2
"""The version of the format that this rvbuild reads and writes (cache/README.md)."""

VERSION_FILE = "version"
"""Its number and a newline. A store of version 1 has no such file."""

FOLDERS = (
    *("realisations", "ac", "accelerated", "failed", "views", "trees", "exec", "cas"),
    *("roots", "caches", "locks", "memo", "accelerators", "tmp", "damaged"),
)
"""The store's own folders."""

BESIDE = frozenset({"README.md", ".gitignore", "keys", "CACHEDIR.TAG", "lost+found"})
"""What others have a reason to keep there: a project, a backup, a file system."""

RESULT = "result"
"""The folder of links, in the working directory of a build. It is made for them: who removes it
removes them."""
