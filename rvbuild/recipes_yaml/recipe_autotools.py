"""The key `autotools` of a recipe.

Knows: its words. Must not know: what they stand for (core.autotools).
"""

from __future__ import annotations

from rvbuild.core.autotools import KEY, LIBRARY_OPTIONS, Autotools
from rvbuild.recipes_yaml.fields import Fields, flag, words


def autotools_of(top: Fields) -> Autotools | None:
    """What is under `autotools`."""
    fields = top.fields(KEY, "configure: [--disable-nls], install: {bin: [src/hello]}")
    if fields is None:
        return None
    install = fields.fields("install", "bin: [src/hello]")
    given = Autotools(
        source=fields.text("source", ""),
        regenerate=flag(fields, "regenerate"),
        configure=_words(fields, "configure", LIBRARY_OPTIONS),
        make=_words(fields, "make", ("",)),
        install={name: install.texts(name) for name in install.node.nodes} if install else {},
    )
    fields.finish()
    return given


def _words(fields: Fields, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    found = words(fields, key)
    return found if key in fields else default
