"""A change of several files: which, how far it is, and what stops it.

Knows: what is recorded of a file, by digests. Must not know: where it waits, who puts it in place.
"""

from __future__ import annotations

import errno
import hashlib

from attrs import frozen

from rvbuild.core.paths import is_component


class Disturbed(OSError):
    """A file is not what it was when the change began; whoever changed it has the last word."""

    def __init__(self, path: str) -> None:
        super().__init__(errno.ESTALE, "it was changed by somebody else meanwhile", path)


@frozen(kw_only=True)
class ChangeState:
    """How far a change is; each file by its path from the folder on.

    Attributes:
        old: Those that are as before: they wait for their place, or somebody took them back.
        new: Those that have their place, whoever changed them since.
        edited: Those that wait, and somebody changed or removed what is at their place.
    """

    old: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()


class HalfDone(OSError):
    """A change was interrupted when it had happened, and cannot be put in place here.

    Args:
        path: Where.
        why: What stops it.
        state: How far it is, if its record can be read.
    """

    def __init__(self, path: str, why: OSError | str, state: ChangeState | None = None) -> None:
        text = why if isinstance(why, str) else why.strerror
        super().__init__(
            errno.EBUSY, f"a change was interrupted, and cannot be ended: {text}", path
        )
        self.state = state or ChangeState()


@frozen
class ChangedFile:
    """A file of a change: its path, and the SHA-256 of what was and of what is to be there."""

    path: str
    old: str | None
    new: str

    @classmethod
    def parse(cls, path: object, old: object, new: object) -> ChangedFile:
        """That of a record, which a checkout may have from anybody.

        Raises:
            TypeError: something is no text.
            ValueError: the path is none of the folder's own files, or another program's.
        """
        if not isinstance(path, str) or not isinstance(new, str):
            raise TypeError
        if not isinstance(old, str | None):
            raise TypeError
        if not all(is_component(name) and not name.startswith(".") for name in path.split("/")):
            raise ValueError(path)
        return cls(path, old, new)


def content_digest(data: bytes | None) -> str | None:
    """The SHA-256 of what is in a file; None if there is none."""
    return None if data is None else hashlib.sha256(data).hexdigest()
