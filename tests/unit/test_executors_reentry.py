"""The script that leads into a failed step's folder: text that a shell reads as it was meant."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from rvbuild.executors.bwrap import SandboxView
from rvbuild.executors.inputs import InputTrees
from rvbuild.executors.reentry import SCRIPT, write_script

PROGRAM = """\
#!/bin/sh
for word; do printf '<%s>\\n' "$word"; done
"""
ODD = "a 'b' \"c\" $HOME `id` \\ \n%"


def written(folder: Path, *words: str, label: str = "tool-riscv64") -> list[str]:
    """The words that the program gets which stands for bwrap."""
    program = folder / "no bwrap"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    view = SandboxView(
        environment={"odd": ODD},
        working_directory="/build",
        read_only={"/in/x": os.fsdecode(b"/s/\xff")},
    )
    step = folder / "step"
    step.mkdir(exist_ok=True)
    here = os.open(step, os.O_RDONLY)
    try:
        if not (step / SCRIPT).exists():
            write_script(here, label, str(program), view, ["/bin/sh", "-c", ODD])
    finally:
        os.close(here)
    done = subprocess.run([step / SCRIPT, *words], check=True, capture_output=True)
    return os.fsdecode(done.stdout)[1:-2].split(">\n<")


def test_without_words_it_runs_the_command(tmp_path: Path):
    words = written(tmp_path)
    assert words[words.index("--") + 1 :] == ["/bin/sh", "-c", ODD]
    at = words.index("odd")
    assert words[at - 1 : at + 2] == ["--setenv", "odd", ODD]
    assert os.fsdecode(b"/s/\xff") in words
    assert "--unshare-net" in words


def test_with_words_it_runs_these(tmp_path: Path):
    words = written(tmp_path, "sh", "-c", "echo 'x y'")
    assert words[words.index("--") + 1 :] == ["sh", "-c", "echo 'x y'"]


def test_a_terminal_stays_the_shells_own(tmp_path: Path):
    assert "--new-session" not in written(tmp_path)


def test_a_label_is_a_comment_of_one_line(tmp_path: Path):
    words = written(tmp_path, label="x'; touch /tmp/never; '")
    assert words[words.index("--") + 1] == "/bin/sh"


def test_trees_that_were_laid_in_the_folder_are_found_there():
    trees = InputTrees(
        toolbox="/t", inputs={"/in/a": "/proc/7/fd/8/./inputs/0", "/in/b": "/s/trees/b"}
    )
    moved = trees.below("/proc/7/fd/8/.", "/s/tmp/step-1")
    assert moved.inputs == {"/in/a": "/s/tmp/step-1/inputs/0", "/in/b": "/s/trees/b"}
