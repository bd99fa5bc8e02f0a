"""Recipe files in odd but valid spellings, chosen by a seed.

Whoever writes a file knows where each value stands and to what each comment belongs, so a test
needs no reader of YAML to say what an edit may change. Every comment begins with its own number:
``#7 of …`` belongs to what follows it, ``#7 by …`` to its line, ``#7 under …`` to what is above.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from random import Random
from typing import Union

from attrs import define, field, frozen

Path = tuple[str, ...]
Model = dict[str, Union[str, "Model"]]

TEXTS = (
    "v1.32.3+k3s1", "1.35", "1.10", "2027-02-28", "on", "null", "~", "0x1f", "0o17", "12e45678",
    "1:30",
    "a: b", "a #b", "# c", "it's", 'say "x"', " lead", "trail ", "", "é", "😀", "- x",
    "${commit}", "{", "a, b]",
    "*a", "&a", "!a", "%a", "@a", "`a", "|", ">", "a\\b", "x:", "...", "---", "=", "<<", "Q\tz",
    "? a",    "\u2028",
)  # fmt: skip
LINES = ("one\ntwo", "one\n\n  two\nthree\n", "# no comment\n", "a\n")
_BARE = re.compile(r"[A-Za-z0-9/](?:[A-Za-z0-9./+_-]|:(?=[^ ]))*(?: [a-z0-9]+)*")
_DECOYS = ("commit: 0000", "'", '"', "{[", "\tversion: 1", "é😀", "|", "", "#")


@frozen
class Slot:
    """The characters of a value: ``end`` is behind its last that counts."""

    begin: int
    end: int


@frozen
class OddRecipe:
    """A file; ``model`` is what it says, each scalar a text."""

    text: str
    model: Model
    slots: Mapping[Path, Slot]

    @property
    def data(self) -> bytes:
        return self.text.encode()


@define
class _Writer:
    chance: Random
    line_break: str
    text: str = ""
    slots: dict[Path, Slot] = field(factory=dict)
    comments: int = 0
    blank_would_count: bool = False

    def put(self, text: str) -> None:
        self.text += text.replace("\n", self.line_break)

    def odds(self, one_in: int) -> bool:
        return self.chance.randrange(one_in) == 0

    def comment(self, kind: str) -> str:
        self.comments += 1
        return f"#{self.comments} {kind} {self.chance.choice(_DECOYS)}"

    def behind(self) -> None:
        """The end of a line, with a comment or spaces."""
        gap = self.chance.choice((" ", "  ", "\t", " \t "))
        self.put(self.chance.choice(("", "", "", gap, gap + self.comment("by"))) + "\n")

    def above(self, indent: str) -> None:
        if not self.blank_would_count:
            self.put("\n" * (self.odds(4) + self.odds(12)))
        self.blank_would_count = False
        for _ in range(self.odds(3) + self.odds(9)):
            self.put(f"{indent}{self.comment('of')}\n")

    def under(self, indent: str) -> None:
        if self.odds(8):
            self.put(f"{indent}   {self.comment('under')}\n")

    def block(self, model: Model, path: Path, indent: str) -> None:
        inner = indent + " " * self.chance.choice((1, 2, 2, 3, 4))
        style = self.chance.choice("''\"\"ppp")
        for key, value in model.items():
            self.above(indent)
            self.put(indent + self.key(key, style) + self.chance.choice(("", "", "", " ")) + ":")
            here = (*path, key)
            if isinstance(value, str):
                self.put(self.chance.choice((" ", " ", "  ", "\t")))
                if self.scalar(value, here, indent, inner):
                    self.behind()
                    self.under(indent)
            elif value and self.odds(2):
                self.behind()
                self.block(value, here, inner)
            else:
                self.put(" ")
                self.flow(value, here, inner)
                self.behind()
                self.under(indent)

    def flow(self, model: Model, path: Path, indent: str) -> None:
        """In braces: all in one line, each entry on a line of its own, or anything between."""
        form = self.chance.choice(("one", "one", "lines", "mixed"))
        style = self.chance.choice("''\"\"ppp")
        pad = self.chance.choice(("", " "))
        self.put("{" + (pad if form != "lines" else "\n"))
        left = len(model)
        for key, value in model.items():
            left -= 1
            if form == "lines":
                self.above(indent)
                self.put(indent)
            self.put(f"{self.key(key, style)}: ")
            if isinstance(value, str):
                self.scalar(value, (*path, key), "", indent, in_flow=True)
            else:
                self.flow(value, (*path, key), indent + " ")
            self.put("," if left or (form == "lines" and self.odds(2)) else "")
            if form == "lines":
                self.behind()
            elif left:
                self.put(f"\n{indent}" if form == "mixed" and self.odds(3) else " ")
        self.put(indent if form == "lines" else pad)
        self.put("}")

    def key(self, key: str, style: str) -> str:
        return key if style == "p" else style + key + style

    def scalar(
        self, text: str, path: Path, indent: str, inner: str, *, in_flow: bool = False
    ) -> bool:
        """Write a value; False: its line is over."""
        begin = len(self.text)
        lines = text.split("\n")
        can_be_block = not in_flow and text[:1] not in ("", " ") and "".join(lines).isprintable()
        if can_be_block and (len(lines) > 1 or self.odds(5)):
            return self.literal(text, path, indent, inner)
        self.put(self.in_line(text, inner))
        self.slots[path] = Slot(begin, len(self.text))
        return True

    def literal(self, text: str, path: Path, indent: str, inner: str) -> bool:
        begin = len(self.text)
        body = text.rstrip("\n")
        chomp = {0: "-", 1: self.chance.choice(("", "+"))}.get(len(text) - len(body), "+")
        digit = str(len(inner) - len(indent)) if self.odds(4) else ""
        sign = ">" if "\n" not in body and self.odds(2) else "|"
        note = " " + self.comment("by") if self.odds(4) else ""
        self.put(sign + self.chance.choice((digit + chomp, chomp + digit)) + note)
        for line in body.split("\n"):
            self.put(f"\n{inner}{line}" if line else "\n")
        self.slots[path] = Slot(begin, len(self.text))
        self.put("\n")
        self.blank_would_count = chomp == "+"
        if not self.blank_would_count:
            self.put("\n" * (self.odds(4) + self.odds(9)))
        return False

    def in_line(self, text: str, inner: str) -> str:
        if "\n" in text or not text.isprintable() or self.odds(4):
            escaped = text.replace("\\", "\\\\").replace('"', '\\"')
            for character, name in (("\n", "\\n"), ("\t", "\\t"), ("\u2028", "\\L")):
                escaped = escaped.replace(character, name)
            return f'"{self.broken(escaped, inner)}"'
        if _BARE.fullmatch(text) and self.odds(2):
            return self.broken(text, inner)
        return "'" + self.broken(text.replace("'", "''"), inner) + "'"

    def broken(self, text: str, inner: str) -> str:
        """The text over two lines, if it has a single space between two words."""
        if self.odds(2):
            return re.sub("(?<=[a-z]) (?=[a-z])", f"\n{inner} ", text, count=1)
        return text


def odd_source(seed: int) -> OddRecipe:
    """The recipe file of a seed that is one of a source with series, as rvbuild reads it."""
    return odd_recipe(seed, _source_model)


def odd_recipe(seed: int, make: Callable[[Random], Model] | None = None) -> OddRecipe:
    """The recipe file of a seed; ``make`` says what it has to say."""
    chance = Random(seed)  # noqa: S311 - an example, no secret
    writer = _Writer(chance, chance.choice(("\n", "\n", "\n", "\r\n", "\r\n", "\r")))
    model = (make or _model)(chance)
    writer.put(chance.choice(("", "", "", "---\n", "%YAML 1.1\n# c\n--- # a document\n")))
    writer.put(chance.choice(("", "", "# é: 'a file\n\n", "#\u00a0😀\n\n")))
    writer.block(model, (), "")
    if writer.odds(5):
        writer.put("...\n")
    elif writer.odds(4):
        writer.put("# the end")
    elif writer.odds(3):
        _without_last_break(writer, model)
    mark = "\ufeff" if writer.odds(6) else ""
    slots = {p: Slot(s.begin + len(mark), s.end + len(mark)) for p, s in writer.slots.items()}
    return OddRecipe(mark + writer.text, model, slots)


def _without_last_break(writer: _Writer, model: Model) -> None:
    """Leave the last break out, unless a text in block style ends there, which would change."""
    last = list(model.values())[-1]
    if not isinstance(last, str) and not writer.text.endswith(writer.line_break * 2):
        has_block = any(writer.text[slot.begin] in "|>" for slot in writer.slots.values())
        if not has_block:
            writer.text = writer.text.removesuffix(writer.line_break)


def _model(chance: Random) -> Model:
    series: Model = {}
    numbers = chance.sample(range(29, 40, 2), chance.randint(1, 4))
    order = chance.choice((sorted, lambda each: sorted(each, reverse=True), list))
    has_release = chance.random() < 0.4
    for number in order(numbers):
        series[f"1.{number}"] = {
            "commit": _commit(chance),
            "end-of-support": f"20{number}-02-28",
            **({"release": chance.choice(TEXTS)} if has_release else {}),
        }
    entries: list[tuple[str, str | Model]] = [
        ("summary", chance.choice(("a tree of source", "it's: # this", *TEXTS))),
        ("version", chance.choice(TEXTS)),
        ("sources", {"k3s": {"git": "https://e.org/k3s", "commit": chance.choice(TEXTS)}}),
        ("per-series", series),
        ("build", chance.choice(LINES)),
        ("env", {"A": chance.choice(LINES), "B": chance.choice(TEXTS)}),
    ]
    chance.shuffle(entries)
    return dict(entries)


def _source_model(chance: Random) -> Model:
    """What a source with series says; each has the same facts."""
    series = _model(chance)["per-series"]
    entries: list[tuple[str, str | Model]] = [
        ("summary", chance.choice(("a tree of source", "it's: # this", *TEXTS))),
        ("kind", "source"),
        ("homepage", chance.choice(TEXTS)),
        ("sources", {"k3s": {"git": "https://e.org/k3s", "commit": "${commit}"}}),
        ("per-series", series),
    ]
    chance.shuffle(entries)
    return dict(entries)


def _commit(chance: Random) -> str:
    return f"{chance.getrandbits(160):040x}"
