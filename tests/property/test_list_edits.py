"""Odd lists: an item goes or comes with what is its own, and not one character else.

The oracle knows nothing of how an edit is made. Whoever writes a list says of each piece of the
file to which item it belongs, if to any: without some items, the file has all other pieces. A
comma between two items belongs to neither.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from random import Random

import pytest
import yaml
from attrs import define, field

from rvbuild.recipes_yaml.edit import set_items

SEEDS = range(int(os.environ.get("RVBUILD_ODD_RECIPES", "200")))
NAMES = ("fix.patch", "a-b.patch", "é 😀.patch", "1.35", "on", "it's.patch", "#x.patch", "{}.patch")
PATH = ("per-series", "1.0", "patches")
NOTES = ("'", '"', "[]", "a, b", "- x", "é😀", "")
FILE, COMMA = -1, -2  # pieces of no item


@define
class _OddList:
    """A file of pieces, each with the number of its item, or of none."""

    chance: Random
    names: Sequence[str]
    form: str
    line_break: str
    pieces: list[tuple[int, str]] = field(factory=list)

    def put(self, owner: int, text: str) -> None:
        self.pieces.append((owner, text.replace("\n", self.line_break)))

    def odds(self, one_in: int) -> bool:
        return self.chance.randrange(one_in) == 0

    def note(self) -> str:
        return f"# {len(self.pieces)} {self.chance.choice(NOTES)}"

    def behind(self, owner: int) -> None:
        """The end of a line."""
        gap = self.chance.choice((" ", "  ", "\t"))
        self.put(owner, self.chance.choice(("", gap, f"{gap}{self.note()}")) + "\n")

    def spelling(self, name: str) -> str:
        if name.isascii() and name[0].isalpha() and name != "on" and self.odds(2):
            return name
        return '"' + name + '"' if self.odds(2) else "'" + name.replace("'", "''") + "'"

    def write(self) -> None:
        self.put(FILE, self.chance.choice(("", "\ufeff", "---\n", "# of all\n\n")))
        self.put(FILE, 'per-series:\n  "1.0":\n    commit: abc\n')
        self.put(FILE, self.chance.choice(("", "\n")) + f"    {self.note()}\n" * self.odds(2))
        self.put(FILE, "    patches:")
        getattr(self, f"write_{self.form}")()
        if self.odds(4):
            at, (owner, last) = len(self.pieces) - 1, self.pieces[-1]
            self.pieces[at] = owner, last.removesuffix(self.line_break)
            return
        self.put(FILE, self.chance.choice(("", "\n", "    # about instead\n")))
        self.put(FILE, "    release: v1\n")

    def write_block(self) -> None:
        self.behind(FILE)
        self.lines(" " * self.chance.choice((4, 5, 6, 8)), "- ", "")

    def write_lines(self) -> None:
        self.put(FILE, " [")
        self.behind(FILE)
        self.lines(" " * self.chance.choice((5, 6, 8)), "", ",")
        self.put(FILE, "    ]")
        self.behind(FILE)

    def lines(self, indent: str, mark: str, comma: str) -> None:
        for at, name in enumerate(self.names):
            for _ in range(self.odds(3) + self.odds(9)):
                self.put(at, f"{indent}{self.note()}\n")
            self.put(at, f"{indent}{mark}{self.spelling(name)}")
            if comma and (at < len(self.names) - 1 or self.odds(2)):
                self.put(COMMA, comma)
            self.behind(at)
            if self.odds(6):
                self.put(at, f"{indent}   {self.note()}\n")

    def write_one(self) -> None:
        self.put(FILE, " [")
        for at, name in enumerate(self.names):
            self.put(COMMA, ", " if at else "")
            self.put(at, self.spelling(name))
        self.put(FILE, "]")
        self.behind(FILE)

    def write_mixed(self) -> None:
        """A bracket in the line of an item, each line with a comment of its items or none."""
        self.put(FILE, " [")
        for at, name in enumerate(self.names):
            self.put(at, self.spelling(name))
            if at < len(self.names) - 1:
                self.put(COMMA, ",")
                self.behind(at) if self.odds(2) else self.put(COMMA, " ")
                if self.pieces[-1][1].endswith(self.line_break):
                    self.put(COMMA, "      ")
        self.put(FILE, "]")
        self.behind(FILE)

    def text(self, without: Sequence[int] = ()) -> str:
        return "".join(text for owner, text in self.pieces if owner not in without)


def odd_list(seed: int, *forms: str) -> _OddList:
    chance = Random(seed)  # noqa: S311 - an example, no secret
    names = chance.sample(NAMES, chance.randint(2, 5))
    odd = _OddList(chance, names, chance.choice(forms), chance.choice(("\n", "\n", "\r\n")))
    odd.write()
    return odd


def says(text: str) -> object:
    return yaml.load(text.removeprefix("\ufeff").replace("\t", " "), Loader=yaml.BaseLoader)  # noqa: S506 - texts only


def without_commas(text: str) -> str:
    return text.replace(",", "")


def check(odd: _OddList, names: Sequence[str]) -> str:
    """The file with other items; all else that it says is the same."""
    before = odd.text()
    after = set_items(before.encode(), "r", PATH, names).decode()
    old, new = says(before), says(after)
    assert old["per-series"]["1.0"].pop("patches") == list(odd.names)  # type: ignore[index]
    assert new["per-series"]["1.0"].pop("patches") == list(names)  # type: ignore[index]
    assert new == old
    return after


@pytest.mark.parametrize("seed", SEEDS)
def test_items_go_with_what_is_their_own(seed: int):
    odd = odd_list(seed, "block", "lines", "one")
    gone = odd.chance.sample(range(len(odd.names)), odd.chance.randint(1, len(odd.names) - 1))
    after = check(odd, [name for at, name in enumerate(odd.names) if at not in gone])
    expected = odd.text(gone)
    if not odd.text().endswith(odd.line_break):
        expected = expected.removesuffix(odd.line_break)
    if odd.form == "one":
        assert after.replace(", ", "") == expected.replace(", ", "")
    else:
        assert without_commas(after) == without_commas(expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_shares_a_line_stays_where_an_item_goes(seed: int):
    """Comments, too, unless the item was the only one in their line."""
    odd = odd_list(seed, "mixed")
    gone = odd.chance.randrange(len(odd.names))
    after = check(odd, [name for at, name in enumerate(odd.names) if at != gone])
    first, last = (next(at for at, _ in each) for each in (_ends(odd), _ends(odd, -1)))
    assert after.startswith("".join(text for _, text in odd.pieces[:first]))
    assert after.endswith("".join(text for _, text in odd.pieces[last + 1 :]))
    for owner, text in odd.pieces:
        assert owner == gone or "#" not in text or text in after


def _ends(odd: _OddList, step: int = 1) -> list[tuple[int, str]]:
    numbered = list(enumerate(owner for owner, _ in odd.pieces))[::step]
    return [(at, "") for at, owner in numbered if owner >= 0]


@pytest.mark.parametrize("seed", SEEDS)
def test_an_item_comes_and_goes_again(seed: int):
    odd = odd_list(seed, "block", "lines", "one", "mixed")
    names = list(odd.names)
    names.insert(odd.chance.randint(0, len(names)), "new.patch")
    after = check(odd, names)
    back = set_items(after.encode(), "r", PATH, odd.names).decode()
    assert without_commas(back) == without_commas(odd.text())


@pytest.mark.parametrize("seed", SEEDS)
def test_items_change_places_with_what_is_their_own(seed: int):
    odd = odd_list(seed, "block", "lines", "one")
    names = odd.chance.sample(odd.names, len(odd.names))
    after = check(odd, names)
    lines = sorted(without_commas(odd.text()).split(odd.line_break))
    if odd.form != "one":
        assert sorted(without_commas(after).split(odd.line_break)) == lines
    assert set_items(after.encode(), "r", PATH, odd.names).decode() == odd.text()
