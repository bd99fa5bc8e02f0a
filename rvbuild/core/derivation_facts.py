"""What a derivation says, read from its canonical bytes: as text, to be compared.

Knows: the form of canonical bytes, also of other versions. Must not know: whom it is compared with.

A former derivation is known by its bytes alone: labels are not in them. So all that is said here of
one is what its bytes say.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, TypeGuard, cast

from attrs import field, frozen

from rvbuild.core.errors import Malformed


class Aspect(Enum):
    """The part of a derivation that a difference is in; the value is its word in JSON."""

    SOURCE = "source"
    SCRIPT = "script"
    ENVIRONMENT = "environment"
    INPUT = "input"
    PLATFORM = "platform"
    OUTPUT = "output"
    EXPECT = "expect"
    TIMEOUT = "timeout"
    OTHER = "other"
    UNKNOWN = "unknown"


Part = tuple[Aspect, str]
"""An aspect, and the name in it: that of a variable, an output, an input's path."""


@frozen(order=True)
class Slot:
    """An input: the place where it is seen, and its derivation digest."""

    place: str
    derivation: str


@frozen(kw_only=True)
class Facts:
    """What one derivation says.

    Attributes:
        form: ``fetch``, ``merge`` or ``step``.
        title: What it calls itself, as ``k3s-root 0.14.1`` or ``go-module golang.org/x/net``.
        name: The part of the title that a new version keeps; empty if it has none.
        slots: Its inputs, in its order.
        texts: All else that is in its key, each part as text.
    """

    form: str
    title: str
    name: str = ""
    slots: tuple[Slot, ...] = ()
    texts: Mapping[Part, str] = field(factory=dict)

    @classmethod
    def read(cls, data: bytes) -> Facts:
        """Read canonical bytes.

        Raises:
            Malformed: they are no derivation's.
        """
        try:
            body = cast("Mapping[str, Any]", json.loads(data))
            return _READERS[body["kind"]](body)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            msg = f"not a derivation: {type(error).__name__}: {error}"
            raise Malformed(msg) from error


_COMMON = {"derivation", "kind"}
"""Members that every derivation has."""


def _fetch(body: Mapping[str, Any]) -> Facts:
    identity: Mapping[str, object] = body["source"]
    lines = list(_lines(identity.items()))
    name = " ".join(_names(identity))
    texts = {(Aspect.SOURCE, ""): "\n".join(lines)}
    title = name or ", ".join(lines[:2])
    return Facts(form="fetch", title=title, name=name, texts=texts | _others(body, "source"))


def _merge(body: Mapping[str, Any]) -> Facts:
    slots = tuple(Slot(str(part["path"]), str(part["derivation"])) for part in body["parts"])
    title = f"a merge of {len(slots)}"
    return Facts(form="merge", title=title, slots=slots, texts=_others(body, "parts"))


def _step(body: Mapping[str, Any]) -> Facts:
    environment = {str(key): _text(value) for key, value in body["environment"].items()}
    name = environment.get("name", "")
    texts: dict[Part, str] = {
        (Aspect.SCRIPT, ""): _text(body["script"]),
        (Aspect.TIMEOUT, ""): _text(body["timeout"]),
    }
    texts |= {(Aspect.ENVIRONMENT, key): value for key, value in environment.items()}
    texts |= {(Aspect.PLATFORM, key): value for key, value in _by_name(body["platform"])}
    rules: Iterable[Mapping[str, object]] = body["outputs"]
    texts |= {(Aspect.OUTPUT, str(rule["name"])): "\n".join(_lines(rule.items())) for rule in rules}
    if body["expect"] is not None:
        texts[Aspect.EXPECT, ""] = _text(body["expect"])
    return Facts(
        form="step",
        title=f"{name} {environment.get('version', '')}".strip() or "a step",
        name=name,
        slots=tuple(_slot(given) for given in body["inputs"]),
        texts=texts | _others(body, *_STEP),
    )


_STEP = ("script", "timeout", "environment", "platform", "outputs", "expect", "inputs")

_READERS = {"fetch": _fetch, "merge": _merge, "step": _step}


def _slot(given: Mapping[str, object]) -> Slot:
    writable = " (writable)" if given["writable"] else ""
    return Slot(f"{given['path']}{writable}", str(given["derivation"]))


def _by_name(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Properties by name; of one name with several values, these in their order."""
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(str(name), []).append(str(value))
    return ((name, ", ".join(each)) for name, each in values.items())


def _others(body: Mapping[str, object], *known: str) -> dict[Part, str]:
    """The format's version, and what another version may say more."""
    more = {name: value for name, value in body.items() if name not in {*_COMMON, *known}}
    version = {"format": body["derivation"]}
    return {(Aspect.OTHER, name): _text(value) for name, value in (version | more).items()}


def _names(identity: Mapping[str, object]) -> tuple[str, ...]:
    """The kind of a source and its name, where that comes first: of a module, of a crate."""
    for tag, value in identity.items():
        if len(identity) == 1 and _is_plain(value):
            return (tag, value[0])
    return ()


def _is_plain(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)


def _lines(members: Iterable[tuple[str, object]]) -> Iterator[str]:
    """Members that say something as lines; each row of a table is a line of its own."""
    for name, value in members:
        parts = value if isinstance(value, list) else [value]
        rows = [part for part in parts if isinstance(part, list)]
        words = [_text(part) for part in parts if not isinstance(part, list) and part is not None]
        if words:
            yield " ".join([name, *words])
        for row in rows:
            nested = all(isinstance(each, list) for each in row)
            yield from map(_row, row if nested else [row])


def _row(row: Iterable[object]) -> str:
    return " ".join(map(_text, row))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
