"""Whether an index is believed.

Knows: what a good index is, and what the user believes without proof.
Must not know: how an index is had, what packages are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from attrs import evolve, frozen

from rvbuild.core.errors import Outdated, SourceError, Untrusted, VerificationError
from rvbuild.core.events import Noticed, Reporter, silent
from rvbuild.core.printable import brief
from rvbuild.core.snapshot import Snapshot
from rvbuild.kinds.debian.archive_keys import KEYS_OF, ArchiveKeys
from rvbuild.kinds.debian.freshness import DateRules, age_fault, future_fault, suite_fault
from rvbuild.kinds.debian.signatures import Judgement, judge
from rvbuild.kinds.debian.signed_index import SignedIndex
from rvbuild.transfers.apt_config import MIRROR_VARIABLE, ArchiveOptions, paragraphs
from rvbuild.transfers.apt_lists import is_debian_origin
from rvbuild.transfers.snapshot_archive import listings
from rvbuild.transfers.urls import shown

_UNCHECKED = "the setting `debian-unchecked` (RVBUILD_DEBIAN_UNCHECKED) takes one without proof"
_HINTS = {
    "foreign": f"if it is a mirror of Debian all the same, name it in {MIRROR_VARIABLE}",
    "unsigned": f"use an archive that signs its index; {_UNCHECKED}",
    "wrong": "do not use this archive: somebody changed its index, or it is damaged",
    "key": (
        f"rvbuild has Debian's keys of {KEYS_OF}. If this archive is Debian's, a newer rvbuild or "
        "a newer package debian-archive-keyring has its key; if it is not, name its keyring in "
        "the setting `debian-keys` (RVBUILD_DEBIAN_KEYS)"
    ),
    "signed-by": "put the archive's keyring where `signed-by` in apt's sources says",
    "worthless": f"use another archive, or tell who runs it; {_UNCHECKED}",
    "suite": f"use another archive: this one gives out one suite as another; {_UNCHECKED}",
    "old": (
        "use an archive that is up to date; RVBUILD_DEBIAN_MIRROR names one that is asked first. "
        "If this one is frozen on purpose, list it in the setting `debian-frozen` "
        "(RVBUILD_DEBIAN_FROZEN)"
    ),
    "future": "set this machine's clock, or use another archive",
}


_TRUSTED = "apt's sources say trusted=yes"
Fault = tuple[SourceError | VerificationError | None, str]
"""What is wrong, if anything is; and why that is passed over, empty if it is not."""


class Foreign(SourceError):
    """An index is that of another vendor's archive, which apt has beside Debian's."""


@frozen(kw_only=True)
class Archive:
    """An archive of which an index is asked.

    Attributes:
        base: Its address.
        options: What apt's entry of it says; None if apt has none.
        keyrings: Apt's own.
        past: Whether its index is of the past on purpose, as a snapshot archive's.
        chosen: Whether the user chose that past: named the moment, or calls the archive frozen.
        is_debian: Whether it is Debian's whatever its index says: a snapshot archive, and what the
            user names as a mirror. Apt has archives of other vendors, too.
    """

    base: str
    options: ArchiveOptions | None = None
    keyrings: Sequence[Path] = ()
    past: bool = False
    chosen: bool = False
    is_debian: bool = True


def utc_now() -> dt.datetime:
    """The time."""
    return dt.datetime.now(dt.UTC)


@frozen(kw_only=True)
class IndexPolicy:
    """Decides about indexes.

    The rules:

    1. An archive of apt's is Debian's if its index says so (``Origin: Debian``). Any other is
       another vendor's, however good its signature is, and says nothing about Debian.
    2. A good index has a good signature by a trusted key (`signatures`, `archive_keys`) and none
       that is wrong; it is of the suite that was asked for; and it is of today (`freshness`).
    3. An index of the past on purpose may have expired. A key must have been good when it signed.
       If the user chose that past, the index may also be older than the lock's: by an address
       …/TIMESTAMP, by the setting ``debian-frozen``, or by ``check-valid-until=no`` of apt's
       entry, which says that the archive is not updated any more.
    4. The user may take an index that fails a check. ``[trusted=yes]`` of apt's sources unchecks
       the signature alone, as for apt; ``check-valid-until=no`` and ``check-date=no`` uncheck
       dates; the setting ``debian-unchecked`` unchecks everything. But for apt's words on dates,
       each fault that is passed over is said in a notice of its own.

    Example: a mirror in a company signs nothing, and apt's entry of it says ``[trusted=yes]``: its
    index is taken, and a notice that nothing silences says so. Once that index has expired, it is
    refused.

    Args:
        keys: Those of the machine.
        apt_settings: Gives apt.conf's.
        unchecked: Gives the addresses of archives that the user believes without proof.
        report: Told what was believed without proof.
        clock: Tells the time.
    """

    keys: ArchiveKeys
    apt_settings: Callable[[], Mapping[str, str]] = dict
    unchecked: Callable[[], Collection[str]] = tuple
    report: Reporter = silent
    clock: Callable[[], dt.datetime] = utc_now

    def believe(
        self,
        index: SignedIndex,
        archive: Archive,
        suite: str,
        *,
        address: str,
        earlier: Snapshot | None,
    ) -> Mapping[str, str]:
        """The fields of an index, by name in lower case.

        Args:
            index: What the archive sent.
            archive: Who sent it.
            suite: What was asked for.
            address: Where from, for messages.
            earlier: When the index was made that an earlier lock has the packages from.

        Raises:
            Foreign: it is another vendor's.
            Outdated: it was good once.
            Untrusted: it is not good.
        """
        listed = self._listed(archive)
        foreign = None if archive.is_debian else foreign_fault(index)
        self._pass([(foreign, listed)], suite, address)
        keys = self.keys.of(archive.options, archive.keyrings)
        judgement = judge(index, keys, self.clock(), past=archive.past)
        text = judgement.text if judgement.is_good else index.plain
        fields = next(paragraphs(text), {})
        trusted = _TRUSTED if archive.options and archive.options.trusted else ""
        faults = [
            (_distrust(index, archive, judgement), trusted or listed),
            (_other_suite(fields, suite), listed),
            (self._outdated(fields, archive, earlier), listed),
        ]
        self._pass(faults, suite, address)
        return fields

    def _pass(self, faults: Sequence[Fault], suite: str, address: str) -> None:
        """Say which faults are passed over.

        Raises:
            SourceError, VerificationError: the first one that is not.
        """
        for error, unchecker in faults:
            if error is not None and not unchecker:
                error.where = shown(address)
                raise error
        for error, unchecker in faults:
            if error is not None:
                notice = f"{shown(address)} is taken without proof, since {unchecker}: "
                text = f"{notice}{error.message}"
                self.report(Noticed(f"Debian {suite}", text, security=True))

    def _listed(self, archive: Archive) -> str:
        """Why an archive's index is taken whatever is wrong with it; empty if it is not."""
        return "`debian-unchecked` lists the archive" if self.is_unchecked(archive.base) else ""

    def is_unchecked(self, base: str) -> bool:
        """Whether the user takes the archive at an address whatever its index says."""
        return not listings(base).isdisjoint(self.unchecked())

    def _outdated(
        self, fields: Mapping[str, str], archive: Archive, earlier: Snapshot | None
    ) -> Outdated | None:
        options = archive.options or ArchiveOptions()
        rules = DateRules.of(options, self.apt_settings(), fields.get("label", ""))
        if archive.past:
            rules = evolve(rules, check_valid_until=False)
        now = self.clock()
        future = future_fault(fields, rules, now)
        fault = future or age_fault(fields, rules, now, None if archive.chosen else earlier)
        hint = _HINTS["future" if future else "old"]
        return Outdated(f"the archive's index {fault}", hint=hint) if fault else None


