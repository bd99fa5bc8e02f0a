"""Content-addressed storage on a disk and in memory, and how it is kept whole.

Knows: the store's layout and records (cache/README.md). Must not know: recipes, locks, where
sources are from, how steps run.
"""
