"""Which index of a Debian archive is believed: of each kind that is not, its words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from attrs import evolve, frozen
from signed_archive import NOW, OPENPGP, SignedArchive, Signer, together

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import (
    Malformed,
    Outdated,
    SourceError,
    Untrusted,
    VerificationError,
    WrongContent,
)
from rvbuild.core.events import Noticed
from rvbuild.core.snapshot import Snapshot
from rvbuild.kinds.debian import archive_keys
from rvbuild.kinds.debian.archive_keys import ArchiveKeys
from rvbuild.kinds.debian.archive_search import first_answer
from rvbuild.kinds.debian.debian_release import Release, Releases, archives_to_read
from rvbuild.kinds.debian.freshness import DateRules, age_fault, future_fault, moment
from rvbuild.kinds.debian.index_policy import Archive, IndexPolicy
from rvbuild.kinds.debian.signatures import Keys, judge
from rvbuild.kinds.debian.signed_index import SignedIndex
from rvbuild.transfers.apt_config import ArchiveOptions, Archives, find_archives
from rvbuild.transfers.pinned_files import PinnedFiles
from rvbuild.transfers.transport import Patience, Transport
from rvbuild.transfers.urls import Credentials

ARCHIVE = SignedArchive(packages="Package: tool\n", date=NOW - dt.timedelta(hours=1))
SIGNER, STRANGER = Signer(), Signer()
DAY = dt.timedelta(days=1)
HEAD = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
EMPTY = b"-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n"


@frozen(kw_only=True)
class Case:
    """An index, and what is around it.

    Attributes:
        pages: Files of the archive, by their path.
        now: The time.
        earlier: The moment that the lock has.
        keyring: The one that the user trusts.
        frozen: Paths of archives that the user calls frozen.
    """

    pages: dict[str, bytes]
    now: dt.datetime = NOW
    earlier: dt.datetime | None = None
    keyring: bytes = SIGNER.keyring
    frozen: tuple[str, ...] = ()


GOOD = SIGNER.clear(ARCHIVE.index)


def signed(archive: SignedArchive, **more: object) -> Case:
    return Case(pages=archive.pages(SIGNER.clear(archive.index)), **more)  # type: ignore[arg-type]


def sent(in_release: bytes, **more: object) -> Case:
    return Case(pages=ARCHIVE.pages(in_release), **more)  # type: ignore[arg-type]


def release(text: str, signatures: bytes | None) -> Case:
    pages = {"/dists/bookworm/Release": text.encode()}
    if signatures is not None:
        pages["/dists/bookworm/Release.gpg"] = signatures
    return Case(pages=ARCHIVE.files() | pages)


def until(days: int) -> SignedArchive:
    end = (NOW + days * DAY).strftime("%a, %d %b %Y %H:%M:%S UTC")
    return evolve(ARCHIVE, more=f"Valid-Until: {end}\n")


KEYS = (OPENPGP / "keys.asc").read_bytes()
REFUSED: dict[str, tuple[Case, str]] = {
    "forged": (sent(GOOD.replace(b"SHA256:", b"Label: evil\nSHA256:")), "is not one of this text"),
    "empty signature": (
        sent(HEAD + ARCHIVE.index.encode() + EMPTY),
        "has a signature that is empty or damaged",
    ),
    "expired key": (sent(GOOD, now=NOW + 1200 * DAY), r"the key \w{40} expired on 20"),
    "expired index": (signed(until(-1)), "expired at"),
    "foreign key": (sent(STRANGER.clear(ARCHIVE.index)), r"nobody here trusts the key \w{40}"),
    "replayed": (sent(GOOD, earlier=NOW), "older than the one of"),
    "unsigned InRelease": (sent(ARCHIVE.index.encode()), "is not signed"),
    "SHA-1": (sent((OPENPGP / "weak.asc").read_bytes(), keyring=KEYS), "signed with SHA-1"),
    "expired signature": (
        sent((OPENPGP / "ended.asc").read_bytes(), keyring=KEYS),
        "its signature expired on 2026-07-12",
    ),
    "list with another hash": (
        Case(pages=evolve(ARCHIVE, packages="Package: evil\n").pages(GOOD)),
        "gave other bytes",
    ),
    "truncated": (sent(GOOD[:-60]), "is cut off"),
    "of another suite": (
        Case(pages=ARCHIVE.pages(SIGNER.clear(evolve(ARCHIVE, suite="sid").index))),
        "is that of sid, not of bookworm",
    ),
    "text before": (sent(b"evil\n" + GOOD), "text before its signed part"),
    "unsigned Release": (release(ARCHIVE.index, None), "is not signed"),
    "text after": (sent(GOOD + b"evil\n"), "text after its signed part"),
    "two messages": (sent(GOOD + GOOD), "text after its signed part"),
    "no date to be good until": (
        signed(evolve(ARCHIVE, more="Valid-Until: tomorrow\n")),
        "is good until 'tomorrow', which is no date",
    ),
    "local time to be good until": (
        signed(evolve(ARCHIVE, more="Valid-Until: Sun, 06 Sep 2099 14:23:11 +0200\n")),
        "0200', which is no date in UTC",
    ),
    "broken dashes": (sent(GOOD.replace(b"SHA256:", b"-evil\nSHA256:")), "no well-formed"),
    "future": (signed(evolve(ARCHIVE, date=NOW + DAY)), "in the future by this machine's clock"),
    "signed in the future": (sent(GOOD, now=NOW - DAY), "in the future by this machine's clock"),
    "wrong beside a good one": (
        release(ARCHIVE.index, together(SIGNER.apart(ARCHIVE.index), SIGNER.apart("other\n"))),
        "is not one of this text",
    ),
    "signature of another Release": (
        release(ARCHIVE.index, SIGNER.apart("other\n")),
        "is not one of this text",
    ),
}
TAKEN: dict[str, Case] = {
    "InRelease": sent(GOOD),
    "Release and Release.gpg": release(ARCHIVE.index, SIGNER.apart(ARCHIVE.index)),
    "Valid-Until": signed(until(1)),
    "not older than the lock's": sent(GOOD, earlier=ARCHIVE.date),
    "a stranger's signature beside a good one": release(
        ARCHIVE.index, together(STRANGER.apart(ARCHIVE.index), SIGNER.apart(ARCHIVE.index))
    ),
    **{f"Packages{form}": signed(evolve(ARCHIVE, form=form)) for form in (".gz", ".zst", "")},
    **{f"Packages{form}": signed(evolve(ARCHIVE, form=form)) for form in (".bz2", ".lzma")},
    "CRLF": sent(GOOD.replace(b"\n", b"\r\n")),
}


@pytest.fixture
def files(tmp_path: Path) -> Iterator[PinnedFiles]:
    with Transport(patience=Patience(tries=1), credentials=Credentials({})) as transport:
        yield PinnedFiles(transport=transport, temp=tmp_path / "temp")


@frozen
class Machine:
    """A machine whose user trusts a keyring."""

    folder: Path
    files: PinnedFiles
    notices: list[Noticed]

    def archive(self, case: Case, name: str) -> str:
        """The address of an archive in a folder."""
        for path, data in case.pages.items():
            file = self.folder / name / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        return f"file://{self.folder}/{name}"

    def read(
        self,
        case: Case,
        name: str = "archive",
        *,
        before: Iterable[str] = (),
        options: ArchiveOptions | None = None,
        unchecked: tuple[str, ...] = (),
    ) -> bytes:
        """The suite's list of packages, with all that is checked on the way."""
        (self.folder / "keyring").write_bytes(case.keyring)
        base = self.archive(case, name)
        policy = IndexPolicy(
            keys=ArchiveKeys([self.folder / "keyring"], installed=()),
            unchecked=lambda: unchecked,
            report=self.notices.append,  # type: ignore[arg-type]
            clock=lambda: case.now,
        )
        releases = Releases(files=self.files, policy=policy)
        entries = {base: options} if options else {}
        own, listed = (*before, base), {f"file://{self.folder}{it}" for it in case.frozen}
        archives = Archives(own, options=entries, frozen=frozenset(listed), mirrors=frozenset(own))
        earlier = Snapshot(case.earlier) if case.earlier else None

        def answer(each: Archive) -> bytes:
            read = releases.release(archives, each, "bookworm", earlier)
            return releases.packages(read, "amd64")

        return first_answer(
            "bookworm", archives_to_read(archives, "bookworm"), answer, "look elsewhere"
        )


