"""Variants: which recipe stands for another, as somebody says and recipes allow.

Knows: replacements and options, and what recipes offer to them.
Must not know: who needs what, what the recipe that stands there is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NoReturn

from attrs import field, frozen

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import UsageError, suggestion
from rvbuild.core.names import RecipeName
from rvbuild.core.recipe import Option, Recipe

_Declared = Mapping[str, "list[tuple[Recipe, Option]]"]


@frozen(kw_only=True)
class Variants:
    """What is to be another recipe than the one that was asked for.

    Rules:

    1. What is said for one run must fit: a target has such an input or option, with that value.
    2. What is set in a file holds where a target has it, and is passed over elsewhere. Some recipe
       must have it (``refuse_unknown``).
    3. An option and a replacement of one input must agree, unless one of them is set in a file:
       then the other holds.

    Example: ``options = {root = "nft"}`` in a file makes ``k3s`` with another ``k3s-root``, and
    leaves ``zlib`` alone. Said for one run of ``zlib``, it is an error.

    Attributes:
        replace: The recipe that stands for another, whoever asks for it; see ADR 8. With
            ``@SERIES`` it is of that series, whichever the user is of.
        options: A value for each option that recipes declare; see ADR 11.
        files: The file that sets an entry, by ``replace.NAME`` or ``options.NAME``; one that
            nobody has here was said for this run.
    """

    replace: Mapping[str, str] = field(factory=dict)
    options: Mapping[str, str] = field(factory=dict)
    files: Mapping[str, str] = field(factory=dict)

    def chosen_recipe(self, user: Recipe, name: str) -> str:
        """The recipe that a target input of ``user`` is, as somebody named it.

        What stands for another sees that one.
        """
        key = self._chosen(user, name)
        other = (
            user.options[key].choices[self.options[key]] if key else self.replace.get(name, name)
        )
        return name if user.base == RecipeName.parse(other).base else other

    def place_of_choice(self, user: Recipe, name: str) -> str:
        """The key of ``user`` that names the recipe that a target input is."""
        key = self._chosen(user, name)
        return f"options.{key}.choices.{self.options[key]}" if key else f"inputs.target.{name}"

    def _chosen(self, user: Recipe, name: str) -> str | None:
        """The option whose value says what the input is."""
        for key, option in user.options.items():
            if option.input == name and self.options.get(key) in option.choices:
                return None if name in self.replace and not self._overrules(key, name) else key
        return None

    def _overrules(self, option: str, replaced: str) -> bool:
        """Whether an option is said for this run, and a replacement is set in a file."""
        return f"replace.{replaced}" in self.files and f"options.{option}" not in self.files

    def refuse_unfit(self, recipes: Collection[Recipe]) -> None:
        """Refuse what nobody among ``recipes`` asks for or offers, or what would be two inputs.

        Raises:
            UsageError: what there is, is in its hint.
        """
        asked = {name for user in recipes for name in user.target_inputs}
        for name in sorted(set(self.replace) - asked):
            if f"replace.{name}" in self.files:
                continue
            msg = f"the replacement of {name}: no target input of these targets is called so"
            raise UsageError(msg, hint="NAME is a recipe that another has under 'inputs.target'")
        declared = _declared(recipes)
        for key, value in self.options.items():
            self._refuse_option(key, value, declared)
        for user in recipes:
            self._refuse_twice(user)

    def _refuse_twice(self, user: Recipe) -> None:
        """One recipe has one place below /in."""
        places: dict[str, str] = {}
        for name in user.target_inputs:
            other = RecipeName.parse(self.chosen_recipe(user, name)).base
            first = places.setdefault(other, name)
            if first != name:
                msg = f"{other} would be two inputs of {user.name}: {first} and {name}"
                files = (self._file_of_choice(user, each) for each in (name, first))
                where = next(filter(None, files), None)
                raise UsageError(msg, where=where, hint=advise(Remedy.VARIANT))

    def _file_of_choice(self, user: Recipe, name: str) -> str | None:
        """The file that says what the input is, if one does."""
        key = self._chosen(user, name)
        return self.files.get(f"options.{key}" if key else f"replace.{name}")

    def _refuse_option(self, key: str, value: str, declared: _Declared) -> None:
        said = f"the option {key}={value}"
        file = self.files.get(f"options.{key}")
        if key not in declared and not file:
            msg = f"{said}: no recipe of these targets has an option {key!r}"
            raise UsageError(msg, hint=_hint(key, declared, declared))
        for recipe, option in declared.get(key, ()):
            choice = option.choices.get(value)
            if choice is None and not file:
                msg = f"{said}: the option {key!r} of {recipe.name} has no value {value!r}"
                raise UsageError(msg, hint=_hint(value, option.choices, declared))
            other = self.replace.get(option.input, choice)
            is_even = bool(file) == (f"replace.{option.input}" in self.files)
            if choice is not None and other != choice and is_even:
                msg = f"{said} is {choice}, but the replacement {option.input}={other} is another"
                raise UsageError(msg, where=file, hint="say one of them")

    def absent(self, recipes: Collection[Recipe]) -> list[str]:
        """The entries of files that none of the recipes has a use for, as ``options.root``."""
        used = {f"replace.{name}" for user in recipes for name in user.target_inputs}
        for recipe in recipes:
            used.update(
                f"options.{key}"
                for key, option in recipe.options.items()
                if self.options.get(key) in option.choices
            )
        return sorted(self.files.keys() - used)

    def refuse_unknown(self, recipes: Collection[Recipe]) -> None:
        """Refuse an entry of a file for which no recipe has a use.

        Args:
            recipes: Every recipe that there is.

        Raises:
            UsageError: with the file.
        """
        for entry in self.absent(recipes):
            table, _, name = entry.partition(".")
            refuse = self._refuse_replacement if table == "replace" else self._refuse_unknown_option
            refuse(name, recipes, self.files[entry])

    def _refuse_replacement(self, name: str, recipes: Iterable[Recipe], file: str) -> NoReturn:
        msg = f"the replacement of {name}: no recipe has such a target input"
        known = {each for user in recipes for each in user.target_inputs}
        hint = suggestion(name, sorted(known)) or "NAME stands under 'inputs.target' of a recipe"
        raise UsageError(msg, where=file, hint=hint)

    def _refuse_unknown_option(self, key: str, recipes: Iterable[Recipe], file: str) -> NoReturn:
        declared, value = _declared(recipes), self.options[key]
        values = [each for _, option in declared.get(key, ()) for each in option.choices]
        lacks = f"a value {value!r} of it" if values else "such an option"
        msg = f"the option {key}={value}: no recipe has {lacks}"
        known, word = (values, value) if values else (list(declared), key)
        raise UsageError(msg, where=file, hint=_hint(word, known, declared, "recipes"))


PLAIN = Variants()
"""Everything is what was asked for."""


def _declared(recipes: Iterable[Recipe]) -> dict[str, list[tuple[Recipe, Option]]]:
    """Who declares each option."""
    declared: dict[str, list[tuple[Recipe, Option]]] = {}
    for recipe in recipes:
        for key, option in recipe.options.items():
            declared.setdefault(key, []).append((recipe, option))
    return declared


def _hint(
    word: str, known: Iterable[str], declared: _Declared, whose: str = "these targets"
) -> str:
    there = ", ".join(_offered(declared))
    listed = f"{whose} have: {there}" if there else f"{whose} have no options"
    return " ".join(filter(None, (suggestion(word, known), listed)))


def _offered(declared: _Declared) -> Iterator[str]:
    for key, given in declared.items():
        for value in dict.fromkeys(value for _, option in given for value in option.choices):
            yield f"{key}={value}"
