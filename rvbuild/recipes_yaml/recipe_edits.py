"""Changes to several recipe files, as one value.

Knows: the bytes of each file before and after. Must not know: disks; who writes them, and when.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Concatenate, ParamSpec, Self

from attrs import evolve, field, frozen

from rvbuild.core.errors import RecipeError
from rvbuild.core.place import Place, place_before
from rvbuild.recipes_yaml.edit import add_entry, copy_spelling, remove_entry, set_items, set_text
from rvbuild.recipes_yaml.recipe_layout import KeyPath
from rvbuild.recipes_yaml.spelling import Words

_Words = ParamSpec("_Words")


@frozen
class RecipeEdits:
    """Files with their changes; a change gives another value, and none at all where it fails.

    Each change raises a RecipeError as its function in `edit` does, and a KeyError for a file that
    is not in ``before``; a RecipeError in a line that an earlier change wrote says so.

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
        return self._changed(set_text, file, path, text)

    def set_items(self, file: str, path: KeyPath, items: Sequence[str]) -> Self:
        """Change which texts a list has."""
        return self._changed(set_items, file, path, items)

    def add_entry(self, file: str, path: KeyPath, words: Words, like: str = "") -> Self:
        """Put an entry beside others."""
        return self._changed(add_entry, file, path, words, like)

    def remove_entry(self, file: str, path: KeyPath) -> Self:
        """Take an entry away."""
        return self._changed(remove_entry, file, path)

    def copy_spelling(self, file: str, source: KeyPath, target: KeyPath) -> Self:
        """Write an entry as another is written that says the same."""
        return self._changed(copy_spelling, file, source, target)

    def _changed(
        self,
        change: Callable[Concatenate[bytes, str, _Words], bytes],
        file: str,
        *args: _Words.args,
        **kwargs: _Words.kwargs,
    ) -> Self:
        now = self.changed.get(file, self.before[file])
        try:
            data = change(now, self.labels.get(file, file), *args, **kwargs)
        except RecipeError as error:
            if file in self.changed and isinstance(error.where, Place):
                error.where = place_before(error.where, now, self.before[file])
            raise
        changed = {**self.changed, file: data}
        return evolve(self, changed={f: d for f, d in changed.items() if d != self.before[f]})
