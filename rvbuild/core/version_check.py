"""The check `version`: each program of a recipe says the version that it is.

Knows: how programs are asked. Must not know: where they lie (core.launchers), what runs a check.
"""

from __future__ import annotations

import shlex

from rvbuild.core.launchers import SYSTEM_PATH
from rvbuild.core.output_patterns import literally

WORD = "version"
"""What a recipe says instead of commands."""

ASKED = ("--version", "-version", "version")
"""How a program is asked, one after the other, until it answers."""


_BEFORE = "(^|[^0-9A-Za-z.])[vV]?"
_BEHIND = "($|[^0-9A-Za-z.~+_-]|[.]($|[^0-9A-Za-z]))"
PROGRAMS = "/tmp/programs"  # noqa: S108 - in the sandbox


def answer(version: str) -> str:
    """An extended regular expression for a text that has the version.

    A ``v`` before it makes no difference, and it is no part of another one: 1.2 is in none of
    1.2.3, 1.2-rc1, 1.2+k3s1, 1.2~beta, 1.2a and go1.2.
    """
    return f"{_BEFORE}{literally(version.removeprefix('v'))}{_BEHIND}"


def version_script(version: str, listing: str, prefix: str) -> str:
    """What asks each program of a recipe by its path: two may have one name.

    Args:
        version: What each has to say.
        listing: A command that prints their paths.
        prefix: What stands before a path; empty, or it ends with a blank.
    """
    says = shlex.quote(f"does not say {version}:")
    grep = f"PATH={SYSTEM_PATH} grep -Eq {shlex.quote(answer(version))}"
    return f"""\
{{ {listing}; }} > {PROGRAMS}
while IFS= read -r program; do
  answers=
  for word in {" ".join(ASKED)}; do
    if text=$({prefix}"$program" $word < /dev/null 2>&1) && printf '%s\\n' "$text" | {grep}; then
      printf '%s\\n' "$text"
      continue 2
    fi
    answers="$answers
$word: $text"
  done
  echo "${{program#/in/*/}}" {says}"$answers" >&2
  exit 1
done < {PROGRAMS}
"""
