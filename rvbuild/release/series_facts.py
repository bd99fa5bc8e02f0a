"""The facts of a series as its file has them.

Knows: which are texts, which are lists. Must not know: how they move.
"""

from __future__ import annotations

from rvbuild.core.recipe import SeriesValues
from rvbuild.recipes_yaml.recipe_series import MIN_AGE, PATCHES, RELEASE, SUPPORT, UPDATE
from rvbuild.recipes_yaml.spelling import Words


def fact_words(series: SeriesValues) -> dict[str, Words]:
    """Those that a series has, but its decisions."""
    facts: dict[str, Words] = {PATCHES: series.patches, **fact_texts(series)}
    return {name: words for name, words in facts.items() if words}


def fact_texts(series: SeriesValues) -> dict[str, str]:
    """Those that are texts; one that a series has not is empty."""
    return {
        RELEASE: series.release, SUPPORT: series.end_of_support, UPDATE: series.update,
        MIN_AGE: series.min_age,
    }  # fmt: skip
