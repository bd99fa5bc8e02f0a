"""The description of a commit, or of a tag, to its tree and date."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from rvbuild.core.advice import Hint, Remedy, advise
from rvbuild.core.errors import WrongContent
from rvbuild.core.lock import LockedSource
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.git.spec import GitSpec

_MOVED = advise(
    "ask upstream why the tag moved; to take what it names now, say `commit` in its place, or ",
    Remedy.RELOCK,
)


class Commits(Protocol):
    """Finds commits; see kinds/git/fetch."""

    def resolve(
        self, url: str, commit: str, paths: tuple[str, ...], tag: str = ""
    ) -> GitSource: ...


def resolve(spec: GitSpec, context: ResolveContext, client: Commits) -> tuple[GitSource, ...]:
    """See `rvbuild.core.ports.registries.Registries`."""
    commit = "" if spec.tag else spec.commit
    source = client.resolve(spec.url, commit, spec.paths, spec.tag)
    if spec.tag and spec.commit not in {"", source.commit}:
        hint = "correct `commit` or `tag` in the recipe; if neither is wrong, the tag moved"
        _refuse_other(source, "the recipe says", [f"the recipe says: {spec.commit}"], hint)
    if spec.tag:
        _refuse_moved(source, context.locked())
    return (source,)


def _refuse_moved(source: GitSource, locked: Iterable[LockedSource]) -> None:
    """See that a tag names the commit that it named for each entry of a lock, whoever asked.

    Raises:
        WrongContent: it was moved.
    """
    others = [
        f"the lock has: {part.commit}" + (f"  {entry.where}" if entry.where else "")
        for entry in locked
        for part in entry.parts
        if isinstance(part, GitSource)
        and (part.url, part.tag) == (source.url, source.tag)
        and part.commit != source.commit
    ]
    if others:
        _refuse_other(source, "the lock has", others, _MOVED)


def _refuse_other(source: GitSource, who: str, others: Iterable[str], hint: Hint) -> None:
    msg = f"the tag {source.tag} is another commit than {who}"
    details = (*others, f"upstream: {source.commit}")
    raise WrongContent(msg, where=source.url, details=details, hint=hint)
