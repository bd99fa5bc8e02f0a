"""Outputs as a whole: which file a rule means, and what is told of those that are not there."""

from __future__ import annotations

import os
import random
from contextlib import nullcontext
from pathlib import Path

import pytest
from attrs import evolve
from made_program import MadeProgram, MadeSymbol, words
from packed_image import filled, image, pack
from workshop import LINUX

from rvbuild.cli.audit_notes import finding_lines, unknown_files
from rvbuild.cli.remedies import hint_text
from rvbuild.core.derivation import OutputRule, Step
from rvbuild.core.errors import VerificationError
from rvbuild.core.finding import Finding
from rvbuild.core.ports.store import TreeStore
from rvbuild.core.tree import Tree
from rvbuild.engine.outputs import Inspection, inspect_outputs, refuse_faults
from rvbuild.images.image_audit import audit_image
from rvbuild.stores.local import LocalStore
from rvbuild.stores.memory import MemoryStore


def inspection(forbidden: tuple[bytes, ...] = ()) -> Inspection:
    return Inspection(forbidden=forbidden, audit_image=audit_image, wanted=lambda: None)


def audit_outputs(step: Step, store: TreeStore, tree: Tree, how: Inspection) -> list[Finding]:
    """What is to be said of outputs that have no fault."""
    findings = inspect_outputs(step, store, tree, how)
    refuse_faults(step, findings)
    return findings


def findings(folder: Path, *rules: OutputRule, forbidden: tuple[bytes, ...] = ()) -> list[str]:
    """What is wrong with an output of several files."""
    store = MemoryStore(str(folder))
    with store.trees.new_tree() as writer:
        writer.file("bin/run", [b"#!/bin/sh\n"], executable=True)
        writer.file("bin/plain", [b"#!/bin/sh\n"])
        writer.file("share/doc", [b"see /home/builder/x here"])
        writer.file("share/log", [b'open("/build/src/x/main.c")'])
        writer.file("empty", [])
        writer.symlink("bin/link", "run")
        writer.symlink("sbin", "bin")
        writer.symlink("sbin2", "./sbin//")
        writer.symlink("bin/up", "../share/../bin/run")
        writer.symlink("bin/plain-link", "plain")
        writer.symlink("host", "/etc/passwd")
        writer.symlink("out", "../out")
        writer.symlink("nowhere", "bin/gone")
        writer.symlink("circle", "circle")
        writer.symlink("below", "bin/run/../plain")
        tree = writer.commit()
    step = Step(
        label="s", inputs_at=(), script="", environment=(), timeout=1, platform=LINUX, outputs=rules
    )
    try:
        audit_outputs(step, store, tree, inspection(forbidden))
    except VerificationError as error:
        return list(error.details)
    return []


def rule(path: str, kind: str = "file") -> OutputRule:
    return OutputRule(name="x", path=path, kind=kind)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("bin/run", "executable"),
        ("bin/link", "executable"),
        ("bin/up", "executable"),
        ("sbin/link", "executable"),
        ("empty", "file"),
        ("bin", "tree"),
        ("sbin2", "tree"),
    ],
)
def test_outputs_that_are_what_they_must_be(tmp_path: Path, path: str, kind: str):
    assert findings(tmp_path, rule(path, kind)) == []


@pytest.mark.parametrize(
    ("path", "kind", "says"),
    [
        ("bin/gone", "file", "it was declared and is not there"),
        ("bin/run/below", "file", "it was declared and is not there"),
        ("bin", "file", "it is a folder"),
        ("sbin", "file", "it is a folder"),
        ("bin/plain-link", "executable", "it is not executable"),
        ("host", "file", "it is a link to /etc/passwd, which is not in the output"),
        ("out", "file", "it is a link to ../out, which is not in the output"),
        ("nowhere", "file", "it is a link to bin/gone, which is not in the output"),
        ("circle", "file", "it is a link to circle, which is not in the output"),
        ("below", "file", "it is a link to bin/run/../plain, which is not in the output"),
        ("bin/run", "tree", "it is a file"),
        ("bin/link", "image", "neither a tar nor a zip archive nor a Debian package"),
        ("bin/plain", "executable", "it is not executable"),
        ("share/doc", "executable", "it is not executable"),
    ],
)
def test_outputs_that_are_not(tmp_path: Path, path: str, kind: str, says: str):
    assert f"{path}: {says}" in findings(tmp_path, rule(path, kind))


