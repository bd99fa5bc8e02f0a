"""Reads an OCI image layout, believing nothing: every digest and size is computed again.

Knows: the image specification's layout, index, manifest and configuration, and Docker's
manifest.json beside them. Must not know: what is in a layer, what is wanted of an image.
"""

from __future__ import annotations

import hashlib
import os
import re

from attrs import field, frozen, mutable

from rvbuild.core.errors import VerificationError
from rvbuild.core.rootfs import Process
from rvbuild.images.said import Said

_SPEC = "application/vnd.oci.image"
INDEX, MANIFEST, CONFIG = (f"{_SPEC}.{what}.v1+json" for what in ("index", "manifest", "config"))
LAYERS = {
    f"{_SPEC}.layer.v1.tar": "",
    f"{_SPEC}.layer.v1.tar+gzip": "gzip",
    f"{_SPEC}.layer.v1.tar+zstd": "zstd",
}
"""How a layer is compressed, by its media type."""
NAME = "io.containerd.image.name"
REFERENCE = "org.opencontainers.image.ref.name"
BLOBS = "blobs/sha256"

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})\Z")


@frozen(kw_only=True)
class Layer:
    """A layer's file below the layout, its compression, the digest of what it unpacks to."""

    path: str
    packing: str
    content: str


@frozen(kw_only=True)
class Packed:
    """One image: ``platforms`` are those that the index and the configuration name."""

    name: str
    platforms: tuple[str, ...]
    process: Process
    layers: tuple[Layer, ...]


def read_layout(folder: str) -> list[Packed]:
    """Every image of a layout.

    Raises:
        VerificationError: it is not one, or something in it is not what it is said to be.
    """
    files = _files(folder)
    reader = _Reader(folder)
    version = reader.document("oci-layout")["imageLayoutVersion"]
    if version.value != "1.0.0":
        version.refuse(f"it must be '1.0.0', not {version.value!r}")
    index = reader.document("index.json")
    _must_be(index, INDEX)
    images = [reader.image(one) for one in index["manifests"].items()]
    if not images:
        index.refuse("it names no image")
    reader.compare(reader.document("manifest.json"))
    reader.refuse_more(files)
    return images


def _must_be(document: Said, media_type: str) -> None:
    if document["schemaVersion"].value != 2 or document["mediaType"].value != media_type:
        document.refuse(f"it must be of schema version 2 and media type {media_type}")


@mutable
class _Reader:
    """``seen`` are the files that something names, ``docker`` what manifest.json must say."""

    folder: str
    seen: set[str] = field(factory=set)
    docker: list[object] = field(factory=list)

    def document(self, path: str) -> Said:
        self.seen.add(path)
        return Said.read(os.path.join(self.folder, path), path)

    def image(self, told: Said) -> Packed:
        manifest_at = self.blob(told, (MANIFEST,))
        manifest = self.document(manifest_at)
        _must_be(manifest, MANIFEST)
        config_at = self.blob(manifest["config"], (CONFIG,))
        config = self.document(config_at)
        told_layers = manifest["layers"].items()
        layers = [self.blob(one, tuple(LAYERS)) for one in told_layers]
        if len(layers) != 1:
            manifest["layers"].refuse(f"it must have one layer, not {len(layers)}")
        contents = config["rootfs"]["diff_ids"].texts()
        if len(contents) != len(layers):
            config.refuse(f"it has {len(contents)} diff_ids for {len(layers)} layers")
        name = told["annotations"][NAME].text()
        reference = told["annotations"][REFERENCE]
        if reference.value != name:
            reference.refuse(f"it must be {name!r}, as {NAME}")
        self.docker.append({"Config": config_at, "Layers": layers, "RepoTags": [name]})
        return Packed(
            name=name,
            platforms=(_platform(told["platform"]), _platform(config)),
            process=_process(config["config"]),
            layers=tuple(
                Layer(path=path, packing=LAYERS[one["mediaType"].text()], content=content)
                for one, path, content in zip(told_layers, layers, contents, strict=True)
            ),
        )

    def blob(self, told: Said, media_types: tuple[str, ...]) -> str:
        """The file that a descriptor means, which is as it says."""
        match = _DIGEST.match(told["digest"].text())
        if match is None:
            told["digest"].refuse("it must be sha256: and 64 hex digits")
        if told["mediaType"].value not in media_types:
            told["mediaType"].refuse(f"it must be one of: {', '.join(media_types)}")
        path = f"{BLOBS}/{match.group(1)}"
        found, size = _hashed(os.path.join(self.folder, path), path)
        if found != match.group(1):
            msg = f"its SHA-256 is {found}"
            raise VerificationError(msg, where=path)
        if size != told["size"].number():
            told["size"].refuse(f"the blob has {size} bytes")
        self.seen.add(path)
        return path

    def compare(self, docker: Said) -> None:
        """Docker's own list of the images must be of the same ones."""
        if docker.value != self.docker:
            docker.refuse("it does not name the images of index.json")

    def refuse_more(self, files: list[str]) -> None:
        """Nothing may travel along unseen."""
        for path in files:
            if path not in self.seen:
                msg = "nothing refers to it"
                raise VerificationError(msg, where=path)


def _files(folder: str) -> list[str]:
    """Every file; a symlink could lead anywhere, so it is refused before anything is read."""
    found = []
    for above, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = os.path.relpath(os.path.join(above, name), folder)
            if os.path.islink(os.path.join(above, name)):
                msg = "it is a symbolic link, which no layout has"
                raise VerificationError(msg, where=path)
        found += [os.path.relpath(os.path.join(above, name), folder) for name in files]
    return found


def _hashed(path: str, where: str) -> tuple[str, int]:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
    except OSError as error:
        msg = f"it cannot be read: {error.strerror}"
        raise VerificationError(msg, where=where) from error


def _platform(told: Said) -> str:
    return f"{told['os'].text()}/{told['architecture'].text()}"


def _process(told: Said) -> Process:
    environment = dict(pair.partition("=")[::2] for pair in told["Env"].texts())
    return Process(
        entrypoint=told["Entrypoint"].texts(),
        command=told["Cmd"].texts(),
        search=tuple(environment.get("PATH", "").split(":")),
        user=told["User"].text(""),
        working_directory=told["WorkingDir"].text(""),
    )
