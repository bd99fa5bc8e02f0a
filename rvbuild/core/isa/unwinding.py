"""What libgcc's unwinder does beyond rv64gc, in whatever is linked with it.

Knows: libgcc since GCC 14, on riscv64. Must not know: recipes.
Source: GCC's unwind-dw2.c and config/riscv/linux-unwind.h: the size of a vector register is
DWARF's register 7202, and is read when a frame's description asks for it. Frames of code without
vectors do not.
"""

from __future__ import annotations

from collections.abc import Sequence

from rvbuild.core.isa.riscv_code import Beyond

_FUNCTIONS = ("_Unwind_", "uw_", "execute_")
_READS_VLENB, _BUT_RD = 0xC2202073, 0xFFFFF07F  # csrr rd, vlenb


def is_unwinder(same: Sequence[Beyond]) -> bool:
    """Whether a function does no more than to read the size of vectors, as the unwinder does.

    In a stripped program it has no name, and may be any function that only reads it.
    """
    is_named = not same[0].function or same[0].function.startswith(_FUNCTIONS)
    return is_named and all(one.word & _BUT_RD == _READS_VLENB for one in same)