@pytest.fixture
def machine(tmp_path: Path, files: PinnedFiles) -> Machine:
    return Machine(tmp_path, files, [])


@pytest.mark.parametrize("name", TAKEN)
def test_a_good_index_is_taken(machine: Machine, name: str):
    assert machine.read(TAKEN[name]) == b"Package: tool\n"
    assert machine.notices == []


def kind(name: str) -> type[VerificationError]:
    """What somebody can do about a refused index: each class is another thing to do."""
    if name == "list with another hash":
        return WrongContent
    if name in SAFE | {"broken dashes"}:
        return Malformed
    return Outdated if name in OTHER_CHECKS - OF_PROOF else Untrusted


@pytest.mark.parametrize("name", REFUSED)
def test_any_other_is_refused_with_its_own_words(machine: Machine, name: str):
    case, words = REFUSED[name]
    with pytest.raises(VerificationError, match=words) as caught:
        machine.read(case)
    assert type(caught.value) is kind(name)
    assert caught.value.exit_code == 5
    assert hint_text(caught.value.hint)
    if name != "list with another hash":
        assert "file://" in str(caught.value.where)


def test_the_words_differ():
    """No two faults read alike; below the line are those that are another form of one above."""
    assert len({REFUSED[name][1] for name in [*REFUSED][:12]}) == 12


