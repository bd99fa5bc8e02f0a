"""What a program needs of a processor, held against its architecture's baseline.

Knows: every place where a program says it, and for riscv64 what its instructions say. Must not
know: where the program is, what is done about it.

Rules:

1. What says that it needs more than the baseline is a fault: an instruction, a note, an attribute,
   Go's build information.
2. An instruction beyond the baseline is none if a declaration fits its function: code that runs
   only after it has asked what the processor can do. ``detected: {"memcpy_v*": "asks hwprobe"}``.
3. What says nothing is unknown, and is told: it is not taken for fit. For riscv64 the instructions
   speak, so only what may be data is unknown. Elsewhere a note must, or Go's build information
   (which says nothing of C code).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from attrs import frozen

from rvbuild.core.architecture import EM_RISCV, Baseline
from rvbuild.core.elf import Elf
from rvbuild.core.elf_tables import ElfTables
from rvbuild.core.finding import Remark, Weight
from rvbuild.core.isa.code_regions import code_regions
from rvbuild.core.isa.elf_notes import signs_pointers, x86_levels
from rvbuild.core.isa.go_detection import GoDetection
from rvbuild.core.isa.go_program import GoBuild, read_build
from rvbuild.core.isa.riscv_code import Beyond, beyond_baseline
from rvbuild.core.isa.riscv_names import riscv_extensions
from rvbuild.core.isa.unwinding import is_unwinder

_SHOWN = 8
"""Functions with instructions beyond the baseline that are named."""

Detected = Mapping[str, str]
"""Reasons by patterns of functions' names (as of a shell: ``*``, ``?``, ``[…]``)."""


@frozen
class ProgramFile:
    """An ELF file for an architecture that has a baseline."""

    baseline: Baseline
    tables: ElfTables
    elf: Elf


def remarks(program: ProgramFile, detected: Detected) -> Iterator[Remark]:
    """Everything that is to be said of what a program needs.

    Raises:
        VerificationError: the file is damaged.
    """
    build = read_build(program.tables)
    claims = [*_claims(program, build)]
    yield from (claim for claim in claims if claim is not None)
    if program.tables.machine == EM_RISCV:
        yield from _instructions(program, build, detected)
    elif not claims and code_regions(program.tables):
        yield _unknown(build)


def _unknown(build: GoBuild | None) -> Remark:
    whose = "its C code does not say" if build else "nothing in it says"
    return Remark(f"{whose} which instructions it needs", weight=Weight.UNKNOWN)


# ---- what it says


def _claims(program: ProgramFile, build: GoBuild | None) -> Iterator[Remark | None]:
    """A remark for each place that says something; None where it is within the baseline."""
    name, tables = program.baseline.name, program.tables
    if program.elf.arch is not None:
        beyond = riscv_extensions(program.elf.arch) - program.baseline.extensions
        yield _beyond("it uses extensions", beyond, name)
    levels = x86_levels(tables)
    if levels is not None:
        yield _beyond("it needs levels", levels - program.baseline.extensions, name)
    if signs_pointers(tables):
        yield Remark(f"it needs signed pointers, beyond {name}", f"use -march={name}")
    if build is not None:
        yield from _go_claims(program.baseline, build)


def _beyond(subject: str, extensions: frozenset[str], baseline: str) -> Remark | None:
    if not extensions:
        return None
    what = f"{subject} beyond {baseline}: {', '.join(sorted(extensions))}"
    return Remark(what, f"use -march={baseline}")


def _go_claims(baseline: Baseline, build: GoBuild) -> Iterator[Remark | None]:
    variable, wanted = baseline.go
    level = build.settings.get(variable, wanted)  # a Go without the variable has one level only
    if level != wanted:
        what = f"its Go code is for {variable}={level}, beyond {baseline.name}"
        yield Remark(what, f"build with {variable}={wanted}")
    elif not build.has_c_code:
        yield None


# ---- what its instructions say


