"""The table of kinds: each kind is found by its tag, and nothing else of any is imported."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rvbuild.core.go_source import GoModFiles
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec
from rvbuild.kinds import table
from rvbuild.kinds.declaration import keys

ROOT = Path(__file__).parents[2]
DATA = b"some data\n"
RECIPE = f"""\
summary: a file
license: MIT
homepage: https://f.invalid
kind: source
sources:
  data:
    url: https://f.invalid/data.bin
    sha256: {hashlib.sha256(DATA).hexdigest()}
    unpack: false
"""
PROGRAM = """\
import json, sys
import rvbuild.app.workspace as workspace
from rvbuild.__main__ import main
if sys.argv[1] == "alone":
    workspace.shipped_recipes = lambda: sys.argv[2]
code = main(sys.argv[3:])
print(json.dumps([code, sorted(name for name in sys.modules if name.startswith("rvbuild."))]))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A recipe with one file, which has a mirror on this machine."""
    folder = tmp_path / "recipes/data"
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/data.bin").write_bytes(DATA)
    return tmp_path


def modules(project: Path, shipped: str, *words: str) -> dict[str, set[str]]:
    """The modules of kinds that a run imports, by package."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, shipped, str(project), *words],
        cwd=project,
        env={"PATH": os.environ["PATH"], "HOME": str(project), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
        text=True,
    )
    code, names = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stderr
    loaded: dict[str, set[str]] = {}
    for name in names:
        match = re.fullmatch(r"rvbuild\.kinds\.(\w+)\.(\w+)", name)
        if match:
            loaded.setdefault(match[1], set()).add(match[2])
    return loaded


def test_a_run_imports_the_kinds_that_it_needs_alone(project: Path):
    """Also when it locks and fetches. Of ``path`` is what an override would need."""
    mirror = ("--mirror", f"https://f.invalid={project}/mirror")
    assert modules(project, "alone", "lock") == {
        "path": {"fetch", "source"},
        "url": {"codec", "fetch", "resolve", "source", "spec"},
    }
    assert modules(project, "alone", "plan", "data") == {
        "path": {"fetch", "source"},
        "url": {"codec", "source", "spec"},
    }
    assert modules(project, "alone", "data", *mirror) == {
        "path": {"fetch", "source"},
        "url": {"codec", "fetch", "source", "spec"},
    }


def test_of_a_kind_that_only_a_lock_names_no_more_than_its_facts_are_imported(project: Path):
    """The shipped lock has all kinds; every run reads it, and this one needs none of them."""
    modules(project, "beside", "lock")
    loaded = modules(project, "beside", "plan", "data")
    assert {"debian", "git", "go", "pypi"} <= set(loaded)
    for kind in ("debian", "git", "go", "pypi"):
        assert loaded[kind] == {"codec", "source"}


@pytest.mark.parametrize("tag", table.TAGS)
def test_each_kind_is_whole(tag: str):
    """It is called by its tag everywhere, and its package has every module of the table."""
    spec, kind = table.spec_of(tag), table.kind(tag)
    assert issubclass(spec, SourceSpec)
    assert (keys(spec)[0].word, kind.tag, spec.answer.kind) == (tag, tag, tag)
    assert isinstance(kind.source, type)
    assert issubclass(kind.source, Source)
    assert callable(table.describe_module(tag).describe_source)
    assert callable(table.describe_module(tag).describe_spec)
    assert callable(table.resolve_module(tag).resolve)
    assert callable(table.fetch_module(tag).client)


def test_what_comes_with_other_sources_does_not_stand_in_a_lock():
    with pytest.raises(TypeError, match="GoModFiles does not stand in a lock"):
        table.kind_of(GoModFiles(go_sum="0" * 64, modules=()))
