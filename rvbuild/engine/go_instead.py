"""Sets of Go modules in which others stand instead of what go.mod says.

Knows: what go.mod says of a module, and who says what the set is then. Must not know: how the go
command runs, registries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from attrs import evolve, frozen

from rvbuild.core.errors import LockError, OverrideEnded, RecipeError, raise_failures
from rvbuild.core.go_mod_changes import GoModChanges, UpstreamModule, replacement, sum_name
from rvbuild.core.go_source import GoModule, SeenLinesSpec, SeenModuleSpec
from rvbuild.core.gomod import GoMod, parse_go_mod
from rvbuild.core.lock import GoModuleSet
from rvbuild.core.names import SetRef
from rvbuild.core.question import User
from rvbuild.core.recipe import GoModulesSpec, Recipe
from rvbuild.engine.go_modules import all_modules, asked, is_listed
from rvbuild.engine.source_files import SourceFiles
from rvbuild.engine.sources import SourceFinder


@frozen
class SeenSet:
    """A set as it is outside, with what stands instead of what go.mod says.

    Attributes:
        finder: The outside.
        user: Whose source it is, and what it asks for.
    """

    finder: SourceFinder
    user: User

    def whole(self, changes: GoModChanges, *, discover: bool = False) -> GoModuleSet:
        """All that the graph of the module needs; see `all_modules`."""
        return all_modules(self.finder, *self.user, changes, discover=discover)

    def sum_line(self, path: str, version: str) -> str:
        """The line of a go.sum for the zip of a module that is there now."""
        return self._line(SeenModuleSpec(path=path, version=version))

    def go_mod_line(self, path: str, version: str) -> str:
        """The line of a go.sum for the go.mod of a module that is there now."""
        return self._line(SeenModuleSpec(path=path, version=version, file="/go.mod"))

    def _line(self, asked: SeenModuleSpec) -> str:
        recipe, spec = self.user
        (answer,) = self.finder.parts(recipe, asked, spec.where)
        if not isinstance(answer, GoModule):
            raise TypeError(answer)
        return f"{asked.path} {asked.version}{asked.file} {answer.h1}"


ChangedModules = Callable[[Sequence[User], SourceFiles, SeenSet, GoModChanges], GoModuleSet]
"""What the users' packages need of a set with changes, and the changes that follow from these."""


def nothing_changed(
    _users: Sequence[User], _files: SourceFiles, seen: SeenSet, changes: GoModChanges
) -> GoModuleSet:
    """What holds where no go command runs: the modules that go.mod's graph has."""
    return seen.whole(evolve(changes, offered=()))


def upstream_modules(files: SourceFiles, user: User) -> tuple[UpstreamModule, ...]:
    """What go.mod says of each module that another stands for, and where.

    Raises:
        LockError: it does not name one.
    """
    recipe, spec = user
    return tuple(sorted(_upstream(files, recipe, spec), key=str))


def _upstream(files: SourceFiles, recipe: Recipe, spec: GoModulesSpec) -> Iterator[UpstreamModule]:
    file = spec.files[0]
    go_mod = parse_go_mod(files.main_module(recipe, spec).go_mod, file)
    for module, override in spec.instead.items():
        upstream = said_of(go_mod, module)
        if upstream is None:
            msg = f"{file} does not name {module}: nothing can stand instead of it"
            raise LockError(msg, where=override.where, hint="name a module as go.mod requires it")
        yield UpstreamModule(module=module, version=upstream[0], file=file, line=upstream[1])


def said_of(go_mod: GoMod, module: str) -> tuple[str, int] | None:
    """A version, a path and a version, or a folder; and the line that says it."""
    for each in go_mod.replacements:
        if each.old == module and each.is_local:
            return each.new, each.line
    effective = go_mod.effective(module)
    if effective is None:
        return None
    by = "" if effective.path == module else f"{effective.path} "
    return f"{by}{effective.version}", effective.line


def refuse_ended(
    ref: SetRef, spec: GoModulesSpec, upstream: Sequence[UpstreamModule], today: str
) -> None:
    """See that what stands instead of modules is still decided; see `core.override`.

    Raises:
        OverrideEnded: one is not.
        RunFailed: several are not.
    """
    ends: list[Exception] = []
    for each in upstream:
        name, place = f"{ref}: {each.module}", f"{ref.source.recipe} {each.file}:{each.line}"
        try:
            spec.instead[each.module].refuse_ended(name, each.version, place, today)
        except OverrideEnded as error:
            ends.append(error)
    raise_failures(ends)


def overridden_set(
    finder: SourceFinder, users: Sequence[User], needed: ChangedModules
) -> GoModuleSet:
    """What all of ``users`` need, with what stands instead of modules.

    The go command says which modules that are, and what else of go.mod follows; the lines of go.sum
    that nobody had before are held to whoever vouches for them.
    """
    (_, spec), seen = users[0], SeenSet(finder, users[0])
    _refuse_unfit(users)
    wanted = sorted(replacement(path, each.value) for path, each in spec.instead.items())
    changes = seen.whole(GoModChanges(statements=tuple(wanted)), discover=True).changes
    modules = evolve(
        needed(users, finder.files, seen, changes), specs=asked(users), instead=spec.instead
    )
    return checked_by_others(finder, users[0], modules, modules.changes.sums)


def checked_by_others(
    finder: SourceFinder, user: User, entry: GoModuleSet, lines: Iterable[str]
) -> GoModuleSet:
    """A set whose ``unvouched`` are those of some lines for which nobody vouches.

    Raises:
        RvbuildError: who is asked about a line says that it is another.
    """
    recipe, spec = user
    parts = finder.parts(recipe, SeenLinesSpec(lines=tuple(lines)), spec.where)
    names = (f"{part.path} {part.version}" for part in parts if isinstance(part, GoModule))
    return evolve(entry, unvouched=tuple(sorted(names)))


def asked_again(finder: SourceFinder, user: User, entry: GoModuleSet) -> GoModuleSet:
    """An entry of a lock, after the question for whatever nobody vouched for then."""
    if not entry.unvouched:
        return entry
    lines = (line for line in entry.changes.sums if sum_name(line) in entry.unvouched)
    return checked_by_others(finder, user, entry, lines)


def _refuse_unfit(users: Sequence[User]) -> None:
    for user, spec in users:
        if spec.workspace or not is_listed(users):
            msg = f"{user.name}: modules can stand instead of go.mod's where packages are named"
            hint = "name `packages` in each recipe that uses the set, and no `workspace`"
            raise RecipeError(msg, where=spec.where, hint=hint)
