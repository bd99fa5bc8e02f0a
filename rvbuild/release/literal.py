"""The value in a recipe file that chooses what others derive: where somebody's word stands.

Knows: how a recipe's version leads to the recipe that says it. Must not know: how a value is
changed, what upstream has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import frozen

from rvbuild.core.errors import RecipeError, UsageError
from rvbuild.core.place import Place
from rvbuild.core.recipe import FromSpec, Pin, Recipe, used_names
from rvbuild.core.spec import SourceSpec
from rvbuild.kinds.declaration import keys
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.recipe_layout import KeyPath

CHOOSERS = ("commit", "tag", "version", "go-toolchain", "url")
"""Words of a source by which it is one version of many, the one that decides first."""

_TEMPLATE = re.compile(r"\$\{([^}]*)\}")


@frozen(kw_only=True)
class Literal:
    """A value that a recipe says itself.

    Attributes:
        recipe: Whose it is; of no series.
        source: The name of the source that it chooses; empty: none that the recipe has itself.
        word: The word of the source in which the value stands, such as ``commit``.
        template: The text of that word, with ``${…}``, or the value itself.
        key: Where it stands; of a series what is behind its name.
        in_series: Whether each series has its own.
    """

    recipe: Recipe
    source: str
    word: str
    template: str
    key: KeyPath
    in_series: bool

    @property
    def variable(self) -> str:
        """The last key."""
        return self.key[-1]

    def path(self, series: str) -> KeyPath:
        """The keys that lead to it."""
        return ("per-series", series, *self.key) if self.in_series else self.key

    def at(self, series: str) -> Place:
        """Its place in the recipe."""
        return self.recipe.at(".".join(self.path(series)))

    def text(self, series: str) -> str:
        """What it says now."""
        if self.in_series:
            return self.recipe.per_series[series].values[self.variable]
        if self.key[0] == "sources":
            return self.template
        return str(self.recipe.all_pins[self.variable])

    @property
    def spec(self) -> SourceSpec | None:
        """The description of the source; None if it chooses none."""
        return self.recipe.sources[self.source].spec if self.source else None

    def value(self, word: str) -> str:
        """What stands for ``${…}`` if the source's word is to be ``word``: v1.2 is 1.2 in v${…}."""
        parts = _TEMPLATE.split(self.template)
        if len(parts) != 3 or self.word in {"url", ""}:
            return word
        head, _, tail = parts
        fits = word.startswith(head) and word.endswith(tail) and len(word) > len(head) + len(tail)
        return word[len(head) : len(word) - len(tail)] if fits else word

    def tag(self, word: str) -> str:
        """The tag that a word means: where a tag is v${version}, 1.2 is v1.2, and so is v1.2."""
        parts = _TEMPLATE.split(self.template)
        return parts[0] + self.value(word) + parts[-1] if len(parts) == 3 else word


def literal_of(recipes: RecipeCollection, name: str) -> Literal:
    """The value that the version of ``NAME`` follows from, or that of ``RECIPE/SOURCE``.

    Rules:

    1. A version that is derived leads to the recipe that it is read from.
    2. One that the recipe says is the value.
    3. Without a version, the recipe's only own source that is one version of many chooses it, or
       the one of its name; without any, the recipe leads to those whose source it has.

    Example: the version of ``k3s`` is read in ``k3s-source``, which has none, and one source with
    ``commit: "${commit}"``: that is the value, once for each series.

    Raises:
        UsageError: there is no such recipe, or nobody can say which value is meant.
        RecipeError: a recipe on the way is not valid.
    """
    base, _, source = name.partition("/")
    seen: list[str] = []
    while True:
        recipe = recipes.file(base)
        own = [each for each in _choices(recipe) if source in {"", each.source}]
        if not source and (literal := _version(recipe, own)) is not None:
            return literal
        following = [] if source else sorted(_followed(recipe, recipe.version))
        if not following and own:
            return _only(recipe, own)
        following = following or sorted(_lenders(recipe))
        seen.append(base)
        if len(following) != 1 or following[0] in seen:
            raise _unclear(name, recipe, following)
        base = following[0]


