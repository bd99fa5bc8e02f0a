"""Uploads beside a build, if somebody signs and a cache is set to be written.

Knows: when there is something to upload into. Must not know: how. Imports what uploads only then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rvbuild.app.session import Session
from rvbuild.core.cache_text import read_cache_text
from rvbuild.core.errors import UsageError
from rvbuild.core.events import Noticed

if TYPE_CHECKING:
    from rvbuild.app.cache_uploads import CacheUploads
    from rvbuild.core.public_key import PublicKey


@contextmanager
def uploads_of(session: Session, *, required: bool = False) -> Iterator[CacheUploads | None]:
    """Uploads of a run; None: nobody signs, or no cache is written, or not unasked.

    Args:
        session: Whose run it is.
        required: Whether the run fails if something is not brought.

    Raises:
        UsageError: uploads are required, and cannot be.
        CacheRefused: what was set is no address of a cache.
    """
    texts = map(read_cache_text, session.workspace.settings.caches.values())
    if not required and not any(text and text.writes for text in texts):
        yield None
        return
    from rvbuild.app.cache_uploads import CacheUploads  # noqa: PLC0415 - see the module
    from rvbuild.app.push import written_caches  # noqa: PLC0415 - the same
    from rvbuild.app.push_signer import push_signer, tell_untrusted  # noqa: PLC0415 - the same
    from rvbuild.app.run_caches import opened, signer_of  # noqa: PLC0415 - the same
    from rvbuild.app.unasked_caches import refused_unasked  # noqa: PLC0415 - the same

    with opened(session) as caches:
        try:
            wanted = required or signer_of(session, caches) is not None
            signer = push_signer(session, caches) if wanted else None
            written = written_caches(caches) if wanted else []
        except UsageError as error:
            if required:
                raise
            session.report(Noticed("caches", f"nothing is brought there: {error}"))
            signer = None
        if signer is not None and not required:
            keyring, public = caches.keyring, signer.public
            refused = refused_unasked(session.workspace, written, keyring, public)
            written = [each for each in written if each.name not in refused]
            _tell_refused(session, refused, public)
        if signer is None or not written:
            yield None
            return
        tell_untrusted(session, caches.keyring, signer.public)
        uploads = CacheUploads.into(session, written, signer, required=required)
        try:
            yield uploads
        finally:
            caches.cancellation.cancel()


def _tell_refused(session: Session, names: tuple[str, ...], key: PublicKey) -> None:
    if names:
        text = (
            f"nothing is brought there unasked: the project's file sets it, and the key "
            f"{key.key_id}, which signs here, is none of the project's"
        )
        session.report(Noticed(", ".join(names), text))
