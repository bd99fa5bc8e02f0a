"""What a failed call of the system is told as: by one table, wherever the call was made."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import workspaces

from rvbuild.app.lock_file import put_lock
from rvbuild.app.result_place import link
from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import StoreError
from rvbuild.core.system_fault import Site, hint_for

FAILING = """\
import os, resource, subprocess, sys
from rvbuild.app.init import write_starter
from rvbuild.app.lock_file import put_lock
from rvbuild.app.result_place import copy, link
from rvbuild.cli.ending import tell
from rvbuild.core.errors import StoreError
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.kinds.clients import SourceClients
from rvbuild.kinds.url.source import UrlSource
from rvbuild.stores.local import LocalStore
from rvbuild.transfers.fetch_settings import FetchSettings
from rvbuild.transfers.sinks import DigestSink
from workspaces import workspace

disk, act, fault, there, sha256 = sys.argv[1:]
SIZE = 1 << 20

def mount(*options):
    subprocess.run(["mount", *options, disk], check=True)

def fill(at):
    with open(f"{disk}/copied", "wb", opener=lambda p, f: os.open("copied", f, dir_fd=at)) as file:
        file.write(bytes(2 * SIZE))

def elsewhere():
    with open(f"{disk}/file", "wb") as file:
        file.write(bytes(2 * SIZE))

def fetch():
    settings = FetchSettings(
        tmp=f"{disk}/tmp",
        mirrors=(("https://f.invalid", os.path.dirname(there)),),
        environment={"PATH": os.environ["PATH"]},
    )
    url = f"https://f.invalid/{os.path.basename(there)}"
    source = UrlSource(urls=(url,), sha256=sha256, unpack=False)
    SourceClients(settings).fetch(source, DigestSink(), no_progress)

acts = {
    "store": lambda: LocalStore(f"{disk}/store", durable=False).cas.write(bytes(2 * SIZE)),
    "fetch": fetch,
    "recipe": lambda: write_starter(workspace(disk), "tool", "go"),
    "lock": lambda: put_lock(f"{disk}/rvbuild.lock", "x" * 2 * SIZE),
    "link": lambda: link("/nowhere", f"{disk}/result/tool"),
    "copy": lambda: copy(fill, lambda path: False, f"{disk}/copy/tool", None),
    "elsewhere": elsewhere,
}
os.makedirs(disk)
mount("-t", "tmpfs", "-o", f"size={SIZE},nr_inodes=60", "tmpfs")
os.makedirs(f"{disk}/recipes/other")
open(f"{disk}/recipes/other/recipe.yaml", "x").close()
if fault == "EROFS":
    mount("-o", "remount,ro")
