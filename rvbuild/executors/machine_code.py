"""A program of nothing but system calls, as the bytes of an ELF file.

Knows: three instruction sets and their system call numbers. Must not know: what the calls
are for.
Sources: System V ABI (ELF-64), Intel SDM 2, Arm ARM (A64), RISC-V unprivileged ISA, and the
Linux system call tables of each architecture.

The program makes its calls in order, with constant arguments. Then it becomes the command
that its own arguments name. A call that fails ends it: it writes the call's number in
the list and the error to a descriptor (``Report``), and exits with 127.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Union

from attrs import frozen

from rvbuild.core.architecture import InstructionSet, of_machine
from rvbuild.core.errors import SandboxError

Argument = Union[int, bytes]
"""A number, or bytes whose address is passed; a text ends with its own NUL."""

FAILED = 127
_ADDRESS = 0x400000  # where the file is mapped
_HEADERS = 64 + 2 * 56


@frozen
class Call:
    """One system call; ``optional`` ones may fail with one of these errors."""

    name: str
    arguments: tuple[Argument, ...] = ()
    optional: tuple[int, ...] = ()


@frozen
class Report:
    """What the program says when it fails: which call (``len(calls)``: the command), and why."""

    call: int
    error: int

    SIZE = 16

    @classmethod
    def read(cls, data: bytes) -> Report:
        call, result = struct.unpack("=qq", data)
        return cls(call, -result)


_GENERIC = {
    "dup3": 24, "ioprio_set": 30, "mkdirat": 34, "mount": 40, "chdir": 49, "fchdir": 50,
    "chroot": 51, "fchmodat": 53, "openat": 56, "close": 57, "write": 64, "sendfile": 71,
    "capset": 91, "personality": 92, "exit_group": 94, "unshare": 97, "sched_setscheduler": 119,
    "rt_sigaction": 134, "rt_sigprocmask": 135, "setpriority": 140, "setresuid": 147,
    "setresgid": 149, "setgroups": 159, "setdomainname": 162, "prctl": 167, "execve": 221,
    "open_tree": 428, "move_mount": 429, "close_range": 436,
}  # fmt: skip
_X86_64 = {
    "write": 1, "close": 3, "rt_sigaction": 13, "rt_sigprocmask": 14, "sendfile": 40, "execve": 59,
    "chdir": 80, "fchdir": 81, "setgroups": 116, "setresuid": 117, "setresgid": 119, "capset": 126,
    "personality": 135, "setpriority": 141, "sched_setscheduler": 144, "prctl": 157,
    "chroot": 161, "mount": 165, "setdomainname": 171, "exit_group": 231, "ioprio_set": 251,
    "openat": 257, "mkdirat": 258, "fchmodat": 268, "unshare": 272, "dup3": 292,
    "open_tree": 428, "move_mount": 429, "close_range": 436,
}  # fmt: skip


@frozen(kw_only=True)
class _Machine:
    """How one instruction set says it. Every distance is in bytes, from the instruction's start.

    ``load`` puts a 32-bit number into the register of an argument (``number``: of the call;
    ``mark``: one that calls leave alone). ``unless`` skips ahead by the second number if the
    result is the first; ``fail`` jumps if the result is an error. ``become`` finds the arguments
    of execve where the kernel left this program's own; ``report`` writes ``mark`` and the result.
    """

    calls: Mapping[str, int]
    registers: tuple[int, ...]
    number: int
    mark: int
    load: Callable[[int, int], bytes]
    call: bytes
    unless: Callable[[int, int], bytes]
    fail: Callable[[int], bytes]
    become: bytes
    stack: bytes
    stack_pointer: bytes


def _words(*words: int) -> bytes:
    return struct.pack(f"<{len(words)}I", *words)


# ---- x86-64


def _x86_load(register: int, value: int) -> bytes:
    prefix = b"\x41" if register >= 8 else b""
    return prefix + bytes((0xB8 | register & 7,)) + struct.pack("<I", value & 0xFFFFFFFF)


def _x86_unless(result: int, distance: int) -> bytes:
    jump = b"\x0f\x84" + struct.pack("<i", distance - 9)
    return b"\x83\xf8" + struct.pack("b", result) + jump  # cmp eax, result; je


def _x86_fail(distance: int) -> bytes:
    return b"\x48\x85\xc0\x0f\x88" + struct.pack("<i", distance - 9)  # test rax, rax; js


_X86 = _Machine(
    calls=_X86_64,
    registers=(7, 6, 2, 10, 8),  # rdi, rsi, rdx, r10, r8
    number=0,
    mark=3,
    load=_x86_load,
    call=b"\x0f\x05",
    unless=_x86_unless,
    fail=_x86_fail,
    become=bytes.fromhex("488b7c2410 488d742410 488b0424 488d54c410"),
    stack=b"\x50\x53",  # push rax; push rbx
    stack_pointer=b"\x48\x89\xe6",  # mov rsi, rsp
)


# ---- AArch64


def _arm_load(register: int, value: int) -> bytes:
    low, high = value & 0xFFFF, value >> 16 & 0xFFFF
    return _words(0xD2800000 | low << 5 | register, 0xF2A00000 | high << 5 | register)


def _arm_unless(result: int, distance: int) -> bytes:
    jump = 0x54000000 | ((distance - 4) >> 2 & 0x7FFFF) << 5
    return _words(0xB100001F | -result << 10, jump)  # cmn x0, -result; b.eq


def _arm_fail(distance: int) -> bytes:
    return _words(0xB7F80000 | (distance >> 2 & 0x3FFF) << 5)  # tbnz x0, 63


_ARM = _Machine(
    calls=_GENERIC,
    registers=(0, 1, 2, 3, 4),
    number=8,
    mark=19,
    load=_arm_load,
    call=_words(0xD4000001),
    unless=_arm_unless,
    fail=_arm_fail,
    become=_words(0xF9400BE0, 0x910043E1, 0xF94003E2, 0x8B020C22),
    stack=_words(0xD10043FF, 0xF90003F3, 0xF90007E0),  # sub sp, 16; str x19, x0
    stack_pointer=_words(0x910003E1),
)


# ---- RISC-V


def _riscv_load(register: int, value: int) -> bytes:
    high, low = (value + 0x800) >> 12 & 0xFFFFF, value & 0xFFF
    return _words(
        high << 12 | register << 7 | 0x37,  # lui
        low << 20 | register << 15 | register << 7 | 0x1B,  # addiw
    )


def _riscv_jump(distance: int) -> int:
    offset = distance & 0x1FFFFF
    bits = (offset >> 20 & 1) << 31 | (offset >> 1 & 0x3FF) << 21
    return bits | (offset >> 11 & 1) << 20 | (offset >> 12 & 0xFF) << 12 | 0x6F


def _riscv_unless(result: int, distance: int) -> bytes:
    test = 0x00551463  # bne a0, t0, 8
    return _words((result & 0xFFF) << 20 | 0x293, test, _riscv_jump(distance - 8))  # li t0


def _riscv_fail(distance: int) -> bytes:
    return _words(0x00055463, _riscv_jump(distance - 4))  # bgez a0, 8; j


_RISCV = _Machine(
    calls=_GENERIC,
    registers=(10, 11, 12, 13, 14),
    number=17,
    mark=9,
    load=_riscv_load,
    call=_words(0x73),
    unless=_riscv_unless,
    fail=_riscv_fail,
    become=_words(0x01013503, 0x01010593, 0x00013603, 0x00361613, 0x00C58633),
    stack=_words(0xFF010113, 0x00913023, 0x00A13423),  # addi sp, -16; sd s1, a0
    stack_pointer=_words(0x00010593),
)

_MACHINES = {
    InstructionSet.X86_64: _X86,
    InstructionSet.ARM_A64: _ARM,
    InstructionSet.RV64G: _RISCV,
}


def program(calls: Sequence[Call], report: int, machine: str) -> bytes:
    """The file that makes ``calls`` on ``machine`` (``uname -m``) and reports to ``report``.

    Raises:
        SandboxError: no instruction set for the machine.
    """
    row = of_machine(machine)
    known = _MACHINES.get(row.isa)
    if known is None:
        msg = f"rvbuild cannot write programs for {machine}, which it needs to run a step"
        raise SandboxError(msg, hint="build on another machine for this architecture")
    size = _size(known, calls, report)
    data = _Data(_ADDRESS + _HEADERS + size)
    code = _code(known, calls, report, size, data.address)
    return _file(row.elf.number, code + data.content)


def _size(machine: _Machine, calls: Sequence[Call], report: int) -> int:
    """How long the code is: the length of an instruction does not depend on its numbers."""
    loads = [len(machine.load(one, 0)) for one in machine.registers]
    test = len(machine.unless(0, 0))
    length = len(_code(machine, (), report, 0, lambda _: 0))
    each = len(_code(machine, (Call("close"),), report, 0, lambda _: 0)) - length
    for call in calls:
        length += each + sum(loads[: len(call.arguments)]) + test * len(call.optional)
    return length


class _Data:
    """Constant bytes behind the code, each kept once."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._addresses: dict[bytes, int] = {}
        self.content = b""

    def address(self, constant: bytes) -> int:
        if constant not in self._addresses:
            self._addresses[constant] = self._start + len(self.content)
            self.content += constant + bytes(-len(constant) % 8)
        return self._addresses[constant]


