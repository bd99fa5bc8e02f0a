"""What Renovate finds in a recipe by the preset: its patterns, and how Renovate applies them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PRESET = Path(__file__).parents[2] / "docs/renovate/default.json"
_MARKS = {None: "", "per-series": "@", "sources": "/"}


def preset() -> Any:  # noqa: ANN401 - what JSON holds
    """The document."""
    return json.loads(PRESET.read_text())


def extracted(recipe: str, text: str) -> Iterator[tuple[str, str]]:
    """The name of each pin of a recipe file, as `rvbuild update` takes it, and its value."""
    for manager in preset()["customManagers"]:
        for groups in _matches(manager["matchStrings"], text, {}):
            mark, entry = _MARKS[groups.get("block")], groups.get("entry", "")
            yield f"{recipe}{mark}{entry}", groups.get("currentValue") or groups["currentDigest"]


def _matches(
    patterns: list[str], text: str, outer: Mapping[str, str]
) -> Iterator[Mapping[str, str]]:
    """The groups of the last pattern; each is looked for in what the one before it found."""
    for match in re.finditer(patterns[0].replace("(?<", "(?P<"), text):
        groups = {**outer, **match.groupdict()}
        yield from _matches(patterns[1:], match[0], groups) if patterns[1:] else (groups,)
