"""Commits out of forges' archives, believed only if their git tree comes out the same.

Knows: that an archive is a commit's tree in another wrapping, unless attributes changed it.
Must not know: git, repositories.

The archive is read twice: once for the name that git would give its tree, and, if that is
the pinned one, once into the sink. So a sink never gets a wrong tree, and an archive from
which attributes (``export-ignore``, ``export-subst``) or submodules took something away
makes git itself the next transport.
"""

from __future__ import annotations

from typing import BinaryIO

from attrs import frozen

from rvbuild.archives.unpack import unpack
from rvbuild.core.errors import SourceError, VerificationError
from rvbuild.core.ports.callbacks import Advance
from rvbuild.core.ports.sink import TreeSink
from rvbuild.git.process import Failed
from rvbuild.kinds.git.forges import archive_url
from rvbuild.kinds.git.git_sinks import GitNameSink, Selected
from rvbuild.kinds.git.source import GitSource
from rvbuild.transfers.addresses import Address, local_path
from rvbuild.transfers.mirrors import Mirrors
from rvbuild.transfers.pinned_files import Pin, PinnedFiles


@frozen(kw_only=True)
class ForgeArchives:
    """The archives that known forges make of commits.

    Args:
        files: Downloads.
        mirrors: Asked before the forge.
    """

    files: PinnedFiles
    mirrors: Mirrors

    def addresses(self, url: str, commit: str) -> tuple[str, ...]:
        """See `rvbuild.kinds.git.fetch.CommitArchives`."""
        archive = archive_url(url, commit)
        if archive is None:
            return ()
        mirrors = [a for a in self.mirrors.of(archive) if local_path(a) is None]
        return (*mirrors, archive)

    def deliver(self, address: str, source: GitSource, into: TreeSink, advance: Advance) -> None:
        """See `rvbuild.kinds.git.fetch.CommitArchives`."""
        if self.files.doubted(Address(address)):
            msg = "not asked again: its server could not be reached before"
            raise Failed(msg)
        pin = Pin(label=source.label, sha256="")
        try:
            with self.files.opened(pin, [Address(address)], advance, hint="") as download:
                _check(download.file, source)
                download.file.seek(0)
                sink = Selected(into, source.paths) if source.paths else into
                unpack(download.file, source.label, sink, strip=1)
        except SourceError as error:
            raise Failed(_why(error), error.hint) from error


def _check(file: BinaryIO, source: GitSource) -> None:
    sink = GitNameSink(source.tree)
    try:
        unpack(file, source.label, sink, strip=1)
        name = sink.name
    except VerificationError as error:
        raise Failed(error.message) from error
    if name != source.tree:
        msg = f"its files make the git tree {name}, not {source.tree}"
        raise Failed(msg)
    lacking = [path for path in source.paths if not sink.has(path)]
    if lacking:
        msg = f"it has nothing at {', '.join(lacking)}"
        raise Failed(msg)


def _why(error: SourceError) -> str:
    """The reason within ``address: reason``."""
    return error.details[0].partition(": ")[2] if error.details else error.message
