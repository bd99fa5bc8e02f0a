"""Derivations: single steps, symbolic, each naming its inputs by derivation digest.

Knows: what enters a key. Must not know: trees, stores, what a step gives.
Three forms: **Fetch** brings a source, **Merge** lays trees over each other,
**Step** runs a script.

A derivation's canonical bytes are a JSON object (RFC 8785) with the format's version and the
kind, as ``{"derivation":2,"kind":"fetch","source":{"deb":"1f3a…"}}``. Their SHA-256 is the
derivation digest. All that affects the result is in them, and nothing else: labels and
accelerators are not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Union

from attrs import asdict, field, frozen

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.canonical import Json, encode
from rvbuild.core.digest import Digest
from rvbuild.core.errors import UsageError
from rvbuild.core.platform import Platform
from rvbuild.core.source import Source

VERSION = 2
"""Part of every key: raised when the meaning of a derivation changes."""


def _encoded(kind: str, **facts: Json) -> bytes:
    return encode({"derivation": VERSION, "kind": kind, **facts})


@frozen(kw_only=True)
class _Keyed(ABC):
    """What every derivation has.

    Attributes:
        key: The digest of its canonical bytes.
    """

    key: Digest = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "key", Digest.of(self.encode()))

    @abstractmethod
    def encode(self) -> bytes:
        """The canonical bytes."""

    @property
    def digest(self) -> str:
        """The SHA-256 of the canonical bytes, by which others name it."""
        return self.key.hash


@frozen(kw_only=True)
class FolderOf:
    """A folder at a path of another derivation's output; ``.`` is all of it."""

    derivation: str
    path: str


@frozen(kw_only=True)
class Fetch(_Keyed):
    """Brings one source; its output is the source's tree.

    ``by`` is where the files are that the source is fetched by (`Source.with_files`). It takes no
    part in the key: the source has a digest of what matters in them.
    """

    source: Source
    by: FolderOf | None = field(default=None, eq=False)

    def encode(self) -> bytes:
        return _encoded("fetch", source=self.source.identity)

    @property
    def label(self) -> str:
        return self.source.label

    @property
    def inputs(self) -> tuple[str, ...]:
        return () if self.by is None else (self.by.derivation,)


@frozen(kw_only=True)
class Merge(_Keyed):
    """The union of its parts' trees, each laid at a path (``""`` is the root)."""

    label: str = field(eq=False)
    parts: tuple[tuple[str, str], ...]

    def encode(self) -> bytes:
        parts = [{"path": path, "derivation": derivation} for path, derivation in self.parts]
        return _encoded("merge", parts=parts)

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(digest for _, digest in self.parts)


@frozen(kw_only=True)
class Input:
    """Another derivation's output at a path of the input root; ``""`` is the toolbox."""

    path: str
    derivation: str
    writable: bool = False

    @property
    def identity(self) -> Json:
        return asdict(self)


@frozen(kw_only=True)
class OutputRule:
    """What an output must be. ``kind``: ``executable``, ``library``, ``file``, ``tree``, ``image``.

    An ``image`` is a folder or an archive with one or more of them. ``architecture`` is that of
    every ELF file in it, if it matters. ``tls``: an image must hold a CA bundle. ``detected``:
    patterns of functions whose instructions beyond the baseline run only after asking the
    processor, each with the reason.
    """

    name: str
    path: str
    kind: str
    static: bool = False
    architecture: str | None = None
    tls: bool = False
    detected: tuple[tuple[str, str], ...] = ()

    @property
    def identity(self) -> Json:
        """All of it; a rule that declares nothing has the key that it had before it could."""
        facts: dict[str, Json] = asdict(self, filter=lambda fact, _: fact.name != "detected")
        return {**facts, "detected": dict(self.detected)} if self.detected else facts


def _is_input(step: Step, _: object, tries: str) -> None:
    if tries and tries not in step.inputs:
        msg = f"a check of what it does not see: {tries}"
        raise ValueError(msg)


@frozen(kw_only=True)
class Step(_Keyed):
    """Runs ``script`` in the sandbox, on a machine with the properties ``platform``.

    ``accelerators`` take no part in the key. ``expect`` is text that the log must hold
    (for checks). ``tries`` is, for a check, that of its inputs which it tries; empty: no check.
    What else a check sees are its tools.
    """

    label: str = field(eq=False)
    inputs_at: tuple[Input, ...]
    script: str
    environment: tuple[tuple[str, str], ...]
    timeout: int
    platform: Platform
    outputs: tuple[OutputRule, ...] = ()
    expect: str | None = None
    accelerators: tuple[str, ...] = field(default=(), eq=False)
    tries: str = field(default="", eq=False, validator=_is_input)

    def encode(self) -> bytes:
        return _encoded(
            "step",
            inputs=[each.identity for each in self.inputs_at],
            script=self.script,
            environment=dict(self.environment),
            timeout=self.timeout,
            outputs=[rule.identity for rule in self.outputs],
            expect=self.expect,
            platform=self.platform.properties,
        )

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(given.derivation for given in self.inputs_at)

    @property
    def is_check(self) -> bool:
        return bool(self.tries)


Derivation = Union[Fetch, Merge, Step]


def refuse_folders(derivations: Iterable[Derivation]) -> None:
    """Say that a release would not be made of pinned sources alone.

    Raises:
        UsageError: one of them is a folder of this machine.
    """
    for derivation in derivations:
        if isinstance(derivation, Fetch) and derivation.source.folder:
            msg = "a release is made of pinned sources, and this is a folder"
            hint = advise("pin it as a git tree or an archive, or ", Remedy.NO_RELEASE)
            raise UsageError(msg, where=derivation.source.folder, hint=hint)
