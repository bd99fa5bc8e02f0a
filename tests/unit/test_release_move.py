"""What moving a value changes in recipe files, and what it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pytest
from attrs import evolve

from rvbuild.core.errors import UsageError
from rvbuild.core.override import SeriesOverrides
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.committed_root import CommittedFile, CommittedRoot
from rvbuild.recipes_yaml.recipe_edits import RecipeEdits
from rvbuild.release.destination import Destination
from rvbuild.release.literal_pin import LiteralPin
from rvbuild.release.move import PinMove, file_of
from rvbuild.release.patch_verdict import PatchUse, PatchVerdict
from rvbuild.release.pin_name import pin_of

ONE, TWO, THREE, FOUR = (digit * 40 for digit in "1234")
SERIES = f"""kind: source
sources: {{k: {{git: 'https://e.org/k', commit: '${{commit}}'}}}}
per-series:
  "1": {{commit: {ONE}, release: v1.0, update: patch, min-age: 7d}}  # careful
"""
POINT_ONE = f'  "1": {{commit: {ONE}, release: v1.0, update: patch, min-age: 7d}}  # careful\n'
TO = Destination(value=TWO, tag="v2.0", commit=TWO)


PATCH = b"Origin: somebody\n\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-1\n+2\n"


RUNC = b"version: {from: r, line: 1, file: V}\ninputs: {go-modules: {from: r}}\nbuild: x\n"


def collection(text: str) -> RecipeCollection:
    """The recipe beside a patch, and one that has its series."""
    files = {
        file_of("r"): text.encode(),
        "r/a.patch": PATCH,
        "r/b.patch": PATCH,
        file_of("runc"): RUNC,
    }
    root = CommittedRoot("recipes", {path: CommittedFile(data) for path, data in files.items()})
    return RecipeCollection((root,))


def pins_of(text: str) -> tuple[LiteralPin, ...]:
    return pin_of(collection(text), "r")


def begin(text: str, said: Mapping[str, str] | None = None) -> tuple[LiteralPin, PinMove]:
    """The first pin, and a move that has not begun."""
    edits = RecipeEdits({file_of("r"): text.encode()})
    return pins_of(text)[0], PinMove(edits, said or {}, lambda *_: PatchVerdict())


def text_of(move: PinMove) -> str:
    """The file after the edits; nothing is left to ask for."""
    assert (move.asks, move.vain) == ([], [])
    (data,) = move.edits.changed.values()
    return data.decode()


NEW = {
    "as it comes": ({}, "release: v2.0, update: patch, min-age: 7d"),
    "another policy": (
        {"update": "minor", "min-age": "2w"},
        "release: v2.0, update: minor, min-age: 2w",
    ),
    "none": ({"update": "", "min-age": "", "release": ""}, ""),
}


@pytest.mark.parametrize("name", NEW)
def test_a_new_series_has_the_policy_of_the_one_it_comes_from(name: str):
    said, facts = NEW[name]
    pin, move = begin(SERIES, said)
    move.new_series(pin, "2", TO)
    new = f'  "2": {{commit: {TWO}{", " if facts else ""}{facts}}}\n'
    assert text_of(move) == SERIES.replace(POINT_ONE, f"{new}{POINT_ONE}")


def test_a_series_that_moves_keeps_its_policy():
    pin, move = begin(SERIES)
    move.present(pin, TO)
    assert text_of(move) == SERIES.replace(ONE, TWO).replace("v1.0", "v2.0")


def test_a_policy_changes_where_a_person_says_so():
    pin, move = begin(SERIES, {"update": "major", "min-age": "", "release": "v1.0"})
    move.present(pin, Destination(value=ONE))
    assert text_of(move) == SERIES.replace("patch, min-age: 7d", "major")


def test_another_recipe_of_the_family_keeps_its_policy():
    pin, move = begin(SERIES, {"r.release": "v9", "r.update": "minor"})
    move.other_series(pin.recipe, "2", "1", pin, TO)
    assert f'"2": {{commit: {TWO}, release: v9, update: minor, min-age: 7d}}' in text_of(move)


def test_a_value_that_stays_changes_nothing():
    pin, move = begin(SERIES)
    move.present(pin, Destination(value=ONE))
    assert move.edits.changed == {}


STAYING = """kind: source
sources: {{r: {{git: 'https://${{host}}/r', commit: '${{commit}}', patches: [b.patch]}}}}
per-series:
  "1": {{commit: {}, host: e.org, release: v1.0, patches: [a.patch]}}
