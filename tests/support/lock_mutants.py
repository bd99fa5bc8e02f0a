"""Mutants of a lock: one fact changed in its text, chosen by a seed.

A lock has one fact a line, so a mutant changes, drops, doubles, adds or moves lines. What comes
out need not be YAML: nobody promised that.
"""

from __future__ import annotations

import random
import re
import string
from collections import Counter
from collections.abc import Callable, Iterator

from attrs import define, field, frozen
from lock_world import LockWorld, Meaning

from rvbuild.core.errors import RvbuildError
from rvbuild.recipes_yaml.lock import read_lock, write_lock

_FACT = re.compile(r"(?P<head> *(?:- )?)(?P<name>[a-z0-9-]+)(?P<colon>: )(?P<value>.+)\Z")
_SHARED = re.compile(
    r"(?P<head>  )(?P<name>(?:[^ ':]|:(?! )|'[^']*')+(?: [^ ]+)+)(?P<colon>: )(?P<value>.+)\Z"
)
_ITEM = re.compile(r"(?P<head> +- )(?P<value>[^ ].*)\Z")
_NAME = re.compile(r"(?P<head>      (?:  )?)(?P<value>[^ :-][^ :]*(?: [^ ]+){1,2})\Z")
_ENTRY = re.compile(r"  (?P<key>[^ ].*):\Z")

_PART = re.compile(r"      (?:- kind: (?P<kind>.+)|(?P<shared>debian|go-module): \|)\Z")
_SHARED_KINDS = {"debian-packages": "debian", "go-modules": "go-module"}

ONLY_CONTENT_TELLS = {
    "url": {"sha256"},  # where the recipe pins none
    "git": {"tree", "date"},
    "go-module": {"line"},
    "go-toolchain": {"h1"},
    "pypi": {"sha256", "file"},
    "debian": {"line", "part"},
    "path": {"digest"},
    "pin": {"value"},
    "modules": {"modules", "go-sum"},
}
"""Facts that no recipe can know, by kind: of these a lock is the only witness."""


@frozen(kw_only=True)
class Mutant:
    """A lock's text with one fact changed: which, of what kind of entry, and how."""

    text: str
    kind: str
    fact: str
    how: str
    line: int

    def __str__(self) -> str:
        return f"line {self.line} ({self.kind} {self.fact}): {self.how}"


@define
class Tally:
    """What came of mutants."""

    tried: int = 0
    refused: int = 0
    equal: int = 0
    content: int = 0
    failed: list[str] = field(factory=list)
    kinds: Counter[str] = field(factory=Counter)

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.kinds.items()))
        told = f", {self.content} told by content alone" if self.content else ""
        return (
            f"{self.tried} mutants tried: {self.refused} refused with exit 3, "
            f"{self.equal} with equal digests{told}, {len(self.failed)} failed\nkinds: {kinds}"
        )


def mutant(text: str, seed: int) -> Mutant:
    """The mutant of a lock that a number names."""
    chance = random.Random(seed)  # noqa: S311 - replayed by its seed
    lines = text.split("\n")
    while True:
        at = _line(lines, chance)
        change = chance.choice(_CHANGES)
        made = change(lines, at, chance)
        if made is not None and made[0] != lines:
            changed, how = made
            kind, fact = _place(lines, at)
            fact = "part" if how.startswith("part ") else fact
            return Mutant(text="\n".join(changed), kind=kind, fact=fact, how=how, line=at + 1)


def _line(lines: list[str], chance: random.Random) -> int:
    """Any line; or, half of the time, one of any kind: most lines are those of module sets."""
    if chance.random() < 0.5:
        return chance.randrange(1, len(lines) - 1)
    kinds: dict[str, list[int]] = {}
    for number, line in enumerate(lines):
        kind = _kind_of(line) or ("pin" if line.startswith("    value: ") else "")
        if kind:
            kinds.setdefault(kind, []).append(number)
    begin = chance.choice(kinds[chance.choice(sorted(kinds))])
    return min(begin + chance.randrange(7), len(lines) - 2)


def sealed_anew(text: str) -> str | None:
    """The lock with checks that fit its facts, as somebody would write it who can; None if not."""
    bare = re.sub(r"^    check: .*\n", "", text, flags=re.MULTILINE)
    try:
        lock = read_lock(bare.encode(errors="surrogateescape"), "rvbuild.lock", mend=True)
        return write_lock(lock)
    except RvbuildError:
        return None


def try_mutant(world: LockWorld, meaning: Meaning, each: Mutant, tally: Tally) -> None:
    """See that a mutant is refused, or means what the lock means."""
    tally.kinds[each.kind] += 1
    tally.tried += 1
    answer = _answer(world, each.text)
    if answer == 3:
        tally.refused += 1
    elif answer == meaning:
        tally.equal += 1
    else:
        tally.failed.append(
            f"line {each.line} ({each.kind} {each.fact}): {each.how}: {answer!s:.80}"
        )


