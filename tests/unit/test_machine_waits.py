"""The machine check's waits: they end by what a node does, not by the clock."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

WAITS = Path(__file__).parents[2] / "recipes/machine-check/waits"

# A node of two files: `script` has what the pods say at each look.
NODE = """
bundle=. patience=3
now() { wc -l < looks; }
sleep() { :; }
df() { echo 0; }
crictl() { cat there; }
. "$1"
watch() {
  echo >> looks
  sed -n "$(wc -l < looks)p" script >> states
}
: > looks
touch k3s states
"""


IMPORTED = 'level=info msg="Imported images from images.tar.zst in 9s"\n'
KLIPPER = "docker.io/rancher/klipper-lb          v0.4.14   1234  5MB\n"


def run(
    folder: Path, pods: list[str], command: str, log: str = "", there: str = "IMAGE TAG\n"
) -> list[str]:
    """What the shell wrote, line by line; `there` is what crictl says of images."""
    (folder / "there").write_text(there)
    (folder / "script").write_text("".join(f"{line}\n" for line in pods))
    (folder / "k3s.log").write_text(log)
    ran = subprocess.run(
        ["sh", "-euc", NODE + command, "sh", str(WAITS)],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return ran.stdout.splitlines()


ASK = 'waited=; await "the pod" {} && echo "waited for $waited" || echo "in vain: $hopeless"; now'


def test_a_wait_ends_when_nothing_advances(tmp_path: Path):
    said = run(tmp_path, ["web Pending"], ASK.format("false"))
    assert said == ["in vain: nothing advanced in 3 s", "4"]


def test_a_wait_outlasts_its_patience_while_something_advances(tmp_path: Path):
    states = [f"web Running true {n}" for n in range(20)]
    said = run(tmp_path, states, ASK.format("grep -q 19 states"))
    assert said == ["waited for the pod", "20"]


def test_a_pause_shorter_than_the_patience_is_forgiven(tmp_path: Path):
    states = ["a", "a", "a", "b", "b", "b", "c", "c", "c", "d"]
    said = run(tmp_path, states, ASK.format("grep -q d states"))
    assert said == ["waited for the pod", "10"]


LACKING = "svclb-web Pending false 0 {} rancher/klipper-lb:v0.4.14"


@pytest.mark.parametrize("why", ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"])
def test_a_missing_image_ends_a_wait_at_the_first_look_that_sees_it(tmp_path: Path, why: str):
    pods = ["coredns Running true 0  rancher/coredns:1", LACKING.format(why)]
    said = run(tmp_path, pods, ASK.format("false"), log=IMPORTED)
    reason = f"the node has no image rancher/klipper-lb:v0.4.14 (pod svclb-web: {why})"
    assert said == [f"in vain: {reason}", "2"]


@pytest.mark.parametrize(
    ("log", "there"),
    [("", ""), (IMPORTED, KLIPPER), (IMPORTED, "docker.io/rancher/other v0.4.14 1\n" + KLIPPER)],
)
def test_an_image_that_comes_or_has_come_ends_no_wait(tmp_path: Path, log: str, there: str):
    pods = [LACKING.format("ErrImagePull"), "svclb-web Running true"]
    said = run(tmp_path, pods, ASK.format("grep -q true states"), log=log, there=there)
    assert said == ["waited for the pod", "2"]


def test_a_missing_pause_image_ends_a_wait(tmp_path: Path):
    words = 'err="failed to get sandbox image \\"rancher/mirrored-pause:3.6\\": failed to pull"\n'
    said = run(tmp_path, ["web Pending"], ASK.format("false"), log=IMPORTED + words)
    reason = "the node has no image rancher/mirrored-pause:3.6 (every pod: no sandbox)"
    assert said == [f"in vain: {reason}", "1"]


def test_words_of_the_log_that_nothing_mends_end_a_wait(tmp_path: Path):
    words = "runc create failed: exec format error"
    log = f"I0601 all is well\n{words}\n"
    assert run(tmp_path, ["web"], ASK.format("false"), log=log) == [f"in vain: {words}", "1"]


def test_the_same_words_with_other_numbers_are_one_kind_of_line(tmp_path: Path):
    log = (
        'time="2026-06-01T00:00:01Z" level=info msg="Slow SQL 12 ms"\n'
        'time="2026-06-01T00:00:09Z" level=info msg="Slow SQL 7 ms"\n'
        "E0601 00:00:09.123   190 pod_workers.go:1301] uid 8a3f01bc-77\n"
        "E0601 00:01:09.456  1900 pod_workers.go:1301] uid 91b2e07d-08\n"
    )
    assert run(tmp_path, ["web"], "shapes k3s.log", log=log) == ["2"]


def assigned(script: str) -> set[str]:
    """The variables that a script gives a value: all are one shell's."""
    text = (WAITS.parent / script).read_text()
    return set(re.findall(r"^\s*(?:then |else )?([a-z]\w*)=", text, re.MULTILINE))


@pytest.mark.parametrize("script", ["guest", "questions", "ends"])
def test_waits_share_no_variable_with_who_waits_but_what_they_say(script: str):
    assert assigned("waits") & assigned(script) <= {"last", "waited"}