"""


@pytest.mark.parametrize(
    ("said", "old", "new"),
    [
        ({"end-of-support": "2031-01-01"}, "a.patch]}", 'a.patch], end-of-support: "2031-01-01"}'),
        ({"host": "e.net"}, "host: e.org", "host: e.net"),
        ({"release": "v1.0.1"}, "v1.0", "v1.0.1"),
        ({"patches": ""}, ", patches: [a.patch]", ""),
        ({"r.patches": ""}, ", patches: [b.patch]", ""),
        ({"update": "none"}, "a.patch]}", "a.patch], update: none}"),
    ],
)
def test_of_a_value_that_stays_only_what_is_said_moves(said: Mapping[str, str], old: str, new: str):
    """Neither other values are asked for, nor patches tried on what did not change."""
    text = STAYING.format(ONE)
    pin = pins_of(text)[0]
    uses = (PatchUse("r", "r", file) for file in ("a.patch", "b.patch"))
    untried = PatchVerdict(problems=dict.fromkeys(uses, "tried"))
    move = PinMove(RecipeEdits({file_of("r"): text.encode()}), said, lambda *_: untried)
    move.present(pin, Destination(value=ONE, commit=ONE))
    assert text_of(move) == text.replace(old, new)


def test_so_it_is_without_series_and_names_are_known():
    sums = {"a.sha256": "3" * 64, "sha": "x"}
    pin, move = begin(SUMMED, sums)
    move.present(pin, Destination(value="1"))
    assert (move.asks, move.vain) == ([], ["sha"])
    assert move.taken >= {"a.sha256", "b.sha256"}
    (data,) = move.edits.changed.values()
    assert data.decode() == SUMMED.replace("1" * 64, "3" * 64)


# ---- other texts of one version

TAGGED = f"""kind: source
version: "1.0"
sources: {{r: {{git: 'https://e.org/r', tag: 'v${{version}}', commit: {ONE}}}}}
"""


def test_the_commit_beside_a_tag_is_that_of_the_tag():
    pin, move = begin(TAGGED)
    move.present(pin, Destination(value="2.0", tag="v2.0", commit=TWO))
    assert text_of(move) == TAGGED.replace("1.0", "2.0").replace(ONE, TWO)


def test_so_it_is_where_another_value_says_it():
    text = TAGGED.replace(ONE, "'${c}'").replace("sources:", f"pins: {{c: {ONE}}}\nsources:")
    pin, move = begin(text)
    move.present(pin, Destination(value="2.0", tag="v2.0", commit=TWO))
    assert text_of(move) == text.replace("1.0", "2.0").replace(ONE, TWO)


def test_so_it_is_in_a_series():
    text = f"""kind: source
sources: {{r: {{git: 'https://e.org/r', tag: '${{tag}}', commit: '${{commit}}'}}}}
per-series:
  "1": {{tag: v1.0, commit: {ONE}}}
"""
    to = Destination(value="v2.0", tag="v2.0", commit=TWO)
    pin, move = begin(text)
    move.present(pin, to)
    assert text_of(move) == text.replace("v1.0", "v2.0").replace(ONE, TWO)
    pin, move = begin(text)
    move.new_series(pin, "2", to)
    assert f'"2": {{tag: v2.0, commit: {TWO}}}' in text_of(move)


URL = "{{url: 'https://e.org/{}-${{version}}', sha256: {}}}"
SUMMED = f"""version: "1"
build: x
sources:
  a: {URL.format("a", "1" * 64)}
  b: {URL.format("b", "2" * 64)}
  c: {{url: 'https://e.org/${{version}}'}}
