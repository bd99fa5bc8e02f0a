"""The series of a source, and what it is in each.

Knows: the keys of a series. Must not know: which recipes are of which series.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from rvbuild.core.errors import RecipeError
from rvbuild.core.recipe import SeriesValues
from rvbuild.recipes_yaml.fields import Fields
from rvbuild.recipes_yaml.recipe_names import NAME, refuse_no_variables

FACTS = ("release", "end-of-support", "patches")
"""Keys of a series that are no variables."""


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
        )
    return series


def _day(fields: Fields) -> str:
    text = fields.text("end-of-support", "")
    try:
        if text:
            dt.date.fromisoformat(text)
    except ValueError as cause:
        msg = f"'end-of-support' must be a day, not {text!r}"
        hint = "for example: 2027-02-28"
        raise RecipeError(msg, where=fields.at("end-of-support"), hint=hint) from cause
    return text