def _version(recipe: Recipe, own: list[Literal]) -> Literal | None:
    """The version that a recipe says itself."""
    if not isinstance(recipe.version, str) or not recipe.version:
        return None
    chosen = [each for each in own if each.key == ("version",)]
    if chosen:
        return chosen[0]
    return Literal(
        recipe=recipe, source="", word="", template="", key=("version",), in_series=False
    )


def _choices(recipe: Recipe) -> Iterator[Literal]:
    """The value of each own source that has one."""
    for name, use in recipe.sources.items():
        if isinstance(use.spec, FromSpec):
            continue
        texts = {each.word: getattr(use.spec, each.attribute) for each in keys(type(use.spec))}
        for word in CHOOSERS:
            text = texts.get(word)
            if isinstance(text, str) and text and (literal := _of(recipe, name, word, text)):
                yield literal
                break


def _of(recipe: Recipe, source: str, word: str, text: str) -> Literal | None:
    names = _TEMPLATE.findall(text)
    if not names:
        if word == "url":
            return None
        key: KeyPath = ("sources", source, word)
        return _literal(recipe, source, word, text, key)
    for name in names:
        if any(name in each.values for each in recipe.per_series.values()):
            return _literal(recipe, source, word, text, (name,), in_series=True)
        pin = recipe.all_pins.get(name)
        if isinstance(pin, str) and pin:
            key = (name,) if name in {"version", "date"} else ("pins", name)
            return _literal(recipe, source, word, text, key)
    return None


def _literal(  # noqa: PLR0913 - as a Literal has them
    recipe: Recipe, source: str, word: str, text: str, key: KeyPath, *, in_series: bool = False
) -> Literal:
    return Literal(
        recipe=recipe, source=source, word=word, template=text, key=key, in_series=in_series
    )


def _only(recipe: Recipe, own: list[Literal]) -> Literal:
    """The one value of the recipe's sources.

    Raises:
        UsageError: there are several.
    """
    if len({(each.key, each.in_series) for each in own}) == 1:
        return own[0]
    named = [each for each in own if each.source == recipe.base]
    if len(named) != 1:
        msg = f"{recipe.base} has several sources that move"
        names = ", ".join(f"{recipe.base}/{each.source}" for each in own)
        raise UsageError(msg, where=recipe.base, hint=f"name one: {names}")
    return named[0]


def _followed(recipe: Recipe, pin: Pin) -> set[str]:
    """The recipes that a derived value is read from."""
    if isinstance(pin, str):
        return set()
    uses = {rung.source: recipe.sources.get(rung.source) for rung in pin.rungs if rung.source}
    followed = {name for name, use in uses.items() if use is None}
    for use in filter(None, uses.values()):
        if isinstance(use.spec, FromSpec):
            followed.add(use.spec.recipe)
    return followed


def _lenders(recipe: Recipe) -> set[str]:
    """The recipes whose source it has, and those that the values of its own are read from."""
    lent = {use.spec.recipe for use in recipe.sources.values() if isinstance(use.spec, FromSpec)}
    for use in recipe.sources.values():
        for name in used_names(use.spec):
            lent |= _followed(recipe, recipe.all_pins.get(name, ""))
    return lent


def _unclear(name: str, recipe: Recipe, following: list[str]) -> UsageError | RecipeError:
    if following:
        msg = f"{recipe.base} follows several recipes, of which each may move"
        return UsageError(msg, where=name, hint=f"name one: {', '.join(following)}")
    msg = f"{recipe.base} says no value that chooses a version, and follows none"
    return UsageError(msg, where=name, hint="name the recipe, or RECIPE/SOURCE, that says it")
