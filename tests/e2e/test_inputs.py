"""A step sees the same inputs whatever store they come from, by any sign that ``stat`` gives.

What it says of them is in ``input_probes.py``: ``tar``, ``cp -a``, ``du``, and how many pairs of
device and inode come twice.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rvbuild.core.action import Mount
from rvbuild.executors import bwrap

sys.path.insert(0, str(Path(__file__).parent))
from input_probes import HISTORIES, inputs, probe, said
from sandboxes import Bench

pytestmark = pytest.mark.privileged

OTHERS = [name for name in HISTORIES if name != "fresh"]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return probe(tmp_path_factory.mktemp("fresh"), "fresh")


def test_no_two_paths_are_one_file(fresh: dict[str, str]):
    assert (fresh["shared"], fresh["linked"]) == ("0", "0")
    assert int(fresh["files"]) > 14 * 5_600, "the script found the files"


@pytest.mark.parametrize("history", OTHERS)
def test_what_the_store_was_given_before_does_not_show(
    tmp_path: Path, fresh: dict[str, str], history: str
):
    assert probe(tmp_path, history) == fresh


@pytest.mark.parametrize("history", HISTORIES)
def test_nor_does_it_where_overlays_are_refused(
    tmp_path: Path, fresh: dict[str, str], history: str
):
    assert probe(tmp_path, history, "laid") == fresh


def test_overlays_that_are_refused_do_not_end_a_step(
    tmp_path: Path, fresh: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    """A bubblewrap that knows no such option, as before 0.11."""
    arguments = bwrap.SandboxView.arguments

    def older(view: bwrap.SandboxView, *reached: bwrap.Reached) -> list[str]:
        words = arguments(view, *reached)
        return ["--unknown" if word == "--ro-overlay" else word for word in words]

    monkeypatch.setattr(bwrap.SandboxView, "arguments", older)
    assert probe(tmp_path, "fresh") == fresh


@pytest.mark.parametrize("history", HISTORIES)
def test_the_probes_notice_files_that_two_trees_share(
    tmp_path: Path, fresh: dict[str, str], history: str
):
    """The control: plain mounts, of which two have the same file."""
    seen = probe(tmp_path, history, "faulty")
    assert int(seen["shared"]) > 0
    assert int(seen["linked"]) > 0
    assert {kind for kind in fresh if seen[kind] != fresh[kind]} >= {"tar all", "cp", "du", "bytes"}


@pytest.mark.parametrize("way", ["overlays", "faulty"])
def test_the_probes_notice_hard_links_within_a_tree(
    tmp_path: Path, fresh: dict[str, str], way: str
):
    """The control: an input that no store made."""
    bench = Bench.at(tmp_path)
    one, *others = inputs(bench.store)
    folder = shutil.copytree(bench.store.mountable.path(others[0].tree), tmp_path / "linked")
    (folder / "d/LICENCE").unlink()
    os.link(folder / "LICENCE", folder / "d/LICENCE")
    seen = said(
        bench, (one, Mount("in/a", bench.store.mountable.lend(str(folder))), *others[1:]), way
    )
    assert int(seen["shared"]) > 0
    assert seen["du"] != fresh["du"]


def test_a_file_system_does_not_show_but_in_the_size_of_folders(
    tmp_path: Path, fresh: dict[str, str]
):
    """ext4 and XFS: every history within one gives the same, and tar and cp do across both."""
    able = os.geteuid() == 0 and shutil.which("mkfs.xfs") and shutil.which("mkfs.ext4")
    if not os.environ.get("CI") and not able:
        pytest.skip("only root can mount a file system from a file")
    seen = {system: _seen_on(system, tmp_path / system) for system in ("ext4", "xfs")}
    for histories in seen.values():
        assert all(one == histories["fresh"] for one in histories.values())
    ext4, xfs = (seen[system]["fresh"] for system in ("ext4", "xfs"))
    assert {kind for kind in ext4 if ext4[kind] != xfs[kind]} <= {"du", "bytes"}
    assert {**ext4, "du": "", "bytes": "", "blocks": ""} == {
        **fresh, "du": "", "bytes": "", "blocks": "",
    }  # fmt: skip


def _seen_on(system: str, folder: Path) -> dict[str, dict[str, str]]:
    """What is seen of stores on a new file system, by history."""
    folder.mkdir()
    image = folder.with_suffix(".image")
    with image.open("wb") as file:
        file.truncate(600 << 20)
    subprocess.run([f"mkfs.{system}", "-q", image], check=True)
    probes = Path(__file__).with_name("input_probes.py")
    words = [sys.executable, probes, folder, *HISTORIES]
    script = 'mount -o loop "$1" "$2"; shift 2; exec "$@"'
    command = ["unshare", "-m", "sh", "-ec", script, "sh", image, folder, *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)
