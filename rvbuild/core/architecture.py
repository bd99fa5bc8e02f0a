"""The architectures: all that code must know of one stands in its row.

Knows: names, ELF's marks, baselines, emulators. Must not know: what a fact is used for.
Sources: Go's GOARCH, which are also the architectures of OCI images; Debian's ports; ELF's
e_machine and e_flags in the psABI documents of each processor; qemu-user; REAPI's platform.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import frozen

from rvbuild.core.errors import SandboxError

EM_RISCV = 243
"""ELF's number of RISC-V, whose files also say which extensions they use."""

_AUDIT_64_BIT, _AUDIT_LITTLE_ENDIAN = 0x80000000, 0x40000000  # <linux/audit.h>


class InstructionSet(Enum):
    """What runs on a build machine, by the name of REAPI's property ``ISA``."""

    RV64G = "rv64g"
    ARM_A64 = "arm-a64"
    X86_64 = "x86-64"
    LA64 = "la64"  # of our own: the lexicon has none, and nothing is built on it yet


@frozen(kw_only=True)
class ElfMachine:
    """Whose program an ELF file is; ``number`` is e_machine."""

    number: int
    bits: int = 64
    little_endian: bool = True


@frozen(kw_only=True)
class FlagRule:
    """Bits of e_flags that every file must have: ``flags & mask == value``.

    ``names`` says what the values of these bits mean, ``hint`` how to get the right one.
    """

    mask: int
    value: int
    subject: str
    names: Mapping[int, str]
    hint: str


@frozen(kw_only=True)
class Baseline:
    """The least that a processor has, and so the most that a program may need.

    Attributes:
        name: What compilers call it (``-march``).
        extensions: What a program may say that it needs, in the words of its own notes.
        go: The variable that tells Go's compiler, and its value.
    """

    name: str
    extensions: frozenset[str] = frozenset()
    go: tuple[str, str]


@frozen(kw_only=True)
class Architecture:
    """One row. No two rows share a name.

    Attributes:
        name: Go's, and ours.
        debian: Debian's.
        machine: What uname(2) and the platform tags of wheels call it.
        others: What else people call it.
        elf: How its ELF files begin.
        flags: What their e_flags must be.
        baseline: What its programs may need of a processor, if there are several kinds.
        emulator: The command that runs its programs elsewhere, of the recipe `qemu-user`.
        isa: Its instruction set.
        by_default: Whether a recipe that lists no `architectures` is for it.
    """

    name: str
    debian: str
    machine: str
    others: tuple[str, ...] = ()
    elf: ElfMachine
    flags: tuple[FlagRule, ...] = ()
    baseline: Baseline | None = None
    emulator: str
    isa: InstructionSet
    by_default: bool = False

    @property
    def names(self) -> frozenset[str]:
        """All that it is called."""
        return frozenset({self.name, self.debian, self.machine, *self.others})

    @property
    def audit_number(self) -> int:
        """What the kernel calls it where a seccomp filter asks: an ``AUDIT_ARCH_…``."""
        width = _AUDIT_64_BIT if self.elf.bits == 64 else 0
        return self.elf.number | width | (_AUDIT_LITTLE_ENDIAN if self.elf.little_endian else 0)


_ROWS = (
    Architecture(
        name="riscv64",
        debian="riscv64",
        machine="riscv64",
        others=("rv64gc",),
        elf=ElfMachine(number=EM_RISCV),
        flags=(
            FlagRule(
                mask=0x6,
                value=0x4,
                subject="float ABI",
                names={0x0: "soft", 0x2: "single", 0x4: "double", 0x6: "quad"},
                hint="compile with -mabi=lp64d",
            ),
            FlagRule(
                mask=0x8,
                value=0x0,
                subject="base",
                names={0x0: "RVI", 0x8: "RVE"},
                hint="compile for rv64gc",
            ),
            FlagRule(
                mask=0x10,
                value=0x0,
                subject="memory model",
                names={0x0: "RVWMO", 0x10: "TSO"},
                hint="compile for rv64gc",
            ),
        ),
        baseline=Baseline(
            name="rv64gc",  # what every machine has that runs Linux distributions
            extensions=frozenset({
                "i", "m", "a", "f", "d", "c", "zicsr", "zifencei",
                "zmmul", "zaamo", "zalrsc", "zca", "zcd",  # parts of m, a and c by their own names
                "zicntr", "ziccif", "ziccrse", "ziccamoa", "zicclsm", "za128rs",  # rest of RVA20U64
                "zihintpause", "zihintntl", "zicbop", "zicfilp",  # hints: elsewhere they do nothing
            }),
            go=("GORISCV64", "rva20u64"),
        ),
        emulator="qemu-riscv64 -cpu rv64,zba=false,zbb=false,zbc=false,zbs=false",  # plain rv64gc
        isa=InstructionSet.RV64G,
        by_default=True,
    ),
    Architecture(
        name="arm64",
        debian="arm64",
        machine="aarch64",
        elf=ElfMachine(number=183),
        baseline=Baseline(name="armv8-a", go=("GOARM64", "v8.0")),
        emulator="qemu-aarch64",
        isa=InstructionSet.ARM_A64,
        by_default=True,
    ),
    Architecture(
        name="amd64",
        debian="amd64",
        machine="x86_64",
        others=("x64",),
        elf=ElfMachine(number=62),
        baseline=Baseline(
            name="x86-64", extensions=frozenset({"x86-64-baseline"}), go=("GOAMD64", "v1")
        ),
        emulator="qemu-x86_64",
        isa=InstructionSet.X86_64,
        by_default=True,
    ),
    Architecture(
        name="loong64",
        debian="loong64",
        machine="loongarch64",
        elf=ElfMachine(number=258),
        flags=(
            FlagRule(
                mask=0x7,
                value=0x3,
                subject="float ABI",
                names={0x1: "soft", 0x2: "single", 0x3: "double"},
                hint="compile with -mabi=lp64d",
            ),
            FlagRule(
                mask=0xC0,
                value=0x40,
                subject="object ABI",
                names={0x0: "v0", 0x40: "v1"},
                hint="compile and assemble with newer tools: v0 was of the first ones",
            ),
        ),
        emulator="qemu-loongarch64",
        isa=InstructionSet.LA64,
    ),
)  # fmt: skip

ARCHITECTURES: Mapping[str, Architecture] = {row.name: row for row in _ROWS}
"""The rows by Go's names, in the order in which people see them."""

DEFAULT_ARCHITECTURES = tuple(row.name for row in _ROWS if row.by_default)
EXAMPLE = _ROWS[0].name
"""The architecture that messages use for examples."""

_BY_NAME = {name: row for row in _ROWS for name in row.names}


def named(name: str) -> Architecture | None:
    """The row with this name, whoever calls it so."""
    return _BY_NAME.get(name)


def of_elf(elf: ElfMachine) -> Architecture | None:
    """The row whose ELF files begin so."""
    return next((row for row in _ROWS if row.elf == elf), None)


def of_machine(machine: str) -> Architecture:
    """The row of a build machine.

    Args:
        machine: What uname(2) calls it.

    Raises:
        SandboxError: there is none.
    """
    for row in _ROWS:
        if row.machine == machine:
            return row
    msg = f"rvbuild does not know machines of the kind {machine!r}"
    raise SandboxError(msg, hint=f"build on one of {', '.join(row.machine for row in _ROWS)}")