def _instructions(
    program: ProgramFile, build: GoBuild | None, detected: Detected
) -> Iterator[Remark]:
    beyond, unread = beyond_baseline(program.tables)
    certain = [one for one in beyond if not one.doubtful]
    groups: dict[tuple[str, str], list[Sequence[Beyond]]] = {}
    detection = GoDetection(program.tables) if build else None
    for (function, _), same in _by_function(certain).items():
        pattern = next((each for each in detected if fnmatchcase(function, each)), "")
        reason = detected[pattern] if pattern else _known_reason(detection, same)
        groups.setdefault((pattern, reason), []).append(same)
    yield from _faults(groups.pop(("", ""), []), program.baseline)
    for (pattern, reason), functions in groups.items():
        what = f"{_listed(functions, program.baseline)}: {reason}"
        yield Remark(what, weight=Weight.DETECTED, pattern=pattern)
    doubtful = [one for one in beyond if one.doubtful]
    if doubtful:
        where = _places(doubtful)
        what = f"it has data among its code, or instructions that are not known: {where}"
        yield Remark(what, weight=Weight.UNKNOWN)
    if unread is not None:
        what = f"more than {len(beyond):,} instructions of it are beyond {program.baseline.name}"
        where = f"{unread.address:#x}" + (f" in {unread.function}" if unread.function else "")
        yield Remark(f"{what}: it was not read from {where} on", weight=Weight.UNKNOWN)


def _by_function(certain: Sequence[Beyond]) -> Mapping[tuple[str, int], Sequence[Beyond]]:
    """Instructions by their function's name and start; all that are nameless are together."""
    functions: dict[tuple[str, int], list[Beyond]] = {}
    for one in certain:
        functions.setdefault((one.function, one.start), []).append(one)
    return functions


def _known_reason(detection: GoDetection | None, same: Sequence[Beyond]) -> str:
    if detection and detection.guards(same):
        return "Go's code tests a flag"
    return "libgcc reads vlenb for frames with vectors alone" if is_unwinder(same) else ""


def _listed(functions: Sequence[Sequence[Beyond]], baseline: Baseline) -> str:
    names = list(dict.fromkeys(same[0].function or "code without a name" for same in functions))
    shown = ", ".join(names[:_SHOWN])
    others = f" and {len(names) - _SHOWN} other functions" if len(names) > _SHOWN else ""
    extensions = _extensions([one for same in functions for one in same])
    uses = f"uses {extensions} beyond {baseline.name} in {shown}{others}"
    return f"it asks the processor before it {uses}"


def _faults(groups: Sequence[Sequence[Beyond]], baseline: Baseline) -> Iterator[Remark]:
    name = baseline.name
    hint = (
        f"compile for {name}; code that runs only after it has asked the processor is declared "
        "with the output, as `detected`"
    )
    for same in groups[:_SHOWN]:
        yield Remark(_counted(same, name), hint)
    if len(groups) > _SHOWN:
        yield Remark(f"so do {len(groups) - _SHOWN} other functions", hint)


def _counted(same: Sequence[Beyond], baseline: str) -> str:
    first = same[0]
    where = f" in {first.function}" if first.function else ""
    extensions = _extensions(same)
    digits = 8 if first.word & 3 == 3 else 4
    many = f"{len(same)} instructions, the first" if len(same) > 1 else "the instruction"
    return (
        f"it uses {extensions} beyond {baseline}{where}: {many} {first.word:0{digits}x} "
        f"at {first.address:#x}"
    )


def _extensions(same: Sequence[Beyond]) -> str:
    return ", ".join(sorted({one.extension for one in same}))


def _places(doubtful: Sequence[Beyond]) -> str:
    first = doubtful[0]
    where = f" in {first.function}" if first.function else ""
    count = len(doubtful) - 1
    others = f", and at {count} other place{'s' if count > 1 else ''}" if count else ""
    return f"at {first.address:#x}{where}{others}"
