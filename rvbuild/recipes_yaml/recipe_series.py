"""The series of a source, and what it is in each.

Knows: the keys of a series, and that all have the same. Must not know: which recipes are of which
series.
"""

from __future__ import annotations

from collections.abc import Collection

from rvbuild.core.errors import RecipeError, suggestion
from rvbuild.core.recipe import Recipe, SeriesValues, used_names
from rvbuild.core.update_policy import REACHES, read_age
from rvbuild.recipes_yaml.fields import Fields, choice
from rvbuild.recipes_yaml.recipe_instead import KEY as INSTEAD
from rvbuild.recipes_yaml.recipe_instead import is_day, series_overrides
from rvbuild.recipes_yaml.recipe_names import NAME, refuse_no_variables

RELEASE, SUPPORT, PATCHES = "release", "end-of-support", "patches"
UPDATE, MIN_AGE = "update", "min-age"
FACTS = (RELEASE, SUPPORT, PATCHES, INSTEAD, UPDATE, MIN_AGE)
"""Keys of a series that are no variables."""

_ALWAYS = {"name", "build_arch"}
"""What any source may name."""


def series_of(table: Fields | None, reserved: Collection[str]) -> dict[str, SeriesValues]:
    """What is under ``per-series``, by the series' name.

    Raises:
        RecipeError: a name is none of a series or of a variable, or a day is none.
    """
    series: dict[str, SeriesValues] = {}
    for name, node in table.node.nodes.items() if table else ():
        if not NAME.match(name):
            msg = f"{name!r} is not the name of a series"
            raise RecipeError(msg, where=node.where, hint="such as 1.34: letters, digits and '.'")
        fields = Fields(node, like=f"{name}: {{commit: …}}")
        refuse_no_variables(fields, reserved, but=FACTS)
        series[name] = SeriesValues(
            values={key: fields.text(key) for key in fields.node.nodes if key not in FACTS},
            release=fields.text("release", ""),
            end_of_support=_day(fields),
            patches=fields.texts("patches"),
            instead=series_overrides(fields),
            update=choice(fields, "update", REACHES, ""),
            min_age=age_of(fields),
        )
    return series


def check_series(recipe: Recipe) -> None:
    """See that each series of a source has a value for just the names that it uses.

    Raises:
        RecipeError: one has not.
    """
    used = frozenset[str]().union(*(used_names(use.spec) for use in recipe.sources.values()))
    known: dict[str, str] = {}
    for series, each in recipe.per_series.items():
        for name in each.values:
            known.setdefault(name, series)
            if name not in used:
                msg = f"the series {series!r} sets {name!r}, and the source has no ${{{name}}}"
                hint = suggestion(name, (*FACTS, *used)) or "leave it out, or use it there"
                where = recipe.at(f"per-series.{series}.{name}")
                raise RecipeError(msg, where=where, hint=hint)
    for name in used - known.keys() - recipe.all_pins.keys() - _ALWAYS:
        for series in recipe.per_series:
            msg = f"the source has ${{{name}}}, and the series {series!r} has no {name!r}"
            hint = suggestion(name, known) or f"add it to each series, as `{name}: …`"
            raise RecipeError(msg, where=recipe.at(f"per-series.{series}"), hint=hint)
    for series, each in recipe.per_series.items():
        for name, other in known.items():
            if name not in each.values:
                msg = f"the series {series!r} has no {name!r}, which the series {other!r} has"
                where = recipe.at(f"per-series.{series}")
                raise RecipeError(msg, where=where, hint="every series has the same variables")


def age_of(fields: Fields) -> str:
    """What is under ``min-age``; empty if nothing is.

    Raises:
        RecipeError: it is no time.
    """
    text = fields.text("min-age", "")
    if "min-age" in fields:
        try:
            read_age(text)
        except ValueError as error:
            msg = f"'min-age' {error}"
            raise RecipeError(msg, where=fields.at("min-age")) from error
    return text


def _day(fields: Fields) -> str:
    text = fields.text("end-of-support", "")
    if text and not is_day(text):
        msg = f"'end-of-support' must be a day, not {text!r}"
        hint = "YYYY-MM-DD, for example 2027-02-28"
        raise RecipeError(msg, where=fields.at("end-of-support"), hint=hint)
    return text
