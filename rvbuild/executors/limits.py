"""What one sandbox may use, and how the kernel is told.

Knows: resource limits. Must not know: what runs under them.
"""

from __future__ import annotations

import resource

from attrs import frozen

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


@frozen(kw_only=True)
class Limits:
    """The same on every machine, so that what a step can see of them is constant.

    ``log_bytes``: of standard output and error together; then the step is killed.
    ``processes``: at once in the sandbox; counted, since the kernel exempts root's.
    ``tasks``: RLIMIT_NPROC (threads count too); holds between two counts for other users.
    ``output_entries``, ``output_bytes``: files, folders and links of an output, and the bytes
    that they hold for a reader: a hole in a file counts.
    ``disk_bytes``, ``disk_entries``: of all that a step may write to, ``/build`` and ``/tmp``.
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
    disk_bytes: int = 64 << 30
    disk_entries: int = 4_000_000

    def table(self) -> list[tuple[int, int]]:
        """Kinds of setrlimit(2) and their values, hard and soft.

        A hard limit that this user cannot raise stays where it is.
        """
        wanted = (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_NPROC, self.tasks),
            (resource.RLIMIT_NOFILE, self.open_files),
            (resource.RLIMIT_FSIZE, self.file_bytes),
            (resource.RLIMIT_STACK, self.stack_bytes),
            *_OTHERS,
        )
        return [(kind, _at_most(value, resource.prlimit(0, kind)[1])) for kind, value in wanted]


def _at_most(value: int, hard: int) -> int:
    if hard == resource.RLIM_INFINITY:
        return value
    return hard if value == resource.RLIM_INFINITY else min(value, hard)
