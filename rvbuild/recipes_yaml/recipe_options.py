"""The options of a recipe: recipes that may stand for one of its target inputs.

Knows: which choices an option can offer. Must not know: the recipes that they name.
"""

from __future__ import annotations

from collections.abc import Iterator

from rvbuild.core.errors import RecipeError, suggestion
from rvbuild.core.recipe import Option
from rvbuild.recipes_yaml.fields import Fields
from rvbuild.recipes_yaml.recipe_names import NAME


def options_of(table: Fields | None, inputs: tuple[str, ...]) -> Iterator[tuple[str, Option]]:
    """Each option by its name.

    Args:
        table: What is under ``options``.
        inputs: The recipe's target inputs.
    """
    options: dict[str, str] = {}
    for name, node in table.node.nodes.items() if table else ():
        if not NAME.match(name):
            msg = f"{name!r} is not the name of an option"
            raise RecipeError(msg, where=node.where, hint="such as root: letters, digits and '-'")
        fields = Fields(node)
        fields.require("input")
        default = fields.text("input")
        if default not in inputs:
            msg = f"the option {name!r} is for {default!r}, which is not under 'inputs.target'"
            known = f"one of: {', '.join(inputs)}" if inputs else "put it there, too"
            hint = suggestion(default, inputs) or known
            raise RecipeError(msg, where=fields.at("input"), hint=hint)
        if default in options:
            msg = f"the options {options[default]!r} and {name!r} are for the same input"
            raise RecipeError(msg, where=fields.at("input"), hint="one option has all the choices")
        options[default] = name
        yield name, Option(input=default, choices=_choices(fields, default, inputs))
        fields.finish()


def _choices(fields: Fields, default: str, inputs: tuple[str, ...]) -> dict[str, str]:
    """What an option's values stand for: each another recipe, one of them the input itself."""
    table = Fields(fields.require("choices"))
    choices = {value: table.text(value) for value in table.node.nodes}
    recipes = list(choices.values())
    for value, where in table.node.keys.items():
        if not NAME.match(value):
            msg = f"{value!r} is not the name of a value"
            raise RecipeError(msg, where=where, hint="such as nft: letters, digits and '-'")
        if recipes.count(choices[value]) > 1:
            msg = f"two values stand for {choices[value]!r}"
            raise RecipeError(msg, where=where, hint="one of them must go")
        if choices[value] in inputs and choices[value] != default:
            msg = f"{choices[value]!r} is an input already, and cannot stand for {default!r} too"
            raise RecipeError(msg, where=where, hint="a choice is no other input of its recipe")
    if default not in recipes or len(recipes) < 2:
        msg = f"the choices must be {default!r} itself, which is the default, and others"
        hint = f"for example {{source: {default}, nft: {default}-nft}}"
        raise RecipeError(msg, where=fields.at("choices"), hint=hint)
    return choices