SAFE = {"list with another hash", "truncated", "text before", "text after", "two messages"}
"""What nobody can want to believe: there is no text, or the list is not the index's."""


OTHER_CHECKS = {
    *("expired index", "replayed", "future", "signed in the future", "of another suite"),
    *("no date to be good until", "local time to be good until"),
}
"""Faults of another check than the signature's; one of them has both."""


OF_PROOF = {"signed in the future", "of another suite"}
"""Those of them that are no matter of an index's dates."""


@pytest.mark.parametrize("name", [name for name in REFUSED if name not in SAFE | {"broken dashes"}])
@pytest.mark.parametrize("by", ["trusted=yes", "debian-unchecked"])
def test_an_archive_that_the_user_believes(machine: Machine, name: str, by: str):
    """Then what is wrong is said, in a notice that nobody may silence.

    Apt's trusted=yes is about the signature: apt itself refuses other dates all the same.
    """
    case, words = REFUSED[name]
    base = machine.archive(case, "archive")
    options = ArchiveOptions(trusted=by == "trusted=yes")
    unchecked = () if options.trusted else (base,)
    if options.trusted and name in OTHER_CHECKS:
        with pytest.raises(VerificationError, match=words) as caught:
            machine.read(case, options=options)
        assert caught.value.exit_code == 5
        assert machine.notices == []
        return
    if case.keyring == KEYS:  # the message of these names no list of packages
        with pytest.raises(SourceError, match="no SHA-256 of any file"):
            machine.read(case, options=options, unchecked=unchecked)
    else:
        machine.read(case, options=options, unchecked=unchecked)
    assert all(notice.security for notice in machine.notices)
    assert all(by in notice.text and base in notice.text for notice in machine.notices)
    told = (words, "expired on", "nobody here trusts", "in the future")
    assert any(word in machine.notices[0].text for word in told)
    assert len(machine.notices) == (2 if name == "signed in the future" else 1)