LINKS = {
    "/build/out/t/file": "which only the step has",
    "/build": "which only the step has",
    "/in/go/bin/go": "which only the step has",
    "/src/x": "which only the step has",
    "../../x": "which is above the step's whole output",
    "a/../../../t/file": "which is above the step's whole output",
    "../other/x": "",
    "..": "",
    "./file": "",
    "gone": "",
    "/etc/mtab": "",
    "/dev/stdout": "",
    "/inside": "",
    "/srcs": "",
    "a/../..": "",
    "//build/x": "which only the step has",
    "///in//go": "which only the step has",
    "/./in/go": "which only the step has",
    "/../src/x": "which only the step has",
    "/usr/../src/x": "which only the step has",
    "/usr/lib/../../build": "which only the step has",
    "/in/../etc/mtab": "which only the step has",
    "/usr/./in/go": "",
    "//etc//mtab": "",
    "/": "",
    "here/../../x": "which is above the step's whole output",
    "here/../../../t/file": "which is above the step's whole output",
    "gone/../../../x": "which is above the step's whole output",
    "deep/../../file": "",
    "deep/../../../../x": "which is above the step's whole output",
    "../undeclared/y": "which only the step has",
    "circle/../../x": "",
}
"""Targets of ``t/link``, and what is wrong with them.

Beside it are ``t/here`` (a link to the folder itself), ``t/deep`` (to ``sub/deeper``), ``t/circle``
(to itself), and ``undeclared`` above them, a link to ``/in/x``.
"""


@pytest.mark.parametrize("target", LINKS)
def test_links_in_a_tree_lead_nowhere_where_only_the_step_was(tmp_path: Path, target: str):
    """A file system's own links, to what it has in use, stay; so does what nobody declared."""
    store = MemoryStore(str(tmp_path))
    with store.trees.new_tree() as writer:
        writer.file("t/file", [b"x"])
        writer.file("t/sub/deeper/file", [b"x"])
        writer.symlink("t/here", ".")
        writer.symlink("t/deep", "sub/deeper")
        writer.symlink("t/circle", "circle")
        writer.symlink("t/link", target)
        writer.symlink("undeclared", "/in/x")
        tree = writer.commit()
    expected = [f"t/link: it is a link to {target}, {LINKS[target]}"] if LINKS[target] else []
    assert link_findings(store, tree) == expected


def link_findings(store: MemoryStore, tree: Tree) -> list[str]:
    """What is wrong with an output of which ``t`` is declared as a tree."""
    step = Step(
        label="s",
        inputs_at=(),
        script="",
        environment=(),
        timeout=1,
        platform=LINUX,
        outputs=(rule("t", "tree"),),
    )
    found = inspect_outputs(step, store, tree, inspection())
    return [f"{each.path}: {each.what}" for each in found]


NAMES = ("a", "b", "c", "d", ".", "", "..", "..", "..")


def test_a_link_leads_where_the_system_finds_it(tmp_path: Path):
    """Random relative links, which the same ones on a disk are compared with."""
    chance = random.Random(1)  # noqa: S311 - no secret
    places = ["t/a", "t/b", "t/c", "t/d/a", "t/d/b", "t/d/d/a"]
    seen = {True: 0, False: 0}
    for number in range(60):
        top = tmp_path / str(number) / "1/2/3/4/5/6/7/8/out"
        (top / "t/d/d").mkdir(parents=True)
        store = MemoryStore(str(tmp_path / f"store{number}"))
        with store.trees.new_tree() as writer:
            for place in places:
                names = chance.choices(NAMES, k=chance.randint(1, 5))
                target = "/".join(names).lstrip("/") or "."
                writer.symlink(place, target)
                (top / place).symlink_to(target)
            tree = writer.commit()
        wrong = {line.partition(":")[0] for line in link_findings(store, tree)}
        for place in places:
            try:
                end = os.path.realpath(top / place, strict=True)
            except OSError:  # of links in a circle, and of what is not there: see the table
                continue
            rises = not f"{end}/".startswith(f"{top}/")
            assert (place in wrong) is rises, (place, os.readlink(top / place))
            seen[rises] += 1
    assert min(seen.values()) > 20, seen


