"""The part of docs/format.md that follows from the declarations of kinds.

Knows: Markdown. Must not know: what the keys and facts of a kind are.
Run: ``python -m rvbuild.recipes_yaml.format_page docs/format.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from rvbuild.kinds.declaration import Kind, keys
from rvbuild.kinds.table import TAGS, kind, spec_of

BEGIN, END = "<!-- kinds: generated -->\n", "<!-- /kinds -->\n"


def with_kinds(page: str) -> str:
    """The page with its table of kinds written anew between the two comments."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n".join(_rows()) + "\n" + END + after


def _rows() -> Iterator[str]:
    yield "| kind | keys in a recipe | facts of a part | identity | where its bytes come from |"
    yield "|---|---|---|---|---|"
    for tag in TAGS:
        declared = kind(tag)
        cells = (_keys(tag), _facts(declared), declared.identity, declared.origin)
        yield f"| `{tag}` | {' | '.join(cells)} |"


def _keys(tag: str) -> str:
    return ", ".join(
        f"`{key.word}`"
        + (" (optional)" * (not key.required))
        + (f" (or `{key.unless}` alone)" if key.unless else "")
        for key in keys(spec_of(tag))
    )


def _facts(declared: Kind) -> str:
    """The facts as an entry has them, or as the line of the section does."""
    if declared.section is None:
        return ", ".join(f"`{f.name}`" + (" (optional)" * f.optional) for f in declared.facts)
    key = " ".join(name.upper() for name in declared.section.key)
    others = " ".join(fact.name.upper() for fact in declared.shared)
    of_all = "".join(f"; `{fact.name}` (optional) once an entry" for fact in declared.entry)
    return f"`{key}: {others}` in `{declared.section.name}`{of_all}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_kinds(path.read_text(encoding="utf-8")), encoding="utf-8")
