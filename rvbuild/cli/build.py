"""`build`, `check` and `fetch`: from targets to links in the user's hand.

Knows: the order of a build's parts, and where results appear. Must not know: how a part works.
"""

from __future__ import annotations

import argparse
import os
import sys

from rvbuild.cli.memo import Memo
from rvbuild.cli.place import copy, link, link_place, refuse_no_folder, refuse_occupied
from rvbuild.cli.results import Result, render_results
from rvbuild.cli.setup import Setup, run_of
from rvbuild.cli.workspace import Workspace
from rvbuild.core.derivation import Fetch
from rvbuild.core.graph import RecipeGraph, with_checkers
from rvbuild.core.link import Linked
from rvbuild.engine.build import Built, build

_MOST_STAMPED = 1000
"""Files of a result that a memo watches, with its folders: each costs some microseconds.
Results with more get no memo: a build looks at them itself."""


def build_command(arguments: argparse.Namespace, workspace: Workspace, memo: Memo | None) -> int:
    """`rvbuild build TARGET…`, and `rvbuild check TARGET…`: also what they are `checked-by`."""
    with run_of(arguments, workspace) as setup:
        targets = setup.targets(arguments.targets)
        if arguments.command == "check":
            targets = with_checkers(targets, setup.folder.load)
        if arguments.output is None:
            refuse_occupied(link_place(str(target)) for target in targets)
        else:
            refuse_no_folder(arguments.output)
        graph, linked = setup.link(targets, checks=not arguments.no_check)
        wanted = [*linked.results.values()]
        wanted += [check for checks in linked.checks.values() for check in checks]
        with setup.store.shared():  # until the results are linked, so that no gc takes them
            built = build(
                linked.derivations,
                wanted,
                setup.machinery(),
                jobs=setup.jobs(),
                keep_going=arguments.keep_going,
            )
            results = _place(setup, linked, built, arguments.output)
    built.raise_first()
    answer = render_results(results, as_json=arguments.json)
    if memo is not None:
        _remember(memo, answer, setup, graph, results)
    sys.stdout.write(answer)
    return 0


def fetch_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild fetch TARGET…`: every source that the targets need."""
    with run_of(arguments, workspace) as setup:
        _, linked = setup.link(setup.targets(arguments.targets), checks=True)
        sources = [key for key, each in linked.derivations.items() if isinstance(each, Fetch)]
        machinery = setup.machinery()
        keep_going = arguments.keep_going
        build(linked.derivations, sources, machinery, jobs=1, keep_going=keep_going).raise_first()
    return 0


def _place(setup: Setup, linked: Linked, built: Built, output: str | None) -> list[Result]:
    """Make the result of each target appear that is finished and checked."""
    results = []
    for target, digest in linked.results.items():
        if not {digest, *linked.checks[target]} <= built.realised.keys():
            continue
        root = built.realised[digest].output
        tree = setup.store.path(root)
        if output is None:
            place = link_place(str(target))
            link(tree, place)
            setup.store.add_root(str(target), digest, place)
        else:
            place = os.path.abspath(os.path.join(output, str(target)))
            copy(tree, place)
        files = tuple(path for path, _ in setup.store.tree(root).walk())
        results.append(
            Result(target=str(target), place=place, tree=str(root), derivation=digest, files=files)
        )
    return results


def _remember(
    memo: Memo, answer: str, setup: Setup, graph: RecipeGraph, results: list[Result]
) -> None:
    """Keep the answer for as long as recipes, locks and results stay as they are."""
    if any(len(result.files) > _MOST_STAMPED for result in results):
        return
    inputs = [*setup.workspace.locks, *setup.workspace.recipes]
    for name in graph.recipes:
        folder = setup.folder.path(name)
        if folder is not None:
            for at, _, files in os.walk(folder):
                inputs += [at, *(os.path.join(at, file) for file in files)]
        # a folder that hides nothing yet may get a recipe
        inputs += [os.path.join(root, name) for root in setup.workspace.recipes]
    links, marks = [], []
    for result in results:
        tree = os.readlink(result.place)
        marks.append(f"{tree}.tree")
        for at, _, files in os.walk(tree):  # each folder too: something may be put there
            marks += [at, *(os.path.join(at, file) for file in files)]
        links.append((result.place, tree))
    memo.keep(answer, inputs, links, marks)
