"""What a step finds out about the machine: the rows of docs/sandbox.md, each shown to hold.

``machine_facts.py`` looks. Outside it must find what is hidden inside (or it would prove
nothing); inside it finds the same, whatever the process that started rvbuild was like.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from rvbuild.executors import bwrap, threshold
from rvbuild.executors.limits import Limits
from rvbuild.executors.threshold import SETTINGS, SHOWN

sys.path.insert(0, str(Path(__file__).parent))
import machine_facts
from sandboxes import HERE, PYTHON

pytestmark = pytest.mark.privileged

PROBE = str(HERE / "machine_facts.py")
DOCUMENT = Path(__file__).parents[2] / "docs/sandbox.md"
NO_LIMIT = [-1, -1]

Found = dict[str, Any]


def both(limit: int) -> list[int]:
    return [limit, limit]


LIMITS = {
    **{str(kind): NO_LIMIT for kind in (0, 2, 5, 9, 10, 15)},
    "1": both(Limits().file_bytes), "3": both(Limits().stack_bytes), "4": both(0),
    "6": both(Limits().tasks), "7": both(Limits().open_files), "8": both(64 << 10),
    "11": both(4096), "12": both(800 << 10), "13": both(0), "14": both(0),
}  # fmt: skip
_NO_CAPABILITIES = [f"Cap{one}:\t{0:016x}" for one in ("Inh", "Prm", "Eff", "Bnd", "Amb")]

TOLD = ("kernel_release", "processors", "memory_size", "clock")
"""Inside as outside."""

SAME: Found = {
    "host_name": ["rvbuild", "rvbuild", None],
    "domain_name": ["(none)", None],
    "ids": [1000, 1000, []],
    "working_directory": "/build",
    "limits": LIMITS,
    "file_mask": 0o022,
    "signals": ["SigPnd:\t" + "0" * 16, "SigBlk:\t" + "0" * 16, "SigIgn:\t0000000001001000"],
    "scheduling": [0, 0],
    "timer_slack": 50_000,
    "personality": 0,
    "memory_kill_score": "0\n",
    "core_dumps": "00000033\n",
    "privileges": [*_NO_CAPABILITIES, "NoNewPrivs:\t1", "Seccomp:\t2"],
    "descriptors": [["0", "/dev/null"], "0", "1", "2"],
    "network": ["lo"],
    "kernel_tables": sorted({*SHOWN, "sys"}),
    "kernel_settings": {
        **{name: f"{value}\n" for name, value in SETTINGS.items()},
        "kernel/osrelease": f"{os.uname().release}\n",
    },
    "boot_id": None,
    "kernel_command_line": ["", None],
    "machine_id": [None, None, None],
    "mount_sources": [],
    "mount_calls": [-1, -1, 38],
    "first_process": [["cmdline", "fd"], ["", None, None], []],
    "disks": [],
    "keys": ["", ""],
    "traces": [],
}
"""Inside, whatever is outside. The signals that Python ignores (SIGPIPE, SIGXFSZ) are its own."""

DIFFERS_FOR_ROOT = {"host_name", "domain_name"}
ALIKE = {"ids", "privileges", "descriptors", "network", "control_group", "kernel_tables"}
"""Outside, the two kinds of process differ in what is not of these."""


@frozen
class Views:
    """What was found: by a plain process and by a strange one, outside and inside."""

    outside: tuple[Found, Found]
    inside: tuple[Found, Found]


DRIVER = """if True:
    import sys
    from pathlib import Path
    sys.path[:0] = json_path
    from rvbuild.cli.signals import unignore
    from sandboxes import PYTHON, Bench
    unignore()
    bench = Bench.at(Path(folder))
    outcome = bench.run(PYTHON, "/in/probes/machine_facts.py", environment={"TRACES": traces})
    print(bench.log(outcome))"""


def look(*command: str, traces: str) -> Found:
    environment = {**os.environ, "TRACES": traces, "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment,
        check=True, text=True, timeout=100,
    )  # fmt: skip
    found: Found = json.loads(ended.stdout)
    return found


def words(folder: Path) -> str:
    """What betrays this machine: its store, rvbuild's and bwrap's places, its ids."""
    places = (str(folder), bwrap.find(), os.path.dirname(bwrap.__file__))
    files = ("/proc/sys/kernel/random/boot_id", "/proc/cmdline", "/etc/machine-id")
    return "\n".join((*places, *((machine_facts.read(one) or "").strip() for one in files)))


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Views:
    folder = tmp_path_factory.mktemp("facts")
    traces = words(folder)
    given = f"json_path={sys.path!r}; folder={str(folder)!r}; traces={traces!r}\n"
    driver = ("-c", given + DRIVER)
    plain: Callable[..., Found] = lambda *rest: look(PYTHON, *rest, traces=traces)  # noqa: E731
    strange = ("-B", PROBE, "disturb", sys.executable)
    return Views(
        (plain("-B", PROBE), plain(*strange, "-B", PROBE)),
        (look(sys.executable, *driver, traces=traces), plain(*strange, *driver)),
    )


@pytest.mark.parametrize("fact", TOLD)
def test_what_may_be_learned_is_true(fact: str, views: Views):
    assert views.inside[0][fact] == views.inside[1][fact] == views.outside[0][fact]


@pytest.mark.parametrize("fact", SAME)
def test_the_rest_is_the_same_for_every_step(fact: str, views: Views):
    """Whoever starts rvbuild, and however."""
    assert [one[fact] for one in views.inside] == [SAME[fact]] * 2


@pytest.mark.parametrize("fact", sorted(set(SAME) - {"descriptors"}))
def test_outside_there_is_something_to_find(fact: str, views: Views):
    """Or the looking would prove nothing: one of the two processes finds what a step does not."""
    if fact in DIFFERS_FOR_ROOT and os.geteuid() != 0:
        pytest.skip("only root can give itself another name")
    assert SAME[fact] not in views.outside or views.outside[0][fact] != views.outside[1][fact]
    assert [one[fact] for one in views.outside] != [SAME[fact]] * 2


def test_a_proc_that_hides_its_tables_uncovers_nothing(tmp_path: Path):
    """Whoever starts a build may see only processes in /proc; what a step gets may have all."""
    for name in ("1", "self", "cpuinfo", "new_folder/x"):
        (tmp_path / name).mkdir(parents=True)
    entries = threshold._entries(str(tmp_path))
    assert entries == {
        **dict.fromkeys(threshold.KNOWN_FILES, False),
        **dict.fromkeys(threshold.KNOWN_FOLDERS, True),
        "new_folder": True,
    }


def test_environment_is_the_recipes(views: Views):
    told = {"PATH": "/usr/bin:/bin", "PLACE": "/build", "out": "/build/out", "PWD": "/build"}
    for found in views.inside:
        environment = {name: one for name, one in found["environment"].items() if name != "TRACES"}
        assert environment == told
    assert views.outside[1]["environment"]["STRANGE"] == "strange"


def test_control_group_has_no_name(views: Views):
    for found in views.inside:
        assert all(line.endswith(":/") for line in found["control_group"].splitlines())


def test_document_has_a_row_for_each_fact():
    """And no row without one."""
    rows = set(re.findall(r"^\| \*\*(.+?)\*\* \|", DOCUMENT.read_text("utf-8"), re.MULTILINE))
    facts = {one.__name__ for one in machine_facts.FACTS} | {"traces"}
    assert {row.replace(" ", "_") for row in rows} == facts
    assert facts == {*TOLD, *SAME, "environment", "control_group"}


def test_document_lists_what_proc_holds():
    text = DOCUMENT.read_text("utf-8")
    for name in (*SHOWN, *SETTINGS):
        assert f"`{name}`" in text
