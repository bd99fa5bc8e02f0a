"""What a word names that is compared: a lock, a revision of the project, a series of a recipe.

Knows: which of these a word is, and what belongs to it. Must not know: what differs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from attrs import evolve, field, frozen

from rvbuild.app.project_files import required_project
from rvbuild.app.session import Session, lock_at, locked_text, variants_of
from rvbuild.app.workspace import LOCK
from rvbuild.core.errors import RecipeError, RvbuildError, UsageError
from rvbuild.core.graph import INDEPENDENT, RecipeGraph, Target, parse_target, target_form
from rvbuild.core.link import Linked, Linker
from rvbuild.core.lock import Lock
from rvbuild.core.locked import Locked
from rvbuild.core.names import RecipeName
from rvbuild.core.question import set_ref
from rvbuild.core.recipe import Recipe
from rvbuild.core.side import Side
from rvbuild.core.spec_text import spec_text
from rvbuild.git.objects import EXECUTABLE, FILE
from rvbuild.git.project_commit import ProjectCommit
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.committed_root import CommittedFile, CommittedRoot
from rvbuild.recipes_yaml.lock import MAX_BYTES
from rvbuild.recipes_yaml.recipe_root import RecipeRoot

PROJECT = ""
"""The name of the project as it is on disk."""

_RECIPES = "recipes"


@frozen(kw_only=True)
class ComparedSide:
    """A side, and what links its targets.

    Attributes:
        side: What is compared.
        recipes: All of them, also those that came with rvbuild; None for a lock alone.
        lock: All that answers them.
        targets: What it can build, by the name that both sides have.
        unreadable: What is wrong with recipes, by name.
    """

    side: Side
    recipes: RecipeCollection | None = None
    lock: Lock = field(factory=Lock)
    targets: Mapping[str, Target] = field(factory=dict)
    unreadable: Mapping[str, RvbuildError] = field(factory=dict)

    def link(self, session: Session, targets: Iterable[Target]) -> tuple[RecipeGraph, Linked]:
        """The recipes and derivations of targets; no folder stands for a source.

        Raises:
            RecipeError: a recipe is not valid.
            LockError: the lock is no answer to one.
        """
        wanted, recipes = tuple(targets), self.recipes or session.folder
        graph = RecipeGraph(
            wanted,
            recipes.load,
            session.build_arch,
            variants=variants_of(session.workspace.settings),
        )
        linker = Linker(graph, Locked(self.lock, graph, session.build_arch), session.build_arch)
        return graph, linker.link(wanted, checks=False)


def sides_of(session: Session, words: tuple[str, ...]) -> tuple[ComparedSide, ComparedSide]:
    """The two sides that words name.

    - ``FILE``: a lock, alone.
    - ``NAME@SERIES``, of a recipe or a target: that, with all that it needs. Both words are one.
    - Anything else: a revision of the project's repository, as git reads it.

    Without a word they are ``HEAD`` and the project as it is, with one that and the project.

    Raises:
        UsageError: a word is nothing of these, or a series is compared with what is none.
        RvbuildError: what it names cannot be read.
    """
    first, *others = words or ("HEAD",)
    series = [_is_series(session, word) for word in words]
    if any(series):
        if not all(series) or not others:
            msg = "a series is compared with another series of the same recipe"
            raise UsageError(msg, where=" ".join(words), hint="for example k3s@1.34 k3s@1.35")
        return _two_series(session, first, others[0])
    old = _named(session, first)
    return old, _named(session, others[0]) if others else _project(session)


def _is_series(session: Session, word: str) -> bool:
    """Whether a word is ``NAME@…`` of a recipe or a target; ``main@{1}`` is a revision."""
    base, at, _ = word.partition("@")
    recipe = target_form(base).recipe
    return bool(at) and any(session.folder.path(name) is not None for name in (base, recipe))


def _named(session: Session, word: str) -> ComparedSide:
    if os.path.isfile(word):
        return ComparedSide(side=Side(name=word, lock=lock_at(word, partly=True)))
    try:
        return _revision(session, word)
    except UsageError as error:
        if "/" in word or word.endswith(".lock"):
            msg = f"there is no such file, and {error.message}"
            raise UsageError(msg, where=word, hint=error.hint) from error
        raise


# ---- the project


def _project(session: Session) -> ComparedSide:
    """The project as it is on disk.

    Raises:
        UsageError: there is none.
    """
    path = os.path.join(_folder(session), LOCK)
    own = lock_at(path, partly=True) if os.path.lexists(path) else Lock()
    return whole_side(session, PROJECT, own, session.workspace.recipes[0])


def _folder(session: Session) -> str:
    """The project's folder.

    Raises:
        UsageError: there is none.
    """
    hint = "go to a project, or name two files of locks, or two series of a recipe"
    return required_project(session.workspace, hint)


def _revision(session: Session, word: str) -> ComparedSide:
    """The project as a commit has it."""
    commit = ProjectCommit.of(_folder(session), word, os.environ)
    files = commit.files([LOCK, _RECIPES], MAX_BYTES)
    _, data = files.get(LOCK, (None, b""))
    own = locked_text(data, f"{word}:{commit.prefix}{LOCK}", partly=True)
    root = CommittedRoot(
        f"{word}:{commit.prefix}{_RECIPES}",
        {
            path.removeprefix(f"{_RECIPES}/"): CommittedFile(
                content, entry.mode == EXECUTABLE, entry.mode in {FILE, EXECUTABLE}
            )
            for path, (entry, content) in files.items()
            if path.startswith(f"{_RECIPES}/")
        },
    )
    return whole_side(session, word, own, root)


def whole_side(session: Session, name: str, own: Lock, root: str | RecipeRoot) -> ComparedSide:
    """A project: its own recipes and lock, over those that came with rvbuild."""
    collection = RecipeCollection((root, *session.workspace.recipes[1:]))
    unreadable: dict[str, RvbuildError] = {}
    recipes: dict[str, Recipe] = {}
    for each in RecipeCollection((root,)).names():
        try:
            recipes |= {recipe.name: recipe for recipe in collection.series.every(each)}
        except RecipeError as error:
            unreadable[each] = error
    targets = [target for recipe in recipes.values() for target in _targets(recipe)]
    return ComparedSide(
        side=Side(name=name, lock=own, recipes=recipes, unreadable=frozenset(unreadable)),
        recipes=collection,
        lock=own.layered_over(session.known(include_project=False)),
        targets={str(target): target for target in targets},
        unreadable=unreadable,
    )


def _targets(recipe: Recipe) -> list[Target]:
    """What is built of a recipe; nothing of a source."""
    if recipe.kind == "source":
        return []
    if recipe.kind == "tool":
        return [Target(recipe.name, INDEPENDENT)]
    return [Target(recipe.name, arch) for arch in recipe.architectures]


# ---- series


def _two_series(session: Session, *words: str) -> tuple[ComparedSide, ComparedSide]:
    old, new = (_series(session, word) for word in words)
    if [*old.targets] != [*new.targets]:
        msg = "a series is compared with another series of the same recipe"
        raise UsageError(msg, where=" ".join(words), hint="for example k3s@1.34 k3s@1.35")
    return old, new


def _series(session: Session, word: str) -> ComparedSide:
    """What a recipe needs in one series."""
    load = session.folder.load
    if session.folder.path(RecipeName.parse(word).base) is None:
        targets = [parse_target(word, load)]
    else:
        recipe = load(word)
        targets = _targets(recipe) or [Target(recipe.name, INDEPENDENT)]
    whole = ComparedSide(
        side=Side(name=word, lock=Lock(), series=RecipeName.parse(targets[0].recipe).series),
        recipes=session.folder,
        lock=session.lock(partly=True),
        targets={_without_series(each): each for each in targets},
    )
    graph, _ = whole.link(session, targets)
    recipes = dict(sorted(graph.recipes.items()))
    side = evolve(whole.side, lock=_lock_of(whole.lock, graph), recipes=recipes)
    return evolve(whole, side=side)


def _without_series(target: Target) -> str:
    return str(evolve(target, recipe=RecipeName.parse(target.recipe).base))


def _lock_of(lock: Lock, graph: RecipeGraph) -> Lock:
    """What a lock has of what recipes ask for, of any build machine."""
    sets = {}
    for recipe in graph.recipes.values():
        spec = recipe.go_modules
        ref = set_ref(graph, recipe, spec) if spec else None
        entry = lock.set_for(ref, spec_text(spec)) if spec and ref else None
        if ref and entry:
            sets[ref] = entry
    return Lock(
        pins={ref: pin for ref, pin in lock.pins.items() if ref.recipe in graph.recipes},
        sources={ref: each for ref, each in lock.sources.items() if ref.recipe in graph.recipes},
        go_modules=sets,
    )
