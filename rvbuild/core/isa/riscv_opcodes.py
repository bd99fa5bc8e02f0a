"""RISC-V's instructions by the extension that they belong to: RV64GC's, and those beyond it.

Knows: encodings. Must not know: where instructions lie, which of them a program may use.
Sources: RISC-V unprivileged ISA, "RV32/64G Instruction Set Listings" and the chapter of each
extension; privileged ISA; the files below ``extensions/`` of riscv-opcodes.

A row of `_WIDE` is: extension, major opcodes, funct3, and where it matters bits 31 to 20 (``.`` is
any bit). A row of `_NARROW` is: extension, and all 16 bits. The first row that fits counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

BASE = "base"
"""What the table calls an instruction of the baseline, whichever of its extensions it is from."""

RESERVED = "reserved"
"""What it calls bits that are no instruction of any extension that it knows."""

_MAJOR = {
    "LOAD": 0x03, "LOAD-FP": 0x07, "CUSTOM-0": 0x0B, "MISC-MEM": 0x0F, "OP-IMM": 0x13,
    "AUIPC": 0x17, "OP-IMM-32": 0x1B, "STORE": 0x23, "STORE-FP": 0x27, "CUSTOM-1": 0x2B,
    "AMO": 0x2F, "OP": 0x33, "LUI": 0x37, "OP-32": 0x3B, "MADD": 0x43, "MSUB": 0x47,
    "NMSUB": 0x4B, "NMADD": 0x4F, "OP-FP": 0x53, "OP-V": 0x57, "CUSTOM-2": 0x5B, "BRANCH": 0x63,
    "JALR": 0x67, "JAL": 0x6F, "SYSTEM": 0x73, "OP-VE": 0x77, "CUSTOM-3": 0x7B,
}  # fmt: skip

_WIDE = """
base      LUI,AUIPC,JAL          *
base      JALR                   0
base      BRANCH                 0,1,4,5,6,7
zibi      BRANCH                 2,3
base      LOAD                   0,1,2,3,4,5,6
base      STORE                  0,1,2,3
base      MISC-MEM               0,1
zicbom    MISC-MEM               2               0000000000..
zicboz    MISC-MEM               2               000000000100

base      OP-IMM                 0,2,3,4,6,7
base      OP-IMM                 1               000000......
base      OP-IMM                 5               0.0000......
zbb       OP-IMM                 1               01100000000.
zbb       OP-IMM                 1               011000000010
zbb       OP-IMM                 1               01100000010.
zbb       OP-IMM                 5               011000......
zbb       OP-IMM                 5               001010000111
zbb       OP-IMM                 5               011010111000
zbkb      OP-IMM                 5               011010000111
zbs       OP-IMM                 1,5             010010......
zbs       OP-IMM                 1               011010......
zbs       OP-IMM                 1               001010......
zknh      OP-IMM                 1               000100000...
zksh      OP-IMM                 1               00010000100.
zknd      OP-IMM                 1               001100000000
zkne      OP-IMM                 1               00110001....

base      OP-IMM-32              0
base      OP-IMM-32              1               0000000.....
base      OP-IMM-32              5               0.00000.....
zba       OP-IMM-32              1               000010......
zbb       OP-IMM-32              1               01100000000.
zbb       OP-IMM-32              1               011000000010
zbb       OP-IMM-32              5               0110000.....

base      OP                     *               000000......
base      OP                     0,5             0100000.....
zbb       OP                     4,6,7           0100000.....
zbb       OP                     1,5             0110000.....
zbc       OP                     1,2,3           0000101.....
zbb       OP                     4,5,6,7         0000101.....
zba       OP                     2,4,6           0010000.....
zbs       OP                     1               0010100.....
zbs       OP                     1,5             0100100.....
zbs       OP                     1               0110100.....
zicond    OP                     5,7             0000111.....
zbkb      OP                     4,7             0000100.....
zbkx      OP                     2,4             0010100.....
zkne      OP                     0               00110.1.....
zknd      OP                     0               00111.1.....
zknd      OP                     0               0111111.....
zksed     OP                     0               ..11000.....
zksed     OP                     0               ..11010.....

