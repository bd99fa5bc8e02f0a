"""Whatever a Debian archive says is a value or a typed error: numbers without end, odd dates."""

from __future__ import annotations

import datetime as dt
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rvbuild.core.errors import SourceError, VerificationError
from rvbuild.kinds.debian.debian_index import PackageIndex
from rvbuild.kinds.debian.debian_release import Release
from rvbuild.kinds.debian.freshness import DateRules, age_fault
from rvbuild.kinds.debian.version_order import version_key

ENDLESS = "1" * 5000
"""More digits than Python makes a number of."""
WORDS = st.text(max_size=12) | st.sampled_from([ENDLESS, "٣", "²", "1:" + ENDLESS, "-1", "1e9"])
FIELDS = ("Package", "Version", "Filename", "SHA256", "Size", "Depends", "Provides")
SOUND = {
    "Package": "tool",
    "Version": "1",
    "Filename": "pool/main/t/tool/tool_1_amd64.deb",
    "SHA256": "a" * 64,
    "Size": "1",
}
NUMBERS = st.integers(0, 10**30).map(str)


def test_the_sound_one_is_a_package():
    assert [package.size for package in packages(SOUND)] == [1]


def packages(*records: dict[str, str]) -> list[object]:
    text = "\n\n".join("\n".join(f"{k}: {v}" for k, v in record.items()) for record in records)
    index = PackageIndex.read("sid", text.encode(errors="replace"), "Packages")
    return list(index.closure(["tool"]))


@given(name=st.sampled_from(FIELDS), word=WORDS)
@example(name="Size", word=ENDLESS)
@example(name="Version", word=ENDLESS)
@example(name="Version", word=f"{ENDLESS}:1-{ENDLESS}")
def test_any_word_of_a_package(name: str, word: str):
    try:
        listed = packages(SOUND | {name: word}, SOUND)
    except (SourceError, VerificationError):
        return
    assert listed


@given(a=NUMBERS, b=NUMBERS, zeros=st.text("0", max_size=3))
@example(a="9" * 4000, b="1" + "0" * 4000, zeros="")
def test_numbers_are_compared_as_numbers(a: str, b: str, zeros: str):
    for form in ("{}", "1.{}", "{}:1", "1-{}"):
        left, right = form.format(zeros + a), form.format(b)
        assert (version_key(left) < version_key(right)) == (int(a) < int(b))
        assert (version_key(left) == version_key(right)) == (int(a) == int(b))


@given(size=WORDS)
@example(size=ENDLESS)
def test_any_size_of_a_list(size: str):
    row = f"{'a' * 64} {size} main/binary-amd64/Packages.xz"
    release = Release(base="b", suite="sid", fields={"sha256": f"\n{row}\n"})
    if size.isascii() and size.isdecimal() and len(size) < 19:
        assert release.packages("amd64").size == int(size)
        return
    with pytest.raises(SourceError, match="no SHA-256 of any file"):
        release.packages("amd64")


LAST = "Fri, 31 Dec 9999 23:00:00 +0000"
YEARS = st.datetimes(timezones=st.just(dt.UTC)).map(format_datetime)


@given(date=YEARS | WORDS, end=YEARS | WORDS, seconds=st.integers(0, 10**9 - 1))
@example(
    date="Fri, 31 Dec 9999 23:00:00 +0000", end="Fri, 31 Dec 9999 23:00:00 +0000", seconds=9999
)
def test_any_date(date: str, end: str, seconds: int):
    """With any times that apt's configuration can set."""
    rules = DateRules(check_date=False, least=seconds, longest=seconds)
    assert isinstance(age_fault({"date": date, "valid-until": end}, rules, NOW, None), str)
    rules = DateRules(least=seconds, longest=seconds, future=seconds)
    assert isinstance(age_fault({"date": date, "valid-until": end}, rules, NOW, None), str)


NOW = dt.datetime(2026, 11, 29, tzinfo=dt.UTC)