@pytest.mark.parametrize("name", ["expired index", "replayed", "future"])
def test_the_next_archive_may_be_newer(machine: Machine, name: str):
    """An index that was good once leads to the next archive; one that never was does not."""
    old = machine.archive(REFUSED[name][0], "old")
    earlier = REFUSED[name][0].earlier
    fresh = signed(evolve(ARCHIVE, date=NOW), earlier=earlier)
    assert machine.read(fresh, before=[old]) == b"Package: tool\n"
    forged = machine.archive(REFUSED["forged"][0], "forged")
    with pytest.raises(VerificationError, match="is not one of this text"):
        machine.read(fresh, before=[forged])


def test_the_oldest_word_is_the_first_ones(machine: Machine):
    """Where all are outdated, the error is that of the first, with a line for each."""
    old = machine.archive(REFUSED["expired index"][0], "old")
    with pytest.raises(VerificationError, match="expired at") as caught:
        machine.read(REFUSED["future"][0], before=[f"file://{machine.folder}/none", old])
    assert len(caught.value.details) == 4  # of none, InRelease and Release


PAST = "20260830T142311Z"


def read_past(machine: Machine, case: Case, how: str) -> bytes:
    """The list of packages of an archive that the user calls one of the past."""
    if how == "apt":  # as people write it for an archive that is not updated any more
        return machine.read(case, options=ArchiveOptions(check_valid_until=False))
    if how == "frozen":
        return machine.read(evolve(case, frozen=("/archive",)))
    return machine.read(case, PAST)


@pytest.mark.parametrize("how", ["moment", "frozen", "apt"])
@pytest.mark.parametrize("name", ["expired index", "replayed"])
def test_an_index_of_a_past_that_the_user_chose(machine: Machine, name: str, how: str):
    """An address …/TIMESTAMP, the setting, and apt's entry say that it is so on purpose."""
    assert read_past(machine, REFUSED[name][0], how) == b"Package: tool\n"
    assert machine.notices == []


@pytest.mark.parametrize("how", ["moment", "frozen"])
def test_a_key_that_has_expired_since(machine: Machine, how: str):
    """What it signed while it was good stays signed; apt says nothing of that in an entry."""
    case, words = REFUSED["expired key"]
    assert read_past(machine, case, how) == b"Package: tool\n"
    with pytest.raises(VerificationError, match=words):
        read_past(machine, case, "apt")


@pytest.mark.parametrize("how", ["moment", "frozen", "apt"])
@pytest.mark.parametrize("name", ["forged", "foreign key", "unsigned Release", "SHA-1", "future"])
def test_the_past_is_forged_as_well(machine: Machine, name: str, how: str):
    with pytest.raises(VerificationError, match=REFUSED[name][1]):
        read_past(machine, REFUSED[name][0], how)


def test_another_archive_is_not_frozen(machine: Machine):
    """What the user lists is an address: a folder below or above it is another archive."""
    case, words = REFUSED["replayed"]
    for other in ("", "/archive/debian", "/archiv"):
        with pytest.raises(VerificationError, match=words) as caught:
            machine.read(evolve(case, frozen=(other,)))
        assert "the setting `debian-frozen` (RVBUILD_DEBIAN_FROZEN)" in hint_text(caught.value.hint)


def test_a_clock_is_no_archives_fault(machine: Machine):
    with pytest.raises(VerificationError) as caught:
        machine.read(REFUSED["future"][0])
    assert hint_text(caught.value.hint) == "set this machine's clock, or use another archive"


# ---- keys


