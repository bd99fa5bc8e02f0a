"""Random patterns of GOPRIVATE with module paths, and what golang.org/x/mod says of them."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

from go_command import go

Row = tuple[str, str]
"""Patterns, and a path."""

_PROGRAM = """package main

import (
	"encoding/json"
	"os"

	"golang.org/x/mod/module"
)

func main() {
	var rows [][2]string
	if err := json.NewDecoder(os.Stdin).Decode(&rows); err != nil {
		panic(err)
	}
	fits := []bool{}
	for _, row := range rows {
		fits = append(fits, module.MatchPrefixPatterns(row[0], row[1]))
	}
	json.NewEncoder(os.Stdout).Encode(fits)
}
"""
_PIECES = ("a", "b", "/", "*", "?", "[ab]", "[^a]", "[!a]", "[a-b]", "[b-a]", "[^b-a]", "[/]",
           "[a", "]", "[]a]", "[^]", "-", "^", "\\", "\\*", "\\[", "[\\]]", "[a-]", "[-a]", ",",
           " ", "//", "**")  # fmt: skip
_LETTERS = "aab//-*^] "


def random_rows(seed: int, count: int) -> list[Row]:
    """Rows of which many nearly fit."""
    source = random.Random(seed)  # noqa: S311 - not for secrets
    rows = []
    for _ in range(count):
        path = "".join(source.choices(_LETTERS, k=source.randint(1, 7)))
        pieces = list(path) if source.random() < 0.7 else []
        for _ in range(source.randint(0, 5)):
            at = source.randint(0, len(pieces))
            pieces[at : at + source.randint(0, 1)] = [source.choice(_PIECES)]
        rows.append(("".join(pieces), path))
    return rows


def by_go(folder: Path, rows: list[Row]) -> list[bool]:
    """What x/mod says, of the copy that every Go brings with it."""
    root = json.loads(go(folder, "env", "-json", "GOROOT").stdout)["GOROOT"]
    program = folder / "program"
    for package in ("module", "semver", "internal/lazyregexp"):
        copied = Path(root, "src/cmd/vendor/golang.org/x/mod", package)
        shutil.copytree(copied, program / package)
    (program / "go.mod").write_text("module golang.org/x/mod\n\ngo 1.21\n")
    (program / "main.go").write_text(_PROGRAM)
    done = go(program, "run", ".", GOPROXY="off", given=json.dumps(rows).encode())
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)
