"""`lock`: asks the resolver about a project's recipes, and says what is another now.

Knows: which locks there are, and what stays of the old one. Must not know: how facts are found,
who reads the result.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from attrs import evolve, field, frozen

from rvbuild.app.lock_scope import LockScope, lock_scope
from rvbuild.app.own_places import OutsideOwn
from rvbuild.app.project_files import project_lock, put_project_lock, required_project
from rvbuild.app.services import services_of
from rvbuild.app.session import Session, as_upstream, locked_text
from rvbuild.app.source_outputs import SourceOutputs
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import (
    LockError,
    RecipeError,
    RvbuildError,
    each_once,
    raise_failures,
    single_failures,
)
from rvbuild.core.events import Noticed
from rvbuild.core.lock import Lock
from rvbuild.core.lock_failed import LockFailed
from rvbuild.core.lock_rest import LockRest
from rvbuild.core.locked import Locked
from rvbuild.core.names import SourceRef
from rvbuild.core.printable import brief
from rvbuild.engine.go_list import GoList
from rvbuild.engine.resolve import Resolver
from rvbuild.recipes_yaml.lock import write_lock
from rvbuild.recipes_yaml.project_file import near_path

_UNLIKE = "the lock is not what the recipes ask for"
_RELOCK = advise(Remedy.LOCK)


@frozen(kw_only=True)
class LockResult:
    """What locking gave; nothing is written yet.

    Attributes:
        path: The file of the project's lock.
        data: Its bytes as they were read; None: there was none.
        old: What was in it.
        new: What it is to be.
        failures: What is wrong with each recipe that could not be locked, by name, or with one
            that it is read from (`core.lock_failed`). The lock keeps what it had of them.
    """

    path: str
    data: bytes | None
    old: Lock
    new: Lock
    failures: Mapping[str, RvbuildError] = field(factory=dict)

    def differences(self) -> Iterator[str]:
        """The entries that the old lock lacks, has in vain, or has otherwise than it should."""
        yield from _differences(self.old, self.new)
        upstream = _differences(self.old.upstream or Lock(), self.new.upstream or Lock())
        yield from (f"as upstream: {line}" for line in upstream)

    def write(self) -> None:
        """Put the new lock into its file, which stays as it is if nothing but failures came.

        Raises:
            StoreError: it could not be written, or is not what was read; it is as it was.
        """
        if self._is_for_writing():
            put_project_lock(self.path, self.data, write_lock(self.new))

    def refuse_failures(self, *, difference: bool = False) -> None:
        """See that every recipe could be locked.

        Args:
            difference: See, too, that `write` would leave the file as it is, in every byte, but
                for sums that somebody vouches for by now.

        Raises:
            RvbuildError: one recipe could not be locked; the notes tell of the others.
            LockError: the file is another.
            RunFailed: for more than one reason.
        """
        unlike = [self._difference()] if difference and self._is_different() else []
        kept = not difference and self._is_for_writing()
        raise_failures([*unlike, *self.errors()], self, kept=kept)

    def errors(self) -> list[Exception]:
        """Each error of the recipes that could not be locked, once; a note names the recipes."""
        return _errors(self.failures)

    def _is_for_writing(self) -> bool:
        return not self.failures or any(self.differences())

    def _is_different(self) -> bool:
        if not self._is_for_writing():
            return False
        new = self.new.with_marks_of(self.old)
        return (self.data or b"") != write_lock(new).encode()

    def _difference(self) -> LockError:
        details = tuple(self.differences())
        return LockError(_UNLIKE, where=self.path, hint=_RELOCK, details=details)


def _differences(old: Lock, new: Lock) -> Iterator[str]:
    for section in ("pins", "sources", "go_modules"):
        had, has = getattr(old, section), getattr(new, section)
        for key in sorted({*had, *has}):
            if had.get(key) != has.get(key):
                how = "not needed" if key not in has else "changed" if key in had else "missing"
                yield f"{section.replace('_', '-')}: {key}: {how}"


def _errors(failures: Mapping[str, RvbuildError]) -> list[Exception]:
    """Each error of the recipes that could not be locked, once; a note names the recipes."""
    errors = each_once(single_failures(failures.values()))
    if errors:
        errors[0].add_note(f"not locked: {', '.join(map(brief, failures))}")
    return errors


def lock(
    session: Session,
    recipes: tuple[str, ...] = (),
    *,
    check: bool = False,
    every_failure: bool = False,
    renewed: Collection[SourceRef] = (),
) -> LockResult:
    """The lock of the project's recipes.

    Args:
        session: The run.
        recipes: Names: only these, and what was read from a source that changes by them. None:
            all of the project's that can be locked (`app.lock_scope`).
        check: Take nothing as right that somebody changed in the locks.
        every_failure: Go on after what is wrong with one of the named recipes, as without names.
        renewed: The sources, on any machine, that are asked for anew, whatever the lock has.

    Raises:
        UsageError: there is no project.
        RecipeError: one of the named recipes, or one that it needs, is broken.
        LockError: a lock is not valid; with ``check``, it contradicts the recipes.
        RunFailed: with ``check``, it does, and some recipes are broken.
    """
    path = _project_lock(session)
    data = project_lock(path)
    old = Lock() if data is None else locked_text(data, near_path(path), mend=not check)
    if recipes:
        _refuse_version_1(old, path)
    scope = lock_scope(session, recipes, old)
    failures: dict[str, RvbuildError] = {**scope.failures}
    if check:
        _refuse_contradictions(session, scope, path, None if recipes else failures)
    place = failures if every_failure or not recipes else None
    earlier = (old, session.known(include_project=False, mend=not check))
    new, resolved = _resolve(session, scope, earlier, place, renewed)
    result = LockResult(
        path=path, data=data, old=old, new=new, failures=dict(sorted(failures.items()))
    )
    if failures and _is_version_1(old):
        raise_failures(_errors(result.failures), result)
    part = _Part(session, scope, resolved, frozenset(failures), is_partial=bool(recipes))
    for name, cause in part.locked(old, new).causes(part.failed).items():
        failures[name] = failures[cause]
    part = evolve(part, failed=frozenset(failures))
    new = part.joined(old, new)
    new = evolve(new, upstream=_upstream(part, recipes, old, new))
    return evolve(result, new=new, failures=dict(sorted(failures.items())))


@frozen(kw_only=True)
class _Part:
    """What a run looked at, and so what stays of a former lock."""

    session: Session = field(kw_only=False)
    scope: LockScope = field(kw_only=False)
    asked: frozenset[str] = field(kw_only=False)  # names, also of those that nobody asked for
    failed: frozenset[str] = field(kw_only=False)
    is_partial: bool

    @property
    def resolved(self) -> frozenset[str]:
        """The recipes that all is known of."""
        return self.asked - self.failed

    def locked(self, old: Lock, new: Lock) -> LockFailed:
        """What is right with the recipes that could be locked."""
        return LockFailed(old=old, new=new, recipes=self.scope.readable(self.asked))

    @property
    def has_overrides(self) -> bool:
        """Whether one of the resolved recipes has a value instead of upstream's."""
        return any(each.overrides for each in self.scope.readable(self.resolved).values())

    def joined(self, old: Lock, new: Lock) -> Lock:
        """The new lock, with what stays of the old one."""
        if self.failed:
            new = self.locked(old, new).joined(self.failed)
        if self.is_partial:
            rest = LockRest(
                new=new,
                resolved=self.resolved,
                recipes=(*self.scope.project, *self.scope.recipes.values()),
                is_complete=self.scope.is_complete,
            )
            return rest.united(old)
        if self.failed:
            return _united(old, new)
        return new.with_machines_of(old, self.session.build_arch)


