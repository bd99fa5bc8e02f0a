"""Which ids the steps of root may have, by the maps that this process has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rvbuild.executors import identity
from rvbuild.executors.identity import COUNT, FIRST, Pool

WHOLE = "0 0 4294967295"

MAPS = [
    # uid_map, gid_map, the first and the last id; None: root has no other id to give
    (WHOLE, WHOLE, (FIRST, FIRST + COUNT - 1)),
    ("0 1000 1", "0 1000 1", None),
    ("0 100000 65536", "0 100000 65536", (65534 - 1024, 65533)),
    ("0 1000 1\n1 100000 65536", "0 1000 1\n1 100000 65536", (65534 - 1024, 65533)),
    ("0 0 2", "0 0 2", (1, 1)),
    ("0 0 500\n700 700 300", "0 0 1000", (700, 999)),
    (WHOLE, "0 1000 1", None),
    ("0 0 1000", "5000 5000 1000", None),
]


@pytest.mark.parametrize(("uids", "gids", "ends"), MAPS)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has ids to give")
def test_ids_are_mapped_ones(tmp_path: Path, uids: str, gids: str, ends: tuple[int, int] | None):
    (tmp_path / "uid_map").write_text(uids + "\n")
    (tmp_path / "gid_map").write_text(gids + "\n")
    found = identity.pool(str(tmp_path))
    assert (found and (found.ids[0], found.ids[-1])) == ends


def test_two_at_once_never_have_the_same():
    """However few there are; and what was given back is given again."""
    pool = Pool(range(FIRST, FIRST + 4))
    for _ in range(20):
        with pool.own() as one, pool.own() as two, pool.own() as three:
            assert {one.uid, two.uid, three.uid} == {FIRST + 1, FIRST + 2, FIRST + 3}
            assert pool.common.uid == FIRST
