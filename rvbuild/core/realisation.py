"""Realisations: the fact that derivation D has output O, and how that came about.

Knows: what a realisation says, and its form on disk. Must not know: where it is kept.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from typing import Any

from attrs import evolve, field, frozen
from attrs.validators import in_, instance_of, matches_re

from rvbuild.core.canonical import Json
from rvbuild.core.digest import Digest
from rvbuild.core.envelope import Body, kept, seal, unseal
from rvbuild.core.errors import Malformed
from rvbuild.core.key_name import KEY_NAME
from rvbuild.core.voucher import Voucher, Vouchers, best_voucher, is_chain

KIND, VERSION = "realisation", 1

BUILDER = KEY_NAME
"""What the name of a builder, or of a key, matches."""

_NAME = re.compile(f"([0-9a-f]{{64}})(?:@{BUILDER})?")

_OUTPUT = "out"
"""The name of the one output that steps have so far."""


@frozen
class Origin:
    """Where a result is from.

    Attributes:
        kind: ``built`` here (or fetched, or merged), or ``substituted``.
        place: Where a substituted one was taken from, such as a cache's name.
        chain: Of a substituted one that somebody speaks of to others: the ids of the keys on whose
            word it was taken (`core.voucher`). Empty: nobody knows.
        basis: Of one that somebody speaks of to others: the ids of the keys on whose word its
            builder took what it was made of, sorted.
    """

    kind: str = field(default="built", validator=in_(("built", "substituted")))
    place: str = field(default="", validator=instance_of(str))
    chain: tuple[str, ...] = field(default=(), validator=is_chain)
    basis: tuple[str, ...] = field(default=(), validator=is_chain)

    def __attrs_post_init__(self) -> None:
        if self.chain and self.is_built:
            msg = "what was built rests on nobody's word"
            raise ValueError(msg)

    @property
    def is_built(self) -> bool:
        return self.kind == "built"

    @property
    def is_independent(self) -> bool:
        """Whether it was built, and so was everything that it was made of."""
        return self.is_built and not self.basis

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys on whose word it is."""
        return (*self.chain, *self.basis)

    @property
    def json(self) -> Json:
        keys = {"chain": self.chain, "basis": self.basis}
        named: Body = {name: list(ids) for name, ids in keys.items() if ids}
        return {"kind": self.kind, "from": self.place, **named}

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Origin:
        """Read what ``json`` gave.

        Raises:
            ValueError, TypeError, KeyError: it has another form.
        """
        chain, basis = value.get("chain", ()), value.get("basis", ())
        return cls(value["kind"], value["from"], tuple(chain), tuple(basis))

    def stands(self, valid_ids: Container[str]) -> bool:
        """Whether all keys on whose word it is are valid; on nobody's, nothing is taken."""
        return (self.is_built or bool(self.chain)) and all(key in valid_ids for key in self.keys)


