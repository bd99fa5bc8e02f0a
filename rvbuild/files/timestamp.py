"""The one modification time of everything in a tree.

Knows: the time. Must not know: who writes it.
"""

EPOCH = 315_532_800
"""1980-01-01T00:00:00Z in seconds, the first that a zip file can hold. A time of writing would be
an input that no key knows, and ``make`` looks: equal times keep it from building again what a
release ships ready-made."""

EPOCH_NS = EPOCH * 10**9