base      OP-32                  0,1,5           0000000.....
base      OP-32                  0,4,5,6,7       0000001.....
base      OP-32                  0,5             0100000.....
zba       OP-32                  0               0000100.....
zba       OP-32                  2,4,6           0010000.....
zbb       OP-32                  4               000010000000
zbkb      OP-32                  4               0000100.....
zbb       OP-32                  1,5             0110000.....

base      AMO                    2,3             00010..00000
base      AMO                    2,3             00011.......
base      AMO                    2,3             0000........
base      AMO                    2,3             ...00.......
zacas     AMO                    2,3,4           00101.......
zabha     AMO                    0,1             0000........
zabha     AMO                    0,1             ...00.......
zabha     AMO                    0,1             00101.......
zabhlrsc  AMO                    0,1             00010..00000
zabhlrsc  AMO                    0,1             00011.......
zicfiss   AMO                    2,3             01001.......
zalasr    AMO                    0,1,2,3         00110..00000
zalasr    AMO                    0,1,2,3         00111.......

base      LOAD-FP,STORE-FP       2,3
zfh       LOAD-FP,STORE-FP       1
q         LOAD-FP,STORE-FP       4
v         LOAD-FP,STORE-FP       0,5,6,7
base      MADD,MSUB,NMSUB,NMADD  0,1,2,3,4,7     .....0......
zfh       MADD,MSUB,NMSUB,NMADD  0,1,2,3,4,7     .....10.....
q         MADD,MSUB,NMSUB,NMADD  0,1,2,3,4,7     .....11.....
base      OP-FP                  0,1,2,3,4,7     000..0......
base      OP-FP                  0,1,2,3,4,7     010110.00000
base      OP-FP                  0,1,2           001000......
base      OP-FP                  0,1             001010......
base      OP-FP                  0,1,2,3,4,7     010000000001
base      OP-FP                  0,1,2,3,4,7     010000100000
base      OP-FP                  0,1,2           101000......
base      OP-FP                  0,1,2,3,4,7     110000.000..
base      OP-FP                  0,1,2,3,4,7     110100.000..
base      OP-FP                  0,1             111000.00000
base      OP-FP                  0               111100.00000
zfa       OP-FP                  0               11110..00001
zfa       OP-FP                  2,3             00101.......
zfa       OP-FP                  *               01000..0010.
zfa       OP-FP                  1               110000101000
zfa       OP-FP                  4,5             10100.......
zfa       OP-FP                  0               111000.00001
zfa       OP-FP                  0               1011001.....
zfbfmin   OP-FP                  *               010001001000
zfbfmin   OP-FP                  *               010000000110
zfh       OP-FP                  *               010001000...
zfh       OP-FP                  *               0100000000.0
zfh       OP-FP                  *               0100001000.0
q         OP-FP                  *               0100000000.1
q         OP-FP                  *               0100001000.1
q         OP-FP                  *               010001100...
zfh       OP-FP                  *               000..10.....
zfh       OP-FP                  *               0010.10.....
zfh       OP-FP                  *               101..10.....
zfh       OP-FP                  *               .1.1.10000..
zfh       OP-FP                  *               11..010000..
q         OP-FP                  *               000..11.....
q         OP-FP                  *               0010.11.....
q         OP-FP                  *               101..11.....
q         OP-FP                  *               .1.1.11000..
q         OP-FP                  *               11..011000..
v         OP-V                   *
zvk       OP-VE                  *

