"""The root file system of an image, and whether what the image starts can run in it.

Knows: paths and links inside of a root, what a program needs there. Must not know: how images
are packed, files on disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Union

from attrs import field, frozen

from rvbuild.core.elf import Elf

CA_BUNDLES = (
    "etc/ssl/certs/ca-certificates.crt",  # Debian and most others
    "etc/pki/tls/certs/ca-bundle.crt",
    "etc/ssl/cert.pem",
)
"""Where TLS libraries look for the authorities that they trust."""

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_LIBRARIES = ("lib", "usr/lib", "lib64", "usr/lib64", "usr/local/lib")
_MOST_LINKS = 40  # the kernel gives up on a path after as many


@frozen(kw_only=True)
class Plain:
    """A regular file: as much of it as rules look at.

    ``line`` is its first line if that is a script's; ``elf`` what it says of itself, if it is one;
    ``text`` all of it, if it is below ``etc``.
    """

    executable: bool = False
    line: bytes = b""
    elf: Elf | None = None
    text: bytes = field(default=b"", repr=False)


@frozen
class Link:
    """A symbolic link; an absolute target starts at the image's root."""

    target: str


@frozen
class Folder:
    """A directory."""


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
        here: list[str] = [] if path.startswith("/") else _parts(at)
        ahead = list(reversed(_parts(path)))
        links = 0
        while ahead:
            part = ahead.pop()
            if part == "..":
                here = here[:-1]
                continue
            entry = self.entries.get("/".join([*here, part]))
            if isinstance(entry, Link):
                links += 1
                if links > _MOST_LINKS:
                    return None
                here = [] if entry.target.startswith("/") else here
                ahead += reversed(_parts(entry.target))
            elif isinstance(entry, Folder) or not ahead:
                here.append(part)
            else:
                return None
        return "/".join(here)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]


@frozen(kw_only=True)
class Process:
    """What an image's configuration says of the process that it starts."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    user: str = ""
    working_directory: str = ""


Wrong = tuple[str, str, str]
"""Path in the image, what is wrong there, what to do about it."""


def unfit(root: RootFs, process: Process, *, tls: bool) -> Iterator[Wrong]:
    """Everything that keeps the image from running."""
    for path, entry in sorted(root.entries.items()):
        if isinstance(entry, Plain) and entry.elf is not None:
            for what, hint in _unlinkable(root, path, entry.elf):
                yield path, what, hint
    yield from _start(root, process)
    yield from _user(root, process.user)
    if tls and not any(_holds_certificate(root.find(path)) for path in CA_BUNDLES):
        hint = "copy one out of the input ca-certificates"
        yield CA_BUNDLES[0], "the recipe says `tls`, and there is no CA bundle", hint


def _holds_certificate(entry: Entry | None) -> bool:
    return isinstance(entry, Plain) and _CERTIFICATE in entry.text


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
    return isinstance(entry, Plain) and entry.executable


# ---- the process


def _start(root: RootFs, process: Process) -> Iterator[Wrong]:
    words = process.entrypoint + process.command
    if not words:
        hint = "give the image an `entrypoint` or a `command`"
        yield "", "it does not say what to start", hint
        return
    program = words[0]
    entry = _program(root, process, program)
    if entry is None:
        yield program, "it is to be started, and is not there", "look at what the script put there"
    elif not _runs(entry):
        yield program, "it is to be started, and is not executable", "chmod +x, or install -m 755"
    elif isinstance(entry, Plain) and entry.line:
        interpreter = (entry.line[2:].split() or [b""])[0].decode(errors="replace")
        if not _runs(root.find(interpreter)):
            what = f"its interpreter {interpreter!r} is not in the image"
            yield program, what, "put it into the image"


def _program(root: RootFs, process: Process, program: str) -> Entry | None:
    """What the runtime would start: a name is looked up in PATH, as execvp(3) does it."""
    if "/" in program:
        return root.find(program, process.working_directory)
    found = [root.find(f"{folder}/{program}") for folder in process.search]
    return next((entry for entry in found if _runs(entry)), None)


def _user(root: RootFs, user: str) -> Iterator[Wrong]:
    name, _, group = user.partition(":")
    for word, file in ((name, "etc/passwd"), (group, "etc/group")):
        if word and not word.isdecimal() and word not in _names(root.find(file)):
            yield file, f"the image is to run as {word!r}, which is not in it", "use a number"


def _names(entry: Entry | None) -> set[str]:
    text = entry.text if isinstance(entry, Plain) else b""
    return {line.partition(":")[0] for line in text.decode(errors="replace").splitlines()}
