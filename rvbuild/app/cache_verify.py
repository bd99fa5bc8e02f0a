"""Reads all of a cache again.

Knows: whose records can be verified here, and what a finding means for a caller. Must not know: how
a cache is looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from attrs import field, frozen

from rvbuild.app.cache_progress import cache_progress
from rvbuild.app.caches import collection_lease, one_marked_cache
from rvbuild.app.run_caches import RunCache
from rvbuild.app.session import Session
from rvbuild.app.signing_key import KeyFolders
from rvbuild.caches.names import RECORDS, is_record
from rvbuild.caches.verification import CacheCheck, CacheFinding, CacheVerifier, remove_damaged
from rvbuild.core.advice import Advice, Remedy, advise
from rvbuild.core.errors import CacheFault
from rvbuild.core.events import Phase
from rvbuild.trust.keyring import Keyring
from rvbuild.trust.verify import verify_statement

__all__ = ["CacheCheck", "CacheFinding", "CacheVerification", "verify_cache"]


@frozen(kw_only=True)
class CacheVerification:
    """What was looked at in a cache.

    Attributes:
        address: Where it is, without a login.
        name: What it is called.
        check: Counts and findings.
        revoked: How many of the records are of keys that were revoked, by the key's name.
        removed: Names of the damaged objects that were removed.
    """

    address: str
    name: str
    check: CacheCheck
    revoked: Mapping[str, int] = field(factory=dict)
    removed: tuple[str, ...] = ()

    def refuse_findings(self) -> None:
        """See that the cache is whole.

        Raises:
            VerificationError: something in it is damaged or missing.
        """
        kinds = [finding.kind for finding in self.check.findings]
        damaged, missing = kinds.count("damaged"), kinds.count("missing")
        if damaged or missing:
            msg = f"the cache has {damaged} damaged and {missing} missing files"
            raise CacheFault(msg, where=self.address, hint=self._advice)

    @property
    def _advice(self) -> Advice:
        again = "push again from a store that has the results"
        kinds = [finding.kind for finding in self.check.findings]
        if self.removed or "damaged" not in kinds:
            return advise(again)
        return advise(Remedy.MEND_CACHE.of(self.name), f"; then {again}")


def verify_cache(
    session: Session,
    name: str,
    report: Callable[[CacheFinding], None] | None = None,
    *,
    remove: bool = False,
) -> CacheVerification:
    """Read every record and every object of a cache.

    Args:
        session: Whose run it is.
        name: The cache's.
        report: Takes each finding at once.
        remove: Whether to remove damaged objects; nobody can push meanwhile.

    Raises:
        UsageError: there is no such cache.
        CacheError: it is none, or cannot be listed or read; or, to remove, somebody pushes or
            collects.
    """
    keyring = KeyFolders.of(session.workspace).keyring()

    def read(data: bytes, payload_type: str, where: str) -> object:
        return verify_statement(data, payload_type, keyring, where).body

    with (
        one_marked_cache(session, name) as cache,
        cache_progress(session.report, name, Phase.VERIFY) as tell,
    ):
        take = report or (lambda _finding: None)
        verifier = CacheVerifier(cache.cache, read, keyring.valid_ids, take, tell)
        if not remove:
            check, revoked = verifier.run(), _revoked_records(cache, keyring)
            return CacheVerification(address=cache.address, name=name, check=check, revoked=revoked)
        with collection_lease(session, cache).collecting() as collecting:
            check = verifier.run()
            removed = remove_damaged(cache.cache, check.findings, collecting.tenure)
        return CacheVerification(
            address=cache.address,
            name=name,
            check=check,
            revoked=_revoked_records(cache, keyring),
            removed=removed,
        )


def _revoked_records(cache: RunCache, keyring: Keyring) -> Mapping[str, int]:
    """How many records are of keys that were revoked, by the key's name."""
    valid = {key_id.partition(":")[0] for key_id in keyring.valid_ids}
    names = {each.key.name for each in keyring.revocations} - valid
    entries = cache.cache.entries(RECORDS) if names else ()
    records = (entry.name for entry in entries if is_record(entry.name))
    owners = Counter(name.split("/")[1] for name in records)
    return {name: owners[name] for name in sorted(names) if owners[name]}
