"""Reads an OCI image layout, believing nothing: every digest and size is computed again.

Knows: the image specification's layout, index, manifest and configuration, and Docker's
manifest.json beside them. Must not know: what is in a layer, what is wanted of an image.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from attrs import field, frozen, mutable

from rvbuild.core.errors import Malformed
from rvbuild.core.image import DEFAULT_PATH
from rvbuild.core.ports.callbacks import Wanted
from rvbuild.core.rootfs import Process
from rvbuild.images.files import each_file
from rvbuild.images.json_node import LARGEST, JsonNode

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


_MOST = 64 << 20  # bytes that are kept of a layout: a list of images has some KB an image


@frozen(kw_only=True)
class PackedLayer:
    """A layer's path below the layout, its compression, the digest of what it unpacks to."""

    path: str
    packing: str
    content: str


@frozen(kw_only=True)
class Packed:
    """One image: ``platforms`` are those that the index and the configuration name."""

    name: str
    platforms: tuple[str, ...]
    process: Process
    layer: PackedLayer


def read_layout(place: str, name: str, wanted: Wanted = lambda: None) -> list[Packed]:
    """Every image of a layout: a folder, or an archive of one.

    Args:
        place: Where it is.
        name: What it is called in messages.
        wanted: Called before each part that is read; may raise.

    Raises:
        VerificationError: it is not one, or something in it is not what it is said to be.
    """
    files = _Files(name)
    each_file(place, name, files.take, wanted)
    reader = _Reader(name, files.found)
    version = reader.document("oci-layout")["imageLayoutVersion"]
    if version.value != "1.0.0":
        version.refuse(f"it must be '1.0.0', not {version.value!r}")
    index = reader.document("index.json")
    _must_be(index, INDEX)
    images = [reader.image(one) for one in index["manifests"].items()]
    if not images:
        index.refuse("it names no image")
    reader.compare(reader.document("manifest.json"))
    reader.refuse_more()
    return images


def _must_be(document: JsonNode, media_type: str) -> None:
    if document["schemaVersion"].value != 2 or document["mediaType"].value != media_type:
        document.refuse(f"it must be of schema version 2 and media type {media_type}")


@frozen
class _File:
    """What was found of a file; ``data`` is its content, or its beginning, if it may be JSON."""

    sha256: str
    size: int
    data: bytes


@mutable
class _Files:
    """Hashes every file, and keeps what may be a document."""

    name: str
    found: dict[str, _File] = field(factory=dict)
    _kept: int = 0

    def take(self, path: str, chunks: Iterable[bytes]) -> None:
        sha256 = hashlib.sha256()
        size = 0
        data = b""
        is_blob = path.startswith(f"{BLOBS}/")
        for chunk in chunks:
            may_be_json = not is_blob or (data or chunk).startswith(b"{")
            if may_be_json and len(data) == size <= LARGEST:
                data += chunk[: LARGEST + 1 - size]
            sha256.update(chunk)
            size += len(chunk)
        self._kept += len(data)
        if self._kept > _MOST:
            msg = f"its documents have more than {_MOST} bytes together"
            raise Malformed(msg, where=self.name)
        self.found[path] = _File(sha256.hexdigest(), size, data)


@mutable
class _Reader:
    """``seen`` are the files that something names, ``docker`` what manifest.json must say."""

    name: str
    files: Mapping[str, _File]
    seen: set[str] = field(factory=set)
    docker: list[object] = field(factory=list)

    def document(self, path: str) -> JsonNode:
        return JsonNode.read(self.file(path).data, self.where(path))

    def file(self, path: str) -> _File:
        if path not in self.files:
            msg = "it is not there"
            raise Malformed(msg, where=self.where(path))
        self.seen.add(path)
        return self.files[path]

    def where(self, path: str) -> str:
        return f"{self.name}/{path}"

    def image(self, told: JsonNode) -> Packed:
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
            layer=PackedLayer(
                path=layers[0],
                packing=LAYERS[told_layers[0]["mediaType"].text()],
                content=contents[0],
            ),
        )

    def blob(self, told: JsonNode, media_types: tuple[str, ...]) -> str:
        """The file that a descriptor means, which is as it says."""
        match = _DIGEST.match(told["digest"].text())
        if match is None:
            told["digest"].refuse("it must be sha256: and 64 hex digits")
        if told["mediaType"].value not in media_types:
            told["mediaType"].refuse(f"it must be one of: {', '.join(media_types)}")
        path = f"{BLOBS}/{match.group(1)}"
        found = self.file(path)
        if found.sha256 != match.group(1):
            msg = f"its SHA-256 is {found.sha256}"
            raise Malformed(msg, where=self.where(path))
        if found.size != told["size"].number():
            told["size"].refuse(f"the blob has {found.size} bytes")
        return path

    def compare(self, docker: JsonNode) -> None:
        """Docker's own list of the images must be of the same ones."""
        if docker.value != self.docker:
            docker.refuse("it does not name the images of index.json")

    def refuse_more(self) -> None:
        """Nothing may travel along unseen."""
        for path in self.files:
            if path not in self.seen:
                msg = "nothing refers to it"
                raise Malformed(msg, where=self.where(path))


def _platform(told: JsonNode) -> str:
    return f"{told['os'].text()}/{told['architecture'].text()}"


def _process(told: JsonNode) -> Process:
    environment = dict(pair.partition("=")[::2] for pair in told["Env"].texts())
    return Process(
        entrypoint=told["Entrypoint"].texts(),
        command=told["Cmd"].texts(),
        search=tuple(environment.get("PATH", DEFAULT_PATH).split(":")),
        user=told["User"].text(""),
        working_directory=told["WorkingDir"].text(""),
    )