"""


def test_each_sha256_is_a_persons_to_say():
    pin, move = begin(SUMMED)
    move.present(pin, Destination(value="2"))
    assert [(each.name, each.where.line, each.why) for each in move.asks] == [
        ("a.sha256", 4, "the sha256 of 2"),
        ("b.sha256", 5, "the sha256 of 2"),
    ]
    pin, move = begin(SUMMED, {"a.sha256": "3" * 64, "b.sha256": "4" * 64, "sha256": "5" * 64})
    move.present(pin, Destination(value="2"))
    assert (move.asks, move.vain) == ([], ["sha256"])
    (data,) = move.edits.changed.values()
    new = SUMMED.replace('"1"', '"2"').replace("1" * 64, "3" * 64).replace("2" * 64, "4" * 64)
    assert data.decode() == new


def test_other_values_of_a_series_are_a_persons_to_say():
    text = f"""kind: source
sources: {{r: {{git: 'https://${{host}}/r', commit: '${{commit}}'}}}}
per-series:
  "1": {{commit: {ONE}, host: e.org}}
"""
    pin, move = begin(text)
    move.present(pin, TO)
    assert [(each.name, each.why) for each in move.asks] == [("host", "the host of 1")]
    pin, move = begin(text, {"host": "e.net"})
    move.present(pin, TO)
    assert text_of(move) == text.replace(ONE, TWO).replace("e.org}", "e.net}")


# ---- another recipe of the family

TAGGED_SERIES = f"""kind: source
sources: {{r: {{git: 'https://e.org/r', tag: '${{tag}}', commit: '${{commit}}'}}}}
per-series:
  "1": {{tag: v1.0, commit: {ONE}, release: v1.0}}
"""
BY_TAG = Destination(value="v2.0", tag="v2.0", commit=TWO)
FAMILY = {
    "by a commit that a tag names": (SERIES, TO, {}, f"commit: {TWO}, release: v2.0,"),
    "by a bare commit": (SERIES, Destination(value=TWO, commit=TWO), {}, f"commit: {TWO}, update"),
    "by a tag": (TAGGED_SERIES, BY_TAG, {}, f"{{tag: v2.0, commit: {TWO}, release: v2.0}}"),
    "by both": (
        TAGGED_SERIES, BY_TAG, {"commit": THREE}, f"{{tag: v2.0, commit: {THREE}, release: v2.0}}",
    ),
    "with a release": (
        TAGGED_SERIES, BY_TAG, {"release": "v3"}, f"{{tag: v2.0, commit: {TWO}, release: v3}}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAMILY)
def test_a_series_of_another_recipe_follows_the_same_rules(name: str):
    text, to, said, new = FAMILY[name]
    pin, move = begin(text, said)
    move.new_series(pin, "2", to)
    assert new in text_of(move)
    expected = text_of(move)
    pin, move = begin(text, {f"r.{key}": value for key, value in said.items()})
    move.other_series(pin.recipe, "2", "1", pin, to)
    assert text_of(move) == expected


def test_without_a_value_it_is_asked_for_and_so_it_is_without_a_pin():
    """Of a series that says a server alone, nothing chooses what is had from there."""
    pin, move = begin(TAGGED_SERIES)
    move.other_series(pin.recipe, "2", "1", pin, Destination(value=""))
    assert [each.name for each in move.asks] == ["r.tag", "r.commit"]
    text = STAYING.format(ONE).replace("'${commit}'", "v1").replace("commit: v1", "tag: v1")
    text = text.replace(f"commit: {ONE}, ", "").replace(", patches: [a.patch]", "")
    (pin,), (_, move) = pins_of(text), begin(text, {"r.host": "e.net"})
    assert pin.series == ""
    move.other_series(pin.recipe, "2", "1", None, Destination(value=""))
    assert '"2": {host: e.net}' in text_of(move)


# ---- values instead of upstream's

OVERRIDES = f"""kind: source
sources: {{k: {{git: 'https://e.org/k', commit: '${{commit}}'}}}}
per-series:
  "1":
    commit: {ONE}
    instead:
      pins:
        runc/version:
          value: "1.2"
          because: [CVE-1, CVE-2]
          while: "1.1"
          until: 2031-01-01
      go-modules:
        r/k:
          golang.org/x/net: {{value: v0.38.0, because: [CVE-3], while: v0.26.0}}