elif fault == "EFBIG":
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))
else:
    with open(f"{disk}/filler", "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    try:
        for number in range(60):
            os.mkdir(f"{disk}/{number}")
    except OSError:
        pass
try:
    acts[act]()
except (StoreError, OSError) as error:
    sys.exit(tell(error, None))
sys.exit("nothing failed")
"""
SITES = {
    "store": Site.STORE,
    "fetch": Site.STORE,
    "recipe": Site.RECIPE,
    "lock": Site.LOCK,
    "link": Site.LINK,
    "copy": Site.COPY,
    "elsewhere": Site.ELSEWHERE,
}
FAULTS = {"ENOSPC": errno.ENOSPC, "EROFS": errno.EROFS, "EFBIG": errno.EFBIG}
NO_FILE = {("link", "EFBIG")}
"""What writes no byte meets no limit on the size of a file."""


@pytest.mark.privileged
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("act", SITES)
def test_a_disk_that_does_not_take_it(tmp_path: Path, act: str, fault: str) -> None:
    """With real disks: full, to read only, and a limit on the size of files."""
    if (act, fault) in NO_FILE:
        return
    own = ["unshare", "--user", "--map-root-user", "--mount"]
    if not os.environ.get("CI") and subprocess.run([*own, "true"], check=False).returncode:
        pytest.skip("no unprivileged user namespaces")
    data = bytes(range(256)) * (1 << 13)
    there = tmp_path / "there.bin"
    there.write_bytes(data)
    words = [str(tmp_path / "disk"), act, fault, str(there), hashlib.sha256(data).hexdigest()]
    ran = subprocess.run(
        [*own, sys.executable, "-c", FAILING, *words],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(workspaces.__file__).parent)},
    )
    assert ran.returncode == 1, ran.stderr
    assert os.strerror(FAULTS[fault]) in ran.stderr
    assert f"hint: {hint_text(hint_for(FAULTS[fault], SITES[act]))}\n" in ran.stderr


ROOM = {
    Site.STORE: "`rvbuild gc`, or use another store with --store",
    Site.RECIPE: "disk",
    Site.LOCK: "disk",
    Site.PROJECT: "disk",
    Site.LINK: "disk",
    Site.COPY: ", or use another DIR with -o",
    Site.CACHE: "or collect the cache",
    Site.ELSEWHERE: ", or use another store with --store",
}
RIGHTS = {
    Site.STORE: "with --store",
    Site.RECIPE: "below recipes/",
    Site.LOCK: "chmod u+w",
    Site.PROJECT: "chmod u+w",
    Site.LINK: "build in a folder that you may write",
    Site.COPY: "use another DIR with -o",
    Site.CACHE: "look whose it is",
    Site.ELSEWHERE: "look whose it is",
}
READ_ONLY = {
    Site.STORE: "a folder that can be written with --store",
    Site.RECIPE: "a copy of the project, on a disk that can be written",
    Site.LOCK: "a copy of the project, on a disk that can be written",
    Site.PROJECT: "a copy of the project, on a disk that can be written",
    Site.LINK: "build in a folder that can be written",
    Site.COPY: "use another DIR with -o",
    Site.CACHE: "how its disk is mounted",
    Site.ELSEWHERE: "how its disk is mounted",
}
OF_RIGHTS = ("chmod", "whose", "yours", "you may write")
"""Words that help where rights are at fault, and nowhere else."""


@pytest.mark.parametrize("site", Site)
def test_what_is_to_be_done_depends_on_the_site(site: Site) -> None:
    for number in (errno.ENOSPC, errno.EDQUOT):
        text = hint_text(hint_for(number, site))
        assert "free some space" in text
        assert ROOM[site] in text
    for number in (errno.EACCES, errno.EPERM):
        assert RIGHTS[site] in hint_text(hint_for(number, site))
    assert READ_ONLY[site] in hint_text(hint_for(errno.EROFS, site))


@pytest.mark.parametrize("site", [site for site in Site if site is not Site.RECIPE])
def test_rights_are_the_advice_only_where_they_are_at_fault(site: Site) -> None:
    """The one for a recipe names all that a recipe's folder must be."""
    for number in set(errno.errorcode) - {errno.EACCES, errno.EPERM}:
        text = hint_text(hint_for(number, site))
        assert not any(word in text for word in OF_RIGHTS), errno.errorcode[number]


Obstacle = Callable[[Path], object]
IN_THE_LOCKS_PLACE: dict[str, tuple[Obstacle, int, str]] = {
    "a link to another's file": (
        lambda at: at.symlink_to("../empty"), errno.EEXIST, "let it lead to a lock",
    ),
}  # fmt: skip
IN_THE_LINKS_PLACE: dict[str, tuple[Obstacle, int, str]] = {
    "a file": (lambda at: at.touch(), errno.EEXIST, "in the way of the link: move it"),
    "a link to a file": (lambda at: at.symlink_to("file"), errno.EEXIST, "in the way of the link"),
    "a link to nowhere": (lambda at: at.symlink_to("gone"), errno.EEXIST, "in the way of the link"),
}
"""What is there, the errno that the system gives, and what the hint says."""


@pytest.mark.parametrize("what", [*IN_THE_LOCKS_PLACE, *IN_THE_LINKS_PLACE])
def test_what_is_in_the_way_is_named(tmp_path: Path, what: str) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "empty").touch()
    (project / "file").write_text("x")
    is_lock = what in IN_THE_LOCKS_PLACE
    obstacle, number, says = (IN_THE_LOCKS_PLACE if is_lock else IN_THE_LINKS_PLACE)[what]
    obstacle(project / ("rvbuild.lock" if is_lock else "result"))
    write = partial(put_lock, str(project / "rvbuild.lock"), "text")
    make_link = partial(link, "/nowhere", str(project / "result/tool"))
    with pytest.raises(StoreError) as caught:
        (write if is_lock else make_link)()
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == number
    assert says in hint_text(caught.value.hint)


@pytest.mark.parametrize("site", Site)
def test_each_errno_has_a_hint_at_each_site(site: Site) -> None:
    """Elsewhere many say nothing of the machine: such an error is a bug."""
    without = {number for number in errno.errorcode if not hint_text(hint_for(number, site))}
    assert not without or site is Site.ELSEWHERE
    assert without.isdisjoint({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENOMEM})


def test_an_error_without_an_errno() -> None:
    assert hint_for(None, Site.ELSEWHERE) is None
    assert hint_text(hint_for(None, Site.STORE)) == "run `rvbuild store repair`"
