"""`show`: what a target is, and what there is.

Knows: what people ask about recipes and targets. Must not know: how anything is built.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator

from rvbuild.app.memo import Memo
from rvbuild.app.session import Session
from rvbuild.app.source_inventory import SourceInventory, SourceStatus
from rvbuild.app.workspace import Workspace
from rvbuild.cli.closure import by_kind, closure_lines, prebuilt
from rvbuild.cli.json_text import print_json
from rvbuild.cli.words import parse_targets, session_of
from rvbuild.core.errors import LockError, RecipeError
from rvbuild.core.events import silent
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.link import Linked
from rvbuild.core.lock import Lock, source_key
from rvbuild.core.printable import printable, printable_line
from rvbuild.core.recipe import FromSpec, Recipe
from rvbuild.recipes_yaml.collection import RecipeCollection


def show_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild show [TARGET…]`."""
    session = session_of(arguments, workspace, silent)
    if not arguments.targets:
        _list_recipes(session, as_json=arguments.json)
        return 0
    targets = parse_targets(session, arguments.targets)
    graph = session.graph(targets, checks=False)
    holdings = SourceInventory(session.linker(graph), session.lookup())
    linked = holdings.link(targets)
    own = [held for target in targets for held in holdings.of(graph.recipe(target.recipe))]
    sources = _each_once([*own, *holdings.missing])
    options = list(_options(graph, session))
    pins = list(_pins(graph, session.lock())) if arguments.pins else []
    closure = by_kind(holdings.all()) if arguments.closure else []
    told = prebuilt(closure, sorted({target.arch for target in targets if target.arch}))
    shown: dict[str, object] = {
        "targets": {str(target): _derivation(linked, target) for target in targets},
        "recipes": sorted(graph.recipes),
        "options": options,
        "sources": [_source(held) for held in sources],
    }
    if arguments.pins:
        shown["pins"] = pins
    if arguments.closure:
        shown |= {"closure": [_source(held) for held in closure], "prebuilt": told}
    if arguments.json:
        print_json(shown)
        return 0
    if not arguments.pins and not arguments.closure:
        for target in targets:
            _write_lines(_target_lines(target, graph, linked))
        _write_lines(map(_option_line, options))
        _write_lines(line for held in sources for line in _source_lines(held))
    _write_lines(map(_pin_line, pins))
    if arguments.closure:
        _write_lines(closure_lines(closure, told))
    return 0


def _derivation(linked: Linked | LockError, target: Target) -> str | None:
    return None if isinstance(linked, LockError) else linked.results[target]


def _each_once(holdings: list[SourceStatus]) -> list[SourceStatus]:
    return list({held.name or held.description.name: held for held in holdings}.values())


def _source(held: SourceStatus) -> dict[str, object]:
    return {
        "recipe": held.recipe or None,
        "name": held.name or None,
        "kind": held.description.kind,
        "source": held.description.name,
        "digest": held.description.digest or None,
        "places": list(held.description.places),
        "derivation": held.derivation,
        "stored": held.stored,
        "machine": held.machine or None,
    }


def _options(graph: RecipeGraph, session: Session) -> Iterator[dict[str, object]]:
    """Each value that an option of the graph can have there, and whether it is taken."""
    users: dict[str, list[Target]] = {}
    for instance in graph.order():
        users.setdefault(instance.recipe, []).append(instance)
    for user, *others in users.values():
        recipe = graph.recipe(user.recipe)
        for name, option in recipe.options.items():
            for value, choice in option.choices.items():
                chosen = session.folder.load(choice, recipe.at(f"options.{name}.choices.{value}"))
                archs = {each.arch or session.build_arch for each in (user, *others)}
                if archs.isdisjoint(chosen.architectures):
                    continue
                yield {
                    "recipe": recipe.name,
                    "option": name,
                    "value": value,
                    "input": option.input,
                    "stands-for": choice,
                    "summary": chosen.summary,
                    "taken": graph.chosen_recipe(user, option.input) == choice,
                }


def _list_recipes(session: Session, *, as_json: bool) -> None:
    """Every recipe that can be read; of the others, what is wrong with them.

    Raises:
        RecipeError: one cannot be read; the notes tell of the others.
    """
    recipes, errors = _readable(session.folder)
    if as_json:
        rows = [
            {"name": r.name, "kind": r.kind, "summary": r.summary, "license": r.license}
            for r in recipes
        ]
        print_json(rows)
    else:
        _write_list(recipes, session)
    if errors:
        first, *others = errors
        for other in others:
            first.add_note(str(other))
        raise first


def _readable(folder: RecipeCollection) -> tuple[list[Recipe], list[RecipeError]]:
    recipes, errors = [], []
    for name in folder.names():
        try:
            recipes.append(folder.load(name))
        except RecipeError as error:
            errors.append(error)
    return recipes, errors


def _write_list(recipes: list[Recipe], session: Session) -> None:
    lock = session.known()
    width = max((len(recipe.name) for recipe in recipes), default=0)
    for recipe in recipes:
        mark = "" if _is_locked(recipe, lock, session.build_arch) else "  (not in the lock)"
        text = printable(f"{recipe.kind:<9}  {recipe.summary}{mark}")
        sys.stdout.write(f"{recipe.name:<{width}}  {text}\n")


def _is_locked(recipe: Recipe, lock: Lock, build_arch: str) -> bool:
    """Whether the lock has each of the recipe's own sources, whatever it says of them."""
    own = [(name, use.spec) for name, use in recipe.sources.items()]
    return all(
        isinstance(spec, FromSpec)
        or source_key(recipe.name, name, spec, build_arch) in lock.sources
        for name, spec in own
    )


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


def _write_lines(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{printable_line(line)}\n" for line in lines)


def _target_lines(target: Target, graph: RecipeGraph, linked: Linked | LockError) -> Iterator[str]:
    recipe = graph.recipe(target.recipe)
    yield str(target)
    yield f"  {recipe.summary}"
    yield f"  license     {recipe.license}"
    yield f"  homepage    {recipe.homepage}"
    yield f"  recipe      {recipe.file}"
    yield f"  derivation  {_derivation(linked, target) or f'none yet: {linked}'}"
    yield f"  needs       {', '.join(map(str, graph.order()))}"


def _option_line(row: dict[str, object]) -> str:
    taken = " (taken)" if row["taken"] else ""
    said = f"{row['option']}={row['value']}"
    return f"  --option    {said:<12}  {row['stands-for']}{taken}: {row['summary']}"


def _source_lines(held: SourceStatus) -> Iterator[str]:
    told = held.description
    which = told.short if told.digest else told.name
    yield f"  source      {held.name or held.recipe}  {told.kind} {which}"
    for place in told.places:
        yield f"              {place}"
    instead = f", or `--override {held.name}=FOLDER`" if held.name else ""
    where = f"where such a place can be reached{instead}"
    if held.derivation is None:
        yield f"              not in the lock: `rvbuild lock {held.recipe}` {where}"
    elif not held.stored and told.kind != "path":
        yield f"              not in the store: fetched {where}"


def _pin_line(row: dict[str, object]) -> str:
    return f"{row['pin']} = {row['value']}  ({row['source']} {row['file']}:{row['line']})"
