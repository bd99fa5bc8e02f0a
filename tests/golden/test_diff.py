"""What `diff` says of a small project that moved on, word for word; see `test_answers`.

The project is committed, then its upstream, an archive, packages and modules are other ones.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest
from attrs import evolve
from golden_file import refuse_difference

from rvbuild.__main__ import main
from rvbuild.core.lock import Lock, LockedSource
from rvbuild.core.names import PinRef, SetRef, SourceRef
from rvbuild.core.trace import content_digest
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.recipes_yaml.lock import read_lock, write_lock

HERE = Path(__file__).parent
ANSWERS = HERE / "answers"
FORMS = {"diff.txt": (), "diff.md": ("--markdown",), "diff.json": ("--json",)}
COMMIT = "c5b1587989339683f95208ce26e07c3e1ada62c6"
H1 = f"h1:{'A' * 43}="
UPSTREAM, APP = SourceRef("upstream", "tree"), SourceRef("app", "app")
PACKAGES = SourceRef("base-toolbox", "packages", "amd64")

EDITS = (
    ("upstream", "76c5c770b21e101f00a32445d3e6fdc325d563b5", COMMIT),
    ("lib", 'version: "2.0"', 'license: 0BSD\nversion: "2.1"'),
    ("app", "license: Apache-2.0", "license: MIT OR Apache-2.0"),
)


def moved(lock: Lock) -> Lock:
    """The lock of the recipes after ``EDITS``."""
    sources = {
        **lock.sources,
        UPSTREAM: _other(lock, UPSTREAM, COMMIT, commit=COMMIT, tree="3" * 40, date=1770821971),
        APP: _other(lock, APP, "v1.3.0", version="v1.3.0", h1=H1),
        SourceRef("lib", "lib"): _archive(lock.sources[SourceRef("lib", "lib")]),
        PACKAGES: _packages(lock.sources[PACKAGES]),
    }
    pin, modules = lock.pins[PinRef("app", "version")], lock.go_modules[SetRef(APP)]
    return Lock(
        pins={
            PinRef("app", "version"): evolve(
                pin, value="v1.3.0", line=11, trace=_trace(UPSTREAM, sources[UPSTREAM])
            )
        },
        sources=sources,
        go_modules={
            SetRef(APP): evolve(
                modules,
                modules=(("example.org/Lib", "v0.2.0", H1), ("example.org/new", "v1.0.0", H1)),
                trace=_trace(APP, sources[APP]),
            )
        },
    )


def _other(lock: Lock, ref: SourceRef, text: str, **facts: object) -> LockedSource:
    """A source with other facts, the first of which stands in its description."""
    entry = lock.sources[ref]
    (part,) = entry.parts
    former = str(getattr(part, next(iter(facts))))
    return evolve(entry, spec=entry.spec.replace(former, text), parts=(evolve(part, **facts),))


def _archive(entry: LockedSource) -> LockedSource:
    (part,) = entry.parts
    url = "https://example.org/lib-2.1.tar.gz"
    return evolve(
        entry,
        spec=entry.spec.replace("2.0", "2.1"),
        parts=(evolve(part, sha256="f" * 64, urls=(url,)),),
    )


def _packages(entry: LockedSource) -> LockedSource:
    bash, libc, make = (part for part in entry.parts if isinstance(part, DebianPackage))
    return evolve(
        entry,
        parts=(
            evolve(bash, version="1:2.0-1", sha256="b" * 64),
            evolve(libc, version="1:1.9-1", sha256="c" * 64),
            make,
            evolve(make, name="sed", sha256="d" * 64),
        ),
    )


def _trace(ref: SourceRef, entry: LockedSource) -> tuple[tuple[SourceRef, str], ...]:
    return ((ref, content_digest(ref, entry.spec, entry.parts)),)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project after the edits, whose commit is before them."""
    folder = tmp_path / "project"
    shutil.copytree(HERE / "recipes", folder / "recipes")
    shutil.copy(HERE / "rvbuild.lock", folder)
    for name in [name for name in os.environ if name.startswith("RVBUILD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr("rvbuild.app.workspace.shipped_recipes", lambda: str(folder))
    monkeypatch.chdir(folder)
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "as it was")):
        names = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        subprocess.run(["git", *names, *words], check=True)
    for recipe, old, new in EDITS:
        path = folder / "recipes" / recipe / "recipe.yaml"
        text = path.read_text()
        assert old in text, (recipe, old)
        path.write_text(text.replace(old, new))
    lock = read_lock((folder / "rvbuild.lock").read_bytes(), "rvbuild.lock")
    (folder / "rvbuild.lock").write_text(write_lock(moved(lock)))
    return folder


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.usefixtures("project")
def test_what_changed_since_the_last_commit(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], name: str
):
    assert main(["diff", *FORMS[name]]) == 0
    refuse_difference(request, ANSWERS / name, capsys.readouterr().out)


@pytest.mark.usefixtures("project")
def test_back_is_the_opposite(capsys: pytest.CaptureFixture[str], project: Path):
    """What came goes, what went up comes down, and the same targets are built again."""
    shutil.copy(project / "rvbuild.lock", project / "new.lock")
    shutil.copy(HERE / "rvbuild.lock", project / "old.lock")
    documents = []
    for words in (("old.lock", "new.lock"), ("new.lock", "old.lock")):
        assert main(["diff", *words, "--json"]) == 0
        documents.append(json.loads(capsys.readouterr().out))
    there, back = documents
    opposite = {"added": "removed", "removed": "added", "up": "down", "down": "up"}
    swapped = [
        {**each, "old": each["new"], "new": each["old"], "change": opposite[each["change"]]}
        for each in there["changes"]
    ]
    assert back["changes"] == swapped
    assert back["rebuild"] is None