def try_sealed_mutant(world: LockWorld, meaning: Meaning, each: Mutant, tally: Tally) -> None:
    """The same for a mutant whose checks fit: a recipe must rule it out, if one can."""
    text = sealed_anew(each.text)
    if text is None:
        return
    tally.kinds[each.kind] += 1
    tally.tried += 1
    answer = _answer(world, text)
    if answer == 3:
        tally.refused += 1
    elif answer == meaning:
        tally.equal += 1
    elif isinstance(answer, tuple) and each.fact in ONLY_CONTENT_TELLS.get(each.kind, ()):
        tally.content += 1
    else:
        tally.failed.append(
            f"line {each.line} ({each.kind} {each.fact}): {each.how}: {answer!s:.80}"
        )


def _answer(world: LockWorld, text: str) -> Meaning | int | str:
    try:
        return world.meaning(text)
    except RvbuildError as error:
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - a traceback is what is looked for
        return repr(error)


# ---- where a line stands


def _place(lines: list[str], at: int) -> tuple[str, str]:
    """The kind of thing that a line belongs to, and the fact that it is of."""
    line = lines[at]
    fact = _fact(line)
    name = fact["name"] if fact else _list_name(lines, at)
    if _ENTRY.match(line):
        return "entry", "key"
    section = next(
        (above.split(":")[0] for above in reversed(lines[: at + 1]) if above[:1].isalpha()), ""
    )
    if section == "pins" and line.startswith("    "):
        return "pin", name
    if section in _SHARED_KINDS and line.startswith("  "):
        return _SHARED_KINDS[section], "line"
    if section == "module-sets" and line.startswith("    "):
        return "modules", name
    if line.startswith("      "):
        kinds = (_kind_of(above) for above in reversed(lines[: at + 1]))
        kind = next(kind for kind in kinds if kind)
        return kind, "part" if name in {"kind", kind} else name
    return "entry", name


def _fact(line: str) -> re.Match[str] | None:
    """A fact of an entry, or the line of a thing that entries share."""
    return _FACT.match(line) or _SHARED.match(line)


def _kind_of(line: str) -> str:
    found = _PART.match(line)
    return "" if found is None else found["kind"] or found["shared"]


def _list_name(lines: list[str], at: int) -> str:
    for line in reversed(lines[: at + 1]):
        if line.endswith((":", ": |")) and not line.lstrip().startswith("- "):
            return line.strip(" |:")
    return ""


# ---- changes of a line's value

Made = tuple[list[str], str] | None
Change = Callable[[list[str], int, random.Random], Made]


def _value(lines: list[str], at: int) -> re.Match[str] | None:
    return _fact(lines[at]) or _ITEM.match(lines[at]) or _NAME.match(lines[at])


def _with_value(lines: list[str], at: int, value: str, how: str) -> Made:
    found = _value(lines, at)
    if found is None:
        return None
    return [*lines[:at], lines[at][: found.start("value")] + value, *lines[at + 1 :]], how


def _flip(lines: list[str], at: int, chance: random.Random) -> Made:
    """One letter or digit of the value is another of its kind."""
    found = _value(lines, at)
    if found is None:
        return None
    value = found["value"]
    places = [spot for spot, letter in enumerate(value) if letter in string.hexdigits]
    if not places:
        return None
    spot = chance.choice(places)
    alphabet = (
        string.digits if value[spot].isdigit() and chance.random() < 0.5 else "0123456789abcdef"
    )
    put = chance.choice([letter for letter in alphabet if letter != value[spot]])
    return _with_value(lines, at, value[:spot] + put + value[spot + 1 :], f"digit {spot} is {put}")


def _cut(lines: list[str], at: int, chance: random.Random) -> Made:
    found = _value(lines, at)
    if found is None or len(found["value"]) < 2:
        return None
    size = chance.randrange(1, len(found["value"]))
    return _with_value(lines, at, found["value"][:size], f"cut to {size}")


def _longer(lines: list[str], at: int, chance: random.Random) -> Made:
    found = _value(lines, at)
    more = chance.choice(["0", "x", "/..", "-rc1", ".0", "'", " ", "\u00e9", "\udce9"])
    return _with_value(lines, at, found["value"] + more, f"with {more!r}") if found else None


def _strange(lines: list[str], at: int, chance: random.Random) -> Made:
    value = chance.choice(
        ["''", "'0'", "-1", "999999999999999999", "9" * 30, "~", "true", "[]", "{}", "&a x",
         "*a", "!!int 1", "'..'", "'/etc/passwd'", "'file:///etc/passwd'", "'ext::sh -c x'", "h1:"]
    )  # fmt: skip
    return _with_value(lines, at, value, f"is {value}")