def _upstream(part: _Part, names: tuple[str, ...], old: Lock, new: Lock) -> Lock | None:
    """The entries that are others for recipes without overrides.

    They are for comparison alone: where one cannot be had, that stops nothing, and is told.
    """
    former, current = old.upstream or Lock(), Lock()
    failures: dict[str, RvbuildError] = {}
    if old.upstream or part.has_overrides:
        session = as_upstream(part.session)
        scope = lock_scope(session, names, old)
        scope = evolve(scope, recipes=scope.readable(part.resolved))
        shipped = session.known(include_project=False, mend=True)
        current, resolved = _resolve(session, scope, (former, new, shipped), failures)
        part = evolve(part, session=session, scope=scope, asked=resolved)
        for name, error in failures.items():
            session.report(Noticed(name, f"cannot be locked as upstream has it: {error}"))
    part = evolve(part, failed=part.failed | failures.keys())
    others = current.other_than(new) or Lock()
    return part.joined(former, others).other_than(new)


def _united(old: Lock, new: Lock) -> Lock:
    """What a run that could not look at everything leaves: it cannot know what nobody needs."""
    return evolve(
        new,
        pins={**old.pins, **new.pins},
        sources={**old.sources, **new.sources},
        go_modules={**old.go_modules, **new.go_modules},
    )


