"""The literal pins of recipes: values in their files by which sources are chosen.

Knows: which value chooses a source, where it stands, how upstream spells it. Must not know: what
upstream has, what a value should be, which pin a name means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from attrs import evolve, field, frozen

from rvbuild.core.names import PinRef
from rvbuild.core.override import Override
from rvbuild.core.place import Place
from rvbuild.core.recipe import (
    DerivedPin,
    FromSpec,
    Reading,
    Recipe,
    SourceUse,
    substitute,
    used_names,
)
from rvbuild.core.spec import SourceSpec
from rvbuild.core.update_policy import Reach, UpdatePolicy, policy_of
from rvbuild.core.version_listing import VersionTemplate
from rvbuild.kinds.declaration import keys
from rvbuild.kinds.table import candidates_module
from rvbuild.recipes_yaml.recipe_layout import KeyPath

_FIXED = ("name", "build_arch")
_HOLE = "\0"
_NAME_AT = {"pins": 1, "sources": 2, "per-series": 2}
"""Which of a value's keys is its name, by the first one; of any other that one itself."""
_NAME = re.compile(r"\$\$\{|\$\{([^}]*)\}")


@frozen(kw_only=True)
class PinUse:
    """A source that a pin chooses.

    Attributes:
        source: The source's name in the recipe.
        spec: Its description, as the recipe has it.
        template: How upstream spells the pin's value; None if upstream has no list of what there
            is, or the value is not all that chooses.
        word: The key whose text has the value; empty if upstream has no list.
    """

    source: str
    spec: SourceSpec
    template: VersionTemplate | None
    word: str = ""


@frozen(kw_only=True)
class LiteralPin:
    """A value in a recipe's file.

    Attributes:
        recipe: The recipe, in a series if it is of one.
        key: Where the value stands in its file.
        value: The value.
        uses: The sources that it chooses; none if it is a version that people read alone.
    """

    recipe: Recipe
    key: KeyPath
    value: str
    uses: tuple[PinUse, ...] = field(default=())

    @property
    def chief(self) -> PinUse | None:
        """The source whose upstream is asked: the first that has a list of what there is."""
        first = self.uses[0] if self.uses else None
        return next((use for use in self.uses if use.template), first)

    @property
    def variable(self) -> str:
        """Its name: by ``${NAME}`` others have it, unless it stands in a source."""
        return self.key[_NAME_AT.get(self.key[0], 0)]

    @property
    def instead(self) -> Override | None:
        """What its recipe has instead of the value."""
        return _override(self.recipe, self.key)

    @property
    def series(self) -> str:
        """The series in which it stands; empty if it is the same in all."""
        return self.key[1] if self._is_of_series else ""

    @property
    def ref(self) -> PinRef:
        """Its name; the same for all series unless one of them says it, or has another instead."""
        is_of_series = self._is_of_series or self.instead
        recipe = self.recipe.name if is_of_series else self.recipe.base
        name = ".".join(self.key) if self.is_in_source else self.variable
        return PinRef(recipe, name)

    @property
    def part(self) -> str:
        """What it is called in its recipe: the source whose description has it, or its key.

        Where a value of the source's name chooses one, it is called by all of its keys.
        """
        if not self.is_in_source:
            return self.variable
        source = self.key[1]
        return ".".join(self.key) if _chooses(self.recipe, source) else source

    @property
    def address(self) -> str:
        """By what a person names it alone: ``RECIPE/PART``, with ``@SERIES`` if it is of one."""
        name = f"{self.recipe.base}/{self.part}"
        return f"{name}@{self.series}" if self.series else name

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.recipe.at(".".join(self.key))

    @property
    def is_commit(self) -> bool:
        """Whether it names a bare commit."""
        return any(use.word == "commit" for use in self.uses)

    @property
    def is_in_source(self) -> bool:
        """Whether the description of the source says it."""
        return self.key[0] == "sources"

    @property
    def _is_of_series(self) -> bool:
        return self.key[0] == "per-series"


