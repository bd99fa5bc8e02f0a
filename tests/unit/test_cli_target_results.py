"""Results on standard output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rvbuild.app.build import BuildView, TargetResult
from rvbuild.cli.target_results import render_results
from rvbuild.core.errors import StepError


def _result(target: str, *files: str, folder: str = "/elsewhere") -> TargetResult:
    return TargetResult(
        target=target, place=f"{folder}/{target}", tree="aa/12", derivation="bb", files=files
    )


def _build(*results: TargetResult, failures: tuple[Exception, ...] = ()) -> BuildView:
    return BuildView(results=results, recipes=(), failures=failures)


def test_one_line_a_result_aligned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Paths below the working directory are relative."""
    monkeypatch.chdir(tmp_path)
    results = [
        _result("runc-riscv64", "bin/runc", folder=f"{tmp_path}/result"),
        _result("k3s-riscv64", "k3s", folder=f"{tmp_path}/result"),
    ]
    assert render_results(_build(*results), as_json=False) == (
        "result/runc-riscv64  bin/runc\n"
        "result/k3s-riscv64   k3s\n"
    )  # fmt: skip


def test_many_files_are_counted_and_none_is_said():
    results = [_result("a", *(f"f{n}" for n in range(7))), _result("b")]
    lines = render_results(_build(*results), as_json=False).splitlines()
    assert lines == ["/elsewhere/a  f0 f1 f2 f3 and 3 more", "/elsewhere/b  (empty)"]


def test_no_results_are_no_text():
    assert not render_results(_build(), as_json=False)


def test_hostile_names_are_escaped():
    """File names come from whoever wrote the built software."""
    results = [_result("a", "bin/\x1b[2J\nrunc")]
    assert render_results(_build(*results), as_json=False) == "/elsewhere/a  bin/\\x1b[2J\\nrunc\n"
    assert render_results(_build(*results), as_json=True).replace("\n", "").isprintable()


def test_json_document():
    """Exactly this shape: programs read it."""
    failures = (
        StepError("it failed", where="b", details=("last line",), hint="see https://me:pw@e.org/"),
        ValueError("a bug"),
    )
    build = _build(_result("a", "bin/\x1b"), failures=failures)
    document = json.loads(render_results(build, as_json=True))
    assert document == {
        "version": 1,
        "results": [
            {
                "target": "a",
                "path": "/elsewhere/a",
                "tree": "aa/12",
                "derivation": "bb",
                "files": ["bin/\x1b"],
            }
        ],
        "failures": [
            {
                "kind": "StepError",
                "place": "b",
                "problem": "it failed",
                "details": ["last line"],
                "hint": "see https://e.org/",
            },
            {
                "kind": "ValueError",
                "place": "",
                "problem": "ValueError: a bug",
                "details": [],
                "hint": "",
            },
        ],
        "missing": [],
    }


def test_lines_leave_failures_to_standard_error():
    """What was built is told, whatever failed."""
    build = _build(_result("a", "bin"), failures=(StepError("it failed", where="b"),))
    assert render_results(build, as_json=False) == "/elsewhere/a  bin\n"
