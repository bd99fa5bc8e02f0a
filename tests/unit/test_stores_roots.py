"""A root is dropped only when its link is known to be gone, or to lead elsewhere.

Whatever keeps us from looking (rights, a disk that is not mounted, another container) keeps the
root, its result and its view, is told, and stops nothing: the rest is collected.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from kept_results import built, hold

from rvbuild.stores.collect import collect
from rvbuild.stores.local import LocalStore
from rvbuild.stores.views import view


def nothing(project: Path) -> None:
    del project


def link_gone(project: Path) -> None:
    (project / "one").unlink()


def file_in_its_place(project: Path) -> None:
    link_gone(project)
    (project / "one").touch()


def file_in_the_projects_place(project: Path) -> None:
    project.rename(project.parent / "moved")
    project.touch()


def link_elsewhere(project: Path) -> None:
    link_gone(project)
    (project / "one").symlink_to(project)


def link_to_what_is_not_there(project: Path) -> None:
    link_gone(project)
    (project / "one").symlink_to("no-such")


def link_to_what_the_store_lacks(project: Path) -> None:
    link_gone(project)
    (project / "one").symlink_to(project.parent / "store/views/ab/no/such")


def loop(project: Path) -> None:
    link_gone(project)
    (project / "one").symlink_to("one")


def project_gone(project: Path) -> None:
    project.rename(project.parent / "moved")


def not_mounted(project: Path) -> None:
    project_gone(project)
    project.mkdir()


def store_elsewhere(project: Path) -> None:
    link_gone(project)
    (project / "one").symlink_to("/no/such/cache/views/ab/name")


CASES: list[tuple[Callable[[Path], None], bool, bool]] = [
    (nothing, True, False),
    (link_gone, False, False),
    (file_in_its_place, False, False),
    (file_in_the_projects_place, False, False),
    (link_elsewhere, False, False),
    (link_to_what_is_not_there, False, False),
    (link_to_what_the_store_lacks, False, False),
    (loop, False, False),
    (project_gone, True, True),
    (not_mounted, True, True),
    (store_elsewhere, True, True),
]


@pytest.mark.parametrize(("change", "held", "told"), CASES)
def test_what_became_of_a_link(
    tmp_path: Path, change: Callable[[Path], None], *, held: bool, told: bool
) -> None:
    store = LocalStore(str(tmp_path / "store"), durable=False)
    project = tmp_path / "project"
    project.mkdir()
    (project / "recipes").mkdir()
    one, two = built(store, "one"), built(store, "two")
    hold(store, project / "one", one)
    (project / "one").unlink()
    (project / "one").symlink_to(view(store, store.trees.tree(one.output)).path)
    change(project)
    gone = collect(store, keep_days=-1)
    assert (store.realisations.realisation(one.derivation) is not None) == held
    assert os.path.lexists(store.layout.view(one.output.hash)) == held
    assert [root.name for root in store.roots.roots()] == ["one"] * held
    assert [each.link for each in gone.unseen] == [str(project / "one")] * told
    assert store.realisations.realisation(two.derivation) is None


@pytest.mark.parametrize(("what", "held"), [("result", False), ("project", True)])
def test_links_go_with_the_folder_that_was_made_for_them(tmp_path: Path, what: str, *, held: bool):
    """Not with a project: it may be on a disk that is not mounted."""
    store = LocalStore(str(tmp_path / "store"), durable=False)
    result = tmp_path / "project/result"
    result.mkdir(parents=True)
    (tmp_path / "project/recipes").mkdir()
    one = built(store, "one")
    hold(store, result / "one", one)
    shutil.rmtree(result if what == "result" else result.parent)
    gone = collect(store, keep_days=-1)
    assert (store.realisations.realisation(one.derivation) is not None) == held
    assert len(gone.unseen) == held


AS_NOBODY = """\
import os, sys
from pathlib import Path
from kept_results import built, hold
from rvbuild.stores.collect import collect
from rvbuild.stores.local import LocalStore
if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)
top = Path(sys.argv[1])
store = LocalStore(str(top / "store"), durable=False)
(top / "home/project").mkdir(parents=True)
one, two = built(store, "one"), built(store, "two")
hold(store, top / "home/project/one", one)
(top / "home").chmod(0o000)
try:
    gone = collect(store, keep_days=-1)
finally:
    (top / "home").chmod(0o700)
assert [each.problem for each in gone.unseen] == ["Permission denied"], gone
assert store.realisations.realisation(one.derivation) == one
assert store.realisations.realisation(two.derivation) is None
assert collect(store, keep_days=-1).unseen == ()
assert store.realisations.realisation(one.derivation) == one
"""


def test_a_link_below_a_closed_folder_is_held() -> None:
    """As somebody whom modes stop: root is let in everywhere."""
    here = Path(__file__).parents[2]
    path = os.pathsep.join(map(str, (here, here / "tests/support")))
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to others
        Path(folder).chmod(0o777)
        command = [sys.executable, "-c", AS_NOBODY, folder]
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run(command, check=True, env=environment)