base      SYSTEM                 0               00000000000.
base      SYSTEM                 0               0001000.0101
base      SYSTEM                 0               001100000010
base      SYSTEM                 0               000100000010
base      SYSTEM                 0               0001001.....
zawrs     SYSTEM                 0               0000000.1101
svinval   SYSTEM                 0               0001011.....
svinval   SYSTEM                 0               00011000000.
sdext     SYSTEM                 0               011110110010
smrnmi    SYSTEM                 0               011100000010
smctr     SYSTEM                 0               000100000100
h         SYSTEM                 0               0.1000......
h         SYSTEM                 0               0.1001......
svinval   SYSTEM                 0               0.10011.....
h         SYSTEM                 4               0110........
zimop     SYSTEM                 4               1.00..0111..
zimop     SYSTEM                 4               1.00..1.....
zicfiss   SYSTEM                 1,2,3,5,6,7     000000010001
zkr       SYSTEM                 1,2,3,5,6,7     000000010101
zcmt      SYSTEM                 1,2,3,5,6,7     000000010111
v         SYSTEM                 1,2,3,5,6,7     0000000010..
v         SYSTEM                 1,2,3,5,6,7     000000001111
v         SYSTEM                 1,2,3,5,6,7     11000010000.
v         SYSTEM                 1,2,3,5,6,7     110000100010
base      SYSTEM                 1,2,3,5,6,7

custom-0  CUSTOM-0               *
custom-1  CUSTOM-1               *
custom-2  CUSTOM-2               *
custom-3  CUSTOM-3               *
"""

# Zcmp and Zcmt are not here: their instructions are those of c.fsdsp, which no RV64 with D has not.
_NARROW = """
reserved  00000000000...00
base      000...........00
base      .01...........00
base      .1............00
zcb       100000........00
zcb       100001........00
zcb       100010........00
zcb       100011...0....00
reserved  001.00000.....01
base      00............01
base      010...........01
zcmop     01100...10000001
reserved  0110.....0000001
base      011...........01
base      100.0.........01
base      100.10........01
base      100011........01
base      100111...0....01
zcb       100111...10...01
zcb       100111...110..01
zcb       100111...1110.01
base      1.1...........01
base      11............01
reserved  010.00000.....10
reserved  011.00000.....10
reserved  1000000000000010
base      ..............10
"""


@frozen
class _Row:
    extension: str
    mask: int
    value: int


def _pattern(bits: str) -> tuple[int, int]:
    """The mask and the value of bits of which ``.`` may be either."""
    mask = int("".join("0" if bit == "." else "1" for bit in bits), 2)
    return mask, int(bits.replace(".", "0"), 2)


def _wide_rows() -> Iterator[tuple[int, _Row]]:
    for line in filter(None, _WIDE.splitlines()):
        extension, majors, functs, *rest = line.split()
        mask, value = _pattern(rest[0] if rest else "." * 12)
        for major in majors.split(","):
            opcode = _MAJOR[major]
            if functs == "*":
                yield opcode, _Row(extension, mask << 20, value << 20)
            for funct in functs.split(",") if functs != "*" else ():
                yield opcode, _Row(extension, mask << 20 | 0x7000, value << 20 | int(funct) << 12)


def _by_major() -> dict[int, list[_Row]]:
    table: dict[int, list[_Row]] = {}
    for opcode, row in _wide_rows():
        table.setdefault(opcode, []).append(row)
    return table


def _narrow_rows() -> Iterator[_Row]:
    for extension, bits in (line.split() for line in filter(None, _NARROW.splitlines())):
        yield _Row(extension, *_pattern(bits))


_WIDE_ROWS: Mapping[int, Sequence[_Row]] = _by_major()
_NARROW_ROWS: Sequence[_Row] = tuple(_narrow_rows())

SELECTORS = 0xFFF0707F
"""The bits of a wide instruction that say which it is; the others are of operands."""


def extension_of(word: int) -> str:
    """The extension of an instruction: `BASE`, another's name, or `RESERVED`.

    Args:
        word: Its bits: 16 if the lowest two are not both set, else 32. Of a longer encoding (the
            lowest five are set) the first 32, which are reserved.
    """
    rows = _WIDE_ROWS.get(word & 0x7F, ()) if word & 3 == 3 else _NARROW_ROWS
    return next((row.extension for row in rows if word & row.mask == row.value), RESERVED)
