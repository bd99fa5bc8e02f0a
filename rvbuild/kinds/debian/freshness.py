"""Whether an index is of the suite that was asked for, and of today.

Knows: apt's rules for `Suite`, `Date` and `Valid-Until` (sources.list(5), apt.conf(5)).
Must not know: signatures, archives.

The rules:

1. The suite's name is the index's `Suite` or `Codename`.
2. `Date` is not in the future, but for some seconds.
3. The index is not older than one that the lock was made from.
4. Today is not after `Valid-Until`, which is a date if it is there. Apt's configuration may set the
   least and the longest time after `Date` for which an index is good.

Apt's configuration turns off rule 4 (`Check-Valid-Until`), or 2 and 4 (`Check-Date`). Rule 4 does
not hold for an index of the past, and rule 3 not where the user chose that past (`index_policy`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TypeVar

from attrs import frozen

from rvbuild.core.printable import brief
from rvbuild.core.snapshot import Snapshot
from rvbuild.transfers.apt_config import ArchiveOptions, seconds, truth

T = TypeVar("T")
_FUTURE = 10


@frozen(kw_only=True)
class DateRules:
    """What is asked of an index's dates.

    Attributes:
        check_date: Whether rules 2 and 4 hold.
        check_valid_until: Whether rule 4 holds.
        least: For how many seconds after its date an index is good at least; 0: as it says.
        longest: For how many seconds it is good at most; 0: as it says.
        future: By how many seconds its date may be in the future.
    """

    check_date: bool = True
    check_valid_until: bool = True
    least: int = 0
    longest: int = 0
    future: int = _FUTURE

    @classmethod
    def of(cls, options: ArchiveOptions, conf: Mapping[str, str], label: str) -> DateRules:
        """Those of apt: its entry of the archive is stronger than apt.conf.

        Args:
            options: The entry's.
            conf: Apt's settings by their name in lower case.
            label: The index's, for which apt.conf may have times of its own.
        """
        check = truth(conf.get("acquire::check-date", ""))
        valid = truth(conf.get("acquire::check-valid-until", ""))
        future = seconds(conf.get("acquire::max-futuretime", ""))
        return cls(
            check_date=_first(options.check_date, check, other=True),
            check_valid_until=_first(options.check_valid_until, valid, other=True),
            least=_first(options.valid_until_min, _time(conf, "min", label), other=0),
            longest=_first(options.valid_until_max, _time(conf, "max", label), other=0),
            future=_first(future, other=_FUTURE),
        )


def _first(*values: T | None, other: T) -> T:
    return next((value for value in values if value is not None), other)


def _time(conf: Mapping[str, str], which: str, label: str) -> int | None:
    name = f"acquire::{which}-validtime"
    return seconds(conf.get(f"{name}::{label.lower()}", conf.get(name, "")))


def suite_fault(fields: Mapping[str, str], suite: str) -> str:
    """How an index is of another suite (rule 1), to follow "it"; empty if it is not.

    Args:
        fields: Of its text, by name in lower case.
        suite: What was asked for.
    """
    names = dict.fromkeys(fields[name] for name in ("suite", "codename") if fields.get(name))
    if suite in names:
        return ""
    return f"is that of {' or '.join(names) or 'a suite without a name'}, not of {suite}"


def future_fault(fields: Mapping[str, str], rules: DateRules, now: dt.datetime) -> str:
    """How an index is of the future (rule 2), to follow "it"; empty if it is not.

    The arguments are those of `age_fault`.
    """
    made = moment(fields.get("date", ""))
    if rules.check_date and made and made > now + dt.timedelta(seconds=rules.future):
        return f"is of {made:%Y-%m-%d %H:%M}, in the future by this machine's clock"
    return ""


def age_fault(
    fields: Mapping[str, str], rules: DateRules, now: dt.datetime, earlier: Snapshot | None
) -> str:
    """How an index is too old (rules 3 and 4), to follow "it"; empty if it is not.

    Args:
        fields: Of its text, by name in lower case.
        rules: What is asked of the dates.
        now: The time.
        earlier: When the index was made that the lock was made from; None if nobody knows.
    """
    made = moment(fields.get("date", ""))
    if earlier and made and made < earlier.moment:
        known = f"{earlier.moment:%Y-%m-%d %H:%M}"
        return f"is of {made:%Y-%m-%d %H:%M}, older than the one of {known} that the lock is from"
    if not (rules.check_date and rules.check_valid_until):
        return ""
    text = fields.get("valid-until", "")
    if text and moment(text) is None:
        return f"is good until {brief(text, most=60)!r}, which is no date in UTC"
    end = _end(fields, made, rules)
    return f"expired at {end:%Y-%m-%d %H:%M}" if end and end < now else ""


def _end(
    fields: Mapping[str, str], made: dt.datetime | None, rules: DateRules
) -> dt.datetime | None:
    """When an index stops to be good; None if it does not."""
    end = moment(fields.get("valid-until", ""))
    if made and rules.least and end:
        end = max(end, _later(made, rules.least))
    if made and rules.longest:
        last = _later(made, rules.longest)
        end = min(end, last) if end else last
    return end


def _later(moment: dt.datetime, seconds: int) -> dt.datetime:
    try:
        return moment + dt.timedelta(seconds=seconds)
    except OverflowError:  # an index of the year 9999
        return dt.datetime.max.replace(tzinfo=dt.UTC)


def moment(text: str) -> dt.datetime | None:
    """A date as an index has it, in UTC; None for anything else."""
    try:
        value = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return value if value.utcoffset() == dt.timedelta(0) else None