def test_the_keys_that_apt_has_for_an_archive(tmp_path: Path):
    """`signed-by` is the only one that counts, whichever form it has."""
    ring, other = tmp_path / "ring.asc", tmp_path / "other.asc"
    ring.write_bytes(SIGNER.keyring)
    other.write_bytes(STRANGER.keyring)
    case = sent(GOOD, keyring=b"")
    (tmp_path / "keyring").write_bytes(b"")
    keys = ArchiveKeys(installed=())

    def good(*signed_by: str, apt: tuple[Path, ...] = ()) -> bool:
        known = keys.of(ArchiveOptions(signed_by=signed_by), apt)
        return judge(SignedIndex.parse(GOOD), known, case.now).is_good

    fingerprint = SIGNER.cert.fingerprint
    assert good(str(ring))
    assert not good(str(other))
    assert good(str(other), str(ring))
    assert good(SIGNER.keyring.decode())
    assert good(apt=(other, ring))
    assert good(fingerprint.upper(), apt=(ring,))
    assert not good(fingerprint, apt=(other,))
    assert not good(STRANGER.cert.fingerprint, apt=(ring, other))
    assert not good()
    assert not judge(SignedIndex.parse(GOOD), keys.of(None, (ring,)), NOW).is_good
    with pytest.raises(SourceError, match="signed-by names a keyring that cannot be read"):
        good(str(tmp_path / "gone"))


def test_a_keyring_of_the_setting_that_cannot_be_read(tmp_path: Path):
    (tmp_path / "keybox").write_bytes(b"\0\0\0\x20\1\1\0\2KBXf")
    for name in ("gone", "keybox"):
        keys = ArchiveKeys([tmp_path / name], installed=())
        with pytest.raises(SourceError, match="debian-keys names a keyring") as caught:
            keys.of(None, ())
        assert caught.value.where == str(tmp_path / name)


def test_a_keyring_that_cannot_be_read_is_no_archive_without_an_index(machine: Machine):
    """Where the next archive would be asked, nobody would learn of it."""
    entry = ArchiveOptions(signed_by=("/gone.gpg",))
    with pytest.raises(SourceError, match="signed-by names a keyring that cannot be read"):
        machine.read(TAKEN["InRelease"], options=entry)


ARMOR = SIGNER.keyring.decode()


@pytest.mark.parametrize(
    "text",
    [ARMOR[:-60], ARMOR[:200], ARMOR.replace("A", "!"), ARMOR.replace("\n\n", "\n")],
    ids=["no end", "cut off", "garbled", "no empty line"],
)
def test_a_key_in_apts_sources_that_cannot_be_read(text: str):
    keys = ArchiveKeys(installed=())
    assert keys.of(ArchiveOptions(signed_by=(ARMOR,)), ()).certificates
    with pytest.raises(SourceError, match="signed-by has a key that cannot be read") as caught:
        keys.of(ArchiveOptions(signed_by=(text,)), ())
    assert caught.value.where == "apt's sources"
    assert "dot" in (caught.value.hint or "")


def test_what_apt_says_of_one_suite_holds_for_that(machine: Machine):
    """One archive may have two entries, each with keys of its own."""
    apt, (ring, other) = machine.folder / "apt", (machine.folder / it for it in ("r.asc", "o.asc"))
    ring.write_bytes(SIGNER.keyring)
    other.write_bytes(STRANGER.keyring)
    apt.mkdir()
    base = machine.archive(TAKEN["InRelease"], "archive")

    def taken(*entries: str) -> bool:
        (apt / "sources.list").write_text("".join(f"deb {entry} main\n" for entry in entries))
        archives = find_archives({}, apt)
        policy = IndexPolicy(keys=ArchiveKeys(installed=()), clock=lambda: NOW)
        try:
            (archive, *_) = archives_to_read(archives, "bookworm")
            Releases(files=machine.files, policy=policy).release(archives, archive, "bookworm")
        except VerificationError:
            return False
        return True

    good, foreign = f"[signed-by={ring}] {base}", f"[signed-by={other}] {base}"
    assert taken(f"{foreign} trixie", f"{good} bookworm")
    assert not taken(f"{good} trixie", f"{foreign} bookworm")
    assert not taken(f"[trusted=yes] {base} sid", f"{foreign} bookworm")
    assert taken(f"{good} stable")  # no entry has that name: what else is known of the archive


