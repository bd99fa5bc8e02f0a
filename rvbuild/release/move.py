"""What moving a value changes in recipe files, and what of it nobody but a person can say.

Knows: which facts of a series follow from which. Must not know: repositories, locks, disks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from attrs import define, field, frozen

from rvbuild.core.place import Place
from rvbuild.core.recipe import Recipe, SeriesValues
from rvbuild.recipes_yaml.entry_splice import position
from rvbuild.recipes_yaml.recipe_edits import RecipeEdits
from rvbuild.recipes_yaml.recipe_layout import KeyPath
from rvbuild.recipes_yaml.recipe_names import RESERVED
from rvbuild.recipes_yaml.recipe_root import RECIPE_FILE
from rvbuild.recipes_yaml.recipe_series import FACTS
from rvbuild.recipes_yaml.spelling import Words
from rvbuild.release.literal import Literal

RELEASE, SUPPORT, PATCHES, _, UPDATE, MIN_AGE = FACTS
_FOLLOWERS = ("tag", "sha256")
"""Words of a source that are of one version of it, and say nothing of which comes next."""


@frozen(kw_only=True)
class PatchVerdict:
    """What becomes of patches at the source that is moved to.

    Attributes:
        problems: Why one does not apply, by its file.
        upstream: Those that say that upstream has them, and all of whose lines it has.
    """

    problems: Mapping[str, str] = field(factory=dict)
    upstream: tuple[str, ...] = ()


Judge = Callable[[tuple[str, ...]], PatchVerdict]
"""Looks at patches, by their files beside the recipe."""


def file_of(recipe: str) -> str:
    """The file of a recipe, from the folder of recipes on."""
    return f"{recipe}/{RECIPE_FILE}"


@frozen(kw_only=True)
class Ask:
    """A value that nobody can derive.

    Attributes:
        name: By which a person says it: ``end-of-support``, or of another recipe than the one
            that is moved ``RECIPE.end-of-support``.
        where: The place that needs it.
        why: What it is.
    """

    name: str
    where: Place
    why: str


@frozen(kw_only=True)
class Destination:
    """Where a value moves to.

    Attributes:
        value: The new value.
        tag: The upstream's tag, if that is what the person named.
    """

    value: str
    tag: str = ""


@define
class PinMove:
    """The edits of one move, and what it asks for.

    Rules:

    1. The value becomes the new one. Other values that are of one version (those of the series, a
       ``sha256``, a ``tag`` beside the commit) are a person's to say.
    2. ``release`` is the tag that the person named; a commit is none, unless the person says it.
    3. ``end-of-support`` stays that of the series; of a new series it is a person's to say, if
       the one that it comes from has it.
    4. ``patches`` stay, but those that upstream has, and say so (``Applied-Upstream``). One that
       does not apply to the new source is a person's to replace.
    5. What the person says stands, whatever these rules would give.

    Attributes:
        edits: The files, with what was changed so far.
        said: What the person says, by name.
        judge: Looks at patches.
        left_out: The patches that are left out, since upstream has them.
    """

    edits: RecipeEdits
    said: Mapping[str, str]
    judge: Judge
    left_out: list[str] = field(factory=list, init=False)
    asks: list[Ask] = field(factory=list, init=False)
    taken: set[str] = field(factory=set, init=False)

    def in_recipe(self, literal: Literal, to: Destination) -> None:
        """PinMove a value that is the same in every series, or of a recipe without series."""
        file = file_of(literal.recipe.name)
        self.edits = self.edits.set_text(file, literal.path(""), to.value)
        if literal.text("") != to.value:
            self._followers(literal, to)

    def in_series(self, literal: Literal, series: str, to: Destination) -> None:
        """PinMove the value of a series that is there."""
        recipe, file = literal.recipe, file_of(literal.recipe.name)
        now = recipe.per_series[series]
        if literal.text(series) == to.value and not self.said:
            return
        at = ("per-series", series)
        for name in now.values:
            value = to.value
            if name != literal.variable:
                value = self._say(name, literal.at(series), f"the {name} of {series}") or ""
            self.edits = self.edits.set_text(file, (*at, name), value or now.values[name])
        former, facts = _facts(now), self._facts(recipe, series, now, to, prefix="")
        for name in FACTS:
            self._fact(file, (*at, name), former.get(name), facts.get(name))

    def new_series(self, literal: Literal, series: str, former: str, to: Destination) -> None:
        """Put a series beside another, from which it comes."""
        recipe = literal.recipe
        self._add_series(recipe, series, former, "", {literal.variable: to.value}, to)

    def other_series(
        self, recipe: Recipe, series: str, former: str, resolved: Mapping[str, str]
    ) -> None:
        """Put a series into another recipe that the same recipes need.

        Args:
            recipe: It; its values are a person's to say.
            series: The new one.
            former: The one that it comes from.
            resolved: What the person's words mean, by variable.
        """
        self._add_series(recipe, series, former, f"{recipe.name}.", resolved, Destination(value=""))

    def first_series(self, literal: Literal, series: str, former: str, to: Destination) -> None:
        """Let a recipe without series have some: the new one, and if it gets a name the present.

        It is a ``kind: source`` recipe, whose source says the value itself.
        """
        recipe, file, word = literal.recipe, file_of(literal.recipe.name), literal.word
        if recipe.kind != "source" or literal.key[0] != "sources" or word in RESERVED:
            why = f"`per-series`, and `${{…}}` in the source for what each series says ({series})"
            where = literal.at("")
            self.asks.append(Ask(name="", where=where, why=f"{why}: write them by hand"))
            return
        present: dict[str, Words] = {former: {word: literal.text("")}} if former else {}
        new: dict[str, Words] = {series: {word: to.value}}
        is_first = not former or position([former], series) == 0
        words = {**new, **present} if is_first else {**present, **new}
        self.edits = self.edits.set_text(file, literal.path(""), f"${{{word}}}")
        self.edits = self.edits.add_entry(file, ("per-series",), words)

    def without_series(self, recipes: Iterable[Recipe], series: str) -> None:
        """Take a series out of recipes."""
        for recipe in recipes:
            self.edits = self.edits.remove_entry(file_of(recipe.name), ("per-series", series))

    @property
    def vain(self) -> list[str]:
        """What the person says, and nothing takes."""
        return sorted(self.said.keys() - self.taken)

    # ---- values

    def _say(self, name: str, where: Place, why: str) -> str | None:
        """What the person says; None, and one question more, if that is nothing."""
        self.taken.add(name)
        if name not in self.said:
            self.asks.append(Ask(name=name, where=where, why=why))
        return self.said.get(name)

    def _followers(self, literal: Literal, to: Destination) -> None:
        """Other words of the source that are of one version."""
        spec, recipe = literal.spec, literal.recipe
        for word in _FOLLOWERS:
            text = getattr(spec, word, "") if word != literal.word else ""
            if not text or "${" in text:
                continue
            path = ("sources", literal.source, word)
            value = to.tag if word == "tag" and to.tag else None
            where = recipe.at(".".join(path))
            value = value or self._say(word, where, f"the {word} of {to.value}")
            self.edits = self.edits.set_text(file_of(recipe.name), path, value or text)

    def _add_series(  # noqa: PLR0913, PLR0917 - a series of one recipe
        self,
        recipe: Recipe,
        series: str,
        former: str,
        prefix: str,
        resolved: Mapping[str, str],
        to: Destination,
    ) -> None:
        old = recipe.per_series[former]
        where = recipe.at(f"per-series.{former}")
        words: dict[str, Words] = {}
        for name, text in old.values.items():
            self.taken.add(prefix + name)
            known = resolved.get(name)
            why = f"the {name} of {series} ({former} has {text})"
            words[name] = known or self._say(prefix + name, where, why) or text
        words |= self._facts(recipe, series, old, to, prefix=prefix, former=former)
        names = [*dict.fromkeys((*_order(recipe, former), *words))]
        ordered = {name: words[name] for name in names if name in words}
        file = file_of(recipe.name)
        self.edits = self.edits.add_entry(file, ("per-series", series), ordered)

    def _facts(  # noqa: PLR0913 - keyword-only but for the recipe and its series
        self,
        recipe: Recipe,
        series: str,
        old: SeriesValues,
        to: Destination,
        *,
        prefix: str,
        former: str = "",
    ) -> dict[str, Words]:
        """The facts of a series that is moved; one that it does not have is not there."""
        key = f"per-series.{former or series}"
        where = recipe.at(key)
        release = to.tag if old.release else ""
        support = old.end_of_support
        if support and former and prefix + SUPPORT not in self.said:
            why = f"the day on which the support of {series} ends ({former}: {support})"
            self._say(prefix + SUPPORT, where, why)
        facts: dict[str, Words] = {
            RELEASE: self._said(prefix + RELEASE, release),
            SUPPORT: self._said(prefix + SUPPORT, support),
            PATCHES: self._patches(recipe, old, key, prefix),
            UPDATE: self._said(prefix + UPDATE, old.update),
            MIN_AGE: self._said(prefix + MIN_AGE, old.min_age),
        }
        return {name: words for name, words in facts.items() if words}

    def _said(self, name: str, otherwise: str) -> str:
        self.taken.add(name)
        return self.said.get(name, otherwise)

    def _patches(self, recipe: Recipe, old: SeriesValues, key: str, prefix: str) -> tuple[str, ...]:
        name = prefix + PATCHES
        self.taken.add(name)
        if name in self.said:
            return tuple(filter(None, self.said[name].split(",")))
        if not old.patches:
            return ()
        verdict = PatchVerdict() if prefix else self.judge(old.patches)
        for file, problem in verdict.problems.items():
            why = f"patches without {file}, or with another: {problem}"
            self.asks.append(Ask(name=name, where=recipe.at(f"{key}.{PATCHES}.{file}"), why=why))
        self.left_out += verdict.upstream
        return tuple(each for each in old.patches if each not in verdict.upstream)

    def _fact(self, file: str, path: KeyPath, old: Words | None, new: Words | None) -> None:
        if old == new:
            return
        if isinstance(old, str) and isinstance(new, str):
            self.edits = self.edits.set_text(file, path, new)
            return
        if old is not None:
            self.edits = self.edits.remove_entry(file, path)
        if new is not None:
            self.edits = self.edits.add_entry(file, path, new)


def _facts(series: SeriesValues) -> dict[str, Words]:
    facts: dict[str, Words] = {
        RELEASE: series.release, SUPPORT: series.end_of_support, PATCHES: series.patches,
        UPDATE: series.update, MIN_AGE: series.min_age,
    }  # fmt: skip
    return {name: words for name, words in facts.items() if words}


def _order(recipe: Recipe, series: str) -> list[str]:
    """The names under a series, as they stand in its file."""
    start = f"per-series.{series}."
    inner = (key.removeprefix(start) for key in recipe.where if key.startswith(start))
    return [name for name in inner if "." not in name]
