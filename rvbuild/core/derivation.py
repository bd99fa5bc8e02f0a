"""Derivations: single steps, symbolic, each naming its inputs by derivation digest.

Knows: what enters a key. Must not know: trees, stores, what a step gives.
Three forms: **Fetch** brings a source, **Merge** lays trees over each other,
**Step** runs a script.
"""

from __future__ import annotations

import hashlib
from typing import Union

from attrs import field, frozen

from rvbuild.core.canonical import Json, encode
from rvbuild.core.digest import Digest
from rvbuild.core.source import Source

VERSION = 1
"""Part of every key: raised when the meaning of a derivation changes."""


def _key(kind: str, identity: Json) -> str:
    return hashlib.sha256(encode([VERSION, kind, identity])).hexdigest()


@frozen(kw_only=True)
class Fetch:
    """Brings one source; its output is the source's tree."""

    source: Source
    digest: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "digest", _key("fetch", self.source.identity))

    @property
    def label(self) -> str:
        return self.source.label

    @property
    def inputs(self) -> tuple[str, ...]:
        return ()


@frozen(kw_only=True)
class Merge:
    """The union of its parts' trees, each laid at a path (``""`` is the root)."""

    label: str = field(eq=False)
    parts: tuple[tuple[str, str], ...]
    digest: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "digest", _key("merge", self.parts))

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(digest for _, digest in self.parts)


@frozen(kw_only=True)
class Input:
    """Another derivation's output at a path of the input root; ``""`` is the toolbox."""

    path: str
    derivation: str
    writable: bool = False


@frozen(kw_only=True)
class OutputRule:
    """What an output must be. ``kind``: ``executable``, ``library``, ``file``, ``tree``, ``image``.

    An ``image`` is a folder or an archive with one or more of them. ``architecture`` is that of
    every ELF file in it, if it matters. ``tls``: an image must hold a CA bundle.
    """

    name: str
    path: str
    kind: str
    static: bool = False
    architecture: str | None = None
    tls: bool = False

    @property
    def identity(self) -> Json:
        facts = (self.name, self.path, self.kind, self.static, self.architecture)
        return (*facts, "tls") if self.tls else facts


@frozen(kw_only=True)
class Step:
    """Runs ``script`` in the sandbox.

    ``accelerators`` take no part in the key. ``expect`` is text that the log must hold
    (for checks).
    """

    label: str = field(eq=False)
    inputs_at: tuple[Input, ...]
    script: str
    environment: tuple[tuple[str, str], ...]
    timeout: int
    outputs: tuple[OutputRule, ...] = ()
    expect: str | None = None
    accelerators: tuple[str, ...] = field(default=(), eq=False)
    is_check: bool = False
    digest: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "digest", _key("step", self._identity()))

    def _identity(self) -> Json:
        return {
            "inputs": [[i.path, i.derivation, i.writable] for i in self.inputs_at],
            "script": self.script,
            "environment": self.environment,
            "timeout": self.timeout,
            "outputs": [rule.identity for rule in self.outputs],
            "expect": self.expect,
        }

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(given.derivation for given in self.inputs_at)


Derivation = Union[Fetch, Merge, Step]


@frozen(kw_only=True)
class Realisation:
    """The fact that derivation D has output O: ``output`` is the digest of a tree's root.

    For a step, ``action`` is its action's key (SHA-256), ``log`` the digest of what it wrote.
    ``accelerated``: a compile cache helped to make it or one of its inputs, so a release
    build does not take it.
    ``signatures`` is empty for now.
    ``inputs`` are the trees that making it used, in no part of the record; None: nobody knows.
    """

    derivation: str
    output: Digest
    action: str | None = None
    log: Digest | None = None
    accelerated: bool = False
    signatures: tuple[str, ...] = ()
    inputs: tuple[Digest, ...] | None = field(default=None, eq=False)
