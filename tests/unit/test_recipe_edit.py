"""A value of a recipe is changed in place: each odd spelling, with the bytes that come out."""

from __future__ import annotations

import re

import pytest

from rvbuild.core.errors import RecipeError
from rvbuild.core.place import UnwrittenPlace
from rvbuild.recipes_yaml.edit import add_entry, copy_spelling, remove_entry, set_items, set_text
from rvbuild.recipes_yaml.entry_splice import position
from rvbuild.recipes_yaml.recipe_edits import RecipeEdits
from rvbuild.recipes_yaml.recipe_layout import KeyPath

VERSION = ("version",)
SERIES = ("per-series", "1.35", "commit")
NEW = {"commit": "c3", "end-of-support": "2027-10-28"}

VALUES = {
    "plain": ("version: 1.2.3  # why\nb: 1\n", "1.2.4", "version: 1.2.4  # why\nb: 1\n"),
    "quotes": ("version: 'a'\t# why\n", "it's", "version: 'it''s'\t# why\n"),
    "double quotes": ('version: "a"\n', 'b "c" \\', 'version: "b \\"c\\" \\\\"\n'),
    "quotes cannot hold it": ("version: 'a'\n", "b\n", 'version: "b\\n"\n'),
    "no quotes cannot": ("version: a\n", "b # c", 'version: "b # c"\n'),
    "a number stays text": ("version: v1\n", "1.35", 'version: "1.35"\n'),
    "a number beside a number": ("version: 1.34\n", "1.35", "version: 1.35\n"),
    "a date stays text": ("version: v1\n", "2027-02-28", 'version: "2027-02-28"\n'),
    "a truth value stays text": ("version: v1\n", "on", 'version: "on"\n'),
    "a number of YAML 1.2": ("version: c5b15879\n", "12e45678", 'version: "12e45678"\n'),
    "null stays text": ("version: 1\n", "null", 'version: "null"\n'),
    "nothing": ("version:  # none yet\n", "v1", "version: v1  # none yet\n"),
    "nothing in braces": ("a: {version: , b}\n", "v1", "a: {version: v1 , b}\n"),
    "nothing in braces, a comment": (
        "a: {version:  # c\n    , b}\n",
        "v1",
        "a: {version: v1  # c\n    , b}\n",
    ),
    "a key alone": ("a: {version, b}\n", "v1", "a: {version: v1, b}\n"),
    "in braces": ("a: {version: v1}\n", "v1,2", 'a: {version: "v1,2"}\n'),
    "over two lines": ("version: v1\n  and more # c\nb: 1\n", "v2", "version: v2 # c\nb: 1\n"),
    "quotes over two lines": ('version: "v1\n  # 2"\nb: 1\n', "v2", 'version: "v2"\nb: 1\n'),
    "no last newline": ("version: v1", "v2", "version: v2"),
    "carriage returns": ("a: 1\r\nversion: v1\r\n# c\r\n", "v2", "a: 1\r\nversion: v2\r\n# c\r\n"),
    "only carriage returns": ("a: 1\rversion: v1\r", "v2", "a: 1\rversion: v2\r"),
    "a byte order mark": ("\ufeffversion: v1\nb: 1\n", "v2", "\ufeffversion: v2\nb: 1\n"),
    "what has several bytes": ("# 😀é\nversion: é # 😀\n", "à", "# 😀é\nversion: à # 😀\n"),
    "a comment with a separator": ("# \u2028\nversion: v1\n", "v2", "# \u2028\nversion: v2\n"),
    "a document's marks": ("--- # c\nversion: v1\n...\n", "v2", "--- # c\nversion: v2\n...\n"),
    "a question mark": ("? version\n: v1\n? b\n: 1\n", "v2", "? version\n: v2\n? b\n: 1\n"),
    "a key in quotes": ('"version" : v1\n', "v2", '"version" : v2\n'),
    "a block": ("version: |-  # c\n  v1\n\nb: 1\n", "v2", "version: |-  # c\n  v2\n\nb: 1\n"),
    "a block's newline": (
        "version: |\n   v1\n# c\nb: 1\n",
        "v2\n",
        "version: |\n   v2\n# c\nb: 1\n",
    ),
    "a block without": ("version: | # c\n  v1\nb: 1\n", "v2", "version: |- # c\n  v2\nb: 1\n"),
    "a block in the end": ("version: |\n  v1", "v2", "version: |\n  v2"),
    "two lines": ("version: |\r\n  a\r\n", "b\n\nc\n", "version: |\r\n  b\r\n\r\n  c\r\n"),
    "a folded block": ("version: >\n  a\n  b\nc: 1\n", "d\ne\n", "version: >\n  d\n\n  e\nc: 1\n"),
    "not folded": ("version: >\n  a\nc: 1\n", "d\n  e\n", "version: |\n  d\n    e\nc: 1\n"),
    "kept blank lines": ("version: |+\n  a\n\n\nb: 1\n", "c\n", "version: |+\n  c\nb: 1\n"),
    "more of them": ("version: |+\n  a\nb: 1\n", "c\n\n\n", "version: |+\n  c\n\n\nb: 1\n"),
    "some of them": ("version: |\n  a\n\nb: 1\n", "c\n\n", "version: |+\n  c\n\nb: 1\n"),
    "a number of spaces": ("version: |2-\n    a\nb: 1\n", "  c", "version: |2-\n    c\nb: 1\n"),
    "no block": ("version: |- # c\n  a\n\nb: 1\n", " \x07", 'version: " \\u0007" # c\n\nb: 1\n'),
    "an empty block": ("version: |\nb: 1\n", "c\n", "version: |\n  c\nb: 1\n"),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_changes_and_all_else_stays(name: str):
    before, text, after = VALUES[name]
    path = VERSION if "a: {" not in before else ("a", *VERSION)
    assert set_text(before.encode(), "r", path, text).decode() == after


FLOW = 'per-series:\n  "1.35": {commit: c1, end-of-support: "2027-02-28"}\n'

ADDITIONS = {
    "newer": ("1.36", 'a:\n«  "1.36": NEW\n»  "1.35": {commit: c1}\n'),
    "older": ("1.34", 'a:\n  "1.35": {commit: c1}\n«  "1.34": NEW\n»'),
    "no last newline": ("1.34", 'a:\n  "1.35": {commit: c1}«\n  "1.34": NEW»'),
    "a text beside it": ("1.34", "a:\n  '1.35': c1\n«  '1.34': NEW\n»b: 1\n"),
    "block": (
        "1.36",
        (
            "a:\n«  1.36:\n     commit: c3\n     end-of-support: 2027-10-28\n»"
            "  1.35:\n     commit: c1\n     end-of-support: 2027-02-28\n"
        ),
    ),
    "block, in the end": (
        "1.34",
        (
            "a:\n  '1.35':\n    commit: c1\n    'end-of-support': '2027-02-28'«\n"
            "  '1.34':\n    commit: c3\n    'end-of-support': '2027-10-28'»"
        ),
    ),
    "carriage returns": (
        "1.10",
        (
            "a:\r\n«    '1.10': { commit: c3, end-of-support: \"2027-10-28\" }\r\n»"
            "    '1.9': { commit: c1 }\r\n"
        ),
    ),
    "comments": (
        "v1.34",
        (
            "a:\n  # of 1.35\n  v1.35: {commit: c1}  # too\n      # and this\n«  v1.34: NEW\n»"
            "  # of 1.33\n  v1.33: {commit: c2}\n"
        ),
    ),
    "the comment of the first": ("1.36", "a:\n«  '1.36': NEW\n»  # of 1.35\n  '1.35': {b: 1}\n"),
    "a comment of all": (
        "1.36",
        "a:  # new ones first\n  # and no others\n\n«  '1.36': NEW\n»  '1.35': {commit: c1}\n",
    ),
    "apart": (
        "v2",
        "a:\n  v3: {commit: c1}\n\n«  v2: NEW\n\n»  # of 1\n  v1: {commit: c2}\n\nb: 1\n",
    ),
    "apart, the first": (
        "v3",
        "a:\n«  v3: NEW\n\n»  v2: {commit: c1}\n\n  # of 1\n  v1: {commit: c2}\n\nb: 1\n",
    ),
    "apart, the last": (
        "v3",
        "a:\n  v1: {commit: c1}\n\n  v2: {commit: c2}\n«\n  v3: NEW\n»\nb: 1\n",
    ),
    "in no order": ("v4", "a:\n  v2: {b: 1}\n  v3: {b: 1}\n  v1: {b: 1}\n«  v4: NEW\n»c: 1\n"),
    "one line": ("1.34", "a: {'1.35': {b: 1}, «'1.34': NEW, »'1.33': {b: 1}}  # c\n"),
    "one line, the last": ("1.32", "a: {'1.35': {b: 1}, '1.33': {b: 1}«, '1.32': NEW» }  # c\n"),
    "lines in braces": (
        "1.33",
        (
            "a: {\n  '1.35': {b: 1},  # of 1.35\n  # of 1.34\n  '1.34': {b: 1}«,»  # and this\n"
            "«  '1.33': NEW\n»}\n"
        ),
    ),
    "lines in braces, no comment": ("b", "a: {\n  a: {b: 1}«,\n  b: NEW»\n}\n"),
    "lines in braces, a last comma": (
        "1.33",
        "a: {\n  # of 1.34\n  '1.34': {b: 1},  # and this\n«  '1.33': NEW,\n»}\n",
    ),
    "lines in braces, amidst": (
        "bb",
        "a: {\n  # of c\n  c: {b: 1},\n«  bb: NEW,\n»  # of b\n  b: {b: 1}}\n",
    ),
    "nothing yet": ("1.35", 'a: {«"1.35": NEW»}  # c\n'),
    "below blank lines of a text": ("c", "a:\n  b: |+\n    # x\n\n\n«  c: NEW\n»"),
    "below a text": ("c", "a:\n  b: |\n    # x\n«  c: NEW\n»\nb: 1\n"),
    "below what is no comment": ("bb", 'a:\n  c: "1\n  # of b"\n«  bb: NEW\n»  b: 2\n'),
}


@pytest.mark.parametrize("name", ADDITIONS)
def test_an_entry_comes_and_goes_as_its_neighbours_are(name: str):
    """What stands in «…» comes with the entry."""
    key, marked = ADDITIONS[name]
    text = marked.replace("NEW", '{commit: c3, end-of-support: "2027-10-28"}')
    before, after = re.sub("«.*?»", "", text, flags=re.DOTALL), re.sub("[«»]", "", text)
    assert add_entry(before.encode(), "r", ("a", key), NEW).decode() == after
    assert remove_entry(after.encode(), "r", ("a", key)).decode() == before


def test_an_entry_leaves_with_its_own_comments():
    text = "a:\n  # of b\n  b: 1  # too\n    # still\n  # of c\n  c: 2\n"
    assert remove_entry(text.encode(), "r", ("a", "b")) == b"a:\n  # of c\n  c: 2\n"


def test_an_entry_of_a_series_is_put_behind_one_like_it():
    after = add_entry(FLOW.encode(), "r", ("per-series", "1.35", "release"), "v1.35.1")
    assert after.decode() == FLOW.replace('28"}', '28", release: "v1.35.1"}')


@pytest.mark.parametrize(
    ("keys", "key", "at"),
    [
        (["1.10", "1.9"], "1.11", 0),
        (["1.10", "1.9"], "1.8", 2),
        (["1.9", "1.10"], "1.11", 2),
        (["1.9"], "1.10", 0),
        (["1.10"], "1.9", 1),
        (["commit"], "release", 1),
        (["b", "c", "a"], "d", 3),
        (["1.09"], "1.9" + "0" * 5000, 0),
    ],
)
def test_the_place_of_a_key(keys: list[str], key: str, at: int):
    assert position(keys, key) == at


REFUSALS: dict[str, tuple[str, KeyPath, str, str]] = {
    "no such key": ("a: 1\nversions: 2\n", VERSION, "r:1:1", "there is no version"),
    "no such key below": (FLOW, ("per-series", "1.36", "x"), "r:2:3", 'no per-series."1.36"'),
    "below a text": ("version: 1\n", ("version", "a"), "r:1:10", "version is no mapping"),
    "a mapping": (FLOW, ("per-series",), "r:2:3", "a list or mapping"),
    "a list": ("a:\n  version: [b]\n", ("a", "version"), "r:2:12", "a list or mapping"),
    "an alias": ("a: 1\nversion: *v\n", VERSION, "r:2:10", "aliases are not allowed"),
    "an anchor": ("version: &v 1\n", VERSION, "r:1:10", "anchors are not allowed"),
    "a merge key": ("a:\n  <<: {b: 1}\n  version: 2\n", ("a", "version"), "r:2:3", "a merge key"),
    "a key twice": ("version: 1\nversion: 2\n", VERSION, "r:2:1", "given twice"),
    "no value of its own": ("? version\n? b\n", VERSION, "r:1:3", "cannot be changed here"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_cannot_be_changed_is_refused_with_its_place(name: str):
    text, path, where, says = REFUSALS[name]
    with pytest.raises(RecipeError) as caught:
        set_text(text.encode(), "r", path, "v2")
    assert str(caught.value.where) == where
    assert says in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_a_text_that_no_recipe_can_hold_is_refused(text: str):
    with pytest.raises(RecipeError, match="version cannot be changed here"):
        set_text(b"version: 1\n", "r", VERSION, text)


def test_an_entry_that_is_there_is_not_put_there_again():
    with pytest.raises(RecipeError, match=r'r:2:3: per-series\."1\.35" is there already'):
        add_entry(FLOW.encode(), "r", ("per-series", "1.35"), NEW)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (FLOW, "the only entry"),
        ('per-series:\n  ? "1.35"\n  : {commit: c1}\n  b: 1\n', "something stands before its key"),
        ('per-series: {"1.35": 1,  # c\n  b: 2}\n', "a comment stands between"),
        ('per-series: {"1.35": 1,}\n', "cannot be changed here"),
    ],
)
def test_an_entry_that_cannot_go_safely_stays(text: str, says: str):
    with pytest.raises(RecipeError, match=says):
        remove_entry(text.encode(), "r", ("per-series", "1.35"))


def test_nothing_is_put_beside_a_question_mark():
    with pytest.raises(RecipeError, match="something stands before its key"):
        add_entry(b"a:\n  ? b\n  : 1\n", "r", ("a", "aa"), "1")


def test_several_files_have_their_changes_together():
    edits = RecipeEdits({"a": FLOW.encode(), "b": b"version: 1.2\n", "c": b"version: 2\n"})
    done = edits.set_text("b", VERSION, "1.3").add_entry("a", ("per-series", "1.36"), NEW)
    assert done.changed.keys() == {"a", "b"}
    assert done.changed["b"] == b"version: 1.3\n"
    assert edits.changed == {}
    back = done.set_text("b", VERSION, "1.2").remove_entry("a", ("per-series", "1.36"))
    assert back.changed == {}
    assert back == edits


def test_the_same_value_is_no_change():
    edits = RecipeEdits({"a": b"version: '1'\n"})
    assert edits.set_text("a", VERSION, "1").changed == {}


COPIED = {
    "comments": (
        (
            "a:\n  # above\n  x: # behind\n    # between\n    y: 1  # of it\n      # below\n"
            "b:\n    x:\n      y: 1\n"
        ),
        "b:\n    # above\n    x: # behind\n      # between\n      y: 1  # of it\n        # below\n",
    ),
    "blank lines and quotes": (
        "a:\n    x:\n\n        y: '1'\nb:\n  x:\n    y: 1\nc: 2\n",
        "b:\n  x:\n\n      y: '1'\nc: 2\n",
    ),
    "a comment of another column": (
        "a:\n  x:\n# far out\n    y: 1\nb:\n  z: 0\n  x:\n    y: 1\n",
        "b:\n  z: 0\n  x:\n# far out\n    y: 1\n",
    ),
    "a comment that cannot go further": (
        "a:\n   x:\n # far out\n    y: 1\nb:\n x:\n  y: 1\n",
        "b:\n x:\n# far out\n  y: 1\n",
    ),
    "a text in block style": (
        "a:\n  x:\n    y: >-  # c\n      1\n\nb:\n   x:\n     y: 1\n",
        "b:\n   x:\n     y: >-  # c\n       1\n",
    ),
    "carriage returns": (
        "a:\r\n  x:\r\n    # c\r\n    y: 1\r\nb:\r\n x:\r\n  y: 1",
        "b:\r\n x:\r\n   # c\r\n   y: 1",
    ),
    "braces inside": (
        "a:\n  x: {  # c\n    y: 1}\nb:\n   x: {y: 1}\n",
        "b:\n   x: {  # c\n     y: 1}\n",
    ),
    "one line": ("a:\n  x: {y: 1}  # c\nb:\n  x:\n    y: 1\n", "b:\n  x: {y: 1}  # c\n"),
    "above it": ("b:\n  x: {y: 1}\na:\n  x:  # c\n    y: 1\n", None),
    "braces around the one": ("a: {x: {y: 1}}  # c\nb:\n  x:\n    y: 1\n", None),
    "braces around the other": ("a:\n  x:  # c\n    y: 1\nb: {x: {y: 1}}\n", None),
    "another line of the key": ("a:\n  ? x\n  :  # c\n    y: 1\nb:\n  x:\n    y: 1\n", None),
    "not the same": ("a:\n  x:  # c\n    y: 2\nb:\n  x:\n    y: 1\n", None),
}


@pytest.mark.parametrize("name", COPIED)
def test_an_entry_is_written_as_another_that_says_the_same(name: str):
    text, new = COPIED[name]
    after = copy_spelling(text.encode(), "r", ("a", "x"), ("b", "x")).decode()
    if new is None:
        new = text[text.index("b:") :] if name != "above it" else ""
        assert after == (text if new else "b:\n  x:  # c\n    y: 1\na:\n  x:  # c\n    y: 1\n")
    else:
        assert after == text[: text.index("b:")] + new


BLOCK_LIST = """\
a:
  # patches of 1.0
  p:
    - x   # from upstream, 17
    # keep
    - y   # 18
    - z
  # about b
  b: 1
"""
FLOW_LIST = "a:\n  p: [x,  # 17\n      # keep\n      y,  # 18, too\n      z]  # of all\n  b: 1\n"
LINES_LIST = "a:\n  p: [\n    x,  # 17\n    # keep\n    y,  # 18\n    z  # 19, a\n  ]  # of all\n"
HALF_LIST = "a:\n  p: [w, x,  # 17\n      y, z]  # of all\n"
COMMAS_LIST = "a:\n  p: [x\n      , y # 18\n      , z # 19\n      ]\n"
LAST_LIST = "a:\n  p: [x,  # 17\n      # of y\n      y]  # of all\n"

LISTS = {
    "the first": (BLOCK_LIST, "yz", BLOCK_LIST.replace("    - x   # from upstream, 17\n", "")),
    "amidst": (BLOCK_LIST, "xz", BLOCK_LIST.replace("    # keep\n    - y   # 18\n", "")),
    "the last": (BLOCK_LIST, "xy", BLOCK_LIST.replace("    - z\n", "")),
    "another": (BLOCK_LIST, "nyz", BLOCK_LIST.replace("- x   # from upstream, 17", "- n")),
    "another order": (
        BLOCK_LIST,
        "zyx",
        BLOCK_LIST.replace("- z", "-")
        .replace("- x   # from upstream, 17", "- z")
        .replace("-\n", "- x   # from upstream, 17\n"),
    ),
    "none": (BLOCK_LIST, "", "a:\n  # about b\n  b: 1\n"),
    "none in braces": ("a: {p: [x], b: 1}  # c\n", "", "a: {b: 1}  # c\n"),
    "none in braces of its own": ("a: {p: [x]}\n", "", "a: {}\n"),
    "none where it is the only entry": (
        "a:\n  # p\n  p:  # c\n    # x\n    - x  # 17\n    - y\nb: 1\n",
        "",
        "a:\n  # p\n  p: []  # c\nb: 1\n",
    ),
    "none in the end": ("a:\n  p:\n  - x", "", "a:\n  p: []"),
    "none in brackets": ("a:\n  p: [x,  # 17\n      y]  # c\n", "", "a:\n  p: []  # c\n"),
    "the same": (BLOCK_LIST, "xyz", BLOCK_LIST),
    "twice, and once": ("a: {p: [x, y, x]}\n", "xy", "a: {p: [x, y]}\n"),
    "the bracket's line": (FLOW_LIST, "yz", FLOW_LIST.replace("[x,  # 17", "[")),
    "the bracket's line, no comment": ("a: {p: [x,\n  y]}\n", "y", "a: {p: [y]}\n"),
    "its line in brackets": (
        FLOW_LIST,
        "xz",
        FLOW_LIST.replace("      # keep\n      y,  # 18, too\n", ""),
    ),
    "the closing bracket's line": (
        FLOW_LIST,
        "xy",
        FLOW_LIST.replace("y,  #", "y  #").replace("      z]", "      ]"),
    ),
    "the same with its comment": (LAST_LIST, "x", "a:\n  p: [x  # 17\n      ]  # of all\n"),
    "no line in common": (
        LINES_LIST,
        "xy",
        LINES_LIST.replace("y,", "y").replace("    z  # 19, a\n", ""),
    ),
    "lines change places": (
        LINES_LIST,
        "zxy",
        "a:\n  p: [\n    z,  # 19, a\n    x,  # 17\n    # keep\n    y  # 18\n  ]  # of all\n",
    ),
    "half a line, behind": (HALF_LIST, "wyz", HALF_LIST.replace(" x,", "")),
    "half a line, before": (HALF_LIST, "xyz", HALF_LIST.replace("w, ", "")),
    "half a line, the end": (HALF_LIST, "wxy", HALF_LIST.replace(", z", "")),
    "commas before": (COMMAS_LIST, "xz", COMMAS_LIST.replace("      , y # 18\n", "")),
    "a last comma": ("a: {p: [x, y,]}\n", "x", "a: {p: [x,]}\n"),
    "one line in another order": (
        "a: {p: ['x', y, z]}  # c\n",
        "zyx",
        "a: {p: [z, y, 'x']}  # c\n",
    ),
    "one more": ("a: {p: ['x', \"y\"]}\n", "xyn", 'a: {p: [\'x\', "y", "n"]}\n'),
    "the key's column": (
        "a:\n  p:\n  - x # c\n  - y\n  # b\n  b: 1\n",
        "y",
        "a:\n  p:\n  - y\n  # b\n  b: 1\n",
    ),
}


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
@pytest.mark.parametrize("name", LISTS)
def test_a_list_has_other_items_and_all_else_stays(name: str, line_break: str):
    before, items, after = (text.replace("\n", line_break) for text in LISTS[name])
    assert set_items(before.encode(), "r", ("a", "p"), tuple(items)).decode() == after


@pytest.mark.parametrize(
    ("text", "items", "says"),
    [
        ("a: {p: x}\n", "y", "r:1:8: a.p is no list that has anything"),
        ("a: {p: []}\n", "y", "r:1:8: a.p is no list that has anything"),
        ("a: {p: [x, [y]]}\n", "x", "an item of this list is no text"),
        ("a:\n  p:\n  -\n    x\n  - y\n", "y", "'x' does not stand in the line of its dash"),
        (FLOW_LIST, "zyx", "r:2:6: comments stand between the items"),
    ],
)
def test_a_list_that_cannot_change_safely_stays(text: str, items: str, says: str):
    with pytest.raises(RecipeError, match=re.escape(says)):
        set_items(text.encode(), "r", ("a", "p"), tuple(items))


def test_what_fails_after_a_change_has_the_place_and_line_of_then():
    edits = RecipeEdits({"a": b"b: 1\nc: 2\na: {p: x}\n"})
    with pytest.raises(RecipeError) as caught:
        edits.set_items("a", ("a", "p"), ["y"])
    assert str(caught.value.where) == "a:3:8"
    with pytest.raises(RecipeError) as caught:
        edits.remove_entry("a", ("b",)).set_items("a", ("a", "p"), ["y"])
    assert str(caught.value.where) == "a:3:8", "where that line is on disk"
    with pytest.raises(RecipeError) as caught:
        edits.set_text("a", ("a", "p"), "z").set_items("a", ("a", "p"), ["y"])
    assert caught.value.where == UnwrittenPlace("a", 3, 8, "a: {p: z}")
