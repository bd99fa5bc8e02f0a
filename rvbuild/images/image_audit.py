"""What is wrong with the images of a layout, be it a folder or an archive.

Knows: which rule looks at what. Must not know: the rules (core.audit, core.rootfs), stores.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from attrs import evolve, field, mutable

from rvbuild.core.audit import Watched, audit
from rvbuild.core.derivation import OutputRule
from rvbuild.core.elf import ByteView
from rvbuild.core.errors import VerificationError
from rvbuild.core.finding import Finding
from rvbuild.core.ports.callbacks import Wanted
from rvbuild.core.rootfs import RootFs, unfit
from rvbuild.images.files import each_file
from rvbuild.images.layer import Read, read_layer
from rvbuild.images.oci_layout import Packed, read_layout

_BROKEN = "what packed it is broken, or something changed it later"


def audit_image(
    rule: OutputRule,
    place: str,
    forbidden: Sequence[bytes] = (),
    wanted: Wanted = lambda: None,
) -> list[Finding]:
    """Everything wrong with the layout at ``place``.

    Args:
        rule: What its images must be.
        place: The layout: a folder, or an archive.
        forbidden: Must not be inside of any file of theirs, as for other outputs.
        wanted: Called before each part that is read; may raise.
    """
    try:
        images = read_layout(place, rule.path, wanted)
        audit_ = _Audit(rule, images, forbidden, wanted)
        each_file(place, rule.path, audit_.take, wanted)
    except VerificationError as error:
        return [Finding(str(error.where or rule.path), error.message, error.hint or _BROKEN)]
    return audit_.findings


@mutable
class _Audit:
    """Looks at each layer as it comes; a layer that images share is walked once."""

    rule: OutputRule
    images: list[Packed]
    forbidden: Sequence[bytes]
    wanted: Wanted
    findings: list[Finding] = field(factory=list)

    def take(self, path: str, chunks: Iterable[bytes]) -> None:
        """A file of the layout."""
        users = [image for image in self.images if image.layer.path == path]
        if not users:
            return
        shown = self._shown(users[0])
        accounts = {word for image in users for word in image.process.accounts if word}
        inside = evolve(self.rule, kind="file", tls=False)

        def look(entry: str, data: ByteView) -> None:
            self.findings += audit(
                inside, Watched(data, self.wanted), self.forbidden, f"{shown}: /{entry}"
            )

        try:
            found = read_layer(chunks, path, look, accounts, self.wanted)
        except VerificationError as error:
            where = f"{shown}: {error.where}"
            self.findings.append(Finding(where, error.message, error.hint or _BROKEN))
            return
        for image in users:
            self.findings += self._of(image, found)

    def _shown(self, image: Packed) -> str:
        return f"{self.rule.path} ({image.name})"

    def _of(self, image: Packed, found: Read) -> Iterator[Finding]:
        shown = self._shown(image)
        wanted = f"linux/{self.rule.architecture}"
        if set(image.platforms) != {wanted}:
            what = f"it is for {' and '.join(sorted(set(image.platforms)))}, not {wanted}"
            yield Finding(shown, what, _BROKEN)
        for what in _contradictions(image, found):
            yield Finding(f"{shown}: {image.layer.path}", what, _BROKEN)
        for path, what, hint in unfit(RootFs(found.entries), image.process, tls=self.rule.tls):
            yield Finding(f"{shown}: {path or 'its configuration'}", what, hint)


def _contradictions(image: Packed, found: Read) -> Iterator[str]:
    """Where a layer is not what its image says of it; runtimes go by what is said."""
    said = image.layer
    if found.packing != said.packing:
        told = said.packing or "tar"
        yield f"it is {found.packing or 'not compressed'}, its media type says {told}"
    if found.content != said.content:
        yield f"it unpacks to {found.content}, not to its diff_id {said.content}"
