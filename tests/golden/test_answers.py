"""What programs read on standard output, and people in the help and in progress lines.

Whoever means to change an answer runs ``pytest tests/golden --regenerate`` and reads the difference
in ``answers/``: a member that goes away breaks somebody's script.
"""

from __future__ import annotations

import io
import json
import os
import platform
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest
from answer_schemas import NAMES, refuse_misfit, schema
from attrs import field, frozen
from former_stores import FormerStore
from git_upstream import Upstream
from golden_file import refuse_difference

from rvbuild.__main__ import main
from rvbuild.cli.arguments import parse
from rvbuild.cli.commands import ROWS
from rvbuild.cli.progress import PlainProgress
from rvbuild.core.cache_use import CacheUse
from rvbuild.core.candidate import Hold
from rvbuild.core.events import (
    Audited,
    CacheUsed,
    Event,
    Finished,
    Noticed,
    Phase,
    Planned,
    Progressed,
    Shortfall,
    Started,
    Wrote,
)
from rvbuild.core.finding import Finding, Weight
from rvbuild.core.loss import TooSlow, Unavailable
from rvbuild.core.override import OverrideEnd
from rvbuild.core.pin_status import PinState, Unasked
from rvbuild.core.pin_step import StepCause
from rvbuild.core.update_policy import REACHES

HERE = Path(__file__).parent
ANSWERS = HERE / "answers"

NOTES = """\
summary: notes that somebody wrote
license: MIT
homepage: https://example.org/notes
kind: source
version: "1"
sources: {notes: {git: "https://example.org/notes", commit: %s}}
"""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-[0-9a-f]+")
_TIME = re.compile(r'(?<="milliseconds": )\d+')
_LINK = re.compile(r"(?<=/roots/notes-)[0-9a-f]{16}")
_TWICE = re.compile(r"(-\w) ([A-Z=]+), (--[\w-]+) \2")
"""``-j N, --jobs N``: Python 3.13 writes ``-j, --jobs N``."""


@frozen
class World:
    """A project with the recipes of this folder, on a machine of a known kind."""

    project: Path
    capture: pytest.CaptureFixture[str]
    masks: dict[str, str] = field(init=False)

    @masks.default
    def _masks(self) -> dict[str, str]:
        return {str(self.project): "PROJECT", str(self.project.parent): "ABOVE"}

    def run(self, *words: str) -> tuple[int, str]:
        """The exit code, and standard output with what differs by machine masked."""
        code = main(words)
        text = self.capture.readouterr().out
        for path, name in self.masks.items():
            text = text.replace(path, name)
        text = _TIME.sub("0", text)
        return code, _LINK.sub("LINK", _MOMENT.sub("MOMENT", text))

    def edit(self) -> None:
        """Write another note, before anybody locks or builds that."""
        (self.project / "clone/note.txt").write_text("another note\n")

    def publish(self) -> None:
        """Make what a module proxy and a package index have, as folders of this machine."""
        index, proxy = self.project.parent / "simple/ziglang", self.project.parent / "proxy"
        toolchains = proxy / "golang.org/toolchain/@v"
        for folder in (index, toolchains):
            folder.mkdir(parents=True)
        versions = [f"v0.0.1-go{version}.linux-amd64" for version in ("1.23.7", "1.24.0", "2.0.0")]
        (toolchains / "list").write_text("\n".join(versions))
        for version in versions:
            (toolchains / f"{version}.info").write_text('{"Time": "2023-11-14T22:13:20Z"}')
        (toolchains / f"{versions[1]}.info").write_text('{"Time": "2500-01-01T00:00:00Z"}')
        (index / "index.html").write_text('<a href="ziglang-1.2-py3-none-any.whl">it</a>')

    def publish_repository(self) -> None:
        """Make the repository of notes, with versions of which the recipe names the first."""
        upstream = Upstream(self.project.parent / "upstream")
        upstream.root.mkdir()
        for version in ("1.0.0", "1.1.0", "2.0.0"):
            upstream.commit(note=version)
            upstream.git("tag", f"notes-{version}")
        mirror = f'"https://example.org/notes" = "{upstream.root / "m"}"'
        (self.project / "rvbuild.toml").write_text(f"[mirrors]\n{mirror}\n")
        recipe = self.project / "recipes/notes/recipe.yaml"
        text = (NOTES % ("a" * 40)).replace('"1"', '"1.0.0"')
        recipe.write_text(text.replace(f"commit: {'a' * 40}", 'tag: "notes-${version}"'))

    def damage(self) -> None:
        """Flip a byte of the one file that `notes` has."""
        (path,) = (self.project / "cache/trees").glob("*/*/note.txt")
        path.chmod(0o644)
        path.write_text("a nose\n")
        path.chmod(0o444)


