"""Serves what was built here to others, as a cache that is only read.

Knows: who listens, and for whom. Must not know: what is served, HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from attrs import frozen

from rvbuild.app.push_signer import push_signer
from rvbuild.app.run_caches import opened
from rvbuild.app.served_store import ServedStore, served_store
from rvbuild.app.session import Session
from rvbuild.caches.file_server import CacheFileServer
from rvbuild.core.errors import SandboxError
from rvbuild.core.events import Wrote


@frozen(kw_only=True)
class ServeView:
    """What is served.

    Attributes:
        url: Where.
        key: The id of the key that signs.
        targets: The targets, sorted.
    """

    url: str
    key: str
    targets: tuple[str, ...]


@contextmanager
def served(session: Session, bind: str, port: int) -> Iterator[tuple[CacheFileServer, ServeView]]:
    """A server over the store of a session, which listens; whoever asked for it lets it serve.

    Args:
        session: Whose store it is.
        bind: An address of this machine.
        port: 0 for any that is free.

    Raises:
        UsageError: nobody signs, or nobody takes what is signed.
        SandboxError: nobody can listen there.
    """
    with opened(session) as caches:
        signer = push_signer(session, caches)
    with served_store(session, signer) as store, _listening(bind, port, store, session) as server:
        yield server, ServeView(url=server.url, key=signer.public.key_id, targets=store.targets)


def _listening(bind: str, port: int, store: ServedStore, session: Session) -> CacheFileServer:
    def heard(line: str) -> None:
        session.report(Wrote("serve", line))

    try:
        return CacheFileServer(bind, port, store.find, heard)
    except OSError as error:
        msg = f"nobody can listen there: {error.strerror or error}"
        hint = "take another port, or an address of this machine"
        raise SandboxError(msg, where=f"{bind}:{port}", hint=hint) from error
