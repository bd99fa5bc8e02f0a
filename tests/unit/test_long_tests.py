"""A long test that tried nothing has not succeeded."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from go_command import needs_go

TESTS = Path(__file__).parents[1]


@needs_go
@pytest.mark.parametrize("words", [["go/graphs.py"], ["lock_facts.py", "--lock", "small"]])
def test_nothing_tried_is_a_failure(words: list[str]):
    ran = subprocess.run(
        [sys.executable, str(TESTS / "long" / words[0]), *words[1:], "--count", "0"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS / "support")},
    )
    assert (ran.returncode, ran.stderr) == (1, "")
    assert "0" in ran.stdout


def test_sums_are_of_every_file_in_every_folder(tmp_path: Path):
    """The bundle has had a folder since it holds licences; `sha256sum -- *` fails there."""
    bundle = tmp_path / "bundle"
    (bundle / "licenses" / "runc").mkdir(parents=True)
    for name in ("k3s", "k3s.service.env", "licenses/runc/LICENSE", "SHA256SUMS"):
        (bundle / name).write_text(name)
    sums = TESTS / "long/machine/recipes/bundle-of/sums"
    subprocess.run([str(sums), "bundle"], cwd=tmp_path, check=True)
    written = (bundle / "SHA256SUMS").read_text().splitlines()
    assert [line.split("  ")[1] for line in written] == ["k3s", "licenses/runc/LICENSE"]
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=bundle, check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle"]


ASKED = re.compile(r"\b(pod|deployment|service)/([a-z]+)|\blogs ([a-z]+)")


def test_the_node_is_asked_for_what_its_pods_files_have():
    """Each pod, Deployment and Service that `guest` names is in a file that it applies."""
    here = TESTS / "long/here"
    kinds: dict[str, set[str]] = {}
    for file in ("pods.yaml", "pulled.yaml"):
        for document in yaml.safe_load_all((here / file).read_text()):
            kinds.setdefault(document["kind"].lower(), set()).add(document["metadata"]["name"])
    asked = {
        (kind or "pod", name or pod)
        for kind, name, pod in ASKED.findall((here / "guest").read_text())
    }
    assert asked >= {("pod", "machine"), ("deployment", "web"), ("service", "web")}
    assert {(kind, name) for kind, name in asked if name not in kinds.get(kind, ())} == set()
