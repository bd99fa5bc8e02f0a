"""Statements: what somebody says of a result, for others to take it from a cache.

Knows: the form of what is signed. Must not know: signatures, caches, how packs are made.

A statement is canonical JSON (RFC 8785)::

    {"accelerated":false,"action":"9a0c…","builder":"ci","checks":[…],
     "closure-milliseconds":93000,"derivation":"5f1c…/812","key":"ci",
     "label":"runc-riscv64@1.35","milliseconds":41200,"origin":{"from":"","kind":"built"},
     "outputs":{"out":{"bytes":9437184,"files":1,"message":"77aa…/85","packs":[["c0ff…/3145728",2]],
     "tree":"0b1e…/77"}}}

A closure is what its builder knew of everything below a target, so that one record tells it all.

Rules:

1. Nobody believes a statement that is not signed, nor one of another derivation than was asked for,
   nor one that has another key's statement in it.
2. What is said of sizes binds: a reader takes no byte more.
3. Members that a reader does not know are no fault.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeVar, cast

from attrs import field, frozen
from attrs.validators import instance_of, matches_re, min_len

from rvbuild.core.canonical import Json, encode
from rvbuild.core.digest import Digest
from rvbuild.core.errors import Malformed
from rvbuild.core.printable import brief
from rvbuild.core.realisation import BUILDER, Origin

REALISATION = "application/vnd.rvbuild.realisation+json"
CLOSURE = "application/vnd.rvbuild.closure+json"

_OUTPUT = "out"
_HASH = "[0-9a-f]{64}"
T = TypeVar("T")


def _is_count(_: object, __: object, value: int) -> None:
    if type(value) is not int or value < 0:  # a bool is an int, too
        msg = f"no number of anything: {value!r}"
        raise ValueError(msg)


@frozen
class Pack:
    """An object of a cache that holds ``blobs`` blobs, one after another, compressed."""

    digest: Digest
    blobs: int = field(validator=_is_count)

    @property
    def json(self) -> Json:
        return [str(self.digest), self.blobs]

    @classmethod
    def read(cls, value: Sequence[Any]) -> Self:
        """Read what ``json`` gave.

        Raises:
            ValueError, TypeError: it has another form.
        """
        digest, blobs = value
        return cls(Digest.parse(_text(digest)), blobs)


@frozen(kw_only=True)
class PackedTree:
    """A tree, and the packs that hold it.

    Attributes:
        root: The digest of its root ``Directory``.
        message: That of its ``Tree`` message, with which the first pack begins.
        size: Bytes that all files hold.
        files: How many there are.
        packs: In the order of the tree's blobs (`core.packing`); at least one.
    """

    root: Digest
    message: Digest
    size: int = field(validator=_is_count)
    files: int = field(validator=_is_count)
    packs: tuple[Pack, ...] = field(validator=min_len(1))

    @property
    def transfer(self) -> int:
        """Bytes that fetching all of it takes."""
        return sum(pack.digest.size for pack in self.packs)

    @property
    def json(self) -> Json:
        return {
            "tree": str(self.root),
            "message": str(self.message),
            "bytes": self.size,
            "files": self.files,
            "packs": [pack.json for pack in self.packs],
        }

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Self:
        """Read what ``json`` gave.

        Raises:
            ValueError, TypeError, KeyError: it has another form.
        """
        return cls(
            root=Digest.parse(_text(value["tree"])),
            message=Digest.parse(_text(value["message"])),
            size=value["bytes"],
            files=value["files"],
            packs=tuple(Pack.read(each) for each in value["packs"]),
        )


def _are_of_one_key(said: Statement, _: object, checks: tuple[Statement, ...]) -> None:
    """What one key signs is nobody else's word."""
    if any(check.key != said.key for check in checks):
        msg = "it has another key's statement"
        raise ValueError(msg)


