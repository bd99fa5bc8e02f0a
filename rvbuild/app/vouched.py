"""Whether a result that came from a cache may still be used.

Knows: who vouched for it then, and who is trusted now. Must not know: caches.

A key that was revoked takes back all that it signed, and a release may ask for more keys than a
build did. So a result in the store counts as missing where too few of the keys that vouched for it
are accepted now. Its tree stays: if others vouch for it, nothing is fetched again.
"""

from __future__ import annotations

from functools import cached_property

from attrs import define

from rvbuild.app.choices import Choices
from rvbuild.app.workspace import Workspace
from rvbuild.core.realisation import Realisation


@define(slots=False)
class Vouched:
    """Says of realisations whether a run may use them. Keys are read when the first one asks.

    Attributes:
        workspace: Where keys are, and what is set.
        choices: Whether it is a release.
    """

    workspace: Workspace
    choices: Choices

    def __call__(self, realisation: Realisation) -> bool:
        if realisation.origin.kind != "substituted":
            return True
        needed, keys = self._accepted
        vouchers = {_key_name(signature) for signature in realisation.signatures}
        return len(vouchers & keys) >= needed

    @cached_property
    def _accepted(self) -> tuple[int, frozenset[str]]:
        """How many keys must have vouched, and which ones count."""
        # late on purpose: a store without others' results needs no keys
        from rvbuild.app.run_caches import accepted_keys  # noqa: PLC0415
        from rvbuild.app.signing_key import KeyFolders, acceptance  # noqa: PLC0415

        policy = acceptance(self.workspace.settings, release=self.choices.release)
        keyring = KeyFolders.of(self.workspace).keyring()
        return policy.needed, frozenset(accepted_keys(policy, keyring))


def _key_name(signature: object) -> str:
    """The name of the key that a realisation notes."""
    key_id = signature.get("keyid", "") if isinstance(signature, dict) else ""
    return str(key_id).partition(":")[0]
