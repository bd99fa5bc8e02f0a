"""The declaration of a kind: the syntax of recipes and locks, and their schemas, follow from it.

Knows: which forms a fact or a key can have. Must not know: YAML, which kinds there are.
What a recipe says are the attributes of a `SourceSpec`, each with `key`; what a lock says are the
facts of a `Kind`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Union

from attrs import NOTHING, field, fields, frozen

from rvbuild.core.architecture import ARCHITECTURES
from rvbuild.core.canonical import Json
from rvbuild.core.component import Component, Rank
from rvbuild.core.digest import Digest
from rvbuild.core.login import MALFORMED, SplitAddress, shown_malformed
from rvbuild.core.source import LAST_DATE, Source
from rvbuild.core.spec import WORD, SourceSpec

Text = Union[str, tuple[str, ...]]
"""A fact in a lock: one text, or a list."""


@frozen
class Form:
    """How a fact of a lock or a key of a recipe is spelled.

    Attributes:
        parse: From the text; raises ValueError with what is wrong, to follow the name.
        show: To a lock's text.
        schema: JSON Schema.
        many: Whether it is a list.
        choices: The words that it can be, if they are few.
        members: The keys of a mapping with a text each, in the order in which ``parse`` has them.
        missing: What a message says if a key is not there and must be.
        hint: What helps who got it wrong.
    """

    parse: Callable[[Any], Any]
    show: Callable[[Any], Text]
    schema: Json
    many: bool = False
    choices: tuple[str, ...] = field(default=(), kw_only=True)
    members: tuple[str, ...] = field(default=(), kw_only=True)
    missing: str = field(default="", kw_only=True)
    hint: str = field(default="", kw_only=True)


@frozen(kw_only=True)
class Key:
    """A key of a recipe's mapping that describes a source.

    Attributes:
        word: The key.
        form: What stands under it.
        attribute: Of the description that it gives.
        required: Whether it must be there.
        unless: Another key that may stand instead of a required one; empty if none may.
    """

    word: str
    form: Form
    attribute: str
    required: bool
    unless: str


def key(word: str, form: Form, *, unless: str = "") -> Mapping[str, object]:
    """Metadata of an attribute of a `SourceSpec`: what a recipe says for it, see `Key`."""
    return {WORD: word, "form": form, "unless": unless}


def keys(spec: type[SourceSpec]) -> tuple[Key, ...]:
    """The keys that describe such a source; the first one's word names the kind."""
    return tuple(
        Key(
            word=each.metadata[WORD],
            form=each.metadata["form"],
            attribute=each.name,
            required=each.default is NOTHING or bool(each.metadata["unless"]),
            unless=each.metadata["unless"],
        )
        for each in fields(spec)
    )


@frozen(kw_only=True)
class Fact:
    """One fact: its name in the lock, its form, and the value's attribute if called otherwise."""

    name: str
    form: Form
    attribute: str = ""
    optional: bool = False

    def of(self, source: Source) -> Text:
        """What a source has."""
        return self.form.show(getattr(source, self.attribute or self.name))


@frozen(kw_only=True)
class Section:
    """A section of the lock where each thing of a kind has one line, whoever names it.

    ``name`` is the section's; ``key`` are the facts that name a thing, in order.
    """

    name: str
    key: tuple[str, ...]


