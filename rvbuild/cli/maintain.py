"""`doctor`, `store` and `gc`: draws what was looked at, mended and removed.

Knows: lines and documents. Must not know: stores, machines.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from attrs import asdict

from rvbuild.app.doctor import examine_machine
from rvbuild.app.gc import Collected, collect_garbage
from rvbuild.app.import_store import RecipeProblem, TakenOver, import_store
from rvbuild.app.memo import Memo
from rvbuild.app.repair import Repair, Repairs, repair_store
from rvbuild.app.verify import Finding, Verification, verify_store
from rvbuild.app.workspace import Workspace
from rvbuild.cli.json_text import error_row, print_answer
from rvbuild.cli.messages import count_text, size_text
from rvbuild.cli.remedies import hint_text
from rvbuild.cli.words import run_of
from rvbuild.core.errors import SandboxError
from rvbuild.core.printable import printable_line


def doctor_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild doctor`: exit code 6 if something keeps this machine from building."""
    machine = examine_machine(workspace)
    if arguments.json:
        hints = [hint_text(check.hint, arguments.store) for check in machine.checks]
        rows = zip(machine.checks, hints, strict=True)
        print_answer({"checks": [{**asdict(check), "hint": hint} for check, hint in rows]})
    for check in () if arguments.json else machine.checks:
        mark = ("warn" if check.hint else "ok  ") if check.ok else "FAIL"
        sys.stdout.write(f"{mark} {check.name}: {printable_line(check.found)}\n")
        if mark != "ok  ":
            sys.stdout.write(f"     {printable_line(hint_text(check.hint, arguments.store))}\n")
    return 0 if machine.is_fit else SandboxError.exit_code


def store_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild store verify`, `repair`, `path` and `import`."""
    if arguments.action == "path":
        if arguments.json:
            print_answer({"store": workspace.store})
        else:
            sys.stdout.write(workspace.store + "\n")
    elif arguments.action == "repair":
        _repair(workspace, as_json=arguments.json)
    elif arguments.action == "import":
        _import(arguments, workspace)
    else:
        _verify(workspace, as_json=arguments.json)
    return 0


# ---- verify


def _verify(workspace: Workspace, *, as_json: bool) -> None:
    done = verify_store(workspace, None if as_json else _write_finding)
    if as_json:
        rows = [{"kind": f.kind, "path": f.path, "problem": f.problem} for f in done.findings]
        print_answer({**asdict(done.counts), "findings": rows})
    else:
        _write_counts(done)
    done.refuse_findings()


def _write_finding(finding: Finding) -> None:
    line = f"{finding.kind}  {finding.path}: {finding.problem}"
    sys.stdout.write(printable_line(line) + "\n")


def _write_counts(done: Verification) -> None:
    counts = done.counts
    sys.stdout.write(
        f"{count_text(counts.blobs, 'blob')} ({size_text(counts.bytes)}), "
        f"{count_text(counts.trees, 'tree')}, {count_text(counts.results, 'result')}: "
        f"{counts.damaged} damaged, {counts.missing} missing\n"
    )
    if counts.newer:
        newer = count_text(counts.newer, "record")
        sys.stderr.write(f"{newer} of a newer rvbuild: only that knows what they refer to\n")


# ---- repair


def _repair(workspace: Workspace, *, as_json: bool) -> None:
    repairs = repair_store(workspace, None if as_json else _write_repair)
    if as_json:
        rows = [asdict(each) for each in repairs.done]
        print_answer({"repairs": rows})
    else:
        _write_repairs(repairs)


def _write_repair(one: Repair) -> None:
    sys.stdout.write(printable_line(f"{one.done:<9}  {one.path}: {one.problem}") + "\n")


def _write_repairs(repairs: Repairs) -> None:
    counts = repairs.counts()
    parts = [f"{counts[word]} {word}" for word in ("mended", "set aside", "dropped")]
    sys.stdout.write(f"the store is whole: {', '.join(parts)}\n")
    if counts["set aside"]:
        sys.stderr.write(f"what was set aside is in {printable_line(repairs.damaged)}\n")
    if repairs.targets:
        what = "what ./result shows of these cannot be trusted"
        again = printable_line(" ".join(repairs.targets))
        sys.stderr.write(f"build again: {what}: `rvbuild {again}`\n")
    elif counts["dropped"] or counts["set aside"]:
        sys.stderr.write("build again: what was dropped is fetched or made anew\n")


# ---- import


def _import(arguments: argparse.Namespace, workspace: Workspace) -> None:
    with run_of(arguments, workspace) as session:
        done = import_store(session, arguments.old, os.environ)
    if arguments.json:
        rows = [
            {"recipe": each.recipe, **error_row(each.error, arguments.store)}
            for each in done.problems
        ]
        print_answer({**asdict(done.counts), "recipes": rows})
    else:
        _write_import(done.counts)
        _write_problems(done.problems, arguments.store)
    done.refuse_left_out()


def _write_import(counts: TakenOver) -> None:
    for each in counts.left_out:
        at = f" ({each.path})" if each.path else ""
        sys.stdout.write(printable_line(f"left out  {each.label}: {each.problem}{at}") + "\n")
    sys.stdout.write(
        f"{count_text(counts.taken, 'source')} taken over ({size_text(counts.size)}), "
        f"{counts.present} already here, {counts.absent} not there, "
        f"{len(counts.left_out)} left out\n"
    )


def _write_problems(problems: Sequence[RecipeProblem], store: str | None) -> None:
    for each in problems:
        text = f"nothing was looked for that only {each.recipe} needs: {each.error}"
        hint = f"; {hint_text(each.error.hint, store)}" if each.error.hint else ""
        sys.stderr.write(printable_line(text + hint) + "\n")
    if problems:
        sys.stderr.write("then import again: what is here already is not read again\n")


# ---- gc


def gc_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild gc`."""
    collected = collect_garbage(workspace)
    for root in collected.unseen:
        text = f"kept what {root.link} shows: it cannot be looked at ({root.problem})"
        text = f"{text}; if it is gone for good, remove {root.path}"
        sys.stderr.write(printable_line(text) + "\n")
    if arguments.json:
        print_answer(asdict(collected))
    else:
        _write_collected(collected)
    return 0


def _write_collected(collected: Collected) -> None:
    sys.stdout.write(
        f"removed {count_text(collected.results, 'result')}, "
        f"{count_text(collected.trees, 'tree')} and {count_text(collected.blobs, 'blob')}: "
        f"{size_text(collected.freed)} freed, {size_text(collected.kept)} kept\n"
    )
