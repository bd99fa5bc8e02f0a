"""What a job of a CI system runs: its lines of shell, and the variables that they have there.

Only as much of these systems as the pages of documentation use: no conditions, and no actions of
others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from string import Template

import yaml

_SECRET = re.compile(r"\$\{\{ secrets\.(\w+) \}\}")

Script = tuple[str, dict[str, str]]
"""Lines of shell, and their variables."""


def github_steps(text: str, job: str, secrets: Mapping[str, str]) -> Iterator[Script]:
    """Each step of a job of a workflow that runs something; secrets are where `env` names them."""
    for step in yaml.safe_load(text)["jobs"][job]["steps"]:
        variables = {
            name: _SECRET.sub(lambda match: secrets[match[1]], value)
            for name, value in step.get("env", {}).items()
        }
        if "run" in step:
            yield step["run"], variables


def gitlab_script(text: str, job: str, secrets: Mapping[str, str]) -> Script:
    """The script of a job; the variables of the project's settings are in its environment."""
    file = yaml.safe_load(text)
    before = file.get("default", {}).get("before_script", [])
    variables = {
        name: Template(value).substitute(secrets)
        for name, value in file[job].get("variables", {}).items()
    }
    return "\n".join([*before, *file[job]["script"]]), {**secrets, **variables}