@frozen(kw_only=True)
class Kind:
    """A kind of source.

    Attributes:
        tag: Its name in recipes and locks.
        source: The class of its sources.
        facts: In the order of the lock.
        identity: What a key has of it, for docs/format.md.
        origin: Where its bytes come from, for docs/format.md.
        section: Where facts stand that several entries share.
        entry: Facts that an entry has once, since they are those of all its parts.
        former: Facts that locks had once; they are read, and say nothing.
        name: The facts that a thing keeps in another version.
        order: Returns the place of a version among others; None where versions have no order.
    """

    tag: str
    source: Callable[..., Source]
    facts: tuple[Fact, ...]
    identity: str
    origin: str
    section: Section | None = field(default=None)
    entry: tuple[Fact, ...] = ()
    former: tuple[str, ...] = ()
    name: tuple[str, ...] = ()
    order: Callable[[str], Rank] | None = None

    @property
    def shared(self) -> tuple[Fact, ...]:
        """The facts that stand in the section."""
        key = self.section.key if self.section else ()
        return tuple(fact for fact in self.facts if fact.name not in key)

    def show(self, source: Source) -> dict[str, Text]:
        """Every fact of a source by its name; an optional one that is empty is left out."""
        shown = [(fact, fact.of(source)) for fact in self.facts]
        return {fact.name: text for fact, text in shown if text or not fact.optional}

    def component(self, source: Source) -> Component:
        """A source as one of the versions of a thing."""
        facts = {
            name: text if isinstance(text, str) else " ".join(text)
            for name, text in self.show(source).items()
        }
        version = facts.get("version", "")
        return Component(
            kind=self.tag,
            name=" ".join(facts[name] for name in self.name),
            version=version,
            rank=self.order(version) if self.order else "",
            content=source.identity,
            facts=facts,
        )

    def make(self, values: Mapping[str, object]) -> Source:
        """The source that has these values of facts.

        Raises:
            RecipeError: no source can have them.
        """
        return self.source(
            **{
                fact.attribute or fact.name: values[fact.name]
                for fact in self.facts + self.entry
                if fact.name in values
            }
        )


# ---- forms

MAX_DIGITS = 18
"""Of a whole number: what an integer of 64 bits always holds."""


def _hex(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", text):
        msg = "must be a digest in lower-case hex"
        raise ValueError(msg)
    return text


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > MAX_DIGITS:
        msg = f"must be a whole number of at most {MAX_DIGITS} digits, not {text!r}"
        raise ValueError(msg)
    return int(text)


def _date(text: str) -> int:
    date = _number(text)
    if date > LAST_DATE:
        msg = f"is after the year 9999: {date}"
        raise ValueError(msg)
    return date


def _flag(text: str) -> bool:
    if text not in {"true", "false"}:
        msg = f"must be true or false, not {text!r}"
        raise ValueError(msg)
    return text == "true"


def _tree(text: str) -> str:
    try:
        Digest.parse(text)
    except ValueError as cause:
        msg = f"must be the digest of a tree: {cause}"
        raise ValueError(msg) from cause
    return text


def _some(texts: tuple[str, ...]) -> tuple[str, ...]:
    if not texts:
        msg = "must have something in it"
        raise ValueError(msg)
    return tuple(texts)


def _address(text: str) -> str:
    """A URL, or git's HOST:PATH; only ssh has a user that is no secret."""
    if re.match(r"https?://[^/?#]*@|[a-z+]+://[^/?#@]*:[^/?#]*@", text, re.IGNORECASE):
        msg = "must not have a login in it"
        raise ValueError(msg)
    if "${" not in text and SplitAddress.of(text).is_malformed:
        msg = f"is {MALFORMED}: {shown_malformed(text)}"
        raise ValueError(msg)
    return text


TEXT_SCHEMA: Json = {"type": ["string", "number", "boolean"]}
_NUMBER: dict[str, Json] = {
    "type": ["integer", "string"],
    "pattern": f"^[0-9]{{1,{MAX_DIGITS}}}$",
    "minimum": 0,
}
_TEXTS: dict[str, Json] = {"type": "array", "items": TEXT_SCHEMA, "uniqueItems": True}

TEXT = Form(str, str, TEXT_SCHEMA)
HEX = Form(_hex, str, {"type": "string", "pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$"})
NUMBER = Form(_number, str, _NUMBER)
DATE = Form(_date, str, _NUMBER)
FLAG = Form(
    _flag, lambda value: "true" if value else "false", {"enum": [True, False, "true", "false"]}
)
TREE = Form(_tree, str, {"type": "string", "pattern": "^[0-9a-f]{64}/[0-9]+$"})
TEXTS = Form(tuple, tuple, _TEXTS, many=True)
SOME_TEXTS = Form(_some, tuple, {**_TEXTS, "minItems": 1}, many=True)
ADDRESS = Form(
    _address,
    str,
    TEXT_SCHEMA,
    hint=(
        "write https://HOST:PORT/PATH; recipes and locks are for everybody to read: put a login"
        " into ~/.netrc"
    ),
)
SORTED_TEXTS = Form(lambda texts: tuple(sorted(texts)), tuple, _TEXTS, many=True)
ARCHITECTURE = Form(str, str, {"enum": list(ARCHITECTURES)}, choices=tuple(ARCHITECTURES))