"""


def test_what_a_new_series_has_instead_is_a_persons_to_say():
    pin, move = begin(OVERRIDES)
    move.new_series(pin, "2", TO)
    (ask,) = move.asks
    assert (ask.name, ask.where.line) == ("instead", 6)
    for word in (
        "runc/version 1.2 while 1.1, because CVE-1, CVE-2, until 2031-01-01",
        "r/k golang.org/x/net v0.38.0 while v0.26.0, because CVE-3",
    ):
        assert word in ask.why
    pin, move = begin(OVERRIDES)
    move.other_series(pin.recipe, "2", "1", pin, TO)
    assert [each.name for each in move.asks] == ["r.instead"]


@pytest.mark.parametrize("is_other", [False, True])
def test_it_has_that_of_a_series_or_nothing(*, is_other: bool):
    for said in ("1", ""):
        pin, move = begin(OVERRIDES, {"r.instead" if is_other else "instead": said})
        if is_other:
            move.other_series(pin.recipe, "2", "1", pin, TO)
        else:
            move.new_series(pin, "2", TO)
        (recipe,) = [each.recipe for each in pins_of(text_of(move)) if each.series == "2"]
        old = pin.recipe.in_series.instead
        assert recipe.in_series.instead == (old if said else SeriesOverrides())


def test_a_new_series_may_have_the_overrides_of_another():
    text = OVERRIDES + f'  "0": {{commit: {THREE}}}\n'
    former = next(each for each in pins_of(text) if each.series == "0")
    _, move = begin(text, {"instead": "1"})
    move.new_series(former, "3", TO)
    assert text_of(move).count("CVE-3") == 2


@pytest.mark.parametrize(
    ("text", "said", "says", "hint"),
    [
        (
            OVERRIDES,
            "9",
            "'9' is no series of it",
            "say `instead=` for none, `instead=1` for those of 1",
        ),
        (OVERRIDES, "0", "'0' has none", "say `instead=` for none, `instead=1` for those of 1"),
        (
            SERIES,
            "1",
            "r has no values instead of upstream's in any series",
            "say `instead=` for none",
        ),
    ],
)
def test_it_has_none_of_a_series_that_has_none(text: str, said: str, says: str, hint: str):
    """Nobody loses overrides by the wrong series."""
    text += f'  "0": {{commit: {THREE}}}\n'
    former = next(each for each in pins_of(text) if each.series == "1")
    for name in ("instead", "r.instead"):
        _, move = begin(text, {name: said})
        add = partial(move.new_series, former, "3", TO)
        if name != "instead":
            add = partial(move.other_series, former.recipe, "3", "1", former, TO)
        with pytest.raises(UsageError, match=says) as caught:
            add()
        assert caught.value.hint == hint.replace("instead=", f"{name}=")


@pytest.mark.parametrize("is_other", [False, True])
def test_overrides_are_taken_as_they_stand(*, is_other: bool):
    """With comments, quotes and the order of keys; and back."""
    text = OVERRIDES.replace("instead:\n", "# why\n    instead:  # until upstream moves\n")
    text = text.replace("because: [CVE-1, CVE-2]", "because: [CVE-1,  # bad\n            CVE-2]")
    block = text[text.index("    # why") :]
    pin, move = begin(text, {"r.instead" if is_other else "instead": "1"})
    if is_other:
        move.other_series(pin.recipe, "2", "1", pin, TO)
    else:
        move.new_series(pin, "2", TO)
    new = f'  "2":\n    commit: {TWO}\n{block}'
    assert text_of(move) == text.replace('  "1":', f'{new}  "1":')
    back = PinMove(RecipeEdits(move.edits.changed), {}, lambda *_: PatchVerdict())
    back.without_series([pin.recipe], "2")
    assert text_of(back) == text


def test_where_another_series_has_overrides_nothing_is_asked_and_the_name_is_known():
    text = OVERRIDES + f'  "0": {{commit: {THREE}}}\n'
    former = next(each for each in pins_of(text) if each.series == "0")
    _, move = begin(text)
    move.new_series(former, "3", TO)
    assert "instead" in move.taken
    assert text_of(move).count("CVE-3") == 1


def test_without_overrides_nothing_is_asked():
    pin, move = begin(SERIES)
    move.new_series(pin, "2", TO)
    assert "instead" not in text_of(move)


# ---- several sources of one version

BOTH = f"""version: "1.0"
build: x
sources:
  a: {{git: 'https://e.org/a', tag: 'v${{version}}', commit: {ONE}}}
  b: {{git: 'https://e.org/b', tag: 'v${{version}}', commit: {TWO}}}
