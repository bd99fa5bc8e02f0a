"""`diff`: draws what changed between two sides.

Knows: lines and documents. Must not know: how sides are compared.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing

from rvbuild.app.diff import DiffView, compare_sides
from rvbuild.app.diff_built import compare_built
from rvbuild.app.memo import Memo
from rvbuild.app.workspace import Workspace
from rvbuild.cli.cause_text import cause_row
from rvbuild.cli.diff_built import built_document, built_sections
from rvbuild.cli.diff_sections import DiffSection, component_row, sections_of
from rvbuild.cli.diff_text import markdown_lines, text_lines
from rvbuild.cli.json_text import error_row, print_answer
from rvbuild.cli.words import session_of
from rvbuild.core.errors import UsageError
from rvbuild.core.events import silent
from rvbuild.core.lock_diff import (
    ModuleChange,
    PinChange,
    PinOrigin,
    PinOverride,
    SetChange,
    SourceChange,
    ValueChange,
)
from rvbuild.core.module_replacement import ReplacementChange
from rvbuild.core.rebuild import Rebuild
from rvbuild.core.upstream_log import UpstreamLog


def diff_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild diff [SIDE [SIDE]]`."""
    if len(arguments.sides) > 2:
        msg = f"there are at most two sides to compare, and not {len(arguments.sides)}"
        raise UsageError(msg, hint="say two revisions, two locks, or two series of a recipe")
    if arguments.built:
        return _built(arguments, workspace)
    with closing(session_of(arguments, workspace, silent)) as session:
        view = compare_sides(
            session,
            tuple(arguments.sides),
            tuple(arguments.target),
            commits=arguments.commits,
        )
    if arguments.json:
        print_answer(_document(view))
    else:
        _write(arguments, _title(view), sections_of(view))
    view.refuse_failures()
    return 0


def _built(arguments: argparse.Namespace, workspace: Workspace) -> int:
    """`rvbuild diff --built TARGET TARGET`."""
    if arguments.commits or arguments.target:
        msg = "results have neither commits nor other targets to look at"
        raise UsageError(msg, hint="leave out --commits and --target, or --built")
    with closing(session_of(arguments, workspace, silent)) as session:
        view = compare_built(session, tuple(arguments.sides))
    if arguments.json:
        print_answer(built_document(view))
    else:
        _write(arguments, f"{view.old} -> {view.new}", built_sections(view))
    return 0


def _write(arguments: argparse.Namespace, title: str, sections: Sequence[DiffSection]) -> None:
    lines = markdown_lines if arguments.markdown else text_lines
    sys.stdout.writelines(f"{line}\n" for line in lines(title, sections))


def _title(view: DiffView) -> str:
    return f"{view.old} -> {view.new or 'the project as it is'}"


def _document(view: DiffView) -> dict[str, object]:
    """One JSON document, for example.

    ::

    {"version": 1, "old": "k3s@1.34", "new": "k3s@1.35",
     "pins": [{"recipe": "go", "pin": "version", "old": "1.24.11", "new": "1.25.6",
               "old-origin": {…}, "origin": {"source": "kubernetes-source",
               "revision": "v1.35.1-k3s1", "file": "build/dependencies.yaml", "line": 120},
               "old-override": null,
               "override": {"upstream": "1.25.5", "because": ["CVE-…"], "until": null}}],
     "recipes": {"added": [], "removed": []}, "licenses": [],
     "sources": [{"source": "k3s-source/k3s", "kind": "git", "change": "replaced",
                  "same-content": false,
                  "facts": [{"name": "commit", "old": "46…", "new": "c5…"}]}],
     "sets": [{"set": "k3s-source/k3s", "kind": "go-module", "old": 415, "new": 420,
               "changes": [{"name": "dario.cat/mergo", "change": "up", "old": ["v1.0.1"],
                            "new": ["v1.0.2"]}]}],
     "modules": [{"set": "k3s-source/k3s", "module": "golang.org/x/net", "old": "v0.26.0", …}],
     "replaced": [{"set": "k3s-source/k3s", "module": "k8s.io/cri-client",
                   "old": "k8s.io/cri-client v0.34.3",
                   "new": "github.com/k3s-io/kubernetes/…/cri-client v1.35.1-k3s1"}],
     "changes": [{"kind": "go-module", "name": "dario.cat/mergo", …}],
     "rebuild": {"targets": [{"target": "k3s-riscv64", "old": "5f1c…", "new": "9a0c…",
                              "causes": [0]}],
                 "same": 2, "causes": [{"kind": "source", …}], "unlinked": []},
     "logs": [{"source": "k3s-source/k3s", "old": "46…", "new": "c5…", "others": 40, "error": null,
               "commits": [{"commit": "c5…", "date": 1770821971, "subject": "Update to v1.35.1",
                            "gone": false}]}]}
    """
    return {
        "old": view.old,
        "new": view.new or None,
        "pins": [pin_row(each) for each in view.lock.pins],
        "recipes": {"added": list(view.recipes.added), "removed": list(view.recipes.removed)},
        "licenses": [
            {"recipe": each.recipe, "old": each.old, "new": each.new}
            for each in view.recipes.licences
        ],
        "sources": [source_row(each) for each in view.lock.sources],
        "sets": [set_row(each) for each in view.lock.sets],
        "modules": [module_row(each) for each in view.lock.modules],
        "replaced": [_replaced_row(each) for each in view.replaced],
        "changes": [{"kind": each.kind, **component_row(each)} for each in view.lock.overall],
        "rebuild": _rebuild_row(view.rebuild) if view.rebuild else None,
        "logs": None if view.logs is None else [_log_row(each) for each in view.logs],
    }