@frozen(kw_only=True)
class Statement:
    """That derivation D has output O, by whoever holds a key.

    Attributes:
        derivation: The digest of the derivation's canonical bytes.
        label: What people call it, as ``runc-riscv64``.
        key: The name of the key that signs.
        builder: Who made it: a name, or empty.
        output: The tree.
        action: For a step, its action's key (SHA-256).
        milliseconds: How long making it took.
        closure_milliseconds: How long making it and all below it took, one after another; sources
            took as long as fetching them.
        accelerated: A compile cache helped.
        origin: Whether the signer built it, and else where it is from; on whose word it, or what it
            was made of, was taken.
        checks: What is said of the target's checks, so that one record tells that they passed.
    """

    derivation: Digest
    label: str = field(validator=instance_of(str))
    key: str = field(validator=matches_re(BUILDER))
    builder: str = field(default="", validator=matches_re(f"(?:{BUILDER})?"))
    output: PackedTree
    action: str | None = None
    milliseconds: int = field(default=0, validator=_is_count)
    closure_milliseconds: int = field(default=0, validator=_is_count)
    accelerated: bool = field(default=False, validator=instance_of(bool))
    origin: Origin = field(factory=Origin)
    checks: tuple[Statement, ...] = field(default=(), validator=_are_of_one_key)

    @property
    def packs(self) -> tuple[Digest, ...]:
        """Every pack that it and its checks name."""
        return tuple(pack.digest for each in (self, *self.checks) for pack in each.output.packs)

    @property
    def transfer(self) -> int:
        """Bytes of these packs."""
        return sum(pack.size for pack in self.packs)

    @property
    def json(self) -> Json:
        return {
            "derivation": str(self.derivation),
            "label": self.label,
            "key": self.key,
            "builder": self.builder,
            "outputs": {_OUTPUT: self.output.json},
            "action": self.action,
            "milliseconds": self.milliseconds,
            "closure-milliseconds": self.closure_milliseconds,
            "accelerated": self.accelerated,
            "origin": self.origin.json,
            "checks": [check.json for check in self.checks],
        }

    def encode(self) -> bytes:
        """The bytes to sign."""
        return encode(self.json)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what ``encode`` wrote, or a newer rvbuild.

        Raises:
            Malformed: it is none.
        """
        return _decoded(data, cls.of)

    @classmethod
    def of(cls, value: object) -> Self:
        """The statement that JSON says, whoever wrote it.

        Raises:
            Malformed: it says none.
        """
        return _read(value, cls.read, "a realisation")

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Self:
        """Read what ``json`` gave.

        Raises:
            ValueError, TypeError, KeyError: it has another form.
        """
        action = value["action"]
        return cls(
            derivation=Digest.parse(_text(value["derivation"])),
            label=value["label"],
            key=_text(value["key"]),
            builder=_text(value["builder"]),
            output=PackedTree.read(value["outputs"][_OUTPUT]),
            action=None if action is None else Digest(_text(action), 0).hash,
            milliseconds=value["milliseconds"],
            closure_milliseconds=value["closure-milliseconds"],
            accelerated=value["accelerated"],
            origin=Origin.read(value["origin"]),
            checks=tuple(cls.read(check) for check in value["checks"]),
        )


@frozen(kw_only=True)
class Closure:
    """What a builder knew of a target and of all steps below it.

    Attributes:
        target: ``runc-riscv64``.
        key: The name of the key that signs.
        derivation: The target's own derivation digest.
        statements: Of the target and the steps below it, without an order.
        derivations: A pack with the canonical bytes of every derivation of the closure, each behind
            its length; what a comparison reads.
    """

    target: str = field(validator=instance_of(str))
    key: str = field(validator=matches_re(BUILDER))
    derivation: str = field(validator=matches_re(_HASH))
    statements: tuple[Statement, ...]
    derivations: Pack

    def encode(self) -> bytes:
        """The bytes to sign."""
        return encode(
            {
                "target": self.target,
                "key": self.key,
                "derivation": self.derivation,
                "statements": [each.json for each in self.statements],
                "derivations": self.derivations.json,
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what ``encode`` wrote, or a newer rvbuild.

        Raises:
            Malformed: it is none, or a statement in it is by another key.
        """
        return _decoded(data, cls.of)

    @classmethod
    def of(cls, value: object) -> Self:
        """The closure that JSON says, whoever wrote it.

        Raises:
            Malformed: it says none, or a statement in it is by another key.
        """
        closure = _read(value, cls.read, "a target's closure")
        if any(each.key != closure.key for each in closure.statements):
            msg = "not a target's closure: it has another key's statement"
            raise Malformed(msg)
        return closure

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Self:
        """Read the members.

        Raises:
            ValueError, TypeError, KeyError: it has another form.
        """
        return cls(
            target=value["target"],
            key=_text(value["key"]),
            derivation=_text(value["derivation"]),
            statements=tuple(Statement.read(each) for each in value["statements"]),
            derivations=Pack.read(value["derivations"]),
        )


def _decoded(data: bytes, of: Callable[[object], T]) -> T:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        msg = f"not a statement: {error}"
        raise Malformed(msg) from error
    return of(value)


def _read(value: object, read: Callable[[Mapping[str, Any]], T], what: str) -> T:
    try:
        return read(cast("Mapping[str, Any]", value))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        msg = f"not {what}: {type(error).__name__}: {brief(str(error))}"
        raise Malformed(msg) from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        msg = f"no text: {value!r}"
        raise TypeError(msg)
    return value
