"""The system call filter of a sandbox, as the classic BPF program that the kernel takes.

Knows: what namespaces do not seal. Must not know: bubblewrap.
Sources: seccomp(2), Linux ``include/uapi/linux/{filter,seccomp,audit}.h`` and the system
call tables of each architecture.

Namespaces leave open: address families that belong to no network namespace (a virtual
machine's AF_VSOCK reaches its host), the keyrings of the user, the kernel's log, io_uring
(which makes sockets past a filter), what file systems tell of their disks, and further
namespaces, inside which a process has every capability. The first process of a sandbox is
bwrap's own, has the same user and sees what is hidden from a step, so nobody may get at it.
Nothing of this is needed to build software; whatever is refused gets the error that a
kernel without the feature gives, so that programs go on without it.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Mapping

from rvbuild.core.architecture import InstructionSet, of_machine

_LOAD, _EQUAL, _ABOVE, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF_LD|W|ABS, BPF_JMP|…
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_NUMBER, _ARCH, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24  # struct seccomp_data
_NEW_USER_NAMESPACE = 0x10000000
_FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK
_X32 = 0x40000000
_REQUESTS = (  # of ioctl
    0x5412, 0x541C,  # TIOCSTI, TIOCLINUX: typing on a terminal
    0x80111500, 0x80811501,  # FS_IOC_GETFSUUID, FS_IOC_GETFSSYSFSPATH
    0x8008662C,  # EXT4_IOC_GETFSUUID
    0x8400941F,  # BTRFS_IOC_FS_INFO
    0x8100587E, 0x8070587C, 0x80705864,  # XFS_IOC_FSGEOMETRY, _V4, _V1
    0xC020660B,  # FS_IOC_FIEMAP: where on the disk
)  # fmt: skip

_REFUSED = (
    "add_key", "request_key", "keyctl",
    "io_uring_setup", "io_uring_enter", "io_uring_register",
    "bpf", "perf_event_open", "userfaultfd", "open_by_handle_at", "clone3",
    "syslog", "statmount", "listmount", "kcmp",
)  # fmt: skip

_SINCE_2019 = {  # the same number everywhere
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "clone3": 435,
    "pidfd_open": 434, "statmount": 457, "listmount": 458,
}  # fmt: skip
_GENERIC = _SINCE_2019 | {
    "ioctl": 29, "unshare": 97, "syslog": 116, "socket": 198, "socketpair": 199, "add_key": 217,
    "request_key": 218, "keyctl": 219, "clone": 220, "perf_event_open": 241,
    "open_by_handle_at": 265, "bpf": 280, "userfaultfd": 282, "ptrace": 117,
    "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
}  # fmt: skip
_X86_64 = _SINCE_2019 | {
    "ioctl": 16, "socket": 41, "socketpair": 53, "clone": 56, "syslog": 103, "add_key": 248,
    "request_key": 249, "keyctl": 250, "unshare": 272, "perf_event_open": 298,
    "open_by_handle_at": 304, "bpf": 321, "userfaultfd": 323, "ptrace": 101,
    "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
}  # fmt: skip


_CALLS = {InstructionSet.X86_64: _X86_64}
"""The tables of machines that are older than Linux' generic one, which all others have."""


def program(machine: str | None = None) -> bytes:
    """The filter for ``machine`` (``uname -m``; this one by default), as ``sock_filter[]``.

    Raises:
        SandboxError: rvbuild does not know the machine.
    """
    row = of_machine(machine or os.uname().machine)
    instructions = _instructions(row.audit_number, _CALLS.get(row.isa, _GENERIC))
    return b"".join(struct.pack("=HBBI", *one) for one in instructions)


_Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


def _refuse(number: int) -> _Instruction:
    return (_RETURN, 0, 0, _ERRNO | number)


_PASS: _Instruction = (_RETURN, 0, 0, _ALLOW)


def _but_of_the_first(argument: int) -> list[_Instruction]:
    """Refuse it for the process with number 1, in the argument at ``argument``."""
    return [(_LOAD, 0, 0, argument), (_EQUAL, 0, 1, 1), _refuse(errno.EPERM), _PASS]


def _instructions(audit_number: int, calls: Mapping[str, int]) -> list[_Instruction]:
    families = [(_EQUAL, len(_FAMILIES) - i, 0, one) for i, one in enumerate(_FAMILIES)]
    by_family = [(_LOAD, 0, 0, _FIRST_ARGUMENT), *families, _refuse(errno.EAFNOSUPPORT), _PASS]
    requests = [(_EQUAL, len(_REQUESTS) - i, 0, one) for i, one in enumerate(_REQUESTS)]
    by_request = [(_LOAD, 0, 0, _SECOND_ARGUMENT), *requests, _PASS, _refuse(errno.ENOTTY)]
    by_flags = [
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_ANY_BIT, 0, 1, _NEW_USER_NAMESPACE),
        _refuse(errno.EPERM),
        _PASS,
    ]
    result: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, audit_number),
        _refuse(errno.ENOSYS),  # 32-bit calls would pass by every number below
        (_LOAD, 0, 0, _NUMBER),
        (_ABOVE, 0, 1, _X32),
        _refuse(errno.ENOSYS),
    ]
    for name in _REFUSED:
        result += [(_EQUAL, 0, 1, calls[name]), _refuse(errno.ENOSYS)]
    for names, block in (
        (("socket", "socketpair"), by_family),
        (("clone", "unshare"), by_flags),
        (("ioctl",), by_request),
        (("ptrace",), _but_of_the_first(_SECOND_ARGUMENT)),
        (
            ("process_vm_readv", "process_vm_writev", "pidfd_open"),
            _but_of_the_first(_FIRST_ARGUMENT),
        ),
    ):
        for name in names:
            result += [(_EQUAL, 0, len(block), calls[name]), *block]
    return [*result, _PASS]
