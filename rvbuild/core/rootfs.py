"""The root file system of an image, and whether what the image starts can run in it.

Knows: paths and links inside of a root, what a program needs there. Must not know: how images
are packed, files on disk.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Union

from attrs import frozen

from rvbuild.core import elf
from rvbuild.core.elf import ByteView, Elf
from rvbuild.core.errors import VerificationError
from rvbuild.core.paths import followed

CA_BUNDLES = (
    "etc/ssl/certs/ca-certificates.crt",  # Debian and most others
    "etc/pki/tls/certs/ca-bundle.crt",
    "etc/ssl/cert.pem",
)
"""Where TLS libraries look for the authorities that they trust."""

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_LIBRARIES = ("lib", "usr/lib", "lib64", "usr/lib64", "usr/local/lib")
_MOST_SCRIPTS = 4  # and on an interpreter that is a script, whose interpreter is one, and so on
_LINE = 256  # what it reads of a script's first line
_TEXT = 1 << 20  # bytes of a passwd or a CA bundle that are looked at
_ROOT = {"", "0", "root"}  # who nobody says is root, too: as a user, and often as the group


@frozen(kw_only=True)
class Plain:
    """A regular file: as much of it as rules look at.

    ``starts``: it begins as what the kernel can start, an ELF file or a script. ``line`` is its
    first line if it is a script; ``elf`` what it says of itself, if it is a sound ELF file;
    ``accounts`` which of the names that were asked for it has a line about, as passwd has;
    ``certificate``: it has one.
    """

    mode: int = 0o644
    starts: bool = False
    line: bytes = b""
    elf: Elf | None = None
    accounts: frozenset[str] = frozenset()
    certificate: bool = False


def plain(data: ByteView, mode: int, names: Collection[str] = ()) -> Plain:
    """A file by its content; ``names`` are the users and groups that somebody will ask for."""
    head = data[:_LINE]
    found = None
    if head.startswith(elf.MAGIC):
        try:
            found = elf.parse(data)
        except VerificationError:
            """The audit of its bytes says so."""
    text = b"\n" + data[:_TEXT]
    return Plain(
        mode=mode,
        starts=head.startswith((elf.MAGIC, b"#!")),
        line=head.partition(b"\n")[0] if head.startswith(b"#!") else b"",
        elf=found,
        accounts=frozenset(name for name in names if f"\n{name}:".encode() in text),
        certificate=_CERTIFICATE in text,
    )


@frozen
class Link:
    """A symbolic link; an absolute target starts at the image's root."""

    target: str


@frozen
class Folder:
    """A directory."""

    mode: int = 0o755


Entry = Union[Plain, Link, Folder]


@frozen
class RootFs:
    """Entries by path, without a leading slash; every folder is there, also the root (``""``)."""

    entries: Mapping[str, Entry]

    def find(self, path: str, at: str = "") -> Entry | None:
        """What a path leads to, from the folder ``at`` if it is relative; None if to nothing."""
        found = self.resolve(path, at)
        return None if found is None else self.entries.get(found)

    def resolve(self, path: str, at: str = "") -> str | None:
        """The path without links in it; None if there are too many, or a file is no folder."""
        return followed(path if path.startswith("/") else f"{at}/{path}", self._look, is_root=True)

    def _look(self, path: str) -> str | bool:
        entry = self.entries.get(path)
        return entry.target if isinstance(entry, Link) else isinstance(entry, Folder)


@frozen(kw_only=True)
class Process:
    """What an image's configuration says of the process that it starts.

    ``search`` are the folders of its PATH.
    """

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    user: str = ""
    working_directory: str = ""

    @property
    def accounts(self) -> tuple[str, str]:
        """The user and the group, each a number, a name, or empty."""
        user, _, group = self.user.partition(":")
        return user, group


Wrong = tuple[str, str, str]
"""Path in the image, what is wrong there, what to do about it."""


def unfit(root: RootFs, process: Process, *, tls: bool) -> Iterator[Wrong]:
    """Everything that keeps the image from running."""
    for path, entry in sorted(root.entries.items()):
        if isinstance(entry, Plain) and entry.elf is not None:
            for what, hint in _unlinkable(root, path, entry.elf):
                yield path, what, hint
    yield from _start(root, process)
    yield from _user(root, process)
    if tls and not any(_holds_certificate(root.find(path)) for path in CA_BUNDLES):
        hint = "copy one out of the input ca-certificates"
        yield CA_BUNDLES[0], "the recipe says `tls`, and there is no CA bundle", hint


def _holds_certificate(entry: Entry | None) -> bool:
    return isinstance(entry, Plain) and entry.certificate


# ---- programs and their libraries


def _unlinkable(root: RootFs, path: str, found: Elf) -> Iterator[tuple[str, str]]:
    hint = "link it with -static, or put what it needs into the image"
    if found.interpreter is not None and not _runs(root.find(found.interpreter)):
        yield f"it wants the interpreter {found.interpreter}, which is not in the image", hint
    folders = list(_library_folders(root, path, found))
    for name in found.needed:
        if not any(isinstance(root.find(f"/{folder}/{name}"), Plain) for folder in folders):
            yield f"it needs {name}, which is not in the image", hint


