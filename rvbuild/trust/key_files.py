"""Files of keys: `NAME.pub`, `NAME.revoked` and `NAME.key` in a folder.

Knows: names, sizes, and who may read or write such a file. Must not know: whom a run trusts.

A link is followed, if it leads to a regular file: some keep their configuration elsewhere.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from rvbuild.core.errors import UsageError
from rvbuild.files.folder import WrongKind, open_file
from rvbuild.files.replacement import create_file
from rvbuild.trust.private_key import PrivateKey

PUBLIC, REVOKED, PRIVATE = ".pub", ".revoked", ".key"

_MOST_BYTES = 4096
_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_LOOK = "see what is there (`ls -l`)"


def names_in(folder: str, ending: str) -> list[str]:
    """The names that files with an ending are for, sorted; none, if there is no such folder.

    Raises:
        UsageError: it cannot be listed.
    """
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    except OSError as error:
        msg = f"the folder of keys cannot be read: {error.strerror}"
        raise UsageError(msg, where=folder, hint=_LOOK) from error
    return sorted(name.removesuffix(ending) for name in names if name.endswith(ending))


def refuse_open_folder(folder: str) -> None:
    """See that not everybody can put a key into a folder, which need not be there.

    Raises:
        UsageError: everybody can.
    """
    if os.path.isdir(folder) and os.stat(folder).st_mode & stat.S_IWOTH:
        msg = "everybody may write to this folder of keys"
        hint = f"if nobody else has put a key there: chmod o-w {folder}"
        raise UsageError(msg, where=folder, hint=hint)


def read_key_file(file: str) -> bytes:
    """The bytes of a small regular file.

    Raises:
        UsageError: it is something else, too large, or cannot be read.
    """
    return _content(file)[0]


def read_private(file: str) -> PrivateKey:
    """The key in a file that only its owner may read.

    Raises:
        UsageError: others may read it, or it is no such file.
    """
    data, mode = _content(file)
    if mode & _OF_OTHERS:
        msg = f"others may read this private key: its mode is {stat.S_IMODE(mode):o}"
        hint = f"if nobody has: chmod 600 {file}; else make a new key"
        raise UsageError(msg, where=file, hint=hint)
    key = PrivateKey.read(data, file)
    refuse_other_name(file, key.name)
    return key


def refuse_other_name(file: str, name: str) -> None:
    """See that the file of a key is called as the key is.

    Raises:
        UsageError: it is not.
    """
    stem, ending = os.path.splitext(os.path.basename(file))
    if stem != name:
        msg = f"the key in this file is called {name}"
        raise UsageError(msg, where=file, hint=f"call the file {name}{ending}")


def write_new(file: str, text: str, *, private: bool = False) -> None:
    """Write a line or two into a file that is not there yet; its folder is made, too.

    Raises:
        UsageError: there is one already.
        OSError: it cannot be written.
    """
    _make_folder(os.path.dirname(file), 0o700 if private else 0o755)
    try:
        create_file(file, f"{text}\n".encode(), mode=0o600 if private else 0o644)
    except FileExistsError:
        msg = "there is such a file already, and it stays"
        raise UsageError(msg, where=file, hint="choose another name") from None


def _make_folder(folder: str, mode: int) -> None:
    """Make what is missing of a way; others may not write there, whatever the umask."""
    if not os.path.isdir(folder):
        _make_folder(os.path.dirname(folder), mode)
        with suppress(FileExistsError):  # somebody was quicker; or what is no folder says so next
            os.mkdir(folder, mode)


def _content(file: str) -> tuple[bytes, int]:
    """A file's bytes and mode."""
    try:
        handle = open_file(os.path.realpath(file))
        try:
            data, mode = os.read(handle, _MOST_BYTES + 1), os.fstat(handle).st_mode
        finally:
            os.close(handle)
    except OSError as error:
        why = error.problem if isinstance(error, WrongKind) else error.strerror
        msg = f"the file of a key cannot be read: {why}"
        raise UsageError(msg, where=file, hint=_LOOK) from error
    if len(data) > _MOST_BYTES:
        msg = f"too large for a key: more than {_MOST_BYTES} bytes"
        raise UsageError(msg, where=file, hint=_LOOK)
    return data, mode
