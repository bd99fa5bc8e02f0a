"""Why an offered result was not taken, in words."""

from __future__ import annotations

import pytest

from rvbuild.cli.loss_text import loss_text
from rvbuild.core.loss import Unavailable

LACKS = "no cache has all of a pack"


@pytest.mark.parametrize(
    ("message", "answers", "text"),
    [
        (LACKS, (), LACKS),
        (LACKS, ("team: it lacks it",), f"{LACKS} (team: it lacks it)"),
        ("team does not give it: no answer in 5 s", ("team: no answer in 5 s",), None),
        (
            "team does not give it: no answer in 5 s",
            ("team: no answer in 5 s", "lab: it lacks it"),
            "team does not give it: no answer in 5 s (lab: it lacks it)",
        ),
    ],
)
def test_an_answer_is_said_once(message: str, answers: tuple[str, ...], text: str | None):
    assert loss_text(Unavailable(message, answers)) == (text or message)
