"""Moving what recipes are pinned to.

Knows: recipes, kinds of sources, locks as values. Must not know: sessions, settings, the command
line.
"""
