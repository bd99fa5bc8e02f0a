"""`show`: what a target is, and what there is.

Knows: what people ask about recipes and targets. Must not know: how anything is built.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from rvbuild.cli.inspect import print_json
from rvbuild.cli.memo import Memo
from rvbuild.cli.messages import printable
from rvbuild.cli.setup import Setup
from rvbuild.cli.workspace import Workspace
from rvbuild.core.derivation import Fetch
from rvbuild.core.events import silent
from rvbuild.core.graph import RecipeGraph, parse_target
from rvbuild.core.link import Linked
from rvbuild.core.lock import Lock
from rvbuild.core.source import Source


def show_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild show [TARGET…]`."""
    setup = Setup(arguments, workspace, silent)
    if not arguments.targets:
        _list_recipes(setup, as_json=arguments.json)
        return 0
    targets = setup.targets(arguments.targets)
    graph, linked = setup.link(targets, checks=False)
    lock = setup.lock()
    shown: dict[str, object] = {
        "targets": {str(target): digest for target, digest in linked.results.items()},
        "recipes": sorted(graph.recipes),
        "options": list(_options(graph, setup)),
    }
    if arguments.pins:
        shown["pins"] = list(_pins(graph, lock))
    if arguments.closure:
        shown["closure"] = list(_closure(linked))
    if arguments.json:
        print_json(shown)
    else:
        _print_text(shown, graph)
    return 0


def _options(graph: RecipeGraph, setup: Setup) -> Iterator[dict[str, object]]:
    """Each value of each option that a recipe of the graph declares, and whether it is taken."""
    for user in {instance.recipe: instance for instance in graph.order()}.values():
        recipe = graph.recipe(user.recipe)
        for name, option in recipe.options.items():
            for value, choice in option.choices.items():
                where = recipe.at(f"options.{name}.choices.{value}")
                yield {
                    "recipe": recipe.name,
                    "option": name,
                    "value": value,
                    "input": option.input,
                    "stands-for": choice,
                    "summary": setup.folder.load(choice, where).summary,
                    "taken": graph.stand_in(user, option.input) == choice,
                }


def _list_recipes(setup: Setup, *, as_json: bool) -> None:
    recipes = [setup.folder.load(name) for name in setup.folder.names()]
    if as_json:
        rows = [
            {"name": r.name, "kind": r.kind, "summary": r.summary, "license": r.license}
            for r in recipes
        ]
        print_json(rows)
        return
    width = max((len(recipe.name) for recipe in recipes), default=0)
    for recipe in recipes:
        sys.stdout.write(f"{recipe.name:<{width}}  {recipe.kind:<9}  {printable(recipe.summary)}\n")


def _pins(graph: RecipeGraph, lock: Lock) -> Iterator[dict[str, object]]:
    """Each derived pin of the recipes that the targets need, and of what they read from."""
    for key, pin in sorted(lock.pins.items()):
        if key.split("/")[0] in graph.recipes:
            yield {
                "pin": key,
                "value": pin.value,
                "source": pin.source,
                "file": pin.file,
                "line": pin.line,
            }


def _closure(linked: Linked) -> Iterator[dict[str, object]]:
    for digest, derivation in linked.derivations.items():
        if isinstance(derivation, Fetch):
            kind = _kind(derivation.source)
            yield {"kind": kind, "source": derivation.label, "derivation": digest}


def _kind(source: Source) -> str:
    return {
        "Files": "recipe",
        "UrlSource": "url",
        "GitSource": "git",
        "GoModule": "go-module",
        "GoModFiles": "go-mod-files",
        "GoToolchain": "go-toolchain",
        "Wheel": "pypi",
        "DebianPackage": "debian",
        "PathSource": "path",
    }[type(source).__name__]


def _print_text(shown: dict[str, object], graph: RecipeGraph) -> None:
    out = sys.stdout.write
    targets = shown["targets"]
    asked = [section for section in ("pins", "closure") if section in shown]
    if isinstance(targets, dict) and not asked:
        for target, digest in targets.items():
            recipe = graph.recipe(parse_target(target, graph.recipe).recipe)
            out(f"{target}\n  {printable(recipe.summary)}\n")
            out(f"  license     {printable(recipe.license)}\n  homepage    {recipe.homepage}\n")
            out(f"  recipe      {recipe.file}\n  derivation  {digest}\n")
            out(f"  needs       {', '.join(map(str, graph.order()))}\n")
    for section in asked or ("options",):
        rows = shown[section]
        if isinstance(rows, list):
            for row in rows:
                out(printable(_ROWS[section](row)) + "\n")


def _option_row(row: dict[str, object]) -> str:
    taken = " (taken)" if row["taken"] else ""
    said = f"{row['option']}={row['value']}"
    return f"  --option    {said:<12}  {row['stands-for']}{taken}: {row['summary']}"


def _pin_row(row: dict[str, object]) -> str:
    return f"{row['pin']} = {row['value']}  ({row['source']} {row['file']}:{row['line']})"


def _closure_row(row: dict[str, object]) -> str:
    return f"{row['kind']:<13} {row['source']}"


_ROWS = {"options": _option_row, "pins": _pin_row, "closure": _closure_row}
