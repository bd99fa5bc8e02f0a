"""The set of Go modules is what the go command itself looks into, for graphs drawn at random."""

from __future__ import annotations

from pathlib import Path

import pytest
from go_command import needs_go
from go_sets import Verdict, held_against_go, held_with_another

SEEDS = range(36)


WITH_GO_WORK = range(10)


def tried(seeds: range, folder: Path, *, workspace: bool) -> dict[int, Verdict]:
    verdicts = {}
    for seed in seeds:
        Path(folder, str(seed)).mkdir()
        verdicts[seed] = held_against_go(seed, folder / str(seed), workspace=workspace)
    return verdicts


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Verdict]:
    return tried(SEEDS, tmp_path_factory.mktemp("graphs"), workspace=False)


@needs_go
def test_the_set_is_what_the_go_command_downloads(verdicts: dict[int, Verdict]):
    built = {seed: each for seed, each in verdicts.items() if each.truth is not None}
    assert {s: each.ours for s, each in built.items()} == {s: v.truth for s, v in built.items()}
    assert len(built) > len(SEEDS) / 2  # most graphs can be built: else this says little


@needs_go
def test_simpler_rules_would_be_wrong_here(verdicts: dict[int, Verdict]):
    """All of go.sum is too much, and the modules of imported packages are too few."""
    built = [each for each in verdicts.values() if each.truth is not None]
    assert any(each.truth < each.go_sum for each in built)
    assert any(each.importing < each.truth for each in built)


@needs_go
def test_so_it_is_in_a_workspace(tmp_path: Path, verdicts: dict[int, Verdict]):
    """Which makes a difference: the module alone would need another set."""
    with_go_work = tried(WITH_GO_WORK, tmp_path, workspace=True)
    built = {seed: each for seed, each in with_go_work.items() if each.truth is not None}
    assert {s: each.ours for s, each in built.items()} == {s: v.truth for s, v in built.items()}
    assert len(built) > len(WITH_GO_WORK) / 2
    assert any(each.truth != verdicts[seed].truth for seed, each in built.items())


WITH_ANOTHER = (0, 1, 2, 5, 17, 47)
"""Graphs that build with another version of a module; simpler rules failed in 1, 5, 17 and 47."""


@needs_go
@pytest.mark.parametrize("seed", WITH_ANOTHER)
def test_so_it_is_with_another_version_of_a_module(seed: int, tmp_path: Path):
    """The go command edits go.mod itself, and brings it up to date with a network."""
    truth, ours = held_with_another(seed, tmp_path)
    assert truth is not None
    assert ours == truth
