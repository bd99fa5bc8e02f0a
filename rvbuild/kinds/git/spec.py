"""A commit of a git repository, as a recipe asks for it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import field, frozen

from rvbuild.core.spec import Comparison, SourceSpec
from rvbuild.kinds.declaration import ADDRESS, SORTED_TEXTS, Form, key
from rvbuild.kinds.git.source import GitSource

_COMMIT = r"\$\{.*\}|[0-9a-f]{40}|[0-9a-f]{64}"


def _commit(text: str) -> str:
    if not re.fullmatch(_COMMIT, text):
        msg = f"must be a whole commit name in hex, not {text!r}"
        raise ValueError(msg)
    return text


COMMIT = Form(
    _commit,
    str,
    {"type": "string", "pattern": f"^({_COMMIT})$"},
    missing="a git source is pinned to a 'commit', and none is given",
    hint="`git rev-parse TAG^{commit}` tells it",
)


@frozen(kw_only=True)
class GitSpec(SourceSpec):
    """A commit of a git repository, whole or some of its paths."""

    answer = GitSource
    url: str = field(metadata=key("git", ADDRESS))
    commit: str = field(metadata=key("commit", COMMIT))
    paths: tuple[str, ...] = field(default=(), metadata=key("paths", SORTED_TEXTS))

    def compare(self, part: GitSource, arch: str) -> Iterator[Comparison]:
        del arch
        yield "url", part.url, self.url
        yield "commit", part.commit, self.commit
        yield "paths", part.paths, tuple(sorted(self.paths))
        expected = f"a name of {len(part.commit)} digits, like its commit's"
        yield "tree", part.tree, part.tree if len(part.tree) == len(part.commit) else expected


SPECS = {"git": GitSpec}
