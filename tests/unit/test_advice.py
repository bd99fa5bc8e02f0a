"""Only the command line says options and commands; everybody else gives advice as data."""

import ast
import re
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest

from rvbuild.cli.commands import COMMANDS, ROWS
from rvbuild.cli.options import store_in
from rvbuild.cli.remedies import WORDS, hint_text
from rvbuild.core.advice import Remedy, advise, joined

PACKAGE = Path(__file__).resolve().parents[2] / "rvbuild"
OPTIONS = {
    name for row in ROWS for option in row.options for name in option.names if name[0] == "-"
}
OF_EVERY_PROGRAM = {"--help", "--version"}
OF_OTHERS = re.compile(r"mount -o|ulimit -v")
COMMAND = re.compile(rf"\brvbuild ({'|'.join(COMMANDS)}|TARGET)\b")
OPTION = re.compile(r"(?<![\w-])-{1,2}[a-zA-Z][a-z-]*")


def texts(source: str) -> Iterator[tuple[int, str]]:
    """The line and the text of every string of a module but docstrings.

    Values of an f-string are ``{}``.
    """
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    apart = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    apart |= {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in apart
        ):
            yield node.lineno, node.value


def named(text: str) -> set[str]:
    """The commands and options that a text names; a word alone is an argument of a program."""
    if " " not in text.strip():
        return set()
    options = set(OPTION.findall(OF_OTHERS.sub("", text))) & OPTIONS - OF_EVERY_PROGRAM
    return {match[0] for match in COMMAND.finditer(text)} | options


def modules() -> list[Path]:
    cli = PACKAGE / "cli"
    return [path for path in sorted(PACKAGE.rglob("*.py")) if cli not in path.parents]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_text_outside_the_command_line_names_a_command_or_an_option(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    lines = {line: named(text) for line, text in texts(source)}
    assert {line: words for line, words in lines.items() if words} == {}


@pytest.mark.parametrize(
    "source",
    [
        'hint = "run `rvbuild lock`, then build again"',
        'hint = f"say --override {name}=FOLDER"',
        'hint = f"--override {name}"',
        'hint = "use " "--store"',
        'hint = "another folder, with -o"',
    ],
)
def test_the_search_finds_each_form(source: str) -> None:
    assert [words for _, text in texts(source) if (words := named(text))]


@pytest.mark.parametrize(
    "source",
    ['"""Run `rvbuild lock`."""', 'git("--quiet", "-C", folder)', 'hint = "give a mirror"'],
)
def test_documents_and_arguments_of_other_programs_are_no_texts(source: str) -> None:
    assert not [words for _, text in texts(source) if (words := named(text))]


def test_the_command_line_has_words_for_every_remedy() -> None:
    assert set(WORDS) == set(Remedy)


@pytest.mark.parametrize("remedy", Remedy)
def test_the_words_name_what_the_command_line_has(remedy: Remedy) -> None:
    text = hint_text(advise(remedy, " ", remedy.of("A")))
    options = set(OPTION.findall(text))
    commands = {match[1] for match in re.finditer(r"`rvbuild ([a-z]+)", text)}
    assert options <= OPTIONS
    assert commands <= set(COMMANDS)
    assert options or commands or text.startswith("run `rvbuild TARGET`")


@pytest.mark.parametrize("remedy", Remedy)
def test_plain_words_name_neither(remedy: Remedy) -> None:
    assert named(f"{advise('to begin, ', remedy.of('a'))}") == set()


def test_a_subject_stands_in_the_words() -> None:
    advice = advise("look at it, or ", Remedy.LOCK.of("runc"))
    assert hint_text(advice) == "look at it, or run `rvbuild lock runc`"
    assert str(advice) == "look at it, or lock again: runc"


def test_a_subject_with_braces_stands_as_it_is() -> None:
    assert hint_text(advise(Remedy.IMPORT.of("/a{b}"))) == "run `rvbuild store import /a{b}`"


def test_advice_within_advice_is_one_sentence() -> None:
    inner = advise(Remedy.REPAIR, ", then build again")
    assert advise("nothing was collected; ", inner).parts == (
        "nothing was collected; ",
        *inner.parts,
    )


def test_hints_are_joined_each_once() -> None:
    lock = advise(Remedy.LOCK)
    assert hint_text(joined(["a", "", lock, None, "a", lock])) == "a; run `rvbuild lock`"


def test_hints_that_say_a_part_of_one_another_are_said_once() -> None:
    """In any order and depth of joining."""
    again, part = advise(Remedy.LOCK, ", or set A"), "set A"
    for hints in permutations(["x", part, again, "y"]):
        first, second, third, fourth = hints
        nested = joined([first, joined([second, third]), joined([third, fourth]), first])
        assert nested == joined(hints)
        expected = [hint_text(hint) for hint in hints if hint != part]
        assert hint_text(nested) == "; ".join(expected)


@pytest.mark.parametrize("hints", [[], [""], [None]])
def test_no_hints_are_no_advice(hints: list[str | None]) -> None:
    assert joined(hints) is None
    assert hint_text(joined(hints)) == ""


def test_commands_have_the_store_that_the_command_line_named():
    advice = advise(Remedy.COLLECT, "; ", Remedy.LOG.of("a"), "; ", Remedy.LOCK)
    assert hint_text(advice, "/a b") == (
        "free some space with `rvbuild gc --store '/a b'`; "
        "the whole log: `rvbuild log a --store '/a b'`; run `rvbuild lock`"
    )


@pytest.mark.parametrize(
    ("words", "store"),
    [
        (["gc"], None),
        (["gc", "--store", "x"], "x"),
        (["--store=x", "gc"], "x"),
        (["gc", "--store"], ""),
    ],
)
def test_the_store_that_a_command_line_names(words: list[str], store: str | None):
    assert store_in(words) == store
