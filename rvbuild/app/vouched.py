"""Whether a result that came from a cache, or was made of such, may still be used.

Knows: who vouched for it then, and who is trusted now. Must not know: caches.

A key that was revoked takes back all that it signed, and a release may ask for more keys than a
build did. So a result in the store counts as missing where too few vouch now for it, or for
anything from a cache that it was made of (`core.voucher`). Its tree stays: if others vouch for it,
nothing is fetched again.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from attrs import define

from rvbuild.app.choices import Choices
from rvbuild.app.workspace import Workspace
from rvbuild.core.realisation import Realisation

if TYPE_CHECKING:
    from rvbuild.core.acceptance import Acceptance


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
        sets = realisation.voucher_sets
        if not sets:
            return True
        policy, valid_ids = self._trust
        return policy.all_vouched(sets, valid_ids)

    @cached_property
    def _trust(self) -> tuple[Acceptance, frozenset[str]]:
        """Whose word is enough, and the ids of the keys that are valid."""
        # late on purpose: a store without others' results needs no keys
        from rvbuild.app.signing_key import KeyFolders, acceptance  # noqa: PLC0415

        policy = acceptance(self.workspace.settings, release=self.choices.release)
        return policy, KeyFolders.of(self.workspace).keyring().valid_ids
