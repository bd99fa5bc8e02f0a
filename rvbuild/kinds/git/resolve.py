"""The description of a commit, or of a tag, to its tree and date."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import WrongContent
from rvbuild.core.lock import LockedSource
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.git.spec import GitSpec


class Commits(Protocol):
    """Finds commits; see kinds/git/fetch."""

    def resolve(
        self, url: str, commit: str, paths: tuple[str, ...], tag: str = ""
    ) -> GitSource: ...


def resolve(spec: GitSpec, context: ResolveContext, client: Commits) -> tuple[GitSource, ...]:
    """See `rvbuild.core.ports.registries.Registries`."""
    commit = "" if spec.tag else spec.commit
    source = client.resolve(spec.url, commit, spec.paths, spec.tag)
    if spec.tag and spec.commit:
        _refuse_other(source, "the recipe says", spec.commit)
    for locked in _tagged_before(spec, context.earlier):
        _refuse_other(source, "the lock has", locked)
    return (source,)


def _tagged_before(spec: GitSpec, earlier: LockedSource | None) -> Iterator[str]:
    """The commit that the same tag of the same repository named when it was locked."""
    for part in earlier.parts if earlier else ():
        if isinstance(part, GitSource) and (part.url, part.tag) == (spec.url, spec.tag or None):
            yield part.commit


def _refuse_other(source: GitSource, who: str, commit: str) -> None:
    """See that a tag names the commit that it is said to name.

    Raises:
        WrongContent: it was moved, or is another one.
    """
    if commit != source.commit:
        msg = f"the tag {source.tag} is another commit than {who}"
        details = (f"{who}: {commit}", f"upstream: {source.commit}")
        hint = "ask upstream why the tag moved; to take it as it is now, "
        raise WrongContent(msg, where=source.url, details=details, hint=advise(hint, Remedy.RELOCK))