@pytest.fixture
def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> World:
    project = tmp_path / "project"
    shutil.copytree(HERE / "recipes", project / "recipes")
    shutil.copy(HERE / "rvbuild.lock", project)
    for each in ("recipes/notes", "clone", "../team"):
        (project / each).mkdir()
    (project / "recipes/notes/recipe.yaml").write_text(NOTES % ("a" * 40))
    (project / "clone/note.txt").write_text("a note\n")
    (project / "rvbuild.toml").write_text("[caches]\nteam = 'read+write ../team'\n")
    monkeypatch.setenv("GOPROXY", (tmp_path / "proxy").as_uri())
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    for name in [name for name in os.environ if name.startswith("RVBUILD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RVBUILD_JOBS", "3")  # else as many as there are cores
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr("rvbuild.app.workspace.shipped_recipes", lambda: str(project))
    monkeypatch.chdir(project)
    return World(project, capsys)


OPTIONS = ("--override", "notes=clone", "--json", "--quiet")
BUILD = ("build", "notes", *OPTIONS)
FORMER = ("store", "import", "../former", "--json", "--quiet")

PUBLIC_KEY = "rvbuild-ed25519 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo= ci"

SCRIPTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "plan": (("plan", "app-riscv64", "--json"),),
    "show-recipes": (("show", "--json"),),
    "show-target": (("show", "app-riscv64", "--json", "--pins", "--closure"),),
    "config": (("config", "--json", "--store", "cache"),),
    "keys-list": (("keys", "trust", PUBLIC_KEY), ("keys", "list", "--json")),
    "caches-list": (("caches", "test", "team"), ("caches", "list", "--json")),
    "caches-test": (("caches", "test", "team", "--json"),),
    "caches-stat": (
        ("caches", "test", "team"),
        ("caches", "stat", "team", "--json"),
    ),
    "caches-gc": (
        ("caches", "test", "team"),
        ("caches", "gc", "team", "--json"),
    ),
    "caches-verify": (
        ("caches", "test", "team"),
        ("caches", "verify", "team", "--json"),
    ),
    "caches-add": (("caches", "add", "lab", "https://lab.example/a", "--write", "--json"),),
    "build": (BUILD,),
    "build-failures": (("build", "notes", "upstream", *OPTIONS, "--offline", "--keep-going"),),
    "why": (BUILD, ("EDIT",), ("why", "notes", "--override", "notes=clone", "--json")),
    "outdated": (
        ("PUBLISH",),
        ("outdated", "--json", "--offline", "--exit-code"),
    ),
    "update": (
        ("PUBLISH",),
        ("UPSTREAM",),
        ("update", "notes", "lib", "--json", "--dry-run", "--quiet"),
    ),
    "fetch": (("fetch", "notes", *OPTIONS),),
    "fetch-failures": (("fetch", "notes", "upstream", *OPTIONS, "--offline", "--keep-going"),),
    "store-verify": (BUILD, ("store", "verify", "--json")),
    "store-verify-damage": (BUILD, ("DAMAGE",), ("store", "verify", "--json")),
    "store-repair": (BUILD, ("DAMAGE",), ("store", "repair", "--json")),
    "store-import": (FORMER,),
    "gc": (BUILD, ("gc", "--json")),
}
"""What is run to get an answer; the last one counts."""


@pytest.mark.parametrize("name", SCRIPTS)
def test_answers_for_programs(world: World, request: pytest.FixtureRequest, name: str):
    FormerStore.at(world.project.parent / "former").tree({})
    code, text = 0, ""
    for words in SCRIPTS[name]:
        if words == ("DAMAGE",):
            world.damage()
        elif words == ("EDIT",):
            world.edit()
        elif words == ("PUBLISH",):
            world.publish()
        elif words == ("UPSTREAM",):
            world.publish_repository()
        else:
            code, text = world.run(*words)
    document = {"exit-code": code, "answer": json.loads(text)}
    refuse_difference(request, ANSWERS / f"{name}.json", json.dumps(document, indent=1) + "\n")


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_fits_its_answer(name: str):
    refuse_misfit(name, json.loads((ANSWERS / f"{name}.json").read_text())["answer"])


def test_the_schema_of_outdated_has_all_words():
    """Words that the schema lists are all that there are."""
    answer = json.loads((ANSWERS / "outdated.json").read_text())["answer"]
    pin = schema("outdated")["$defs"]["pin"]["properties"]
    assert list(pin) == list(answer["pins"][0])
    assert pin["state"]["enum"] == [each.value for each in PinState]
    assert pin["unasked"]["enum"] == [*(each.value for each in Unasked), None]
    ends = pin["instead"]["properties"]["ended"]["enum"]
    assert ends == [*(each.value for each in OverrideEnd), None]
    assert pin["held"]["properties"]["by"]["enum"] == [each.value for each in Hold]
    assert pin["policy"]["properties"]["update"]["enum"] == list(REACHES)


