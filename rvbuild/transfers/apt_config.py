"""Where the user's apt finds Debian's archive, and what it is told of it.

Knows: sources.list in both its forms (sources.list(5)), the layout of a pool.
Must not know: what is in an archive, what a key is. No mirror is named here: the snapshot archive
is none.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from pathlib import Path
from urllib.parse import quote

from attrs import field, frozen

from rvbuild.core.errors import RecipeError, SourceError
from rvbuild.core.login import SplitAddress, without_logins
from rvbuild.core.snapshot import Snapshot
from rvbuild.transfers.addresses import Address, Route, is_http, no_address
from rvbuild.transfers.apt_lists import is_debian_origin, lists_folder, origin_in_lists
from rvbuild.transfers.apt_route import apt_route
from rvbuild.transfers.client_output import client_output
from rvbuild.transfers.snapshot_archive import archive_at

APT = Path("/etc/apt")
MIRROR_VARIABLE = "RVBUILD_DEBIAN_MIRROR"
HINT = (
    f"set {MIRROR_VARIABLE} to the address of a Debian mirror (the folder with dists/ and pool/ in "
    "it); several are tried in order, and one of a snapshot archive, …/archive/debian/TIMESTAMP, "
    "keeps superseded files"
)
SNAPSHOT_VARIABLE = "RVBUILD_DEBIAN_SNAPSHOT"
UNCHECKED_VARIABLE = "RVBUILD_DEBIAN_UNCHECKED"
FROZEN_VARIABLE = "RVBUILD_DEBIAN_FROZEN"
KEYS_VARIABLE = "RVBUILD_DEBIAN_KEYS"
SNAPSHOTS = "https://snapshot.debian.org/archive/debian"
_LIST_HINT = "list addresses of archives, as apt's sources or RVBUILD_DEBIAN_MIRROR do"
_HINTS = {
    MIRROR_VARIABLE: f"{HINT}; a folder of this machine begins with /",
    SNAPSHOT_VARIABLE: (
        f"set {SNAPSHOT_VARIABLE} to the address of a snapshot archive (the folder with "
        "20260830T142311Z/ in it), to several, to a folder of this machine (/…), or to off"
    ),
    UNCHECKED_VARIABLE: _LIST_HINT,
    FROZEN_VARIABLE: _LIST_HINT,
}

_RELEASES = {
    *("buster", "bullseye", "bookworm", "trixie", "forky", "duke", "sid"),
    *("oldoldstable", "oldstable", "stable", "testing", "unstable", "experimental"),
}
_POCKETS = re.compile(r"-(?:updates|proposed-updates|backports|backports-sloppy)\Z")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+\Z")
_LIST_LINE = re.compile(
    r"deb(?:-src)?\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)"
    r"(?P<components>.*)"
)
_CONF_LINE = re.compile(r'(?P<name>\S+) "(?P<value>.*)";')
_CONF_TIMEOUT = 20
_CONF_HINT = "correct the file that it names: of apt.conf.d, apt.conf, or that of APT_CONFIG"
_PLAIN = "/+,:=@"  # of a path, what needs no escape in a URL
_LIES = {"no", "false", "without", "off", "disable", "0"}
_TRUTHS = {"yes", "true", "with", "on", "enable", "1"}


@frozen(kw_only=True)
class ArchiveOptions:
    """What an entry of apt's sources says beside addresses (sources.list(5)).

    Attributes:
        signed_by: The only keys that count, each a keyring's path, a fingerprint or an armored key;
            empty if it names none.
        trusted: Whether an index without a good signature is taken.
        check_date: Whether an index from the future is refused; None if apt.conf decides.
        check_valid_until: Whether an index that is too old is refused; None if apt.conf decides.
        valid_until_min: For how many seconds an index is good at least; None if apt.conf decides.
        valid_until_max: For how many seconds it is good at most; None if apt.conf decides.
    """

    signed_by: tuple[str, ...] = ()
    trusted: bool = False
    check_date: bool | None = None
    check_valid_until: bool | None = None
    valid_until_min: int | None = None
    valid_until_max: int | None = None

    @classmethod
    def of(cls, words: Mapping[str, str]) -> ArchiveOptions:
        """Those of an entry, by name in lower case."""
        return cls(
            signed_by=_signed_by(words.get("signed-by", "")),
            trusted=bool(truth(words.get("trusted", ""))),
            check_date=truth(words.get("check-date", "")),
            check_valid_until=truth(words.get("check-valid-until", "")),
            valid_until_min=seconds(words.get("valid-until-min", "")),
            valid_until_max=seconds(words.get("valid-until-max", "")),
        )


def truth(text: str) -> bool | None:
    """What apt takes for true or false; None for anything else."""
    word = text.strip().lower()
    return True if word in _TRUTHS else False if word in _LIES else None


def seconds(text: str) -> int | None:
    """A number of seconds, as apt has it; None for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _signed_by(text: str) -> tuple[str, ...]:
    if "-----BEGIN PGP" in text:  # the key itself; an empty line of it is a dot
        lines = (line.strip() for line in text.strip().splitlines())
        return ("\n".join("" if line == "." else line for line in lines),)
    return tuple(word for word in re.split(r"[\s,]+", text) if word)


