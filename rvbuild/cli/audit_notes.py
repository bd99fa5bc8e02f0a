"""What an audit says of outputs that are fit, in lines.

Knows: which findings have a line of their own. Must not know: rules, where the lines go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rvbuild.cli.messages import count_text
from rvbuild.core.finding import Finding, Weight

_NAMED = 2


def finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """A line for each thing that findings say, with the files of which they say it.

    What is not known has none here: `unknown_line` says it once for a whole run.
    """
    paths: dict[str, list[str]] = {}
    for finding in findings:
        if finding.weight is not Weight.UNKNOWN:
            paths.setdefault(finding.what, []).append(finding.path)
    for what, files in paths.items():
        yield f"{_listed(files)}: {what}"


def unknown_files(findings: Sequence[Finding]) -> int:
    """Of how many files nobody knows which instructions they need."""
    return len({finding.path for finding in findings if finding.weight is Weight.UNKNOWN})


def unknown_line(files: Mapping[str, int]) -> str:
    """The line of a run about the instructions that nobody knows.

    Args:
        files: How many files they are, by the label of the step that made them.
    """
    count = sum(files.values())
    of = f"{count_text(count, 'file')} of {_listed([*files])}"
    need = "needs" if count == 1 else "need"
    return f"nothing says which instructions {of} {need}: `rvbuild audit TARGET` lists them"


def _listed(names: Sequence[str]) -> str:
    left = len(names) - _NAMED
    others = f" and {left} other{'s' if left > 1 else ''}" if left > 0 else ""
    return f"{', '.join(names[:_NAMED])}{others}"