def test_the_schema_of_update_has_all_words():
    answer = json.loads((ANSWERS / "update.json").read_text())["answer"]
    known = schema("update")["$defs"]
    assert list(known["move"]["properties"]) == list(answer["moves"][0])
    causes = [each.value for each in StepCause]
    assert known["move"]["properties"]["because"]["enum"] == causes
    assert known["source"]["properties"]["because"]["enum"][: len(causes)] == causes
    assert known["move"]["properties"]["policy"]["properties"]["update"]["enum"] == list(REACHES)


def test_help(
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("COLUMNS", "1000")  # an option a line, whatever breaks lines
    texts = []
    for words in (["--help"], *([row.name, "--help"] for row in ROWS)):
        with pytest.raises(SystemExit):
            parse(words)
        lines = capsys.readouterr().out.splitlines()
        texts += [f"$ rvbuild {' '.join(words)}", *map(_squeezed, lines), ""]
    refuse_difference(request, ANSWERS / "help.txt", "\n".join(texts))


def _squeezed(line: str) -> str:
    return _TWICE.sub(r"\1, \3 \2", re.sub(r"(?<=\S) {2,}", "  ", line))


EVENTS: Sequence[Event] = (
    Planned({Phase.FETCH: 2, Phase.MERGE: 1, Phase.BUILD: 2, Phase.CHECK: 1}, kept=3),
    Started("go", Phase.FETCH, "not in the store"),
    Progressed("go", 1_000_000, 3_000_000),
    Finished("go", Phase.FETCH, "fetched", 2.0, 3_000_000),
    Started("zig", Phase.FETCH, "not in the store"),
    Finished("zig", Phase.FETCH, "failed", 3.0),
    Started("base-toolbox", Phase.MERGE, "not made yet"),
    Finished("base-toolbox", Phase.MERGE, "merged", 2.5),
    Started("lib-riscv64", Phase.BUILD, "its input cc changed"),
    Wrote("lib-riscv64", "CC a.c"),
    Noticed("lib-riscv64", "something to know"),
    Audited(
        "lib-riscv64",
        (
            Finding("lib/a.so", "it asks the processor", "", Weight.DETECTED),
            Finding("lib/b.so", "it says nothing", "", Weight.UNKNOWN),
        ),
    ),
    Finished("lib-riscv64", Phase.BUILD, "built", 61.5),
    Started("dns-riscv64", Phase.SUBSTITUTE, "team has it"),
    Finished("dns-riscv64", Phase.SUBSTITUTE, "lost", 1.0, loss=TooSlow(350.0, 20.0)),
    Started("ssh-riscv64", Phase.SUBSTITUTE, "team has it"),
    Finished(
        "ssh-riscv64",
        Phase.SUBSTITUTE,
        "lost",
        0.1,
        loss=Unavailable("no cache has all of a pack", ("team: it lacks it", "lab: no answer")),
    ),
    Started("app-riscv64", Phase.BUILD, "not made yet"),
    Finished("app-riscv64", Phase.BUILD, "stopped", 1.0),
    Started("version of app-riscv64", Phase.CHECK, "not made yet"),
    Finished("version of app-riscv64", Phase.CHECK, "built", 0.5),
    CacheUsed(CacheUse(name="team", requests=9, hits=3, pulled=3, size=9_000_000, saved=61.5)),
    CacheUsed(CacheUse(name="lab", requests=1, waited=0.2)),
    CacheUsed(CacheUse(name="office", requests=1, waited=5.0, reason="no answer in 5 s")),
    Shortfall(("app-riscv64", "lib-riscv64"), keys=1, needed=2),
    Shortfall(("app-riscv64",), keys=0, needed=1, fallen=("ci:0123456789abcdef",)),
)


@pytest.mark.parametrize("verbose", [False, True])
def test_progress_lines(request: pytest.FixtureRequest, *, verbose: bool):
    """Each kind of event, and what a person sees of it where lines are wanted."""
    assert {type(event) for event in EVENTS} == set(get_args(Event))
    moments = iter(range(0, 1000, 3))
    stream = io.StringIO()
    with PlainProgress(stream, lambda: next(moments), verbose=verbose) as progress:
        for event in EVENTS:
            progress(event)
    name = "progress-verbose.txt" if verbose else "progress.txt"
    refuse_difference(request, ANSWERS / name, stream.getvalue())
