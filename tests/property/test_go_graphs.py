"""The set of Go modules is what the go command itself looks into, for graphs drawn at random."""

from __future__ import annotations

from pathlib import Path

import pytest
from go_command import needs_go
from go_sets import Verdict, held_against_go

SEEDS = range(36)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Verdict]:
    folder = tmp_path_factory.mktemp("graphs")
    found = {}
    for seed in SEEDS:
        Path(folder, str(seed)).mkdir()
        found[seed] = held_against_go(seed, folder / str(seed))
    return found


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
