"""What the shipped recipes offer: whoever takes what fills a node's root lets people choose it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvbuild.recipes_yaml.collection import RecipeCollection

FOLDER = RecipeCollection((str(Path(__file__).parents[2] / "recipes"),))
CHOICES = {"source": "k3s-root", "nft": "k3s-root-nft", "release": "k3s-root-release"}
USERS = [name for name in FOLDER.names() if "k3s-root" in FOLDER.load(name).target_inputs]


@pytest.mark.parametrize("name", sorted({*USERS} - {*CHOICES.values()}))
def test_one_word_chooses_the_root_of_all(name: str):
    """An option reaches who declares it: `root=nft` is to reach the balancer's iptables, too."""
    option = FOLDER.load(name).options["root"]
    assert (option.input, dict(option.choices)) == ("k3s-root", CHOICES)
