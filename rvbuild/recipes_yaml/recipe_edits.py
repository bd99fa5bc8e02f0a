"""Changes to several recipe files, as one value.

Knows: the bytes of each file before and after. Must not know: disks; who writes them, and when.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from attrs import evolve, field, frozen

from rvbuild.recipes_yaml.edit import add_entry, copy_spelling, remove_entry, set_text
from rvbuild.recipes_yaml.recipe_layout import KeyPath
from rvbuild.recipes_yaml.spelling import Words


@frozen
class RecipeEdits:
    """Files with their changes; a change gives another value, and none at all where it fails.

    Each change raises a RecipeError as its function in `edit` does, and a KeyError for a file that
    is not in ``before``.

    Attributes:
        before: The bytes of files by path, as they were read.
        changed: The bytes of those files that would have others, by path.
        labels: What messages call files, by path; else it is the path.
    """

    before: Mapping[str, bytes]
    changed: Mapping[str, bytes] = field(factory=dict)
    labels: Mapping[str, str] = field(factory=dict)

    def set_text(self, file: str, path: KeyPath, text: str) -> Self:
        """Change the value of an entry."""
        return self._with(file, set_text(self._now(file), self._label(file), path, text))

    def add_entry(self, file: str, path: KeyPath, words: Words) -> Self:
        """Put an entry beside others."""
        return self._with(file, add_entry(self._now(file), self._label(file), path, words))

    def remove_entry(self, file: str, path: KeyPath) -> Self:
        """Take an entry away."""
        return self._with(file, remove_entry(self._now(file), self._label(file), path))

    def copy_spelling(self, file: str, source: KeyPath, target: KeyPath) -> Self:
        """Write an entry as another is written that says the same."""
        return self._with(file, copy_spelling(self._now(file), self._label(file), source, target))

    def _label(self, file: str) -> str:
        return self.labels.get(file, file)

    def _now(self, file: str) -> bytes:
        return self.changed.get(file, self.before[file])

    def _with(self, file: str, data: bytes) -> Self:
        changed = {**self.changed, file: data}
        return evolve(self, changed={f: d for f, d in changed.items() if d != self.before[f]})
