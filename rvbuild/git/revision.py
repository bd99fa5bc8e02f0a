"""What is looked for in a repository: a commit, or what a tag names.

Knows: how `git fetch` is asked for it. Must not know: where the repository is.
"""

from __future__ import annotations

from attrs import frozen

from rvbuild.git.objects import is_object_name

_ALL = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_SHALLOW = ("--depth=1",)
_COMMITS = ("--filter=blob:none",)


@frozen
class Refspecs:
    """Arguments of `git fetch`: refspecs, and options before them."""

    refs: tuple[str, ...]
    options: tuple[str, ...] = ()


@frozen
class Revision:
    """A tag, or a commit by its name or the beginning of its name.

    One of the two is not empty, unless nothing of the repository is wanted but its refs.

    Attributes:
        tag: Without ``refs/tags/``.
        commit: Hex digits, all 40 (or 64, SHA-256) or the first of them.
        since: The whole name of another commit, with which the commit's history is wanted, and no
            file's content; empty where the commit alone is.
    """

    tag: str = ""
    commit: str = ""
    since: str = ""

    def __str__(self) -> str:
        return self.tag or self.commit

    @property
    def ref(self) -> str:
        """The whole name of the tag."""
        return f"refs/tags/{self.tag}"

    @property
    def likes(self) -> tuple[str, ...]:
        """Objects' names of the forms that the repository can have: SHA-1, or SHA-256."""
        return (self.commit,) if is_object_name(self.commit) else ("0" * 40, "0" * 64)

    @property
    def fetches(self) -> tuple[Refspecs, ...]:
        """How it is asked for; the next one only where a server refuses the one before.

        - A tag: alone, without its history; else with it.
        - A commit: alone; else all branches and tags.
        - A commit with its history, since another: both with all before them, without files.
        - The beginning of a commit's name: all branches and tags. Servers do not look it up.
        """
        if self.tag:
            ref = (f"+{self.ref}:{self.ref}",)
            return Refspecs(ref, _SHALLOW), Refspecs(ref)
        if self.since:
            refs = (f"+{self.commit}:refs/rvbuild/pin", f"+{self.since}:refs/rvbuild/since")
            return Refspecs(refs, _COMMITS), Refspecs(_ALL, _COMMITS)
        if is_object_name(self.commit):
            return Refspecs((f"+{self.commit}:refs/rvbuild/pin",), _SHALLOW), Refspecs(_ALL)
        return (Refspecs(_ALL),)