@pytest.mark.parametrize(
    ("path", "kind", "says"),
    [
        ("bin/r*", "executable", []),
        ("bin/l*", "executable", []),
        ("**/up", "executable", []),
        ("sb*", "executable", ["sbin: it is a folder", "sbin2: it is a folder"]),
        ("bin/p*", "executable", ["bin/plain: it is not exec", "bin/plain-link: it is not exec"]),
        ("ho*", "file", ["host: it is a link to /etc/passwd, which is not in the output"]),
        ("n*", "executable", ["nowhere: it is a link to bin/gone"]),
        ("x*", "file", ["x*: no file fits it"]),
        ("bi*n", "file", ["bi*n: no file fits it"]),
    ],
)
def test_each_file_that_fits_a_pattern_is_an_output(
    tmp_path: Path, path: str, kind: str, says: list[str]
):
    found = findings(tmp_path, rule(path, kind))
    assert len(found) == len(says)
    assert all(one.startswith(what) for one, what in zip(found, says, strict=True))


def test_what_a_link_of_a_pattern_leads_to_is_looked_at(tmp_path: Path):
    store = MemoryStore(str(tmp_path))
    with store.trees.new_tree() as writer:
        writer.file("lib/program", [b"no program"], executable=True)
        writer.symlink("bin/it", "../lib/program")
        tree = writer.commit()
    rules = (rule("bin/*", "executable"),)
    step = Step(
        label="s", inputs_at=(), script="", environment=(), timeout=1, platform=LINUX, outputs=rules
    )
    with pytest.raises(VerificationError) as caught:
        audit_outputs(step, store, tree, inspection())
    assert caught.value.details == ("lib/program: it is neither an ELF file nor a script",)
    own = (*rules, rule("lib/program"))
    assert audit_outputs(evolve(step, outputs=own), store, tree, inspection()) == []


def test_every_file_is_searched_for_what_must_not_be_inside(tmp_path: Path):
    found = findings(tmp_path, forbidden=(b"/home/builder",))
    assert len(found) == 1
    assert found[0].startswith("share/doc: /home/builder is inside")


def test_declared_files_may_not_name_the_build_folder(tmp_path: Path):
    """Also those of a declared tree; what is not declared may (a log, say)."""
    assert findings(tmp_path) == []
    for declared in (rule("share/log"), rule("share", "tree")):
        (found,) = findings(tmp_path, declared)
        assert found.startswith("share/log: /build/src/ is inside")


def programs(folder: Path, files: dict[str, bytes], *rules: OutputRule) -> list[Finding]:
    """What is no fault of an output of these files."""
    store = MemoryStore(str(folder))
    with store.trees.new_tree() as writer:
        for path, data in files.items():
            writer.file(path, [data], executable=True)
        tree = writer.commit()
    step = Step(
        label="s", inputs_at=(), script="", environment=(), timeout=1, platform=LINUX, outputs=rules
    )
    return audit_outputs(step, store, tree, inspection())


VECTOR = MadeProgram(
    code=words(0x0D0072D7, 0x00008067), symbols=(MadeSymbol("copy_v", 0, 8),)
).write()  # vsetvli t0, zero, …; ret


def test_declared_code_beyond_the_baseline_is_told(tmp_path: Path):
    detected = (("copy_*", "asks hwprobe"), ("gone", "asks nobody"))
    tree = evolve(rule("bin", "tree"), architecture="riscv64", detected=detected)
    other = evolve(rule("other", "executable"), architecture="riscv64")
    files = {"bin/a": VECTOR, "bin/b": VECTOR, "bin/c": VECTOR, "other": b"#!/bin/sh\n"}
    found = programs(tmp_path, files, tree, other)
    asks = "it asks the processor before it uses v beyond rv64gc in copy_v: asks hwprobe"
    assert list(finding_lines(found)) == [
        f"bin/a, bin/b and 1 other: {asks}",
        "bin: `detected` has 'gone', and no such function goes beyond the baseline",
    ]
    with pytest.raises(VerificationError) as caught:
        programs(tmp_path / "2", {**files, "other": VECTOR}, tree, other)
    (fault,) = caught.value.details
    assert fault.startswith("other: it uses v beyond rv64gc in copy_v: ")
    assert "`detected`" in hint_text(caught.value.hint)