@frozen
class Archives:
    """Addresses of archives (the folder of ``dists`` and ``pool``), in the order to try.

    ``bases`` are the user's own; there are none on a machine that knows nothing of Debian.
    ``mirrors`` are those of them that the user names to rvbuild: they are Debian's, whatever their
    index says. Of others the index must say it.
    ``snapshots`` are those of snapshot archives (the folder of moments, ``20260830T142311Z/pool``),
    which keep what the others dropped. ``keyrings`` are apt's own, for the entries that name no
    key; ``options`` are those of the entries, by address, ``suite_options`` by address and suite:
    what apt does not know has none. ``route`` is how apt reaches servers, ``settings`` all of
    apt's (`apt_settings`). ``frozen`` are those that the user calls copies of the past.
    """

    bases: tuple[str, ...]
    keyrings: tuple[Path, ...] = ()
    snapshots: tuple[str, ...] = ()
    options: Mapping[str, ArchiveOptions] = field(factory=dict)
    suite_options: Mapping[tuple[str, str], ArchiveOptions] = field(factory=dict)
    route: Route | None = None
    settings: Mapping[str, str] = field(factory=dict)
    frozen: frozenset[str] = frozenset()
    mirrors: frozenset[str] = frozenset()

    def address(self, text: str) -> Address:
        """An address below one of them, or below a mirror of one."""
        return Address(text, self.route)

    def options_of(self, base: str, suite: str) -> ArchiveOptions | None:
        """Those of the entry with that suite, else of the archive's first; None if it has none."""
        return self.suite_options.get((base, suite), self.options.get(base))

    def of_now(self) -> tuple[str, ...]:
        """What each snapshot archive has now, which is an archive like any other."""
        now = str(Snapshot(dt.datetime.now(dt.UTC).replace(microsecond=0)))
        return tuple(archive_at(base, now) for base in self.snapshots)

    @property
    def places(self) -> Iterator[tuple[str, str]]:
        """Every address in the order to try, and who named it."""
        for base in self.bases:
            yield base, MIRROR_VARIABLE if base in self.mirrors else "apt's sources"
        for base in self.snapshots:
            yield base, "snapshot archive"


def no_archive() -> SourceError:
    """The error of a machine on which nothing names an archive of Debian."""
    msg = "apt on this machine knows no archive of Debian"
    return SourceError(msg, where=str(APT), hint=HINT)


@frozen
class _Entry:
    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    options: ArchiveOptions

    @property
    def releases(self) -> tuple[str, ...]:
        """Those of its suites that may be releases of Debian; none if it is not for `main`."""
        has_main = not self.components or "main" in self.components
        return tuple(suite for suite in self.suites if has_main and is_debian(suite))