def _library_folders(root: RootFs, path: str, found: Elf) -> Iterator[str]:
    for places in found.search:
        for place in places.split(":"):
            yield place.replace("$ORIGIN", path.rpartition("/")[0])
    yield from _LIBRARIES
    for folder, entry in root.entries.items():  # Debian's multiarch: lib/riscv64-linux-gnu
        above, _, name = folder.rpartition("/")
        if isinstance(entry, Folder) and above in {"lib", "usr/lib"} and "-linux-" in name:
            yield folder


def _runs(entry: Entry | None) -> bool:
    return isinstance(entry, Plain) and entry.mode & 0o111 != 0


# ---- the process


def _start(root: RootFs, process: Process) -> Iterator[Wrong]:
    words = process.entrypoint + process.command
    if not words:
        hint = "give the image an `entrypoint` or a `command`"
        yield "", "it does not say what to start", hint
        return
    program = words[0]
    path = _program(root, process, program)
    if path is None:
        yield program, "it is to be started, and is not there", "look at what the script put there"
    elif not _runs(root.entries[path]):
        yield program, "it is to be started, and is not executable", "chmod +x, or install -m 755"
    else:
        for what, hint in _unstartable(root, process, path, "it"):
            yield program, what, hint


def _program(root: RootFs, process: Process, program: str) -> str | None:
    """The path of what the runtime would start: a name is looked up in PATH.

    Folders there that depend on the working directory (an empty word is one) are left out:
    runtimes refuse what they find in one.
    """
    if "/" in program:
        path = root.resolve(program, process.working_directory)
        return path if path in root.entries else None
    folders = [folder for folder in process.search if folder.startswith("/")]
    found = [root.resolve(f"{folder}/{program}") for folder in folders]
    return next((path for path in found if path and _runs(root.entries.get(path))), None)


def _unstartable(
    root: RootFs, process: Process, path: str, called: str, scripts: int = 0
) -> Iterator[tuple[str, str]]:
    """Why the kernel would not start the executable file at ``path``, ``called`` so in messages."""
    entry = root.entries[path]
    if not isinstance(entry, Plain) or not entry.starts:
        what = f"{called} is to be started, and is neither an ELF file nor a script"
        yield what, "begin a script with #!/bin/sh"
        return
    barred = _barred(root, process, path)
    if barred is not None:
        what = (
            f"{called} is to be started by {process.user!r}, whom the mode of /{barred} keeps out"
        )
        yield what, f"chmod go+rx /{barred}"
    if entry.line:
        yield from _uninterpretable(root, process, entry.line, scripts + 1)


def _uninterpretable(
    root: RootFs, process: Process, line: bytes, scripts: int
) -> Iterator[tuple[str, str]]:
    """What keeps a script's first line from working."""
    hint = "put it into the image"
    interpreter, argument = _words(line)
    path = root.resolve(interpreter, process.working_directory) if interpreter else None
    if path is None or not _runs(root.entries.get(path)):
        yield f"its interpreter {interpreter!r} is not in the image", hint
        return
    if scripts > _MOST_SCRIPTS:
        yield f"its interpreter {interpreter!r} is a script of a script, and so on", "use a program"
        return
    yield from _unstartable(root, process, path, f"its interpreter {interpreter!r}", scripts)
    asked = _asked_of_env(argument) if interpreter.rpartition("/")[2] == "env" else ""
    if asked and _program(root, process, asked) is None:
        yield f"its interpreter {asked!r} is not in the image's PATH", hint


def _words(line: bytes) -> tuple[str, str]:
    """The interpreter and its one argument, as the kernel splits a script's first line."""
    text = line[2:].decode(errors="replace").replace("\t", " ").strip(" ")
    interpreter, _, argument = text.partition(" ")
    return interpreter, argument.lstrip(" ")


def _asked_of_env(argument: str) -> str:
    """The program that env(1) would look for; empty if its options say something else."""
    for option in ("-S", "--split-string="):
        if argument.startswith(option):
            words = argument.removeprefix(option).split()
            argument = next((word for word in words if "=" not in word), "")
    return "" if argument.startswith("-") or "=" in argument else argument


def _barred(root: RootFs, process: Process, path: str) -> str | None:
    """The first folder on the way to a program, or itself, whose mode keeps the user out.

    All files are root's, and of root's group.
    """
    user, group = process.accounts
    if user in _ROOT:
        return None
    parts = path.split("/")
    for at in ("/".join(parts[:length]) for length in range(len(parts) + 1)):
        entry = root.entries[at]
        mode = 0 if isinstance(entry, Link) else entry.mode
        allowed = mode | mode >> 3 if group in _ROOT else mode
        needed = 0o5 if isinstance(entry, Plain) and entry.line else 0o1
        if allowed & needed != needed:
            return at
    return None


def _user(root: RootFs, process: Process) -> Iterator[Wrong]:
    for word, file in zip(process.accounts, ("etc/passwd", "etc/group"), strict=True):
        if word and not word.isdecimal() and word not in _names(root.find(file)):
            yield file, f"the image is to run as {word!r}, which is not in it", "use a number"


def _names(entry: Entry | None) -> frozenset[str]:
    return entry.accounts if isinstance(entry, Plain) else frozenset()