"""


def test_each_repository_has_its_own_commit():
    to = Destination(value="2.0", tag="v2.0", commit=THREE, others={"b": FOUR})
    pin, move = begin(BOTH)
    move.present(pin, to)
    new = BOTH.replace("1.0", "2.0").replace(ONE, THREE).replace(TWO, FOUR)
    assert text_of(move) == new


def test_one_that_nobody_knows_is_asked_for_and_one_that_is_said_stands():
    to = Destination(value="2.0", tag="v2.0", commit=THREE)
    pin, move = begin(BOTH)
    move.present(pin, to)
    assert [each.name for each in move.asks] == ["b.commit"]
    pin, move = begin(BOTH, {"a.commit": TWO, "b.commit": FOUR})
    move.present(pin, evolve(to, others={"b": THREE}))
    assert text_of(move) == BOTH.replace("1.0", "2.0").replace(TWO, FOUR).replace(ONE, TWO)


def test_what_is_said_stands_in_a_new_series():
    text = f"""kind: source
sources: {{r: {{git: 'https://e.org/r', tag: '${{tag}}', commit: '${{commit}}'}}}}
per-series:
  "1": {{tag: v1.0, commit: {ONE}}}
"""
    pin, move = begin(text, {"commit": THREE})
    move.new_series(pin, "2", Destination(value="v2.0", tag="v2.0", commit=TWO))
    assert f'"2": {{tag: v2.0, commit: {THREE}}}' in text_of(move)
    pin, move = begin(text, {"tag": "v3.0"})
    move.new_series(pin, "2", Destination(value="v2.0", tag="v2.0", commit=TWO))
    assert move.vain == ["tag"]


BESIDE = f"""kind: source
sources: {{r: {{git: 'https://e.org/r', commit: '${{commit}}'}}}}
per-series:
  "1.1": {{commit: {ONE}}}
  "1.0":
    commit: {ONE}  # by hand
    # decided
    instead:  # by Ann
      pins:
        runc/version: {{value: v1.2.8, because: [CVE-1], while: v1.2.5}}  # ticket 1
"""


def test_what_a_new_series_has_instead_keeps_its_comments_beside_braces():
    """The series is written as the one whose decisions it has."""
    pin, move = begin(BESIDE, {"instead": "1.0"})
    move.new_series(pin, "1.2", Destination(value=TWO))
    instead = BESIDE[BESIDE.index("    # decided") :]
    new = f'  "1.2":\n    commit: {TWO}\n{instead}'
    assert text_of(move) == BESIDE.replace('  "1.1"', f'{new}  "1.1"')


def test_the_last_patch_of_a_series_that_says_nothing_else_goes():
    text = """kind: source
version: "1"
sources: {r: {git: 'https://e.org/r', tag: 'v${version}'}}
per-series:
  "1":
    patches:
      - a.patch  # why
"""
    pin, move = begin(text, {"per-series.1.patches": ""})
    move.present(pin, Destination(value="1"))
    after = text_of(move)
    assert after == text.replace("patches:\n      - a.patch  # why", "patches: []")
    assert pins_of(after)[0].recipe.per_series["1"].patches == ()
