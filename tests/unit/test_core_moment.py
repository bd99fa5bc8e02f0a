"""Which moments that others say are some."""

from __future__ import annotations

import pytest

from rvbuild.core.moment import known_moment, later, read_moment

END = 253_370_764_800  # the year 9999 begins

SECONDS = {0: 0, 1_700_000_000: 1_700_000_000, END - 1: END - 1}
NONE = (-1, END, 99_999_999_999_999, 2**64, -(10**40))


@pytest.mark.parametrize("seconds", SECONDS)
def test_a_moment_is_itself(seconds: int):
    assert known_moment(seconds) == SECONDS[seconds]


@pytest.mark.parametrize("seconds", NONE)
def test_what_no_calendar_has_is_none(seconds: int):
    assert known_moment(seconds) is None


def test_the_last_moment_has_none_behind_it():
    assert later(1_700_000_000, 7) == 1_700_000_007
    assert later(END - 2, 7) == END - 1


TEXTS = {
    "2023-11-14T22:13:20Z": 1_700_000_000,
    "2023-11-14T22:13:20.123456789Z": 1_700_000_000,
    "2023-11-15T00:13:20+02:00": 1_700_000_000,
    "2023-11-14T22:13:20": 1_700_000_000,
    "1969-12-31T23:59:59Z": None,
    "0001-01-01T00:00:00": None,
    "0001-01-01T00:00:00+23:59": None,
    "9999-12-31T23:59:59-23:59": None,
    "10000-01-01T00:00:00Z": None,
    "soon": None,
    "": None,
}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_a_text(monkeypatch: pytest.MonkeyPatch, text: str, zone: str):
    """The machine's own zone is nobody's."""
    monkeypatch.setenv("TZ", zone)
    assert read_moment(text) == TEXTS[text]
