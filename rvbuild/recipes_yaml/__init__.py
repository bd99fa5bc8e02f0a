"""Recipes and locks as files: YAML with places, in both directions.

Knows: the files' forms (docs/recipes.md, docs/format.md). Must not know: what is built, where
sources are from.
"""
