"""The settings of a kernel that forbid namespaces to ordinary users, and how to turn them.

Knows: sysctls. Must not know: bubblewrap.
"""

from __future__ import annotations

import os

_KNOBS = (
    (
        "kernel/unprivileged_userns_clone", "0",
        "kernel.unprivileged_userns_clone is 0: sudo sysctl -w kernel.unprivileged_userns_clone=1",
    ),
    (
        "kernel/apparmor_restrict_unprivileged_userns", "1",
        "AppArmor forbids it (kernel.apparmor_restrict_unprivileged_userns is 1): give bwrap a"  # noqa: ISC004
        " profile with `userns,`, or sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    (
        "user/max_user_namespaces", "0",
        "user.max_user_namespaces is 0: sudo sysctl -w user.max_user_namespaces=15000",
    ),
)  # fmt: skip
_CONTAINER_MARKS = (".dockerenv", "run/.containerenv")
_CONTAINER = (
    "this is a container: start it with --security-opt seccomp=unconfined"
    " --security-opt apparmor=unconfined --security-opt systempaths=unconfined"
)
_UNKNOWN = "ask whoever runs this machine for unprivileged user namespaces"


def forbidding(root: str = "/") -> tuple[str, ...]:
    """What to do, by every setting that forbids user namespaces; never empty.

    Args:
        root: Where ``proc/sys`` is; for tests.
    """
    found = [hint for path, bad, hint in _KNOBS if _read(f"{root}/proc/sys/{path}") == bad]
    if any(os.path.exists(os.path.join(root, mark)) for mark in _CONTAINER_MARKS):
        found.append(_CONTAINER)
    return tuple(found) or (_UNKNOWN,)


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None
