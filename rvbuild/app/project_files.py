"""The files of a project that change together: its recipes and its lock.

Knows: what goes wrong there, in words. Must not know: what is in the files, how they change as one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from rvbuild.app.lock_file import put_lock
from rvbuild.app.workspace import JOURNAL, Workspace
from rvbuild.core.errors import LockError, StoreError, UsageError
from rvbuild.core.system_fault import Site, hint_for
from rvbuild.files.change import Disturbed, HalfDone
from rvbuild.files.folder import WrongKind
from rvbuild.files.journal import Journal, NewContent, changing, settle
from rvbuild.recipes_yaml.lock import MAX_BYTES
from rvbuild.recipes_yaml.project_file import near_path, read_file

_PROJECT = "the project cannot be changed"
_LOCK = "the lock cannot be written"
_AGAIN = "run it again: it begins with what is there now"
_WRITABLE = "let any command run where the project can be written"
_BY_HAND = (
    f"remove {JOURNAL}/ to keep the files as they are, and compare them with what is committed"
)
_NO_LINKS = "a change of several files goes through no link: put the file itself there"


def required_project(workspace: Workspace, hint: str) -> str:
    """The project's folder.

    Args:
        workspace: Where the run is.
        hint: What to do where there is no project.

    Raises:
        UsageError: there is none.
    """
    if workspace.project is None:
        msg = "this is no project: here are neither recipes/ nor rvbuild.lock"
        raise UsageError(msg, where=os.getcwd(), hint=hint)
    return workspace.project


def put_project(project: str, changes: Sequence[NewContent]) -> None:
    """Change files of a project, all or none.

    Raises:
        StoreError: one was changed by somebody else since it was read, or they cannot be written.
    """
    with _project_errors(project, _PROJECT, Site.PROJECT), _journal(project) as journal:
        journal.put(changes)


def put_project_lock(path: str, old: bytes | None, text: str) -> None:
    """Put a project's lock there whole, if it is what was read; through a link as `put_lock`.

    Args:
        path: The file, in the project's folder.
        old: What was read; None: it was not there.
        text: What is to be there.

    Raises:
        StoreError: it was changed by somebody else since, or cannot be written.
    """
    project, name = os.path.split(path)
    with _project_errors(project, _LOCK, Site.LOCK), _journal(project) as journal:
        if not os.path.islink(path):
            journal.put([NewContent(name, old, text.encode())])
            return
        if project_lock(path) != old:
            raise Disturbed(path)
        put_lock(path, text)


def project_lock(path: str) -> bytes | None:
    """The bytes of a project's lock; None if it has none.

    Raises:
        LockError: it cannot be read.
    """
    if not os.path.lexists(path):
        return None
    return read_file(path, near_path(path), limit=MAX_BYTES, error=LockError).data


def settle_project(project: str) -> tuple[str, ...]:
    """End a change that was interrupted, or take it back, before anybody reads the project.

    The files that it changed just now, by their paths in the project.

    Raises:
        StoreError: it cannot be ended here.
    """
    with _project_errors(project, _PROJECT, Site.PROJECT):
        return tuple(settle(os.path.realpath(project), JOURNAL))


def _journal(project: str) -> AbstractContextManager[Journal]:
    return changing(os.path.realpath(project), JOURNAL)


@contextmanager
def _project_errors(project: str, what: str, site: Site) -> Iterator[None]:
    try:
        yield
    except Disturbed as error:
        raise StoreError(
            str(error.strerror), where=near_path(str(error.filename)), hint=_AGAIN
        ) from error
    except HalfDone as error:
        raise _half_done(error) from error
    except WrongKind as error:
        msg = f"{what}: {error.problem}"
        raise StoreError(msg, where=near_path(error.path), hint=_NO_LINKS) from error
    except OSError as error:
        msg, where = f"{what}: {error.strerror}", near_path(str(error.filename or project))
        raise StoreError(msg, where=where, hint=hint_for(error.errno, site)) from error


def _half_done(error: HalfDone) -> StoreError:
    state = error.state
    rows = (
        ("still old", state.old),
        ("new", state.new),
        ("changed by somebody", state.edited),
    )
    details = tuple(f"{what}: {', '.join(paths)}" for what, paths in rows if paths)
    return StoreError(
        str(error.strerror),
        where=near_path(str(error.filename)),
        hint=f"{way}; or {_BY_HAND}" if (way := _way_to_end(error)) else _BY_HAND,
        details=details,
    )


def _way_to_end(error: HalfDone) -> str:
    """What lets the next command end a change; empty if nothing does."""
    if error.state.edited:
        return f"undo what was done to {', '.join(error.state.edited)}, and any command ends it"
    cause = error.__cause__  # a record, or new bytes, that are not there any more come from nowhere
    return _WRITABLE if isinstance(cause, OSError) and not isinstance(cause, Disturbed) else ""