def _code(
    machine: _Machine,
    calls: Sequence[Call],
    report: int,
    size: int,
    address: Callable[[bytes], int],
) -> bytes:
    end = _report(machine, report)
    code = bytearray()
    for number, call in enumerate(calls):
        code += machine.load(machine.mark, number) + _call(machine, call, address)
        code += _checked(machine, call, size - len(end) - len(code))
    code += machine.load(machine.mark, len(calls)) + machine.become
    code += machine.load(machine.number, machine.calls["execve"]) + machine.call + end
    return bytes(code)


def _call(machine: _Machine, call: Call, address: Callable[[bytes], int]) -> bytes:
    code = b""
    for register, one in zip(machine.registers, call.arguments, strict=False):
        code += machine.load(register, address(one) if isinstance(one, bytes) else one)
    return code + machine.load(machine.number, machine.calls[call.name]) + machine.call


def _checked(machine: _Machine, call: Call, to_end: int) -> bytes:
    skips = [len(machine.unless(0, 0)) for _ in call.optional]
    last = len(machine.fail(0))
    code = b""
    for i, error in enumerate(call.optional):
        code += machine.unless(-error, sum(skips[i:]) + last)
    return code + machine.fail(to_end - sum(skips))


def _report(machine: _Machine, report: int) -> bytes:
    first, _, third, *_ = machine.registers
    code = machine.stack + machine.load(first, report) + machine.stack_pointer
    code += machine.load(third, Report.SIZE)
    code += machine.load(machine.number, machine.calls["write"]) + machine.call
    code += machine.load(first, FAILED)
    return code + machine.load(machine.number, machine.calls["exit_group"]) + machine.call


def _file(machine: int, content: bytes) -> bytes:
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    start = _ADDRESS + _HEADERS
    header = struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, start, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    size = _HEADERS + len(content)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, _ADDRESS, _ADDRESS, size, size, 0x10000)
    stack = struct.pack("<IIQQQQQQ", 0x6474E551, 6, 0, 0, 0, 0, 0, 16)  # PT_GNU_STACK
    return ident + header + load + stack + content