def foreign_fault(index: SignedIndex) -> Foreign | None:
    """What is wrong with an index by the vendor that it names (rule 1); None if it is Debian's."""
    origin = next(paragraphs(index.plain), {}).get("origin", "")
    if is_debian_origin(origin):
        return None
    who = f"says that its origin is {brief(origin, most=60)!r}" if origin else "names no origin"
    return Foreign(f"the archive's index {who}, not Debian", hint=_HINTS["foreign"])


def _other_suite(fields: Mapping[str, str], suite: str) -> Untrusted | None:
    other = suite_fault(fields, suite)
    return Untrusted(f"the archive's index {other}", hint=_HINTS["suite"]) if other else None


def _distrust(index: SignedIndex, archive: Archive, judgement: Judgement) -> Untrusted | None:
    """What is wrong with an index's signatures, the worst first."""
    if judgement.is_good:
        return None
    faults = judgement.faults
    if not faults:
        what = "has a signature that is empty or damaged" if index.signatures else "is not signed"
        return Untrusted(f"the archive's index {what}", hint=_HINTS["unsigned"])
    message = f"the archive's index has no good signature: {faults[0]}"
    key_hint = "signed-by" if archive.options and archive.options.signed_by else "key"
    lacks_key = bool(judgement.foreign) or "the key" in faults[0]
    hint = "wrong" if judgement.wrong else key_hint if lacks_key else "worthless"
    return Untrusted(message, hint=_HINTS[hint], details=faults[1:])
