"""A commit of a git repository, or what a tag names, as a recipe asks for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import MappingProxyType

from attrs import field, frozen

from rvbuild.core.spec import Comparison, SourceSpec
from rvbuild.kinds.declaration import ADDRESS, SORTED_TEXTS, TEXT, Form, key
from rvbuild.kinds.git.source import GitSource

_NO_TAG = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|\.\Z|\A@?\Z")
_MAX_PART = 255
"""Bytes of a part of a tag's name: git has a file of that name, and no system a longer one."""
_REF = "refs/tags/"
_BRANCH = (
    "what a branch names is another commit soon, and a git source is pinned",
    "say `commit:` or `tag:`; `git rev-parse BRANCH` tells the commit of today",
)
_COMMIT = r"\$\{.*\}|[0-9a-f]{40}|[0-9a-f]{64}"


def _commit(text: str) -> str:
    if not re.fullmatch(_COMMIT, text):
        in_lower_case = re.fullmatch(_COMMIT, text.lower())
        wanted = "in lower case" if in_lower_case else "a whole commit name in hex"
        msg = f"must be {wanted}, not {text!r}"
        raise ValueError(msg)
    return text


def is_tag(name: str) -> bool:
    """Whether a tag can be called so, as ``git check-ref-format`` and file systems have it.

    The whole name of a ref is none: git would look for ``refs/tags/refs/tags/v1``.
    """
    parts = name.split("/")
    return (
        not _NO_TAG.search(name)
        and not name.startswith(_REF)
        and all(
            part
            and not part.startswith((".", "-"))
            and not part.endswith(".lock")
            and len(part.encode(errors="replace")) <= _MAX_PART
            for part in parts
        )
    )


def _tag(text: str) -> str:
    if text.startswith(_REF) or ("${" not in text and not is_tag(text)):
        msg = f"must be the name of a tag, not {text!r}"
        raise ValueError(msg)
    return text


COMMIT = Form(
    _commit,
    str,
    {"type": "string", "pattern": f"^({_COMMIT})$"},
    missing="a git source is pinned to a 'commit' or a 'tag', and none is given",
    hint="`git rev-parse TAG^{commit}` tells it, or say `tag: v1.2.3`",
)
TAG = Form(_tag, str, TEXT.schema, hint="without refs/tags/, such as v1.2.3")


@frozen(kw_only=True)
class GitSpec(SourceSpec):
    """A commit of a git repository, whole or some of its paths.

    ``tag``: the commit is the one that the tag names, which the lock then holds; with ``commit``,
    the tag must name that one.
    """

    answer = GitSource
    has_revisions = True
    instead = MappingProxyType({"branch": _BRANCH})
    url: str = field(metadata=key("git", ADDRESS))
    commit: str = field(default="", metadata=key("commit", COMMIT, unless="tag"))
    tag: str = field(default="", metadata=key("tag", TAG))
    paths: tuple[str, ...] = field(default=(), metadata=key("paths", SORTED_TEXTS))

    def compare(self, part: GitSource, arch: str) -> Iterator[Comparison]:
        del arch
        yield "url", part.url, self.url
        if self.commit:
            yield "commit", part.commit, self.commit
        yield "tag", part.tag, self.tag
        yield "paths", part.paths, tuple(sorted(self.paths))
        expected = f"a name of {len(part.commit)} digits, like its commit's"
        yield "tree", part.tree, part.tree if len(part.tree) == len(part.commit) else expected


SPECS = {"git": GitSpec}
