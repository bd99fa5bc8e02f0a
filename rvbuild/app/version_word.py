"""A person's word for a version, as `--to` has it: a tag, a commit, or a version.

Knows: how an upstream is asked what it means. Must not know: what moves with it.
"""

from __future__ import annotations

import re
from contextlib import suppress

from attrs import evolve, frozen

from rvbuild.app.moved_source import MovedSource
from rvbuild.core.errors import SourceError, UsageError, WrongContent, suggestion
from rvbuild.core.names import SourceRef
from rvbuild.core.spec import SourceSpec
from rvbuild.core.upstream_revision import UpstreamRevision
from rvbuild.core.version_listing import VersionListing
from rvbuild.release.destination import Destination
from rvbuild.release.literal_pin import source_text, tag_for, value_for

_HEX = re.compile(r"[0-9a-f]{7,}", re.IGNORECASE)
"""What may be the beginning of a commit's name."""


@frozen(kw_only=True)
class VersionWord:
    """A word for a version of the source that a value chooses.

    Attributes:
        source: The source; its pin is the value.
        word: What the person says.
        may_stay: Whether the value is the one that moves: its tag, if it stays, is that of the
            lock. That of a series which is added is another.
    """

    source: MovedSource
    word: str
    may_stay: bool

    def destination(self) -> Destination:
        """What it means, in each repository that the value chooses.

        Raises:
            UsageError: nothing.
            SourceError: upstream has no such revision.
            WrongContent: upstream moved the tag of a value that stays.
        """
        chosen = self._chosen()
        return evolve(chosen, others=self.source.others(chosen.value))

    def _chosen(self) -> Destination:
        """What it means where its upstream is asked."""
        pin, to = self.source.pin, self.word
        plain, chief = self.source.described(), pin.chief
        if plain is None or not plain.has_revisions:
            return Destination(value=value_for(pin, to), tag=tag_for(pin, to))
        if chief is None or chief.template is None:
            return Destination(value=to)
        if chief.word != "tag":
            revision = self._revision(plain)
            return Destination(value=revision.commit, tag=revision.tag, commit=revision.commit)
        tag = tag_for(pin, to)
        try:
            commit = self.source.session.sources.revision(plain, tag).commit
        except SourceError as error:
            if self._is_commit(plain):
                msg = f"{pin.recipe.base} names a tag, and this is a commit"
                hint = f"name a tag, or say `commit` in its place: {pin.place}"
                raise UsageError(msg, where=to, hint=hint) from error
            form = f"the recipe has `tag: {source_text(chief.spec, 'tag')}`"
            raise self._no_tag(plain, tag, error, form) from error
        self._refuse_moved(tag, commit)
        return Destination(value=value_for(pin, tag), tag=tag, commit=commit)

    def _revision(self, spec: SourceSpec) -> UpstreamRevision:
        """The commit that it means.

        Raises:
            SourceError: upstream has neither a tag nor a commit of the name.
        """
        name = self.word
        try:
            return self.source.session.sources.revision(spec, name)
        except SourceError as error:
            otherwise = "" if _HEX.fullmatch(name) else "a tag or a commit is meant, and no branch"
            raise self._no_tag(spec, name, error, otherwise) from error

    def _no_tag(
        self, spec: SourceSpec, tag: str, error: SourceError, otherwise: str
    ) -> SourceError:
        """What is wrong with a tag: that upstream has none, if it says which it has.

        Args:
            spec: The source whose upstream was asked.
            tag: The tag.
            error: What came of asking.
            otherwise: What helps, too; without that and a like tag, the error stands.
        """
        try:
            listing = self.source.session.sources.candidates(spec, self.source.context)
        except (SourceError, UsageError):
            return error
        there = listing.versions if isinstance(listing, VersionListing) else ()
        hint = "; ".join(filter(None, (suggestion(tag, there), otherwise)))
        if not hint:
            return error
        msg = f"upstream has no tag {tag}"
        return SourceError(msg, where=error.where, details=error.details, hint=hint)

    def _refuse_moved(self, tag: str, commit: str) -> None:
        """See that a tag which stays names the commit that is locked."""
        pin = self.source.pin
        if not self.may_stay or pin.chief is None or value_for(pin, tag) != pin.value:
            return
        ref = SourceRef(pin.recipe.name, pin.chief.source)
        entry = self.source.values.lock.sources.get(ref)
        commits = [getattr(part, "commit", "") for part in entry.parts] if entry else []
        locked = next(iter(commits), "")
        if locked and locked != commit:
            msg = f"upstream moved the tag {tag}: it names another commit than the lock has"
            details = (f"upstream: {commit}", f"the lock: {locked}")
            hint = "ask upstream why; the lock stays at its commit"
            raise WrongContent(msg, where=str(ref), details=details, hint=hint)

    def _is_commit(self, spec: SourceSpec) -> bool:
        with suppress(SourceError, UsageError):
            return not self.source.session.sources.revision(spec, self.word).tag
        return False