def _of_another(lines: list[str], at: int, chance: random.Random) -> Made:
    """The value that the same fact has elsewhere in the lock."""
    found = _fact(lines[at])
    if found is None:
        return None
    named = (_fact(line) for line in lines)
    same = {m["value"] for m in named if m and m["name"] == found["name"]}
    if found.re is _SHARED:
        same = {m["value"] for line in lines if (m := _SHARED.match(line))}
    others = sorted(same)
    return _with_value(lines, at, chance.choice(others), "another's")


def _renamed(lines: list[str], at: int, chance: random.Random) -> Made:
    """The fact is called as another one of the lock."""
    found = _fact(lines[at])
    if found is None:
        return None
    names = sorted({m["name"] for line in lines if (m := _fact(line))})
    name = chance.choice([*names, "unknown"])
    line = found["head"] + name + found["colon"] + found["value"]
    return [*lines[:at], line, *lines[at + 1 :]], f"called {name}"


# ---- changes of lines


def _dropped(lines: list[str], at: int, _chance: random.Random) -> Made:
    return [*lines[:at], *lines[at + 1 :]], "dropped"


def _doubled(lines: list[str], at: int, _chance: random.Random) -> Made:
    return [*lines[: at + 1], *lines[at:]], "doubled"


def _added(lines: list[str], at: int, chance: random.Random) -> Made:
    indent = len(lines[at]) - len(lines[at].lstrip())
    word = chance.choice(["more: x", "- x", "# comment", "paths: [a]", "sha256: '0'"])
    return [*lines[: at + 1], " " * indent + word, *lines[at + 1 :]], f"and {word}"


def _swapped(lines: list[str], at: int, _chance: random.Random) -> Made:
    """With the next line of the same indent."""
    if at + 1 >= len(lines):
        return None
    return [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]], "swapped with the next"


# ---- changes of parts and entries


def _block(lines: list[str], at: int, begins: Callable[[str], bool], least: int) -> range | None:
    start = next((i for i in range(at, 0, -1) if begins(lines[i])), None)
    if start is None:
        return None
    end = start + 1
    while end < len(lines) and lines[end].startswith(" " * least):
        end += 1
    return range(start, end) if at < end else None


def _part(lines: list[str], at: int) -> range | None:
    return _block(lines, at, lambda line: bool(_kind_of(line)), 8)


def _entry(lines: list[str], at: int) -> range | None:
    return _block(lines, at, lambda line: _ENTRY.match(line) is not None, 3)


def _block_change(lines: list[str], at: int, chance: random.Random) -> Made:
    """A part or an entry is dropped, doubled, or changes its place with the one before."""
    find, what = chance.choice([(_part, "part"), (_entry, "entry")])
    found = find(lines, at)
    if found is None:
        return None
    block = lines[found.start : found.stop]
    how = chance.choice(["dropped", "doubled", "moved"])
    if how == "dropped":
        return [*lines[: found.start], *lines[found.stop :]], f"{what} dropped"
    if how == "doubled":
        if what == "entry":
            key = chance.choice([line for line in lines if _ENTRY.match(line)])
            block = [chance.choice([key, block[0].replace(":", "x:")]), *block[1:]]
        return [*lines[: found.stop], *block, *lines[found.stop :]], f"{what} doubled"
    before = find(lines, found.start - 1)
    if before is None or before.stop != found.start:
        return None
    other = lines[before.start : before.stop]
    return [*lines[: before.start], *block, *other, *lines[found.stop :]], f"{what} moved up"


def _key(lines: list[str], at: int, chance: random.Random) -> Made:
    """An entry has the key of another, or of nobody."""
    found = _entry(lines, at)
    if found is None:
        return None
    keys = [line for line in lines if _ENTRY.match(line)]
    line = chance.choice(
        [*keys, "  nobody/nothing:", lines[found.start].replace("@amd64", "@arm64")]
    )
    return [*lines[: found.start], line, *lines[found.start + 1 :]], f"key is{line}"


def _exchanged(lines: list[str], at: int, chance: random.Random) -> Made:
    """Two entries have each other's keys."""
    found = _entry(lines, at)
    keys = [number for number, line in enumerate(lines) if _ENTRY.match(line)]
    other = chance.choice(keys)
    if found is None:
        return None
    changed = list(lines)
    changed[found.start], changed[other] = lines[other], lines[found.start]
    return changed, f"key exchanged with line {other + 1}"


_CHANGES: tuple[Change, ...] = (
    *(_flip,) * 6,
    *(_of_another,) * 3,
    _cut, _longer, _strange, _renamed, _dropped, _doubled, _added, _swapped,
    *(_block_change,) * 2,
    _key, _exchanged,
)  # fmt: skip


def mutants(text: str, seed: int, count: int) -> Iterator[Mutant]:
    """``count`` mutants, the same for the same seed."""
    return (mutant(text, seed + number) for number in range(count))
