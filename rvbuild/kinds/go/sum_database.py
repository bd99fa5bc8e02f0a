"""A client of Go's checksum database (https://go.dev/ref/mod#checksum-database).

Knows: which address is asked, and what an answer must prove. Must not know: go.sum files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from attrs import define, field, frozen

from rvbuild.core.errors import SourceError, Untrusted, WrongContent
from rvbuild.core.events import Noticed, Reporter
from rvbuild.core.gomod import escape_path
from rvbuild.core.transparent_log import IsSignature, LogHead, LogKey, LogProof, Tile, is_number
from rvbuild.kinds.go.go_settings import DIRECT, OFF, GoSettings
from rvbuild.kinds.go.sum_settings import HOW_TO_SET, SumSettings
from rvbuild.transfers.faults import NotThere
from rvbuild.transfers.urls import shown

_LABEL = "first-seen Go modules"
_MOST_BYTES = 1 << 16
_HINT = (
    "ask another GOPROXY, or another address of the database in GOSUMDB, and tell whoever runs this"
)

_Modules = dict[tuple[str, str], list[str]]
"""Lines of a go.sum, by path and version of their modules."""
Get = Callable[[str, int], bytes]
"""What is at an address; at most as many bytes."""


@frozen(kw_only=True)
class SumDatabase:
    """Holds lines of a go.sum to the checksum database of the user's go command.

    Rules:

    1. The address that GOSUMDB has is asked. If it has none, a proxy of GOPROXY is that says that
       it serves the database; if none does, the database itself.
    2. An answer counts if the database's key has signed a head of its log, the record is in the log
       of that head, and it has the line. Else it is an error, and so is an answer that the module
       is not there: whoever lies says that, too.
    3. What is not asked, because nobody answers, this run is offline, or a setting says so, is
       told and returned. Nobody can silence that.

    That a log only grows is not looked at: each head stands for itself.

    Attributes:
        proxies: Gives what GOPROXY says.
        settings: Gives the rest.
        get: Reads an address.
        is_signature: See `rvbuild.core.transparent_log`.
        report: Takes what a person should know.
    """

    proxies: Callable[[], GoSettings]
    settings: Callable[[], SumSettings]
    get: Get
    is_signature: IsSignature
    report: Reporter

    def check(self, lines: Iterable[str]) -> tuple[str, ...]:
        """Hold lines to the database, and return those that it was not asked about.

        Raises:
            WrongContent: it has another hash.
            Untrusted: its answer is no proof.
            SourceError: it does not know a module.
        """
        settings = self.settings()
        modules: _Modules = {}
        for line in lines:
            path, version, _ = line.split(" ")
            modules.setdefault((path, version.removesuffix("/go.mod")), []).append(line)
        private = [module for module in modules if settings.is_excluded(module[0])]
        self._tell(private, "private: GONOSUMDB keeps it from the checksum database")
        waiting = {module: each for module, each in modules.items() if module not in private}
        if settings.key is None:
            is_off = settings.is_set
            self._tell(waiting, "GOSUMDB is off" if is_off else f"GOSUMDB is not set: {HOW_TO_SET}")
        elif waiting:
            waiting = self._ask(settings, settings.key, waiting)
        return tuple(line for module in (*private, *waiting) for line in modules[module])

    def _ask(self, settings: SumSettings, key: LogKey, modules: _Modules) -> _Modules:
        """Ask about modules, and return those of which there is no answer."""
        waiting = dict(modules)
        try:
            log = _Log(self._place(settings, key), key, self.get, self.is_signature)
            for module, lines in modules.items():
                log.check(*module, lines)
                del waiting[module]
        except (NotThere, WrongContent, Untrusted):
            raise
        except SourceError as error:
            self._tell(waiting, f"the checksum database cannot be asked: {error}")
        return waiting

    def _place(self, settings: SumSettings, key: LogKey) -> str:
        """The address below which the database is.

        Raises:
            SourceError: a proxy gives no answer to whether it is there.
        """
        if settings.address:
            return settings.address.rstrip("/")
        for proxy in self.proxies().proxies:
            if proxy.url in {OFF, DIRECT}:
                continue
            place = f"{proxy.url}/sumdb/{key.name}"
            try:
                self.get(f"{place}/supported", _MOST_BYTES)
            except NotThere:
                continue
            return place
        return f"https://{key.name}"

    def _tell(self, modules: Iterable[tuple[str, str]], why: str) -> None:
        names = ", ".join(f"{path}@{version}" for path, version in modules)
        if names:
            text = f"nobody vouches for what came, and the lock says so: {names} ({why})"
            self.report(Noticed(_LABEL, text, security=True))


@define
class _Log:
    """A database at one address."""

    place: str
    key: LogKey
    get: Get
    is_signature: IsSignature
    _proofs: dict[LogHead, LogProof] = field(factory=dict, init=False)

    def check(self, path: str, version: str, lines: Iterable[str]) -> None:
        """See that the database has the lines of a module."""
        url = f"{self.place}/lookup/{escape_path(path)}@{escape_path(version)}"
        try:
            record = self._proved(self.get(url, _MOST_BYTES).decode(errors="replace"))
        except NotThere as error:
            error.hint = "if the module is private, let GONOSUMDB or GOPRIVATE have its path"
            error.message = f"the checksum database does not know {path}@{version}"
            raise
        except Untrusted as error:
            error.where = error.where or shown(url)
            error.hint = _HINT
            raise
        for line in lines:
            if line not in record:
                msg = f"the checksum database has another hash of {path}@{version}"
                details = (f"got:      {line}", *(f"database: {each}" for each in record))
                hint = "the proxy or the network was tampered with: ask another GOPROXY"
                raise WrongContent(msg, where=shown(url), details=details, hint=hint)

    def _proved(self, answer: str) -> list[str]:
        """The lines of a record that is in the signed log.

        Raises:
            Untrusted: it is not.
        """
        number, _, rest = answer.partition("\n")
        record, _, note = rest.partition("\n\n")
        if not (is_number(number) and note):
            msg = "that is no answer of a checksum database"
            raise Untrusted(msg)
        head = LogHead.parse(self.key.signed_text(note, self.is_signature))
        proof = self._proofs.setdefault(head, LogProof(head, self._tile))
        proof.refuse_absent(int(number), f"{record}\n".encode())
        return record.split("\n")

    def _tile(self, tile: Tile) -> bytes:
        """A tile; of one that has grown since, its beginning.

        Raises:
            Untrusted: there is none.
        """
        for each in (tile, tile.whole):
            with suppress(NotThere):
                data = self.get(f"{self.place}/{each.path}", _MOST_BYTES)
                if len(data) == each.size:
                    return data[: tile.size]
        msg = f"the checksum database has no {tile.path}"
        raise Untrusted(msg, where=shown(self.place))
