"""Why bubblewrap could not start a step's command, and what to do about it.

Knows: what bwrap 0.5 to 0.11 says before the command runs (its messages go with an errno's text),
what the loader and `Program` say. Must not know: steps.

bwrap writes to the same place as the step, and its exit code is 1 as many a step's: that the
command did not run is known from its status (`Sandbox.wait`). So this is never about what a step
said.
"""

from __future__ import annotations

import re

from attrs import frozen

from rvbuild.core.errors import SandboxError
from rvbuild.executors import kernel_settings
from rvbuild.executors.bwrap import INSTALL_HINT


@frozen
class Reason:
    """One kind of refusal: a pattern of what is said, and what to do.

    Without a hint, what to do depends on the kernel's settings.
    """

    pattern: str
    hint: str = ""


REASONS = (
    # whatever was tried, too little of something is the reason
    Reason("No space left on device|Disk quota exceeded", "free some disk space"),
    Reason("Too many open files", "raise the limit of open files (`ulimit -n`)"),
    Reason("Cannot allocate memory", "run fewer steps at once, or with more memory"),
    Reason("Resource temporarily unavailable", "raise the limit of processes (`ulimit -u`)"),
    Reason("Too many levels of symbolic links|File name too long", "shorten the store's path"),
    # the program that stands before the command
    Reason(
        "execvp .*: Argument list too long",
        "the variables and arguments of the step are longer than the kernel takes",
    ),
    Reason(
        "execvp .*: (Permission denied|Operation not permitted)",
        "let programs run from memory: sysctl vm.memfd_noexec must be below 2, and a security"
        " module (SELinux, AppArmor) must allow it",
    ),
    Reason("execvp .*: Exec format error", "the kernel runs no programs of this machine's kind"),
    Reason("execvp ", "look at what the kernel's log says of it"),
    # bubblewrap itself
    Reason("bubblewrap could not be started", INSTALL_HINT),
    Reason(
        "error while loading shared libraries|version `.*' not found|symbol lookup error",
        f"bubblewrap lacks a library: {INSTALL_HINT}",
    ),
    Reason(
        "Unknown option|must be followed by|not permitted in setuid mode|not supported in arg"
        "|cannot be combined|[Uu]sage: ",
        f"this bubblewrap is too old, or runs as root for everybody: {INSTALL_HINT}",
    ),
    Reason(
        "Unexpected capabilities|Unexpected setuid|capset failed|capget|PR_SET_KEEPCAPS"
        "|unable to (switch|drop)|[Uu]nable to (re-)?set fsuid|can't set dumpable",
        "start rvbuild as a user without capabilities of its own, or as root with all of them",
    ),
    Reason(
        "PR_SET_SECCOMP|PR_SET_NO_NEW_PRIVS|system call filter|[Ii]nvalid seccomp",
        "the kernel must have CONFIG_SECCOMP_FILTER, and a container must allow seccomp(2)",
    ),
    # what it needs of the machine
    Reason(
        "/proc/sys/kernel/overflow|Can't open /proc|open /proc/|mountinfo|stat on /proc",
        "mount /proc: `mount -t proc proc /proc`, or let your container have one",
    ),
    Reason("Can't make overlay|upperdir|workdir", "use a store on a file system with overlays"),
    Reason(
        "(Can't (find source path|access|get type of)|Can't bind mount).*: No such file",
        "something removed what the step needs from the store: see that nothing cleans it, and"
        " build again",
    ),
    Reason(
        "Can't (find source path|access|get type of) .*: Permission denied",
        "let everybody pass the folders above the store (`chmod o+x`)",
    ),
    Reason("Input/output error|Read-only file system|Structure needs", "look at the store's disk"),
    # the kernel, a container or a security module forbids a namespace, or what is done in one
    Reason(
        "namespace|[gu]id map|setgroups|loopback|newroot|oldroot|pivot_root|[Cc]an't |[Uu]nable to "
        "|[Ff]ailed|Unexpected|was refused in the sandbox",
    ),
)
"""The first whose pattern is in what was said decides."""


def refused(said: str) -> SandboxError:
    """The error for a sandbox that could not be made, by what bwrap said."""
    msg = f"the sandbox could not be made: {said or 'bwrap ended without a word'}"
    return SandboxError(msg, hint=hint_for(said))


def hint_for(said: str) -> str:
    """What to do about it; what nobody foresaw may be a kernel's or a container's rule."""
    found = (reason.hint for reason in REASONS if re.search(reason.pattern, said))
    return next(found, "") or "; ".join(kernel_settings.forbidding())