def test_an_index_that_names_no_file_by_sha_256(machine: Machine):
    """It is good, and of no use: not one that has nothing for this architecture."""
    index = ARCHIVE.index.replace("SHA256:", "MD5Sum:")
    with pytest.raises(SourceError, match="has no SHA-256 of any file") as caught:
        machine.read(sent(SIGNER.clear(index)))
    assert "SHA256" in (caught.value.hint or "")


def test_apts_own_words_reach_the_archive(tmp_path: Path):
    """Both forms of sources, apt's keyrings, and a key that stands in the entry itself."""
    apt = tmp_path / "apt"
    (apt / "trusted.gpg.d").mkdir(parents=True)
    (apt / "trusted.gpg.d/a.asc").write_bytes(SIGNER.keyring)
    (apt / "trusted.gpg.d/a.txt").write_bytes(b"no keyring")
    (apt / "sources.list").write_text(
        "deb [trusted=yes check-valid-until=no] http://a.invalid/d bookworm main\n"
        "deb [signed-by=/k.gpg,/l.gpg valid-until-max=60] http://b.invalid/d bookworm main\n"
        "deb http://c.invalid/d bookworm main\n"
    )
    (apt / "sources.list.d").mkdir()
    key = "\n".join(f" {line or '.'}" for line in SIGNER.keyring.decode().splitlines())
    (apt / "sources.list.d/d.sources").write_text(
        f"Types: deb\nURIs: http://d.invalid/d\nSuites: sid\nTrusted: no\nSigned-By:\n{key}\n"
    )
    archives = find_archives({}, apt)
    assert archives.keyrings == (apt / "trusted.gpg.d/a.asc",)
    a, b, c, d = (archives.options[base] for base in archives.bases)
    assert a == ArchiveOptions(trusted=True, check_valid_until=False)
    assert b == ArchiveOptions(signed_by=("/k.gpg", "/l.gpg"), valid_until_max=60)
    assert c == ArchiveOptions()
    assert not d.trusted
    keys = ArchiveKeys(installed=()).of(d, ())
    assert judge(SignedIndex.parse(GOOD), keys, NOW).is_good


def test_the_keys_of_debian_that_rvbuild_brings():
    """Each parses and is good for another year; docs/debian-keys.md names each of them."""
    keys = ArchiveKeys(installed=()).of(None, ())
    certs = {cert.fingerprint: cert for cert in keys.certificates.values()}
    page = (Path(__file__).parents[2] / "docs/debian-keys.md").read_text()
    for fingerprint, cert in certs.items():
        assert cert.expiration
        assert cert.expiration > NOW + 365 * DAY
        assert not cert.is_revoked
        assert fingerprint.upper() in page.replace(" ", "")
    assert len(certs) == 4
    assert archive_keys.KEYS_OF in page


def test_an_index_by_keys_that_are_not_here_says_how_old_ours_are(machine: Machine):
    with pytest.raises(VerificationError) as caught:
        machine.read(REFUSED["foreign key"][0])
    assert archive_keys.KEYS_OF in hint_text(caught.value.hint)
    assert "debian-keys" in hint_text(caught.value.hint)
    options = ArchiveOptions(signed_by=(str(machine.folder / "keyring"),))
    with pytest.raises(VerificationError) as caught:
        machine.read(REFUSED["foreign key"][0], options=options)
    assert "signed-by" in hint_text(caught.value.hint)


def test_a_revoked_key_signs_nothing():
    signer = Signer()
    message = SignedIndex.parse(signer.clear(ARCHIVE.index))
    assert judge(message, signer.keys, NOW).is_good
    revocation = bytes(signer.cert.revoke(signer.secret.certifier()))
    keys = Keys.read(bytes(signer.cert) + revocation)
    judgement = judge(message, keys, NOW)
    assert not judgement.is_good
    assert "was revoked" in judgement.faults[0]


