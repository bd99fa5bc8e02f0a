"""A compile cache is put in order inside of its own folder, whoever renames what is above it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rvbuild.executors.accelerators import Accelerator
from rvbuild.executors.identity import Identity


def _cache(top: Path) -> Path:
    cache = top / "accelerators" / "go"
    for name in ("old", "layers/1"):
        (cache / name).mkdir(parents=True)
    (cache / "old" / "file").touch()
    (cache / "layers" / "1" / "file").touch()
    return cache


@pytest.mark.parametrize("moved", [True, False], ids=["moved", "control"])
def test_a_link_in_place_of_the_cache_leads_nowhere(tmp_path: Path, *, moved: bool):
    decoy = tmp_path / "decoy"
    (decoy / "layers").mkdir(parents=True)
    kept = [decoy / name for name in ("old", "7", "layers/1")]
    for file in kept:
        file.write_text("of somebody else")
    cache = _cache(tmp_path)

    def wanted() -> None:
        if moved and not (tmp_path / "aside").exists():
            (tmp_path / "accelerators").rename(tmp_path / "aside")
            (tmp_path / "accelerators").mkdir()
            cache.symlink_to(decoy)

    with Accelerator(str(cache), None).mounted(str(tmp_path / "over"), wanted):
        settled = tmp_path / ("aside" if moved else "accelerators") / "go"
        assert os.listdir(settled) == ["layers"]
    assert all(file.is_file() for file in kept)
    assert os.listdir(decoy / "layers") == ["1"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has files of two users")
@pytest.mark.parametrize("whose", ["accelerators", "accelerators/go", None])
def test_the_folder_of_another_user_is_refused(tmp_path: Path, whose: str | None):
    cache = _cache(tmp_path)
    accelerator = Accelerator(str(cache), None)
    if whose is None:
        with accelerator.mounted(str(tmp_path / "over")):
            return
    os.chown(tmp_path / whose, 1000, 1000)
    with (
        pytest.raises(OSError, match="it belongs to user 1000"),
        accelerator.mounted(str(tmp_path / "over")),
    ):
        pass
    assert (cache / "old" / "file").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("killed", [None, "layers", "layers/base"])
def test_a_run_that_was_killed_before_it_gave_a_folder_away_hinders_no_other(
    tmp_path: Path, killed: str | None
) -> None:
    owner = Identity(12345, 12345)
    cache = Accelerator(str(tmp_path / "accelerators/go"), owner)
    (tmp_path / "step").mkdir()
    with cache.mounted(str(tmp_path / "step/one")):
        pass
    if killed:
        os.chown(tmp_path / "accelerators/go" / killed, 0, 0)
    with cache.mounted(str(tmp_path / "step/two")):
        for name in ("layers", "layers/base"):
            assert (tmp_path / "accelerators/go" / name).stat().st_uid == owner.uid
