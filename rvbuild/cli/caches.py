"""`caches`: draws which caches are set, what they let us do, what they hold.

Knows: lines and documents. Must not know: how a cache is asked.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import sys
from collections.abc import Callable, Iterator, Mapping

from attrs import asdict

from rvbuild.app.cache_settings import CacheChange, add_cache, remove_cache
from rvbuild.app.cache_verify import CacheFinding, verify_cache
from rvbuild.app.caches import (
    CacheTrial,
    CacheView,
    FileCount,
    Inventory,
    TrialStep,
    collect_cache,
    list_caches,
    probe_cache,
    view_inventory,
)
from rvbuild.app.memo import Memo
from rvbuild.app.session import Session
from rvbuild.app.setting import bytes_in
from rvbuild.app.workspace import Workspace
from rvbuild.cli.json_text import error_row, print_answer
from rvbuild.cli.messages import count_text, duration_text, size_text
from rvbuild.cli.words import run_of
from rvbuild.core.cache_totals import CacheTotals
from rvbuild.core.errors import CacheDown
from rvbuild.core.printable import printable_line


def caches_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild caches list`, `add`, `remove`, `test`, `stat`, `gc` and `verify`."""
    if arguments.action in {"add", "remove"}:
        _answer_change(arguments, _changed(arguments, workspace))
        return 0
    with run_of(arguments, workspace) as session:
        _ACTIONS[arguments.action](arguments, session)
    return 0


# ---- list


def _list(arguments: argparse.Namespace, session: Session) -> None:
    views = list_caches(session)
    if arguments.json:
        print_answer({"caches": [_view_row(view, arguments.store) for view in views]})
        return
    width = max((len(view.name) for view in views), default=0)
    for view in views:
        for line in _view_lines(view, width):
            _write(line)
    if not views:
        sys.stderr.write("no cache is set: `rvbuild caches add NAME ADDRESS` sets one\n")


def _view_row(view: CacheView, store: str | None) -> dict[str, object]:
    answered, totals = view.answered, view.totals
    problem = answered.problem if answered else None
    return {
        "name": view.name,
        "address": view.address,
        "mode": view.mode,
        "from": view.origin,
        "state": _state(view),
        "problem": error_row(problem, store) if problem else None,
        "milliseconds": round(answered.seconds * 1000) if answered else None,
        "totals": _totals_row(totals) if totals else None,
    }


def _totals_row(totals: CacheTotals) -> dict[str, object]:
    row = asdict(totals)
    return {name: row[name] for name in row if name not in {"name", "address", "record"}}


def _state(view: CacheView) -> str:
    """``answers``, ``empty``, ``silent``, ``not asked`` or ``off``."""
    if view.answered is None:
        return "off" if view.mode == "off" else "not asked"
    if view.answered.problem:
        return "silent"
    return "empty" if view.answered.empty else "answers"


def _view_lines(view: CacheView, width: int) -> Iterator[str]:
    indent = " " * (width + 2)
    yield f"{view.name:<{width}}  {view.mode:<10}  {view.address}  ({_near(view.origin)})"
    answered = view.answered
    if answered and answered.problem:
        what = "does not answer" if isinstance(answered.problem, CacheDown) else "cannot be used"
        yield f"{indent}{what}: {answered.problem.message}"
    elif answered:
        empty = ", and nobody has written it yet" if answered.empty else ""
        yield f"{indent}answers in {answered.seconds * 1000:.0f} ms{empty}"
    elif view.mode != "off":
        yield f"{indent}not asked: offline"
    if view.totals:
        yield from (indent + line for line in _totals_lines(view.totals))


def _totals_lines(totals: CacheTotals) -> Iterator[str]:
    saved, waited = totals.milliseconds_saved / 1000, totals.milliseconds_waited / 1000
    yield (
        f"since {totals.since}: {count_text(totals.runs, 'run')}, "
        f"{count_text(totals.requests, 'request')}, {totals.hits} offered, {totals.pulled} taken "
        f"({size_text(totals.bytes_received)}), saved {duration_text(saved)}, "
        f"took {duration_text(waited)}, {size_text(totals.bytes_sent)} sent"
    )
    if totals.left_out:
        yield f"left out in {count_text(totals.left_out, 'run')}, last: {totals.reason}"
    if totals.owed:
        yield f"still to be brought there: {', '.join(totals.owed)}"


# ---- add, remove


def _changed(arguments: argparse.Namespace, workspace: Workspace) -> CacheChange:
    own = True if arguments.user else False if arguments.project else None
    if arguments.action == "remove":
        return remove_cache(workspace, arguments.subject, own=own)
    name, address = arguments.subject, arguments.address
    return add_cache(workspace, name, address, writes=arguments.write, own=own)


def _answer_change(arguments: argparse.Namespace, change: CacheChange) -> None:
    if arguments.json:
        print_answer(asdict(change))
        return
    _write(f"{_near(change.file)}: {change.line or f'no {change.name}'}")
    if change.stronger and not arguments.quiet:
        _tell(f"{_near(change.stronger)} sets {change.name}, too, and is stronger")
    if arguments.action == "add" and not change.stronger and not arguments.quiet:
        _tell(f"see what it lets you do with `rvbuild caches test {change.name}`")


# ---- test


def _test(arguments: argparse.Namespace, session: Session) -> None:
    trial = probe_cache(session, arguments.subject)
    if arguments.json:
        print_answer(_trial_row(trial, arguments.store))
    else:
        for step in trial.steps:
            _write(_step_line(step))
    trial.refuse_failures()


