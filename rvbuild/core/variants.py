"""Variants: which recipe stands for another, as the command line says and recipes allow.

Knows: ``--replace`` and ``--option``, and what recipes offer to them.
Must not know: who needs what, what the recipe that stands there is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from attrs import field, frozen

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import UsageError, suggestion
from rvbuild.core.names import RecipeName
from rvbuild.core.recipe import Option, Recipe

_Declared = Mapping[str, "list[tuple[Recipe, Option]]"]


@frozen(kw_only=True)
class Variants:
    """What is to be another recipe than the one that was asked for.

    Attributes:
        replace: The recipe that stands for another, whoever asks for it; see ADR 8. With
            ``@SERIES`` it is of that series, whichever the user is of.
        options: A value for each option that recipes declare; see ADR 11.
    """

    replace: Mapping[str, str] = field(factory=dict)
    options: Mapping[str, str] = field(factory=dict)

    def chosen_recipe(self, user: Recipe, name: str) -> str:
        """The recipe that a target input of ``user`` is, as somebody named it.

        What stands for another sees that one.
        """
        key = self._chosen(user, name)
        chosen = user.options[key].choices[self.options[key]] if key else name
        other = self.replace.get(name, chosen)
        return name if user.base == RecipeName.parse(other).base else other

    def place_of_choice(self, user: Recipe, name: str) -> str:
        """The key of ``user`` that names the recipe that a target input is."""
        key = None if name in self.replace else self._chosen(user, name)
        return f"options.{key}.choices.{self.options[key]}" if key else f"inputs.target.{name}"

    def _chosen(self, user: Recipe, name: str) -> str | None:
        """The option whose value says what the input is."""
        for key, option in user.options.items():
            if option.input == name and self.options.get(key) in option.choices:
                return key
        return None

    def refuse_unfit(self, recipes: Collection[Recipe]) -> None:
        """Refuse what nobody among ``recipes`` asks for or offers, or what would be two inputs.

        Raises:
            UsageError: what there is, is in its hint.
        """
        asked = {name for user in recipes for name in user.target_inputs}
        for name in sorted(set(self.replace) - asked):
            msg = f"the replacement of {name}: no target input of these targets is called so"
            raise UsageError(msg, hint="NAME is a recipe that another has under 'inputs.target'")
        declared: dict[str, list[tuple[Recipe, Option]]] = {}
        for recipe in recipes:
            for key, option in recipe.options.items():
                declared.setdefault(key, []).append((recipe, option))
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
                raise UsageError(msg, hint=advise(Remedy.VARIANT))

    def _refuse_option(self, key: str, value: str, declared: _Declared) -> None:
        said = f"the option {key}={value}"
        if key not in declared:
            msg = f"{said}: no recipe of these targets has an option {key!r}"
            raise UsageError(msg, hint=_hint(key, declared, declared))
        for recipe, option in declared[key]:
            if value not in option.choices:
                msg = f"{said}: the option {key!r} of {recipe.name} has no value {value!r}"
                raise UsageError(msg, hint=_hint(value, option.choices, declared))
            choice = option.choices[value]
            other = self.replace.get(option.input, choice)
            if other != choice:
                msg = f"{said} is {choice}, but the replacement {option.input}={other} is another"
                raise UsageError(msg, hint="say one of them")


PLAIN = Variants()
"""Everything is what was asked for."""


def _hint(word: str, known: Iterable[str], declared: _Declared) -> str:
    there = ", ".join(_offered(declared))
    listed = f"these targets have: {there}" if there else "these targets have no options"
    return " ".join(filter(None, (suggestion(word, known), listed)))


def _offered(declared: _Declared) -> Iterator[str]:
    for key, given in declared.items():
        for value in dict.fromkeys(value for _, option in given for value in option.choices):
            yield f"{key}={value}"