def source_path(package: str, file: str) -> str:
    """Where a source package's file is below an archive.

    Raises:
        RecipeError: the names cannot be a package's.
    """
    if not _PACKAGE.match(package) or not re.match(r"[A-Za-z0-9][A-Za-z0-9+.~_-]*\Z", file):
        msg = f"not a file of a Debian source package: {package} {file}"
        raise RecipeError(msg)
    prefix = package[:4] if package.startswith("lib") and len(package) > 3 else package[0]
    return f"pool/main/{prefix}/{package}/{file}"


def find_archives(environment: Mapping[str, str], etc: Path = APT) -> Archives:
    """Debian's archives: those of ``RVBUILD_DEBIAN_MIRROR``, then those of apt's configuration.

    Of apt's sources only those count that may be Debian's: for the component ``main`` of a suite
    that Debian has, and by the index in apt's own lists not somebody else's (Docker's for
    ``bookworm``). Where apt has no list, the archive's index says it when it is read. Debian's
    security archive has a pool of its own; an entry of a medium (``cdrom:``) or of another
    transport is passed over. A machine without apt, and one whose apt knows no release of Debian
    (Ubuntu's), has no ``bases``: the snapshot archive has what a lock pins all the same.

    Raises:
        SourceError: a variable for them holds what is no address; or see `apt_settings`.
    """
    settings, mirrors = apt_settings(environment), _addresses(environment, MIRROR_VARIABLE)
    lists = lists_folder(settings)
    options: dict[str, ArchiveOptions] = {}
    suite_options: dict[tuple[str, str], ArchiveOptions] = {}
    for entry in _entries(etc):
        uris = [_normal(uri) for address in entry.uris for uri in _expanded(address)]
        own = [uri for uri in uris if _may_be_debian(lists, uri, entry.releases)]
        for uri, suite in product(own, entry.suites):
            options.setdefault(uri, entry.options)
            suite_options.setdefault((uri, suite), entry.options)
    usable = tuple(dict.fromkeys(filter(_is_asked, [*mirrors, *options])))
    return Archives(
        usable,
        keyrings=_keyrings(etc),
        snapshots=_snapshots(environment),
        options=options,
        suite_options=suite_options,
        route=apt_route(settings, environment),
        settings=settings,
        frozen=frozenset(_addresses(environment, FROZEN_VARIABLE)),
        mirrors=frozenset(mirrors),
    )


def _may_be_debian(lists: Path, base: str, releases: Iterable[str]) -> bool:
    """Whether an archive has one of the suites and none of them is somebody else's."""
    origins = [origin_in_lists(lists, base, suite) for suite in releases]
    return bool(origins) and all(origin is None or is_debian_origin(origin) for origin in origins)


