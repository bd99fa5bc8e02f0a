"""What is wrong with the images of a layout.

Knows: which rule looks at what. Must not know: the rules (core.audit, core.rootfs), stores.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from rvbuild.core.audit import Finding, audit
from rvbuild.core.derivation import OutputRule
from rvbuild.core.elf import Image
from rvbuild.core.errors import VerificationError
from rvbuild.core.rootfs import Entry, RootFs, unfit
from rvbuild.images.layer import read_layer
from rvbuild.images.layout import Packed, read_layout

_BROKEN = "what packed it is broken, or something changed it later"


def audit_image(rule: OutputRule, folder: str, forbidden: Sequence[bytes] = ()) -> list[Finding]:
    """Everything wrong with the layout in ``folder``.

    Args:
        rule: What its images must be.
        folder: The layout.
        forbidden: Must not be inside of any file of theirs, as for other outputs.
    """
    try:
        images = read_layout(folder)
    except VerificationError as error:
        return [Finding(f"{rule.path}/{error.where}", error.message, _BROKEN)]
    return [finding for image in images for finding in _findings(rule, folder, image, forbidden)]


def _findings(
    rule: OutputRule, folder: str, image: Packed, forbidden: Sequence[bytes]
) -> list[Finding]:
    findings: list[Finding] = []
    inside = evolve(rule, kind="file", tls=False)
    shown = f"{rule.path} ({image.name})"

    def look(path: str, data: Image) -> None:
        findings.extend(audit(inside, data, forbidden, f"{shown}: /{path}"))

    wanted = f"linux/{rule.architecture}"
    if set(image.platforms) != {wanted}:
        what = f"it is for {' and '.join(sorted(set(image.platforms)))}, not {wanted}"
        findings.append(Finding(shown, what, _BROKEN))
    entries: dict[str, Entry] = {}
    for layer in image.layers:
        try:
            found, content = read_layer(f"{folder}/{layer.path}", layer, look)
        except VerificationError as error:
            return [
                *findings,
                Finding(f"{shown}: {error.where}", error.message, error.hint or _BROKEN),
            ]
        if content != layer.content:
            what = f"it unpacks to {content}, not to its diff_id {layer.content}"
            findings.append(Finding(f"{shown}: {layer.path}", what, _BROKEN))
        entries |= found
    for path, what, hint in unfit(RootFs(entries), image.process, tls=rule.tls):
        findings.append(Finding(f"{shown}: {path or 'its configuration'}", what, hint))
    return findings
