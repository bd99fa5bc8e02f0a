"""The schemas of what programs read, held to real answers.

Every member of an answer must be in the schema, though a schema lets others come.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

FOLDER = Path(__file__).parents[2] / "docs/schema"
NAMES = ("outdated", "update")


def schema(name: str) -> dict[str, Any]:
    """A schema as it is."""
    text: dict[str, Any] = json.loads((FOLDER / f"{name}.schema.json").read_text())
    return text


def refuse_misfit(name: str, answer: object) -> None:
    """See that an answer is as its schema has it, and that this has each member."""
    known = {f"{each}.schema.json": Resource.from_contents(_closed(schema(each))) for each in NAMES}
    registry: Registry[Any] = Registry().with_resources(known.items())
    Draft202012Validator(_closed(schema(name)), registry=registry).validate(answer)


def _closed(node: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """A schema that lets no further member come."""
    if isinstance(node, list):
        return [_closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    return dict(_members(node))


def _members(node: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((key, _closed(value)) for key, value in node.items())
    if isinstance(node.get("properties"), dict) and "type" in node:
        yield "additionalProperties", False