def pin_policy(pin: LiteralPin, otherwise: UpdatePolicy) -> UpdatePolicy:
    """What may be taken; a bare commit does not move because of what holds for all pins."""
    weakest = evolve(otherwise, reach=Reach.NONE) if pin.is_commit else otherwise
    recipe, series = pin.recipe, pin.recipe.in_series
    policy = policy_of(recipe.update, recipe.min_age, otherwise=weakest)
    if not pin.series:
        return policy
    return policy_of(series.update, series.min_age, otherwise=policy)


def chosen_sources(pin: LiteralPin) -> frozenset[str]:
    """The sources of its recipe that it chooses, by name."""
    return frozenset(use.source for use in pin.uses)


def value_for(pin: LiteralPin, word: str) -> str:
    """The value that a person means: of ``v${version}``, v1.2 and 1.2 are 1.2."""
    template = pin.chief.template if pin.chief else None
    return (template.value_of(word) if template else None) or word


def tag_for(pin: LiteralPin, word: str) -> str:
    """What upstream calls it: where a tag is ``v${version}``, 1.2 is v1.2, and so is v1.2."""
    template = pin.chief.template if pin.chief else None
    return template.spelled(value_for(pin, word)) if template else word


def literal_pins(recipes: Iterable[Recipe]) -> Iterator[LiteralPin]:
    """The literal pins of recipes that choose a source, each once.

    A value of a recipe that has series is one pin, unless it stands in a series. Where series have
    another instead, each such series has one.
    """
    there = set[tuple[str, PinRef]]()
    for recipe in recipes:
        for pin in _of_recipe(recipe):
            if (recipe.file, pin.ref) not in there:
                there.add((recipe.file, pin.ref))
                yield pin


def file_pins(recipes: Iterable[Recipe]) -> tuple[LiteralPin, ...]:
    """The values of files that are `literal_pins` of recipes: each once, wherever series differ."""
    pins: dict[tuple[str, KeyPath], LiteralPin] = {}
    for pin in literal_pins(recipes):
        pins.setdefault((pin.recipe.file, pin.key), pin)
    return tuple(pins.values())


def version_pin(recipe: Recipe) -> LiteralPin | None:
    """The version that a recipe says itself, whether or not it chooses a source."""
    key = _literal_key(recipe, "version")
    return LiteralPin(recipe=recipe, key=key, value=_value(recipe, key)) if key else None


def text_key(recipe: Recipe, source: str, word: str) -> KeyPath | None:
    """Where the text stands that a source has under a word; None if several places have it."""
    text = source_text(recipe.sources[source].spec, word)
    names = [*_names(text)]
    if not names:
        return ("sources", source, word)
    return _literal_key(recipe, names[0]) if text == f"${{{names[0]}}}" else None


def source_text(spec: SourceSpec, word: str) -> str:
    """The text under a key of a description; empty if it has none."""
    named = {each.word: each.attribute for each in keys(type(spec))}
    value = getattr(spec, named[word]) if word in named else ""
    return value if isinstance(value, str) else "/".join(value or ())


def _of_recipe(recipe: Recipe) -> Iterator[LiteralPin]:
    uses: dict[KeyPath, list[PinUse]] = {}
    for name, use in recipe.sources.items():
        for key, chosen in _chosen(recipe, name, use):
            uses.setdefault(key, []).append(chosen)
    for key, users in uses.items():
        yield LiteralPin(recipe=recipe, key=key, value=_value(recipe, key), uses=tuple(users))


