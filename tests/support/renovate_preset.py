"""What Renovate finds in a recipe by the preset: its patterns, and how Renovate applies them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PRESET = Path(__file__).parents[2] / "docs/renovate/default.json"
BOT = PRESET.with_name("bot.cjs")
_CONDITION = re.compile(r"\{\{#if \(equals (\w+) '(.*?)'\)\}\}(.*?)\{\{else\}\}(.*?)\{\{/if\}\}")
_FOLDER = "{{{replace '^.*/' '' packageFileDir}}}"


def preset() -> Any:  # noqa: ANN401 - what JSON holds
    """The document."""
    return json.loads(PRESET.read_text())


def extracted(recipe: str, text: str) -> Iterator[tuple[str, str]]:
    """The name of each pin of a recipe file, as `rvbuild update` takes it, and its value."""
    for manager in preset()["customManagers"]:
        for groups in _matches(manager["matchStrings"], text, {}):
            name = _rendered(manager["depNameTemplate"], recipe, groups)
            yield name, groups.get("currentValue") or groups["currentDigest"]


def _rendered(template: str, recipe: str, groups: Mapping[str, str]) -> str:
    """What Renovate makes of as much of Handlebars as the preset's names have."""
    text = _CONDITION.sub(lambda m: m[3 if groups.get(m[1]) == m[2] else 4], template)
    text = text.replace(_FOLDER, recipe)
    return re.sub(r"\{\{\{(\w+)\}\}\}", lambda match: groups[match[1]], text)


def _matches(
    patterns: list[str], text: str, outer: Mapping[str, str]
) -> Iterator[Mapping[str, str]]:
    """The groups of the last pattern; each is looked for in what the one before it found."""
    for match in re.finditer(patterns[0].replace("(?<", "(?P<"), text):
        groups = {**outer, **match.groupdict()}
        yield from _matches(patterns[1:], match[0], groups) if patterns[1:] else (groups,)
