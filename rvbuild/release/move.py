"""What moving a value changes in recipe files, and what of it nobody but a person can say.

Knows: which facts of a series follow from which. Must not know: repositories, locks, disks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import define, field

from rvbuild.core.errors import UsageError, suggestion
from rvbuild.core.pin_step import FactChange
from rvbuild.core.place import Place
from rvbuild.core.recipe import Recipe, SeriesValues
from rvbuild.recipes_yaml.entry_splice import position
from rvbuild.recipes_yaml.recipe_edits import RecipeEdits
from rvbuild.recipes_yaml.recipe_instead import KEY as INSTEAD
from rvbuild.recipes_yaml.recipe_instead import overrides_words
from rvbuild.recipes_yaml.recipe_layout import KeyPath
from rvbuild.recipes_yaml.recipe_names import RESERVED
from rvbuild.recipes_yaml.recipe_root import RECIPE_FILE
from rvbuild.recipes_yaml.recipe_series import FACTS, MIN_AGE, PATCHES, RELEASE, SUPPORT, UPDATE
from rvbuild.recipes_yaml.spelling import Words
from rvbuild.release.ask import Ask
from rvbuild.release.destination import Destination
from rvbuild.release.literal_pin import LiteralPin, source_text, text_key
from rvbuild.release.patch_verdict import Judge, PatchUse, PatchVerdict
from rvbuild.release.series_facts import fact_texts, fact_words

FOLLOWERS = ("commit", "sha256")
"""Words of a source that are of one version of it, and say nothing of which comes next."""


def file_of(recipe: str) -> str:
    """The file of a recipe, from the folder of recipes on."""
    return f"{recipe}/{RECIPE_FILE}"


@define
class PinMove:
    """The edits of one move, and what it asks for.

    Rules:

    1. The value becomes the new one. A ``commit`` beside the tag is the tag's. Other values that
       are of one version (those of the series, a ``sha256``) are a person's to say. Where the
       value stays, nothing moves but what the person says.
    2. ``release`` is the tag that was named; a commit is none, unless the person says it.
    3. ``end-of-support`` stays that of the series; of a new series it is a person's to say, if
       the one that it comes from has it.
    4. ``patches`` stay, but those that upstream has, and say so (`patch_verdict`). One that
       does not apply to the new source is a person's to replace. Each recipe has its own source;
       those of every series, or of who uses the source, are left out by nobody else.
    5. What the person says stands, whatever these rules would give.
    6. ``instead`` of a new series is a person's to say, if the one that it comes from has it: the
       series of which it is taken as it stands there, with comments, or none.

    Attributes:
        edits: The files, with what was changed so far.
        said: What the person says, by name.
        judge: Looks at patches.
        left_out: The patches that are left out, since upstream has them.
        facts: What else changes: as a person says, or since it was of the former value.
    """

    edits: RecipeEdits
    said: Mapping[str, str]
    judge: Judge
    left_out: list[str] = field(factory=list, init=False)
    facts: list[FactChange] = field(factory=list, init=False)
    asks: list[Ask] = field(factory=list, init=False)
    taken: set[str] = field(factory=set, init=False)

    def present(self, pin: LiteralPin, to: Destination) -> None:
        """Move a value that is there: of its series, or the same in all."""
        moves = pin.value != to.value
        if not moves and not self.said:
            return
        self.edits = self.edits.set_text(file_of(pin.recipe.base), pin.key, to.value)
        followers = self._followers(pin, to)
        at = pin.key[:-1]
        for name in pin.recipe.in_series.values if pin.series else ():
            if name != pin.variable:
                followers.setdefault((*at, name), "")
        for key, value in followers.items():
            self._follow(pin, key, value, to, moves=moves)
        if pin.series:
            self._series_facts(pin, to if moves else None)
        else:
            self._all_patches(pin.recipe, moves=moves)

    def new_series(self, pin: LiteralPin, series: str, to: Destination) -> None:
        """Put a series beside that of a value, from which it comes."""
        resolved = self._resolved(pin, to, prefix="")
        self._add_series(pin.recipe, series, pin.series, "", resolved, to)

    def other_series(
        self, recipe: Recipe, series: str, former: str, pin: LiteralPin | None, to: Destination
    ) -> None:
        """Put a series into another recipe that the same recipes need.

        Args:
            recipe: It; its values are a person's to say.
            series: The new one.
            former: The one that it comes from.
            pin: The value there that chooses its source; None: none does.
            to: What the person's word for that means; without a value, it is asked for.
        """
        prefix = f"{recipe.base}."
        resolved = self._resolved(pin, to, prefix) if pin and to.value else {}
        self.taken |= {prefix + name for name in resolved}
        self._add_series(recipe, series, former, prefix, resolved, to)

    def first_series(self, pin: LiteralPin, series: str, former: str, to: Destination) -> None:
        """Let a recipe without series have some: the new one, and if it gets a name the present.

        It is a ``kind: source`` recipe, whose source says the value itself.
        """
        recipe, file, word = pin.recipe, file_of(pin.recipe.base), pin.variable
        if recipe.kind != "source" or not pin.is_in_source or word in RESERVED:
            why = f"`per-series`, and `${{…}}` in the source for what each series says ({series})"
            self.asks.append(Ask(name="", where=pin.place, why=f"{why}: write them by hand"))
            return
        self._source_patches(recipe, self.judge(recipe, ()).shared)
        present: dict[str, Words] = {former: {word: pin.value}} if former else {}
        new: dict[str, Words] = {series: {word: to.value}}
        is_first = not former or position([former], series) == 0
        words = {**new, **present} if is_first else {**present, **new}
        self.edits = self.edits.set_text(file, pin.key, f"${{{word}}}")
        self.edits = self.edits.add_entry(file, ("per-series",), words)

    def without_series(self, recipes: Iterable[Recipe], series: str) -> None:
        """Take a series out of recipes."""
        for recipe in recipes:
            self.edits = self.edits.remove_entry(file_of(recipe.base), ("per-series", series))

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

    def _followers(self, pin: LiteralPin, to: Destination) -> dict[KeyPath, str]:
        """Where other texts of its sources stand that are of one version; empty: who knows."""
        followers: dict[KeyPath, str] = {}
        for use in pin.uses:
            for word in FOLLOWERS:
                if word == use.word or not source_text(use.spec, word):
                    continue
                key = text_key(pin.recipe, use.source, word)
                if key is not None and key != pin.key:
                    known = to.commit if use == pin.chief else to.others.get(use.source, "")
                    followers[key] = followers.get(key) or (known if word == "commit" else "")
        return followers

    def _resolved(self, pin: LiteralPin, to: Destination, prefix: str) -> dict[str, str]:
        """The values of a new series that are known, or that a person says, by name."""
        known = {
            key[-1]: self._said(prefix + key[-1], value)
            for key, value in self._followers(pin, to).items()
            if key[0] == "per-series"
        }
        return {**known, pin.variable: to.value}

    def _follow(
        self, pin: LiteralPin, key: KeyPath, value: str, to: Destination, *, moves: bool
    ) -> None:
        """Change what is of one version, to what is known or a person says."""
        recipe, name = pin.recipe, _follower_name(pin, key)
        value = self._said(name, value if moves else "")
        if not value and moves:
            of = pin.series if key[0] == "per-series" else to.value
            value = self._say(name, recipe.at(".".join(key)), f"the {key[-1]} of {of}") or ""
        if value:
            self.edits = self.edits.set_text(file_of(recipe.base), key, value)

    def _series_facts(self, pin: LiteralPin, to: Destination | None) -> None:
        """Change the facts of a series; without a destination only those that a person says."""
        recipe, series, at = pin.recipe, pin.series, pin.key[:-1]
        former = fact_words(recipe.in_series)
        facts = self._facts(recipe, series, recipe.in_series, to, prefix="")
        for name in FACTS:
            self._fact(file_of(recipe.base), (*at, name), former.get(name), facts.get(name))

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
            known = resolved.get(name)
            why = f"the {name} of {series} ({former} has {text})"
            words[name] = known or self._say(prefix + name, where, why) or text
        words |= self._facts(recipe, series, old, to, prefix=prefix, former=former)
        names = [*dict.fromkeys((*_order(recipe, former), *words))]
        ordered = {name: words[name] for name in names if name in words}
        file = file_of(recipe.base)
        chosen = self.said[prefix + INSTEAD] if INSTEAD in words else ""
        self.edits = self.edits.add_entry(file, ("per-series", series), ordered, like=chosen)
        if chosen:
            keys = [("per-series", each, INSTEAD) for each in (chosen, series)]
            self.edits = self.edits.copy_spelling(file, *keys)

    def _facts(  # noqa: PLR0913 - keyword-only but for the recipe and its series
        self,
        recipe: Recipe,
        series: str,
        old: SeriesValues,
        to: Destination | None,
        *,
        prefix: str,
        former: str = "",
    ) -> dict[str, Words]:
        """The facts of a series that is moved; one that it does not have is not there."""
        key = f"per-series.{former or series}"
        where = recipe.at(key)
        release = to.tag if to and old.release else old.release
        support = old.end_of_support
        if support and former and prefix + SUPPORT not in self.said:
            why = f"the day on which the support of {series} ends ({former}: {support})"
            self._say(prefix + SUPPORT, where, why)
        facts: dict[str, Words] = {
            RELEASE: self._said(prefix + RELEASE, release),
            SUPPORT: self._said(prefix + SUPPORT, support),
            PATCHES: self._patches(recipe, old, key, prefix, moves=to is not None),
            INSTEAD: self._instead(recipe, former, series, prefix) if former else {},
            UPDATE: self._said(prefix + UPDATE, old.update),
            MIN_AGE: self._said(prefix + MIN_AGE, old.min_age),
        }
        for name, was in fact_texts(old).items():
            self._tell(prefix + name, was, str(facts[name]), drops=not former)
        return {name: words for name, words in facts.items() if words}

    def _tell(self, name: str, old: str, new: str, *, drops: bool) -> None:
        """Keep what changes, unless it follows from the move as always."""
        if old != new and (name in self.said or (drops and not new)):
            self.facts.append(FactChange(name=name, old=old, new=new, is_said=name in self.said))

    def _said(self, name: str, otherwise: str) -> str:
        self.taken.add(name)
        return self.said.get(name, otherwise)

    def _patches(
        self, recipe: Recipe, old: SeriesValues, key: str, prefix: str, *, moves: bool
    ) -> tuple[str, ...]:
        name = prefix + PATCHES
        patches = self._said_patches(recipe, name, old.patches)
        verdict = self.judge(recipe, patches) if moves else PatchVerdict()
        self._source_patches(recipe, verdict.shared, prefix)
        uses = _uses(recipe, recipe.lent_source, old.patches)
        return self._fitting(recipe, f"{key}.{PATCHES}", name, uses, verdict)

    def _all_patches(self, recipe: Recipe, *, moves: bool) -> None:
        """Those of the sources, and of each series: they all have the one value."""
        verdict = self.judge(recipe, ()) if moves else PatchVerdict()
        self._source_patches(recipe, verdict)
        for series, old in recipe.per_series.items():
            key = ("per-series", series, PATCHES)
            verdict = self.judge(recipe, old.patches) if moves else PatchVerdict()
            uses = _uses(recipe, recipe.lent_source, old.patches)
            new = self._fitting(recipe, ".".join(key), ".".join(key), uses, verdict)
            self._fact(file_of(recipe.base), key, old.patches or None, new or None)

    def _source_patches(self, recipe: Recipe, verdict: PatchVerdict, prefix: str = "") -> None:
        """The patches that stand in sources: of a recipe, and of those that use its source."""
        users = ((user, f"{user.base}.") for user in verdict.users.values())
        for owner, begin in ((recipe, prefix), *users):
            for source, use in owner.sources.items():
                if use.patches:
                    name, key = f"{begin}{source}.{PATCHES}", ("sources", source, PATCHES)
                    uses = _uses(owner, source, use.patches)
                    new = self._fitting(owner, ".".join(key), name, uses, verdict)
                    self._fact(file_of(owner.base), key, use.patches, new or None)

    def _fitting(
        self,
        recipe: Recipe,
        key: str,
        name: str,
        uses: Sequence[PatchUse],
        verdict: PatchVerdict,
    ) -> tuple[str, ...]:
        """The patches that stay."""
        files = tuple(use.file for use in uses)
        if name in self.said:
            said = self._said_patches(recipe, name, files)
            self._tell(name, ",".join(files), ",".join(said), drops=False)
            return said
        self.taken.add(name)
        for use in (each for each in uses if each in verdict.problems):
            why = f"patches without {use.file}, or with another: {verdict.problems[use]}"
            self.asks.append(Ask(name=name, where=recipe.at(f"{key}.{use.file}"), why=why))
        self.left_out += (each.file for each in uses if each in verdict.upstream)
        return tuple(each.file for each in uses if each not in verdict.upstream)

    def _said_patches(
        self, recipe: Recipe, name: str, otherwise: tuple[str, ...]
    ) -> tuple[str, ...]:
        """Those that the person says.

        Raises:
            UsageError: one is no file beside the recipe.
        """
        self.taken.add(name)
        if name not in self.said:
            return otherwise
        there = [path for path, _, _ in recipe.files]
        said = tuple(dict.fromkeys(filter(None, self.said[name].split(","))))
        for each in said:
            if each not in there:
                msg = f"{recipe.base} has no patch {each!r}"
                hint = suggestion(each, there) or "put its file beside recipe.yaml first"
                raise UsageError(msg, where=name, hint=hint)
        return said

    def _instead(self, recipe: Recipe, former: str, series: str, prefix: str) -> Words:
        """What a new series has instead of upstream's values: that of a series, or nothing.

        Raises:
            UsageError: the recipe has no series of the name that the person says, or that has
                none.
        """
        overrides = recipe.per_series[former].instead
        having = [each for each, values in recipe.per_series.items() if values.instead.places]
        name = prefix + INSTEAD
        if having:
            self.taken.add(name)
        if name not in self.said and not overrides.places:
            return {}
        why = (
            f"what {series} has instead of upstream's values: empty for nothing, or the series "
            f"that has the same ({former}: {overrides.explanation})"
        )
        chosen = self._say(name, recipe.at(f"per-series.{former}.{INSTEAD}"), why)
        if not chosen:
            return {}
        if chosen not in having:
            what = "has none" if chosen in recipe.per_series else "is no series of it"
            msg = f"{recipe.base} has values instead of upstream's, and {chosen!r} {what}"
            if not having:
                msg = f"{recipe.base} has no values instead of upstream's in any series"
            there = [f"`{name}={each}` for those of {each}" for each in having]
            hint = ", ".join((f"say `{name}=` for none", *there))
            raise UsageError(msg, where=name, hint=hint)
        return overrides_words(recipe.per_series[chosen].instead)

    def _fact(self, file: str, path: KeyPath, old: Words | None, new: Words | None) -> None:
        if old == new:
            return
        if isinstance(old, str) and isinstance(new, str):
            self.edits = self.edits.set_text(file, path, new)
            return
        if isinstance(old, tuple) and not isinstance(new, str):
            self.edits = self.edits.set_items(file, path, tuple(new or ()))
            return
        if old is not None:
            self.edits = self.edits.remove_entry(file, path)
        if new is not None:
            self.edits = self.edits.add_entry(file, path, new)


def _uses(recipe: Recipe, source: str, files: Iterable[str]) -> list[PatchUse]:
    return [PatchUse(recipe.base, source, file) for file in files]


def _follower_name(pin: LiteralPin, key: KeyPath) -> str:
    """By what a person says a text: with the source's name where several sources have one."""
    if key[0] != "sources":
        return key[-1]
    having = [use for use in pin.uses if source_text(use.spec, key[-1])]
    return ".".join(key[1:]) if len(having) > 1 else key[-1]


def _order(recipe: Recipe, series: str) -> list[str]:
    """The names under a series, as they stand in its file."""
    start = f"per-series.{series}."
    inner = (key.removeprefix(start) for key in recipe.where if key.startswith(start))
    return [name for name in inner if "." not in name]
