"""`lock`: resolves the recipes and writes what was found.

Knows: the order of locking's parts. Must not know: how facts are found out.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Mapping

from attrs import define, evolve

from rvbuild.app.memo import Memo
from rvbuild.app.session import Session, lock_at
from rvbuild.app.workspace import Workspace
from rvbuild.cli.lock_file import put_lock
from rvbuild.cli.merge import merge_command
from rvbuild.cli.messages import count_text
from rvbuild.cli.words import run_of
from rvbuild.core.derivation import Derivation, Fetch
from rvbuild.core.digest import Digest
from rvbuild.core.errors import LockError, UsageError
from rvbuild.core.graph import INDEPENDENT, RecipeGraph, Target, with_checkers
from rvbuild.core.link import Linker
from rvbuild.core.lock import Lock
from rvbuild.core.pinned import Locked
from rvbuild.core.printable import printable_line
from rvbuild.core.recipe import Recipe
from rvbuild.core.source import Source
from rvbuild.core.tree import Nested
from rvbuild.engine.build import build
from rvbuild.engine.go_list import GoList
from rvbuild.engine.realise import Services
from rvbuild.engine.resolve import Resolver
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.lock import MAX_BYTES, write_lock
from rvbuild.recipes_yaml.project_file import read_file

_UNLIKE = "the lock is not what the recipes ask for"
_RELOCK = "run `rvbuild lock`"


@define
class _Outputs:
    """Realises derivations for the resolver, and reads what they gave."""

    services: Services
    jobs: int

    def __call__(
        self, derivations: Mapping[str, Derivation], wanted: Iterable[str]
    ) -> dict[str, Digest]:
        wanted = list(wanted)
        built = build(derivations, wanted, self.services, jobs=self.jobs)
        built.raise_first()
        return {digest: built.realised[digest].output for digest in wanted}

    def root(self, source: Source) -> Digest:
        fetch = Fetch(source=source)
        return self({fetch.digest: fetch}, [fetch.digest])[fetch.digest]

    def nested(self, root: Digest) -> Nested:
        return self.services.store.trees.tree(root).nested()

    def read(self, blob: Digest) -> bytes:
        return self.services.store.cas.read(blob)


def lock_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild lock [RECIPE…]`."""
    if arguments.merge:
        return merge_command(*arguments.merge)
    path = _own_lock(workspace)
    with run_of(arguments, workspace) as session:
        mend = not arguments.check
        old = lock_at(path, mend=mend) if os.path.lexists(path) else Lock()
        if arguments.recipes:
            _refuse_version_1(old, path)
        new = _resolve(session, arguments.recipes, old, mend=mend)
        build_arch = session.build_arch
    if arguments.recipes:
        new = evolve(
            new,
            pins={**old.pins, **new.pins},
            sources={**old.sources, **new.sources},
            go_modules={**old.go_modules, **new.go_modules},
        )
    else:
        new = new.with_machines_of(old, build_arch)
    text = write_lock(new)
    if arguments.check:
        _compare(path, text, tuple(_differences(old, new)))
    else:
        put_lock(path, text)
    if not arguments.quiet:
        pins, sources, sets = len(new.pins), len(new.sources), len(new.go_modules)
        counts = (count_text(pins, "pin"), count_text(sources, "source"))
        modules = count_text(sets, "set") + " of Go modules"
        sys.stderr.write(f"{printable_line(path)}: {', '.join((*counts, modules))}\n")
    return 0


def _own_lock(workspace: Workspace) -> str:
    """The project's lock; the one that came with rvbuild is not anybody's to write."""
    if workspace.project is None:
        msg = "this is no project: here are neither recipes/ nor rvbuild.lock"
        raise UsageError(msg, where=os.getcwd(), hint="write recipes/NAME/recipe.yaml first")
    return workspace.locks[0]


def _refuse_version_1(old: Lock, path: str) -> None:
    """See that each set of Go modules has its go.sum's digest: a part would leave some without.

    Raises:
        LockError: one has none, as in locks of version 1.
    """
    if not all(held.go_sum for held in old.go_modules.values()):
        msg = "a lock of an older format is written again as a whole, not for some recipes"
        raise LockError(msg, where=path, hint="run `rvbuild lock` first: it keeps every pin")


def _resolve(session: Session, names: list[str], old: Lock, *, mend: bool) -> Lock:
    """What the recipes ask for; unless ``mend``, the lock must not contradict them."""
    own = RecipeCollection(session.workspace.recipes[:1]).names()
    had = {name for name in old.recipes() if session.folder.path(name)}
    others = [session.folder.load(name) for name in sorted({*own, *had})]
    shipped = [session.folder.load(name) for name in session.folder.names()]
    instances = [instance for name in names or own for instance in _instances(name, session)]
    instances = [*with_checkers(instances, session.folder.load)]
    graph = RecipeGraph(instances, session.folder.load, session.build_arch, checks=True)
    _load_choices(graph, session.folder)
    listed = {**graph.recipes, **({} if names else {other.name: other for other in others})}
    known = session.known(mend=mend)
    if not mend:
        _refuse_contradictions(Locked(known, graph, session.build_arch), listed.values())
    outputs = _Outputs(session.services(), session.jobs())
    resolver = Resolver(
        recipes=graph,
        registries=session.sources,
        trees=outputs,
        build_arch=session.build_arch,
        old=known,
        shipped=session.known(include_project=False, mend=mend),
        own=frozenset(own),
    )
    linker = Linker(graph, resolver, session.build_arch)
    resolver.imports = GoList(
        linker=linker, outputs=outputs, nested=outputs.nested, read=outputs.read
    )
    # from when a source is fetched until its files have been read
    with session.store.locks.shared():
        return resolver.lock([listed[name] for name in sorted(listed)], others, shipped)


def _refuse_contradictions(locked: Locked, recipes: Iterable[Recipe]) -> None:
    """See that a lock can be the answer to recipes, before anybody outside is asked.

    Raises:
        LockError: it lacks what one asks for, or has what that cannot be.
    """
    for recipe in recipes:
        try:
            locked.answer_all(recipe)
        except LockError as error:
            details = (error.message, *error.details)
            raise LockError(_UNLIKE, where=error.where, hint=_RELOCK, details=details) from error


def _load_choices(graph: RecipeGraph, folder: RecipeCollection) -> None:
    """See that each recipe that an option offers is there; a build reads only the chosen ones."""
    for recipe in graph.recipes.values():
        for name, option in recipe.options.items():
            for value, choice in option.choices.items():
                folder.load(choice, recipe.at(f"options.{name}.choices.{value}"))


def _instances(name: str, session: Session) -> list[Target]:
    recipe = session.folder.load(name)
    if recipe.kind in {"tool", "source"}:
        return [Target(name, INDEPENDENT)]
    return [Target(name, arch) for arch in recipe.architectures]


def _compare(path: str, text: str, differences: tuple[str, ...]) -> None:
    held = b""
    if os.path.lexists(path):
        held = read_file(path, path, limit=MAX_BYTES, error=LockError).data
    if held != text.encode():
        raise LockError(_UNLIKE, where=path, hint=_RELOCK, details=differences)


def _differences(old: Lock, new: Lock) -> Iterator[str]:
    """The entries that a lock lacks, has in vain, or has otherwise than it should."""
    for what in ("pins", "sources", "go_modules"):
        had, has = getattr(old, what), getattr(new, what)
        for key in sorted({*had, *has}):
            if had.get(key) != has.get(key):
                how = "not needed" if key not in has else "missing" if key not in had else "changed"
                yield f"{what.replace('_', '-')}: {key}: {how}"
