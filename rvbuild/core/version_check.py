"""The check `version`: each program of a recipe says the version that it is.

Knows: how programs are asked. Must not know: where they lie (core.launchers), what runs a check.
"""

from __future__ import annotations

import shlex

from rvbuild.core.launchers import SYSTEM_PATH, places
from rvbuild.core.output_patterns import literally

WORD = "version"
"""What a recipe says instead of commands."""

ASKED = ("--version", "-version", "version")
"""How a program is asked, one after the other, until it answers."""


def answer(version: str) -> str:
    """An extended regular expression for a text that has the version.

    A ``v`` before it makes no difference, and it is no part of another one: 1.2 is not in 1.2.3.
    """
    number = literally(version.removeprefix("v"))
    return rf"(^|[^0-9.]){number}($|[^0-9.]|[.]($|[^0-9]))"


def version_script(version: str) -> str:
    """What asks every program on PATH that is the recipe's."""
    says = shlex.quote(f"does not say {version}:")
    grep = f"PATH={SYSTEM_PATH} grep -Eq {shlex.quote(answer(version))}"
    return f"""\
for program in {places()}; do
  [ -e "$program" ] || continue
  answers=
  for word in {" ".join(ASKED)}; do
    if text=$("$program" $word < /dev/null 2>&1) && printf '%s\\n' "$text" | {grep}; then
      printf '%s\\n' "$text"
      continue 2
    fi
    answers="$answers
$word: $text"
  done
  echo "${{program##*/}}" {says}"$answers" >&2
  exit 1
done
"""