def _chosen(recipe: Recipe, name: str, use: SourceUse) -> Iterator[tuple[KeyPath, PinUse]]:
    """Where the values stand that choose a source."""
    spec = use.spec
    if isinstance(spec, FromSpec) or spec.volatile:
        return
    module = candidates_module(spec.answer.kind)
    word = module.version_word(spec) if module else ""
    if module and not word:
        return  # a file of another source says what it is
    text = source_text(spec, word)
    names = sorted({*_names(text)} if word else used_names(spec))
    names = [each for each in names if each not in _FIXED]
    template = _template(recipe, text, names) if word else None
    for each in names:
        if (key := _literal_key(recipe, each)) is not None:
            yield key, PinUse(source=name, spec=spec, template=template, word=word)
    if not names:
        key = ("sources", name, word or _first_word(spec))
        template = VersionTemplate() if word else None
        yield key, PinUse(source=name, spec=spec, template=template, word=word)


def chooser(recipe: Recipe, source: str) -> PinRef | None:
    """The pin, literal or derived, that chooses a source; None if none alone does."""
    spec = recipe.sources[source].spec
    module = None if isinstance(spec, FromSpec) else candidates_module(spec.answer.kind)
    word = module.version_word(spec) if module else ""
    names = {*(_names(source_text(spec, word)) if word else used_names(spec))} - {*_FIXED}
    if not names:
        word = word or _first_word(spec)
        return PinRef(recipe.base, f"sources.{source}.{word}")
    (name, *others) = sorted(names)
    key = _literal_key(recipe, name)
    if others:
        return None
    is_shared = key is not None and key[0] != "per-series" and not _override(recipe, key)
    return PinRef(recipe.base if is_shared else recipe.name, name)


def _literal_key(recipe: Recipe, name: str) -> KeyPath | None:
    """Where the value of ``${name}`` stands; None for a derived one."""
    if name in recipe.in_series.values:
        return "per-series", recipe.series, name
    pin = recipe.all_pins.get(name)
    key = ("pins", name) if name in recipe.pins else (name,)
    if isinstance(pin, str):
        return key if pin else None
    return (*key, "literal") if pin and is_literal(pin) else None


def is_version(pin: LiteralPin) -> bool:
    """Whether it is the version of its recipe, said as text or as a mapping."""
    return pin.key[0] == "version"


def is_literal(pin: DerivedPin) -> bool:
    """Whether ``{literal: VALUE}`` says it, so that nothing is read."""
    return isinstance(pin, Reading) and pin.reader == "literal"


def _value(recipe: Recipe, key: KeyPath) -> str:
    if key[0] == "sources":
        return source_text(recipe.sources[key[1]].spec, key[2])
    if key[0] == "per-series":
        return recipe.in_series.values[key[2]]
    pin = recipe.all_pins[key[_NAME_AT.get(key[0], 0)]]
    return pin.argument if isinstance(pin, Reading) else str(pin)


def _override(recipe: Recipe, key: KeyPath) -> Override | None:
    pin = recipe.all_pins.get(key[_NAME_AT.get(key[0], 0)], "")
    is_own = key[0] not in {"sources", "per-series"}
    return pin.instead if is_own and not isinstance(pin, str) else None


def _chooses(recipe: Recipe, name: str) -> bool:
    """Whether a value that the recipe says itself stands in the description of a source."""
    is_used = any(name in used_names(use.spec) for use in recipe.sources.values())
    return is_used and _literal_key(recipe, name) is not None


def _first_word(spec: SourceSpec) -> str:
    """The key that says which file a description without a version means."""
    first = keys(type(spec))[0]
    return first.word if source_text(spec, first.word) else first.unless


def _names(text: str) -> Iterator[str]:
    return (match[1] for match in _NAME.finditer(text) if match[1] is not None)


def _template(recipe: Recipe, text: str, names: list[str]) -> VersionTemplate | None:
    """How a text has the one value that it names; None if it names several, or one twice."""
    values: Mapping[str, str] = {**dict.fromkeys(names, _HOLE), **_fixed(recipe)}
    prefix, hole, suffix = substitute(text, values, None).partition(_HOLE)
    if len(names) != 1 or not hole or _HOLE in suffix:
        return None
    return VersionTemplate(prefix=prefix, suffix=suffix)


def _fixed(recipe: Recipe) -> dict[str, str]:
    return {"name": recipe.base, "build_arch": ""}