def _project_lock(session: Session) -> str:
    """The project's lock; the one that came with rvbuild is not anybody's to write."""
    required_project(session.workspace, "write recipes/NAME/recipe.yaml first")
    return session.workspace.locks[0]


def _refuse_version_1(old: Lock, path: str) -> None:
    """See that each entry has its trace: a lock of some recipes would leave the others without.

    Raises:
        LockError: one has none, as in locks of version 1.
    """
    if _is_version_1(old):
        msg = "a lock of an older format is written again as a whole, not for some recipes"
        raise LockError(msg, where=path, hint=advise(Remedy.LOCK, " first: it keeps every pin"))


def _is_version_1(old: Lock) -> bool:
    sections = (old.pins, old.sources, old.go_modules)
    entries = [entry for section in sections for entry in section.values()]
    sums = all(entry.go_sum for entry in old.go_modules.values())
    return not sums or any(entry.trace is None for entry in entries)


def _resolve(
    session: Session,
    scope: LockScope,
    earlier: tuple[Lock, ...],
    failures: dict[str, RvbuildError] | None,
    renewed: Collection[SourceRef] = (),
) -> tuple[Lock, frozenset[str]]:
    """What the recipes ask for, and the names of the recipes that were resolved for it.

    What is wrong with a recipe gets into ``failures``, or is the error if that is None.
    """
    outputs = SourceOutputs(services_of(session), session.jobs())
    go_list = GoList(scope.graph, outputs, session.build_arch)
    resolver = Resolver(
        recipes=scope.graph,
        registries=OutsideOwn(session.sources, session.own),
        trees=outputs,
        needed=go_list,
        changed=go_list.changed,
        build_arch=session.build_arch,
        earlier=earlier,
        renewed=renewed,
        failures=failures,
        today=session.today,
    )
    with (
        session.store.locks.shared()
    ):  # from when a source is fetched until its files have been read
        recipes = [scope.recipes[name] for name in sorted(scope.recipes)]
        return resolver.lock(recipes, scope.project, scope.shipped), frozenset(resolver.resolved)


def _refuse_contradictions(
    session: Session, scope: LockScope, path: str, failures: dict[str, RvbuildError] | None
) -> None:
    """See that a lock can be the answer to recipes, before anybody outside is asked.

    What is wrong with a recipe gets into ``failures``, or is the error if that is None.

    Raises:
        LockError: the lock lacks what some of them ask for, or has what that cannot be.
        RunFailed: it does, and there are failures.
    """
    locked = Locked(session.known(), scope.graph, session.build_arch)
    contradictions: list[LockError] = []
    for recipe in scope.recipes.values():
        try:
            contradictions += locked.refusals(recipe)
        except RecipeError as error:
            if failures is None:
                raise
            failures.setdefault(recipe.name, error)
    contradictions = each_once(contradictions)
    if contradictions:
        raise_failures([_contradiction(contradictions, path), *_errors(failures or {})])


def _contradiction(refusals: Sequence[LockError], path: str) -> LockError:
    """Several entries that are no answers, as one error at the lock; a single one at its place."""
    if len(refusals) == 1:
        details = (refusals[0].message, *refusals[0].details)
        return LockError(_UNLIKE, where=refusals[0].where, hint=_RELOCK, details=details)
    lines: list[str] = []
    for refusal in refusals:
        lines += [str(refusal), *(f"  {line}" for line in refusal.details)]
    return LockError(_UNLIKE, where=path, hint=_RELOCK, details=tuple(lines))
