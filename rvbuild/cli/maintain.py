"""`doctor`, `store` and `gc`: the machine and the store.

Knows: what people ask about them. Must not know: recipes, builds.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable

from attrs import asdict

from rvbuild.app.memo import Memo
from rvbuild.app.workspace import Workspace
from rvbuild.cli.import_sources import import_sources
from rvbuild.cli.messages import count_text, size_text
from rvbuild.core.errors import SandboxError, UsageError, VerificationError
from rvbuild.core.printable import printable_line
from rvbuild.executors.doctor import checks
from rvbuild.stores.collect import collect
from rvbuild.stores.findings import Finding
from rvbuild.stores.fitness import refuse_unfit, refuse_unwritable
from rvbuild.stores.local import LocalStore
from rvbuild.stores.repair import Repair, repair
from rvbuild.stores.roots import root_name
from rvbuild.stores.verify import verify


def doctor_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild doctor`: exit code 6 if something keeps this machine from building."""
    found = checks(workspace.store, (refuse_unwritable, refuse_unfit))
    if arguments.json:
        sys.stdout.write(json.dumps([asdict(check) for check in found], indent=2) + "\n")
    for check in () if arguments.json else found:
        mark = "ok  " if check.ok else "FAIL"
        sys.stdout.write(f"{mark} {check.name}: {printable_line(check.found)}\n")
        if not check.ok:
            sys.stdout.write(f"     {printable_line(check.hint)}\n")
    return 0 if all(check.ok for check in found) else SandboxError.exit_code


def store_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild store verify`, `repair`, `path` and `import`."""
    if arguments.action == "path":
        sys.stdout.write(workspace.store + "\n")
    elif arguments.action == "repair":
        _repair(workspace, as_json=arguments.json)
    elif arguments.action == "import":
        import_sources(arguments, workspace)
    else:
        _verify(workspace, as_json=arguments.json)
    return 0


def _verify(workspace: Workspace, *, as_json: bool) -> None:
    findings: list[Finding] = []

    def report(finding: Finding) -> None:
        findings.append(finding)
        if not as_json:
            line = f"{finding.kind}  {finding.path}: {finding.problem}"
            sys.stdout.write(printable_line(line) + "\n")

    done = verify(_existing(workspace), report)
    if as_json:
        listed = [{"kind": f.kind, "path": f.path, "problem": f.problem} for f in findings]
        sys.stdout.write(json.dumps({**asdict(done), "findings": listed}, indent=2) + "\n")
    else:
        sys.stdout.write(
            f"{count_text(done.blobs, 'blob')} ({size_text(done.bytes)}), "
            f"{count_text(done.trees, 'tree')}, {count_text(done.results, 'result')}: "
            f"{done.damaged} damaged, {done.missing} missing\n"
        )
    if done.newer and not as_json:
        newer = count_text(done.newer, "record")
        sys.stderr.write(f"{newer} of a newer rvbuild: only that knows what they refer to\n")
    if findings:
        missing = count_text(done.missing, "missing object")
        msg = f"the store has {done.damaged} damaged and {missing}"
        hint = "`rvbuild store repair` sets aside what is damaged; then build again"
        raise VerificationError(msg, where=workspace.store, hint=hint)


def _repair(workspace: Workspace, *, as_json: bool) -> None:
    repairs: list[Repair] = []

    def tell(done: Repair) -> None:
        repairs.append(done)
        if not as_json:
            sys.stdout.write(printable_line(f"{done.done:<9}  {done.path}: {done.problem}") + "\n")

    store = _existing(workspace)
    repair(store, tell)
    if as_json:
        listed = [asdict(done) for done in repairs]
        sys.stdout.write(json.dumps({"repairs": listed}, indent=2) + "\n")
        return
    counts = Counter(done.done for done in repairs)
    told = [f"{counts[word]} {word}" for word in ("mended", "set aside", "dropped")]
    sys.stdout.write(f"the store is whole: {', '.join(told)}\n")
    if counts["set aside"]:
        sys.stderr.write(f"what was set aside is in {printable_line(store.layout.damaged)}\n")
    again = _shown_results(store, repairs)
    if again:
        what = "what ./result shows of these cannot be trusted"
        sys.stderr.write(f"build again: {what}: `rvbuild {again}`\n")
    elif counts["dropped"] or counts["set aside"]:
        sys.stderr.write("build again: what was dropped is fetched or made anew\n")


def _shown_results(store: LocalStore, repairs: Iterable[Repair]) -> str:
    """The targets whose result somebody holds that has gone."""
    names = {root_name(store.layout, done.path) for done in repairs}
    return printable_line(" ".join(sorted(name for name in names if name)))


def gc_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild gc`."""
    settings = workspace.settings
    gone = collect(_existing(workspace), keep_days=settings.keep_days, max_size=settings.max_size)
    for root in gone.unseen:
        said = f"kept what {root.link} shows: it cannot be looked at ({root.problem})"
        sys.stderr.write(
            printable_line(f"{said}; if it is gone for good, remove {root.path}") + "\n"
        )
    if arguments.json:
        sys.stdout.write(json.dumps(asdict(gone)) + "\n")
    else:
        sys.stdout.write(
            f"removed {count_text(gone.results, 'result')}, {count_text(gone.trees, 'tree')} "
            f"and {count_text(gone.blobs, 'blob')}: "
            f"{size_text(gone.freed)} freed, {size_text(gone.kept)} kept\n"
        )
    return 0


def _existing(workspace: Workspace) -> LocalStore:
    """The store; a command that looks after one must not make one.

    Raises:
        UsageError: there is none.
    """
    if not workspace.has_store:
        msg = "there is no store"
        raise UsageError(msg, where=workspace.store, hint="name one with --store")
    return LocalStore(workspace.store)