def test_silence_of_a_file_has_no_line_of_its_own(tmp_path: Path):
    silent = MadeProgram(code=words(0x00008067), machine=183).write()
    tree = evolve(rule("bin", "tree"), architecture="arm64")
    found = programs(tmp_path, {f"bin/{at}": silent for at in range(5)}, tree)
    assert list(finding_lines(found)) == []
    assert unknown_files(found) == 5
    assert {finding.what for finding in found} == {"nothing in it says which instructions it needs"}


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_an_image_is_looked_into(tmp_path: Path, form: str):
    layout = image(filled(tmp_path / "root"), architecture="arm64")
    assert pack("--archive", tmp_path / "image.tar", layout) == ""
    files = {f"image/{path.relative_to(layout)}": path for path in layout.rglob("*")}
    store = MemoryStore(str(tmp_path / "store"))
    with store.trees.new_tree() as writer:
        for at, path in files.items() if form == "folder" else [("image", tmp_path / "image.tar")]:
            if path.is_file():
                writer.file(at, [path.read_bytes()])
        output = writer.commit()
    wanted = evolve(rule("image", "image"), architecture="riscv64")
    step = Step(
        label="s",
        inputs_at=(),
        script="",
        environment=(),
        timeout=1,
        platform=LINUX,
        outputs=(wanted,),
    )
    with pytest.raises(VerificationError) as caught:
        audit_outputs(step, store, output, inspection())
    assert caught.value.details == (
        "image (example.org/app:1): it is for linux/arm64 and linux/riscv64, not linux/riscv64",
    )


def test_a_missing_image_may_never_have_been_packed(tmp_path: Path):
    step = Step(
        label="s",
        inputs_at=(),
        script="",
        environment=(),
        timeout=1,
        platform=LINUX,
        outputs=(rule("x", "image"),),
    )
    store = MemoryStore(str(tmp_path))
    with store.trees.new_tree() as writer:
        writer.file("other", [b"x"])
        tree = writer.commit()
    with pytest.raises(VerificationError) as caught:
        audit_outputs(step, store, tree, inspection())
    left = "the step left: other. The script of an image must not `exit`"
    assert left in hint_text(caught.value.hint)


def test_what_the_step_left_is_told(tmp_path: Path):
    step = Step(
        label="s",
        inputs_at=(),
        script="",
        environment=(),
        timeout=1,
        platform=LINUX,
        outputs=(rule("x"),),
    )
    store = MemoryStore(str(tmp_path))
    with store.trees.new_tree() as writer:
        writer.directory("only/folders")
        tree = writer.commit()
    with pytest.raises(VerificationError) as caught:
        audit_outputs(step, store, tree, inspection())
    assert (caught.value.where, hint_text(caught.value.hint)) == ("s", "the step left: nothing")


class Ended(Exception):
    """What an end is told by."""


@pytest.mark.parametrize("calls", [0, 1, 2, 3, None])
def test_an_output_is_looked_at_for_as_long_as_somebody_wants_it(tmp_path: Path, calls: int | None):
    """A large file is looked at in parts: none of them after the end."""
    store = MemoryStore(str(tmp_path))
    with store.trees.new_tree() as writer:
        writer.file("large", [bytes(30 << 20)])
        tree = writer.commit()
    step = Step(
        label="s", inputs_at=(), script="", environment=(), timeout=1, platform=LINUX, outputs=()
    )
    left = [calls]

    def wanted() -> None:
        if left[0] == 0:
            raise Ended
        left[0] = left[0] and left[0] - 1

    how = Inspection(forbidden=(b"/home/somebody/",), audit_image=audit_image, wanted=wanted)
    with nullcontext() if calls is None else pytest.raises(Ended):
        audit_outputs(step, store, tree, how)


def test_what_a_deep_output_has_is_told(tmp_path: Path):
    store = LocalStore(str(tmp_path), durable=False)
    with store.trees.new_tree() as writer:
        writer.file("d/" * 1020 + "f", [b"x"])
        tree = writer.commit()
    missing = (rule("gone"),)
    step = Step(
        label="s",
        inputs_at=(),
        script="",
        environment=(),
        timeout=1,
        platform=LINUX,
        outputs=missing,
    )
    with pytest.raises(VerificationError) as caught:
        audit_outputs(step, store, tree, inspection())
    assert hint_text(caught.value.hint) == f"the step left: {'d/' * 1020}f"