def _trial_row(trial: CacheTrial, store: str | None) -> dict[str, object]:
    steps = [
        {
            "what": step.what,
            "works": step.problem is None,
            "needed": step.is_needed,
            "new": step.is_new,
            "milliseconds": round(step.seconds * 1000),
            "bytes": step.size,
            "problem": error_row(step.problem, store) if step.problem else None,
        }
        for step in trial.steps
    ]
    return {"name": trial.name, "address": trial.address, "steps": steps}


def _step_line(step: TrialStep) -> str:
    mark = "ok  " if step.problem is None else "FAIL" if step.is_needed else "no  "
    speed = (
        f", {size_text(round(step.size / step.seconds))}/s" if step.size and step.seconds else ""
    )
    new = ", and it is no cache yet" if step.is_new else ""
    text = f"{mark} {step.what}: {step.seconds * 1000:.0f} ms{speed}{new}"
    return f"{text}: {step.problem.message}" if step.problem else text


# ---- stat


def _stat(arguments: argparse.Namespace, session: Session) -> None:
    held = view_inventory(session, arguments.subject)
    if arguments.json:
        print_answer(_inventory_row(held))
        return
    _write(f"{_count(held.objects, 'object')}")
    for key in sorted({*held.realisations, *held.targets}):
        parts = [(held.realisations, "realisation"), (held.targets, "target")]
        texts = [_count(counts[key], what) for counts, what in parts if key in counts]
        _write(f"{key}  {'; '.join(texts)}")
    if held.leases:
        _write(f"{count_text(held.leases, 'lease')}: somebody pushes or collects, or was killed")


def _count(count: FileCount, what: str) -> str:
    ages = f", {_day(count.oldest)} to {_day(count.newest)}" if count.files else ""
    return f"{count_text(count.files, what)} ({size_text(count.size)}){ages}"


def _inventory_row(held: Inventory) -> dict[str, object]:
    keys = sorted({*held.realisations, *held.targets})
    return {
        "objects": _count_row(held.objects),
        "keys": [
            {
                "key": key,
                "realisations": _count_row(held.realisations.get(key)),
                "targets": _count_row(held.targets.get(key)),
            }
            for key in keys
        ],
        "leases": held.leases,
    }


def _count_row(count: FileCount | None) -> dict[str, object]:
    is_there = count is not None and count.files > 0
    return {
        "files": count.files if count else 0,
        "bytes": count.size if count else 0,
        "oldest": _moment(count.oldest) if count and is_there else None,
        "newest": _moment(count.newest) if count and is_there else None,
    }


def _moment(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="seconds")


def _day(seconds: float) -> str:
    return _moment(seconds)[:10]


# ---- gc, verify


def _gc(arguments: argparse.Namespace, session: Session) -> None:
    most = bytes_in(arguments.max_size) if arguments.max_size else None
    done = collect_cache(session, arguments.subject, most, dry=arguments.dry_run)
    if arguments.json:
        print_answer({**asdict(done), "dry_run": arguments.dry_run})
        return
    verb = "would remove" if arguments.dry_run else "removed"
    if done.leftovers:
        _write(f"{verb} {count_text(done.leftovers, 'file')} that killed writers left")
    _write(
        f"{verb} {count_text(done.removed_records, 'record')} and "
        f"{count_text(done.removed_objects, 'object')} ({size_text(done.removed_size)}); kept "
        f"{count_text(done.records, 'record')} and {count_text(done.objects, 'object')} "
        f"({size_text(done.size)})"
    )
    if done.young_objects:
        _write(
            f"{count_text(done.young_objects, 'object')} of these no record names; what is younger "
            "than an hour stays: somebody may be pushing it"
        )


def _verify(arguments: argparse.Namespace, session: Session) -> None:
    report = None if arguments.json else _write_finding
    done = verify_cache(session, arguments.subject, report, remove=arguments.remove)
    check = done.check
    if arguments.json:
        facts = {"revoked": dict(done.revoked), "removed": list(done.removed)}
        print_answer({"address": done.address, **asdict(check), **facts})
    else:
        revoked = [f"{count} of {name}, which was revoked" for name, count in done.revoked.items()]
        why = f" ({'; '.join(revoked)})" if revoked else ""
        count = check.untrusted
        strangers = f", {count} of keys that are not trusted{why}" if count else ""
        kinds = [finding.kind for finding in check.findings]
        _write(
            f"{count_text(check.records, 'record')}{strangers}, "
            f"{count_text(check.objects, 'object')} ({size_text(check.size)}): "
            f"{kinds.count('damaged')} damaged, {kinds.count('missing')} missing"
        )
        if check.others:
            _write(f"{count_text(check.others, 'file')} of others, which were not read")
        if done.removed:
            _write(f"removed {count_text(len(done.removed), 'damaged object')}")
    done.refuse_findings()


def _write_finding(finding: CacheFinding) -> None:
    _write(f"{finding.kind}  {finding.name}: {finding.problem}")


# ---- for all


def _write(line: str) -> None:
    sys.stdout.write(printable_line(line) + "\n")


def _tell(line: str) -> None:
    sys.stderr.write(printable_line(line) + "\n")


def _near(path: str) -> str:
    """A path as a person here would write it; what is none stays."""
    if not os.path.isabs(path):
        return path
    near = os.path.relpath(path)
    return path if near.startswith("..") else near


_ACTIONS: Mapping[str, Callable[[argparse.Namespace, Session], None]] = {
    "list": _list,
    "test": _test,
    "stat": _stat,
    "gc": _gc,
    "verify": _verify,
}