@frozen(kw_only=True)
class Realisation:
    """The fact that derivation D has output O: ``output`` is the digest of a tree's root.

    Attributes:
        key: The digest of the derivation's canonical bytes, which are a blob.
        output: The root of the output's tree.
        size: Bytes that all files of the output hold.
        files: How many files these are.
        action: For a step, its action's key (SHA-256).
        log: For a step, the digest of what it wrote.
        inputs: The roots of the trees that making it used; of a check that was taken from others,
            the output that it passed for.
        builder: Who made it: a name, or empty. One derivation may have a realisation from each.
        milliseconds: How long that took. A step whose outcome was known took next to nothing.
        accelerated: A compile cache helped to make it or one of its inputs, so a release build
            does not take it.
        accelerable: A compile cache could have helped: the step declares one.
        origin: Where it is from.
        signatures: Of a substituted one its vouchers, those of the fewest keys first.
        basis: Of a built one: the vouchers of every substituted result that it was made of, however
            far below, each set once.
        record: The body that it was read from: what a newer rvbuild says there, and this one does
            not know, stays when it is written again.
    """

    key: Digest
    output: Digest
    size: int = field(default=0, validator=instance_of(int))
    files: int = field(default=0, validator=instance_of(int))
    action: str | None = field(default=None, validator=instance_of((str, type(None))))
    log: Digest | None = None
    inputs: tuple[Digest, ...] = ()
    builder: str = field(default="", validator=matches_re(f"(?:{BUILDER})?"))
    milliseconds: int = field(default=0, validator=instance_of(int))
    accelerated: bool = field(default=False, validator=instance_of(bool))
    accelerable: bool = field(default=False, validator=instance_of(bool))
    origin: Origin = Origin()
    signatures: tuple[Json, ...] = ()
    basis: tuple[Vouchers, ...] = ()
    record: Body = field(factory=dict, eq=False, repr=False)

    @property
    def derivation(self) -> str:
        """The derivation digest."""
        return self.key.hash

    @property
    def name(self) -> str:
        """The name of its record: ``DIGEST``, or ``DIGEST@BUILDER``."""
        return record_name(self.derivation, self.builder)

    @property
    def vouchers(self) -> Vouchers:
        """Those of its signatures that can be read."""
        return _vouchers(self.signatures)

    @property
    def voucher_sets(self) -> tuple[Vouchers, ...]:
        """Whose word has to be enough, for it to be used: in each set by itself."""
        return self.basis if self.origin.is_built else (self.vouchers,)

    def made_of(self, inputs: Iterable[Realisation]) -> Realisation:
        """The same, with what a built one has from its inputs: ``accelerated`` and ``basis``."""
        inputs = tuple(inputs)
        sets = (each for made in inputs for each in made.voucher_sets)
        return evolve(
            self,
            accelerated=self.accelerated or any(made.accelerated for made in inputs),
            basis=tuple(dict.fromkeys(sets)),
        )

    def origin_for(self, signer: str, valid_ids: Container[str]) -> Origin:
        """Where it is from, as the holder of a key says that to others.

        1. Of what was taken, the keys of the best voucher that stands are named
           (`best_voucher`), without the signer's own: that one has to stand anyway.
        2. If no other is left in its chain, the signer took its own word that it built this, and
           says so again.
        3. Of what was built, all keys of the best voucher of each set are the basis.
        4. If no voucher stands, no key is named, and nobody will believe it.

        Args:
            signer: The id of the key.
            valid_ids: Those of the keys that are known and were not revoked.
        """
        best = [best_voucher(each, signer, valid_ids) for each in self.voucher_sets]
        words = [each for each in best if each]
        if len(words) < len(best):
            return Origin("substituted", self.origin.place)
        if self.origin.is_built:
            return Origin(basis=_sorted(key for word in words for key in word.others(signer)))
        (word,) = words
        chain = tuple(key for key in word.path if key != signer)
        basis = _sorted(key for key in word.basis if key != signer)
        return evolve(self.origin, chain=chain, basis=basis) if chain else Origin(basis=basis)

    def encode(self) -> bytes:
        """Its record; digests are ``HASH/SIZE``."""
        output: Body = {"tree": str(self.output), "bytes": self.size, "files": self.files}
        body: Body = {
            "derivation": str(self.key),
            "outputs": {_OUTPUT: output},
            "action": self.action,
            "log": str(self.log) if self.log else None,
            "inputs": [str(tree) for tree in self.inputs],
            "builder": self.builder,
            "milliseconds": self.milliseconds,
            "accelerated": self.accelerated,
            "accelerable": self.accelerable,
            "origin": self.origin.json,
            "signatures": self.signatures,
            "basis": [[voucher.json for voucher in each] for each in self.basis],
        }
        return seal(KIND, VERSION, kept(self.record, body))

    @classmethod
    def decode(cls, data: bytes) -> Realisation:
        """Read what ``encode`` wrote, or a newer rvbuild in the same version.

        Raises:
            VerificationError: it is damaged.
            NewerRecord: its version is newer.
        """
        body = unseal(data, KIND, VERSION)
        try:
            return cls._read(body)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            msg = f"not a realisation: {error}"
            raise Malformed(msg) from error

    @classmethod
    def _read(cls, body: Mapping[str, Any]) -> Realisation:
        output, log = body["outputs"][_OUTPUT], body["log"]
        return cls(
            key=_digest(body["derivation"]),
            output=_digest(output["tree"]),
            size=output["bytes"],
            files=output["files"],
            log=None if log is None else _digest(log),
            inputs=tuple(_digest(tree) for tree in body["inputs"]),
            origin=Origin.read(body["origin"]),
            signatures=tuple(body["signatures"]),
            basis=tuple(map(_vouchers, body.get("basis", ()))),
            record=body,
            **{name: body[name] for name in _PLAIN},
        )


_PLAIN = ("action", "builder", "milliseconds", "accelerated", "accelerable")


def _digest(value: object) -> Digest:
    if not isinstance(value, str):
        msg = f"no digest: {value!r}"
        raise TypeError(msg)
    return Digest.parse(value)


def _vouchers(values: Iterable[object]) -> Vouchers:
    return tuple(filter(None, map(Voucher.read, values)))


def _sorted(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(keys)))


def record_name(derivation: str, builder: str) -> str:
    """The name of a builder's realisation of a derivation."""
    return f"{derivation}@{builder}" if builder else derivation


def derivation_of(name: str) -> str:
    """The derivation digest in the name of a record; empty if it is no such name."""
    match = _NAME.fullmatch(name)
    return match[1] if match else ""
