"""Where the user's apt finds Debian's archive.

Knows: sources.list in both its forms (sources.list(5)), the layout of a pool.
Must not know: what is in an archive. No mirror is named here: the snapshot archive is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from attrs import frozen

from rvbuild.core.errors import RecipeError, SourceError
from rvbuild.transfers.addresses import Address, Route, is_http, no_address
from rvbuild.transfers.apt_route import apt_route

APT = Path("/etc/apt")
VARIABLE = "RVBUILD_DEBIAN_MIRROR"
HINT = (
    f"set {VARIABLE} to the address of a Debian mirror (the folder with dists/ and pool/ in it); "
    "several are tried in order, and one of a snapshot archive, …/archive/debian/TIMESTAMP, "
    "keeps superseded files"
)
SNAPSHOT_VARIABLE = "RVBUILD_DEBIAN_SNAPSHOT"
SNAPSHOTS = "https://snapshot.debian.org/archive/debian"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_HINTS = {
    VARIABLE: f"{HINT}; a folder of this machine begins with /",
    SNAPSHOT_VARIABLE: (
        f"set {SNAPSHOT_VARIABLE} to the address of a snapshot archive (the folder with "
        "20260830T142311Z/ in it), to several, to a folder of this machine (/…), or to off"
    ),
}

_RELEASES = {
    *("buster", "bullseye", "bookworm", "trixie", "forky", "duke", "sid"),
    *("oldoldstable", "oldstable", "stable", "testing", "unstable", "experimental"),
}
_POCKETS = re.compile(r"-(?:updates|proposed-updates|backports|backports-sloppy)\Z")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+\Z")
_LIST_LINE = re.compile(
    r"deb(?:-src)?\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)"
)


@frozen
class Archives:
    """Addresses of archives (the folder of ``dists`` and ``pool``), in the order to try.

    ``bases`` are the user's own; there are none on a machine that knows nothing of Debian.
    ``snapshots`` are those of snapshot archives (the folder of moments, ``20260830T142311Z/pool``),
    which keep what the others dropped. ``route`` is how apt reaches servers.
    """

    bases: tuple[str, ...]
    keyrings: tuple[Path, ...] = (KEYRING,)
    snapshots: tuple[str, ...] = ()
    route: Route | None = None

    def address(self, text: str) -> Address:
        """An address below one of them, or below a mirror of one."""
        return Address(text, self.route)


def no_archive() -> SourceError:
    """The error of a machine on which nothing names an archive of Debian."""
    msg = "apt on this machine knows no archive of Debian"
    return SourceError(msg, where=str(APT), hint=HINT)


@frozen
class _Entry:
    uris: tuple[str, ...]
    suites: tuple[str, ...]
    keyring: str = ""


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

    Of apt's sources only those count that are for a release of Debian: neither those of other
    vendors, nor Debian's security archive, which has a pool of its own; an entry of a medium
    (``cdrom:``) or of another transport is passed over. A machine without apt, and
    one whose apt knows no release of Debian (Ubuntu's), has no ``bases``: the snapshot archive
    has what a lock pins all the same.

    Raises:
        SourceError: ``RVBUILD_DEBIAN_MIRROR`` or ``RVBUILD_DEBIAN_SNAPSHOT`` holds something
            that is no address.
    """
    bases = _addresses(environment, VARIABLE)
    keyrings = [KEYRING]
    for entry in _entries(etc):
        if not any(is_debian(suite) for suite in entry.suites):
            continue
        bases += [_normal(uri) for address in entry.uris for uri in _expanded(address)]
        keyrings += [Path(entry.keyring)] if entry.keyring.startswith("/") else []
    usable = tuple(dict.fromkeys(filter(_is_usable, bases)))
    keyrings = list(dict.fromkeys(keyrings))
    return Archives(usable, tuple(keyrings), _snapshots(environment), apt_route(environment))


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
    return base.startswith("file:///") or is_http(base)


def is_debian(suite: str) -> bool:
    """Whether ``suite`` names a release of Debian, or its updates."""
    return _POCKETS.sub("", suite) in _RELEASES


def _normal(uri: str) -> str:
    uri = re.sub(r"\A(?:file|copy):(?:/(?!/)|///+)", "file:///", uri)  # file://HOST/… is no path
    return f"file://{uri.rstrip('/')}" if uri.startswith("/") else uri.rstrip("/")


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
            keyring = re.search(r"(?:^|\s)signed-by=(\S+)", entry["options"] or "")
            yield _Entry((entry["uri"],), (entry["suite"],), keyring[1] if keyring else "")


def _from_deb822(text: str) -> Iterator[_Entry]:
    for fields in paragraphs(text):
        if fields.get("enabled", "yes").lower() in {
            "no",
            "false",
            "0",
            "off",
            "without",
            "disable",
        }:
            continue
        yield _Entry(
            tuple(fields.get("uris", "").split()),
            tuple(fields.get("suites", "").split()),
            fields.get("signed-by", "").strip(),
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
