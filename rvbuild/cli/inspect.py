"""`plan`, `show` and `log`: look, change nothing.

Knows: what people ask about a target. Must not know: how anything is built.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator

from rvbuild.cli.memo import Memo
from rvbuild.cli.messages import printable
from rvbuild.cli.setup import Setup
from rvbuild.cli.workspace import Workspace
from rvbuild.core.derivation import Fetch
from rvbuild.core.digest import Digest
from rvbuild.core.errors import UsageError
from rvbuild.core.events import silent
from rvbuild.core.graph import RecipeGraph, parse_target
from rvbuild.core.link import Linked
from rvbuild.core.lock import Lock
from rvbuild.core.plan import make_plan
from rvbuild.core.ports import Store
from rvbuild.core.source import Source


def plan_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild plan TARGET…`."""
    setup = Setup(arguments, workspace, silent)
    _, linked = setup.link(setup.targets(arguments.targets), checks=True)
    wanted = [*linked.results.values()]
    wanted += [check for checks in linked.checks.values() for check in checks]
    plan = make_plan(linked.derivations, wanted, setup.lookup())
    if arguments.json:
        tasks = [
            {
                "label": task.derivation.label,
                "phase": task.phase.value,
                "derivation": digest,
                "reason": task.reason,
            }
            for digest, task in plan.tasks.items()
        ]
        _print_json({"keep": len(plan.kept), "tasks": tasks})
        return 0
    for task in plan.tasks.values():
        label = printable(task.derivation.label)
        sys.stdout.write(f"{task.phase.value:<6} {label}: {printable(task.reason)}\n")
    counts = [f"{count} to {phase.value}" for phase, count in plan.counts().items()]
    sys.stdout.write(", ".join([*counts, f"{len(plan.kept)} to keep"]) + "\n")
    return 0


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
    }
    if arguments.pins:
        shown["pins"] = list(_pins(graph, lock))
    if arguments.closure:
        shown["closure"] = list(_closure(linked))
    if arguments.json:
        _print_json(shown)
    else:
        _print_text(shown, graph)
    return 0


def _list_recipes(setup: Setup, *, as_json: bool) -> None:
    recipes = [setup.folder.load(name) for name in setup.folder.names()]
    if as_json:
        rows = [
            {"name": r.name, "kind": r.kind, "summary": r.summary, "license": r.license}
            for r in recipes
        ]
        _print_json(rows)
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
    if isinstance(targets, dict) and not {"pins", "closure"} & set(shown):
        for target, digest in targets.items():
            recipe = graph.recipe(parse_target(target, graph.recipe).recipe)
            out(f"{target}\n  {printable(recipe.summary)}\n")
            out(f"  license     {printable(recipe.license)}\n  homepage    {recipe.homepage}\n")
            out(f"  recipe      {recipe.file}\n  derivation  {digest}\n")
            out(f"  needs       {', '.join(map(str, graph.order()))}\n")
    for section in ("pins", "closure"):
        rows = shown.get(section)
        if isinstance(rows, list):
            for row in rows:
                out(_row(section, row) + "\n")


def _row(section: str, row: dict[str, object]) -> str:
    if section == "pins":
        return printable(
            f"{row['pin']} = {row['value']}  ({row['source']} {row['file']}:{row['line']})"
        )
    return printable(f"{row['kind']:<13} {row['source']}")


def log_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild log TARGET`: of what failed last, else of the step that made the result."""
    setup = Setup(arguments, workspace, silent)
    steps = _steps(setup, arguments.target)
    log = _log(setup.store, steps) if workspace.has_store else None
    if log is None:
        msg = "no step of it has run here"
        raise UsageError(
            msg, where=arguments.target, hint=f"`rvbuild {arguments.target}` builds it"
        )
    try:
        text = setup.store.read(log).decode(errors="replace")
    except KeyError:
        msg = "the log is not in the store any more"
        hint = f"`rvbuild {arguments.target}` writes one when its step runs"
        raise UsageError(msg, where=arguments.target, hint=hint) from None
    if not text:
        sys.stderr.write("the step ran, and wrote nothing\n")
    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    return 0


def _log(store: Store, steps: list[str]) -> Digest | None:
    failed = (store.failed(step) for step in steps)
    made = (store.realisation(step) for step in steps[:1])
    logs = [*failed, *(found.log for found in made if found)]
    return next((log for log in logs if log), None)


def _steps(setup: Setup, name: str) -> list[str]:
    """The derivations of a target's step and its checks; or the one that ``name`` is."""
    if re.fullmatch(r"[0-9a-f]{64}", name):
        return [name]
    targets = setup.targets([name])
    _, linked = setup.link(targets, checks=True)
    return [linked.results[targets[0]], *linked.checks[targets[0]]]


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2, sort_keys=True) + os.linesep)