def test_two_copies_of_a_key_are_one():
    """The longer life counts, and so does a revocation, whichever keyring comes first."""
    signer = Signer()
    message = SignedIndex.parse(signer.clear(ARCHIVE.index))
    certifier = signer.secret.certifier()
    longer = Keys.of([signer.cert.set_expiration(NOW + 3000 * DAY, certifier)])
    revoked = Keys.read(bytes(signer.cert) + bytes(signer.cert.revoke(certifier)))
    for order in ([signer.keys, longer], [longer, signer.keys]):
        assert judge(message, Keys.union(order), NOW).is_good
        (ends,) = {cert.expiration for cert in Keys.union(order).certificates.values()}
        assert ends
        assert ends > NOW + 2000 * DAY
    for order in ([signer.keys, revoked], [revoked, signer.keys]):
        assert not judge(message, Keys.union(order), NOW).is_good


def test_many_keyrings_are_one():
    both = Keys.union([SIGNER.keys, STRANGER.keys])
    for signer in (SIGNER, STRANGER):
        assert judge(SignedIndex.parse(signer.clear(ARCHIVE.index)), both, NOW).is_good


def test_what_is_no_keyring():
    for data in (b"", b"?", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"):
        if data:
            with pytest.raises(ValueError, match=r"."):
                Keys.read(data)


# ---- dates


def age(more: str, rules: DateRules, days: float = 1) -> str:
    fields = {"date": "Sun, 30 Aug 2026 14:23:11 UTC"}
    fields |= {"valid-until": more} if more else {}
    made = moment(fields["date"])
    assert made
    now = made + days * DAY
    return future_fault(fields, rules, now) or age_fault(fields, rules, now, None)


WEEK = "Sun, 06 Sep 2026 14:23:11 UTC"


@pytest.mark.parametrize(
    ("options", "conf", "end", "good"),
    [
        ({}, {}, "", True),
        ({}, {}, WEEK, False),
        ({"check_valid_until": False}, {}, WEEK, True),
        ({"check_valid_until": True}, {"acquire::check-valid-until": "false"}, WEEK, False),
        ({}, {"acquire::check-valid-until": "0"}, WEEK, True),
        ({}, {"acquire::check-date": "no"}, WEEK, True),
        ({"check_date": False}, {}, WEEK, True),
        ({"valid_until_min": 9 * 86400}, {}, WEEK, True),
        ({"valid_until_min": 7 * 86400}, {}, WEEK, False),
        ({"valid_until_max": 7 * 86400}, {}, "", False),
        ({"valid_until_max": 9 * 86400}, {}, "", True),
        ({}, {"acquire::max-validtime": "86400"}, "", False),
        ({}, {"acquire::max-validtime::debian": "86400"}, "", False),
        ({}, {"acquire::max-validtime::other": "86400"}, "", True),
        ({}, {"acquire::min-validtime": "864000"}, WEEK, True),
        ({}, {"acquire::min-validtime": "?"}, WEEK, False),
    ],
)
def test_apts_rules_for_an_index_of_last_week(
    options: dict[str, int],
    conf: dict[str, str],
    end: str,
    good: bool,  # noqa: FBT001
):
    rules = DateRules.of(ArchiveOptions(**options), conf, "Debian")  # type: ignore[arg-type]
    assert (age(end, rules, days=8) == "") is good


def test_a_clock_that_is_behind():
    assert "future" in age("", DateRules(), days=-1)
    assert age("", DateRules(), days=-0.0001) == ""
    assert age("", DateRules(check_date=False), days=-1) == ""
    assert age("", DateRules(future=90000), days=-1) == ""


def test_an_index_without_a_date():
    """Nobody can say then that it is older."""
    text = "Codename: bookworm\n"
    assert Release(base="b", suite="bookworm", fields={}).snapshot is None
    assert judge(SignedIndex.parse(SIGNER.clear(text)), SIGNER.keys, NOW).text == text