def unchecked_archives(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Addresses of archives whose index the user takes without proof.

    Raises:
        SourceError: the variable holds something that is no address.
    """
    return tuple(_addresses(environment, UNCHECKED_VARIABLE))


def extra_keyrings(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Keyrings that the user trusts for every archive."""
    return tuple(Path(it) for it in environment.get(KEYS_VARIABLE, "").split(os.pathsep) if it)


def _keyrings(etc: Path) -> tuple[Path, ...]:
    """Apt's own (apt-key(8)): ``trusted.gpg``, and what ``trusted.gpg.d`` has."""
    parts = [path for path in _files(etc / "trusted.gpg.d") if path.suffix in {".gpg", ".asc"}]
    return tuple(path for path in (etc / "trusted.gpg", *parts) if os.path.isfile(path))


def apt_settings(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Apt's settings by name in lower case, as ``apt-config dump`` has them; none without apt.

    Raises:
        SourceError: apt-config cannot read them: a proxy may be among what it leaves out.
    """
    program = shutil.which("apt-config", path=environment.get("PATH"))
    if program is None:
        return {}
    output = client_output([program, "dump"], environment, _CONF_TIMEOUT)
    if not output.success:
        msg, lines = "apt-config cannot read apt's configuration", output.complaint("apt-config")
        details = tuple(map(without_logins, lines))
        raise SourceError(msg, where=str(APT), hint=_CONF_HINT, details=details)
    matches = (_CONF_LINE.fullmatch(line.strip()) for line in output.stdout.splitlines())
    return {match["name"].lower(): match["value"] for match in matches if match}


def _snapshots(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Those of ``RVBUILD_DEBIAN_SNAPSHOT``, else Debian's own; none if it says ``off``."""
    if environment.get(SNAPSHOT_VARIABLE, "").strip() == "off":
        return ()
    return tuple(_addresses(environment, SNAPSHOT_VARIABLE)) or (SNAPSHOTS,)


def _addresses(environment: Mapping[str, str], variable: str) -> list[str]:
    """The addresses in a variable; none if it is empty or not set."""
    text = environment.get(variable, "")
    bases = [_normal(uri) for uri in text.split()]
    wrong = [text] if text.isspace() else [base for base in bases if not _is_usable(base)]
    if wrong:
        hint = _HINTS[variable]
        raise no_address(wrong[0], of="an archive of Debian", where=variable, hint=hint)
    return bases


def _is_usable(base: str) -> bool:
    return base.startswith("file:///") or (is_http(base) and not SplitAddress.of(base).is_ambiguous)


def _is_asked(base: str) -> bool:
    """Whether it is asked: of one that can be read in two ways, whoever asks says so."""
    return _is_usable(base) or SplitAddress.of(base).is_ambiguous


def is_debian(suite: str) -> bool:
    """Whether ``suite`` names a release of Debian, or its updates."""
    return _POCKETS.sub("", suite) in _RELEASES


def _normal(uri: str) -> str:
    uri = re.sub(r"\A(?:file|copy):(?:/(?!/)|///+)", "file:///", uri)  # file://HOST/… is no path
    is_path = uri.startswith("/")
    return f"file://{quote(uri.rstrip('/'), safe=_PLAIN)}" if is_path else uri.rstrip("/")


def _expanded(uri: str) -> Iterator[str]:
    """The addresses in the list that apt's ``mirror+file:`` names."""
    if not uri.startswith("mirror+file:"):
        yield uri
        return
    path = Path("/" + uri.removeprefix("mirror+file:").lstrip("/"))
    for line in _text(path).splitlines():
        words = line.split("#", 1)[0].split()
        if words:
            yield words[0]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _files(folder: Path) -> list[Path]:
    """What is in a folder; nothing if it cannot be read."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _entries(etc: Path) -> Iterator[_Entry]:
    yield from _from_list(_text(etc / "sources.list"))
    for path in _files(etc / "sources.list.d"):
        if path.suffix == ".list":
            yield from _from_list(_text(path))
        elif path.suffix == ".sources":
            yield from _from_deb822(_text(path))


def _from_list(text: str) -> Iterator[_Entry]:
    for line in text.splitlines():
        entry = _LIST_LINE.match(line.split("#", 1)[0].strip())
        if entry:
            pairs = (word.partition("=") for word in (entry["options"] or "").split())
            words = {name.lower(): value for name, _, value in pairs}
            components = tuple(entry["components"].split())
            options = ArchiveOptions.of(words)
            yield _Entry((entry["uri"],), (entry["suite"],), components, options)


def _from_deb822(text: str) -> Iterator[_Entry]:
    for fields in paragraphs(text):
        if truth(fields.get("enabled", "yes")) is False:
            continue
        yield _Entry(
            tuple(fields.get("uris", "").split()),
            tuple(fields.get("suites", "").split()),
            tuple(fields.get("components", "").split()),
            ArchiveOptions.of(fields),
        )


def paragraphs(text: str) -> Iterator[dict[str, str]]:
    """Paragraphs of deb822(5) text: fields by name in lower case; further lines are kept."""
    fields: dict[str, str] = {}
    name = ""
    for line in [*text.splitlines(), ""]:
        if not line.strip():
            if fields:
                yield fields
            fields, name = {}, ""
        elif line.startswith("#"):
            continue
        elif line[0] in " \t":
            if name:
                fields[name] += "\n" + line.strip()
        else:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
