"""Which commits of an upstream touch what a step may read."""

from __future__ import annotations

import pytest

from rvbuild.core.names import SourceRef
from rvbuild.core.read_paths import may_be_read
from rvbuild.core.upstream_log import UpstreamCommit, UpstreamLog

READ = [
    "go.mod",
    "main.go",
    "pkg/a/b.go",
    "contest/a.go",
    "testing/a.go",
    "pkg/test.go",
    "a.md.in",
    "Makefile",
    ".githubx/a",
]
NOT_READ = [
    "main_test.go",
    "pkg/a/b_test.go",
    "pkg/testdata/a.bin",
    "tests/e2e/a.go",
    "test/a.go",
    "docs/a.txt",
    "doc/man.1",
    "README.md",
    "pkg/README.md",
    ".github/workflows/a.yaml",
]


@pytest.mark.parametrize("path", READ)
def test_what_may_be_read(path: str):
    assert may_be_read(path)


@pytest.mark.parametrize("path", NOT_READ)
def test_tests_and_documents_are_not_read(path: str):
    assert not may_be_read(path)


def test_a_source_that_keeps_some_paths_has_these_alone():
    kept = ("cmd", "tests/data", "docs/man.md")
    paths = {
        "cmd/main.go": True,
        "cmd": True,
        "cmd/main_test.go": False,
        "cmdline/a.go": False,
        "tests/data/a": True,
        "tests/data/docs/a": False,
        "docs/man.md": True,
        "main.go": False,
    }
    assert {path: may_be_read(path, kept) for path in paths} == paths


def commit(name: str, *files: str) -> UpstreamCommit:
    return UpstreamCommit(commit=name, date=0, subject="", files=files)


def test_a_log_has_the_commits_that_matter_and_counts_the_others():
    ref, commits = SourceRef("a", "a"), (commit("3", "a.go"), commit("2"), commit("1"))
    log = UpstreamLog.of(ref, ("0", "3"), commits)
    assert (log.commits, log.others) == (commits[:1], 2)
    assert (log.source, log.old, log.new, log.problem) == (ref, "0", "3", None)