def pin_row(change: PinChange) -> dict[str, object]:
    """A value that differs, and what it stands instead of."""
    return {"recipe": change.pin.recipe, "pin": change.pin.name, **_value_row(change)}


def module_row(change: ModuleChange) -> dict[str, object]:
    """A Go module that has, or had, another version instead of go.mod's."""
    return {"set": str(change.name), "module": change.module, **_value_row(change)}


def _value_row(change: ValueChange) -> dict[str, object]:
    return {
        "old": change.old,
        "new": change.new,
        "old-origin": origin_row(change.old_origin),
        "origin": origin_row(change.origin),
        "old-override": _override_row(change.old_override),
        "override": _override_row(change.override),
    }


def _override_row(override: PinOverride | None) -> dict[str, object] | None:
    if override is None:
        return None
    return {
        "upstream": override.upstream,
        "because": list(override.instead.because),
        "until": override.instead.until or None,
    }


def origin_row(origin: PinOrigin | None) -> dict[str, object] | None:
    """Where a value was read."""
    if origin is None:
        return None
    return {
        "source": origin.source,
        "revision": origin.revision or None,
        "file": origin.file,
        "line": origin.line,
    }


def source_row(change: SourceChange) -> dict[str, object]:
    """What became of a source that is one thing."""
    facts = [{"name": each.name, "old": each.old, "new": each.new} for each in change.facts]
    return {
        "source": str(change.source),
        "kind": change.kind,
        "change": change.move.value,
        "same-content": change.is_same_content,
        "facts": facts,
    }


def set_row(change: SetChange) -> dict[str, object]:
    """What became of things that are needed together."""
    return {
        "set": str(change.name),
        "kind": change.kind,
        "old": change.old,
        "new": change.new,
        "changes": [component_row(each) for each in change.changes],
    }


def _replaced_row(change: ReplacementChange) -> dict[str, object]:
    return {
        "set": str(change.name),
        "module": change.module,
        "old": change.old,
        "new": change.new,
    }


def _rebuild_row(rebuild: Rebuild) -> dict[str, object]:
    return {
        "targets": [
            {"target": each.target, "old": each.old, "new": each.new, "causes": list(each.causes)}
            for each in rebuild.targets
        ],
        "same": rebuild.same,
        "causes": [cause_row(cause) for cause in rebuild.causes],
        "unlinked": [
            {"target": target, "error": error_row(error)} for target, error in rebuild.unlinked
        ],
    }


def _log_row(log: UpstreamLog) -> dict[str, object]:
    return {
        "source": str(log.source),
        "old": log.old,
        "new": log.new,
        "commits": [
            {
                "commit": each.commit,
                "date": each.date,
                "subject": each.subject,
                "gone": each.is_gone,
            }
            for each in log.commits
        ],
        "others": log.others,
        "error": error_row(log.problem) if log.problem else None,
    }
